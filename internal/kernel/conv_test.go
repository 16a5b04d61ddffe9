package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestConvolution(t *testing.T) {
	eachSet(t, func(t *testing.T, set Set) {
		for i, l := range layers() {
			testConvolution[float32](t, set, l, i)
		}
	})
	t.Run("float64", func(t *testing.T) {
		for i, l := range layers() {
			testConvolution[float64](t, Set{}, l, i)
		}
	})
}

// testConvolution compares direct convolution with a plain loop, with and
// without bias and ReLU, on 1, 2 and 3 threads.
func testConvolution[T Float](t *testing.T, set Set, l layer, variant int) {
	t.Helper()
	r := newRand(uint64(variant))
	x := randSlice[T](r, l.n*l.in()*l.h*l.w)
	w := randSlice[T](r, l.weights())
	bias := randSlice[T](r, l.out)
	relu := variant%2 == 0
	if variant%3 == 0 {
		bias = nil
	}
	os := l.outShape()
	want := make([]value, l.n*l.out*os.H*os.W)
	for i := range want {
		if bias != nil {
			want[i].add(float64(bias[i/(os.H*os.W)%l.out]), 1)
		}
	}
	l.each(func(o, k, i int) { want[o].add(float64(x[i]), float64(w[k])) })
	if relu {
		for i := range want {
			want[i].v = max(0, want[i].v)
		}
	}
	f := NewFilter[T](l.g, l.out, l.sources...)
	f.SetExact()
	f.Pack(w)
	in := split(l, x)
	var first []T
	for threads := 1; threads <= 3; threads++ {
		pool := NewPool(threads, set)
		out := newGuarded[T](os, 5)
		f.Run(pool, out.Act, acts(in), bias, relu)
		pool.Close()
		out.verify(t)
		got := unpack(out.Act)
		compare(t, fmt.Sprintf("%v bias %v relu %v", l, bias != nil, relu), got, want)
		if first == nil {
			first = got
		}
		sameBits(t, fmt.Sprintf("%v, 1 and %d threads", l, threads), first, got)
	}
	for _, g := range in {
		g.verify(t)
	}
}

// TestAdjoint checks <conv x, y> = <x, adjoint y> for every geometry, over all
// sources. Both sides are sums of the same products in float64, so they differ only
// by rounding: n·ε of their magnitude.
func TestAdjoint(t *testing.T) {
	for i, l := range layers() {
		r := newRand(uint64(i))
		x := randSlice[float64](r, l.n*l.in()*l.h*l.w)
		w := randSlice[float64](r, l.weights())
		os := l.outShape()
		y := newGuarded[float64](os, 0)
		Pack(nil, y.Act, randSlice[float64](r, l.n*l.out*os.H*os.W))

		f := NewFilter[float64](l.g, l.out, l.sources...)
		f.Pack(w)
		in := split(l, x)
		cx := NewAct[float64](os)
		f.Run(nil, cx, acts(in), nil, false)
		left, mag := 0.0, 0.0
		for i, v := range cx.Data {
			left += v * y.Data[i]
			mag += math.Abs(v * y.Data[i])
		}
		right := 0.0
		for s := range l.sources {
			a := NewAdjoint[float64](l.g, l.out, l.sources, s)
			a.PackAdjoint(w)
			dx := newGuarded[float64](l.source(s), 1)
			a.Run(nil, dx.Act, []Act[float64]{y.Act}, nil, false)
			dx.verify(t)
			for i, v := range dx.Data {
				right += v * in[s].Data[i]
				mag += math.Abs(v * in[s].Data[i])
			}
		}
		if n := float64(len(cx.Data)); math.Abs(left-right) > n*epsilon[float64]()*mag {
			t.Errorf("%v: <conv x, y> = %v, <x, adjoint y> = %v", l, left, right)
		}
	}
}

// TestDataGradient compares every element of the adjoint with a plain loop.
func TestDataGradient(t *testing.T) {
	eachSet(t, func(t *testing.T, set Set) {
		for i, l := range layers() {
			testDataGradient[float32](t, set, l, i)
		}
	})
}

func testDataGradient[T Float](t *testing.T, set Set, l layer, seed int) {
	t.Helper()
	r := newRand(uint64(seed))
	w := randSlice[T](r, l.weights())
	os := l.outShape()
	dy := randSlice[T](r, l.n*l.out*os.H*os.W)
	want := make([]value, l.n*l.in()*l.h*l.w)
	l.each(func(o, k, i int) { want[i].add(float64(dy[o]), float64(w[k])) })
	y := newGuarded[T](os, 0)
	Pack(nil, y.Act, dy)
	first := 0
	for s, c := range l.sources {
		a := NewAdjoint[T](l.g, l.out, l.sources, s)
		a.SetExact()
		a.PackAdjoint(w)
		dx := newGuarded[T](l.source(s), 1)
		a.Run(inCaller(set), dx.Act, []Act[T]{y.Act}, nil, false)
		dx.verify(t)
		var part []value
		for n := range l.n {
			hw := l.h * l.w
			part = append(part, want[(n*l.in()+first)*hw:][:c*hw]...)
		}
		compare(t, fmt.Sprintf("%v source %d", l, s), unpack(dx.Act), part)
		first += c
	}
}

// TestWeightGrad compares with a plain loop: the gradient is bilinear in the input
// and the output gradient, so the loop is exact, unlike finite differences.
func TestWeightGrad(t *testing.T) {
	eachSet(t, func(t *testing.T, set Set) {
		for i, l := range layers() {
			testWeightGrad[float32](t, set, l, i)
		}
	})
	t.Run("float64", func(t *testing.T) {
		for i, l := range layers() {
			testWeightGrad[float64](t, Set{}, l, i)
		}
	})
}

