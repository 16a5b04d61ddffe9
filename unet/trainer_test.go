package unet

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"segd"
)

// discs makes a batch of noisy images with one bright disc each, and the masks.
func discs(rng *rand.Rand, n, h, w int) ([]float32, []uint8) {
	x, y := make([]float32, n*h*w), make([]uint8, n*h*w)
	for i := range n {
		cy, cx := rng.Float64()*float64(h), rng.Float64()*float64(w)
		r := (0.15 + 0.15*rng.Float64()) * float64(min(h, w))
		for j := range h * w {
			v := rng.NormFloat64() * 0.3
			if math.Hypot(float64(j/w)-cy, float64(j%w)-cx) < r {
				v++
				y[i*h*w+j] = 1
			}
			x[i*h*w+j] = float32(v)
		}
	}
	return x, y
}

// Each kind of network learns the discs, and the inference plan of the trained
// network marks those of a new batch.
func TestTrainingEndsInMasks(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	for _, norm := range []Norm{NormNone, NormBatch, NormInstance, NormGroup} {
		t.Run(string(norm), func(t *testing.T) {
			c := Config{Channels: 1, Classes: 2, Width: 4, Depth: 2, Norm: norm, Groups: 2}.WithDefaults()
			p := NewParams(c, 1)
			const n = 16
			tr, err := NewTrainer(c, p, 3, n, n, TrainerOptions{Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tr.Close() }()
			rng := rand.New(rand.NewPCG(1, 2))
			s := G.NewAdamSolver(G.WithLearnRate(0.01))
			var first, last float64
			for i := range 40 {
				x, y := discs(rng, 3, n, n)
				if last, err = tr.Step(Batch{X: x, Y: y}, s); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = last
				}
			}
			if last > 0.5*first {
				t.Errorf("loss %.4f after 40 steps, was %.4f", last, first)
			}
			q, err := NewPredictor(c, p, PredictorOptions{Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			x, y := discs(rng, 8, n, n)
			out, err := q.Predict(context.Background(), &segd.Tensor{N: 8, C: 1, H: n, W: n, Data: x})
			if err != nil {
				t.Fatal(err)
			}
			both, either := 0, 0
			for i, want := range y {
				got := out.Plane(i/(n*n), 1)[i%(n*n)] > 0.5
				if got && want == 1 {
					both++
				}
				if got {
					either++
				}
				either += int(want)
			}
			dice := 2 * float64(both) / float64(either)
			t.Logf("loss %.3f to %.3f, Dice %.3f", first, last, dice)
			if dice < 0.8 {
				t.Errorf("Dice %.3f on new images", dice)
			}
		})
	}
}

// A step depends only on its batch and the weights: nothing is left over from a
// previous run, even after an error.
func TestStepIsNotStale(t *testing.T) {
	c := Config{Channels: 1, Classes: 2, Width: 3, Depth: 2, Norm: NormInstance}.WithDefaults()
	rng := rand.New(rand.NewPCG(1, 2))
	x1, y1 := discs(rng, 2, 8, 8)
	x2, y2 := discs(rng, 2, 8, 8)
	run := func(tr *Trainer, x []float32, y []uint8) (float64, []float32) {
		t.Helper()
		l, err := tr.Step(Batch{X: x, Y: y}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all []float32
		for _, v := range tr.Learnables() {
			g, err := v.Grad()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, g.Data().([]float32)...)
		}
		return l, all
	}
	fresh := func() *Trainer {
		tr, err := NewTrainer(c, NewParams(c, 1), 2, 8, 8, TrainerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	l1, g1 := run(fresh(), x1, y1)
	l2, g2 := run(fresh(), x2, y2)
	if l1 == l2 {
		t.Fatal("two batches with the same loss")
	}
	tr := fresh()
	for i := range 6 {
		l, g, want, grads := 0.0, []float32(nil), l1, g1
		if i%2 == 0 {
			l, g = run(tr, x1, y1)
		} else {
			l, g = run(tr, x2, y2)
			want, grads = l2, g2
		}
		if l != want || !slices.Equal(g, grads) {
			t.Errorf("step %d: loss %v, a fresh trainer has %v", i, l, want)
		}
		bad := append([]uint8{}, y1...)
		bad[5] = 9
		if _, err := tr.Step(Batch{X: x1, Y: bad}, nil); err == nil {
			t.Error("a label that is not a class was accepted")
		}
	}
}

// The solver changes the tensors in Params, and the next step uses them. The same
// seed gives bit-identical results for any number of threads.
func TestStepUpdatesParams(t *testing.T) {
	var first []float64
	for threads := 1; threads <= 3; threads++ {
		pool := NewPool(threads)
		c := Config{Channels: 1, Classes: 2, Width: 8, Depth: 1}.WithDefaults()
		p := NewParams(c, 1)
		before := p.Clone()
		tr, err := NewTrainer(c, p, 2, 16, 24, TrainerOptions{Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		x, y := discs(rand.New(rand.NewPCG(1, 2)), 2, 16, 24)
		s := G.NewAdamSolver()
		var losses []float64
		for range 5 {
			l, err := tr.Step(Batch{X: x, Y: y}, s)
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, l)
		}
		for _, n := range p.Names() {
			if slices.Equal(p.data(n), before.data(n)) {
				t.Errorf("%s is unchanged", n)
			}
		}
		if losses[4] >= losses[0] {
			t.Errorf("losses %v", losses)
		}
		if first == nil {
			first = losses
		} else if !slices.Equal(first, losses) {
			t.Errorf("%d threads: losses %v, one thread has %v", threads, losses, first)
		}
		pool.Close()
	}
}

// One channel, one filter, one pixel at the bottom: every axis of length one that
// could be mistaken for a scalar.
func TestSmallestNetwork(t *testing.T) {
	for _, norm := range []Norm{NormNone, NormBatch, NormInstance, NormGroup} {
		c := Config{Channels: 1, Classes: 2, Width: 1, Depth: 1, Norm: norm, Groups: 1}.WithDefaults()
		tr, err := NewTrainer(c, NewParams(c, 1), 1, 2, 2, TrainerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := tr.Step(Batch{X: []float32{1, 2, 3, 4}, Y: []uint8{0, 1, 1, 255}}, G.NewAdamSolver()); err != nil {
				t.Errorf("%s: %v", norm, err)
			}
		}
	}
}

func TestTrainerRefuses(t *testing.T) {
	c := Config{Channels: 1, Classes: 2, Width: 2, Depth: 2}.WithDefaults()
	p := NewParams(c, 1)
	for name, f := range map[string]func() error{
		"size":    func() error { _, err := NewTrainer(c, p, 1, 10, 8, TrainerOptions{}); return err },
		"batch":   func() error { _, err := NewTrainer(c, p, 0, 8, 8, TrainerOptions{}); return err },
		"network": func() error { _, err := NewTrainer(Config{}, p, 1, 8, 8, TrainerOptions{}); return err },
		"params":  func() error { o := c; o.Width = 3; _, err := NewTrainer(o, p, 1, 8, 8, TrainerOptions{}); return err },
	} {
		if err := f(); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tr, err := NewTrainer(c, p, 1, 8, 8, TrainerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Step(Batch{X: make([]float32, 63), Y: make([]uint8, 64)}, nil); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("short batch: %v", err)
	}
	x := make([]float32, 64)
	x[0] = float32(math.NaN())
	before := p.Clone()
	if _, err := tr.Step(Batch{X: x, Y: make([]uint8, 64)}, G.NewAdamSolver()); err == nil {
		t.Error("a NaN loss was accepted")
	}
	for _, n := range p.Names() {
		w := p.data(n)
		if strings.Contains(n, "running") {
			for _, v := range w {
				if v-v != 0 {
					t.Errorf("%s holds %v", n, v)
				}
			}
		} else if !slices.Equal(w, before.data(n)) {
			t.Errorf("%s has changed", n)
		}
	}
}

// TestStepAllocations: activations and gradients keep their memory from step to step.
// The remaining allocations are the machine's: some values and slices for each node.
func TestStepAllocations(t *testing.T) {
	const maxAllocs, maxBytes = 5000, 1 << 20
	for _, norm := range []Norm{NormNone, NormBatch} {
		c := anchor(8, norm)
		tr, err := NewTrainer(c, NewParams(c, 1), 2, 64, 64, TrainerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x, y := discs(rand.New(rand.NewPCG(1, 1)), 2, 64, 64)
		step := func() {
			if _, err := tr.Step(Batch{X: x, Y: y}, nil); err != nil {
				t.Fatal(err)
			}
		}
		step()
		var before, after runtime.MemStats
		const steps = 3
		runtime.ReadMemStats(&before)
		for range steps {
			step()
		}
		runtime.ReadMemStats(&after)
		allocs, bytes := (after.Mallocs-before.Mallocs)/steps, (after.TotalAlloc-before.TotalAlloc)/steps
		t.Logf("norm %s: %d allocations, %d bytes per step", norm, allocs, bytes)
		if allocs > maxAllocs || bytes > maxBytes {
			t.Errorf("norm %s: %d allocations of %d bytes per step, limits %d and %d", norm, allocs, bytes, maxAllocs, maxBytes)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A discarded Trainer leaves no memory behind, whether or not it made a step: a study
// makes hundreds of them.
func TestTrainerIsFreed(t *testing.T) {
	c := Config{Channels: 1, Classes: 2, Width: 8, Depth: 2}
	live := func() int64 {
		for range 3 { // what a finalizer held is freed by the next collection
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	one := func() int64 {
		tr, err := NewTrainer(c, NewParams(c, 1), 2, 64, 64, TrainerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Step(Batch{X: make([]float32, 2*64*64), Y: make([]uint8, 2*64*64)}, nil); err != nil {
			t.Fatal(err)
		}
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
		return tr.Bytes()
	}
	one() // warm-up: things made only once
	before := live()
	var bytes int64
	for range 4 {
		bytes = one()
	}
	if grown := live() - before; grown > bytes {
		t.Errorf("4 trainers of %d bytes left %d behind", bytes, grown)
	}
}
