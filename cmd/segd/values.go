package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"

	"segd"
	"segd/internal/overlay"
	"segd/internal/segment"
	"segd/models"
)

// values writes what a model of values gives of frame i to path.
func (b *batch) values(ctx context.Context, m *models.Model, img *segd.Image, i int, path string) (*frameResult, []string, error) {
	r, err := segment.Values(ctx, m, b.pool, img, b.options)
	if err != nil {
		return nil, nil, err
	}
	picture, cut := valueImage(r.Values, img.Width, img.Height)
	if cut > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("values below 0 or above %d were cut off", math.MaxUint16))
	}
	if err := b.write(path, func(w io.Writer) error { return overlay.EncodePNG(w, picture) }); err != nil {
		return nil, nil, err
	}
	return &frameResult{Frame: i + 1, Width: img.Width, Height: img.Height, Steps: r.Steps, Warnings: r.Warnings}, []string{path}, nil
}

// valueImage rounds values to 16 bits and counts those that had to be cut off by
// more than rounding.
func valueImage(values []float32, width, height int) (m *image.Gray16, cut int) {
	m = image.NewGray16(image.Rect(0, 0, width, height))
	for i, v := range values {
		r := math.Round(float64(v))
		if !(r >= 0 && r <= math.MaxUint16) { // NaN too
			cut++
			r = max(0, min(r, math.MaxUint16))
			if r != r {
				r = 0
			}
		}
		m.SetGray16(i%width, i/width, color.Gray16{Y: uint16(r)})
	}
	return m, cut
}
