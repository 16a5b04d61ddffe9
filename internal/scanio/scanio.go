// Package scanio reads any file that segd takes, told apart by content and
// not by name: DICOM (package dicomio), NIfTI (internal/nifti), PNG of 8 and 16
// bits, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP and Netpbm's formats.
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
)

// Read returns what b holds. b must not change while the Scan is in use.
//
// Frame of the result is safe for concurrent use. Values are 0..255 or
// 0..65535 for PNG, JPEG and TIFF; colour whose red, green and blue are equal
// everywhere is one grey channel; alpha is ignored, with a warning where it is
// not opaque, and premultiplied colours are divided by it. The errors are segd.ErrFormat (malformed, truncated, empty),
// segd.ErrTooLarge, segd.ErrUnsupported and, for DICOM, segd.ErrUnprocessable.
func Read(b []byte) (*segd.Scan, error) {
	f, err := known(b)
	if err != nil {
		return nil, err
	}
	return f.read(b)
}

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
