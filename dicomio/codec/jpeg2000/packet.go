package jpeg2000

import (
	"encoding/binary"
	"math/bits"
)

// A bitReader reads packet headers: most significant bit first, with a zero bit
// stuffed after each byte of ones (15444-1 B.10.1). Past the end it returns
// zeros and records that it did.
type bitReader struct {
	b    []byte
	at   int
	last byte
	left int // unread bits of last
	over bool
}

func (r *bitReader) bit() int {
	if r.left == 0 {
		r.left = 8
		if r.last == 0xFF {
			r.left = 7
		}
		if r.at < len(r.b) {
			r.last = r.b[r.at]
			r.at++
		} else {
			r.last, r.over = 0, true
		}
	}
	r.left--
	return int(r.last>>r.left) & 1
}

func (r *bitReader) bits(n int) int {
	v := 0
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// rest ends a header and returns the bytes after it. The rest of the last byte
// is padding, and so is a byte after a byte of ones.
func (r *bitReader) rest() []byte {
	if r.last == 0xFF && r.at < len(r.b) {
		r.at++
	}
	return r.b[r.at:]
}

// A delivery is a piece whose data follows in the body of the packet.
type delivery struct {
	to    *block
	piece piece
}

// readPackets reads the packets of the tile from its body, and their headers
// from headers if that is not nil.
func (t *tile) readPackets(headers []byte) error {
	for c := range t.comps {
		for r := range t.comps[c].resolutions {
			res := &t.comps[c].resolutions[r]
			res.precincts = make([]*precinct, res.columns*res.rows)
			res.layers = make([]uint16, res.columns*res.rows)
		}
	}
	in := packetReader{tile: t, body: t.body, headers: headers}
	return t.packets(in.read)
}

// A packetReader is the reading position in the data of a tile.
type packetReader struct {
	tile          *tile
	body, headers []byte
	pending       []delivery
}

// read reads the next packet: that of layer l in precinct p of resolution r of
// component c. more is false at the end of the data (15444-1 B.9, B.10).
func (in *packetReader) read(c, r, p, l int) (more bool, err error) {
	if len(in.body) == 0 && len(in.headers) == 0 {
		return false, nil
	}
	if len(in.body) >= 6 && binary.BigEndian.Uint16(in.body) == markSOP {
		in.body = in.body[6:]
	}
	header := bitReader{b: in.body}
	if in.headers != nil {
		header.b = in.headers
	}
	in.pending = in.pending[:0]
	if header.bit() == 1 {
		if err := in.readBlocks(&header, c, r, p, l); err != nil {
			return false, err
		}
	}
	rest := header.rest()
	if len(rest) >= 2 && binary.BigEndian.Uint16(rest) == markEPH {
		rest = rest[2:]
	}
	if header.over {
		return false, malformed("a tile ends in a packet header")
	}
	if in.headers != nil {
		in.headers = rest
	} else {
		in.body = rest
	}
	for _, d := range in.pending {
		if uint64(d.piece.length) > uint64(len(in.body)) {
			return false, malformed("code block with %d bytes, only %d are left in the tile", d.piece.length, len(in.body))
		}
		d.piece.at = uint32(len(in.tile.body) - len(in.body))
		d.to.pieces = append(d.to.pieces, d.piece)
		in.body = in.body[d.piece.length:]
	}
	return true, nil
}

// readBlocks reads the code blocks from the header of a packet.
func (in *packetReader) readBlocks(header *bitReader, c, r, p, l int) error {
	tc := &in.tile.comps[c]
	res := &tc.resolutions[r]
	prec, err := in.tile.precinct(res, p)
	if err != nil {
		return err
	}
	for k := range prec.parts {
		part := &prec.parts[k]
		for i := range part.blocks {
			b := &part.blocks[i]
			x, y := i%part.columns, i/part.columns
			var now bool
			if b.included {
				now = header.bit() == 1
			} else {
				now = part.inclusion.below(header, x, y, l+1)
			}
			if header.over {
				return malformed("a tile ends in a packet header")
			}
			if !now {
				continue
			}
			if !b.included {
				b.included = true
				n := 1
				for !part.zeros.below(header, x, y, n) {
					if n++; n > 255 || header.over {
						return malformed("code block with more than %d zero planes", n-2)
					}
				}
				b.zeros = uint8(n - 1)
			}
			if err := in.readLengths(header, b, tc.style); err != nil {
				return err
			}
		}
	}
	return nil
}

// readLengths reads the number of passes of block b in the packet, and the
// length of each codeword segment that holds them (15444-1 B.10.6, B.10.7).
func (in *packetReader) readLengths(header *bitReader, b *block, style int) error {
	n := passCount(header)
	for header.bit() == 1 {
		if b.lengthBits++; b.lengthBits > 32 {
			return malformed("length with more than %d bits", b.lengthBits-1)
		}
	}
	for n > 0 {
		room := segmentPasses(style, b, n) - int(b.segmentPasses)
		if room <= 0 {
			b.segment++
			b.segmentPasses = 0
			continue
		}
		m := min(n, room)
		width := int(b.lengthBits) + bits.Len(uint(m)) - 1
		if width > 32 {
			return malformed("length with %d bits", width)
		}
		if in.tile.pieces++; in.tile.pieces > maxTilePieces {
			return unsupported("%d contributions to code blocks, limit %d", in.tile.pieces, maxTilePieces)
		}
		in.pending = append(in.pending, delivery{b, piece{
			segment: b.segment, passes: uint16(m), length: uint32(header.bits(width)),
		}})
		b.segmentPasses += uint16(m)
		n -= m
	}
	return nil
}

// passCount reads the number of coding passes (15444-1 Table B.4).
func passCount(in *bitReader) int {
	if in.bit() == 0 {
		return 1
	}
	if in.bit() == 0 {
		return 2
	}
	if v := in.bits(2); v < 3 {
		return 3 + v
	}
	if v := in.bits(5); v < 31 {
		return 6 + v
	}
	return 37 + in.bits(7)
}

// segmentPasses is the number of coding passes in the current codeword segment
// of block b, before n more (15444-1 Table D.9, 15444-15 B.2).
func segmentPasses(style int, b *block, n int) int {
	switch {
	case style&styleHT != 0 && b.segment == 0:
		// The cleanup pass, and in front of it placeholders, three for each
		// plane that has none.
		if b.segmentPasses > 0 {
			return 0
		}
		return (n-1)/3*3 + 1
	case style&styleHT != 0:
		return 2 // significance propagation, magnitude refinement
	case style&styleTermAll != 0:
		return 1
	case style&styleBypass == 0:
		return 1 << 15
	case b.segment == 0:
		return 10
	case b.segment%2 == 1:
		return 2
	default:
		return 1
	}
}
