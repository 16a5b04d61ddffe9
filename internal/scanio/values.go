package scanio

import (
	"bytes"
	"fmt"

	"segd"
	"segd/internal/nifti"
)

// ReadValues reads a label whose samples are values, not classes: a grey PNG or
// TIFF of 8 or 16 bits or a grey TIFF of floating point, whose samples are taken
// as they are, page by page, or a NIfTI volume, scaled by its header. NaN are values that are
// not known. b must not change while the result is in use.
//
// The errors are those of Read; anything else, a palette, colour and alpha
// among it, is segd.ErrUnsupported.
func ReadValues(b []byte) (*segd.Scan, error) {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("scanio: %w: label of values: %s, want grey PNG of 8 or 16 bits, grey TIFF of those or of floating point, or NIfTI", segd.ErrUnsupported, fmt.Sprintf(format, a...))
	}
	switch {
	case len(b) > maxFile:
		return nil, fmt.Errorf("scanio: %w: %d bytes, limit %d", segd.ErrTooLarge, len(b), maxFile)
	case isTIFF(b):
		t, err := openTIFF(b)
		if err != nil {
			return nil, err
		}
		return t.scan(func(d ifd) (*segd.Scan, error) {
			if d.value(tiffSampleFormat, tiffUnsigned) == tiffFloat {
				return readFloatTIFF(d)
			}
			m, err := d.labels()
			if err != nil {
				return nil, err
			}
			depth, samples, meaning := d.value(tiffBitsPerSample, 1), d.value(tiffSamples, 1), d.photometric()
			if depth != 8 && depth != 16 || samples != 1 || meaning != blackIsZero {
				return nil, bad("tiff of %d samples of %d bits, photometric interpretation %d", samples, depth, meaning)
			}
			return newScan("tiff", m, "tiff"), nil
		})
	case nifti.Is(b):
		v, err := nifti.ReadHeader(b)
		if err != nil {
			return nil, err
		}
		if v.Channels != 1 {
			return nil, bad("nifti of %d channels", v.Channels)
		}
		return readNIfTI(b)
	case bytes.HasPrefix(b, []byte(pngHeader)):
		head, m, err := decodePNG(b)
		if err != nil {
			return nil, err
		}
		if head.colorType != pngGrey || head.depth != 8 && head.depth != 16 || !opaque(m) {
			return nil, bad("png of colour type %d, %d bits a sample", head.colorType, head.depth)
		}
		return newScan("png", m, "png"), nil
	}
	return nil, bad("another format")
}

// opaque reports whether m is without transparent pixels.
func opaque(m any) bool {
	o, ok := m.(interface{ Opaque() bool })
	return !ok || o.Opaque()
}
