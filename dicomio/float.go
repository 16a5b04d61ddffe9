package dicomio

import (
	"encoding/binary"
	"math"

	"segd"
	"segd/dicomio/tag"
)

// floatValue returns value i of a floating-point frame at the precision of the
// file.
func (l *layout) floatValue(raw []byte, i int) float64 {
	if l.allocated == 64 {
		return math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
}

// floatImage converts a frame of Float or Double Float Pixel Data (PS3.3
// C.7.6.24 and C.7.6.25) to an Image. Values that are not finite, or do not fit
// in float32, are padding and get the lowest of the other values.
func (s *scan) floatImage(l *layout, raw []byte, g *grading) *segd.Image {
	n := l.rows * l.cols
	img := &segd.Image{
		Width: l.cols, Height: l.rows, Channels: 1, Pix: make([]float32, n),
		Spacing: g.spacing, Display: g.display,
	}
	slope, intercept := g.slope, g.intercept
	if g.turn {
		slope, intercept = -slope, -intercept
	}
	outside := func(i int) {
		if img.Padding == nil {
			img.Padding = make([]bool, n)
		}
		img.Padding[i] = true
	}
	lowest := float32(math.Inf(1))
	for i := range img.Pix {
		v := l.floatValue(raw, i)
		x := float32(v*slope + intercept)
		finite := !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0)
		if !finite {
			x = float32(math.NaN())
		}
		if !finite || s.floatPadding.set && v >= s.floatPadding.low && v <= s.floatPadding.high {
			outside(i)
		} else {
			lowest = min(lowest, x)
		}
		img.Pix[i] = x
	}
	if math.IsInf(float64(lowest), 1) {
		lowest = 0
	}
	for i, v := range img.Pix {
		if v != v {
			img.Pix[i] = lowest
		}
	}
	return img
}

// floatRange is the counterpart of paddingRange for floating-point values.
type floatRange struct {
	set       bool
	low, high float64
}

// readFloatPadding reads FloatPixelPaddingValue or its double, and the limit
// of the range (PS3.3 C.7.6.24.1.1).
func (s *scan) readFloatPadding() error {
	value, limit := uint32(tag.FloatPixelPaddingValue), uint32(tag.FloatPixelPaddingRangeLimit)
	if s.pixels.allocated == 64 {
		value, limit = tag.DoubleFloatPixelPaddingValue, tag.DoubleFloatPixelPaddingRangeLimit
	}
	low, err := s.header.root.floats(value)
	if err != nil || len(low) == 0 {
		return err
	}
	high, err := s.header.root.floats(limit)
	if err != nil {
		return err
	}
	if len(high) == 0 {
		high = low
	}
	s.floatPadding = floatRange{set: true, low: min(low[0], high[0]), high: max(low[0], high[0])}
	return nil
}
