package kernel

import (
	"fmt"
	"math"
	"testing"
)

var actShapes = []Shape{
	{1, 1, 1, 1}, {2, 3, 1, 2}, {1, 8, 3, 5}, {2, 12, 4, 7}, {1, 16, 2, 13}, {3, 24, 5, 16},
	{1, 40, 2, 31}, {1, 8, 140, 130}, {40, 9, 2, 2},
}

// lanesRand returns one number for each channel of each image, zero in pad lanes.
func lanesRand(s Shape, seed uint64) []float32 {
	v := randSlice[float32](newRand(seed), s.N*s.Blocks()*Lanes)
	for i := range v {
		if i%(s.Blocks()*Lanes) >= s.C {
			v[i] = 0
		}
	}
	return v
}

// eachShape runs f for every set, shape and number of threads.
func eachShape(t *testing.T, f func(t *testing.T, p *Pool, s Shape)) {
	eachSet(t, func(t *testing.T, set Set) {
		for _, s := range actShapes {
			for threads := 1; threads <= 3; threads += 2 {
				t.Run(fmt.Sprintf("%v/%d", s, threads), func(t *testing.T) {
					p := NewPool(threads, set)
					defer p.Close()
					f(t, p, s)
				})
			}
		}
	})
}

// checkSums compares float64 sums per channel with those of plain loops over
// NCHW terms. The tolerance is value's bound for float32 terms.
func checkSums(t *testing.T, what string, s Shape, got []float64, term func(i, y, x int) (a, b float64)) {
	t.Helper()
	want := make([]value, len(got))
	for i := range s.N * s.C * s.H * s.W {
		x, y, c, n := i%s.W, i/s.W%s.H, i/s.W/s.H%s.C, i/s.W/s.H/s.C
		want[n*s.Blocks()*Lanes+c].add(term(i, y, x))
	}
	for i, w := range want {
		if math.Abs(got[i]-w.v) > float64(w.n+2)*epsilon[float32]()*w.mag {
			t.Errorf("%s: sum %d is %v, want %v", what, i, got[i], w.v)
		}
	}
}

func TestMoments(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		x := randGuarded[float32](newRand(1), s)
		v := unpack(x.Act)
		n := s.N * s.Blocks() * Lanes
		for _, valid := range [][2]int{{s.H, s.W}, {s.H - s.H/3, s.W - s.W/2}, {0, s.W}, {s.H, 0}} {
			sum, sq := randSlice[float64](newRand(2), n), randSlice[float64](newRand(3), n)
			Moments(p, sum, sq, x.Act, valid[0], valid[1])
			in := func(i, y, x int) float64 {
				if y < valid[0] && x < valid[1] {
					return float64(v[i])
				}
				return 0
			}
			checkSums(t, "x", s, sum, func(i, y, x int) (float64, float64) { return in(i, y, x), 1 })
			checkSums(t, "x²", s, sq, func(i, y, x int) (float64, float64) { return in(i, y, x), in(i, y, x) })
		}
		x.verify(t)
	})
}

func TestChannelSum(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		x := randGuarded[float32](newRand(1), s)
		want := make([]value, s.C)
		for i, v := range unpack(x.Act) {
			want[i/s.W/s.H%s.C].add(float64(v), 1)
		}
		db := make([]float32, s.C)
		ChannelSum(p, db, x.Act)
		compare(t, "channel sum", db, want)
	})
}

func TestScaleShift(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		scale, shift := lanesRand(s, 1), lanesRand(s, 2)
		for _, relu := range []bool{false, true} {
			for _, inPlace := range []bool{false, true} {
				x := randGuarded[float32](newRand(3), s)
				v := unpack(x.Act)
				v[len(v)/2] = float32(math.NaN())
				Pack(p, x.Act, v)
				y := x
				if !inPlace {
					y = newGuarded[float32](s, 7)
				}
				ScaleShift(p, y.Act, x.Act, scale, shift, relu)
				y.verify(t)
				got := unpack(y.Act)
				if i := len(v) / 2; got[i] == got[i] {
					t.Errorf("NaN became %v", got[i])
				}
				v[len(v)/2], got[len(v)/2] = 0, 0
				want := make([]value, len(v))
				for i := range v {
					if i == len(v)/2 {
						continue
					}
					k := i/s.W/s.H/s.C*s.Blocks()*Lanes + i/s.W/s.H%s.C
					want[i].add(float64(scale[k]), float64(v[i]))
					want[i].add(float64(shift[k]), 1)
					if relu {
						want[i].v = max(0, want[i].v)
					}
				}
				compare(t, "scale and shift", got, want)
			}
		}
	})
}

