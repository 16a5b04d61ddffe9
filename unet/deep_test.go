package unet

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"segd"
)

// lossOf returns the loss of one batch without a step.
func lossOf(t *testing.T, c Config, p *Params, b Batch, n int, o TrainerOptions) float64 {
	t.Helper()
	tr, err := NewTrainer(c, p, len(b.Y)/(n*n), n, n, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tr.Step(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Compare the gradients of the heads, and of a weight before them, with central
// differences of the whole loss. With float32 and a step of 1e-2 these are accurate
// to 2 %.
func TestDeepSupervisionGradient(t *testing.T) {
	for _, c := range []Config{
		{Channels: 1, Classes: 2, Width: 4, Depth: 3, Norm: NormNone},
		{Channels: 1, Classes: 2, Width: 4, Depth: 2, Norm: NormNone, Skip: SkipNested},
	} {
		c = c.WithDefaults()
		p, deep := NewParams(c, 1), DeepHeads(c, 2)
		if len(deep.Names()) != 2*(c.Depth-1) {
			t.Fatalf("heads %v", deep.Names())
		}
		const n = 16
		x, y := discs(rand.New(rand.NewPCG(3, 4)), 2, n, n)
		b, o := Batch{X: x, Y: y}, TrainerOptions{Deep: deep}
		tr, err := NewTrainer(c, p, 2, n, n, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Step(b, nil); err != nil {
			t.Fatal(err)
		}
		last := len(tr.Learnables()) - len(deep.Names())
		for i, name := range deep.Names() {
			g, err := tr.Learnables()[last+i].Grad()
			if err != nil {
				t.Fatal(err)
			}
			got := float64(g.Data().([]float32)[0])
			w := deep.data(name)
			old := w[0]
			w[0] = old + 1e-2
			high := lossOf(t, c, p, b, n, o)
			w[0] = old - 1e-2
			low := lossOf(t, c, p, b, n, o)
			w[0] = old
			if want := (high - low) / 2e-2; got == 0 || math.Abs(got-want) > 0.02*math.Abs(want)+1e-4 {
				t.Errorf("%s %s: gradient %v, differences give %v", c.Skip, name, got, want)
			}
		}
	}
}

// The weights 1, ½, ¼ are normalised to sum to one: if all heads agree on uniform
// labels, the loss does not change.
func TestDeepSupervisionIsAMean(t *testing.T) {
	c := Config{Channels: 1, Classes: 2, Width: 2, Depth: 3}.WithDefaults()
	p, deep := NewParams(c, 1), DeepHeads(c, 2)
	for _, q := range []*Params{p, deep} {
		for _, name := range q.Names() {
			if strings.HasPrefix(name, "head.") || strings.HasPrefix(name, "deep.") {
				clear(q.data(name))
			}
		}
	}
	const n = 16
	b := Batch{X: make([]float32, n*n), Y: make([]uint8, n*n)}
	l := Loss{Terms: "ce"}
	got := lossOf(t, c, p, b, n, TrainerOptions{Deep: deep, Loss: l})
	if want := lossOf(t, c, p, b, n, TrainerOptions{Loss: l}); math.Abs(got-want) > 1e-6 || math.Abs(want-math.Log(2)) > 1e-6 {
		t.Errorf("loss %v, without heads %v, want ln 2", got, want)
	}
}

// Frozen weights stay bit-identical; the rest learns.
func TestFreezeEncoder(t *testing.T) {
	for _, c := range []Config{
		{Channels: 1, Classes: 2, Width: 4, Depth: 2},
		{Channels: 1, Classes: 2, Width: 4, Depth: 2, Block: BlockPreact, Skip: SkipAdd, Attention: true, Up: UpBilinear},
		{Channels: 1, Classes: 2, Width: 4, Depth: 2, Block: BlockDense, Skip: SkipNested},
		{Channels: 1, Classes: 2, Width: 4, Depth: 2, Block: BlockResidual, Skip: SkipNone, Norm: NormInstance},
	} {
		c = c.WithDefaults()
		p := NewParams(c, 1)
		before := p.Clone()
		const n = 16
		x, y := discs(rand.New(rand.NewPCG(3, 4)), 2, n, n)
		tr, err := NewTrainer(c, p, 2, n, n, TrainerOptions{FreezeEncoder: true, Deep: DeepHeads(c, 2)})
		if err != nil {
			t.Fatal(err)
		}
		s := G.NewAdamSolver(G.WithLearnRate(0.01))
		var losses []float64
		for range 12 {
			l, err := tr.Step(Batch{X: x, Y: y}, s)
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, l)
		}
		for _, name := range p.Names() {
			if same := slices.Equal(p.data(name), before.data(name)); same != inEncoder(name) {
				t.Errorf("%s %s: unchanged %v", c.Block, name, same)
			}
		}
		if losses[len(losses)-1] >= losses[0] {
			t.Errorf("%s: losses %v", c.Block, losses)
		}
	}
}

// A grey image repeated in three channels gives the same logits. Retained classes
// keep their logits, whatever their new index.
func TestAdapt(t *testing.T) {
	for _, block := range []Block{BlockPlain, BlockDense, BlockResidual} {
		c := Config{Channels: 1, Classes: 3, Width: 4, Depth: 1, Block: block}.WithDefaults()
		p := NewParams(c, 1)
		to := c
		to.Channels, to.Classes = 3, 4
		q, err := p.Adapt(to, []int{0, 2, -1, 1}, 5)
		if err != nil {
			t.Fatal(err)
		}
		logits := func(c Config, p *Params, channels int) *segd.Tensor {
			x := segd.NewTensor(1, channels, 8, 8)
			for i := range x.Data {
				x.Data[i] = float32(math.Sin(float64(i % 64)))
			}
			r, err := NewPredictor(c, p, PredictorOptions{Exact: true})
			if err != nil {
				t.Fatal(err)
			}
			z, err := r.Logits(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			return z
		}
		old, now := logits(c, p, 1), logits(to, q, 3)
		for k, from := range []int{0, 2, -1, 1} {
			for i, v := range now.Plane(0, k) {
				if from >= 0 && math.Abs(float64(v-old.Plane(0, from)[i])) > 1e-5 { // three thirds
					t.Fatalf("%s: class %d, pixel %d: %v, was %v", block, k, i, v, old.Plane(0, from)[i])
				}
			}
		}
		to.Width = 5
		if _, err := p.Adapt(to, []int{0, 1, 2, -1}, 5); !errors.Is(err, segd.ErrOption) {
			t.Errorf("another width: %v", err)
		}
	}
}

func TestLossOptions(t *testing.T) {
	for _, l := range []Loss{{Terms: "ce+focal"}, {Terms: "dice+tversky"}, {Terms: "l3"}, {Terms: "ce+"}, {Terms: "ce", Gamma: 2},
		{Terms: "focal", Gamma: math.NaN()}, {Terms: "tversky", Alpha: -1}, {Classes: []float64{1}}, {Classes: []float64{1, 0}}, {Terms: "border", BorderSigma: -1}} {
		if err := l.Validate(2); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for terms, want := range map[string]string{"": "cross-entropy and soft Dice", "focal+tversky": "focal loss (gamma 2) and Tversky (alpha 0.3, beta 0.7)",
		"border": "cross-entropy with border weights (w0 10, sigma 5)"} {
		l := Loss{Terms: terms}.WithDefaults()
		if err := l.Validate(2); err != nil || l.String() != want {
			t.Errorf("%q: %q, %v", terms, l, err)
		}
	}
}
