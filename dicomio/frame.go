package dicomio

import (
	"encoding/binary"
	"math"

	"segd"
)

// grading says how stored values of a grey frame become values of its Image, and
// how those are displayed.
type grading struct {
	slope, intercept float64
	table            []float32 // modality LUT, instead of the two above
	first            int       // stored value of its first entry
	turn             bool      // MONOCHROME1: low is bright in the file
	display          segd.Display
	badVOI           bool // the frame's VOI LUT is damaged and ignored
	spacing          segd.Spacing
}

// limits returns the lowest and the highest stored value that the bits allow.
func (l *layout) limits() (low, high float64) {
	if l.float {
		return 0, 0 // unknown; inverting changes the sign
	}
	if l.signed {
		return -math.Exp2(float64(l.stored - 1)), math.Exp2(float64(l.stored-1)) - 1
	}
	return 0, math.Exp2(float64(l.stored)) - 1
}

// mirror returns the sum that inverts modality values: v becomes mirror-v, which
// keeps values in their range.
func (g *grading) mirror(l *layout) float64 {
	if g.table != nil {
		low, high := g.table[0], g.table[0]
		for _, v := range g.table {
			low, high = min(low, v), max(high, v)
		}
		return float64(low) + float64(high)
	}
	low, high := l.limits()
	return g.slope*(low+high) + 2*g.intercept
}

// greyImage converts the stored values of a frame to an Image.
func (s *scan) greyImage(l *layout, raw []byte, g *grading) *segd.Image {
	img := &segd.Image{
		Width: l.cols, Height: l.rows, Channels: 1,
		Pix:     make([]float32, l.rows*l.cols),
		Spacing: g.spacing, Display: g.display,
	}
	img.Padding = s.padding.mask(l, raw)
	if g.table != nil {
		for i := range img.Pix {
			k := min(max(l.value(raw, i)-g.first, 0), len(g.table)-1)
			img.Pix[i] = g.table[k]
		}
		if g.turn {
			m := float32(g.mirror(l))
			for i, v := range img.Pix {
				img.Pix[i] = m - v
			}
		}
		return img
	}
	slope, intercept := g.slope, g.intercept
	if g.turn {
		slope, intercept = -slope, g.mirror(l)-intercept
	}
	l.scale(img.Pix, raw, slope, intercept)
	return img
}

// value returns stored value i of raw, with unused bits masked and the sign
// extended.
func (l *layout) value(raw []byte, i int) int {
	var v uint32
	switch l.sampleBytes() {
	case 1:
		v = uint32(raw[i])
	case 2:
		v = uint32(binary.LittleEndian.Uint16(raw[2*i:]))
	default:
		v = binary.LittleEndian.Uint32(raw[4*i:])
	}
	return l.cut().extend(v)
}

// cut extracts the stored bits of an allocated value: bits above the high bit
// may hold an overlay, those below the lowest anything.
type cut struct {
	shift uint
	mask  uint32
	sign  int // the sign bit; 0: none
}

func (l *layout) cut() cut {
	c := cut{shift: uint(l.high + 1 - l.stored), mask: uint32(1<<l.stored - 1)}
	if l.signed {
		c.sign = 1 << (l.stored - 1)
	}
	return c
}

// extend returns the stored value in the allocated value v, without a branch.
func (c cut) extend(v uint32) int {
	return (int(v>>(c.shift&31)&c.mask) ^ c.sign) - c.sign
}

// scale computes slope·v + intercept for each stored value v of raw.
func (l *layout) scale(dst []float32, raw []byte, slope, intercept float64) {
	switch l.sampleBytes() {
	case 1:
		var table [256]float32
		c := l.cut()
		for v := range table {
			table[v] = float32(float64(c.extend(uint32(v)))*slope + intercept)
		}
		for i, v := range raw[:len(dst)] {
			dst[i] = table[v]
		}
	case 2:
		l.scale16(dst, raw, slope, intercept)
	default:
		for i := range dst {
			dst[i] = float32(float64(l.value(raw, i))*slope + intercept)
		}
	}
}

// scale16 is scale for samples of 16 bits, four at a time.
func (l *layout) scale16(dst []float32, raw []byte, slope, intercept float64) {
	c := l.cut()
	for ; len(dst) >= 4 && len(raw) >= 8; dst, raw = dst[4:], raw[8:] {
		v := binary.LittleEndian.Uint64(raw)
		dst[0] = float32(float64(c.extend(uint32(v&0xffff)))*slope + intercept)
		dst[1] = float32(float64(c.extend(uint32(v>>16&0xffff)))*slope + intercept)
		dst[2] = float32(float64(c.extend(uint32(v>>32&0xffff)))*slope + intercept)
		dst[3] = float32(float64(c.extend(uint32(v>>48)))*slope + intercept)
	}
	for i := range dst {
		dst[i] = float32(float64(c.extend(uint32(binary.LittleEndian.Uint16(raw[2*i:]))))*slope + intercept)
	}
}

// paddingRange is the range of stored values that mark pixels outside the
// imaged area (PS3.3 C.7.5.1.1.2).
type paddingRange struct {
	set       bool
	low, high int
}

// mask marks the padding pixels of a frame; nil if there are none.
func (p paddingRange) mask(l *layout, raw []byte) []bool {
	if !p.set {
		return nil
	}
	mask := make([]bool, l.rows*l.cols)
	found := false
	low, span := p.low, uint(p.high-p.low)
	if l.sampleBytes() == 2 {
		c, dst := l.cut(), mask
		for ; len(dst) >= 4 && len(raw) >= 8; dst, raw = dst[4:], raw[8:] {
			v := binary.LittleEndian.Uint64(raw)
			dst[0] = uint(c.extend(uint32(v&0xffff))-low) <= span
			dst[1] = uint(c.extend(uint32(v>>16&0xffff))-low) <= span
			dst[2] = uint(c.extend(uint32(v>>32&0xffff))-low) <= span
			dst[3] = uint(c.extend(uint32(v>>48))-low) <= span
			found = found || dst[0] || dst[1] || dst[2] || dst[3]
		}
		for i := range dst {
			dst[i] = uint(c.extend(uint32(binary.LittleEndian.Uint16(raw[2*i:])))-low) <= span
			found = found || dst[i]
		}
	} else {
		for i := range mask {
			mask[i] = uint(l.value(raw, i)-low) <= span
			found = found || mask[i]
		}
	}
	if !found {
		return nil
	}
	return mask
}
