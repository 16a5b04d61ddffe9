package train

import (
	"math"
	"slices"
	"testing"

	"segd"
	"segd/train/dataset"
)

func TestPlanFitsTheData(t *testing.T) {
	ids := make([]string, 100)
	for name, tt := range map[string]struct {
		h, w, training           int
		patchH, patchW           int
		depth, batch, batchLimit int
	}{
		"large":  {520, 696, 100, 192, 192, 4, 6, 6},
		"small":  {64, 64, 12, 64, 64, 3, 2, 2},
		"few":    {960, 999, 14, 192, 192, 4, 6, 6},
		"flat":   {40, 300, 100, 40, 192, 2, 16, 16},
		"narrow": {270, 100, 100, 192, 104, 3, 11, 11},
		"minute": {9, 9, 2, 10, 10, 1, 2, 2},
	} {
		f := Fingerprint{Channels: 1, Classes: 2, MedianHeight: tt.h, MedianWidth: tt.w}
		p, err := newPlan(Options{}, f, ids[:tt.training], nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.PatchHeight != tt.patchH || p.PatchWidth != tt.patchW || p.Network.Depth != tt.depth || p.Batch != tt.batch {
			t.Errorf("%s: patch %d×%d depth %d batch %d, want %d×%d, %d, %d", name, p.PatchHeight, p.PatchWidth, p.Network.Depth, p.Batch, tt.patchH, tt.patchW, tt.depth, tt.batch)
		}
	}
}

func TestThicknesses(t *testing.T) {
	m := segd.NewMask(200, 200)
	for y := range 200 {
		for x := range 200 {
			switch dy, dx := float64(y)-59.5, float64(x)-59.5; {
			case dy*dy+dx*dx < 40*40:
				m.Pix[y*200+x] = 1
			case y >= 150 && y < 156:
				m.Pix[y*200+x] = 3
			}
		}
	}
	got := thicknesses(m)
	// The diameter of the disc. For the band, twice its width divided by the mean
	// length of a pixel edge, because a straight line along the grid has no steps.
	if got[2] != 0 || math.Abs(got[1]-80) > 1 || math.Abs(got[3]-12/(math.Pi/4)) > 0.01 {
		t.Errorf("thickness %v, want 80 for the disc and 15.3 for the band", got[1:4])
	}
}

// The regions of a class count if enough cases contain it and none has many.
func TestFingerprintCountsRegions(t *testing.T) {
	for _, tt := range []struct {
		cases, spots int
		want         []int
	}{{29, 1, []int{0, 0}}, {30, 1, []int{1, 0}}, {40, 2, []int{2, 0}}, {40, 3, []int{0, 0}}} {
		list := make([]facts, tt.cases)
		for i := range list {
			mask := segd.NewMask(16, 16)
			for s := range tt.spots {
				mask.Pix[5*s] = 1
			}
			list[i] = factsOf(classTarget{}, &dataset.Case{}, dataset.Sample{Image: &segd.Image{Width: 16, Height: 16, Channels: 1, Pix: make([]float32, 256)}, Mask: mask})
		}
		if got := fingerprint(make([]dataset.Case, tt.cases), list, dataset.Meaning{}, 3).Regions; !slices.Equal(got, tt.want) {
			t.Errorf("%d cases of %d regions: %v, want %v", tt.cases, tt.spots, got, tt.want)
		}
	}
}

// Images of thick structures are resampled and seen whole by a network that is deeper
// but not wider.
func TestPlanOfThickStructures(t *testing.T) {
	ids := make([]string, 100)
	for _, tt := range []struct {
		thickness            float64
		h, w                 int
		side, patchH, patchW int
		depth, maxWidth      int
	}{
		{99, 512, 512, 0, 192, 192, 4, 0},
		{160, 512, 512, 256, 256, 256, 5, 128},
		{200, 270, 400, 160, 112, 160, 3, 0},
		{1000, 3000, 2000, 256, 256, 176, 4, 0},
	} {
		p, err := newPlan(Options{}, Fingerprint{Channels: 1, Classes: 2, MedianHeight: tt.h, MedianWidth: tt.w, Thickness: tt.thickness}, ids, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.Recipe.LongSide != tt.side || p.PatchHeight != tt.patchH || p.PatchWidth != tt.patchW || p.Network.Depth != tt.depth || p.Network.MaxWidth != tt.maxWidth {
			t.Errorf("%g pixels thick: long side %d, patch %d×%d, depth %d, at most %d channels; want %d, %d×%d, %d, %d", tt.thickness,
				p.Recipe.LongSide, p.PatchHeight, p.PatchWidth, p.Network.Depth, p.Network.MaxWidth, tt.side, tt.patchH, tt.patchW, tt.depth, tt.maxWidth)
		}
	}
}

// Validation takes about its share of the work, runs at least six times per training
// unless that costs too much, and depends only on sizes.
func TestValidationInterval(t *testing.T) {
	p, err := newPlan(Options{}, Fingerprint{Channels: 1, Classes: 2, MedianHeight: 256, MedianWidth: 256}, make([]string, 60), nil)
	if err != nil {
		t.Fatal(err)
	}
	step := 3 * float64(p.Batch) * p.Network.GFLOP(p.PatchHeight, p.PatchWidth)
	for _, tt := range []struct {
		steps int
		work  float64
		want  int
	}{{1000, 0.1 * step, 10}, {1000, 5 * step, 50}, {60, 5 * step, 20}, {60, 0, 10}, {30, 0, 5}, {3, 100 * step, 3}, {1, 0, 1}} {
		if got := p.interval(tt.steps, tt.work); got != tt.want {
			t.Errorf("%d steps, validation costs %.1f steps: every %d, want %d", tt.steps, tt.work/step, got, tt.want)
		}
	}
}
