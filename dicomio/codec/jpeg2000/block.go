package jpeg2000

// A blockDecoder decodes code blocks (EBCOT tier 1, 15444-1 Annex D).
//
// Samples are magnitudes in half units with the sign in the top bit. A sample
// that was found significant in plane p is 3<<p: its bit and, half a unit of
// that plane, the middle of what it may still be; each refinement replaces the
// half. So the last plane leaves a half behind, which the reversible way drops.
// They lie stripe by stripe, and there column by column; see sampleIndex.
//
// A word of flags holds the state of a column of four samples, a stripe's
// height, and of its neighbours, so that the contexts of sample j are masks of
// the word shifted by 3·j:
//
//	bits  0-17  significance of rows -1 to 4 in the columns to the left, of
//	            the word's own, and to the right: bit 3·row+3+column+1
//	bits 20-37  their signs, likewise
//	bit  40+3j  sample j was visited by this plane's significance pass
//	bit  41+3j  sample j has been refined before
type blockDecoder struct {
	mq            mqDecoder
	raw           rawReader
	width, height int
	stride        int  // of flags: the block with a margin on either side
	causal        bool // contexts do not look into the next stripe
	zero          *[512]uint8
	flags         [maxFlags]uint64
	samples       [maxBlock]uint32
	data          []byte // of one segment, followed by two bytes 0xFF
}

const (
	maxBlock = 4096
	maxFlags = 3078 // 1026×3 of a block of 1024×4

	columnBits  = 1 | 1<<3 | 1<<6 | 1<<9 // one bit for each sample
	significant = 1<<18 - 1
	own         = 4 // bit of sample 0 itself
	signShift   = 20
	visited     = 40
	refined     = 41
	neighbours  = 0x1EF // of sample 0

	negative  = 1 << 31
	maxPlanes = 30 // of magnitude bits in a sample
)

// decode decodes block b of a band into d.samples; body is that of the tile, and
// planes the band's Mb with the shift of a region of interest.
func (d *blockDecoder) decode(b *block, body []byte, orient, planes, style int) error {
	d.width, d.height = int(b.width), int(b.height)
	d.stride = d.width + 2
	clear(d.samples[:d.width*((d.height+3)&^3)])
	clear(d.flags[:d.stride*((d.height+3)/4+2)])
	d.causal = style&styleCausal != 0
	d.zero = &zeroContexts[orient]
	plane := planes - int(b.zeros) - 1
	if plane < 0 {
		return nil
	}
	if plane >= maxPlanes {
		return unsupported("code block of %d bit planes, limit %d", plane+1, maxPlanes)
	}
	d.mq.reset()
	pass, kind := 0, cleanup
	for i := 0; i < len(b.pieces) && plane >= 0; {
		var passes int
		passes, i = d.gather(body, b.pieces, i)
		raw := style&styleBypass != 0 && pass >= 10 && kind != cleanup
		if raw {
			d.raw = rawReader{data: d.data[:len(d.data)-2]}
		} else {
			d.mq.start(d.data)
		}
		for ; passes > 0 && plane >= 0; passes-- {
			d.pass(kind, plane, raw)
			if kind == cleanup && style&styleSegSym != 0 {
				for range 4 {
					_, d.mq.a, d.mq.c = d.mq.decode(contextUniform, d.mq.a, d.mq.c)
				}
			}
			if style&styleReset != 0 {
				d.mq.reset()
			}
			if d.mq.fill > maxFill {
				return nil
			}
			if pass++; kind == cleanup {
				plane--
			}
			kind = (kind + 1) % 3
		}
	}
	return nil
}

// The three coding passes of a plane, in order.
const (
	propagation = iota // significance propagation
	refinement
	cleanup
)

// maxFill is the number of bytes past its end that a segment may read before its
// passes are considered bogus. An encoder may cut a segment where ones continue
// it, about three bytes; a hostile one would have thousands of blocks decoded in
// full for a byte each.
const maxFill = 64

// gather joins the pieces of the segment that starts at pieces[i] in d.data. It
// returns the number of passes and the index of the next piece.
func (d *blockDecoder) gather(body []byte, pieces []piece, i int) (passes, next int) {
	d.data = d.data[:0]
	segment := pieces[i].segment
	for ; i < len(pieces) && pieces[i].segment == segment; i++ {
		p := pieces[i]
		d.data = append(d.data, body[p.at:p.at+p.length]...)
		passes += int(p.passes)
	}
	d.data = append(d.data, 0xFF, 0xFF)
	return passes, i
}

