package dicomio

import (
	"fmt"
	"io"
	"sync"

	"segd"
	"segd/dicomio/tag"
)

// scan is an opened file. It does not change after readScan, so that frames may
// be decoded concurrently.
type scan struct {
	file    *file
	header  *header
	pixels  *pixels
	padding paddingRange
	palette *palette

	floatPadding floatRange
}

// Read opens the DICOM file b, which must not change while the Scan is in use.
//
// Frame decodes a frame into new memory: grey in modality units with high values
// bright, or RGB of 0..255 (of the full range of the stored bits for RGB of more
// than 8 bits). Frame is safe for concurrent use. Spacing is PixelSpacing, or
// that of the detector or the digitised film; its Source says which.
//
// The errors are segd.ErrFormat (malformed or truncated), segd.ErrTooLarge,
// segd.ErrUnsupported (transfer syntax; the error names its UID) and
// segd.ErrUnprocessable (no pixels, or pixels with an inconsistent or
// unsupported description).
func Read(b []byte) (*segd.Scan, error) {
	s, err := readScan(b)
	if err != nil {
		return nil, err
	}
	if err := s.interpret(); err != nil {
		return nil, err
	}
	l := s.pixels.layout
	first, err := s.header.grade(l, 0)
	if err != nil {
		return nil, err
	}
	out := &segd.Scan{
		Format:         "dicom",
		TransferSyntax: s.file.syntax,
		Modality:       s.modality(),
		Width:          l.cols,
		Height:         l.rows,
		Frames:         l.frames,
		Steps:          s.steps(first),
		Warnings:       s.warnings(first),
		Clean:          s.header.root.text(tag.BurnedInAnnotation) == "NO",
		Affine:         s.affine(),
		Frame:          s.frame,
		Source:         sync.OnceValues(func() (any, error) { return s.file.source() }),
	}
	if out.Affine != nil {
		out.Depth, out.Times = l.frames, 1
	}
	return out, nil
}

// WriteStored decodes the stored values of all frames of the DICOM file b and
// writes them to w, frame after frame: little endian, as wide as BitsAllocated
// (1-bit values as bytes 0 and 1), with colour interleaved and 422 expanded. It
// does not mask, rescale, look up or convert colours. The errors are those of
// Read and, unchanged, those of w.
func WriteStored(w io.Writer, b []byte) error {
	s, err := readScan(b)
	if err != nil {
		return err
	}
	for i := range s.pixels.frames {
		_, raw, err := s.pixels.frame(i)
		if err != nil {
			return err
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	return nil
}

// readScan opens b and finds its stored values.
func readScan(b []byte) (*scan, error) {
	f, err := open(b)
	if err != nil {
		return nil, err
	}
	// Report missing pixels before their layout.
	e, err := pixelElement(f)
	if err != nil {
		return nil, err
	}
	s := &scan{file: f}
	if s.header, err = readHeader(f); err != nil {
		return nil, err
	}
	l, err := readLayout(s.header.root, f.syntax, e.tag)
	if err != nil {
		return nil, err
	}
	if s.pixels, err = findPixels(f, e, l); err != nil {
		return nil, err
	}
	return s, nil
}

// interpret reads the meaning of the stored values.
func (s *scan) interpret() error {
	l := s.pixels.layout
	if n := len(s.header.perFrame); n > 0 && n < l.frames {
		return unprocessable("functional groups for %d frames, want %d", n, l.frames)
	}
	switch {
	case l.float:
		return s.readFloatPadding()
	case l.grey():
		if s.header.voiLUT != nil {
			g, err := s.header.grade(l, 0)
			if err != nil {
				return err
			}
			s.header.voi = readVOI(s.header.voiLUT, l, g)
		}
		return s.readPadding()
	}
	var err error
	if l.photometric == "PALETTE COLOR" {
		s.palette, err = readPalette(s.header.root, l)
	}
	return err
}

// readPadding reads the range of padding values, which may be written as signed
// or unsigned whatever the pixels are.
func (s *scan) readPadding() error {
	l := s.pixels.layout
	low, err := s.header.root.ints(tag.PixelPaddingValue)
	if err != nil || len(low) == 0 {
		return err
	}
	high, err := s.header.root.ints(tag.PixelPaddingRangeLimit)
	if err != nil {
		return err
	}
	if len(high) == 0 {
		high = low
	}
	as := func(v int) int {
		if l.signed {
			return int(int16(v))
		}
		return int(uint16(v))
	}
	a, b := as(low[0]), as(high[0])
	s.padding = paddingRange{set: true, low: min(a, b), high: max(a, b)}
	return nil
}

// frame decodes frame i.
func (s *scan) frame(i int) (*segd.Image, error) {
	l := s.pixels.layout
	if i < 0 || i >= l.frames {
		return nil, fmt.Errorf("dicomio: %w: frame %d of %d", segd.ErrNotFound, i+1, l.frames)
	}
	g, err := s.header.grade(l, i)
	if err != nil {
		return nil, err
	}
	l, raw, err := s.pixels.frame(i)
	if err != nil {
		return nil, err
	}
	switch {
	case l.float:
		return s.floatImage(l, raw, g), nil
	case l.grey():
		return s.greyImage(l, raw, g), nil
	}
	return s.colourImage(l, raw, g), nil
}