func testWeightGrad[T Float](t *testing.T, set Set, l layer, seed int) {
	t.Helper()
	r := newRand(uint64(seed))
	x := randSlice[T](r, l.n*l.in()*l.h*l.w)
	os := l.outShape()
	dy := randSlice[T](r, l.n*l.out*os.H*os.W)
	want := make([]value, l.weights())
	l.each(func(o, k, i int) { want[k].add(float64(dy[o]), float64(x[i])) })
	in := split(l, x)
	y := newGuarded[T](os, 2)
	Pack(nil, y.Act, dy)
	g := NewWeightGrad[T](l.g, l.out, l.sources...)
	var first []T
	for threads := 1; threads <= 3; threads++ {
		pool := NewPool(threads, set)
		dw := make([]T, l.weights()+1)
		dw[len(dw)-1] = canary
		for i := range l.weights() {
			dw[i] = T(math.NaN()) // must be overwritten
		}
		g.Run(pool, dw[:l.weights()], acts(in), y.Act)
		pool.Close()
		if dw[l.weights()] != canary {
			t.Fatal(l, canaryText)
		}
		compare(t, l.String(), dw[:l.weights()], want)
		if first == nil {
			first = dw
		}
		sameBits(t, fmt.Sprintf("%v, 1 and %d threads", l, threads), first, dw)
	}
}

// TestWeightGradFiniteDifference perturbs single weights: the loss Σ y·dy is
// linear in them, so a central difference in float64 is off by rounding only.
func TestWeightGradFiniteDifference(t *testing.T) {
	for _, l := range []layer{
		{Conv3x3, 1, 4, 5, 9, []int{3, 8}}, {Conv1x1, 2, 3, 3, 3, []int{16}},
		{Up2x2, 1, 3, 4, 8, []int{16}}, {Down2x2, 1, 4, 6, 12, []int{9}},
	} {
		r := newRand(3)
		w := randSlice[float64](r, l.weights())
		in := acts(split(l, randSlice[float64](r, l.n*l.in()*l.h*l.w)))
		os := l.outShape()
		dy := NewAct[float64](os)
		Pack(nil, dy, randSlice[float64](r, l.n*l.out*os.H*os.W))
		dw := make([]float64, l.weights())
		NewWeightGrad[float64](l.g, l.out, l.sources...).Run(nil, dw, in, dy)
		f := NewFilter[float64](l.g, l.out, l.sources...)
		y := NewAct[float64](os)
		loss := func() (s float64) {
			f.Pack(w)
			f.Run(nil, y, in, nil, false)
			for i, v := range y.Data {
				s += v * dy.Data[i]
			}
			return s
		}
		for range 20 {
			k := r.IntN(len(w))
			was := w[k]
			w[k] = was + 0.5
			up := loss()
			w[k] = was - 0.5
			d := up - loss()
			w[k] = was
			if math.Abs(d-dw[k]) > 1e-10 { // sums of about 10³ terms near 1
				t.Errorf("%v: weight %d: gradient %v, finite difference %v", l, k, dw[k], d)
			}
		}
	}
}

func TestReLUKeepsNaN(t *testing.T) {
	eachSet(t, func(t *testing.T, set Set) {
		nan := float32(math.NaN())
		x := NewAct[float32](Shape{1, 16, 1, 7})
		x.Data[x.at(0, 0, 0, 3)] = nan
		f := NewFilter[float32](Conv1x1, 16, 16)
		w := make([]float32, 256)
		for i := range 16 {
			w[i*17] = 1
		}
		f.Pack(w)
		y := NewAct[float32](x.Shape)
		f.Run(inCaller(set), y, []Act[float32]{x}, nil, true)
		for px := range 7 {
			if v := y.Data[y.at(0, 0, 0, px)]; (v != v) != (px == 3) {
				t.Errorf("pixel %d of channel 0 is %v", px, v)
			}
		}
	})
}

func TestProgrammersMistakesPanic(t *testing.T) {
	act := func(c, h, w int) Act[float32] { return NewAct[float32](Shape{1, c, h, w}) }
	f := NewFilter[float32](Conv3x3, 8, 8)
	down := NewFilter[float32](Down2x2, 8, 8)
	short := act(8, 4, 4)
	short.Data = short.Data[:len(short.Data)-1]
	for name, call := range map[string]func(){
		"no channels":        func() { NewFilter[float32](Conv3x3, 0, 8) },
		"no source":          func() { NewFilter[float32](Conv3x3, 8) },
		"geometry":           func() { NewFilter[float32](9, 8, 8) },
		"empty shape":        func() { act(8, 0, 4) },
		"weights":            func() { f.Pack(make([]float32, 5)) },
		"adjoint of forward": func() { f.PackAdjoint(make([]float32, 576)) },
		"sources":            func() { f.Run(nil, act(8, 4, 4), nil, nil, false) },
		"input channels":     func() { f.Run(nil, act(8, 4, 4), []Act[float32]{act(9, 4, 4)}, nil, false) },
		"output size":        func() { f.Run(nil, act(8, 4, 5), []Act[float32]{act(8, 4, 4)}, nil, false) },
		"short output":       func() { f.Run(nil, short, []Act[float32]{act(8, 4, 4)}, nil, false) },
		"bias":               func() { f.Run(nil, act(8, 4, 4), []Act[float32]{act(8, 4, 4)}, make([]float32, 7), false) },
		"odd sides":          func() { down.Run(nil, act(8, 2, 2), []Act[float32]{act(8, 4, 5)}, nil, false) },
		"pool odd sides":     func() { MaxPool2x2(nil, act(8, 2, 2), act(8, 5, 4)) },
		"valid region":       func() { Moments(nil, make([]float64, 8), make([]float64, 8), act(8, 4, 4), 5, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}