func TestNormGradients(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		r := newRand(4)
		x, dy := randGuarded[float32](r, s), randGuarded[float32](r, s)
		a, b, c, scale, shift := lanesRand(s, 5), lanesRand(s, 6), lanesRand(s, 7), lanesRand(s, 8), lanesRand(s, 9)
		shift[0] = 0
		xv := unpack(x.Act)
		xv[0] = 0 // with shift 0 not positive
		Pack(p, x.Act, xv)
		y := newGuarded[float32](s, 2)
		ScaleShift(p, y.Act, x.Act, scale, shift, true)
		yv, dv := unpack(y.Act), unpack(dy.Act)
		n := len(a)
		for _, relu := range []bool{false, true} {
			scale, shift := scale, shift
			if !relu {
				scale, shift = nil, nil
			}
			masked := func(i int) float64 {
				if relu && !(yv[i] > 0) {
					return 0
				}
				return float64(dv[i])
			}
			sum, sumx := randSlice[float64](r, n), randSlice[float64](r, n)
			NormGradSums(p, sum, sumx, x.Act, dy.Act, scale, shift, relu)
			checkSums(t, "dy", s, sum, func(i, _, _ int) (float64, float64) { return masked(i), 1 })
			checkSums(t, "dy·x", s, sumx, func(i, _, _ int) (float64, float64) { return masked(i), float64(xv[i]) })

			want := make([]value, len(xv))
			for i := range want {
				k := i/s.W/s.H/s.C*s.Blocks()*Lanes + i/s.W/s.H%s.C
				want[i].add(float64(a[k]), masked(i))
				want[i].add(float64(b[k]), float64(xv[i]))
				want[i].add(float64(c[k]), 1)
			}
			dx := newGuarded[float32](s, 1)
			NormGrad(p, dx.Act, x.Act, dy.Act, a, b, c, scale, shift, relu)
			dx.verify(t)
			compare(t, "norm gradient", unpack(dx.Act), want)
			copyDy := newGuarded[float32](s, 1)
			copy(copyDy.Data, dy.Data)
			NormGrad(p, copyDy.Act, x.Act, copyDy.Act, a, b, c, scale, shift, relu)
			sameBits(t, "in place", copyDy.Data, dx.Data)
		}
		x.verify(t)
		dy.verify(t)
	})
}

func TestReLUGrad(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		r := newRand(4)
		y, dy := randGuarded[float32](r, s), randGuarded[float32](r, s)
		yv, dv := unpack(y.Act), unpack(dy.Act)
		yv[0], yv[len(yv)-1] = 0, float32(math.NaN()) // neither is positive
		Pack(p, y.Act, yv)
		dx, db, bias := newGuarded[float32](s, 1), make([]float32, s.C), make([]value, s.C)
		ReLUGrad(p, db, dx.Act, y.Act, dy.Act)
		dx.verify(t)
		for i, got := range unpack(dx.Act) {
			want := dv[i]
			if !(yv[i] > 0) {
				want = 0
			}
			if got != want {
				t.Fatalf("relu gradient: element %d is %v, want %v", i, got, want)
			}
			bias[i/s.W/s.H%s.C].add(float64(want), 1)
		}
		compare(t, "bias gradient", db, bias)
		ReLUGrad(p, nil, dy.Act, y.Act, dy.Act)
		sameBits(t, "in place", dy.Data, dx.Data)
		dy.verify(t)
	})
}

func TestPackUnpack(t *testing.T) {
	eachShape(t, func(t *testing.T, p *Pool, s Shape) {
		g := newGuarded[float32](s, 2)
		for nb := range s.N * s.Blocks() { // pad lanes of a reused buffer
			for y := range s.H {
				for i := range g.row(nb, y) {
					g.row(nb, y)[i] = 9
				}
			}
		}
		v := randSlice[float32](newRand(1), s.N*s.C*s.H*s.W)
		Pack(p, g.Act, v)
		g.verify(t)
		got := make([]float32, len(v))
		Unpack(p, got, g.Act)
		sameBits(t, "unpacked", got, v)
		if got, want := s.Dims(), []int{s.N, (s.C + 7) / 8, s.H + 2, s.W + 2, 8}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("dims %v, want %v", got, want)
		}
		g.Clear()
		for _, v := range g.Data {
			if v != 0 {
				t.Fatal("not cleared")
			}
		}
	})
}
