package scanio

import (
	"bytes"
	"encoding/binary"
	"fmt"
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
	if n := jpegScans(b); n > maxScans {
		return nil, fmt.Errorf("scanio: %w: jpeg of %d scans, limit %d", segd.ErrTooLarge, n, maxScans)
	}
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, decodeError(err)
	}
	return newScan("jpeg", m, "jpeg, lossy, 8 bits a sample"), nil
}

// maxScans bounds the passes over an image: encoders make about ten, and each may
// take the time of a whole image for some bytes of file.
const maxScans = 64

// jpegScans counts the scans of a JPEG (ITU-T T.81, B.1.1).
func jpegScans(b []byte) (n int) {
	for i := 2; i+4 <= len(b); {
		if b[i] != 0xff {
			i++ // coded data
			continue
		}
		switch m := b[i+1]; {
		case m == 0xff: // filling
			i++
		case m == 0 || m >= 0xd0 && m <= 0xd8 || m == 1: // a byte of data; markers without a segment
			i += 2
		case m == 0xd9:
			return n
		default:
			if m == 0xda {
				n++
			}
			i += 2 + int(binary.BigEndian.Uint16(b[i+2:]))
		}
	}
	return n
}
