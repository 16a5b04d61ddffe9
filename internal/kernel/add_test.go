package kernel

import (
	"math"
	"testing"
)

func TestAdd(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		for n := 2; n <= 4; n++ {
			for _, relu := range []bool{false, true} {
				r := newRand(uint64(n))
				x := make([]*guarded[float32], n)
				want := make([]value, s.N*s.C*s.H*s.W)
				nan := len(want) / 2
				for i := range x {
					x[i] = randGuarded[float32](r, s)
					v := unpack(x[i].Act)
					for k := range v {
						want[k].add(float64(v[k]), 1)
					}
					if i == 1 {
						v[nan] = float32(math.NaN())
						Pack(p, x[i].Act, v)
					}
				}
				y := newGuarded[float32](s, 7)
				Add(p, y.Act, acts(x), relu)
				y.verify(t)
				got := unpack(y.Act)
				if got[nan] == got[nan] {
					t.Errorf("NaN became %v", got[nan])
				}
				Add(p, x[0].Act, acts(x), relu) // in place
				x[0].verify(t)
				inPlace := unpack(x[0].Act)
				got[nan], inPlace[nan], want[nan] = 0, 0, value{}
				sameBits(t, "in place", inPlace, got)
				for k := range want {
					if relu {
						want[k].v = max(0, want[k].v)
					}
				}
				compare(t, "sum", got, want)
			}
		}
	})
}

func TestAddRefuses(t *testing.T) {
	a, b := NewAct[float32](Shape{1, 8, 2, 2}), NewAct[float32](Shape{1, 8, 2, 4})
	for name, x := range map[string][]Act[float32]{"one": {a}, "another shape": {a, b}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Add(nil, a, x, false)
		}()
	}
}

// bilinearTaps calls f for every product in the upsampling of an h×w plane. It
// derives them from the position of each fine pixel's centre, not from its parity.
func bilinearTaps(h, w int, f func(fine, coarse int, weight float64)) {
	axis := func(n, i int) (at [2]int, weight [2]float64) {
		pos := (float64(i)+0.5)/2 - 0.5
		low := math.Floor(pos)
		for k := range at {
			at[k] = min(max(int(low)+k, 0), n-1)
			weight[k] = 1 - math.Abs(pos-(low+float64(k)))
		}
		return at, weight
	}
	for y := range 2 * h {
		ys, wy := axis(h, y)
		for x := range 2 * w {
			xs, wx := axis(w, x)
			for i := range 4 {
				f(y*2*w+x, ys[i/2]*w+xs[i%2], wy[i/2]*wx[i%2])
			}
		}
	}
}

func TestBilinear2x(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		big := s
		big.H, big.W = 2*s.H, 2*s.W
		r := newRand(5)
		x, dy := randGuarded[float32](r, s), randGuarded[float32](r, big)
		xv, dv := unpack(x.Act), unpack(dy.Act)
		want, wantDx := make([]value, len(dv)), make([]value, len(xv))
		for c := range s.N * s.C {
			bilinearTaps(s.H, s.W, func(fine, coarse int, weight float64) {
				fine, coarse = fine+c*4*s.H*s.W, coarse+c*s.H*s.W
				want[fine].add(float64(xv[coarse]), weight)
				wantDx[coarse].add(float64(dv[fine]), weight)
			})
		}
		y, dx := newGuarded[float32](big, 1), newGuarded[float32](s, 5)
		Bilinear2x(p, y.Act, x.Act)
		y.verify(t)
		compare(t, "up-sampled", unpack(y.Act), want)
		Bilinear2xGrad(p, dx.Act, dy.Act)
		dx.verify(t)
		compare(t, "gradient", unpack(dx.Act), wantDx)
		x.verify(t)
		dy.verify(t)
	})
}

func TestGate(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		r := newRand(6)
		x, a, dy := randGuarded[float32](r, s), randGuarded[float32](r, s.with(1)), randGuarded[float32](r, s)
		xv, av, dv := unpack(x.Act), unpack(a.Act), unpack(dy.Act)
		want, wantDa := make([]value, len(xv)), make([]value, len(av))
		hw := s.H * s.W
		for i := range xv {
			k := i/hw/s.C*hw + i%hw
			sigma := 1 / (1 + math.Exp(-float64(av[k])))
			// σ itself is rounded: two more roundings.
			want[i].add(float64(xv[i]), sigma)
			want[i].n += 2
			wantDa[k].add(float64(xv[i])*float64(dv[i]), sigma*(1-sigma))
			wantDa[k].n += 2
		}
		y, da := newGuarded[float32](s, 1), newGuarded[float32](s.with(1), 5)
		Gate(p, y.Act, x.Act, a.Act)
		y.verify(t)
		compare(t, "gated", unpack(y.Act), want)
		GateGrad(p, da.Act, x.Act, a.Act, dy.Act)
		da.verify(t)
		compare(t, "gradient", unpack(da.Act), wantDa)
		Gate(p, x.Act, x.Act, a.Act)
		x.verify(t)
		sameBits(t, "in place", unpack(x.Act), unpack(y.Act))
	})
}
