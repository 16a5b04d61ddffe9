package dataset

import (
	"errors"
	"fmt"
	"slices"

	"segd"
	"segd/internal/nifti"
	"segd/internal/scanio"
)

// Sample is a case as its files hold it.
type Sample struct {
	Image  *segd.Image
	Mask   *segd.Mask // of labels that are classes; else nil
	Values []float32  // of labels that are values, a number for each pixel, NaN where it is not known; else nil
}

// ReadClasses reads image and label of a case, the label as class indices. One of
// another size than its image is segd.ErrFormat; other errors are those of the
// readers.
func (c *Case) ReadClasses() (Sample, error) {
	img, err := c.ReadImage()
	if err != nil {
		return Sample{}, err
	}
	mask, err := c.ReadMask()
	if errors.Is(err, segd.ErrUnprocessable) {
		return Sample{}, fmt.Errorf("%w; segd check names all such labels, and tells values, which --head regression is for, from spoilt masks", err)
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

// Air in Hounsfield units, or what scanners write around their field of view.
const (
	airLow  = -3100
	airHigh = -900
)

// Calibrated reports whether the values of the case's image are Hounsfield units, as
// the data set, the file or the values themselves tell.
func (c *Case) Calibrated(img *segd.Image) bool {
	return img.Channels == 1 && (c.calibrated || c.hounsfield(img))
}

// hounsfield reports whether a case's values are Hounsfield units: a DICOM file
// says so by its modality; of a NIfTI volume it shows by the air around the
// patient.
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

// Affine is where the case's image lies in the patient; nil where that is not known or
// the file cannot be read.
func (c *Case) Affine() *segd.Affine {
	o, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return nil
	}
	return o.scan.Affine
}

// Scan opens the image of the case, with all its frames: those of other cases too.
func (c *Case) Scan() (*segd.Scan, error) { return c.opener().join(c.Image, c.More) }

// Close lets go of the files that the cases of the data set have open. They are
// opened again where they are needed.
func (c *Case) Close() { c.opener().close() }

// LabelPicture returns the file of the case's label where it is a picture, with the
// page that is the case's; nil where it is a volume or a segmentation.
func (c *Case) LabelPicture() (file []byte, page int, err error) {
	if o, err := c.opener().open(c.Label, asMask); err == nil && o.labels.Format != "png" && o.labels.Format != "tiff" {
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

// SizeError says that a label is not of its image's size.
type SizeError struct{ error }

func (e *SizeError) Unwrap() error { return e.error }
