package scanio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"

	"segd"
)

const pngHeader = "\x89PNG\r\n\x1a\n"

// ihdr is what the first chunk of a PNG says (ISO/IEC 15948, 11.2.2).
type ihdr struct {
	width, height    int
	depth, colorType uint8
}

// Colour types of ihdr.
const (
	pngGrey    = 0
	pngRGB     = 2
	pngPalette = 3
	pngGreyA   = 4
	pngRGBA    = 6
)

// readIHDR reads and checks the header of a PNG.
func readIHDR(b []byte) (ihdr, error) {
	if len(b) < 33 || string(b[12:16]) != "IHDR" {
		return ihdr{}, fmt.Errorf("scanio: %w: png without a whole header", segd.ErrFormat)
	}
	w, h := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	if w > 1<<31-1 || h > 1<<31-1 {
		return ihdr{}, fmt.Errorf("scanio: %w: png of %d×%d pixels", segd.ErrFormat, w, h)
	}
	i := ihdr{width: int(w), height: int(h), depth: b[24], colorType: b[25]}
	channels := map[uint8]int{pngGrey: 1, pngRGB: 3, pngPalette: 1, pngGreyA: 2, pngRGBA: 4}[i.colorType]
	if channels == 0 || i.depth == 0 {
		return ihdr{}, fmt.Errorf("scanio: %w: png of colour type %d, depth %d", segd.ErrFormat, i.colorType, i.depth)
	}
	// Deflate expands by 1032 at the very most.
	perByte := max(1, 1032*8/(channels*int(i.depth)))
	return i, checkSize("png", i.width, i.height, perByte, len(b))
}

func decodePNG(b []byte) (ihdr, image.Image, error) {
	head, err := readIHDR(b)
	if err != nil {
		return head, nil, err
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return head, nil, decodeError(err)
	}
	return head, m, nil
}

func readPNG(b []byte) (*segd.Scan, error) {
	head, m, err := decodePNG(b)
	if err != nil {
		return nil, err
	}
	step := fmt.Sprintf("png, %d bits a sample", head.depth)
	if head.depth < 8 && head.colorType == pngGrey {
		step += ", scaled to 8"
	}
	return newScan("png", m, step), nil
}

// readPNGLabels reads a mask: the palette indices of a paletted PNG, or the values of a
// grey one of up to 8 bits, or of 16 bits where no value is above 255. Others, and
// colour, are segd.ErrUnprocessable.
func readPNGLabels(b []byte) (*Labels, error) {
	head, m, err := decodePNG(b)
	if err != nil {
		return nil, err
	}
	return pictureLabels("png", m, head.depth)
}

// unscale undoes what package png does to grey of 1, 2 and 4 bits: it spreads
// the values over 0..255.
func unscale(pix []uint8, depth uint8) {
	if depth >= 8 {
		return
	}
	step := uint8(255 / (1<<depth - 1))
	for i := range pix {
		pix[i] /= step
	}
}
