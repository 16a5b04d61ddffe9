package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"segd"
)

// drawn makes a mask from rows of digits.
func drawn(rows ...string) *segd.Mask {
	m := segd.NewMask(len(rows[0]), len(rows))
	for y, row := range rows {
		for x := range row {
			m.Pix[y*m.Width+x] = row[x] - '0'
		}
	}
	return m
}

func TestSurfaces(t *testing.T) {
	t.Parallel()
	square := drawn("0000000", "0111000", "0111000", "0111000", "0000000")
	for _, c := range []struct {
		name             string
		predicted        *segd.Mask
		row, col, within float64
		hd95, nsd        float64
	}{
		{"same", square, 1, 1, 0, 0, 1},
		{"two to the right", drawn("0000000", "0001110", "0001110", "0001110", "0000000"), 1, 1, 1, 2, 10.0 / 16},
		{"two to the right, in mm", drawn("0000000", "0001110", "0001110", "0001110", "0000000"), 1, 0.5, 1, 1, 1},
		{"one down, anisotropic", drawn("0000000", "0000000", "0111000", "0111000", "0111000"), 3, 1, 1, 3, 10.0 / 16},
		{"nothing predicted", segd.NewMask(7, 5), 1, 1, 1, math.NaN(), 0},
	} {
		got, err := Surfaces(square, c.predicted, 2, c.row, c.col, c.within)
		if err != nil {
			t.Fatal(err)
		}
		if s := got[1]; math.Abs(s.NSD-c.nsd) > 1e-12 || !(math.Abs(s.HD95-c.hd95) < 1e-12 || math.IsNaN(s.HD95) && math.IsNaN(c.hd95)) {
			t.Errorf("%s: %+v, want HD95 %v and NSD %v", c.name, s, c.hd95, c.nsd)
		}
	}
	got, err := Surfaces(segd.NewMask(3, 3), segd.NewMask(3, 3), 2, 1, 1, 1)
	if err != nil || got[1] != (Surface{0, 1}) {
		t.Errorf("both empty: %+v, %v", got, err)
	}
	if _, err := Surfaces(square, segd.NewMask(3, 3), 2, 1, 1, 1); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("other size: %v", err)
	}
}

func TestSurfacesLeaveOpenPixelsOut(t *testing.T) {
	t.Parallel()
	truth, predicted := drawn("01100", "01100"), drawn("01110", "01110")
	truth.Pix[3], truth.Pix[8] = Ignore, Ignore
	got, err := Surfaces(truth, predicted, 2, 1, 1, 0)
	if err != nil || got[1] != (Surface{0, 1}) {
		t.Errorf("%+v, %v, want no distance", got, err)
	}
}

// TestSurfacesPlainly compares with the definition, written as plain loops.
func TestSurfacesPlainly(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 1))
	for range 200 {
		w, h := 1+rng.IntN(14), 1+rng.IntN(14)
		row, col, within := 0.2+rng.Float64(), 0.2+rng.Float64(), rng.Float64()
		a, b := segd.NewMask(w, h), segd.NewMask(w, h)
		density := rng.Float64()
		for i := range a.Pix {
			if rng.Float64() < density {
				a.Pix[i] = uint8(rng.IntN(3))
			}
			if rng.Float64() < density {
				b.Pix[i] = uint8(rng.IntN(3))
			}
		}
		got, err := Surfaces(a, b, 3, row, col, within)
		if err != nil {
			t.Fatal(err)
		}
		for k := uint8(1); k < 3; k++ {
			pa, pb := outline(a, k), outline(b, k)
			if len(pa) == 0 || len(pb) == 0 {
				continue
			}
			near, worst := 0, 0.0
			for _, way := range [][2][]point{{pa, pb}, {pb, pa}} {
				var all []float64
				for _, p := range way[0] {
					d := math.Inf(1)
					for _, q := range way[1] {
						d = min(d, math.Hypot(row*float64(p.y-q.y), col*float64(p.x-q.x)))
					}
					if d <= within {
						near++
					}
					all = append(all, d)
				}
				worst = max(worst, percentile(all, 95))
			}
			want := Surface{worst, float64(near) / float64(len(pa)+len(pb))}
			// The transform adds squares, so only rounding may differ.
			if math.Abs(got[k].HD95-want.HD95) > 1e-9 || math.Abs(got[k].NSD-want.NSD) > 1e-9 {
				t.Fatalf("%d×%d, class %d: %+v, want %+v", w, h, k, got[k], want)
			}
		}
	}
}
