package scanio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/bmp"

	"segd"
)

// isBMP reports whether head begins as a BMP does: its second header has one of the
// lengths that are known.
func isBMP(head []byte) bool {
	if len(head) < 18 || head[0] != 'B' || head[1] != 'M' {
		return false
	}
	n := binary.LittleEndian.Uint32(head[14:])
	return n == 12 || n == 16 || n >= 40 && n <= 124
}

// decodeBMP reads a BMP of 1, 2, 4, 8, 24 or 32 bits a pixel without compression. The
// fourth byte of a pixel is no alpha, except where the header says so.
func decodeBMP(b []byte) (image.Image, error) {
	if _, err := bmpConfig(b); err != nil {
		return nil, err
	}
	m, err := bmp.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, bmpError(err)
	}
	return m, nil
}

// bmpConfig checks the header. A pixel takes a bit at the least.
func bmpConfig(b []byte) (image.Config, error) {
	c, err := bmp.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return c, bmpError(err)
	}
	return c, checkSize("bmp", c.Width, c.Height, 8, len(b))
}

func bmpError(err error) error {
	if errors.Is(err, bmp.ErrUnsupported) {
		return fmt.Errorf("scanio: %w: bmp with run lengths, bit fields, 16 bits a pixel or another header than Windows': save it as PNG", segd.ErrUnsupported)
	}
	return fmt.Errorf("scanio: %w: %s", segd.ErrFormat, err)
}

func readBMP(b []byte) (*segd.Scan, error) {
	m, err := decodeBMP(b)
	if err != nil {
		return nil, err
	}
	return newScan("bmp", m, "bmp"), nil
}

func measureBMP(b []byte) (Size, error) {
	c, err := bmpConfig(b)
	if err != nil {
		return Size{}, err
	}
	n := 4 * int64(c.Width) * int64(c.Height)
	return Size{Read: n, Kept: n, Width: c.Width, Height: c.Height, Frames: 1, Channels: 3}, nil
}

func readBMPLabels(b []byte) (*Labels, error) {
	m, err := decodeBMP(b)
	if err != nil {
		return nil, err
	}
	return pictureLabels("bmp", m, 8)
}
