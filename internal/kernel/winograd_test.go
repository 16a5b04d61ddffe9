package kernel

import (
	"fmt"
	"math"
	"testing"
)

// eachWinograd runs a test with Winograd's kernels for every instruction set of this
// machine.
func eachWinograd(t *testing.T, f func(t *testing.T, set Set)) {
	sets := winogradSets()
	if len(sets) == 0 {
		t.Skip("this kernel set has direct convolution only")
	}
	for _, w := range sets {
		s := *fastest()
		s.winograd = w
		t.Run(w.name, func(t *testing.T) { f(t, Set{&s}) })
	}
}

// winogradLayers lists layers with tiles that extend beyond the image, and with one
// or several blocks of tiles, chunks of channels and groups of outputs.
func winogradLayers() []layer {
	list := []layer{
		{Conv3x3, 1, 16, 16, 24, []int{136}}, {Conv3x3, 1, 9, 7, 264, []int{72}},
		{Conv3x3, 2, 23, 30, 40, []int{40, 32}}, {Conv3x3, 3, 5, 6, 24, []int{8, 72}},
		{Conv3x3, 1, 66, 69, 8, []int{72}}, {Conv3x3, 1, 66, 69, 72, []int{8}},
	}
	for _, l := range layers() {
		if l.g == Conv3x3 {
			list = append(list, l)
		}
	}
	return list
}

// deviation computes a layer with Winograd's algorithm on 1, 2 and 3 threads and
// returns the largest difference from a sum in float64, in units of the layer's σ
// before bias and ReLU.
func deviation(t *testing.T, set Set, l layer, variant int, bf16 bool) float64 {
	t.Helper()
	r := newRand(uint64(variant))
	x := randSlice[float32](r, l.n*l.in()*l.h*l.w)
	w := randSlice[float32](r, l.weights())
	bias := randSlice[float32](r, l.out)
	relu := variant%2 == 0
	if variant%3 == 0 {
		bias = nil
	}
	os := l.outShape()
	want := make([]float64, l.n*l.out*os.H*os.W)
	l.each(func(o, k, i int) { want[o] += float64(x[i]) * float64(w[k]) })
	sigma := 0.0
	for i, v := range want {
		sigma += v * v
		if bias != nil {
			want[i] += float64(bias[i/(os.H*os.W)%l.out])
		}
		if relu {
			want[i] = max(0, want[i])
		}
	}
	f := NewFilter[float32](l.g, l.out, l.sources...)
	f.algorithm, f.bf16 = winograd, bf16
	f.Pack(w)
	in := split(l, x)
	var first []float32
	for threads := 1; threads <= 3; threads++ {
		pool := NewPool(threads, set)
		out := newGuarded[float32](os, 5)
		f.Run(pool, out.Act, acts(in), bias, relu)
		pool.Close()
		out.verify(t)
		got := unpack(out.Act)
		if first == nil {
			first = got
		}
		sameBits(t, fmt.Sprintf("%v, 1 and %d threads", l, threads), first, got)
	}
	for _, g := range in {
		g.verify(t)
	}
	worst := 0.0
	for i, v := range first {
		d := math.Abs(float64(v) - want[i])
		if !(d <= worst) { // NaN too
			worst = d
		}
	}
	return worst / math.Sqrt(sigma/float64(len(want)))
}

// TestWinogradSameBits: every instruction set adds the same terms in the same order.
func TestWinogradSameBits(t *testing.T) {
	var first []float32
	eachWinograd(t, func(t *testing.T, set Set) {
		l := layer{Conv3x3, 1, 19, 22, 40, []int{24, 80}}
		r := newRand(9)
		f := NewFilter[float32](l.g, l.out, l.sources...)
		f.algorithm = winograd
		f.Pack(randSlice[float32](r, l.weights()))
		out := NewAct[float32](l.outShape())
		f.Run(inCaller(set), out, benchInput(r, l), nil, true)
		if first == nil {
			first = out.Data
		}
		sameBits(t, "instruction sets", first, out.Data)
	})
}

// relativeError is the largest error of a layer, in units of its σ.
const relativeError = 1e-4

