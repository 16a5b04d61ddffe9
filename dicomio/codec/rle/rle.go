// Package rle decodes the run-length encoding of DICOM: each byte of the
// samples, the highest first, is a plane of its own, compressed like PackBits.
//
//	info, err := rle.Decode(dst, src, layout)
//
// The stream names no sizes, so info is empty. Samples of 1 bit are packed eight
// to a byte before compression; such a frame is decoded as one row of bytes.
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

// Decode decodes one frame; see package codec.
func Decode(dst, src []byte, l codec.Layout) (codec.Info, error) {
	var info codec.Info
	if len(src) < headerSize {
		return info, malformed("truncated: %d bytes, but the header has %d", len(src), headerSize)
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
			return info, malformed("segment %d spans bytes %d to %d of %d", i+1, begin, end, len(src))
		}
		start = int(end)
		// Segment i is byte i%width of sample i/width, the highest first.
		at := i/width*width + width - 1 - i%width
		if !unpack(dst[:l.Bytes()], src[begin:end], at, want) {
			return info, malformed("truncated: segment %d expands to fewer than %d bytes", i+1, l.Rows*l.Columns)
		}
	}
	return info, nil
}

// unpack expands src to dst[at], dst[at+step] … up to the end of dst, and
// reports whether there were enough bytes. Further bytes are padding and are
// ignored.
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
