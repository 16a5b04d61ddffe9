package scanio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"segd"
	"segd/internal/orient"
)

// describe adds what a file says of how its pixels are to be shown: orientation and
// shape. Both stay as they are stored.
func describe(s *segd.Scan, f *format, b []byte) {
	if f.shown != nil {
		s.Orientation, s.Aspect = f.shown(b)
	}
	if orient.IsTurned(s.Orientation) {
		s.Steps = append(s.Steps, fmt.Sprintf("the file is to be shown %s (orientation %d)", orient.Words(s.Orientation), s.Orientation))
	}
	if s.Aspect != 0 {
		s.Steps = append(s.Steps, fmt.Sprintf("the file states pixels that are %.4g times as high as wide; they are taken as square", s.Aspect))
	}
}

// aspectOf is the height of a pixel over its width, of densities along a row and along a
// column; 0 where they are equal, to a hundredth, or unknown.
func aspectOf(x, y uint32) float64 {
	if x == 0 || y == 0 {
		return 0
	}
	a := float64(x) / float64(y)
	if math.Abs(a-1) < 0.01 {
		return 0
	}
	return a
}

// exifOrientation reads the orientation out of Exif data, which is a TIFF without pixels
// (Exif 2.32, 4.5); 0 where it has none, or none that there is.
func exifOrientation(b []byte) int {
	b = bytes.TrimPrefix(b, []byte("Exif\x00\x00"))
	if len(b) < 8 {
		return 0
	}
	var o binary.ByteOrder = binary.LittleEndian
	switch string(b[:4]) {
	case "II*\x00":
	case "MM\x00*":
		o = binary.BigEndian
	default:
		return 0
	}
	at := uint64(o.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 0
	}
	entries := b[at+2:]
	for range o.Uint16(b[at:]) {
		if len(entries) < 12 {
			return 0
		}
		const orientation, short = 274, 3
		if o.Uint16(entries) == orientation && o.Uint16(entries[2:]) == short && o.Uint32(entries[4:]) == 1 {
			if n := int(o.Uint16(entries[8:])); n >= 1 && n <= 8 {
				return n
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}

// shownJPEG reads the orientation and the pixels' shape of a JPEG: its segments Exif
// (APP1) and JFIF (APP0), whose densities are a shape where they have no unit, and a
// resolution otherwise.
func shownJPEG(b []byte) (orientation int, aspect float64) {
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		marker := b[i+1]
		if marker == 0xff { // filling
			i++
			continue
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if marker == 0xda || n < 2 || i+2+n > len(b) { // the pixels begin
			return orientation, aspect
		}
		segment := b[i+4 : i+2+n]
		switch {
		case marker == 0xe0 && bytes.HasPrefix(segment, []byte("JFIF\x00")) && len(segment) >= 12 && aspect == 0:
			aspect = aspectOf(uint32(binary.BigEndian.Uint16(segment[8:])), uint32(binary.BigEndian.Uint16(segment[10:])))
		case marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) && orientation == 0:
			orientation = exifOrientation(segment)
		}
		i += 2 + n
	}
	return orientation, aspect
}

// shownPNG is shownJPEG of a PNG: its chunks eXIf and pHYs (ISO/IEC 15948, 11.3.5.3).
func shownPNG(b []byte) (orientation int, aspect float64) {
	for i := len(pngHeader); i+12 <= len(b); {
		n := int64(binary.BigEndian.Uint32(b[i:]))
		if n > int64(len(b)-i-12) {
			break
		}
		data := b[i+8 : i+8+int(n)]
		switch string(b[i+4 : i+8]) {
		case "eXIf":
			orientation = exifOrientation(data)
		case "pHYs":
			if n >= 8 {
				aspect = aspectOf(binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:]))
			}
		}
		i += 12 + int(n)
	}
	return orientation, aspect
}

// shownWebP is shownJPEG of a WebP: its chunk EXIF (RFC 9649, 2.7.1.5).
func shownWebP(b []byte) (orientation int, aspect float64) {
	for i := 12; i+8 <= len(b); {
		n := int64(binary.LittleEndian.Uint32(b[i+4:]))
		if n > int64(len(b)-i-8) {
			break
		}
		if string(b[i:i+4]) == "EXIF" {
			return exifOrientation(b[i+8 : i+8+int(n)]), 0
		}
		i += 8 + int(n+n&1) // chunks begin at even places
	}
	return 0, 0
}
