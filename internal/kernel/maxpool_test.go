package kernel

import (
	"math"
	"testing"
)

// TestMaxPool compares with a plain loop, on values with many ties and with NaN in
// every position of a window.
func TestMaxPool(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, small Shape) {
		s := small
		s.H, s.W = 2*s.H, 2*s.W
		r := newRand(1)
		x := newGuarded[float32](s, 3)
		v := make([]float32, s.N*s.C*s.H*s.W)
		for i := range v {
			v[i] = float32(r.IntN(3)) - 1
			if r.IntN(9) == 0 {
				v[i] = float32(math.NaN())
			}
			if r.IntN(20) == 0 {
				v[i] = float32(math.Inf(1 - 2*r.IntN(2)))
			}
		}
		Pack(p, x.Act, v)
		y := newGuarded[float32](small, 1)
		MaxPool2x2(p, y.Act, x.Act)
		y.verify(t)
		dy := randGuarded[float32](r, small)
		dx := newGuarded[float32](s, 2)
		for i := range dx.row(0, 0) { // must be overwritten
			dx.row(0, 0)[i] = 5
		}
		MaxPool2x2Grad(p, dx.Act, x.Act, y.Act, dy.Act, Act[float32]{})
		dx.verify(t)
		add, sum := randGuarded[float32](r, s), newGuarded[float32](s, 5)
		MaxPool2x2Grad(p, sum.Act, x.Act, y.Act, dy.Act, add.Act)
		sum.verify(t)
		got, grad, gotDx := unpack(y.Act), unpack(dy.Act), unpack(dx.Act)
		added := unpack(add.Act)
		for i, v := range unpack(sum.Act) {
			if want := added[i] + gotDx[i]; v != want {
				t.Fatalf("sum %d is %v, want %v", i, v, want)
			}
		}
		for i := range got {
			ox, oy, nc := i%small.W, i/small.W%small.H, i/small.W/small.H
			var index [4]int
			nan, best := -1, 0
			for k := range 4 {
				index[k] = (nc*s.H+2*oy+k/2)*s.W + 2*ox + k%2
				if u := v[index[k]]; u != u {
					nan = k
				} else if w := v[index[best]]; u > w || w != w {
					best = k
				}
			}
			want := v[index[best]]
			if nan >= 0 {
				want, best = float32(math.NaN()), 0
			}
			if got[i] != want && !(nan >= 0 && got[i] != got[i]) {
				t.Fatalf("maximum %d is %v, want %v", i, got[i], want)
			}
			for k, j := range index {
				want := float32(0)
				if k == best {
					want = grad[i]
				}
				if gotDx[j] != want {
					t.Fatalf("gradient of pixel %d of window %d is %v, want %v", k, i, gotDx[j], want)
				}
			}
		}
	})
}
