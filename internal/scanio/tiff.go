package scanio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"

	"golang.org/x/image/tiff"

	"segd"
	"segd/dicomio"
)

// Tags of TIFF 6.0.
const (
	tiffBitsPerSample = 258
	tiffCompression   = 259
	tiffOrientation   = 274
	tiffSamples       = 277
	tiffSampleFormat  = 339
)

// readTIFF reads the first page of a TIFF of 1, 8 or 16 bits a sample, grey,
// RGB or paletted, or of grey floating point; the lowest value of grey is black,
// whichever way it was stored.
func readTIFF(b []byte) (*segd.Scan, error) {
	dir, err := readIFD(b)
	if err != nil {
		return nil, err
	}
	var s *segd.Scan
	if dir.value(tiffSampleFormat, 1) == tiffFloat {
		if s, err = readFloatTIFF(dir); err != nil {
			return nil, err
		}
	} else {
		m, err := decodeTIFF(dir)
		if err != nil {
			return nil, err
		}
		s = newScan("tiff", m, fmt.Sprintf("tiff, %d bits a sample", dir.value(tiffBitsPerSample, 1)))
	}
	if dir.next != 0 {
		s.Warnings = append(s.Warnings, "the tiff holds several pages; the first is used")
	}
	if o := dir.value(tiffOrientation, 1); o != 1 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the tiff asks to be turned for display (orientation %d); the pixels are used as they are stored", o))
	}
	return s, nil
}

// decodeTIFF decodes the page of a directory, of unsigned integers.
func decodeTIFF(dir ifd) (image.Image, error) {
	if f := dir.value(tiffSampleFormat, 1); f != 1 && f != 4 {
		return nil, fmt.Errorf("scanio: %w: tiff of sample format %d, want 1 (unsigned) or, of images and values, 3 (floating point)", segd.ErrUnsupported, f)
	}
	c, err := tiff.DecodeConfig(bytes.NewReader(dir.file))
	if err != nil {
		return nil, decodeError(err)
	}
	if err := checkSize("tiff", c.Width, c.Height, dir.pixelsPerByte(), len(dir.file)); err != nil {
		return nil, err
	}
	m, err := tiff.Decode(bytes.NewReader(dir.file))
	if err != nil {
		return nil, decodeError(err)
	}
	return m, nil
}

// isTIFF reports whether b begins as a TIFF does, and not as a DICOM file whose
// preamble is a TIFF header: such files are both (PS3.10 7.1), and say more of
// themselves as DICOM.
func isTIFF(b []byte) bool {
	return (bytes.HasPrefix(b, []byte("II*\x00")) || bytes.HasPrefix(b, []byte("MM\x00*"))) && !dicomio.Is(b)
}

// readTIFFMask returns the class indices of a TIFF, as ReadMask does of a PNG.
func readTIFFMask(b []byte) (*segd.Mask, error) {
	dir, err := readIFD(b)
	if err != nil {
		return nil, err
	}
	m, err := decodeTIFF(dir)
	if err != nil {
		return nil, err
	}
	return maskOf(m, uint8(min(255, dir.value(tiffBitsPerSample, 1))))
}

// ifd is the first directory of a TIFF.
type ifd struct {
	file    []byte
	order   binary.ByteOrder
	entries []byte // 12 bytes each
	next    uint32 // offset of the next directory, 0: none
}

func readIFD(b []byte) (ifd, error) {
	truncated := fmt.Errorf("scanio: %w: tiff without a whole directory", segd.ErrFormat)
	if len(b) < 8 {
		return ifd{}, truncated
	}
	d := ifd{file: b}
	d.order = binary.LittleEndian
	if b[0] == 'M' {
		d.order = binary.BigEndian
	}
	at := int64(d.order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return ifd{}, truncated
	}
	n := int64(d.order.Uint16(b[at:]))
	end := at + 2 + 12*n
	if end > int64(len(b)) {
		return ifd{}, truncated
	}
	d.entries = b[at+2 : end]
	if end+4 <= int64(len(b)) {
		d.next = d.order.Uint32(b[end:])
	}
	return d, nil
}

// pixelsPerByte is how many pixels a byte of the file can hold at the most.
func (d ifd) pixelsPerByte() int {
	ratio := 1
	switch d.value(tiffCompression, 1) {
	case 1:
	case 5:
		ratio = 3000 // LZW: a code of 12 bits stands for 4093 bytes at most
	case 8, 32946:
		ratio = 1032 // deflate
	case 32773:
		ratio = 64 // PackBits
	default:
		// Fax: pages of one bit, which take one byte a pixel of memory. The
		// limit of pixels is bound enough.
		return maxPixels
	}
	bits := d.value(tiffBitsPerSample, 1) * d.value(tiffSamples, 1)
	return max(1, ratio*8/max(1, bits))
}

// value returns the first value of a SHORT entry, or fallback where there is
// none: all samples of the pages that segd reads are alike.
func (d ifd) value(tag uint16, fallback int) int {
	for e := d.entries; len(e) >= 12; e = e[12:] {
		if d.order.Uint16(e) != tag || d.order.Uint16(e[2:]) != 3 {
			continue
		}
		if d.order.Uint32(e[4:]) <= 2 {
			return int(d.order.Uint16(e[8:]))
		}
		if at := int64(d.order.Uint32(e[8:])); at+2 <= int64(len(d.file)) {
			return int(d.order.Uint16(d.file[at:]))
		}
	}
	return fallback
}
