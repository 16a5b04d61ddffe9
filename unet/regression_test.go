package unet

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"segd"
)

// distances makes a batch of noisy discs, with the depth of each pixel inside its
// disc: 0 outside, the radius in the middle.
func distances(rng *rand.Rand, n, side int) (x, d []float32) {
	x, d = make([]float32, n*side*side), make([]float32, n*side*side)
	for i := range n {
		cy, cx := rng.Float64()*float64(side), rng.Float64()*float64(side)
		r := (0.2 + 0.2*rng.Float64()) * float64(side)
		for j := range side * side {
			inside := max(0, r-math.Hypot(float64(j/side)-cy, float64(j%side)-cx))
			x[i*side*side+j] = float32(rng.NormFloat64()*0.3 + min(1, inside))
			d[i*side*side+j] = float32(inside)
		}
	}
	return x, d
}

// descend applies plain gradient descent with momentum to the gradients of a Trainer.
func descend(t *testing.T, tr *Trainer, velocity [][]float32, rate float32) {
	t.Helper()
	for i, v := range tr.Learnables() {
		g, err := v.Grad()
		if err != nil {
			t.Fatal(err)
		}
		w, d := v.Value().Data().([]float32), g.Data().([]float32)
		if velocity[i] == nil {
			velocity[i] = make([]float32, len(w))
		}
		for k := range w {
			velocity[i][k] = 0.9*velocity[i][k] - rate*d[k]
			w[k] += velocity[i][k]
		}
	}
}

// The network learns values as it learns classes. On new images it predicts the
// distance of each pixel to the edge of its disc with less than half the error of the
// best constant.
func TestRegressionLearnsDistances(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector")
	}
	const side, batch = 16, 4
	pool := NewPool(1)
	defer pool.Close()
	for _, terms := range []string{LossL1, LossL2} {
		c := Config{Channels: 1, Classes: 1, Width: 8, Depth: 2, Head: HeadRegression}.WithDefaults()
		p := NewParams(c, 1)
		tr, err := NewTrainer(c, p, batch, side, side, TrainerOptions{Pool: pool, Loss: Loss{Terms: terms}})
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		velocity := make([][]float32, len(tr.Learnables()))
		for i := range 120 {
			x, d := distances(rng, batch, side)
			if _, err := tr.Step(Batch{X: x, Targets: d}, nil); err != nil {
				t.Fatal(err)
			}
			descend(t, tr, velocity, 0.01*float32(1+math.Cos(math.Pi*float64(i)/120)))
		}
		q, err := NewPredictor(c, p, PredictorOptions{Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		x, want := distances(rng, 16, side)
		got, err := q.Predict(context.Background(), &segd.Tensor{N: 16, C: 1, H: side, W: side, Data: x})
		if err != nil {
			t.Fatal(err)
		}
		sorted := slices.Clone(want)
		slices.Sort(sorted)
		median := sorted[len(sorted)/2] // the constant with the smallest absolute error
		var mae, constant, square float64
		for i, v := range want {
			e := float64(got.Data[i] - v)
			mae += math.Abs(e) / float64(len(want))
			square += e * e / float64(len(want))
			constant += math.Abs(float64(median-v)) / float64(len(want))
		}
		t.Logf("%s: mean absolute error %.3f pixels, root mean square error %.3f; the best constant has %.3f", terms, mae, math.Sqrt(square), constant)
		if mae > 0.5*constant {
			t.Errorf("%s: mean absolute error %.3f, the best constant has %.3f", terms, mae, constant)
		}
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRegressionRefuses(t *testing.T) {
	values := Config{Channels: 1, Classes: 1, Width: 2, Depth: 1, Head: HeadRegression}.WithDefaults()
	classes := Config{Channels: 1, Classes: 2, Width: 2, Depth: 1}.WithDefaults()
	for name, c := range map[string]struct {
		config Config
		loss   Loss
		deep   bool
	}{
		"values with a loss for classes": {values, Loss{}, false},
		"classes with a loss for values": {classes, Loss{Terms: LossL1}, false},
		"values, weights":                {values, Loss{Terms: LossL1, Classes: []float64{1}}, false},
		"values, deep":                   {values, Loss{Terms: LossL2}, true},
	} {
		o := TrainerOptions{Loss: c.loss}
		if c.deep {
			o.Deep = NewParams(c.config, 1)
		}
		if _, err := NewTrainer(c.config, NewParams(c.config, 1), 1, 4, 4, o); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tr, err := NewTrainer(values, NewParams(values, 1), 1, 4, 4, TrainerOptions{Loss: Loss{Terms: LossL1}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tr.Close() }()
	if _, err := tr.Step(Batch{X: make([]float32, 16), Y: make([]uint8, 16)}, nil); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("labels instead of targets: %v", err)
	}
	bad := values
	bad.Head = "masks"
	if err := bad.Validate(); !errors.Is(err, segd.ErrOption) {
		t.Errorf("another head: %v", err)
	}
}
