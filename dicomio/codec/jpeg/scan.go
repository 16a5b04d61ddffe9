package jpeg

// zigzag is the natural position of each coefficient (T.81 figure A.6).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// part is a component in a scan.
type part struct {
	*component
	dc, ac *huffman
	pred   int // DC of the block before
}

// scanHeader is B.2.3: which components, which coefficients (lossless:
// predictor ss), which bits.
type scanHeader struct {
	parts          []part
	ss, se, ah, al int
}

// scan reads a scan header and the entropy-coded data after it.
func (d *decoder) scan(s []byte) error {
	if d.sof == 0 {
		return malformed("a scan before the frame header")
	}
	if len(s) < 1 || s[0] < 1 || int(s[0]) > len(d.components) || len(s) != 4+2*int(s[0]) {
		return malformed("scan header with %d bytes", len(s))
	}
	n := int(s[0])
	tail := s[1+2*n:]
	h := scanHeader{parts: make([]part, n), ss: int(tail[0]), se: int(tail[1]), ah: int(tail[2] >> 4), al: int(tail[2] & 15)}
	blocks, next := 0, 0
	for i := range h.parts {
		id, tables := int(s[1+2*i]), s[2+2*i]
		for next < len(d.components) && d.components[next].id != id {
			next++ // in the order of the frame header
		}
		if next == len(d.components) {
			return malformed("a scan of a component that does not exist or is out of order")
		}
		c := &d.components[next]
		next++
		if tables>>4 > 3 || tables&15 > 3 {
			return malformed("Huffman table numbers %02X", tables)
		}
		h.parts[i] = part{component: c, dc: d.dc[tables>>4], ac: d.ac[tables&15]}
		blocks += c.h * c.v
		if d.sof != mSOF2 && c.seen {
			return malformed("component %d is scanned twice", next)
		}
		c.seen = true
	}
	if n > 1 && blocks > 10 && d.sof != mSOF3 {
		return malformed("%d blocks in an MCU, limit 10", blocks)
	}
	r := &bits{b: d.b, p: d.p}
	var err error
	switch d.sof {
	case mSOF3:
		err = d.lossless(r, &h)
	case mSOF2:
		err = d.progressive(r, &h)
	default:
		err = d.sequential(r, &h)
	}
	if err == nil && r.exhausted() {
		err = malformed("truncated in a scan")
	}
	d.p = r.p
	return err
}

// sequential decodes a scan of whole blocks (F.2). It ignores the range of
// coefficients in the header, which must be 0 to 63 and which some writers get
// wrong.
func (d *decoder) sequential(r *bits, h *scanHeader) error {
	for i := range h.parts {
		p := &h.parts[i]
		if p.dc == nil || p.ac == nil || d.quant[p.tq] == nil {
			return malformed("a scan without its tables")
		}
		if p.dc.top > 15 {
			return malformed("a DC difference with %d bits", p.dc.top)
		}
	}
	var block [64]int32
	limit := 1<<d.precision - 1
	return d.mcus(r, h, func() {}, func(p *part, by, bx int) error {
		last, err := p.block(r, d.quant[p.tq], &block)
		if err != nil {
			return err
		}
		width := 8 * p.stride
		dst := p.plane[8*by*width+8*bx:]
		if last == 0 {
			flat(dst, width, int(block[0]), d.precision, limit)
		} else {
			inverse(dst, width, &block, d.precision, limit)
		}
		return nil
	})
}

// mcus calls do for each block of a scan, in the order of the stream, and
// handles restarts, at which it calls reset (A.2, E.2.4).
func (d *decoder) mcus(r *bits, h *scanHeader, reset func(), do func(p *part, by, bx int) error) error {
	rows, cols := d.mcuy, d.mcux
	single := len(h.parts) == 1
	if single {
		rows, cols = h.parts[0].bh, h.parts[0].bw
	}
	left, restarts := d.restart, 0
	for my := range rows {
		for mx := range cols {
			if d.restart > 0 {
				if left == 0 {
					if r.exhausted() {
						return malformed("truncated in a restart interval")
					}
					if err := r.resume(restarts); err != nil {
						return err
					}
					restarts++
					left = d.restart
					for i := range h.parts {
						h.parts[i].pred = 0
					}
					reset()
				}
				left--
			}
			if single {
				if err := do(&h.parts[0], my, mx); err != nil {
					return err
				}
				continue
			}
			for i := range h.parts {
				p := &h.parts[i]
				for v := range p.v {
					for x := range p.h {
						if err := do(p, my*p.v+v, mx*p.h+x); err != nil {
							return err
						}
					}
				}
			}
		}
		if r.exhausted() {
			return malformed("truncated in a scan")
		}
	}
	return nil
}

// block decodes the coefficients of one block and multiplies them by the
// quantisation table q. It returns the index of the last that is not zero.
func (p *part) block(r *bits, q *[64]int32, block *[64]int32) (int, error) {
	*block = [64]int32{}
	s := r.symbol(p.dc)
	if s < 0 {
		return 0, malformed("a code that is not in the Huffman table")
	}
	p.pred += extend(r.take(s), s)
	block[0] = int32(p.pred) * q[0]
	acc, n, last := r.acc, r.n, 0
	ac := p.ac
	for k := 1; k < 64; k++ {
		if n < 32 {
			acc, n = r.fill(acc, n)
		}
		if e := ac.fast[acc>>(64-lutBits)]; e != 0 {
			k += int(e >> 8 & 15)
			if k > 63 {
				return 0, malformed("more than 64 coefficients in a block")
			}
			acc <<= uint(e) & 31
			n -= int(e & 31)
			block[zigzag[k]&63] = e >> 16 * q[k]
			last = k
			continue
		}
		e := ac.lut[acc>>(64-lutBits)]
		if e == 0 {
			if e = ac.long(acc); e == 0 {
				return 0, malformed("a code that is not in the Huffman table")
			}
		}
		acc <<= e >> 8 & 31
		n -= int(e >> 8)
		run, size := int(e>>4&15), int(e&15)
		if size == 0 {
			if run < 15 {
				break // end of block
			}
			k += 15
			continue
		}
		k += run
		if k > 63 {
			return 0, malformed("more than 64 coefficients in a block")
		}
		v := int(acc >> 1 >> uint(63-size))
		acc <<= uint(size)
		n -= size
		block[zigzag[k]&63] = int32(extend(v, size)) * q[k]
		last = k
	}
	r.acc, r.n = acc, n
	return last, nil
}
