package unet

import (
	"math/rand/v2"
	"testing"

	"segd/internal/kernel"
)

// Activations that are needed at the same time never overlap, and wherever two
// of different shape follow each other the second is dirty.
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

// noneBetween reports whether nothing takes the memory of i between j and i.
func noneBetween(lives []life, offset []int, j, i int) bool {
	for k := j + 1; k < i; k++ {
		if offset[k] == offset[i] {
			return false
		}
	}
	return true
}

// Training keeps what the derivative needs, inference nearly nothing.
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
