package scanio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"

	"segd"
	"segd/dicomio/codec"
	"segd/dicomio/codec/jpeg2000"
)

// maxJP2Samples bounds the samples of a JPEG 2000 picture: a few bytes may hold any
// number of pixels of one colour.
const maxJP2Samples = 32 << 20

// isJP2 reports whether head begins as a JP2 file or a bare codestream does.
func isJP2(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\x00\x00\x00\x0cjP  \r\n\x87\n")) || bytes.HasPrefix(head, []byte("\xff\x4f\xff\x51"))
}

// jp2Layout checks the header.
func jp2Layout(b []byte) (l codec.Layout, err error) {
	l, signed, err := jpeg2000.Layout(b)
	if err != nil {
		return l, fmt.Errorf("scanio: %w", err)
	}
	if err := checkSize("jpeg 2000", l.Columns, l.Rows, segd.MaxPixels, len(b)); err != nil {
		return l, err
	}
	switch {
	case l.Samples != 1 && l.Samples != 3 || l.BitsAllocated > 16 || signed:
		return l, fmt.Errorf("scanio: %w: jpeg 2000 of %d components, signed %t, stored in %d bits, want 1 or 3 unsigned ones of up to 16", segd.ErrUnsupported, l.Samples, signed, l.BitsAllocated)
	case l.Columns*l.Rows > maxJP2Samples/l.Samples:
		return l, fmt.Errorf("scanio: %w: jpeg 2000 of %d×%d pixels in %d components, limit %d samples", segd.ErrTooLarge, l.Columns, l.Rows, l.Samples, maxJP2Samples)
	}
	return l, nil
}

// decodeJP2 decodes a picture. Values are those of the file.
func decodeJP2(b []byte) (image.Image, codec.Info, error) {
	l, err := jp2Layout(b)
	if err != nil {
		return nil, codec.Info{}, err
	}
	pix := make([]byte, l.Bytes())
	info, err := jpeg2000.Decode(pix, b, l)
	if err != nil {
		return nil, info, fmt.Errorf("scanio: %w", err)
	}
	r := image.Rect(0, 0, l.Columns, l.Rows)
	switch wide := l.BitsAllocated == 16; {
	case !wide && l.Samples == 1:
		return &image.Gray{Pix: pix, Stride: l.Columns, Rect: r}, info, nil
	case l.Samples == 1:
		m := image.NewGray16(r)
		swapWords(m.Pix, pix)
		return m, info, nil
	case info.Colour == codec.ColourYCbCr:
		if wide {
			return nil, info, fmt.Errorf("scanio: %w: jpeg 2000 in YCbCr of more than 8 bits", segd.ErrUnsupported)
		}
		m := image.NewYCbCr(r, image.YCbCrSubsampleRatio444)
		for i := range m.Y {
			m.Y[i], m.Cb[i], m.Cr[i] = pix[3*i], pix[3*i+1], pix[3*i+2]
		}
		return m, info, nil
	case wide:
		m := image.NewNRGBA64(r)
		for i := range l.Columns * l.Rows {
			swapWords(m.Pix[8*i:8*i+6], pix[6*i:])
			m.Pix[8*i+6], m.Pix[8*i+7] = 255, 255
		}
		return m, info, nil
	default:
		m := image.NewNRGBA(r)
		for i := range l.Columns * l.Rows {
			copy(m.Pix[4*i:], pix[3*i:3*i+3])
			m.Pix[4*i+3] = 255
		}
		return m, info, nil
	}
}

// swapWords copies words of 16 bits, low byte first, to words with the high byte first.
func swapWords(dst, src []byte) {
	for i := 0; i < len(dst); i += 2 {
		binary.BigEndian.PutUint16(dst[i:], binary.LittleEndian.Uint16(src[i:]))
	}
}

func readJP2(b []byte) (*segd.Scan, error) {
	m, info, err := decodeJP2(b)
	if err != nil {
		return nil, err
	}
	return newScan("jpeg2000", m, fmt.Sprintf("jpeg 2000, %d bits a sample", info.Precision)), nil
}

func measureJP2(b []byte) (Size, error) {
	l, err := jp2Layout(b)
	if err != nil {
		return Size{}, err
	}
	samples := int64(l.Columns) * int64(l.Rows) * int64(l.Samples)
	kept := samples * int64(l.BitsAllocated/8) * 4 / 3
	return Size{Read: kept + 10*samples, Kept: kept, Width: l.Columns, Height: l.Rows, Frames: 1, Channels: l.Samples}, nil
}
