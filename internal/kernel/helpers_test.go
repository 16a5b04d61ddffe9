package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// eachSet runs a test with every float32 kernel set of this machine.
func eachSet(t *testing.T, f func(t *testing.T, set Set)) {
	for _, o := range sets() {
		t.Run(o.name, func(t *testing.T) { f(t, Set{o}) })
	}
}

// inCaller runs kernels in the caller's thread.
func inCaller(set Set) *Pool { return NewPool(1, set) }

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

func randSlice[T Float](r *rand.Rand, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(r.Float64()*2 - 1)
	}
	return s
}

// canary surrounds guarded activations. No kernel may use it in a result or overwrite
// it.
const (
	canary     = 12345
	canaryLen  = 64
	canaryText = "guard value overwritten"
)

// guarded returns an activation between guard values. shift moves it off the 64-byte
// boundary.
type guarded[T Float] struct {
	Act[T]
	all   []T
	start int
}

func newGuarded[T Float](s Shape, shift int) *guarded[T] {
	g := &guarded[T]{start: canaryLen + shift}
	g.all = Aligned[T](s.Len() + 2*canaryLen + shift)
	for i := range g.all {
		g.all[i] = canary
	}
	g.Act = Act[T]{Shape: s, Data: g.all[g.start : g.start+s.Len() : g.start+s.Len()]}
	clear(g.Data)
	return g
}

func randGuarded[T Float](r *rand.Rand, s Shape) *guarded[T] {
	g := newGuarded[T](s, 3)
	Pack(nil, g.Act, randSlice[T](r, s.N*s.C*s.H*s.W))
	return g
}

// verify checks the guard values, and that halo and pad lanes are zero.
func (g *guarded[T]) verify(t *testing.T) {
	t.Helper()
	for i, v := range g.all {
		if (i < g.start || i >= g.start+len(g.Data)) && v != canary {
			t.Fatalf("%s at element %d of %v", canaryText, i-g.start, g.Shape)
		}
	}
	for i, v := range g.Data {
		l := i % Lanes
		x := i/Lanes%(g.W+2) - 1
		y := i/Lanes/(g.W+2)%(g.H+2) - 1
		b := i / g.blockLen() % g.Blocks()
		inside := x >= 0 && x < g.W && y >= 0 && y < g.H && b*Lanes+l < g.C
		if !inside && v != 0 {
			t.Fatalf("shape %v: block %d pixel (%d, %d) lane %d is %v, want 0", g.Shape, b, y, x, l, v)
		}
	}
}

func unpack[T Float](a Act[T]) []T {
	dst := make([]T, a.N*a.C*a.H*a.W)
	Unpack(nil, dst, a)
	return dst
}

// epsilon is the unit roundoff of T.
func epsilon[T Float]() float64 {
	if unsafe.Sizeof(T(0)) == 4 {
		return 0x1p-24
	}
	return 0x1p-53
}

// value is the result of a plain loop, with the sum of the magnitudes of its terms. A
// sum of n terms, taken in any order with or without FMA, is off by at most about
// n·ε·magnitude (Higham 2002, Accuracy and Stability, §3.1); that bound is the
// tolerance of every comparison.
type value struct {
	v, mag float64
	n      int
}

func (v *value) add(a, b float64) {
	v.v += a * b
	v.mag += math.Abs(a * b)
	v.n++
}

func compare[T Float](t *testing.T, what string, got []T, want []value) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if d := math.Abs(float64(g) - w.v); !(d <= float64(w.n+2)*epsilon[T]()*w.mag) {
			t.Fatalf("%s: element %d is %v, want %v (difference %.3g, magnitude %.3g, %d terms)", what, i, g, w.v, d, w.mag, w.n)
		}
	}
}

func sameBits[T Float](t *testing.T, what string, a, b []T) {
	t.Helper()
	for i := range a {
		if math.Float64bits(float64(a[i])) != math.Float64bits(float64(b[i])) {
			t.Fatalf("%s: element %d is %v and %v", what, i, a[i], b[i])
		}
	}
}

// layer is one convolution with its data in plain NCHW order.
type layer struct {
	g       Geometry
	n, h, w int // of the inputs
	out     int
	sources []int
}

func (l layer) String() string {
	return fmt.Sprintf("%v_%v-%d_%dx%dx%d", l.g, l.sources, l.out, l.n, l.h, l.w)
}

