package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"segd"
)

// TestCalibration draws pixels that are foreground as often as predicted, and then
// half as often.
func TestCalibration(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	for _, c := range []struct{ factor, ece float64 }{{1, 0}, {0.5, 0.25}} {
		const side = 300
		truth, p := segd.NewMask(side, side), segd.NewTensor(1, 2, side, side)
		for i := range truth.Pix {
			v := rng.Float64()
			p.Plane(0, 0)[i], p.Plane(0, 1)[i] = float32(1-v), float32(v)
			if rng.Float64() < c.factor*v {
				truth.Pix[i] = 1
			}
		}
		truth.Pix[0] = Ignore
		var r Reliability
		if err := r.Add(truth, p); err != nil {
			t.Fatal(err)
		}
		got := r.Calibration()
		var pixels int64
		for _, b := range got.Bins {
			pixels += b.Pixels
		}
		// With 9,000 pixels per bin, the share is off by about 0.005.
		if math.Abs(got.ECE-c.ece) > 0.01 || pixels != side*side-1 {
			t.Errorf("factor %v: %+v with %d pixels, want an error of %v", c.factor, got, pixels, c.ece)
		}
	}
	var r Reliability
	if r.Calibration() != nil {
		t.Error("a calibration without pixels")
	}
	if err := r.Add(segd.NewMask(2, 2), segd.NewTensor(1, 2, 3, 2)); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("other size: %v", err)
	}
}

func TestExpectedDice(t *testing.T) {
	t.Parallel()
	p := segd.NewTensor(1, 2, 1, 4)
	copy(p.Plane(0, 0), []float32{0, 0.2, 0.6, 1})
	copy(p.Plane(0, 1), []float32{1, 0.8, 0.4, 0})
	got := ExpectedDice(mask(4, 1, 1, 1, 0, 0), p)
	if want := 2 * 1.8 / (2.2 + 2); math.Abs(got[1]-want) > 1e-7 {
		t.Errorf("%v, want %v", got[1], want)
	}
	empty := segd.NewTensor(1, 2, 1, 4)
	for i := range 4 {
		empty.Plane(0, 0)[i] = 1
	}
	if got := ExpectedDice(segd.NewMask(4, 1), empty); got[1] != 1 {
		t.Errorf("nothing expected and nothing found: %v, want 1", got[1])
	}
}
