package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// benchLayers lists layers of the U-Net: the anchor's 64→64, and those of a training
// step at base width 16.
var benchLayers = []layer{
	{Conv3x3, 1, 256, 256, 64, []int{64}},
	{Conv3x3, 1, 256, 256, 16, []int{1}},
	{Conv3x3, 1, 256, 256, 16, []int{16}},
	{Conv3x3, 1, 256, 256, 16, []int{16, 16}},
	{Conv3x3, 1, 32, 32, 128, []int{128}},
	{Conv3x3, 1, 16, 16, 256, []int{256}},
	{Conv3x3, 1, 256, 256, 8, []int{8}},
	{Conv1x1, 1, 256, 256, 2, []int{16}},
	{Up2x2, 1, 128, 128, 16, []int{32}},
	{Up2x2, 1, 16, 16, 128, []int{256}},
	{Down2x2, 1, 256, 256, 32, []int{16}},
}

// flops counts two for each product of existing channels; products with the
// halo count.
func (l layer) flops() float64 {
	s := l.outShape()
	if l.g == Up2x2 {
		s = l.inShape()
	}
	return 2 * float64(l.weights()) * float64(l.n*s.H*s.W)
}

// reportRate reports the fastest iteration: other programs share the machine.
func reportRate(b *testing.B, unit string, work float64, f func()) {
	best := time.Duration(1 << 62)
	f()
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	b.ReportMetric(work/float64(best), unit)
	b.ReportMetric(float64(best)/1e3, "best-µs")
}

func randAct(r *rand.Rand, s Shape) Act[float32] {
	a := NewAct[float32](s)
	Pack(nil, a, randSlice[float32](r, s.N*s.C*s.H*s.W))
	return a
}

func benchInput(r *rand.Rand, l layer) (in []Act[float32]) {
	for i := range l.sources {
		in = append(in, randAct(r, l.source(i)))
	}
	return in
}

func benchThreads(b *testing.B, l layer, f func(b *testing.B, p *Pool)) {
	for threads := 1; threads <= 2; threads++ {
		b.Run(fmt.Sprintf("%v/threads=%d", l, threads), func(b *testing.B) {
			p := NewPool(threads, Set{})
			defer p.Close()
			f(b, p)
		})
	}
}

func BenchmarkConvolution(b *testing.B) {
	for _, l := range benchLayers {
		benchThreads(b, l, func(b *testing.B, p *Pool) {
			r := newRand(1)
			f := NewFilter[float32](l.g, l.out, l.sources...)
			f.Pack(randSlice[float32](r, l.weights()))
			in := benchInput(r, l)
			out, bias := NewAct[float32](l.outShape()), make([]float32, l.out)
			reportRate(b, "GFLOP/s", l.flops(), func() { f.Run(p, out, in, bias, true) })
		})
	}
}

func BenchmarkWeightGrad(b *testing.B) {
	for _, l := range benchLayers {
		l.n = 4
		benchThreads(b, l, func(b *testing.B, p *Pool) {
			r := newRand(1)
			g := NewWeightGrad[float32](l.g, l.out, l.sources...)
			in := benchInput(r, l)
			dy := randAct(r, l.outShape())
			dw := make([]float32, l.weights())
			reportRate(b, "GFLOP/s", l.flops(), func() { g.Run(p, dw, in, dy) })
		})
	}
}

// BenchmarkElementwise reports the memory read and written, without halo.
func BenchmarkElementwise(b *testing.B) {
	s := Shape{4, 16, 256, 256}
	r := newRand(1)
	x, y, dy, dx := randAct(r, s), randAct(r, s), randAct(r, s), NewAct[float32](s)
	half := Shape{4, 16, 128, 128}
	small, dsmall := NewAct[float32](half), randAct(r, half)
	v := lanesRand(s, 2)
	s1, s2 := make([]float64, len(v)), make([]float64, len(v))
	db := make([]float32, s.C)
	size := float64(4 * s.N * s.C * s.H * s.W)
	for _, c := range []struct {
		name  string
		bytes float64
		f     func(p *Pool)
	}{
		{"Moments", size, func(p *Pool) { Moments(p, s1, s2, x, s.H, s.W) }},
		{"ChannelSum", size, func(p *Pool) { ChannelSum(p, db, x) }},
		{"ScaleShift", 2 * size, func(p *Pool) { ScaleShift(p, dx, x, v, v, true) }},
		{"NormGradSums", 2 * size, func(p *Pool) { NormGradSums(p, s1, s2, x, dy, v, v, true) }},
		{"NormGrad", 3 * size, func(p *Pool) { NormGrad(p, dx, x, dy, v, v, v, v, v, true) }},
		{"ReLUGrad", 3 * size, func(p *Pool) { ReLUGrad(p, db, dx, y, dy) }},
		{"MaxPool", 1.25 * size, func(p *Pool) { MaxPool2x2(p, small, x) }},
		{"MaxPoolGrad", 3.5 * size, func(p *Pool) { MaxPool2x2Grad(p, dx, x, small, dsmall, dy) }},
	} {
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%s/threads=%d", c.name, threads), func(b *testing.B) {
				p := NewPool(threads, Set{})
				defer p.Close()
				reportRate(b, "GB/s", c.bytes, func() { c.f(p) })
			})
		}
	}
}

// anchorLayers returns the 3×3 convolutions of the anchor network of the given width
// at 256², without the first and without duplicates.
func anchorLayers(width int) (list []layer) {
	for l := range 5 {
		s, c := 256>>l, width<<l
		if l > 0 {
			list = append(list, layer{Conv3x3, 1, s, s, c, []int{c / 2}})
		}
		list = append(list, layer{Conv3x3, 1, s, s, c, []int{c}})
		if l < 4 {
			list = append(list, layer{Conv3x3, 1, s, s, c, []int{c, c}})
		}
	}
	return list
}

// BenchmarkAnchor reports the rate in terms of the work of direct convolution,
// whichever algorithm runs.
func BenchmarkAnchor(b *testing.B) {
	for _, width := range []int{16, 32, 64} {
		for _, l := range anchorLayers(width) {
			for _, bf16 := range []bool{false, true} {
				b.Run(fmt.Sprintf("width=%d/bf16=%t", width, bf16), func(b *testing.B) {
					benchThreads(b, l, func(b *testing.B, p *Pool) {
						r := newRand(1)
						f := NewFilter[float32](l.g, l.out, l.sources...)
						f.bf16 = bf16
						f.Pack(randSlice[float32](r, l.weights()))
						in := benchInput(r, l)
						out, bias := NewAct[float32](l.outShape()), make([]float32, l.out)
						reportRate(b, "GFLOP/s", l.flops(), func() { f.Run(p, out, in, bias, true) })
					})
				})
			}
		}
	}
}