func TestWinograd(t *testing.T) {
	eachWinograd(t, func(t *testing.T, set Set) {
		worst := 0.0
		for i, l := range winogradLayers() {
			d := deviation(t, set, l, i, false)
			if !(d <= relativeError) {
				t.Errorf("%v: off by %.2g σ, want %.0g", l, d, relativeError)
			}
			worst = max(worst, d)
		}
		t.Logf("at most %.2g σ", worst)
	})
}

// TestWinogradDataGradient compares the adjoint of each source with direct
// convolution, which another test compares with a plain loop.
func TestWinogradDataGradient(t *testing.T) {
	l := layer{Conv3x3, 2, 13, 18, 40, []int{24, 16}}
	eachWinograd(t, func(t *testing.T, set Set) {
		r := newRand(4)
		w, dy := randSlice[float32](r, l.weights()), randAct(r, l.outShape())
		for s := range l.sources {
			run := func(a algorithm) []float32 {
				f := NewAdjoint[float32](l.g, l.out, l.sources, s)
				f.algorithm = a
				f.PackAdjoint(w)
				dx := newGuarded[float32](l.source(s), 1)
				f.Run(inCaller(set), dx.Act, []Act[float32]{dy}, nil, false)
				dx.verify(t)
				return unpack(dx.Act)
			}
			want, got := run(direct), run(winograd)
			sigma, worst := 0.0, 0.0
			for i, v := range want {
				sigma += float64(v) * float64(v)
				worst = max(worst, math.Abs(float64(v)-float64(got[i])))
			}
			if d := worst / math.Sqrt(sigma/float64(len(want))); !(d <= relativeError) {
				t.Errorf("source %d: off by %.2g σ", s, d)
			}
		}
	})
}

// TestWinogradManyChannels measures the error of the longest sums.
func TestWinogradManyChannels(t *testing.T) {
	eachWinograd(t, func(t *testing.T, set Set) {
		for _, c := range []int{64, 256, 1024} {
			l := layer{Conv3x3, 1, 12, 12, 16, []int{c}}
			d := deviation(t, set, l, 1, false)
			if !(d <= relativeError) {
				t.Errorf("%v: off by %.2g σ, want %.0g", l, d, relativeError)
			}
			t.Logf("%d channels: at most %.2g σ", c, d)
		}
	})
}

// TestWinogradNotFinite: wherever the reference is NaN or infinite, so is Winograd's
// result. Outside the tiles that see the bad pixel, both are unaffected.
func TestWinogradNotFinite(t *testing.T) {
	eachWinograd(t, func(t *testing.T, set Set) { testNotFinite(t, set, false) })
}

func testNotFinite(t *testing.T, set Set, bf16 bool) {
	const side, at = 24, 9
	l := layer{Conv3x3, 1, side, side, 16, []int{16}}
	run := func(a algorithm, bad float32) []float32 {
		r := newRand(5)
		f := NewFilter[float32](l.g, l.out, l.sources...)
		f.algorithm, f.bf16 = a, bf16
		f.Pack(randSlice[float32](r, l.weights()))
		in := randAct(r, l.inShape())
		in.Data[in.at(0, 0, at, at)+3] = bad
		out := NewAct[float32](l.outShape())
		f.Run(inCaller(set), out, []Act[float32]{in}, nil, true)
		return unpack(out)
	}
	clean := run(winograd, 0)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		want, got := run(direct, float32(bad)), run(winograd, float32(bad))
		for i, w := range want {
			finite := !math.IsNaN(float64(got[i])) && !math.IsInf(float64(got[i]), 0)
			if w != w && got[i] == got[i] {
				t.Fatalf("%v: element %d is %v, reference %v", bad, i, got[i], w)
			}
			if math.IsInf(float64(w), 0) && finite {
				t.Fatalf("%v: element %d is %v, reference %v", bad, i, got[i], w)
			}
			y, x := i/side%side, i%side
			if (max(y-at, at-y) > 4 || max(x-at, at-x) > 4) && got[i] != clean[i] {
				t.Fatalf("%v: element %d is %v, without it %v", bad, i, got[i], clean[i])
			}
		}
	}
}

