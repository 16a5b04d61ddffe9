package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// The self-check of a kernel set. Before its first use, each kernel is compared with
// the reference on this machine, through each of its paths. A CPU, emulator or
// hypervisor that computes wrong results is detected before it can produce a wrong
// mask. All checks of a set take a few milliseconds, nearly all of it in the
// reference, which therefore runs once for the longest row and not for each length.

// checks holds a self-check for each kernel of a set. It returns an error if o
// differs from ref by more than rounding.
var checks = []struct {
	kernel string
	run    func(o, ref *ops[float32]) error
}{
	{"conv", checkConv},
	{"winograd", checkWinograd},
	{"winograd in bfloat16", checkBFloat16},
	{"weightGrad", checkWeightGrad},
	{"sums", checkSumRows},
	{"rows", checkRows},
}

// check runs all checks. A panic in a kernel is a failure.
func (o *ops[T]) check() error {
	set, ok := any(o).(*ops[float32])
	if !ok {
		return nil
	}
	ref := genericOps[float32]()
	for _, c := range checks {
		if err := checkOne(c.run, set, ref); err != nil {
			return fmt.Errorf("kernel: %s: %w", c.kernel, err)
		}
	}
	return nil
}

func checkOne(run func(o, ref *ops[float32]) error, o, ref *ops[float32]) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return run(o, ref)
}

// checkTolerance limits the difference between two sums of a few hundred products of
// numbers in [-1, 1], in float32 and any order: about 300·2⁻²⁴·100. A wrong kernel is
// off by about 1.
const checkTolerance = 1e-3

// differ returns an error if got differs from want beyond the tolerance. NaN
// equals NaN.
func differ(what string, got, want []float32) error {
	for i, w := range want {
		g := got[i]
		if d := math.Abs(float64(g) - float64(w)); !(d <= checkTolerance) && (g == g || w == w) {
			return fmt.Errorf("%s: element %d is %v, want %v", what, i, g, w)
		}
	}
	return nil
}

// checkValues returns n numbers in [-1, 1), the same in each run.
func checkValues(n int) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*r.Float32() - 1
	}
	return v
}

// checkPixels is the longest row in the convolution's check. Each kernel serves
// its own row length; this row needs two kernels.
const checkPixels = 29

// checkConv runs rows of all lengths. Pixels are independent, so the
// reference's longest row contains the others.
func checkConv(o, ref *ops[float32]) error {
	for _, g := range []convRow[float32]{
		{kh: 3, kw: 3, inStep: 1, outStep: 1, lanes: Lanes},
		{kh: 3, kw: 3, inStep: 1, outStep: 1, lanes: 1},
		{kh: 1, kw: 1, inStep: 1, outStep: 1, lanes: Lanes},
		{kh: 1, kw: 1, inStep: 1, outStep: 2, lanes: Lanes},
		{kh: 2, kw: 2, inStep: 2, outStep: 1, lanes: Lanes},
	} {
		for nv := 1; nv <= 2; nv++ {
			for _, bias := range [][]float32{nil, checkValues(2 * Lanes)} {
				g.nv, g.bias, g.relu = nv, bias, bias != nil
				if err := checkConvRows(o, ref, g); err != nil {
					return fmt.Errorf("%d×%d of step %d to %d blocks of %d: %w", g.kh, g.kw, g.inStep, nv, g.outStep, err)
				}
			}
		}
	}
	return nil
}

func checkConvRows(o, ref *ops[float32], c convRow[float32]) error {
	c.blocks = 2
	if c.lanes == 1 {
		c.blocks = 1
	}
	c.inRow = (checkPixels*c.inStep + c.kw) * Lanes
	c.inBlk = c.kh * c.inRow
	c.outRow = (checkPixels + 1) * c.outStep * Lanes
	rows := 1
	if c.outStep == 2 {
		rows = 2
	}
	c.outBlk = rows * c.outRow
	c.in = checkValues(c.blocks * c.inBlk)
	if c.lanes == 1 {
		for i := range c.in {
			if i%Lanes != 0 {
				c.in[i] = 0
			}
		}
	}
	taps := c.blocks * c.kh * c.kw * Lanes * c.nv * Lanes
	if c.outStep == 2 {
		c.wTap = taps
		taps *= 4
	}
	c.w = checkValues(taps)
	before := checkValues(c.nv * c.outBlk)
	after := slices.Clone(before)
	c.out, c.pixels = after, checkPixels
	ref.conv(&c)
	got, want := slices.Clone(before), slices.Clone(before)
	for n := 1; n <= checkPixels; n++ {
		copy(got, before)
		for v := range c.nv { // memory after the row must not be touched
			for y := range rows {
				at := v*c.outBlk + y*c.outRow
				copy(want[at:], after[at:at+n*c.outStep*Lanes])
			}
		}
		c.out, c.pixels = got, n
		o.conv(&c)
		if err := differ(fmt.Sprintf("row of %d pixels", n), got, want); err != nil {
			return err
		}
	}
	return nil
}

