package jpeg

import "encoding/binary"

// losslessFrame checks that a lossless frame is of a supported kind.
func (d *decoder) losslessFrame() error {
	for i := range d.components {
		if c := &d.components[i]; c.h != d.hmax || c.v != d.vmax {
			return unsupported("a lossless stream with subsampled components")
		}
	}
	return nil
}

// lossless decodes a scan of the lossless process (T.81 annex H). Samples are
// predicted from those to the left (a), above (b) and above left (c), modulo
// 2^16.
func (d *decoder) lossless(r *bits, h *scanHeader) error {
	if h.ss < 1 || h.ss > 7 || h.se != 0 || h.ah != 0 || h.al >= d.precision {
		return malformed("a lossless scan with predictor %d and point transform %d", h.ss, h.al)
	}
	n := len(h.parts)
	for i := range h.parts {
		if h.parts[i].dc == nil || h.parts[i].dc.top > 16 {
			return malformed("a lossless scan without its tables")
		}
	}
	rows, cols := d.layout.Rows, d.layout.Columns
	if d.restart%cols != 0 {
		return malformed("a restart interval of %d samples is not a multiple of the line, %d", d.restart, cols)
	}
	interval := d.restart / cols // in lines
	// The line above and this one, components interleaved.
	above, line := make([]uint16, n*cols), make([]uint16, n*cols)
	for y, restarts := 0, 0; y < rows; y++ {
		first := y == 0
		if interval > 0 && y > 0 && y%interval == 0 {
			if r.exhausted() {
				return malformed("truncated in a restart interval")
			}
			if err := r.resume(restarts); err != nil {
				return err
			}
			restarts++
			first = true
		}
		predictor := h.ss
		if first {
			// As if the line above held the middle of the range, and the
			// first predictor were chosen (H.1.1).
			for i := range n {
				above[i] = uint16(1 << (d.precision - h.al - 1))
			}
			predictor = 1
		}
		ok := false
		switch {
		case n == 1 && predictor == 1:
			ok = left(r, h.parts[0].dc, line, above[0])
		default:
			ok = d.line(r, h, line, above, predictor)
		}
		if !ok {
			return malformed("a code that is not in the Huffman table")
		}
		if r.exhausted() {
			return malformed("truncated in a scan")
		}
		d.store(h, line, y)
		above, line = line, above
	}
	return nil
}

// difference decodes a difference (H.1.2.2). Sixteen bits must be available for
// the code and as many for its value. n is negative if there is no such code.
func difference(t *huffman, acc uint64, n int) (int, uint64, int) {
	e := t.lut[acc>>(64-lutBits)]
	if e == 0 {
		if e = t.long(acc); e == 0 {
			return 0, acc, -1
		}
	}
	acc <<= e >> 8 & 31
	n -= int(e >> 8)
	s := int(e & 31)
	if s == 16 {
		return 1 << 15, acc, n
	}
	v := int(acc >> 1 >> (uint(63-s) & 63))
	return extend(v, s), acc << (uint(s) & 31), n - s
}

// left decodes a line of one component. pred predicts the first sample, and each
// sample predicts the next.
func left(r *bits, t *huffman, line []uint16, pred uint16) bool {
	acc, n := r.acc, r.n
	for x := range line {
		if n < 32 {
			acc, n = r.fill(acc, n)
		}
		if e := t.fast[acc>>(64-lutBits)]; e != 0 {
			acc <<= uint(e) & 31
			n -= int(e & 31)
			pred += uint16(e >> 16)
		} else {
			var diff int
			if diff, acc, n = difference(t, acc, n); n < 0 {
				return false
			}
			pred += uint16(diff)
		}
		line[x] = pred
	}
	r.acc, r.n = acc, n
	return true
}

// line decodes a line of any components and predictor (table H.1).
func (d *decoder) line(r *bits, h *scanHeader, line, above []uint16, predictor int) bool {
	acc, n := r.acc, r.n
	step, k := len(h.parts), 0 // k: the component
	above = above[:len(line)]
	for i := range line {
		if n < 32 {
			acc, n = r.fill(acc, n)
		}
		t := h.parts[k].dc
		if k++; k == step {
			k = 0
		}
		var diff int
		if e := t.fast[acc>>(64-lutBits)]; e != 0 {
			acc <<= uint(e) & 31
			n -= int(e & 31)
			diff = int(e >> 16)
		} else if diff, acc, n = difference(t, acc, n); n < 0 {
			return false
		}
		if i < step {
			line[i] = above[i] + uint16(diff)
			continue
		}
		a, b, c := int(line[i-step]), int(above[i]), int(above[i-step])
		switch predictor {
		case 1:
		case 2:
			a = b
		case 3:
			a = c
		case 4:
			a += b - c
		case 5:
			a += (b - c) >> 1
		case 6:
			a = b + (a-c)>>1
		case 7:
			a = (a + b) >> 1
		}
		line[i] = uint16(a + diff)
	}
	r.acc, r.n = acc, n
	return true
}

// store writes a decoded line to row y of dst.
func (d *decoder) store(h *scanHeader, line []uint16, y int) {
	n, width, all := len(h.parts), d.layout.BitsAllocated/8, d.layout.Samples
	dst := d.dst[y*d.layout.Columns*all*width:]
	mask := uint16(1<<d.precision - 1)
	for i := range h.parts {
		// The position of this component in a pixel.
		at := 0
		for &d.components[at] != h.parts[i].component {
			at++
		}
		at *= width
		for x := i; x < len(line); x, at = x+n, at+all*width {
			v := line[x] << h.al & mask
			switch p := dst[at:]; width {
			case 1:
				p[0] = byte(v)
			case 2:
				binary.LittleEndian.PutUint16(p, v)
			default:
				binary.LittleEndian.PutUint32(p, uint32(v))
			}
		}
	}
}
