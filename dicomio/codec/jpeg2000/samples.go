package jpeg2000

import (
	"encoding/binary"
	"math"
)

// reconstruct decodes the code blocks of a tile, joins its subbands, undoes the
// component transform and writes the samples to dst.
func (d *decoder) reconstruct(t *tile) error {
	together := 0 // components of the transform
	if t.transform {
		if together = 3; len(t.comps) < 3 {
			return malformed("component transform with %d components", len(t.comps))
		}
		for c := range 3 {
			if t.comps[c].reversible != t.comps[0].reversible {
				return malformed("component transform of components that differ")
			}
		}
		d.transformed = true
	}
	for c := range t.comps {
		if c >= together {
			if err := d.component(t, c, 0); err != nil {
				return err
			}
			d.store(t, c, 0)
			continue
		}
		if err := d.component(t, c, c); err != nil {
			return err
		}
		if c == together-1 {
			if t.comps[0].reversible {
				undoRCT(&d.ints)
			} else {
				undoICT(&d.floats)
			}
			for i := range together {
				d.store(t, i, i)
			}
		}
	}
	return nil
}

// component decodes component c of a tile into the plane of the given index.
func (d *decoder) component(t *tile, c, plane int) error {
	tc := &t.comps[c]
	n := tc.width() * tc.height()
	if tc.reversible {
		d.ints[plane] = cleared(d.ints[plane], n)
		if err := d.blocks(t, tc, plane); err != nil {
			return err
		}
		synthesise(d.ints[plane], tc, wavelet53)
		return nil
	}
	d.floats[plane] = cleared(d.floats[plane], n)
	if err := d.blocks(t, tc, plane); err != nil {
		return err
	}
	synthesise(d.floats[plane], tc, wavelet97)
	return nil
}

// cleared returns n zeros, in the memory of s if they fit.
func cleared[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// blocks decodes the code blocks of a component into a plane.
func (d *decoder) blocks(t *tile, tc *tileComponent, plane int) error {
	for r := range tc.resolutions {
		for _, p := range tc.resolutions[r].precincts {
			if p == nil {
				continue
			}
			for k := range p.parts {
				band := &tc.resolutions[r].bands[k]
				for i := range p.parts[k].blocks {
					b := &p.parts[k].blocks[i]
					if len(b.pieces) == 0 {
						continue
					}
					if err := d.decodeBlock(t, tc, band, b, plane); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// decodeBlock decodes one code block and puts its samples into a plane.
func (d *decoder) decodeBlock(t *tile, tc *tileComponent, band *band, b *block, plane int) error {
	var err error
	if tc.style&styleHT != 0 {
		if tc.roi != 0 {
			return unsupported("region of interest in HT blocks")
		}
		err = d.block.decodeHT(b, t.body, band.planes, tc.style)
	} else {
		err = d.block.decode(b, t.body, band.orient, band.planes+tc.roi, tc.style)
	}
	if err != nil {
		return err
	}
	width, height := int(b.width), int(b.height)
	samples := d.block.samples[:width*((height+3)&^3)]
	if tc.roi > 0 {
		unshift(samples, tc.roi)
	}
	stride := tc.width()
	at := (band.top+int(b.y))*stride + band.left + int(b.x)
	for y := range height {
		from := samples[y&^3*width+y&3:]
		if tc.reversible {
			to := d.ints[plane][at+y*stride:][:width]
			for x := range to {
				v := from[4*x]
				sign := int32(v) >> 31
				to[x] = (int32(v&^negative)>>1 ^ sign) - sign
			}
			continue
		}
		to := d.floats[plane][at+y*stride:][:width]
		for x := range to {
			v := from[4*x]
			sign := int32(v) >> 31
			to[x] = float32((int32(v&^negative)^sign)-sign) * band.step
		}
	}
	return nil
}

// unshift undoes the scaling of a region of interest, to which all values above
// the planes of the background belong (15444-1 H.1).
func unshift(samples []uint32, shift int) {
	for i, v := range samples {
		if m := v &^ negative; shift < 31 && m>>1>>shift != 0 {
			samples[i] = v&negative | m>>shift
		}
	}
}

// undoRCT undoes the reversible component transform (15444-1 G.2.2).
func undoRCT(planes *[3][]int32) {
	y := planes[0]
	u, v := planes[1][:len(y)], planes[2][:len(y)]
	for i := range y {
		green := y[i] - (u[i]+v[i])>>2
		y[i], u[i], v[i] = v[i]+green, green, u[i]+green
	}
}

// undoICT undoes the irreversible component transform (15444-1 G.3.2); products
// are rounded before they are added.
func undoICT(planes *[3][]float32) {
	y := planes[0]
	cb, cr := planes[1][:len(y)], planes[2][:len(y)]
	for i := range y {
		red := y[i] + float32(cr[i]*1.402)
		green := y[i] - float32(cb[i]*0.34413) - float32(cr[i]*0.71414)
		blue := y[i] + float32(cb[i]*1.772)
		y[i], cb[i], cr[i] = red, green, blue
	}
}

// store writes component c of a tile from a plane to dst, shifted to its level
// and clamped to its range (15444-1 G.1).
func (d *decoder) store(t *tile, c, plane int) {
	comp := d.comps[c]
	low, high, level := int64(0), int64(1)<<comp.precision-1, int64(1)<<(comp.precision-1)
	if comp.signed {
		low, high, level = -level, level-1, 0
	}
	width, size := t.width(), d.layout.BitsAllocated/8
	step := d.layout.Samples * size
	for y := range t.height() {
		at := ((t.y0-d.image.y0+y)*d.layout.Columns + t.x0 - d.image.x0) * step
		out := d.dst[at+c*size : at+width*step]
		put := func(x int, v int64) {
			v = min(max(v+level, low), high)
			switch size {
			case 1:
				out[x*step] = byte(v)
			case 2:
				binary.LittleEndian.PutUint16(out[x*step:], uint16(v))
			default:
				binary.LittleEndian.PutUint32(out[x*step:], uint32(v))
			}
		}
		if t.comps[c].reversible {
			for x, v := range d.ints[plane][y*width : (y+1)*width] {
				put(x, int64(v))
			}
			continue
		}
		for x, v := range d.floats[plane][y*width : (y+1)*width] {
			// The result of a conversion beyond the range of an integer is undefined.
			v = min(max(v, -1<<40), 1<<40)
			put(x, int64(math.RoundToEven(float64(v))))
		}
	}
}
