package kernel

import (
	"math"
	"slices"
	"testing"
)

// eachBFloat16 runs a test with the bfloat16 kernels of every set of this machine,
// the reference last.
func eachBFloat16(t *testing.T, f func(t *testing.T, set Set)) {
	for _, o := range sets() {
		t.Run(o.bf16.name, func(t *testing.T) { f(t, Set{o}) })
	}
}

func TestRoundBF16(t *testing.T) {
	for _, c := range []struct{ in, want uint32 }{
		{0x3f800000, 0x3f800000}, {0x3f807fff, 0x3f800000}, {0x3f808001, 0x3f810000}, // 1, and the neighbours of the midpoint
		{0x3f808000, 0x3f800000}, {0x3f818000, 0x3f820000}, {0xbf818000, 0xbf820000}, // the midpoint goes to the even neighbour
		{0, 0}, {0x80000000, 0x80000000},
		{0x00000001, 0}, {0x007fffff, 0}, {0x807fffff, 0x80000000}, {0x00800000, 0x00800000}, // below the normal range
		{0x7f7fffff, 0x7f800000}, {0xff7fffff, 0xff800000}, {0x7f7f7fff, 0x7f7f0000}, // beyond the largest finite number
		{0x7f800000, 0x7f800000}, {0xff800000, 0xff800000},
		{0x7f800001, 0x7fc00000}, {0x7fffffff, 0x7fff0000}, {0xffc12345, 0xffc10000}, // NaN
	} {
		x := []float32{math.Float32frombits(c.in)}
		roundBF16(x)
		if got := math.Float32bits(x[0]); got != c.want {
			t.Errorf("%08x becomes %08x, want %08x", c.in, got, c.want)
		}
	}
	x := []float64{1.0 / 3}
	if roundBF16(x); x[0] != 0.333984375 {
		t.Errorf("1/3 becomes %v", x[0])
	}
}

// bf16Error is the largest error of an element of a layer in bfloat16, in units of
// the layer's σ. Both factors are rounded with a relative error of up to 2⁻⁹, and the
// transforms, which subtract large numbers, amplify that: to a root mean square of
// 0.012, whatever the number of channels, and at most 0.12.
const bf16Error = 0.15

// bf16Apart is the largest difference between two kernel sets. They add in a
// different order, and if the transforms' own rounding hits the midpoint between two
// bfloat16 numbers, one set rounds up and the other down. The largest observed
// difference is 0.004.
const bf16Apart = 0.03

func TestBFloat16(t *testing.T) {
	eachBFloat16(t, func(t *testing.T, set Set) {
		worst := 0.0
		for i, l := range winogradLayers() {
			d := deviation(t, set, l, i, true)
			if !(d <= bf16Error) {
				t.Errorf("%v: off by %.2g σ, want %.2g", l, d, bf16Error)
			}
			worst = max(worst, d)
		}
		if worst < 10*relativeError {
			t.Errorf("at most %.2g σ: nothing is rounded", worst)
		}
		t.Logf("at most %.2g σ", worst)
	})
}

// compareBFloat16 compares the kernels of every set with the reference, in memory
// with guard values.
func compareBFloat16(t *testing.T, l layer, seed uint64) {
	t.Helper()
	worst, _ := bf16Difference(t, l, seed, sets())
	if !(worst <= bf16Apart) {
		t.Errorf("%v, seed %d: sets differ by %.2g σ, want at most %.2g", l, seed, worst, bf16Apart)
	}
}

// bf16Difference returns the largest difference between the sets and the last of
// them, in units of the layer's σ, and the root mean square of the differences.
func bf16Difference(t *testing.T, l layer, seed uint64, list []*ops[float32]) (worst, rms float64) {
	t.Helper()
	r := newRand(seed)
	x, w := split(l, randSlice[float32](r, l.n*l.in()*l.h*l.w)), randSlice[float32](r, l.weights())
	f := NewFilter[float32](l.g, l.out, l.sources...)
	f.algorithm, f.bf16 = winograd, true
	f.Pack(w)
	var want []float32
	sigma, squares := 0.0, 0.0
	for _, o := range slices.Backward(list) {
		out := newGuarded[float32](l.outShape(), 3)
		f.run(o, nil, out.Act, acts(x), nil, Tail[float32]{})
		out.verify(t)
		got := unpack(out.Act)
		if want == nil {
			want = got
			for _, v := range want {
				sigma += float64(v) * float64(v) / float64(len(want))
			}
		}
		for i, v := range got {
			d := math.Abs(float64(v) - float64(want[i]))
			squares += d * d / float64(len(want)*len(list))
			if !(d <= worst) {
				worst = d
			}
		}
	}
	return worst / math.Sqrt(sigma), math.Sqrt(squares / sigma)
}