// checkWinograd runs small layers, one for each product kernel, with inputs that
// fill part of a vector, and outputs that leave half of the last one empty.
func checkWinograd(o, ref *ops[float32]) error {
	if o.winograd == nil {
		return nil
	}
	return checkProducts(o, ref, o.winograd, false)
}

// checkBFloat16 is checkWinograd in bfloat16.
func checkBFloat16(o, ref *ops[float32]) error { return checkProducts(o, ref, o.bf16, true) }

// checkProducts uses images of one tile each, so that the reference's largest
// run contains the others.
func checkProducts(o, ref *ops[float32], k *winogradOps[float32], bf16 bool) error {
	const in, side = 3, tilePixels - 1
	for panel, kernels := range k.product {
		if panel == 0 {
			continue
		}
		out := panel*k.lanes - Lanes/2
		f := NewFilter[float32](Conv3x3, out, in)
		f.algorithm, f.bf16 = winograd, bf16
		f.Pack(checkValues(9 * in * out))
		bias, tail := checkValues(out), Tail[float32]{ReLU: true}
		s := Shape{N: len(kernels), C: in, H: side, W: side}
		x, want := NewAct[float32](s), NewAct[float32](s.with(out))
		Pack(nil, x, checkValues(s.N*s.C*s.H*s.W))
		f.run(ref, nil, want, []Act[float32]{x}, bias, tail)
		for s.N = 1; s.N <= len(kernels); s.N++ {
			got := NewAct[float32](s.with(out))
			f.run(o, nil, got, []Act[float32]{{Shape: s, Data: x.Data[:s.Len()]}}, bias, tail)
			if err := differ("output", got.Data, want.Data[:len(got.Data)]); err != nil {
				return fmt.Errorf("%d vectors, %d tiles: %w", panel, s.N, err)
			}
		}
	}
	return nil
}

func checkWeightGrad(o, ref *ops[float32]) error {
	const rows, longest = 2, 9
	for _, g := range []gradRun[float32]{{k: 1, step: 1}, {k: 2, step: 2}, {k: 3, step: 1}} {
		g.rows = rows
		g.vRow, g.bRow = (longest+2)*Lanes, (longest*g.step+2)*Lanes
		g.vBlk = rows * g.vRow
		g.v, g.b = checkValues(2*g.vBlk), checkValues((rows*g.step+2)*g.bRow)
		for g.nv = 1; g.nv <= 2; g.nv++ {
			for _, g.lanes = range []int{1, 3, Lanes} {
				for _, g.pixels = range []int{1, 2, longest} {
					wide := g.nv * Lanes
					start := checkValues(g.k * g.k * Lanes * wide)
					got, want := slices.Clone(start), slices.Clone(start)
					g.dw = want
					ref.weightGrad(&g)
					g.dw = got
					o.weightGrad(&g)
					for tap := range g.k * g.k { // lanes without channels may hold anything
						at := tap * Lanes * wide
						what := fmt.Sprintf("%d×%d, %d blocks, %d lanes, %d pixels", g.k, g.k, g.nv, g.lanes, g.pixels)
						if err := differ(what, got[at:at+g.lanes*wide], want[at:at+g.lanes*wide]); err != nil {
							return err
						}
					}
				}
			}
		}
	}
	return nil
}

// checkSumRows checks the kernels that add to sums.
func checkSumRows(o, ref *ops[float32]) error {
	for n := 1; n <= 9; n++ {
		if err := compareSumRows(o, ref, n, checkValues(3*n*Lanes)); err != nil {
			return err
		}
	}
	return nil
}