// TestWinogradDenormal: numbers below the normal range are as exact as the range
// allows, 2⁻¹⁴⁹ for each of about a hundred roundings.
func TestWinogradDenormal(t *testing.T) {
	l := layer{Conv3x3, 1, 13, 13, 16, []int{16}}
	eachWinograd(t, func(t *testing.T, set Set) {
		r := newRand(6)
		x := randSlice[float32](r, 16*13*13)
		for i := range x {
			x[i] *= 0x1p-130
		}
		w := randSlice[float32](r, l.weights())
		want := make([]float64, 16*13*13)
		l.each(func(o, k, i int) { want[o] += float64(x[i]) * float64(w[k]) })
		f := NewFilter[float32](l.g, l.out, l.sources...)
		f.algorithm = winograd
		f.Pack(w)
		out := NewAct[float32](l.outShape())
		f.Run(inCaller(set), out, acts(split(l, x)), nil, false)
		for i, v := range unpack(out) {
			if d := math.Abs(float64(v) - want[i]); !(d <= 0x1p-149*1000) {
				t.Fatalf("element %d is %g, want %g", i, v, want[i])
			}
		}
	})
}

// TestWinogradConcurrent: concurrent Runs of one filter do not share scratch memory.
func TestWinogradConcurrent(t *testing.T) {
	l := layer{Conv3x3, 1, 40, 44, 96, []int{80}}
	eachWinograd(t, func(t *testing.T, set Set) {
		r := newRand(8)
		f := NewFilter[float32](l.g, l.out, l.sources...)
		f.algorithm = winograd
		f.Pack(randSlice[float32](r, l.weights()))
		in := []Act[float32]{randAct(r, l.inShape())}
		want := NewAct[float32](l.outShape())
		f.Run(inCaller(set), want, in, nil, false)
		pool := NewPool(3, set)
		defer pool.Close()
		done := make(chan []float32)
		for range 4 {
			go func() {
				out := NewAct[float32](l.outShape())
				f.Run(pool, out, in, nil, false)
				done <- out.Data
			}()
		}
		for range 4 {
			sameBits(t, "concurrent run", want.Data, <-done)
		}
	})
}

// TestWinogradAllocates: a Run leaves little garbage, whatever its scratch memory:
// only the descriptions of the run and of its tasks.
func TestWinogradAllocates(t *testing.T) {
	eachWinograd(t, func(t *testing.T, set Set) { testAllocates(t, set, false) })
}

func testAllocates(t *testing.T, set Set, bf16 bool) {
	f := NewFilter[float32](Conv3x3, 64, 64)
	f.algorithm, f.bf16 = winograd, bf16
	s := Shape{1, 64, 32, 32}
	in, out, bias := []Act[float32]{NewAct[float32](s)}, NewAct[float32](s), make([]float32, 64)
	pool := inCaller(set)
	n := testing.AllocsPerRun(20, func() { f.Run(pool, out, in, bias, true) })
	if n > 8 {
		t.Errorf("%v allocations per Run", n)
	}
}

// TestAlgorithm pins the choice for layers of known kinds.
func TestAlgorithm(t *testing.T) {
	pays := func(set Set, l layer) bool {
		f := NewFilter[float32](l.g, l.out, l.sources...)
		r := convRun[float32]{f: f, ops: set.ops, out: Act[float32]{Shape: l.outShape()}}
		_, pays := r.winograd()
		return pays
	}
	eachWinograd(t, func(t *testing.T, set Set) {
		for _, c := range []struct {
			l    layer
			want bool
		}{
			{layer{Conv3x3, 1, 256, 256, 32, []int{32}}, true},
			{layer{Conv3x3, 1, 256, 256, 16, []int{16, 16}}, true},
			{layer{Conv3x3, 1, 16, 16, 1024, []int{1024}}, true},
			{layer{Conv3x3, 1, 256, 256, 32, []int{1}}, false},
			{layer{Conv3x3, 1, 1, 1, 512, []int{512}}, false},
			{layer{Conv1x1, 1, 256, 256, 32, []int{32}}, false},
			{layer{Up2x2, 1, 128, 128, 32, []int{64}}, false},
		} {
			if got := pays(set, c.l); got != c.want {
				t.Errorf("%v: Winograd %v, want %v", c.l, got, c.want)
			}
		}
	})
	f := NewFilter[float32](Conv3x3, 32, 32)
	f.SetExact()
	r := convRun[float32]{f: f, ops: fastest(), out: Act[float32]{Shape: Shape{1, 32, 256, 256}}}
	if _, pays := r.winograd(); pays {
		t.Error("an exact filter uses Winograd's algorithm")
	}
}
