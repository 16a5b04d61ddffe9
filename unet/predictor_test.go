package unet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd"
)

// noise returns a tensor of normal numbers.
func noise(rng *rand.Rand, n, c, h, w int) *segd.Tensor {
	t := segd.NewTensor(n, c, h, w)
	for i := range t.Data {
		t.Data[i] = float32(rng.NormFloat64())
	}
	return t
}

// scramble gives scales, shifts and running statistics plausible values after
// training, so that folding them has an effect.
func scramble(p *Params, rng *rand.Rand) *Params {
	for _, s := range p.config.layout() {
		for i, w := 0, p.data(s.name); i < len(w); i++ {
			switch s.role {
			case roleOne:
				w[i] = float32(0.5 + rng.Float64())
			case roleZero:
				w[i] = float32(0.2 * rng.NormFloat64())
			}
		}
	}
	return p
}

// tape runs the evaluation graph of c for the image, padded explicitly, on Gorgonia's
// own machine.
func tape(t *testing.T, c Config, p *Params, x *segd.Tensor) *segd.Tensor {
	t.Helper()
	s := c.Stride()
	h, w := (x.H+s-1)/s*s, (x.W+s-1)/s*s
	padded := make([]float32, 0, x.N*x.C*h*w)
	for n := range x.N {
		for ch := range x.C {
			for y := range h {
				for i := range w {
					padded = append(padded, x.Plane(n, ch)[mirror(y, x.H)*x.W+mirror(i, x.W)])
				}
			}
		}
	}
	b, err := build(c, p, shape{x.N, h, w, x.H, x.W}, mode{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := G.Let(b.net.image, tensor.New(tensor.WithShape(x.N, x.C, h, w), tensor.WithBacking(padded))); err != nil {
		t.Fatal(err)
	}
	var v G.Value
	G.Read(b.net.logits, &v)
	vm := G.NewTapeMachine(b.net.graph)
	defer func() { _ = vm.Close() }()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	out := segd.NewTensor(x.N, c.Classes, x.H, x.W)
	z := v.Data().([]float32)
	for i := range out.N * out.C {
		for y := range x.H {
			copy(out.Data[(i*x.H+y)*x.W:][:x.W], z[(i*h+y)*w:])
		}
	}
	return out
}

// apart returns the largest difference relative to the spread of want.
func apart(got, want []float32) float64 {
	worst, spread := 0.0, 0.0
	for i := range want {
		worst = math.Max(worst, math.Abs(float64(got[i]-want[i])))
		spread += float64(want[i]) * float64(want[i])
	}
	return worst / math.Sqrt(spread/float64(len(want)))
}

// Check the plan against Gorgonia's machine on the same graph. Both run the same
// kernels and differ only in the order of rounding where batch normalisation is
// folded. 1e-5 is about a hundred roundings; with Winograd's algorithm it is ten
// times as much.
func TestPlanEqualsTape(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	for _, norm := range []Norm{NormNone, NormBatch, NormInstance, NormGroup} {
		for _, size := range [][4]int{{1, 1, 16, 16}, {2, 3, 21, 35}, {1, 1, 1, 5}, {1, 1, 40, 8}} {
			t.Run(fmt.Sprint(norm, size), func(t *testing.T) {
				c := Config{Channels: size[1], Classes: 3, Width: 6, Depth: 3, Norm: norm, Groups: 3}.WithDefaults()
				rng := rand.New(rand.NewPCG(3, 4))
				p := scramble(NewParams(c, 1), rng)
				x := noise(rng, size[0], size[1], size[2], size[3])
				q, err := NewPredictor(c, p, PredictorOptions{Pool: pool})
				if err != nil {
					t.Fatal(err)
				}
				want := tape(t, c, p, x)
				for run := range 2 { // the second run reuses memory of the first
					got, err := q.Logits(context.Background(), x)
					if err != nil {
						t.Fatal(err)
					}
					if d := apart(got.Data, want.Data); !(d < 1e-4) {
						t.Errorf("run %d: plan is %.1e from the tape", run, d)
					}
				}
			})
		}
	}
}

// TestPlanHasTails: operations that can be fused into the preceding convolution have
// no separate pass.
func TestPlanHasTails(t *testing.T) {
	for name, want := range map[string]struct {
		c          Config
		adds, pool int // separate steps
	}{
		"double":        {Config{Norm: NormNone}, 0, 0},
		"residual":      {Config{Norm: NormBatch, Block: BlockResidual}, 0, 0},
		"instance norm": {Config{Norm: NormInstance}, 0, 2}, // between convolution and pooling
		"add":           {Config{Norm: NormNone, Skip: SkipAdd}, 0, 0},
	} {
		c := want.c.with(1, 8, 2, want.c.Norm)
		q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := q.compile(shape{N: 1, H: 16, W: 16, ValidH: 16, ValidW: 16}, nil)
		if err != nil {
			t.Fatal(err)
		}
		adds, pool := 0, 0
		for _, s := range p.steps {
			switch s.do {
			case doAdd:
				adds++
			case doMaxPool:
				pool++
			}
		}
		if adds != want.adds || pool != want.pool {
			t.Errorf("%s: %d sums and %d poolings, want %d and %d", name, adds, pool, want.adds, want.pool)
		}
	}
}

func TestPredictRefuses(t *testing.T) {
	c := Config{Channels: 1, Classes: 2, Width: 4, Depth: 2, Norm: NormInstance}.WithDefaults()
	p := NewParams(c, 1)
	q, err := NewPredictor(c, p, PredictorOptions{TilePixels: 400})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, x := range map[string]*segd.Tensor{
		"channels": segd.NewTensor(1, 3, 8, 8),
		"no image": segd.NewTensor(0, 1, 8, 8),
		"no rows":  segd.NewTensor(1, 1, 0, 8),
		"short":    {N: 1, C: 1, H: 8, W: 8, Data: make([]float32, 63)},
	} {
		if _, err := q.Predict(ctx, x); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := q.Predict(ctx, segd.NewTensor(1, 1, 40, 40)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := q.Predict(ctx, segd.NewTensor(1, 1, 41, 40)); !errors.Is(err, segd.ErrTooLarge) {
		t.Errorf("beyond the limit: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := q.Predict(ended, segd.NewTensor(1, 1, 8, 8)); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	other := c
	other.Width = 8
	if _, err := NewPredictor(other, p, PredictorOptions{}); !errors.Is(err, segd.ErrOption) {
		t.Errorf("parameters of another network: %v", err)
	}
	if _, err := NewPredictor(Config{}, p, PredictorOptions{}); !errors.Is(err, segd.ErrOption) {
		t.Errorf("invalid network: %v", err)
	}
}

func TestProbabilities(t *testing.T) {
	for _, classes := range []int{2, 3} {
		c := Config{Channels: 1, Classes: classes, Width: 4, Depth: 1, Norm: NormNone}.WithDefaults()
		p := NewParams(c, 1)
		for i := range p.data("head.weight") {
			p.data("head.weight")[i] *= 50 // logits far apart: nothing may overflow
		}
		q, err := NewPredictor(c, p, PredictorOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x := noise(rand.New(rand.NewPCG(1, 1)), 2, 1, 9, 7)
		z, err := q.Logits(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := q.Predict(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		const hw = 9 * 7
		for n := range 2 {
			for i := range hw {
				sum := 0.0
				for k := range classes {
					sum += math.Exp(float64(z.Plane(n, k)[i]))
				}
				for k := range classes {
					want := math.Exp(float64(z.Plane(n, k)[i])) / sum
					if g := float64(got.Plane(n, k)[i]); !(math.Abs(g-want) < 1e-6) {
						t.Fatalf("%d classes: probability %v, want %v", classes, g, want)
					}
				}
			}
		}
	}
}

// Many concurrent requests of several sizes get the same results as each alone. Run
// it with -race.
func TestConcurrentPredict(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	c := Config{Channels: 1, Classes: 2, Width: 4, Depth: 2, Norm: NormInstance}.WithDefaults()
	q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var images, want []*segd.Tensor
	for i := range maxPlans + 3 {
		x := noise(rng, 1, 1, 8+4*(i/4), 8+4*(i%4))
		z, err := q.Predict(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		images, want = append(images, x), append(want, z)
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for i := range 2 * len(images) {
				j := (i*(2*g+1) + g) % len(images)
				got, err := q.Predict(context.Background(), images[j])
				if err != nil {
					t.Error(err)
				} else if !slices.Equal(got.Data, want[j].Data) {
					t.Errorf("image %d: another result when run concurrently", j)
				}
			}
		})
	}
	wg.Wait()
	if len(q.plans) > maxPlans || len(q.idle) > maxIdle {
		t.Errorf("%d plans and %d arenas kept", len(q.plans), len(q.idle))
	}
}

// The result is bit-identical for any number of threads.
func TestThreadsDoNotMatter(t *testing.T) {
	c := Config{Channels: 3, Classes: 2, Width: 8, Depth: 2}.WithDefaults()
	x := noise(rand.New(rand.NewPCG(1, 1)), 1, 3, 52, 47)
	var first []float32
	for threads := 1; threads <= 4; threads++ {
		pool := NewPool(threads)
		q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		z, err := q.Logits(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		pool.Close()
		if first == nil {
			first = z.Data
		} else if !slices.Equal(first, z.Data) {
			t.Errorf("%d threads give another result", threads)
		}
	}
}

// An image gets a bit-identical result from all threads together and from one thread
// while others are busy.
func TestLoadDoesNotMatter(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	c := Config{Channels: 1, Classes: 2, Width: 16, Depth: 2}.WithDefaults()
	q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	x := noise(rand.New(rand.NewPCG(1, 1)), 1, 1, 96, 81)
	together, err := q.Logits(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	pool.inner().Enter() // another image in progress
	defer pool.inner().Leave()
	alone, err := q.Logits(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(alone.Data, together.Data) {
		t.Error("an image alone on its thread has another result")
	}
}

// A warm call allocates its result and little else.
func TestPredictAllocates(t *testing.T) {
	if (Kernels{}).Name() == "generic" {
		t.Skip("the reference kernels take scratch memory in each call")
	}
	c := Config{Channels: 1, Classes: 2, Width: 8, Depth: 2}.WithDefaults()
	q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	x := noise(rand.New(rand.NewPCG(1, 1)), 1, 1, 64, 64)
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := q.Logits(context.Background(), x); err != nil {
				b.Fatal(err)
			}
		}
	})
	if got, result := r.AllocedBytesPerOp(), int64(4*2*64*64); got > 2*result {
		t.Errorf("%d bytes per call, the result has %d", got, result)
	}
}

// In bfloat16, logits are within a few hundredths of their σ of those in float32, and
// bit-identical for any number of threads.
func TestPredictBFloat16(t *testing.T) {
	c := Config{Channels: 1, Classes: 3, Width: 16, Depth: 2}.WithDefaults()
	p := scramble(NewParams(c, 3), rand.New(rand.NewPCG(1, 1)))
	x := noise(rand.New(rand.NewPCG(2, 1)), 1, 1, 60, 52)
	run := func(threads int, bf16 bool) []float32 {
		pool := NewPool(threads)
		defer pool.Close()
		q, err := NewPredictor(c, p, PredictorOptions{Pool: pool, BFloat16: bf16})
		if err != nil {
			t.Fatal(err)
		}
		y, err := q.Logits(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		return y.Data
	}
	want, got := run(1, false), run(1, true)
	if !slices.Equal(got, run(3, true)) {
		t.Error("three threads have another result than one")
	}
	mean, sigma, off := 0.0, 0.0, 0.0
	for _, v := range want {
		mean += float64(v) / float64(len(want))
	}
	for i, v := range want {
		sigma += (float64(v) - mean) * (float64(v) - mean)
		off += (float64(v) - float64(got[i])) * (float64(v) - float64(got[i]))
	}
	d := math.Sqrt(off / sigma)
	t.Logf("off by %.2g σ", d)
	if !(d < 0.05) || d < 1e-4 {
		t.Errorf("off by %.2g σ, want between 1e-4, or nothing was rounded, and 0.05", d)
	}
	if _, err := NewPredictor(c, p, PredictorOptions{Exact: true, BFloat16: true}); !errors.Is(err, segd.ErrOption) {
		t.Errorf("exact in bfloat16: %v", err)
	}
}
