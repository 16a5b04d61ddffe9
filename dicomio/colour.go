package dicomio

import (
	"math"

	"segd"
)

// palette is a palette of colours (PS3.3 C.7.6.3.1.5) in 0..255.
type palette struct {
	first  int
	colour [3][]float32
}

// readPalette reads the three lookup tables of PALETTE COLOR.
func readPalette(a attributes, l *layout) (*palette, error) {
	p := &palette{}
	for c := range uint32(3) {
		t, first, err := readTable(a, 0x00281101+c, 0x00281201+c, 0x00281221+c, l.signed)
		if err != nil {
			return nil, err
		}
		if c > 0 && first != p.first {
			return nil, unprocessable("palettes that begin at different values, %d and %d", p.first, first)
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

// readTable reads a lookup table and the stored value of its first entry. Its
// descriptor holds the number of entries (0 stands for 65536), that first
// value, and the bits of an entry (PS3.3 C.11.1.1.1).
//
// Data may be written in segments instead; 0 names no such element.
func readTable(a attributes, descriptor, data, segmented uint32, signed bool) (table, int, error) {
	d, err := a.ints(descriptor)
	if err != nil {
		return table{}, 0, err
	}
	if len(d) != 3 {
		return table{}, 0, unprocessable("lookup table descriptor %s of %d values, want 3", name(descriptor), len(d))
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
		return table{}, 0, unprocessable("lookup table %s of %d bits", name(descriptor), bits)
	}
	values := a.words(data)
	if segments := a.words(segmented); values == nil && segments != nil {
		if bits != 16 {
			return table{}, 0, unprocessable("segmented lookup table %s of %d bits, want 16", name(segmented), bits)
		}
		if values = expand(segments, n); values == nil {
			return table{}, 0, unprocessable("segmented lookup table %s is not of %d entries", name(segmented), n)
		}
	}
	if len(values) < n && bits == 8 && len(values) >= (n+1)/2 {
		// Entries of 8 bits may be packed two to a word, the first one low.
		packed := values
		values = make([]int, 0, 2*len(packed))
		for _, v := range packed {
			values = append(values, v&0xff, v>>8&0xff)
		}
	}
	if len(values) < n {
		return table{}, 0, unprocessable("lookup table %s of %d entries, want %d", name(data), len(values), n)
	}
	out := make([]int, n)
	for i := range out {
		out[i] = values[i] & 0xffff
	}
	return table{values: out, bits: bits}, first, nil
}

// expand writes out a segmented lookup table of n entries (PS3.3 C.7.9.2):
// segments are discrete values (0) or lead in a straight line from the value
// before to another (1). It returns nil for anything else, the indirect
// segments (2) that no known writer makes among it.
func expand(words []int, n int) []int {
	out := make([]int, 0, n)
	for len(words) >= 2 {
		code, length := words[0], words[1]
		words = words[2:]
		if length > n-len(out) {
			return nil
		}
		switch {
		case code == 0 && length <= len(words):
			out = append(out, words[:length]...)
			words = words[length:]
		case code == 1 && len(out) > 0 && len(words) > 0:
			from, to := out[len(out)-1], words[0]
			for i := range length {
				out = append(out, int(math.Round(float64(from)+float64(to-from)*float64(i+1)/float64(length))))
			}
			words = words[1:]
		default:
			return nil
		}
	}
	if len(out) != n {
		return nil
	}
	return out
}

// colourImage turns the stored values of a colour frame into an RGB Image.
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
		for i := 0; i+3 <= len(img.Pix); i += 3 {
			y, cb, cr := float64(raw[i]), float64(raw[i+1])-128, float64(raw[i+2])-128
			img.Pix[i] = clamp255(y + 1.402*cr)
			img.Pix[i+1] = clamp255(y - 0.344136*cb - 0.714136*cr)
			img.Pix[i+2] = clamp255(y + 1.772*cb)
		}
	}
	return img
}

// clamp255 rounds to a whole number in 0..255 (PS3.3 C.7.6.3.1.2, YBR_FULL).
func clamp255(v float64) float32 {
	return float32(int(min(max(v, 0), 255) + 0.5))
}