func TestBFloat16Sets(t *testing.T) {
	all, typical := 0.0, 0.0
	for i, l := range winogradLayers() {
		worst, rms := bf16Difference(t, l, uint64(i), sets())
		if !(worst <= bf16Apart) {
			t.Errorf("%v: sets differ by %.2g σ, want at most %.2g", l, worst, bf16Apart)
		}
		all, typical = max(all, worst), max(typical, rms)
	}
	t.Logf("sets differ by %.2g σ, root mean square at most %.2g", all, typical)
}

func TestBFloat16NotFinite(t *testing.T) {
	eachBFloat16(t, func(t *testing.T, set Set) { testNotFinite(t, set, true) })
}

// TestBFloat16Denormal: numbers below the normal range count as zero.
func TestBFloat16Denormal(t *testing.T) {
	l := layer{Conv3x3, 1, 13, 13, 16, []int{16}}
	eachBFloat16(t, func(t *testing.T, set Set) {
		r := newRand(6)
		x := randSlice[float32](r, 16*13*13)
		for i := range x {
			x[i] *= 0x1p-135
		}
		f := NewFilter[float32](l.g, l.out, l.sources...)
		f.algorithm, f.bf16 = winograd, true
		f.Pack(randSlice[float32](r, l.weights()))
		out := NewAct[float32](l.outShape())
		f.Run(inCaller(set), out, acts(split(l, x)), nil, false)
		for i, v := range unpack(out) {
			if v != 0 {
				t.Fatalf("element %d is %g, want 0", i, v)
			}
		}
	})
}

func TestBFloat16Allocates(t *testing.T) {
	eachBFloat16(t, func(t *testing.T, set Set) { testAllocates(t, set, true) })
}

// TestBFloat16Choice: all sets round the same layers.
func TestBFloat16Choice(t *testing.T) {
	for _, c := range []struct {
		l    layer
		want bool
	}{
		{layer{Conv3x3, 1, 256, 256, 32, []int{32}}, true},
		{layer{Conv3x3, 1, 256, 256, 16, []int{16, 16}}, true},
		{layer{Conv3x3, 1, 256, 256, 16, []int{16}}, true},
		{layer{Conv3x3, 1, 16, 16, 1024, []int{1024}}, true},
		{layer{Conv3x3, 1, 256, 256, 32, []int{1}}, false},
		{layer{Conv3x3, 1, 1, 1, 512, []int{512}}, false},
		{layer{Conv1x1, 1, 256, 256, 32, []int{32}}, false},
		{layer{Up2x2, 1, 128, 128, 32, []int{64}}, false},
	} {
		f := NewFilter[float32](c.l.g, c.l.out, c.l.sources...)
		f.SetBFloat16()
		for _, o := range sets() {
			r := convRun[float32]{f: f, ops: o, out: Act[float32]{Shape: c.l.outShape()}}
			if _, got := r.winograd(); got != c.want {
				t.Errorf("%v by %s: in bfloat16 %v, want %v", c.l, o.bf16.name, got, c.want)
			}
		}
	}
}

// TestBFloat16OfFloat64: the references in float64 and in float32 differ as little as
// the sets do.
func TestBFloat16OfFloat64(t *testing.T) {
	l := layer{Conv3x3, 1, 19, 22, 40, []int{24, 80}}
	x, w := randSlice[float32](newRand(3), l.n*l.in()*l.h*l.w), randSlice[float32](newRand(4), l.weights())
	want := bf16Layer(l, genericOps[float64](), x, w)
	got := bf16Layer(l, genericOps[float32](), x, w)
	sigma, worst := 0.0, 0.0
	for i, v := range want {
		sigma += v * v / float64(len(want))
		worst = max(worst, math.Abs(v-got[i]))
	}
	if d := worst / math.Sqrt(sigma); !(d <= bf16Apart) {
		t.Errorf("float32 is off by %.2g σ", d)
	}
}

// bf16Layer computes a layer in bfloat16 with o.
func bf16Layer[T Float](l layer, o *ops[T], x, w []float32) []float64 {
	as := func(v []float32) []T {
		to := make([]T, len(v))
		for i := range v {
			to[i] = T(v[i])
		}
		return to
	}
	f := NewFilter[T](l.g, l.out, l.sources...)
	f.algorithm, f.bf16 = winograd, true
	f.Pack(as(w))
	out := NewAct[T](l.outShape())
	f.run(o, nil, out, acts(split(l, as(x))), nil, Tail[T]{})
	var got []float64
	for _, v := range unpack(out) {
		got = append(got, float64(v))
	}
	return got
}
