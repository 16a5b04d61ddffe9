package unet

import (
	"context"
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd"
)

// generator reproduces the one in testdata/torch_reference.py.
type generator uint32

func newGenerator(name string) *generator {
	g := generator(crc32.ChecksumIEEE([]byte(name)))
	return &g
}

func (g *generator) next() float64 {
	*g = *g*1664525 + 1013904223
	return float64(*g>>8) / (1 << 24)
}

// reference holds PyTorch's results for one network. Every seventh logit and
// statistic is stored.
type reference struct {
	Config    Config // the fields that differ between networks
	Names     []string
	Eval      []float32          // logits with the running statistics
	Train     []float32          // logits of the first step; batch only
	Gradients map[string]float64 // L2 norms at the first step
	Losses    []float64          // of ten steps of Adam
	Running   []float32          // statistics after them; batch only
}

// seventh picks the values that the reference stores.
func seventh(v []float32) []float32 {
	var s []float32
	for i := 0; i < len(v); i += 7 {
		s = append(s, v[i])
	}
	return s
}

func goldenParams(c Config) *Params {
	p := emptyParams(c)
	for _, s := range p.config.layout() {
		g, w := newGenerator(s.name), p.data(s.name)
		for i := range w {
			switch u := g.next(); {
			case s.role == roleOne:
				w[i] = float32(0.5 + u)
			case len(s.shape) == 1:
				w[i] = float32(0.4 * (u - 0.5))
			default:
				fan := s.shape[1:].TotalSize()
				w[i] = float32(2 * math.Sqrt(6/float64(fan)) * (u - 0.5))
			}
		}
	}
	return p
}

// The references are in float64, but segd computes in float32. Rounding is 6e-8 per
// value and grows with the square root of the number of summed terms, a few hundred
// in each of eleven layers. A tolerance of 1e-5 of the logits' spread is three to ten
// times the observed error. Gradients pass through twice as many layers. Adam divides
// a gradient by its own size, so rounding in one near zero moves a weight as far as
// any other. The losses therefore get 1e-4, a hundred times the observed error and a
// thousandth of their decrease in ten steps.
//
// SIMD kernels and Winograd's algorithm round differently. A value near zero may then
// fall on the other side of a ReLU, which changes a gradient, and Adam propagates the
// change. (Observed: the gradients of two sets agree to 6e-6 of the largest in every
// step except one, in which a single one is off by 9e-2.) Logits and gradients get
// twice the tolerance, and the losses 1e-2, a fiftieth of their decrease.
const (
	tolLogits    = 1e-5
	tolGradients = 1e-4
	tolLosses    = 1e-4

	tolSIMD       = 2 // times tolLogits
	tolLossesSIMD = 1e-2
)

// tolerances returns the tolerances for the kernels of pool.
func tolerances(pool *Pool) (logits, losses float64) {
	if pool.Kernels().Name() == "generic" {
		return tolLogits, tolLosses
	}
	return tolSIMD * tolLogits, tolLossesSIMD
}

