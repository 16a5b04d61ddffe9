package unet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"segd/internal/kernel"
)

// Activations that are needed at the same time never overlap. If two of different
// shape follow each other in the same memory, the second is dirty.
func TestPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		lives := make([]life, 1+rng.IntN(40))
		for i := range lives {
			s := kernel.Shape{N: 1, C: 8 * (1 + rng.IntN(3)), H: 1 + rng.IntN(3), W: 1}
			lives[i] = life{shape: s, from: i, to: min(len(lives)-1, i+rng.IntN(6))}
		}
		offset, dirty, total := place(lives)
		for i, a := range lives {
			if offset[i]%16 != 0 || offset[i]+a.shape.Len() > total {
				t.Fatalf("%+v at %d of %d", a, offset[i], total)
			}
			for j, b := range lives[:i] {
				overlap := offset[i] < offset[j]+b.shape.Len() && offset[j] < offset[i]+a.shape.Len()
				if overlap && a.from <= b.to {
					t.Fatalf("%+v and %+v share memory", a, b)
				}
				if overlap && a.shape != b.shape && !dirty[i] && noneBetween(lives, offset, j, i) {
					t.Fatalf("%+v after %+v is not dirty", a, b)
				}
			}
		}
	}
}

// noneBetween reports whether nothing uses the memory of i between j and i.
func noneBetween(lives []life, offset []int, j, i int) bool {
	for k := j + 1; k < i; k++ {
		if offset[k] == offset[i] {
			return false
		}
	}
	return true
}

// Training keeps what the derivative needs; inference keeps almost nothing.
func TestMemoryIsShared(t *testing.T) {
	c := Config{Channels: 1, Classes: 2, Width: 8, Depth: 3}.WithDefaults()
	tr, err := NewTrainer(c, NewParams(c, 1), 1, 64, 64, TrainerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if u := tr.memory; u.shared == 0 || float64(u.shared) > 0.7*float64(u.apart) {
		t.Errorf("training takes %d elements, without sharing %d", u.shared, u.apart)
	}
	q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := q.borrow(shape{1, 64, 64, 64, 64})
	if err != nil {
		t.Fatal(err)
	}
	apart := 0
	for _, v := range a.plan.values {
		apart += v.shape.Len()
	}
	if float64(a.plan.floats) > 0.5*float64(apart) {
		t.Errorf("inference takes %d elements, without sharing %d", a.plan.floats, apart)
	}
	t.Logf("training %+v, inference %d of %d", tr.memory, a.plan.floats, apart)
}

// Recomputing takes less memory and leaves every gradient bit-identical.
func TestRecompute(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector")
	}
	for _, c := range []Config{
		{Norm: NormBatch}, {Norm: NormInstance}, {Norm: NormGroup, Groups: 4}, {Norm: NormBatch, Skip: SkipAdd},
		{Norm: NormBatch, Block: BlockResidual}, {Norm: NormInstance, Block: BlockPreact}, {Norm: NormBatch, Block: BlockDense},
		{Norm: NormBatch, Skip: SkipNested}, {Norm: NormBatch, Attention: true}, {Norm: NormNone},
	} {
		c.Channels, c.Classes, c.Width, c.Depth = 1, 2, 8, 2
		c = c.WithDefaults()
		t.Run(fmt.Sprint(c.Norm, " ", c.Block, " ", c.Skip, " ", c.Attention), func(t *testing.T) {
			var first *Trainer
			for _, again := range []bool{false, true} {
				tr, err := NewTrainer(c, NewParams(c, 1), 2, 32, 32, TrainerOptions{Recompute: again})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = tr.Close() }()
				rng := rand.New(rand.NewPCG(3, 1))
				b := Batch{X: make([]float32, 2*32*32), Y: make([]uint8, 2*32*32)}
				for i := range b.X {
					b.X[i], b.Y[i] = float32(rng.NormFloat64()), uint8(rng.IntN(2))
				}
				for range 2 { // the second run sees what the first left in memory
					if _, err := tr.Step(b, nil); err != nil {
						t.Fatal(err)
					}
				}
				if first == nil {
					first = tr
					continue
				}
				t.Logf("%d bytes, %d with recomputation", first.Bytes(), tr.Bytes())
				if c.Norm == NormNone != (tr.Bytes() == first.Bytes()) || tr.Bytes() > first.Bytes() {
					t.Errorf("%d bytes, %d with recomputation", first.Bytes(), tr.Bytes())
				}
				for i, v := range tr.Learnables() {
					got, err := v.Grad()
					if err != nil {
						t.Fatal(err)
					}
					want, err := first.Learnables()[i].Grad()
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got.Data().([]float32), want.Data().([]float32)) {
						t.Errorf("%s: another gradient", tr.LearnableNames()[i])
					}
				}
			}
		})
	}
}
