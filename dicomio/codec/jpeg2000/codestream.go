package jpeg2000

import (
	"encoding/binary"
	"math"
)

// Markers (15444-1 Table A.2, 15444-15 A.2).
const (
	markSOC = 0xFF4F
	markSIZ = 0xFF51
	markCOD = 0xFF52
	markCOC = 0xFF53
	markQCD = 0xFF5C
	markQCC = 0xFF5D
	markRGN = 0xFF5E
	markPOC = 0xFF5F
	markPPM = 0xFF60
	markPPT = 0xFF61
	markSOT = 0xFF90
	markSOP = 0xFF91
	markEPH = 0xFF92
	markSOD = 0xFF93
	markEOC = 0xFFD9
	markMCT = 0xFF74 // 15444-2: array transforms
	markMCO = 0xFF77
)

// size holds the SIZ marker: the image area and the tiles on the reference grid,
// and the components. Components are not subsampled, so the points of the grid
// are pixels.
type size struct {
	image       rect
	first       rect // the first tile, before it is cut to the image area
	tileColumns int
	comps       []component
}

type component struct {
	precision int // bits, 1 to 38
	signed    bool
}

// A rect is half open.
type rect struct{ x0, y0, x1, y1 int }

func (r rect) width() int  { return r.x1 - r.x0 }
func (r rect) height() int { return r.y1 - r.y0 }
func (r rect) empty() bool { return r.x1 <= r.x0 || r.y1 <= r.y0 }

// ceilShift divides the corners by 2^n, rounding up (15444-1 B-14, B-15).
func (r rect) ceilShift(n int) rect {
	return rect{ceilShift(r.x0, n), ceilShift(r.y0, n), ceilShift(r.x1, n), ceilShift(r.y1, n)}
}

func ceilShift(v, n int) int { return (v + 1<<n - 1) >> n }
func ceilDiv(a, b int) int   { return (a + b - 1) / b }

// A tileStream holds everything in the codestream about a tile.
type tileStream struct {
	header [][]byte // the marker segments of each tile-part
	packed [][]byte // packet headers from PPM and PPT, in order
	body   [][]byte // packets, of each tile-part
	parts  int      // tile-parts announced by headers, 0 if unknown
}

// segment splits the marker segment off b that follows a marker; the length
// that it begins with counts itself.
func segment(b []byte) (content, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, malformed("the codestream ends in a marker segment")
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < 2 || n > len(b) {
		return nil, nil, malformed("marker segment with %d bytes, only %d are left", n, len(b))
	}
	return b[2:n], b[n:], nil
}

// parse reads the main header and finds the tile-parts (15444-1 A.3).
func (d *decoder) parse(b []byte) error {
	if len(b) < 4 || binary.BigEndian.Uint16(b) != markSOC {
		return malformed("no JPEG 2000 codestream")
	}
	if binary.BigEndian.Uint16(b[2:]) != markSIZ {
		return malformed("no SIZ marker at the start")
	}
	rest, err := d.parseMain(b[2:])
	if err != nil {
		return err
	}
	return d.parseTileParts(rest)
}

// parseMain reads marker segments up to the first SOT, which it leaves.
func (d *decoder) parseMain(b []byte) ([]byte, error) {
	var ppm [256][]byte
	for {
		if len(b) < 2 {
			return nil, malformed("the codestream ends in its main header")
		}
		marker := int(binary.BigEndian.Uint16(b))
		if marker == markSOT {
			break
		}
		content, rest, err := segment(b[2:])
		if err != nil {
			return nil, err
		}
		switch marker {
		case markSIZ:
			err = d.parseSize(content)
		case markPPM:
			if len(content) < 1 {
				return nil, malformed("empty PPM marker")
			}
			ppm[content[0]] = content[1:]
		case markMCT, markMCT + 1, markMCT + 2, markMCO:
			return nil, unsupported("array transforms of Part 2")
		default:
			err = d.main.parse(marker, content, len(d.comps))
		}
		if err != nil {
			return nil, err
		}
		b = rest
	}
	if err := d.main.complete(); err != nil {
		return nil, err
	}
	return b, d.unpack(ppm)
}

// unpack joins the PPM segments and cuts them into tile-parts (15444-1 A.7.4).
func (d *decoder) unpack(ppm [256][]byte) error {
	var all []byte
	for _, b := range ppm {
		all = append(all, b...)
	}
	for len(all) > 0 {
		if len(all) < 4 || uint64(binary.BigEndian.Uint32(all)) > uint64(len(all)-4) {
			return malformed("PPM markers end within a tile-part")
		}
		n := 4 + int(binary.BigEndian.Uint32(all))
		d.packed = append(d.packed, all[4:n])
		all = all[n:]
	}
	return nil
}

