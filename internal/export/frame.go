package export

import (
	"image"
	"io"

	"segd"
	"segd/dicomio"
	"segd/internal/orient"
	"segd/internal/overlay"
	"segd/internal/segment"
)

// FrameFiles are the files of one frame. They may share what they are made of, and so
// are for one goroutine.
type FrameFiles struct {
	Result  *segment.Result
	Index   int // of the frame, from 0
	Classes []segd.Class
	Alpha   float64 // opacity of the classes in overlays
	// Orientation is that of the scan: overlays show it upright.
	Orientation int
	DICOM       *DICOM // of the scan, for kinds of DICOM object
	// Warnings are about the files that were written.
	Warnings []string

	shown *image.NRGBA
}

// makers make the kinds of Scope Frame.
var makers = map[string]func(f *FrameFiles, w io.Writer) error{
	Image: func(f *FrameFiles, w io.Writer) error { return overlay.EncodePNG(w, f.image()) },
	Mask: func(f *FrameFiles, w io.Writer) error {
		return overlay.EncodePNG(w, overlay.MaskImage(f.Result.Mask, f.Classes))
	},
	Overlay: func(f *FrameFiles, w io.Writer) error {
		m, err := orient.UprightPicture(f.Orientation, f.overlay())
		if err != nil {
			return err
		}
		return overlay.EncodePNG(w, m)
	},
	SC: func(f *FrameFiles, w io.Writer) error {
		origin := f.DICOM.origin
		source, frame := f.DICOM.frame(f.Index)
		origin.Sources = origin.Sources[source : source+1]
		return dicomio.WriteSC(w, origin, frame, f.overlay())
	},
	Value: (*FrameFiles).writeValue,
	TIFF: func(f *FrameFiles, w io.Writer) error {
		return WriteTIFF(w, f.Result.Values, f.Result.Image.Width, f.Result.Image.Height)
	},
}

// Write writes the file of a kind, whose Scope must be Frame. Errors are those of w
// and of the encoders.
func (f *FrameFiles) Write(w io.Writer, kind string) error { return makers[kind](f, w) }

// image is the frame as a viewer shows it.
func (f *FrameFiles) image() *image.NRGBA {
	if f.shown == nil {
		f.shown = overlay.Render(f.Result.Image)
	}
	return f.shown
}

func (f *FrameFiles) overlay() *image.NRGBA {
	return overlay.Overlay(f.image(), f.Result.Mask, f.Classes, f.Alpha)
}

func (f *FrameFiles) writeValue(w io.Writer) error {
	picture, cut := ValueImage(f.Result.Values, f.Result.Image.Width, f.Result.Image.Height)
	if cut > 0 {
		f.Warnings = append(f.Warnings, CutWarning)
	}
	return overlay.EncodePNG(w, picture)
}
