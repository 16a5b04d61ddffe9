package dicomio

import (
	"encoding/binary"
	"math"

	"segd"
	"segd/dicomio/tag"
)

// palette is a colour palette (PS3.3 C.7.6.3.1.5) with values of 0..255.
type palette struct {
	first  int
	colour [3][]float32
}

// readPalette reads the three lookup tables of PALETTE COLOR.
func readPalette(a attributes, l *layout) (*palette, error) {
	p := &palette{}
	for c := range uint32(3) {
		t, first, err := readTable(a, tag.RedPaletteColorLookupTableDescriptor+c,
			tag.RedPaletteColorLookupTableData+c, tag.SegmentedRedPaletteColorLookupTableData+c, l.signed)
		if err != nil {
			return nil, err
		}
		if c > 0 && first != p.first {
			return nil, unprocessable("palettes begin at different values, %d and %d", p.first, first)
		}
		p.first = first
		scale := float32(1)
		if t.bits > 8 {
			scale = 1 / float32(257) // 65535 becomes 255
		}
		p.colour[c] = make([]float32, len(t.values))
		for i, v := range t.values {
			p.colour[c][i] = float32(v) * scale
		}
	}
	return p, nil
}

// table is a lookup table.
type table struct {
	values []int
	bits   int // of each value
}

// readTable reads a lookup table and the stored value of its first entry. The
// descriptor holds the number of entries (0 means 65536), that first value, and
// the bits of an entry (PS3.3 C.11.1.1.1).
//
// The data may be segmented; a tag of 0 means that this table cannot be.
func readTable(a attributes, descriptor, data, segmented uint32, signed bool) (table, int, error) {
	d, err := a.ints(descriptor)
	if err != nil {
		return table{}, 0, err
	}
	if len(d) != 3 {
		return table{}, 0, unprocessable("lookup table descriptor %s has %d values, want 3", name(descriptor), len(d))
	}
	n, first, bits := d[0]&0xffff, d[1], d[2]&0xffff
	if n == 0 {
		n = 1 << 16
	}
	if signed {
		first = int(int16(first))
	} else {
		first &= 0xffff
	}
	if bits < 8 || bits > 16 {
		return table{}, 0, unprocessable("lookup table %s has %d bits an entry, want 8 to 16", name(descriptor), bits)
	}
	values := a.words(data)
	if segments := a.words(segmented); values == nil && segments != nil {
		if bits == 8 {
			segments = unpacked(segments)
		} else if bits != 16 {
			return table{}, 0, unprocessable("segmented lookup table %s has %d bits an entry, want 8 or 16", name(segmented), bits)
		}
		if values = expand(segments, n, bits); values == nil {
			return table{}, 0, unprocessable("segmented lookup table %s does not expand to %d entries", name(segmented), n)
		}
	}
	if len(values) < n && bits == 8 && len(values) >= (n+1)/2 {
		values = unpacked(values)
	}
	if len(values) < n {
		return table{}, 0, unprocessable("lookup table %s has %d entries, want %d", name(data), len(values), n)
	}
	out := make([]int, n)
	for i := range out {
		out[i] = values[i] & 0xffff
	}
	return table{values: out, bits: bits}, first, nil
}

// unpacked splits words into the two 8-bit entries that they hold, the low one
// first.
func unpacked(words []int) []int {
	out := make([]int, 0, 2*len(words))
	for _, v := range words {
		out = append(out, v&0xff, v>>8&0xff)
	}
	return out
}