// parseSize reads the SIZ marker and checks it against the layout before any
// memory is allocated (15444-1 A.5.1, B.3).
func (d *decoder) parseSize(b []byte) error {
	if d.comps != nil {
		return malformed("second SIZ marker")
	}
	if len(b) < 36 {
		return malformed("SIZ marker with %d bytes", len(b))
	}
	var v [8]int
	for i := range v {
		u := binary.BigEndian.Uint32(b[2+4*i:])
		if uint64(u) > math.MaxInt/4 { // on 32 bits
			return unsupported("coordinate %d on the reference grid, limit %d", u, math.MaxInt/4)
		}
		v[i] = int(u)
	}
	d.image = rect{v[2], v[3], v[0], v[1]}
	d.first = rect{v[6], v[7], v[6] + v[4], v[7] + v[5]}
	if d.image.empty() || d.first.empty() || d.first.x0 > d.image.x0 || d.first.y0 > d.image.y0 ||
		d.first.x1 <= d.image.x0 || d.first.y1 <= d.image.y0 {
		return malformed("the image area and the tiles do not overlap")
	}
	count := int(binary.BigEndian.Uint16(b[34:]))
	l := d.layout
	if d.image.width() != l.Columns || d.image.height() != l.Rows || count != l.Samples {
		return contradiction("stream of %d×%d pixels of %d samples, announced %d×%d of %d",
			d.image.height(), d.image.width(), count, l.Rows, l.Columns, l.Samples)
	}
	if len(b) < 36+3*count {
		return malformed("SIZ marker with %d bytes for %d components", len(b), count)
	}
	d.comps = make([]component, count)
	for i := range d.comps {
		s := b[36+3*i:]
		c := component{precision: int(s[0]&0x7F) + 1, signed: s[0]&0x80 != 0}
		switch {
		case s[1] != 1 || s[2] != 1:
			return unsupported("component %d is subsampled %d×%d", i, s[2], s[1])
		case c.precision > 38:
			return malformed("component %d with %d bits a sample", i, c.precision)
		case c.precision > l.BitsAllocated:
			return contradiction("samples of %d bits, %d are allocated", c.precision, l.BitsAllocated)
		case c.signed != (b[36]&0x80 != 0):
			return unsupported("signed and unsigned components together")
		}
		d.comps[i] = c
	}
	d.tileColumns = ceilDiv(d.image.x1-d.first.x0, d.first.width())
	tileRows := ceilDiv(d.image.y1-d.first.y0, d.first.height())
	if d.tileColumns > 65535 || tileRows > 65535 || d.tileColumns*tileRows > 65535 {
		return malformed("%d×%d tiles, limit 65535", tileRows, d.tileColumns)
	}
	d.tiles = make([]tileStream, d.tileColumns*tileRows)
	d.main.init(count)
	return nil
}

// parseTileParts collects the tile-parts up to EOC, or to the end if there is
// none (15444-1 A.4.2).
func (d *decoder) parseTileParts(b []byte) error {
	for part := 0; len(b) >= 2; part++ {
		marker := int(binary.BigEndian.Uint16(b))
		if marker == markEOC {
			break
		}
		if marker != markSOT {
			return malformed("marker %04X between tile-parts", marker)
		}
		if len(b) < 12 || binary.BigEndian.Uint16(b[2:]) != 10 {
			return malformed("incomplete SOT marker")
		}
		index := int(binary.BigEndian.Uint16(b[4:]))
		length := uint64(binary.BigEndian.Uint32(b[6:]))
		if index >= len(d.tiles) {
			return malformed("tile-part of tile %d, but there are %d tiles", index, len(d.tiles))
		}
		if length == 0 { // the last tile-part: up to EOC
			length = uint64(len(b))
			if len(b) >= 14 && binary.BigEndian.Uint16(b[len(b)-2:]) == markEOC {
				length -= 2
			}
		}
		if length < 14 || length > uint64(len(b)) {
			return malformed("tile-part with %d bytes, only %d are left", length, len(b))
		}
		tile := &d.tiles[index]
		tile.parts = max(tile.parts, int(b[11]))
		if err := d.parseTilePart(tile, part, b[12:length]); err != nil {
			return err
		}
		b = b[length:]
	}
	for i := range d.tiles {
		if got, want := len(d.tiles[i].body), max(1, d.tiles[i].parts); got < want {
			return malformed("%d of %d tile-parts of tile %d", got, want, i)
		}
	}
	return nil
}

// parseTilePart splits a tile-part, after its SOT, at its SOD marker.
func (d *decoder) parseTilePart(t *tileStream, part int, b []byte) error {
	header, at := b, 0
	if part < len(d.packed) {
		t.packed = append(t.packed, d.packed[part])
	}
	var ppt [256][]byte
	for {
		if len(b)-at < 2 {
			return malformed("tile-part without SOD marker")
		}
		marker := int(binary.BigEndian.Uint16(b[at:]))
		if marker == markSOD {
			break
		}
		content, rest, err := segment(b[at+2:])
		if err != nil {
			return err
		}
		if marker == markPPT {
			if len(content) < 1 {
				return malformed("empty PPT marker")
			}
			ppt[content[0]] = content[1:]
		}
		at = len(b) - len(rest)
	}
	for _, p := range ppt {
		if p != nil {
			t.packed = append(t.packed, p)
		}
	}
	t.header = append(t.header, header[:at])
	t.body = append(t.body, b[at+2:])
	return nil
}
