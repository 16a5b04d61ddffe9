package jpeg2000

// decodeHT decodes block b with the high-throughput block coder into d.samples
// (15444-15 clause 7). It has up to three passes: cleanup decodes several planes
// at once; significance propagation and magnitude refinement decode the plane
// below.
func (d *blockDecoder) decodeHT(b *block, body []byte, planes, style int) error {
	d.width, d.height = int(b.width), int(b.height)
	d.stride = d.width + 2
	d.causal = style&styleCausal != 0
	clear(d.samples[:d.width*((d.height+3)&^3)])
	if len(b.pieces) == 0 {
		return nil
	}
	passes, next := d.gather(body, b.pieces, 0)
	// Passes before the cleanup pass are placeholders for empty planes.
	zeros := int(b.zeros) + (passes-1)/3
	plane := planes - 1 - zeros
	if plane < 0 {
		return malformed("HT block with %d zero planes of %d", zeros, planes)
	}
	if planes > maxPlanes {
		return unsupported("HT block of %d bit planes, limit %d", planes, maxPlanes)
	}
	data := d.data[:len(d.data)-2]
	if len(data) == 0 {
		return nil
	}
	if err := d.cleanupHT(data, zeros, plane); err != nil {
		return err
	}
	if next == len(b.pieces) || plane == 0 {
		return nil
	}
	passes, next = d.gather(body, b.pieces, next)
	if next < len(b.pieces) {
		return unsupported("HT block with more than one set of passes")
	}
	if data = d.data[:len(d.data)-2]; len(data) == 0 {
		return nil
	}
	d.markHT()
	d.propagateHT(data, plane-1)
	if passes > 1 {
		d.refineHT(data, plane-1)
	}
	return nil
}

// A quad is an entry of the VLC tables (15444-15 Annex C): what a codeword says
// of 2×2 samples, which are numbered down the columns.
//
//	bits  0-2   length of the codeword
//	bit   3     u_off: an exponent follows
//	bits  4-7   rho: which samples are significant
//	bits  8-11  e_1: the exponent bounds that are known to be met, and
//	bits 12-15  e_k: of which samples they are known
type quad = uint16

// cleanupHT is the HT cleanup pass. data holds three streams: MagSgn from the
// front, MEL after it, and VLC backwards from the end (15444-15 7.1, 7.3). plane
// is the position of the last bit of the magnitudes.
func (d *blockDecoder) cleanupHT(data []byte, zeros, plane int) error {
	n := len(data)
	if n < 2 {
		return malformed("HT cleanup pass with %d bytes", n)
	}
	suffix := int(data[n-1])<<4 + int(data[n-2]&15)
	if suffix < 2 || suffix > n || suffix > 4079 {
		return malformed("HT cleanup pass with %d bytes and a suffix of %d", n, suffix)
	}
	c := htCleanup{
		mel:    melReader{data: data[n-suffix : n-1]},
		vlc:    newVLC(data[n-suffix : n-1]),
		magSgn: forwardReader{data: data[:n-suffix], fill: 0xFF},
		plane:  plane,
		limit:  uint32(zeros + 2),
		table:  &vlcTables[0],
		above:  new([1024 + 4]uint8),
		here:   new([1024 + 4]uint8),
	}
	for y := 0; y < d.height; y += 2 {
		c.out = d.samples[y&^3*d.width+y&3:]
		c.height = d.height - y
		if !c.quadRow(d.width, y == 0) {
			return malformed("HT cleanup pass: impossible codeword in row %d", y)
		}
		c.table = &vlcTables[1]
		c.above, c.here = c.here, c.above
	}
	return nil
}

// An htCleanup is a cleanup pass between two rows of quads.
type htCleanup struct {
	mel    melReader
	vlc    reverseReader
	magSgn forwardReader
	out    []uint32 // from the first sample of the row of quads on, as in blockDecoder
	height int      // of the block from here on
	plane  int
	limit  uint32 // of the bound U of a quad's exponents
	table  *[1024]quad
	// The exponents of the lower samples of the row of quads above, and of this
	// one; 0 is not significant. Column x is at x+1: there is a margin.
	above, here *[1024 + 4]uint8
}

// quadRow decodes a row of quads, two at a time, and reports whether it
// succeeded.
func (c *htCleanup) quadRow(width int, first bool) bool {
	left := uint32(0) // the context's part from the quad to the left
	for x := 0; x < width; x += 4 {
		var quads [2]quad
		for i := range quads {
			if x+2*i >= width {
				break
			}
			e := c.above[x+2*i : x+2*i+4]
			context := left
			if !first {
				if e[0]|e[1] != 0 {
					context |= 1
				}
				if e[2]|e[3] != 0 {
					context |= 4
				}
			}
			if context != 0 || c.mel.event() == 1 {
				q := c.table[context<<7|uint32(c.vlc.peek()&0x7F)]
				c.vlc.skip(int(q & 7))
				quads[i] = q
			}
			rho := uint32(quads[i]) >> 4
			if first {
				left = rho&1 | rho>>1&7
			} else {
				left = rho>>1&2 | rho>>2&2
			}
		}
		u := c.exponents(quads, first)
		for i, q := range quads {
			if x+2*i < width && !c.samples(width, x+2*i, q, u[i], first) {
				return false
			}
		}
	}
	return true
}

