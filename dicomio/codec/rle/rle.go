// Package rle decodes the run lengths of DICOM: each byte of the samples, the
// highest first, is a plane of its own, and each plane is compressed as
// PackBits.
//
//	info, err := rle.Decode(dst, src, layout)
//
// The stream names no sizes, so info is empty. Samples of 1 bit are packed
// eight to a byte before they are compressed: such a frame is decoded as one
// row of its bytes.
//
// Source: PS3.5 annex G.
package rle

import (
	"encoding/binary"
	"fmt"

	"segd"
	"segd/dicomio/codec"
)

const (
	headerSize  = 64
	maxSegments = 15
)

// Decode decodes one frame; package codec says how.
func Decode(dst, src []byte, l codec.Layout) (codec.Info, error) {
	var info codec.Info
	if len(src) < headerSize {
		return info, malformed("truncated: %d bytes, the header takes %d", len(src), headerSize)
	}
	width := l.BitsAllocated / 8
	want := width * l.Samples
	n := int(binary.LittleEndian.Uint32(src))
	if n > maxSegments {
		return info, malformed("%d segments, limit %d", uint32(n), maxSegments)
	}
	if n != want {
		return info, fmt.Errorf("rle: %w: %d segments, want %d for %d samples of %d bits", segd.ErrUnprocessable, n, want, l.Samples, l.BitsAllocated)
	}
	start := headerSize
	for i := range n {
		begin := int64(binary.LittleEndian.Uint32(src[4+4*i:]))
		end := int64(len(src))
		if i+1 < n {
			end = int64(binary.LittleEndian.Uint32(src[8+4*i:]))
		}
		if begin < int64(start) || end < begin || end > int64(len(src)) {
			return info, malformed("segment %d lies at %d to %d of %d bytes", i+1, begin, end, len(src))
		}
		start = int(end)
		// Segment i is byte i%width of sample i/width, the highest first.
		at := i/width*width + width - 1 - i%width
		if !unpack(dst[:l.Bytes()], src[begin:end], at, want) {
			return info, malformed("truncated: segment %d gives less than %d bytes", i+1, l.Rows*l.Columns)
		}
	}
	return info, nil
}

// unpack writes the bytes that src expands to at dst[at], dst[at+step] … to
// the end of dst, and reports whether there were enough. Bytes beyond are
// padding, and ignored.
func unpack(dst, src []byte, at, step int) bool {
	for at < len(dst) {
		if len(src) < 2 {
			return false
		}
		c := int8(src[0])
		switch {
		case c >= 0:
			literal := src[1:min(int(c)+2, len(src))]
			src = src[1+len(literal):]
			if step == 1 {
				at += copy(dst[at:], literal)
				continue
			}
			for _, v := range literal {
				if at >= len(dst) {
					break
				}
				dst[at] = v
				at += step
			}
		case c == -128:
			src = src[1:]
		default:
			v := src[1]
			src = src[2:]
			for end := min(len(dst), at+(1-int(c))*step); at < end; at += step {
				dst[at] = v
			}
		}
	}
	return true
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("rle: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}