// expand decodes a segmented lookup table of n entries (PS3.3 C.7.9.2), whose
// units have 8 or 16 bits. A segment holds discrete values (0), a straight line
// from the previous value to another (1), or a reference to earlier segments
// (2): their number, and the byte offset of the first. expand returns nil for
// anything else.
func expand(units []int, n, bits int) []int {
	s := segments{out: make([]int, 0, n), n: n}
	for rest := units; len(rest) >= 2; {
		if rest[0] != 2 {
			if rest = s.add(rest); rest == nil {
				return nil
			}
			continue
		}
		offset := 0
		width := 32 / bits // units of an offset
		if len(rest) < 2+width {
			return nil
		}
		for i, v := range rest[2 : 2+width] {
			offset |= v << (bits * i)
		}
		offset /= bits / 8
		if offset < 0 || offset > len(units)-len(rest) {
			return nil // not an earlier segment
		}
		again := units[offset:]
		for range rest[1] {
			if again = s.add(again); again == nil {
				return nil
			}
		}
		rest = rest[2+width:]
	}
	if len(s.out) != n {
		return nil
	}
	return s.out
}

// segments collects at most n entries of a segmented lookup table.
type segments struct {
	out []int
	n   int
}

// add decodes the first segment of units and returns the rest; nil if the
// segment is neither discrete nor linear.
func (s *segments) add(units []int) []int {
	if len(units) < 3 || units[1] == 0 || units[1] > s.n-len(s.out) {
		return nil
	}
	length := units[1]
	switch {
	case units[0] == 0 && length <= len(units)-2:
		s.out = append(s.out, units[2:2+length]...)
		return units[2+length:]
	case units[0] == 1 && len(s.out) > 0:
		from, to := s.out[len(s.out)-1], units[2]
		for i := range length {
			s.out = append(s.out, int(math.Round(float64(from)+float64(to-from)*float64(i+1)/float64(length))))
		}
		return units[3:]
	}
	return nil
}

// colourImage converts the stored values of a colour frame to an RGB Image.
func (s *scan) colourImage(l *layout, raw []byte, g *grading) *segd.Image {
	img := &segd.Image{
		Width: l.cols, Height: l.rows, Channels: 3,
		Pix:     make([]float32, l.rows*l.cols*3),
		Spacing: g.spacing, Display: g.display,
	}
	switch {
	case s.palette != nil:
		for i := range l.rows * l.cols {
			k := l.value(raw, i) - s.palette.first
			for c, t := range s.palette.colour {
				img.Pix[3*i+c] = t[min(max(k, 0), len(t)-1)]
			}
		}
	case l.rgb():
		l.scale(img.Pix, raw, 1, 0)
	default:
		l.fromYBR(img.Pix, raw)
	}
	return img
}

// ybr holds the factors that convert Y, CB and CR to red, green and blue (PS3.3
// C.7.6.3.1.2), as fractions of the full range.
type ybr struct{ black, y, redCr, greenCb, greenCr, blueCb float64 }

var (
	ybrFull    = ybr{0, 1, 1.402, -0.344136, -0.714136, 1.772}
	ybrPartial = ybr{16. / 255, 255. / 219, 1.596027, -0.391762, -0.812968, 2.017232}
)

// fromYBR converts the Y, CB and CR of raw to red, green and blue, rounded to
// integers.
func (l *layout) fromYBR(dst []float32, raw []byte) {
	f := ybrFull
	if l.photometric == "YBR_PARTIAL_422" {
		f = ybrPartial
	}
	_, high := l.limits()
	middle := float64(int(high)/2 + 1)
	clamp := func(v float64) float32 { return float32(int(min(max(v, 0), high) + 0.5)) }
	c, wide := l.cut(), l.allocated > 8
	value := func(i int) float64 {
		if wide {
			return float64(c.extend(uint32(binary.LittleEndian.Uint16(raw[2*i:]))))
		}
		return float64(c.extend(uint32(raw[i])))
	}
	for i := 0; i+3 <= len(dst); i += 3 {
		y, cb, cr := value(i), value(i+1)-middle, value(i+2)-middle
		y = f.y * (y - f.black*high)
		dst[i] = clamp(y + f.redCr*cr)
		dst[i+1] = clamp(y + f.greenCb*cb + f.greenCr*cr)
		dst[i+2] = clamp(y + f.blueCb*cb)
	}
}
