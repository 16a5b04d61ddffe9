package preprocess

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

// TestMargin gives a small image a margin of its lowest value, which counts in
// the statistics, and takes it off the results again.
func TestMargin(t *testing.T) {
	t.Parallel()
	r := Recipe{Channels: 1, Normalise: ZScore, MinWidth: 5, MinHeight: 3}
	img := grey(2, 2, 4, 8, 6, 6)
	padded := grey(5, 3,
		4, 4, 8, 4, 4,
		4, 6, 6, 4, 4,
		4, 4, 4, 4, 4)
	padded.Pix[1] = 4
	x, p := apply(t, r, img)
	want, _ := apply(t, Recipe{Channels: 1, Normalise: ZScore}, padded)
	if diff := cmp.Diff(want, x); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p != (Placement{Width: 2, Height: 2, GridWidth: 5, GridHeight: 3, Margin: true}) {
		t.Errorf("%+v", p)
	}
	back, err := p.ToImage(&segd.Tensor{N: 1, C: 1, H: 3, W: 5, Data: padded.Pix})
	if err != nil || cmp.Diff(img.Pix, back.Data) != "" {
		t.Errorf("back: %v, %v", back, err)
	}
	grid, err := p.ToGrid(back)
	if err != nil || grid.Data[1] != 4 || grid.Data[7] != 6 || !math.IsNaN(float64(grid.Data[0])) || !math.IsNaN(float64(grid.Data[14])) {
		t.Errorf("on the grid: %v, %v", grid, err)
	}
	m := &segd.Mask{Width: 2, Height: 2, Pix: []uint8{1, 2, 3, 4}}
	labels, err := p.Labels(m)
	if err != nil || cmp.Diff([]uint8{0, 1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0}, labels.Pix) != "" {
		t.Errorf("labels: %v, %v", labels, err)
	}
	if got, err := p.Mask(labels); err != nil || cmp.Diff(m, got) != "" {
		t.Errorf("mask: %v, %v", got, err)
	}
}

// TestMarginPadding leaves padding and what is not finite out of the lowest value,
// and pads one side where the other is long enough.
func TestMarginPadding(t *testing.T) {
	t.Parallel()
	img := grey(3, 1, -2000, 5, 7)
	img.Padding = []bool{true, false, false}
	x, p := apply(t, Recipe{Channels: 1, Normalise: MinMax, MinWidth: 2, MinHeight: 2}, img)
	if diff := cmp.Diff([]float32{0, 0, 1, 0, 0, 0}, x.Data); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.GridWidth != 3 || p.GridHeight != 2 {
		t.Errorf("%+v", p)
	}
	if _, p = apply(t, Recipe{Channels: 1, Normalise: MinMax, MinWidth: 3, MinHeight: 1}, img); !p.Identity() {
		t.Errorf("an image that is large enough: %+v", p)
	}
	for _, r := range []Recipe{
		{Channels: 1, Normalise: MinMax, MinWidth: -1}, {Channels: 1, Normalise: MinMax, MinHeight: maxLongSide + 1},
		{Channels: 1, Normalise: MinMax, MinHeight: 4, SpacingMM: 1}, {Channels: 1, Normalise: MinMax, MinWidth: 4, LongSide: 9},
	} {
		if err := r.Validate(); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