func (d *blockDecoder) pass(kind, plane int, raw bool) {
	switch {
	case kind == cleanup:
		d.cleanup(plane)
	case kind == propagation && raw:
		d.propagateRaw(plane)
	case kind == propagation:
		d.propagate(plane)
	case raw:
		d.refineRaw(plane)
	default:
		d.refine(plane)
	}
}

// rowBits has a bit for each sample that the stripe at row y has in a column.
func (d *blockDecoder) rowBits(y int) uint64 {
	return columnBits & (1<<(3*min(4, d.height-y)) - 1)
}

// near has a bit for each sample of word f with a significant neighbour, or
// that is significant itself.
func near(f uint64) uint64 {
	f &= significant
	f |= f>>1 | f>>2
	return f | f>>3 | f>>6
}

// become marks a sample as significant: the one of the word at f[i] whose bits
// are shifted by s, negative or not. It updates the sample's neighbours. word is
// a copy of f[i], which is returned changed and not stored.
func (d *blockDecoder) become(i int, word uint64, s int, sign uint64) uint64 {
	v := 1 | sign<<signShift
	d.flags[i-1] |= v << (s + own + 1)
	d.flags[i+1] |= v << (s + own - 1)
	if s == 0 && !d.causal {
		up := d.flags[i-d.stride-1 : i-d.stride+2]
		up[0] |= v << 17
		up[1] |= v << 16
		up[2] |= v << 15
	}
	if s == 9 {
		down := d.flags[i+d.stride-1 : i+d.stride+2]
		down[0] |= v << 2
		down[1] |= v << 1
		down[2] |= v
	}
	return word | v<<(s+own)
}

// signIndex gathers the four neighbours in the context of a sign: their
// significance in the odd bits and their signs in the even ones.
func signIndex(word uint64, s int) uint64 {
	return word>>s&0xAA | word>>(s+signShift+1)&0x55
}

// propagate is the significance propagation pass (15444-1 D.3.1).
func (d *blockDecoder) propagate(plane int) {
	m, a, c := &d.mq, d.mq.a, d.mq.c
	var e *uint64
	for y := 0; y < d.height; y += 4 {
		rows := d.rowBits(y)
		first := (y/4+1)*d.stride + 1
		for x := range d.width {
			word := d.flags[first+x]
			if word&significant == 0 {
				continue
			}
			pending := near(word) &^ (word >> own) & rows
			for pending != 0 {
				s := trailing(pending)
				pending &= pending - 1
				e = &m.contexts[d.zero[word>>s&511]&31]
				*e, a, c = mqStep(*e, a, c)
				if m.ahead -= int(mqShift(*e)); m.ahead < 0 {
					c = m.read(c)
				}
				word |= 1 << (s + visited)
				if mqBit(*e) == 0 {
					continue
				}
				sign := signContexts[signIndex(word, s)]
				e = &m.contexts[sign&31]
				*e, a, c = mqStep(*e, a, c)
				if m.ahead -= int(mqShift(*e)); m.ahead < 0 {
					c = m.read(c)
				}
				bit := mqBit(*e) ^ uint64(sign>>7)
				d.samples[sampleIndex(y*d.width, x, s)] = uint32(3<<plane | bit<<31)
				word = d.become(first+x, word, s, bit)
				pending = near(word) &^ (word >> own) & rows &^ (2<<s - 1)
			}
			d.flags[first+x] = word
		}
	}
	m.a, m.c = a, c
}

// refine is the magnitude refinement pass (15444-1 D.3.3).
func (d *blockDecoder) refine(plane int) {
	m, a, c := &d.mq, d.mq.a, d.mq.c
	var e *uint64
	for y := 0; y < d.height; y += 4 {
		first := (y/4+1)*d.stride + 1
		for x := range d.width {
			word := d.flags[first+x]
			pending := word >> own &^ (word >> visited) & columnBits
			if pending == 0 {
				continue
			}
			for t := pending; t != 0; t &= t - 1 {
				s := trailing(t)
				before := word >> (s + refined) & 1
				beside := (word>>s&neighbours + 511) >> 9 // 1 if there is any
				k := contextRefine + (beside|before)<<before
				e = &m.contexts[k]
				*e, a, c = mqStep(*e, a, c)
				if m.ahead -= int(mqShift(*e)); m.ahead < 0 {
					c = m.read(c)
				}
				d.samples[sampleIndex(y*d.width, x, s)] ^= uint32(3-2*mqBit(*e)) << plane
			}
			d.flags[first+x] = word | pending<<refined
		}
	}
	m.a, m.c = a, c
}

