package scanio

import (
	"bytes"
	"image/jpeg"

	"segd"
)

// readJPEG reads JPEG of 8 bits, baseline or progressive, grey, YCbCr, RGB or
// CMYK.
func readJPEG(b []byte) (*segd.Scan, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, decodeError(err)
	}
	// A block of 8×8 pixels takes a bit at the least, in a progressive image.
	if err := checkSize("jpeg", c.Width, c.Height, 512, len(b)); err != nil {
		return nil, err
	}
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, decodeError(err)
	}
	return newScan("jpeg", m, "jpeg, lossy, 8 bits a sample"), nil
}