func (l layer) in() int            { return totalChannels(l.sources) }
func (l layer) inShape() Shape     { return Shape{l.n, l.in(), l.h, l.w} }
func (l layer) outShape() Shape    { return l.g.output(l.inShape(), l.out) }
func (l layer) weights() int       { return l.out * l.in() * l.g.taps() }
func (l layer) source(i int) Shape { return l.inShape().with(l.sources[i]) }

// split copies NCHW data of all channels into guarded sources.
func split[T Float](l layer, x []T) []*guarded[T] {
	var list []*guarded[T]
	first := 0
	for i, c := range l.sources {
		g := newGuarded[T](l.source(i), 3)
		var part []T
		for n := range l.n {
			hw := l.h * l.w
			part = append(part, x[(n*l.in()+first)*hw:][:c*hw]...)
		}
		Pack(nil, g.Act, part)
		list, first = append(list, g), first+c
	}
	return list
}

func acts[T Float](g []*guarded[T]) []Act[T] {
	var a []Act[T]
	for _, x := range g {
		a = append(a, x.Act)
	}
	return a
}

// each calls f for every product of the convolution: output index o, weight
// index k in PyTorch's order, and input index i, all NCHW. The definition is
// that of PyTorch's Conv2d and ConvTranspose2d.
func (l layer) each(f func(o, k, i int)) {
	in, os := l.in(), l.outShape()
	kh := map[Geometry]int{Conv3x3: 3, Conv1x1: 1, Up2x2: 2, Down2x2: 2}[l.g]
	for n := range l.n {
		for oc := range l.out {
			for ic := range in {
				for ky := range kh {
					for kx := range kh {
						k := ((oc*in+ic)*kh+ky)*kh + kx
						if l.g == Up2x2 {
							k = ((ic*l.out+oc)*kh+ky)*kh + kx
						}
						for y := range os.H {
							for x := range os.W {
								iy, ix := y, x
								switch l.g {
								case Conv3x3:
									iy, ix = y+ky-1, x+kx-1
								case Down2x2:
									iy, ix = 2*y+ky, 2*x+kx
								case Up2x2:
									if y%2 != ky || x%2 != kx {
										continue
									}
									iy, ix = y/2, x/2
								}
								if iy < 0 || ix < 0 || iy >= l.h || ix >= l.w {
									continue
								}
								f(((n*l.out+oc)*os.H+y)*os.W+x, k, ((n*in+ic)*l.h+iy)*l.w+ix)
							}
						}
					}
				}
			}
		}
	}
}

// layers returns the matrix of shapes for the convolution tests.
func layers() []layer {
	var list []layer
	for _, g := range []Geometry{Conv3x3, Conv1x1, Up2x2, Down2x2} {
		sizes := [][2]int{{1, 1}, {1, 2}, {2, 5}, {3, 7}, {5, 13}, {2, 16}, {4, 31}, {1, 140}, {33, 3}}
		if g == Down2x2 {
			sizes = [][2]int{{2, 2}, {2, 4}, {4, 10}, {6, 14}, {4, 26}, {2, 32}, {8, 62}, {2, 280}, {66, 6}}
		}
		channels := []struct {
			out     int
			sources []int
		}{
			{1, []int{1}}, {8, []int{3}}, {16, []int{1}}, {12, []int{16}}, {16, []int{16, 8}},
			{24, []int{12, 3}}, {40, []int{24}}, {3, []int{40}}, {8, []int{8, 40}}, {32, []int{16, 16, 1}},
		}
		for i, s := range sizes {
			for j, c := range channels {
				if testing.Short() && (i+j)%3 != 0 {
					continue
				}
				list = append(list, layer{g, 1 + (i+j)%2, s[0], s[1], c.out, c.sources})
			}
		}
	}
	return append(list,
		// More input blocks than fit in one pass.
		layer{Conv3x3, 1, 2, 3, 9, []int{72}}, layer{Conv1x1, 1, 2, 3, 9, []int{264}},
		layer{Up2x2, 1, 2, 3, 9, []int{264}}, layer{Down2x2, 1, 2, 4, 9, []int{72}},
		// Several bands of rows, and several parts of a weight gradient.
		layer{Conv3x3, 2, 40, 67, 16, []int{8, 1}}, layer{Conv3x3, 2, 40, 67, 16, []int{1}},
		layer{Conv1x1, 2, 40, 67, 16, []int{9}}, layer{Up2x2, 2, 40, 35, 16, []int{16}},
		layer{Down2x2, 2, 80, 34, 16, []int{9}},
	)
}
