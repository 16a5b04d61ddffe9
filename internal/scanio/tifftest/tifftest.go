// Package tifftest writes TIFF files for tests.
package tifftest

import "encoding/binary"

// Stack is a TIFF of grey pages of a byte a pixel.
func Stack(width, height int, pages ...[]uint8) []byte {
	o := binary.LittleEndian
	b, link := []byte("II*\x00\x00\x00\x00\x00"), 4
	for _, pix := range pages {
		at := uint32(len(b))
		b = append(b, pix...)
		o.PutUint32(b[link:], uint32(len(b)))
		tags := [][2]uint32{{256, uint32(width)}, {257, uint32(height)}, {258, 8}, {262, 1}, {273, at}, {278, uint32(height)}, {279, uint32(len(pix))}}
		b = o.AppendUint16(b, uint16(len(tags)))
		for _, t := range tags {
			b = o.AppendUint32(o.AppendUint32(o.AppendUint16(o.AppendUint16(b, uint16(t[0])), 4), 1), t[1])
		}
		link = len(b)
		b = append(b, 0, 0, 0, 0)
	}
	return b
}
