package jpeg2000

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// A tile being decoded: its area, its parameters, and a tree of components,
// resolutions, precincts and code blocks (15444-1 B.3 to B.7).
type tile struct {
	params
	rect
	comps          []tileComponent
	body           []byte // all packets
	blocks, pieces int    // that are in memory
}

type tileComponent struct {
	*coding
	rect
	roi         int
	resolutions []resolution
	bands       []band // of all resolutions
}

// A resolution is a level of the decomposition with the subbands that lead to
// it: LL for the lowest, HL, LH and HH for each other.
type resolution struct {
	rect
	bands                 []band // none where the resolution is empty
	precWidth, precHeight int    // exponents of the size of a precinct
	columns, rows         int    // of precincts
	precincts             []*precinct
	layers                []uint16 // packets read of each precinct
}

// A band is a subband. Its samples are in the plane of the component from (left,
// top) on, so that the bands of a resolution tile its area.
type band struct {
	rect
	orient                  int // orientLL ...
	left, top               int
	planes                  int     // Mb of 15444-1 E-2
	step                    float32 // of half units; see blockDecoder
	blockWidth, blockHeight int     // exponents
	precWidth, precHeight   int
}

// Orientations: whether a band is high-pass horizontally (1) and vertically (2).
const (
	orientLL = iota
	orientHL
	orientLH
	orientHH
)

// A precinct has a part of each band of its resolution.
type precinct struct{ parts []part }

// A part is a grid of code blocks with the two tag trees of its packet headers.
type part struct {
	columns   int
	blocks    []block
	inclusion tagTree
	zeros     tagTree
}

// A block is a code block: its position in the band, and the data that packets
// brought for it.
type block struct {
	x, y          int32
	width, height uint16
	included      bool
	zeros         uint8  // most significant planes that are all zero
	lengthBits    uint8  // Lblock
	segment       uint16 // of the last piece
	segmentPasses uint16 // of that segment so far
	pieces        []piece
}

// A piece is the part of a codeword segment that one packet holds.
type piece struct {
	segment, passes uint16
	at, length      uint32 // in the body of the tile
}

// hasHeader reports whether the tile has its own markers.
func (s *tileStream) hasHeader() bool {
	return slices.ContainsFunc(s.header, func(h []byte) bool { return len(h) > 0 })
}

// newTile lays out tile i in the memory of the previous one. It allocates
// precincts and blocks only when a packet has data for them.
func (d *decoder) newTile(i int) (*tile, error) {
	stream := &d.tiles[i]
	p := d.main
	if stream.hasHeader() {
		p = d.main.clone()
	}
	p.changes = nil
	for _, h := range stream.header {
		for len(h) >= 2 {
			content, rest, err := segment(h[2:])
			if err != nil {
				return nil, err
			}
			if err := p.parse(int(binary.BigEndian.Uint16(h)), content, len(d.comps)); err != nil {
				return nil, err
			}
			h = rest
		}
	}
	if p.changes == nil {
		p.changes = d.main.changes
	}
	column, row := i%d.tileColumns, i/d.tileColumns
	x, y := d.first.x0+column*d.first.width(), d.first.y0+row*d.first.height()
	t := &d.tile
	*t = tile{params: p, comps: t.comps, rect: rect{
		max(x, d.image.x0), max(y, d.image.y0),
		min(x+d.first.width(), d.image.x1), min(y+d.first.height(), d.image.y1),
	}}
	n := t.width() * t.height()
	if t.transform {
		n *= 3
	}
	if n > maxTileSamples {
		return nil, unsupported("tile of %d samples, limit %d", n, maxTileSamples)
	}
	t.body = joined(stream.body)
	if t.comps == nil {
		t.comps = make([]tileComponent, len(d.comps))
	}
	precincts := 0
	for c := range t.comps {
		precincts += t.layOut(c, d.comps[c].precision)
		if precincts > maxTilePrecincts {
			return nil, unsupported("%d precincts in a tile, limit %d", precincts, maxTilePrecincts)
		}
	}
	return t, nil
}

// layOut sets up component c and returns the number of its precincts.
func (t *tile) layOut(c, precision int) int {
	tc := &t.comps[c]
	tc.coding, tc.rect, tc.roi = &t.coding[c], t.rect, t.roi[c]
	tc.resolutions = cleared(tc.resolutions, tc.levels+1)
	tc.bands = cleared(tc.bands, 3*tc.levels+1)
	q, count := &t.quant[c], 0
	for r := range tc.resolutions {
		res := &tc.resolutions[r]
		*res = resolution{
			rect:      tc.ceilShift(tc.levels - r),
			precWidth: tc.precinctWidth[r], precHeight: tc.precHeight[r],
		}
		if res.empty() {
			continue
		}
		res.columns = ceilShift(res.x1, res.precWidth) - res.x0>>res.precWidth
		res.rows = ceilShift(res.y1, res.precHeight) - res.y0>>res.precHeight
		count += res.columns * res.rows
		if r == 0 {
			res.bands = tc.bands[:1]
			res.bands[0] = tc.band(r, orientLL, q, 0, precision)
			continue
		}
		res.bands = tc.bands[3*r-2 : 3*r+1]
		for i := range res.bands {
			res.bands[i] = tc.band(r, orientHL+i, q, 3*r-2+i, precision)
		}
	}
	return count
}

