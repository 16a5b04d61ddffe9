package segd

import (
	"math"
	"testing"
)

func TestAffineInverse(t *testing.T) {
	m := Affine{{0.5, 0.1, 0, -20}, {0, 0, 3, 7}, {0.2, -0.7, 0.4, 1}}
	inverse, ok := m.Inverse()
	if !ok {
		t.Fatal("no inverse")
	}
	want := [3]float64{3, -2, 11.5}
	got := inverse.Apply(m.Apply(want))
	for r := range 3 {
		if math.Abs(got[r]-want[r]) > 1e-9 {
			t.Errorf("back at %v, want %v", got, want)
		}
	}
	if m.RAS().RAS() != m {
		t.Error("RAS twice is not the same map")
	}
	if _, ok := (Affine{{1, 0, 0, 0}, {1, 0, 0, 0}, {0, 0, 1, 0}}).Inverse(); ok {
		t.Error("a flat map has an inverse")
	}
}

func TestAffineSheared(t *testing.T) {
	upright := Affine{{0, 0, 2, 0}, {-0.7, 0, 0, 0}, {0, 0.7, 0, 0}}
	if sheared, _ := upright.Sheared(); sheared {
		t.Error("right angles are called sheared")
	}
	tilted := Affine{{1, 0, 0, 0}, {0, 1, 3 * math.Tan(0.1), 0}, {0, 0, 3, 0}}
	if sheared, cosine := tilted.Sheared(); !sheared || math.Abs(cosine-math.Sin(0.1)) > 1e-9 {
		t.Errorf("a tilt of 0.1 rad: %v, cosine %v", sheared, cosine)
	}
}
