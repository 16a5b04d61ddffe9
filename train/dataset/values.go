package dataset

import (
	"fmt"

	"segd/internal/nifti"

	"segd"
)

// LargestValue bounds the labels of a regression: their squares and what a
// network makes of them stay finite.
const LargestValue = 1e15

// ReadLabelValues reads the case's label as the values of a regression, width×height of
// them; NaN where one is not known. A label of another size is segd.ErrFormat, one
// that holds an infinite or a huge value segd.ErrUnprocessable, and one of which
// the plane cannot be told segd.ErrUnsupported.
func (c *Case) ReadLabelValues(width, height int) ([]float32, error) {
	return c.valuesOf(c.Label, width, height)
}

// valuesOf is values of another file.
func (c *Case) valuesOf(path string, width, height int) ([]float32, error) {
	o, err := c.opener().open(path, asValues)
	if err != nil {
		return nil, err
	}
	bad := func(kind error, format string, a ...any) error {
		return fmt.Errorf("train: values %s: %w: %s", c.Where(path), kind, fmt.Sprintf(format, a...))
	}
	var img *segd.Image
	if nifti.HeaderOf(o.scan) != nil {
		image, err := c.opener().open(c.Image, asImage)
		if err != nil {
			return nil, err
		}
		if image.scan.Format == "dicom" {
			return nil, bad(segd.ErrUnsupported, "a volume of values for a DICOM image, want an image of NIfTI, PNG or TIFF")
		}
		img, err = c.like(path, asValues)
		if err != nil {
			return nil, fmt.Errorf("train: values %s: %w", c.Where(path), err)
		}
	} else {
		frame, err := c.page(path, o.scan.Frames)
		if err != nil {
			return nil, &SizeError{fmt.Errorf("train: values %s: %w", c.Where(path), err)}
		}
		if img, err = o.scan.Frame(frame); err != nil {
			return nil, fmt.Errorf("train: values %s: %w", c.Where(path), err)
		}
	}
	if img.Width != width || img.Height != height {
		return nil, &SizeError{bad(segd.ErrFormat, "%d×%d pixels, its image %s has %d×%d", img.Width, img.Height, c.Image, width, height)}
	}
	return img.Pix, checkValues(img.Pix, bad)
}

// checkValues returns what bad makes of values that are too large.
func checkValues(pix []float32, bad func(kind error, format string, a ...any) error) error {
	for _, v := range pix {
		if v > LargestValue || v < -LargestValue {
			return bad(segd.ErrUnprocessable, "a value beyond ±%g", float64(LargestValue))
		}
	}
	return nil
}

// Spread is the mean of values and the sum of their squared distances from it,
// as Welford 1962 and Chan et al. 1983 join them.
type Spread struct {
	N             int64
	Mean, Squares float64
}

// Add takes in the values that are known, in two passes.
func (s *Spread) Add(values []float32) {
	var o Spread
	for _, v := range values {
		if v == v {
			o.N++
			o.Mean += float64(v)
		}
	}
	if o.N == 0 {
		return
	}
	o.Mean /= float64(o.N)
	for _, v := range values {
		if v == v {
			d := float64(v) - o.Mean
			o.Squares += d * d
		}
	}
	s.Join(o)
}

// Join takes in the values that another spread has taken in.
func (s *Spread) Join(o Spread) {
	if o.N == 0 {
		return
	}
	n, d := s.N+o.N, o.Mean-s.Mean
	s.Squares += o.Squares + d*d*float64(s.N)*float64(o.N)/float64(n)
	s.Mean += d * float64(o.N) / float64(n)
	s.N = n
}
