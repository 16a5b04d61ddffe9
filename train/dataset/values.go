package dataset

import (
	"fmt"

	"segd/internal/nifti"

	"segd"
)

// LargestValue limits the labels of a regression, so that their squares and a
// network's computations stay finite.
const LargestValue = 1e15

// ReadLabelValues reads the case's label as width×height values of a regression, with
// NaN for unknown values. The error is segd.ErrFormat for a label of another size,
// segd.ErrUnprocessable for infinite or huge values, and segd.ErrUnsupported if the
// label's plane cannot be determined.
func (c *Case) ReadLabelValues(width, height int) ([]float32, error) {
	return c.valuesOf(c.Label, width, height)
}

// valuesOf is like values, for another file.
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
			return nil, bad(segd.ErrUnsupported, "a volume of values for a DICOM image, want a NIfTI, PNG or TIFF image")
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

// checkValues calls bad for values that are too large, and returns its error.
func checkValues(pix []float32, bad func(kind error, format string, a ...any) error) error {
	for _, v := range pix {
		if v > LargestValue || v < -LargestValue {
			return bad(segd.ErrUnprocessable, "a value beyond ±%g", float64(LargestValue))
		}
	}
	return nil
}

// Spread holds the mean of values and the sum of their squared deviations, updated as
// in Welford 1962 and Chan et al. 1983.
type Spread struct {
	N             int64
	Mean, Squares float64
}

// Add adds the known values, in two passes.
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

// Join adds the values of another spread.
func (s *Spread) Join(o Spread) {
	if o.N == 0 {
		return
	}
	n, d := s.N+o.N, o.Mean-s.Mean
	s.Squares += o.Squares + d*d*float64(s.N)*float64(o.N)/float64(n)
	s.Mean += d * float64(o.N) / float64(n)
	s.N = n
}
