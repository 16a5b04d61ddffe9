package dataset

import (
	"errors"
	"fmt"
	"slices"

	"segd"
	"segd/internal/nifti"
	"segd/internal/orient"
	"segd/internal/scanio"
)

// Sample is a case as stored in its files.
type Sample struct {
	Image  *segd.Image
	Mask   *segd.Mask // labels that are classes; else nil
	Values []float32  // labels that are values, a number for each pixel, NaN if unknown; else nil
}

// ReadClasses reads image and label of a case, the label as class indices. A label
// whose size differs from its image is segd.ErrFormat. Other errors are those of the
// readers.
func (c *Case) ReadClasses() (Sample, error) {
	img, err := c.ReadImage()
	if err != nil {
		return Sample{}, err
	}
	mask, err := c.ReadMask()
	if errors.Is(err, segd.ErrUnprocessable) {
		return Sample{}, fmt.Errorf("%w; segd check lists all such labels, and distinguishes values (train with --head regression) from damaged masks", err)
	}
	if err != nil {
		return Sample{}, err
	}
	if img.Width != mask.Width || img.Height != mask.Height {
		return Sample{}, fmt.Errorf("train: label %s: %w: %d×%d pixels, its image %s has %d×%d",
			c.Where(c.Label), segd.ErrFormat, mask.Width, mask.Height, c.Image, img.Width, img.Height)
	}
	return Sample{Image: img, Mask: mask}, nil
}

// ReadValues reads image and label of a case, the label as values. The errors are
// those of ReadLabelValues.
func (c *Case) ReadValues() (Sample, error) {
	img, err := c.ReadImage()
	if err != nil {
		return Sample{}, err
	}
	values, err := c.ReadLabelValues(img.Width, img.Height)
	return Sample{Image: img, Values: values}, err
}

// Upright turns a sample of the case as its image is to be shown, which is how a network
// sees it (segd.Scan.Orientation); s itself where it is stored so.
func (c *Case) Upright(s Sample) (Sample, error) {
	scan, err := c.Scan()
	if err != nil || !orient.IsTurned(scan.Orientation) {
		return s, err
	}
	if s.Values != nil {
		values := &segd.Image{Width: s.Image.Width, Height: s.Image.Height, Channels: 1, Pix: s.Values}
		if values, err = orient.UprightImage(scan.Orientation, values); err != nil {
			return s, err
		}
		s.Values = values.Pix
	}
	if s.Mask != nil {
		if s.Mask, err = orient.UprightMask(scan.Orientation, s.Mask); err != nil {
			return s, err
		}
	}
	s.Image, err = orient.UprightImage(scan.Orientation, s.Image)
	return s, err
}

// The range of air in Hounsfield units, and of the padding that scanners write
// outside their field of view.
const (
	airLow  = -3100
	airHigh = -900
)

// Calibrated reports whether the values of the case's image are Hounsfield units. It
// judges by the data set, the file or the values themselves.
func (c *Case) Calibrated(img *segd.Image) bool {
	return img.Channels == 1 && (c.calibrated || c.hounsfield(img))
}

// hounsfield reports whether a case's values are Hounsfield units. It judges a DICOM
// file by its modality, and a NIfTI volume by the air around the patient.
func (c *Case) hounsfield(img *segd.Image) bool {
	o, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return false
	}
	switch {
	case o.scan.Format == "dicom":
		return o.scan.Modality == "CT"
	case nifti.HeaderOf(o.scan) != nil:
		low := slices.Min(img.Pix)
		return low >= airLow && low <= airHigh
	}
	return false
}

// Affine returns the position of the case's image in the patient. It is nil if the
// position is not known or the file cannot be read.
func (c *Case) Affine() *segd.Affine {
	o, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return nil
	}
	return o.scan.Affine
}

// Scan opens the image of the case with all its frames, including those of other
// cases.
func (c *Case) Scan() (*segd.Scan, error) { return c.opener().join(c.Image, c.More) }

// Close releases the files that the cases of the data set have open. They are
// reopened when needed.
func (c *Case) Close() { c.opener().close() }

// LabelPicture returns the file of the case's label and the case's page in it if the
// label is a picture. It returns nil for a volume or a segmentation.
func (c *Case) LabelPicture() (file []byte, page int, err error) {
	if o, err := c.opener().open(c.Label, asMask); err == nil && (o.labels == nil || o.labels.Format != "png" && o.labels.Format != "tiff") {
		return nil, 0, nil
	}
	b, err := readFile(c.Label)
	if err != nil {
		return nil, 0, err
	}
	pages, err := scanio.Frames(b)
	if err != nil {
		return nil, 0, fmt.Errorf("train: mask %s: %w", c.Label, err)
	}
	if page, err = c.page(c.Label, pages); err != nil {
		return nil, 0, fmt.Errorf("train: mask %s: %w", c.Where(c.Label), err)
	}
	return b, page, nil
}

// SizeError reports that a label and its image differ in size.
type SizeError struct{ error }

func (e *SizeError) Unwrap() error { return e.error }