// cleanup is the cleanup pass (15444-1 D.3.4). It ends the plane and so resets
// the visited bits. Most runs of zeros need no renormalisation, so that is
// checked first.
func (d *blockDecoder) cleanup(plane int) {
	m, a, c := &d.mq, d.mq.a, d.mq.c
	var bit uint64
	var e *uint64
	for y := 0; y < d.height; y += 4 {
		rows := d.rowBits(y)
		first := (y/4+1)*d.stride + 1
		for x := range d.width {
			word := d.flags[first+x]
			pending := rows &^ (word >> own) &^ (word >> visited)
			start := -1 // the sample that a run of zeros ends at, shifted
			if word&significant == 0 && rows == columnBits {
				e := m.contexts[contextRun]
				if qe := e &^ 0xFFFF; mqPlain(a-qe, c-qe) {
					bit, a, c = e>>4&1, a-qe, c-qe
				} else {
					bit, a, c = m.decode(contextRun, a, c)
				}
				if bit == 0 {
					continue
				}
				bit, a, c = m.decode(contextUniform, a, c)
				start = int(bit) << 1
				bit, a, c = m.decode(contextUniform, a, c)
				start = 3 * (start | int(bit))
				pending &^= 1<<start - 1
			}
			for pending != 0 {
				s := trailing(pending)
				pending &= pending - 1
				if s != start {
					e = &m.contexts[d.zero[word>>s&511]&31]
					*e, a, c = mqStep(*e, a, c)
					if m.ahead -= int(mqShift(*e)); m.ahead < 0 {
						c = m.read(c)
					}
					if mqBit(*e) == 0 {
						continue
					}
				}
				sign := signContexts[signIndex(word, s)]
				e = &m.contexts[sign&31]
				*e, a, c = mqStep(*e, a, c)
				if m.ahead -= int(mqShift(*e)); m.ahead < 0 {
					c = m.read(c)
				}
				bit := mqBit(*e) ^ uint64(sign>>7)
				d.samples[sampleIndex(y*d.width, x, s)] = uint32(3<<plane | bit<<31)
				word = d.become(first+x, word, s, bit)
			}
			d.flags[first+x] = word &^ (columnBits << visited)
		}
	}
	m.a, m.c = a, c
}

// propagateRaw is the significance propagation pass in bypass (15444-1 D.6).
func (d *blockDecoder) propagateRaw(plane int) {
	for y := 0; y < d.height; y += 4 {
		rows := d.rowBits(y)
		first := (y/4+1)*d.stride + 1
		for x := range d.width {
			word := d.flags[first+x]
			for pending := near(word) &^ (word >> own) & rows; pending != 0; {
				s := trailing(pending)
				pending &= pending - 1
				word |= 1 << (s + visited)
				if d.raw.bit() == 0 {
					continue
				}
				sign := d.raw.bit()
				d.samples[sampleIndex(y*d.width, x, s)] = uint32(3<<plane | sign<<31)
				word = d.become(first+x, word, s, sign)
				pending = near(word) &^ (word >> own) & rows &^ (2<<s - 1)
			}
			d.flags[first+x] = word
		}
	}
}

// refineRaw is the magnitude refinement pass in bypass.
func (d *blockDecoder) refineRaw(plane int) {
	for y := 0; y < d.height; y += 4 {
		first := (y/4+1)*d.stride + 1
		for x := range d.width {
			word := d.flags[first+x]
			pending := word >> own &^ (word >> visited) & columnBits
			for t := pending; t != 0; t &= t - 1 {
				s := trailing(t)
				d.samples[sampleIndex(y*d.width, x, s)] ^= uint32(3-2*d.raw.bit()) << plane
			}
			d.flags[first+x] = word | pending<<refined
		}
	}
}
