package jpegls

import mathbits "math/bits"

// pixels decodes a line whose n components are interleaved by sample: all of
// them share runs (T.87 B.3). The lines have one more pixel on each side of the
// image.
func (c *coding) pixels(r *bits, above, line []uint16, n int, run *int) bool {
	last := len(line) - n
	copy(above[last:], above[last-n:last])
	copy(line[:n], above[n:2*n])
	var context [4]int
	for x := n; x < last; x += n {
		all := 0
		for i := range n {
			ra, rb := int(line[x-n+i]), int(above[x+i])
			rc, rd := int(above[x-n+i]), int(above[x+n+i])
			q := 81*int(c.quantised[rd-rb+c.maxval]) + 9*int(c.quantised[rb-rc+c.maxval]) + int(c.quantised[rc-ra+c.maxval])
			context[i&3] = q
			all |= q
		}
		if all == 0 {
			if x = c.pixelRun(r, above, line, n, x, last, run); x < 0 {
				return false
			}
			continue
		}
		for i := range n {
			ra, rb, rc := int(line[x-n+i]), int(above[x+i]), int(above[x-n+i])
			rx := c.sample(r, context[i&3], ra, rb, rc)
			if rx < 0 {
				return false
			}
			line[x+i] = uint16(rx)
		}
	}
	return true
}

// pixelRun decodes a run of pixels from x on and the pixel that ends it. It
// returns the position of that pixel, or of the end of the line; -1 if a code is
// damaged.
func (c *coding) pixelRun(r *bits, above, line []uint16, n, x, last int, run *int) int {
	left := (last - x) / n
	length := 0
	for r.take(1) == 1 {
		j := 1 << runLengths[*run]
		if length+j <= left {
			*run = min(*run+1, 31)
		}
		length = min(length+j, left)
		if length == left || r.exhausted() {
			break
		}
	}
	if length < left {
		length = min(length+r.take(int(runLengths[*run])), left)
	}
	for range length * n {
		line[x] = line[x-n]
		x++
	}
	if r.exhausted() {
		return -1
	}
	if x == last {
		return x
	}
	for i := range n {
		ra, rb := int(line[x-n+i]), int(above[x+i])
		sign := 1
		if rb < ra {
			sign = -1
		}
		rx := c.ending(r, 0, rb, sign, *run)
		if rx < 0 {
			return -1
		}
		line[x+i] = uint16(rx)
	}
	*run = max(0, *run-1)
	return x
}

// sample decodes one sample in the regular mode (A.4 to A.6), like the loop of
// line; -1 if the code is damaged.
func (c *coding) sample(r *bits, q, ra, rb, rc int) int {
	sign := q >> 31
	t := &c.contexts[(q^sign-sign)&511]
	px := max(min(ra, rb), min(max(ra, rb), ra+rb-rc))
	px = min(max(px+(int(t.c)^sign-sign), 0), c.maxval)
	k := mathbits.Len32(uint32(t.a)) - mathbits.Len32(uint32(t.n))
	if k < 0 {
		k = 0
	} else if t.n<<(uint(k)&31) < t.a {
		k++
	}
	limit := c.limit - c.qbpp - 1
	if r.n < 32 {
		r.acc, r.n = r.fill(r.acc, r.n)
	}
	var m int
	if z := mathbits.LeadingZeros64(r.acc); z < limit && z+1+k <= r.n {
		r.acc <<= uint(z+1) & 63
		m = z<<(uint(k)&31) | int(r.acc>>1>>(uint(63-k)&63))
		r.acc <<= uint(k) & 63
		r.n -= z + 1 + k
	} else {
		m = r.golomb(k, limit, c.qbpp)
	}
	if uint(m) > uint(2*c.span) {
		return -1
	}
	e := m>>1 ^ -(m & 1)
	if k == 0 && c.near == 0 && 2*t.b <= -t.n {
		e = ^e
	}
	t.update(e, e*(2*c.near+1), c.reach)
	return c.rebuild(px, e^sign-sign)
}
