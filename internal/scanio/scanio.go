// Package scanio reads any file that segd takes, told apart by content and
// not by name: DICOM (package dicomio), NIfTI (internal/nifti), PNG of 8 and 16
// bits, JPEG and TIFF.
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
// frames, but for reduced copies and pages of another size or kind, which are
// warned of. Not read, with segd.ErrUnsupported: JPEG other than 8-bit baseline
// and progressive, and TIFF with a tag that changes what its bytes mean in a way
// that isn't heeded (tiffcheck.go has the list), such as signed samples or
// floating ones in colour.
package scanio

import (
	"fmt"

	"segd"
	"segd/dicomio"
)

// Limits that are checked before memory is taken.
const (
	maxFile   = 256 << 20
	maxSide   = 16384
	maxPixels = 64 << 20
)

// Read returns what b holds. b must not change while the Scan is in use.
//
// Frame of the result is safe for concurrent use. Values are 0..255 or
// 0..65535 for PNG, JPEG and TIFF; colour whose red, green and blue are equal
// everywhere is one grey channel; alpha is ignored, with a warning where it is
// not opaque, and premultiplied colours are divided by it. The errors are segd.ErrFormat (malformed, truncated, empty),
// segd.ErrTooLarge, segd.ErrUnsupported and, for DICOM, segd.ErrUnprocessable.
func Read(b []byte) (*segd.Scan, error) {
	switch {
	case len(b) == 0:
		return nil, fmt.Errorf("scanio: %w: empty file", segd.ErrFormat)
	case len(b) > maxFile:
		return nil, fmt.Errorf("scanio: %w: %d bytes, limit %d", segd.ErrTooLarge, len(b), maxFile)
	}
	switch KindOf(b) {
	case PNG:
		return readPNG(b)
	case JPEG:
		return readJPEG(b)
	case TIFF:
		return readTIFF(b)
	case NIfTI:
		return readNIfTI(b)
	case DICOM:
		return dicomio.Read(b)
	case DICOMDIR:
		return nil, fmt.Errorf("scanio: %w: a DICOMDIR lists files and has no pixels: give the files that it lists", segd.ErrUnsupported)
	}
	return nil, fmt.Errorf("scanio: %w: content is not DICOM, NIfTI, PNG, JPEG or TIFF", segd.ErrUnsupported)
}

// checkSize checks the size that a header promises: against the limits, and
// against the size of the file, which cannot hold more than perByte pixels
// in each of its bytes.
func checkSize(format string, width, height, perByte, file int) error {
	switch {
	case width < 1 || height < 1:
		return fmt.Errorf("scanio: %w: %s of %d×%d pixels", segd.ErrFormat, format, width, height)
	case width > maxSide || height > maxSide:
		return fmt.Errorf("scanio: %w: %s of %d×%d pixels, limit %d a side", segd.ErrTooLarge, format, width, height, maxSide)
	case width*height > maxPixels:
		return fmt.Errorf("scanio: %w: %s of %d×%d pixels, limit %d in all", segd.ErrTooLarge, format, width, height, maxPixels)
	case width*height/perByte > file:
		return fmt.Errorf("scanio: %w: %s is truncated: %d×%d pixels in %d bytes", segd.ErrFormat, format, width, height, file)
	}
	return nil
}
