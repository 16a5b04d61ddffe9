package scanio

import (
	"fmt"

	"segd"
)

// ReadValues is ReadValuesWith of a file alone.
func ReadValues(b []byte) (*segd.Scan, error) { return ReadValuesWith(b, Options{}) }

// ReadValuesWith reads a label whose samples are values, not classes: a grey PNG or
// TIFF of 8 or 16 bits or a grey TIFF of floating point, whose samples are taken
// as they are, page by page, or a volume, scaled by its header. NaN are values that are
// not known. b must not change while the result is in use.
//
// The errors are those of Read; anything else, a palette, colour and alpha
// among it, is segd.ErrUnsupported.
func ReadValuesWith(b []byte, o Options) (*segd.Scan, error) {
	f, b, err := known(b)
	switch {
	case err != nil:
		return nil, err
	case f.open != nil:
		v, err := f.open(b, o.Beside)
		if err != nil {
			return nil, err
		}
		if v.Channels != 1 {
			return nil, badValues("%s of %d channels", f.name, v.Channels)
		}
		return volumeScan(f, v), nil
	case f.values == nil:
		return nil, badValues("another format")
	}
	return f.values(b)
}

func badValues(format string, a ...any) error {
	return fmt.Errorf("scanio: %w: label of values: %s, want grey PNG of 8 or 16 bits, grey TIFF of those or of floating point, or a volume", segd.ErrUnsupported, fmt.Sprintf(format, a...))
}

func readTIFFValues(b []byte) (*segd.Scan, error) {
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
			return nil, badValues("tiff of %d samples of %d bits, photometric interpretation %d", samples, depth, meaning)
		}
		return newScan("tiff", m, "tiff"), nil
	})
}

func readPNGValues(b []byte) (*segd.Scan, error) {
	head, m, err := decodePNG(b)
	if err != nil {
		return nil, err
	}
	if head.colorType != pngGrey || head.depth != 8 && head.depth != 16 || !opaque(m) {
		return nil, badValues("png of colour type %d, %d bits a sample", head.colorType, head.depth)
	}
	return newScan("png", m, "png"), nil
}

// opaque reports whether m is without transparent pixels.
func opaque(m any) bool {
	o, ok := m.(interface{ Opaque() bool })
	return !ok || o.Opaque()
}
