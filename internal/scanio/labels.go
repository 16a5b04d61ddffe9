package scanio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"

	"segd"
	"segd/dicomio"
	"segd/internal/nifti"
)

// Labels is a file of class indices: a mask, or one for each frame of an image.
// It may be used from several goroutines.
type Labels struct {
	Format        string // "png", "tiff", "nifti" or "dicom"
	Width, Height int
	Frames        int // masks (of a TIFF its pages), or frames of a DICOM Segmentation

	// Mask returns mask i, counted from 0, which is a mask of its own; nil for a
	// DICOM Segmentation, whose frames are those of an image.
	Mask func(i int) (*segd.Mask, error)
	// SEG is the segmentation of a DICOM file, Volume the volume of a volume file;
	// nil otherwise.
	SEG    *dicomio.Segmentation
	Volume *nifti.Volume
	// Palette is that of a picture, of its first page, whose indices the classes
	// are; nil where there is none.
	Palette []color.NRGBA
	// Warnings are what a user should know about how the values were read.
	Warnings []string
}

// ReadLabels is ReadLabelsWith of a file alone.
func ReadLabels(b []byte) (*Labels, error) { return ReadLabelsWith(b, Options{}) }

// ReadLabelsWith reads a label image (PNG or TIFF, see ReadMask; a mask for each page of the
// latter), a volume of
// whole numbers, or a DICOM Segmentation. b must not change while the result is
// in use. The errors are those of ReadMask and of the formats' readers; a mask
// whose values are no class indices is segd.ErrUnprocessable.
func ReadLabelsWith(b []byte, o Options) (*Labels, error) {
	f, b, err := known(b)
	switch {
	case err != nil:
		return nil, err
	case f.open != nil:
		v, err := f.open(b, o.Beside)
		if err != nil {
			return nil, err
		}
		return volumeLabels(f.kind, v), nil
	case f.labels == nil:
		return nil, fmt.Errorf("scanio: %w: %s as a label, want %s", segd.ErrUnsupported, f.name, ReadableLabels())
	}
	return f.labels(b)
}

// ReadMask returns the class indices of the first mask of a label image, without any
// scaling. The errors are those of ReadLabels; a DICOM Segmentation, whose masks belong
// to the frames of an image, is segd.ErrUnsupported.
func ReadMask(b []byte) (*segd.Mask, error) {
	l, err := ReadLabels(b)
	switch {
	case err != nil:
		return nil, err
	case l.Mask == nil:
		return nil, fmt.Errorf("scanio: %w: a DICOM Segmentation has no masks of its own", segd.ErrUnsupported)
	}
	return l.Mask(0)
}

// volumeLabels are the planes of a volume of whole numbers.
func volumeLabels(kind Kind, v *nifti.Volume) *Labels {
	return &Labels{Format: string(kind), Width: v.Width, Height: v.Height, Frames: v.Planes(), Volume: v, Mask: func(i int) (*segd.Mask, error) {
		if i < 0 || i >= v.Planes() {
			return nil, fmt.Errorf("scanio: %w: plane %d of %d", segd.ErrNotFound, i+1, v.Planes())
		}
		return v.Labels(i)
	}}
}

func readDICOMLabels(b []byte) (*Labels, error) {
	s, err := dicomio.ReadSEG(b)
	if err != nil {
		return nil, err
	}
	return &Labels{Format: "dicom", Width: s.Cols, Height: s.Rows, Frames: len(s.Frames), SEG: s}, nil
}

// paletteOf is the palette of an image; nil where it has none.
func paletteOf(m image.Image) (colours []color.NRGBA) {
	p, ok := m.(*image.Paletted)
	if !ok {
		return nil
	}
	for _, c := range p.Palette {
		colours = append(colours, color.NRGBAModel.Convert(c).(color.NRGBA))
	}
	return colours
}

// pictureLabels are the class indices of a picture whose samples have depth bits.
func pictureLabels(format string, m image.Image, depth uint8) (*Labels, error) {
	mask, err := maskOf(m, depth)
	if err != nil {
		return nil, err
	}
	l := oneMask(format, mask)
	l.Palette = paletteOf(m)
	return l, nil
}

func oneMask(format string, m *segd.Mask) *Labels {
	return &Labels{Format: format, Width: m.Width, Height: m.Height, Frames: 1, Mask: func(i int) (*segd.Mask, error) {
		if i != 0 {
			return nil, fmt.Errorf("scanio: %w: mask %d of 1", segd.ErrNotFound, i+1)
		}
		return &segd.Mask{Width: m.Width, Height: m.Height, Pix: bytes.Clone(m.Pix)}, nil
	}}
}

// maskOf returns the class indices of a decoded label image, whose samples have
// depth bits.
func maskOf(m image.Image, depth uint8) (*segd.Mask, error) {
	b := m.Bounds()
	mask := segd.NewMask(b.Dx(), b.Dy())
	row := func(pix []uint8, stride, y int) []uint8 { return pix[y*stride:][:mask.Width] }
	for y := range mask.Height {
		dst := row(mask.Pix, mask.Width, y)
		switch m := m.(type) {
		case *image.Paletted:
			copy(dst, row(m.Pix, m.Stride, y))
		case *image.Gray:
			copy(dst, row(m.Pix, m.Stride, y))
			unscale(dst, depth)
		case *image.Gray16:
			for x := range dst {
				v := binary.BigEndian.Uint16(m.Pix[y*m.Stride+2*x:])
				if v > 255 {
					return nil, fmt.Errorf("scanio: %w: label value %d is above 255", segd.ErrUnprocessable, v)
				}
				dst[x] = uint8(v)
			}
		default:
			return nil, fmt.Errorf("scanio: %w: label image is in colour or has alpha, want grey or paletted class indices", segd.ErrUnprocessable)
		}
	}
	return mask, nil
}
