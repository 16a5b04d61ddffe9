package scanio

import (
	"bytes"
	"image/color"
	"image/jpeg"

	"segd/dicomio"
	"segd/internal/gunzip"
)

// Size is what the header of a file says about the memory that the file takes, in
// bytes, before it is decoded. What the file itself takes is not in it.
type Size struct {
	Read int64 // at the most, while Read runs
	Kept int64 // by the Scan

	// Of the scan, 0 where the header alone does not say: of DICOM, whose frames
	// stay in the file until they are asked for.
	Width, Height, Frames int
	Channels              int // at the most
}

// FrameBytes is about how many bytes Scan.Frame holds beside its Image, for each
// pixel of a scan of that format.
func FrameBytes(name string) int64 {
	for _, f := range formats {
		if string(f.kind) == name {
			return f.working
		}
	}
	return 0
}

// Measure reads the header of a file. It takes no memory to speak of, whatever the
// header promises, except for a gzip file that Inflate unpacks: what that holds, which is
// part of the size. The errors are those of Read, as far as the header has them.
func Measure(b []byte) (Size, error) {
	f, plain, err := known(b)
	if err != nil {
		return Size{}, err
	}
	var s Size
	if f.open != nil {
		s, err = f.measureVolume(plain)
	} else {
		s, err = f.measure(plain)
	}
	if gunzip.Is(b) && !f.packed {
		s.Read += int64(len(plain))
		s.Kept += int64(len(plain))
	}
	return s, err
}

// Frames returns how many frames a file has that says so before any is decoded, such
// as a TIFF by its directories, and 1 for any other. The errors are those of Read.
func Frames(b []byte) (int, error) {
	f := formatOf(b)
	if f == nil || f.frames == nil {
		return 1, nil
	}
	b, err := Inflate(b)
	if err != nil {
		return 0, err
	}
	return f.frames(b)
}

// measureVolume is Measure of a volume. Values in another file are there twice while they
// are read.
func (f *format) measureVolume(b []byte) (Size, error) {
	h, err := f.header(b)
	if err != nil {
		return Size{}, err
	}
	s := Size{Read: h.Bytes(), Kept: h.Bytes(), Width: h.Width, Height: h.Height, Frames: h.Planes(), Channels: h.Channels}
	if f.parts != nil {
		if names, err := f.parts("", b); err == nil && names != nil {
			s.Read *= 2
		}
	}
	return s, nil
}

func measureDICOM(b []byte) (Size, error) {
	n, err := dicomio.Inflated(b)
	return Size{Read: n, Kept: n, Channels: 3}, err
}

func measurePNG(b []byte) (Size, error) {
	h, err := readIHDR(b)
	if err != nil {
		return Size{}, err
	}
	// What package png makes of the colour types, bytes a pixel.
	perPixel, channels := int64(4), 3
	switch h.colorType {
	case pngGrey:
		perPixel, channels = 1, 1
		// Of a transparent grey it makes NRGBA; the chunk lies before the pixels.
		head, _, _ := bytes.Cut(b, []byte("IDAT"))
		if bytes.Contains(head, []byte("tRNS")) {
			perPixel = 4
		}
	case pngPalette:
		perPixel = 1
	}
	if h.depth == 16 {
		perPixel *= 2
	}
	kept := int64(h.width) * int64(h.height) * perPixel
	read := kept
	if b[28] != 0 { // interlaced: the passes are images of their own
		read += kept / 2
	}
	return Size{Read: read, Kept: kept, Width: h.width, Height: h.height, Frames: 1, Channels: channels}, nil
}

func measureJPEG(b []byte) (Size, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return Size{}, decodeError(err)
	}
	if err := checkSize("jpeg", c.Width, c.Height, 512, len(b)); err != nil {
		return Size{}, err
	}
	// Blocks of 16×16 pixels are whole.
	pixels := int64(c.Width+15) * int64(c.Height+15)
	s := Size{Width: c.Width, Height: c.Height, Frames: 1, Channels: 3}
	components := int64(3)
	switch c.ColorModel {
	case color.GrayModel:
		components, s.Channels = 1, 1
		s.Kept = pixels
	case color.CMYKModel:
		components = 4
		s.Kept = 4 * pixels
	default:
		s.Kept = 4 * pixels // YCbCr, or RGB as RGBA
	}
	s.Read = s.Kept + components*pixels
	if bytes.Contains(b, []byte{0xff, 0xc2}) { // progressive: coefficients of 4 bytes
		s.Read += 4 * components * pixels
	}
	return s, nil
}

func measureTIFF(b []byte) (Size, error) {
	t, err := openTIFF(b)
	if err != nil {
		return Size{}, err
	}
	dir := t.frames[0]
	s := Size{Width: dir.number(tiffWidth), Height: dir.number(tiffHeight), Frames: t.count(), Channels: 3}
	if err := checkSize("tiff", s.Width, s.Height, dir.pixelsPerByte(), len(b)); err != nil {
		return Size{}, err
	}
	samples, depth := int64(dir.value(tiffSamples, 1)), int64(dir.value(tiffBitsPerSample, 1))
	perPixel := int64(4)
	if samples == 1 {
		perPixel, s.Channels = 1, 1
		if dir.photometric() == photoColors {
			s.Channels = 3
		}
	}
	switch {
	case depth > 16: // floating point, as float32
		perPixel = 4
	case depth > 8:
		perPixel *= 2
	}
	pixels := int64(s.Width) * int64(s.Height)
	s.Kept = pixels * perPixel
	// A strip or tile is decompressed whole, a page may be one, and what it
	// expands to is bounded by 8 bytes a pixel.
	s.Read = s.Kept + 8*pixels
	if samples > 1 && dir.value(tiffPlanar, 1) == planarSeparate { // the planes before they are joined
		s.Read += pixels * samples * depth / 8
	}
	if s.Frames > 1 { // each is decoded when it is asked for
		s.Kept = s.Read
	}
	return s, nil
}