// compareSumRows runs the kernels that add to sums on n pixels, of 3·n·Lanes
// values v.
func compareSumRows(o, ref *ops[float32], n int, v []float32) error {
	a, b := lanesOf(checkValues(Lanes), 0), lanesOf(checkValues(Lanes+1), 0)
	x, y, dy := v[:n*Lanes], v[n*Lanes:2*n*Lanes], v[2*n*Lanes:]
	for i, f := range []func(k *ops[float32], s, q *[Lanes]float64){
		func(k *ops[float32], s, q *[Lanes]float64) { k.moments(s, q, x) },
		func(k *ops[float32], s, q *[Lanes]float64) { k.normGradSums(s, q, x, dy, nil, nil, false) },
		func(k *ops[float32], s, q *[Lanes]float64) { k.normGradSums(s, q, x, dy, a, b, true) },
		func(k *ops[float32], s, _ *[Lanes]float64) { k.reluGrad(s, make([]float32, n*Lanes), y, dy) },
	} {
		got, want := [2][Lanes]float64{{1}, {2}}, [2][Lanes]float64{{1}, {2}}
		f(o, &got[0], &got[1])
		f(ref, &want[0], &want[1])
		for j := range got {
			for l, g := range got[j] {
				w := want[j][l]
				if d := math.Abs(g - w); !(d <= checkTolerance) && (g == g || w == w) {
					return fmt.Errorf("%d of %d pixels: sum %d of lane %d is %v, want %v", i, n, j, l, g, want[j][l])
				}
			}
		}
	}
	return nil
}

// checkRows checks the kernels that write rows of pixels.
func checkRows(o, ref *ops[float32]) error {
	for n := 1; n <= 9; n++ {
		if err := compareRows(o, ref, n, checkValues(11*n*Lanes)); err != nil {
			return err
		}
	}
	return nil
}

// compareRows runs the kernels that write rows on n pixels, of 11·n·Lanes values v.
func compareRows(o, ref *ops[float32], n int, v []float32) error {
	a, b, c := lanesOf(checkValues(Lanes), 0), lanesOf(checkValues(Lanes+1), 0), lanesOf(checkValues(Lanes+2), 0)
	cut := func(pixels int) []float32 { s := v[:pixels*Lanes]; v = v[pixels*Lanes:]; return s }
	x, y, dy, x0, x1, add0, add1 := cut(n), cut(n), cut(n), cut(2*n), cut(2*n), cut(2*n), cut(2*n)
	y[0] = 0
	pooled := make([]float32, n*Lanes)
	ref.maxPool(pooled, x0, x1)
	for i, f := range []func(k *ops[float32], out, out2 []float32){
		func(k *ops[float32], out, _ []float32) { k.scaleShift(out[:n*Lanes], x, a, b, false) },
		func(k *ops[float32], out, _ []float32) { k.scaleShift(out[:n*Lanes], x, a, b, true) },
		func(k *ops[float32], out, _ []float32) { k.normGrad(out[:n*Lanes], x, dy, a, b, c, nil, nil, false) },
		func(k *ops[float32], out, _ []float32) { k.normGrad(out[:n*Lanes], x, dy, a, b, c, b, a, true) },
		func(k *ops[float32], out, _ []float32) { k.reluGrad(new([Lanes]float64), out[:n*Lanes], y, dy) },
		func(k *ops[float32], out, _ []float32) { k.maxPool(out[:n*Lanes], x0, x1) },
		func(k *ops[float32], out, _ []float32) { k.add(out[:n*Lanes], x, y, false) },
		func(k *ops[float32], out, _ []float32) { k.add(out[:n*Lanes], x, y, true) },
		func(k *ops[float32], out, _ []float32) { k.bilinear(out[:2*n*Lanes], x, y) },
		func(k *ops[float32], out, _ []float32) { k.bilinearGrad(out[:n*Lanes], x0, x1, add0, add1) },
		func(k *ops[float32], out, out2 []float32) {
			k.maxPoolGrad(out[:2*n*Lanes], out2[:2*n*Lanes], x0, x1, pooled, dy, nil, nil)
		},
		func(k *ops[float32], out, out2 []float32) {
			k.maxPoolGrad(out[:2*n*Lanes], out2[:2*n*Lanes], x0, x1, pooled, dy, add0, add1)
		},
	} {
		got, want := checkValues((4*n+2)*Lanes), checkValues((4*n+2)*Lanes)
		half := len(got) / 2
		f(o, got[:half], got[half:])
		f(ref, want[:half], want[half:])
		if err := differ(fmt.Sprintf("%d of %d pixels", i, n), got, want); err != nil {
			return err
		}
	}
	return nil
}