// exponents reads u of two quads, 0 where a quad has none (15444-15 7.3.6).
func (c *htCleanup) exponents(quads [2]quad, first bool) [2]uint32 {
	off0, off1 := quads[0]&8 != 0, quads[1]&8 != 0
	switch {
	case !off0 && !off1:
		return [2]uint32{}
	case !off1:
		p := c.prefix()
		return [2]uint32{p.value(&c.vlc), 0}
	case !off0:
		p := c.prefix()
		return [2]uint32{0, p.value(&c.vlc)}
	}
	extra := uint32(0)
	if first && c.mel.event() == 1 {
		extra = 2
	}
	p0 := c.prefix()
	if first && extra == 0 && p0.bits > 2 {
		// Both exceed 2, which the one event says, or this is the only one:
		// then a bit is enough for the other.
		u1 := uint32(c.vlc.peek()&1) + 1
		c.vlc.skip(1)
		return [2]uint32{p0.value(&c.vlc), u1}
	}
	p1 := c.prefix()
	u0 := p0.value(&c.vlc)
	return [2]uint32{u0 + extra, p1.value(&c.vlc) + extra}
}

// A uPrefix is the first part of the codeword of u (15444-15 Table 3).
type uPrefix struct{ bits, base, suffix uint8 }

var uPrefixes = [8]uPrefix{
	{3, 5, 5}, {1, 1, 0}, {2, 2, 0}, {1, 1, 0}, {3, 3, 1}, {1, 1, 0}, {2, 2, 0}, {1, 1, 0},
}

func (c *htCleanup) prefix() uPrefix {
	p := uPrefixes[c.vlc.peek()&7]
	c.vlc.skip(int(p.bits))
	return p
}

// value reads the second part.
func (p uPrefix) value(vlc *reverseReader) uint32 {
	v := uint32(p.base) + uint32(vlc.peek()&(1<<p.suffix-1))
	vlc.skip(int(p.suffix))
	return v
}

// samples reads the samples of quad q at column x (15444-15 7.3.7, 7.3.8).
func (c *htCleanup) samples(width, x int, q quad, u uint32, first bool) bool {
	rho := q >> 4 & 15
	bound := u + 1
	if !first && rho&(rho-1) != 0 {
		e := c.above[x : x+4]
		if top := uint32(max(e[0], e[1], e[2], e[3])); top > 2 {
			bound = u + top - 1
		}
	}
	c.here[x+1], c.here[x+2] = 0, 0
	if rho == 0 {
		return true
	}
	if bound > c.limit {
		return false
	}
	for i := range 4 {
		if rho>>i&1 == 0 {
			continue
		}
		row, column := i&1, x+i>>1
		if column >= width || row >= c.height {
			return false // outside of the block
		}
		n := bound - uint32(q>>(12+i)&1)
		bits := uint32(c.magSgn.peek())
		c.magSgn.skip(int(n))
		v := bits&(1<<n-1) | uint32(q>>(8+i)&1)<<n | 1
		c.out[4*column+row] = bits<<31 | (v+2)<<c.plane
		if row == 1 {
			c.here[column+1] = bitLength(v)
		}
	}
	return true
}

// markHT sets the flags for the samples that the cleanup pass found.
func (d *blockDecoder) markHT() {
	clear(d.flags[:d.stride*((d.height+3)/4+2)])
	for y := range d.height {
		first := (y/4+1)*d.stride + 1
		for x := range d.width {
			if s := 3 * (y & 3); d.samples[sampleIndex(y&^3*d.width, x, s)] != 0 {
				d.flags[first+x] = d.become(first+x, d.flags[first+x], s, 0)
			}
		}
	}
}

// propagateHT is the HT significance propagation pass; the signs of four
// columns follow their significance (15444-15 7.4).
func (d *blockDecoder) propagateHT(data []byte, plane int) {
	in := forwardReader{data: data}
	for y := 0; y < d.height; y += 4 {
		rows := d.rowBits(y)
		first := (y/4+1)*d.stride + 1
		for x := 0; x < d.width; x += 4 {
			end := min(x+4, d.width)
			var found [4]uint64
			for i := x; i < end; i++ {
				word := d.flags[first+i]
				for pending := near(word) &^ (word >> own) & rows; pending != 0; {
					s := trailing(pending)
					pending &= pending - 1
					bit := in.peek() & 1
					in.skip(1)
					if bit == 0 {
						continue
					}
					found[i-x] |= 1 << s
					word = d.become(first+i, word, s, 0)
					pending = near(word) &^ (word >> own) & rows &^ (2<<s - 1)
				}
				d.flags[first+i] = word | found[i-x]<<visited
			}
			for i := x; i < end; i++ {
				for pending := found[i-x]; pending != 0; pending &= pending - 1 {
					sign := uint32(in.peek() & 1)
					in.skip(1)
					d.samples[sampleIndex(y*d.width, i, trailing(pending))] = 3<<plane | sign<<31
				}
			}
		}
	}
}

// refineHT is the HT magnitude refinement pass, of what the cleanup pass found
// (15444-15 7.5); its bits come backwards from the end of the segment.
func (d *blockDecoder) refineHT(data []byte, plane int) {
	in := reverseReader{data: data, high: true}
	for y := 0; y < d.height; y += 4 {
		rows := d.rowBits(y)
		first := (y/4+1)*d.stride + 1
		for x := range d.width {
			word := d.flags[first+x]
			for pending := word >> own &^ (word >> visited) & rows; pending != 0; pending &= pending - 1 {
				bit := uint32(in.peek() & 1)
				in.skip(1)
				d.samples[sampleIndex(y*d.width, x, trailing(pending))] ^= (3 - 2*bit) << plane
			}
		}
	}
}