// band lays out the band of resolution r with orientation o; its step is the
// quantiser's entry i (15444-1 B-15, E-2, E-3).
//
// OpenJPEG counts the gain of a high-pass band of the 9/7 wavelet in the
// synthesis and not in the step; wavelet97 does so too.
func (tc *tileComponent) band(r, o int, q *quant, i, precision int) band {
	b := band{
		orient:    o,
		planes:    max(0, q.guard+q.exponent[i]-1),
		step:      float32((1 + float64(q.mantissa[i])/2048) * math.Ldexp(1, precision-q.exponent[i])),
		precWidth: tc.precinctWidth[r], precHeight: tc.precHeight[r],
	}
	b.step *= 0.5
	if r == 0 {
		b.rect = tc.ceilShift(tc.levels)
	} else {
		n := tc.levels - r + 1
		dx, dy := o&1<<(n-1), o>>1<<(n-1)
		b.rect = rect{tc.x0 - dx, tc.y0 - dy, tc.x1 - dx, tc.y1 - dy}.ceilShift(n)
		lower := tc.ceilShift(n)
		b.left, b.top = o&1*lower.width(), o>>1*lower.height()
		b.precWidth--
		b.precHeight--
	}
	b.blockWidth, b.blockHeight = min(tc.blockWidth, b.precWidth), min(tc.blockHeight, b.precHeight)
	return b
}

// precinct returns precinct i of a resolution, made on first use.
func (t *tile) precinct(res *resolution, i int) (*precinct, error) {
	if p := res.precincts[i]; p != nil {
		return p, nil
	}
	p := &precinct{parts: make([]part, len(res.bands))}
	column := res.x0>>res.precWidth + i%res.columns
	row := res.y0>>res.precHeight + i/res.columns
	for k := range res.bands {
		if err := t.grid(&p.parts[k], &res.bands[k], column, row); err != nil {
			return nil, err
		}
	}
	res.precincts[i] = p
	return p, nil
}

// grid makes the code blocks of band b in the precinct at column and row
// (15444-1 B.7).
func (t *tile) grid(p *part, b *band, column, row int) error {
	area := rect{
		max(b.x0, column<<b.precWidth), max(b.y0, row<<b.precHeight),
		min(b.x1, (column+1)<<b.precWidth), min(b.y1, (row+1)<<b.precHeight),
	}
	if area.empty() {
		return nil
	}
	first := rect{area.x0 >> b.blockWidth, area.y0 >> b.blockHeight,
		ceilShift(area.x1, b.blockWidth), ceilShift(area.y1, b.blockHeight)}
	n := first.width() * first.height()
	if t.blocks += n; t.blocks > maxTileBlocks {
		return unsupported("%d code blocks in a tile, limit %d", t.blocks, maxTileBlocks)
	}
	p.columns = first.width()
	p.blocks = make([]block, 0, n)
	for y := first.y0; y < first.y1; y++ {
		for x := first.x0; x < first.x1; x++ {
			x0, y0 := max(area.x0, x<<b.blockWidth), max(area.y0, y<<b.blockHeight)
			x1, y1 := min(area.x1, (x+1)<<b.blockWidth), min(area.y1, (y+1)<<b.blockHeight)
			p.blocks = append(p.blocks, block{
				x: int32(x0 - b.x0), y: int32(y0 - b.y0),
				width: uint16(x1 - x0), height: uint16(y1 - y0),
				lengthBits: 3,
			})
		}
	}
	p.inclusion = newTagTree(first.width(), first.height())
	p.zeros = newTagTree(first.width(), first.height())
	return nil
}

// decodeTile decodes tile i into dst.
func (d *decoder) decodeTile(i int) error {
	t, err := d.newTile(i)
	if err != nil {
		return err
	}
	stream := &d.tiles[i]
	var headers []byte
	if len(stream.packed) > 0 {
		headers = joined(stream.packed)
	}
	if err := t.readPackets(headers); err != nil {
		return err
	}
	return d.reconstruct(t)
}

// joined returns the concatenation of parts, without copying if there is only
// one.
func joined(parts [][]byte) []byte {
	if len(parts) == 1 {
		return parts[0]
	}
	return bytes.Join(parts, nil)
}