func TestAgainstPyTorch(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector")
	}
	b, err := os.ReadFile("testdata/torch_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var refs map[string]reference
	if err := json.Unmarshal(b, &refs); err != nil {
		t.Fatal(err)
	}
	if len(refs) < 20 {
		t.Errorf("%d references", len(refs))
	}
	for _, name := range []string{"generic", FastestKernels} {
		kernels, err := ChooseKernels(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name == FastestKernels && kernels.Name() == "generic" {
			continue // nothing else to check
		}
		pool := kernels.NewPool(2)
		defer pool.Close()
		t.Run(name, func(t *testing.T) { goldenAll(t, refs, pool) })
	}
}

// goldenAll compares every reference network with PyTorch.
func goldenAll(t *testing.T, refs map[string]reference, pool *Pool) {
	const batch, size = 2, 16
	y := goldenLabels(batch * size * size)
	for name, ref := range refs {
		t.Run(name, func(t *testing.T) {
			c := ref.Config
			c.Classes, c.Width, c.Depth = 2, 8, 2
			if c.Norm == NormGroup {
				c.Groups = 4
			}
			x := segd.NewTensor(batch, c.Channels, size, size)
			for i, g := 0, newGenerator("image"); i < len(x.Data); i++ {
				x.Data[i] = float32(2*g.next() - 1)
			}
			golden(t, c.WithDefaults(), ref, x, y, pool)
		})
	}
}

func goldenLabels(n int) []uint8 {
	y := make([]uint8, n)
	for i, g := 0, newGenerator("labels"); i < len(y); i++ {
		y[i] = 255
		if u := g.next(); u >= 0.1 {
			y[i] = uint8(u*10) % 2
		}
	}
	return y
}

func golden(t *testing.T, c Config, ref reference, x *segd.Tensor, y []uint8, pool *Pool) {
	logits, losses := tolerances(pool)
	p := goldenParams(c)
	if d := cmp.Diff(ref.Names, p.Names()); d != "" {
		t.Fatalf("names (-torch +segd):\n%s", d)
	}
	q, err := NewPredictor(c, p, PredictorOptions{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	z, err := q.Logits(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if d := apart(seventh(z.Data), ref.Eval); !(d < logits) {
		t.Errorf("eval logits are %.1e off", d)
	}
	tr, err := NewTrainer(c, p, x.N, x.H, x.W, TrainerOptions{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := tr.Step(Batch{X: x.Data, Y: y}, nil); err != nil {
		t.Fatal(err)
	}
	for _, n := range tr.params {
		g, err := n.Grad()
		if err != nil {
			t.Fatal(err)
		}
		got, want := 0.0, ref.Gradients[n.Name()]
		for _, v := range g.Data().([]float32) {
			got += float64(v) * float64(v)
		}
		if got = math.Sqrt(got); !(math.Abs(got-want) < tolGradients*want) {
			t.Errorf("gradient of %s has norm %v, want %v", n.Name(), got, want)
		}
	}
	p.CopyFrom(goldenParams(c)) // original running statistics
	solver := G.NewAdamSolver(G.WithLearnRate(1e-3))
	for i, want := range ref.Losses {
		got, err := tr.Step(Batch{X: x.Data, Y: y}, solver)
		if err != nil {
			t.Fatal(err)
		}
		tol := losses
		if i == 0 {
			tol = logits
		}
		if !(math.Abs(got-want) < tol*want) {
			t.Errorf("step %d: loss %.7f, want %.7f", i, got, want)
		}
	}
	if c.Norm == NormBatch {
		var got []float32
		for _, s := range c.layout() {
			if s.fixed {
				got = append(got, p.data(s.name)...)
			}
		}
		if d := apart(seventh(got), ref.Running); !(d < losses) {
			t.Errorf("running statistics are %.1e off", d)
		}
		goldenTrainLogits(t, c, ref, x, pool)
	}
}

// goldenTrainLogits checks the network with the statistics of the batch.
func goldenTrainLogits(t *testing.T, c Config, ref reference, x *segd.Tensor, pool *Pool) {
	logits, _ := tolerances(pool)
	b, err := build(c, goldenParams(c), shape{x.N, x.H, x.W, x.H, x.W}, mode{train: true}, pool.inner())
	if err != nil {
		t.Fatal(err)
	}
	if err := G.Let(b.net.image, tensor.New(tensor.WithShape(x.N, x.C, x.H, x.W), tensor.WithBacking(x.Data))); err != nil {
		t.Fatal(err)
	}
	var z G.Value
	G.Read(b.net.logits, &z)
	vm := G.NewTapeMachine(b.net.graph)
	defer func() { _ = vm.Close() }()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	if d := apart(seventh(z.Data().([]float32)), ref.Train); !(d < logits) {
		t.Errorf("train logits are %.1e off", d)
	}
}

// The names say which tensors a solver may change.
func TestRunningStatisticsAreNotLearned(t *testing.T) {
	c := Config{Channels: 1, Classes: 2, Width: 4, Depth: 1}.WithDefaults()
	tr, err := NewTrainer(c, NewParams(c, 1), 1, 4, 4, TrainerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fixed := 0
	for _, s := range c.layout() {
		if strings.Contains(s.name, "running") != s.fixed {
			t.Errorf("%s: fixed is %v", s.name, s.fixed)
		}
		if s.fixed {
			fixed++
		}
	}
	if got, want := len(tr.Learnables()), len(c.layout())-fixed; got != want {
		t.Errorf("%d learnables, want %d", got, want)
	}
}
