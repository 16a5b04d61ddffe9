package scanio

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

	"segd"
)

// discs draws discs of each level, from the first one as background.
func discs(levels ...uint8) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, 96, 64))
	for i := range m.Pix {
		x, y := i%96, i/96
		m.Pix[i] = levels[0]
		for k, v := range levels[1:] {
			if dx, dy := x-20-27*k, y-30; dx*dx+dy*dy < 150 {
				m.Pix[i] = v
			}
		}
	}
	return m
}

// TestJPEGLabels reads masks in JPEG whose levels can still be told apart, exactly, and
// refuses others.
func TestJPEGLabels(t *testing.T) {
	t.Parallel()
	encode := func(m image.Image, quality int) []byte {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	colour := image.NewRGBA(image.Rect(0, 0, 96, 64))
	grey := image.NewRGBA(colour.Rect)
	for i, v := range discs(0, 255).Pix {
		grey.Set(i%96, i/96, color.Gray{Y: v})
		colour.Set(i%96, i/96, color.RGBA{R: v, A: 255})
	}
	ramp := image.NewGray(colour.Rect)
	noise := image.NewGray(colour.Rect)
	for i := range ramp.Pix {
		ramp.Pix[i], noise.Pix[i] = uint8(i%96*2), uint8(i*i%251)
	}
	for name, tt := range map[string]struct {
		m       image.Image
		quality int
		want    []uint8 // nil: refused
		text    string
	}{
		"0 and 255":        {discs(0, 255), 75, discs(0, 255).Pix, "0 or 255"},
		"as colours":       {grey, 80, discs(0, 255).Pix, "0 or 255"},
		"white ground":     {discs(255, 0), 90, discs(255, 0).Pix, "0 or 255"},
		"nearly 0 and 255": {discs(3, 250), 90, discs(0, 255).Pix, "0 or 255"},
		"three levels":     {discs(0, 128, 255), 90, discs(0, 128, 255).Pix, "0 or 128 or 255"},
		"nothing":          {discs(0), 75, discs(0).Pix, "it lies near, 0"},
		"class indices":    {discs(0, 1, 2), 95, nil, "no separate levels"},
		"indices and 255":  {discs(0, 3, 255), 90, nil, "too close to tell apart"},
		"one odd value":    {discs(100), 90, nil, "no separate levels"},
		"close levels":     {discs(0, 60, 120, 180), 30, nil, "level"},
		"quality of 10":    {discs(0, 255), 10, nil, "PNG"},
		"a gradient":       {ramp, 90, nil, "no separate levels"},
		"colours":          {colour, 90, nil, "colour"},
		"a picture":        {noise, 90, nil, "no separate levels"},
	} {
		l, err := ReadLabels(encode(tt.m, tt.quality))
		if tt.want == nil {
			if !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := l.Mask(0)
		if err != nil || !slices.Equal(m.Pix, tt.want) {
			t.Errorf("%s: another mask, %v", name, err)
		}
		if len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], tt.text) {
			t.Errorf("%s: warnings %q", name, l.Warnings)
		}
	}
}
