// Package scanio reads any file that segd takes, told apart by content and
// not by name: DICOM (package dicomio), NIfTI (internal/nifti), NRRD, MetaImage, MGH, PNG
// of 8 and 16 bits, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP and Netpbm's formats, and gzip
// files of any of them.
//
//	scan, err := scanio.Read(b)
//	img, err := scan.Frame(0)
//
// and label images, whose values are class indices:
//
//	mask, err := scanio.ReadMask(b)
//
// Limits: 256 MiB a file, 1 to 16384 rows and columns, 64 Mpixel a frame, all
// checked on the header before memory is taken; a header that promises more
// pixels than its file can possibly hold is malformed. The pages of a TIFF are
// frames, except reduced copies and pages of another size or kind, which are
// warned of. Not read, with segd.ErrUnsupported: JPEG other than 8-bit baseline
// and progressive, and TIFF with a tag that changes what its bytes mean in a way
// that isn't heeded (tiffcheck.go has the list), such as signed samples or
// floating ones in colour.
package scanio

import (
	"fmt"

	"segd"
	"segd/internal/beside"
	"segd/internal/gunzip"
)

// Options are what a file needs besides its bytes to be read. The zero value is nothing.
type Options struct {
	// Beside are the files of its folder: a volume may have its header and its values in
	// files of their own (.mhd, .nhdr, .hdr).
	Beside beside.Files
}

// Read is ReadWith of a file alone.
func Read(b []byte) (*segd.Scan, error) { return ReadWith(b, Options{}) }

// ReadWith returns what b holds. b must not change while the Scan is in use.
//
// Frame of the result is safe for concurrent use. Values are 0..255 or
// 0..65535 for PNG, JPEG and TIFF; colour whose red, green and blue are equal
// everywhere is one grey channel; alpha is ignored, with a warning where it is
// not opaque, and premultiplied colours are divided by it. The errors are segd.ErrFormat (malformed, truncated, empty),
// segd.ErrTooLarge, segd.ErrUnsupported and segd.ErrUnprocessable, for DICOM and for
// values that are not beside their header.
func ReadWith(b []byte, o Options) (*segd.Scan, error) {
	f, b, err := known(b)
	if err != nil {
		return nil, err
	}
	if f.open == nil {
		s, err := f.read(b)
		if err == nil {
			describe(s, f, b)
		}
		return s, err
	}
	v, err := f.open(b, o.Beside)
	if err != nil {
		return nil, err
	}
	return volumeScan(f, v), nil
}

// Packed reports whether b is a gzip file that Read takes what it reads out of. The
// formats that are read as they are, such as .nii.gz, are not among them.
func Packed(b []byte) bool {
	if !gunzip.Is(b) {
		return false
	}
	f := formatOf(b)
	return f != nil && !f.packed
}

// Inflate returns what a gzip file holds that Packed is true of; any other file is b
// itself. Who looks into files before Read does needs it. The errors are segd.ErrFormat,
// and segd.ErrTooLarge beyond segd.MaxFile.
func Inflate(b []byte) ([]byte, error) {
	if !Packed(b) {
		return b, nil
	}
	return gunzip.All(b, segd.MaxFile)
}

// Head returns the first bytes of what a file holds that begins with b, out of gzip.
func Head(b []byte) []byte { return gunzip.Head(b[:min(len(b), HeadBytes)], HeadBytes) }

// checkSize checks the size that a header promises: against the limits, and
// against the size of the file, which cannot hold more than perByte pixels
// in each of its bytes.
func checkSize(format string, width, height, perByte, file int) error {
	switch {
	case width < 1 || height < 1:
		return fmt.Errorf("scanio: %w: %s of %d×%d pixels", segd.ErrFormat, format, width, height)
	case width > segd.MaxSide || height > segd.MaxSide:
		return fmt.Errorf("scanio: %w: %s of %d×%d pixels, limit %d a side", segd.ErrTooLarge, format, width, height, segd.MaxSide)
	case width*height > segd.MaxPixels:
		return fmt.Errorf("scanio: %w: %s of %d×%d pixels, limit %d in all", segd.ErrTooLarge, format, width, height, segd.MaxPixels)
	case width*height/perByte > file:
		return fmt.Errorf("scanio: %w: %s is truncated: %d×%d pixels in %d bytes", segd.ErrFormat, format, width, height, file)
	}
	return nil
}
