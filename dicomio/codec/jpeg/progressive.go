package jpeg

import bits64 "math/bits"

// maxWork limits how often a progressive stream may visit each of its blocks. It
// lets every coefficient have a scan of its own, and no more.
const maxWork = 64

// progressive decodes a scan of some coefficients, or of some of their bits
// (T.81 G.2).
func (d *decoder) progressive(r *bits, h *scanHeader) error {
	if h.se > 63 || h.ss > h.se || h.ss == 0 && h.se != 0 || h.ss > 0 && len(h.parts) > 1 || h.al > 13 || h.ah > 0 && h.ah != h.al+1 {
		return malformed("a progressive scan with coefficients %d to %d, bits %d to %d and %d components", h.ss, h.se, h.ah, h.al, len(h.parts))
	}
	total, visits := 0, 0
	for i := range h.parts {
		p := &h.parts[i]
		if h.ss == 0 && h.ah == 0 && (p.dc == nil || p.dc.top > 15) || h.ss > 0 && p.ac == nil {
			return malformed("a scan without its tables")
		}
		for k := h.ss; k <= h.se; k++ {
			if before := int(p.al[k]); h.ah == 0 && before >= 0 || h.ah > 0 && before != h.ah {
				return malformed("coefficient %d is sent twice or refined before it is sent", k)
			}
			p.al[k] = int8(h.al)
		}
		visits += len(p.coef)
	}
	for i := range d.components {
		total += len(d.components[i].coef)
	}
	if d.work += visits; d.work > maxWork*total {
		return malformed("more scans than %d for each block", maxWork)
	}
	if h.ss > 0 {
		return d.band(r, h)
	}
	return d.mcus(r, h, func() {}, func(p *part, by, bx int) error {
		c := &p.coef[64*(by*p.stride+bx)]
		if h.ah > 0 {
			*c |= int16(r.take(1) << h.al)
			return nil
		}
		s := r.symbol(p.dc)
		if s < 0 {
			return errBlock
		}
		p.pred += extend(r.take(s), s)
		*c = int16(p.pred << h.al)
		return nil
	})
}

var errBlock = malformed("a damaged block of a progressive scan")

// band decodes a scan of AC coefficients, which has one component.
func (d *decoder) band(r *bits, h *scanHeader) error {
	run := 0 // following blocks without anything new in this band
	band := ^uint64(0) << h.ss & (^uint64(0) >> (63 - h.se))
	return d.mcus(r, h, func() { run = 0 }, func(p *part, by, bx int) error {
		i := by*p.stride + bx
		marks := &p.marks[i]
		if run > 0 && (h.ah == 0 || *marks&band == 0) {
			run--
			return nil
		}
		c := (*[64]int16)(p.coef[64*i:])
		var ok bool
		if h.ah == 0 {
			run, ok = p.first(r, h, c, marks)
		} else {
			run, ok = p.refine(r, h, c, marks, run)
		}
		if !ok {
			return errBlock
		}
		return nil
	})
}

// first decodes the first bits of the AC coefficients of a block and returns how
// many of the following blocks have none (G.1.2.2).
func (p *part) first(r *bits, h *scanHeader, c *[64]int16, marks *uint64) (int, bool) {
	acc, n, ac, set := r.acc, r.n, p.ac, *marks
	for k := h.ss; k <= h.se; k++ {
		if n < 32 {
			acc, n = r.fill(acc, n)
		}
		if e := ac.fast[acc>>(64-lutBits)]; e != 0 {
			if k += int(e >> 8 & 15); k > h.se {
				return 0, false
			}
			acc <<= uint(e) & 31
			n -= int(e & 31)
			c[k&63] = int16(e >> 16 << (uint(h.al) & 15))
			set |= 1 << (uint(k) & 63)
			continue
		}
		e := ac.lut[acc>>(64-lutBits)]
		if e == 0 {
			if e = ac.long(acc); e == 0 {
				return 0, false
			}
		}
		acc <<= e >> 8 & 31
		n -= int(e >> 8)
		run, size := int(e>>4&15), int(e&15)
		if size == 0 && run == 15 {
			k += 15
			continue
		}
		bits := size
		if size == 0 {
			bits = run
		}
		v := int(acc >> 1 >> uint(63-bits))
		acc <<= uint(bits)
		n -= bits
		if size == 0 {
			r.acc, r.n, *marks = acc, n, set
			return 1<<run + v - 1, true
		}
		if k += run; k > h.se {
			return 0, false
		}
		c[k&63] = int16(extend(v, size) << h.al)
		set |= 1 << (uint(k) & 63)
	}
	r.acc, r.n, *marks = acc, n, set
	return 0, true
}

// refine adds one bit to the AC coefficients of a block (G.1.2.3). Coefficients
// that become nonzero come in runs; those passed over that already were nonzero
// have one bit each. If run following blocks have no new coefficients, refine
// returns one less.
func (p *part) refine(r *bits, h *scanHeader, c *[64]int16, marks *uint64, run int) (int, bool) {
	bit := int16(1) << h.al
	old := *marks // those with one bit each
	for k := h.ss; k <= h.se; k++ {
		zeros, v := 64, int16(0)
		if run == 0 {
			e := r.symbol(p.ac)
			if e < 0 {
				return 0, false
			}
			zeros = e >> 4
			switch {
			case e&15 == 1:
				if v = -bit; r.take(1) == 1 {
					v = bit
				}
			case e&15 != 0:
				return 0, false
			case zeros < 15:
				run = 1<<zeros + r.take(zeros)
				zeros = 64
			}
		}
		// Skip zeros coefficients that are zero, and correct the others.
		for k <= h.se {
			gap := bits64.TrailingZeros64(old >> (uint(k) & 63))
			if gap > zeros {
				k += zeros
				break
			}
			k += gap
			zeros -= gap
			if k > h.se {
				break
			}
			if x := &c[k&63]; r.take(1) == 1 && *x&bit == 0 {
				if *x > 0 {
					*x += bit
				} else {
					*x -= bit
				}
			}
			k++
		}
		if run > 0 {
			return run - 1, true
		}
		if v != 0 {
			if k > h.se {
				return 0, false
			}
			c[k&63] = v
			*marks |= 1 << (uint(k) & 63)
		}
	}
	return 0, true
}

// finish transforms the coefficients collected from all scans.
func (d *decoder) finish() error {
	if !d.complete() {
		return malformed("the image ends without all of its components")
	}
	var block [64]int32
	limit := 1<<d.precision - 1
	for i := range d.components {
		c := &d.components[i]
		q := d.quant[c.tq]
		if q == nil || c.al[0] < 0 {
			return malformed("component %d has no quantisation table or no DC coefficients", i+1)
		}
		c.plane = make([]uint16, len(c.coef))
		width := 8 * c.stride
		for b, marks := range c.marks {
			coef := (*[64]int16)(c.coef[64*b:])
			y, x := b/c.stride, b%c.stride
			dst := c.plane[8*y*width+8*x:]
			dc := int32(coef[0]) * q[0]
			if marks == 0 {
				flat(dst, width, int(dc), d.precision, limit)
				continue
			}
			block = [64]int32{0: dc}
			for ; marks != 0; marks &= marks - 1 {
				k := bits64.TrailingZeros64(marks) & 63
				block[zigzag[k]&63] = int32(coef[k]) * q[k]
			}
			inverse(dst, width, &block, d.precision, limit)
		}
		c.coef, c.marks = nil, nil
	}
	d.output()
	return nil
}
