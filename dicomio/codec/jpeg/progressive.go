package jpeg

// maxWork is how often a progressive stream may visit each of its blocks. It
// allows every coefficient to come in a scan of its own, and no more.
const maxWork = 64

// progressive decodes a scan of some coefficients or bits of them (T.81 G.2).
func (d *decoder) progressive(r *bits, h *scanHeader) error {
	if h.se > 63 || h.ss > h.se || h.ss == 0 && h.se != 0 || h.ss > 0 && len(h.parts) > 1 || h.al > 13 || h.ah > 0 && h.ah != h.al+1 {
		return malformed("a progressive scan of coefficients %d to %d, bits %d to %d, %d components", h.ss, h.se, h.ah, h.al, len(h.parts))
	}
	total, visits := 0, 0
	for i := range h.parts {
		p := &h.parts[i]
		if h.ss == 0 && h.ah == 0 && (p.dc == nil || p.dc.top > 15) || h.ss > 0 && p.ac == nil {
			return malformed("a scan without its tables")
		}
		for k := h.ss; k <= h.se; k++ {
			if before := int(p.al[k]); h.ah == 0 && before >= 0 || h.ah > 0 && before != h.ah {
				return malformed("coefficient %d is sent twice, or refined before it is sent", k)
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
	run := 0 // blocks to come that have nothing in this band
	return d.mcus(r, h, func() { run = 0 }, func(p *part, by, bx int) error {
		c := (*[64]int16)(p.coef[64*(by*p.stride+bx):])
		ok := true
		switch {
		case h.ss == 0 && h.ah == 0:
			s := r.symbol(p.dc)
			if ok = s >= 0; ok {
				p.pred += extend(r.take(s), s)
				c[0] = int16(p.pred << h.al)
			}
		case h.ss == 0:
			c[0] |= int16(r.take(1) << h.al)
		case run > 0 && h.ah == 0:
			run--
		case h.ah == 0:
			run, ok = p.first(r, h, c)
		default:
			run, ok = p.refine(r, h, c, run)
		}
		if !ok {
			return malformed("a damaged block of a progressive scan")
		}
		return nil
	})
}

// first decodes the first bits of the AC coefficients of a block, and returns
// how many blocks behind it have none (G.1.2.2).
func (p *part) first(r *bits, h *scanHeader, c *[64]int16) (int, bool) {
	for k := h.ss; k <= h.se; k++ {
		e := r.symbol(p.ac)
		if e < 0 {
			return 0, false
		}
		run, size := e>>4, e&15
		if size == 0 {
			if run < 15 {
				return 1<<run + r.take(run) - 1, true
			}
			k += 15
			continue
		}
		k += run
		if k > h.se {
			return 0, false
		}
		c[zigzag[k]] = int16(extend(r.take(size), size) << h.al)
	}
	return 0, true
}

// refine adds one bit to the AC coefficients of a block (G.1.2.3): those that
// are zero and no longer are come in runs, those that were not have a bit each
// in passing.
func (p *part) refine(r *bits, h *scanHeader, c *[64]int16, run int) (int, bool) {
	bit := int16(1) << h.al
	k := h.ss
	// pass corrects what is not zero until it has passed n zeros more.
	pass := func(n int) {
		for ; k <= h.se; k++ {
			v := &c[zigzag[k]]
			if *v == 0 {
				if n == 0 {
					return
				}
				n--
				continue
			}
			if r.take(1) == 1 && *v&bit == 0 {
				if *v > 0 {
					*v += bit
				} else {
					*v -= bit
				}
			}
		}
	}
	if run > 0 {
		if !empty(c) {
			pass(64)
		}
		return run - 1, true
	}
	for ; k <= h.se; k++ {
		e := r.symbol(p.ac)
		if e < 0 {
			return 0, false
		}
		zeros, size := e>>4, e&15
		v := int16(0)
		switch {
		case size == 1:
			if v = -bit; r.take(1) == 1 {
				v = bit
			}
		case size != 0:
			return 0, false
		case zeros < 15:
			run = 1<<zeros + r.take(zeros) - 1
			pass(64)
			return run, true
		}
		pass(zeros)
		if v != 0 {
			if k > h.se {
				return 0, false
			}
			c[zigzag[k]] = v
		}
	}
	return 0, true
}

// empty reports whether a block has no AC coefficients.
func empty(c *[64]int16) bool { return [63]int16(c[1:]) == [63]int16{} }

// finish transforms the coefficients that all scans gave together.
func (d *decoder) finish() error {
	if !d.complete() {
		return malformed("the image ends before all of its components were seen")
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
		for b := 0; b < len(c.coef); b += 64 {
			coef := (*[64]int16)(c.coef[b:])
			y, x := b/64/c.stride, b/64%c.stride
			dst := c.plane[8*y*width+8*x:]
			if empty(coef) {
				flat(dst, width, int(int32(coef[0])*q[0]), d.precision, limit)
				continue
			}
			for k, z := range zigzag {
				block[z] = int32(coef[z]) * q[k]
			}
			inverse(dst, width, &block, d.precision, limit)
		}
		c.coef = nil
	}
	d.output()
	return nil
}
