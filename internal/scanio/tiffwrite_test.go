package scanio

import (
	"encoding/binary"
	"slices"
)

// tiffSpec is a page to write: its blocks as they are in the file, and its tags
// besides those of the blocks, whose values are written as shorts, of text as bytes.
type tiffSpec struct {
	blocks [][]byte
	tiled  bool
	tags   map[uint16][]uint32
	text   string // ImageDescription
}

// spec is a page of width×height pixels of a byte.
func spec(width, height int, pix []byte, tags map[uint16][]uint32) tiffSpec {
	all := map[uint16][]uint32{
		tiffWidth: {uint32(width)}, tiffHeight: {uint32(height)}, tiffBitsPerSample: {8}, tiffPhotometric: {blackIsZero}, tiffRowsPerStrip: {uint32(height)},
	}
	for tag, v := range tags {
		if all[tag] = v; v == nil {
			delete(all, tag)
		}
	}
	return tiffSpec{blocks: [][]byte{pix}, tags: all}
}

// writeTIFF writes pages in little endian.
func writeTIFF(pages ...tiffSpec) []byte {
	order := binary.LittleEndian
	b, link := []byte("II*\x00\x00\x00\x00\x00"), 4
	for _, p := range pages {
		tags := map[uint16][]uint32{}
		for tag, v := range p.tags {
			tags[tag] = v
		}
		offsets, counts := uint16(tiffStripOffsets), uint16(tiffStripByteCounts)
		if p.tiled {
			offsets, counts = tiffTileOffsets, tiffTileByteCounts
		}
		for _, block := range p.blocks {
			tags[offsets], tags[counts] = append(tags[offsets], uint32(len(b))), append(tags[counts], uint32(len(block)))
			b = append(b, block...)
		}
		var entries []byte
		var order16 []uint16
		for tag := range tags {
			order16 = append(order16, tag)
		}
		if p.text != "" {
			order16 = append(order16, tiffDescription)
		}
		slices.Sort(order16)
		for _, tag := range order16 {
			kind, n := uint16(typeLong), len(tags[tag])
			var raw []byte
			for _, v := range tags[tag] {
				raw = order.AppendUint32(raw, v)
			}
			if tag == tiffDescription {
				raw = append([]byte(p.text), 0)
				kind, n = typeASCII, len(raw)
			}
			entries = order.AppendUint32(order.AppendUint16(order.AppendUint16(entries, tag), kind), uint32(n))
			if len(raw) > 4 {
				entries = order.AppendUint32(entries, uint32(len(b)))
				b = append(b, raw...)
				continue
			}
			entries = append(entries, append(raw, make([]byte, 4-len(raw))...)...)
		}
		order.PutUint32(b[link:], uint32(len(b)))
		b = append(order.AppendUint16(b, uint16(len(order16))), entries...)
		link = len(b)
		b = append(b, 0, 0, 0, 0)
	}
	return b
}
