package jpegls

import mathbits "math/bits"

// context is the state of a context of the regular mode (T.87 A.2.1): sums of
// errors' magnitudes and of errors, correction of the prediction, count.
type context struct{ a, b, c, n int32 }

// runContext is the state of the two contexts that end a run.
type runContext struct{ a, n, negative int }

// runLengths is J (A.2.1): the logarithms of the lengths of runs.
var runLengths = [32]uint8{
	0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3,
	4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15,
}

// coding holds the parameters and the state of the coding of a scan.
type coding struct {
	maxval, near, reach int // reach: RESET
	span                int // RANGE · (2·NEAR + 1)
	rng, qbpp, limit    int
	start               int          // of A
	quantised           []int8       // gradients −maxval … maxval to −4 … 4
	contexts            [512]context // 365, and what makes an index of 9 bits safe
	runs                [2]runContext
}

// coding checks the parameters, sets defaults and starts the coding (A.2.1,
// C.2.4.1.1).
func (p preset) coding(precision, near int) (*coding, error) {
	maxval := 1<<precision - 1
	if p.maxval > maxval {
		return nil, malformed("samples up to %d, but only %d bits", p.maxval, precision)
	}
	if p.maxval > 0 {
		maxval = p.maxval
	}
	if near > min(255, maxval/2) {
		return nil, malformed("near-lossless error %d for samples up to %d", near, maxval)
	}
	t1, t2, t3 := thresholds(maxval, near)
	set := func(v *int, preset int) {
		if preset > 0 {
			*v = preset
		}
	}
	set(&t1, p.t1)
	set(&t2, p.t2)
	set(&t3, p.t3)
	c := &coding{maxval: maxval, near: near, reach: 64}
	set(&c.reach, p.reset)
	if t1 <= near || t2 < t1 || t3 < t2 || t3 > maxval || c.reach < 3 || c.reach > max(255, maxval) {
		return nil, malformed("thresholds %d, %d, %d, reset %d", t1, t2, t3, c.reach)
	}
	c.rng = (maxval+2*near)/(2*near+1) + 1
	c.span = c.rng * (2*near + 1)
	c.qbpp = mathbits.Len(uint(c.rng - 1))
	bpp := max(2, mathbits.Len(uint(maxval)))
	c.limit = 2 * (bpp + max(8, bpp))
	c.start = max(2, (c.rng+32)/64)
	c.quantised = make([]int8, 2*maxval+1)
	for q, t := range [4]int{near + 1, t1, t2, t3} {
		for d := t; d <= maxval; d++ {
			c.quantised[maxval+d], c.quantised[maxval-d] = int8(q+1), int8(-q-1)
		}
	}
	c.reset()
	return c, nil
}

// thresholds returns the defaults of T1 to T3 (C.2.4.1.1.1).
func thresholds(maxval, near int) (t1, t2, t3 int) {
	within := func(v, low int) int {
		if v > maxval || v < low {
			return low
		}
		return v
	}
	if maxval >= 128 {
		f := (min(maxval, 4095) + 128) / 256
		t1, t2, t3 = f+2+3*near, 4*f+3+5*near, 17*f+4+7*near
	} else {
		f := 256 / (maxval + 1)
		t1, t2, t3 = max(2, 3/f+3*near), max(3, 7/f+5*near), max(4, 21/f+7*near)
	}
	t1 = within(t1, near+1)
	t2 = within(t2, t1)
	return t1, t2, within(t3, t2)
}

// reset starts the coding, at the start of a scan or at a restart.
func (c *coding) reset() {
	for i := range c.contexts {
		c.contexts[i] = context{a: int32(c.start), n: 1}
	}
	c.runs = [2]runContext{{a: c.start, n: 1}, {a: c.start, n: 1}}
}

// line decodes a line of one component. Both lines have one more sample on each
// side of the image (A.2.1, figure A.1): the left one repeats the first sample
// above, the right one the last.
func (c *coding) line(r *bits, above, line []uint16, run *int) bool {
	last := len(line) - 1
	above = above[:len(line)]
	above[last] = above[last-1]
	line[0] = above[1]
	acc, n := r.acc, r.n
	maxval, near, span, step, reach := c.maxval, c.near, c.span, 2*c.near+1, int32(c.reach)
	quantised, qbpp, limit := c.quantised, c.qbpp, c.limit-c.qbpp-1
	ra, rb, rc := int(line[0]), int(above[1]), int(above[0])
	// The gradient d − b of one sample is the gradient b − c of the next.
	q1 := int(quantised[rb-rc+maxval])
	for x := 1; x < last; x++ {
		rd := int(above[x+1])
		q2 := q1
		q1 = int(quantised[rd-rb+maxval])
		q := 81*q1 + 9*q2 + int(quantised[rc-ra+maxval])
		if q == 0 {
			r.acc, r.n = acc, n
			x += c.run(r, line[x:last], ra, run)
			if x < last {
				if ra = c.interrupt(r, ra, int(above[x]), *run); ra < 0 {
					return false
				}
				line[x] = uint16(ra)
				*run = max(0, *run-1)
				rb, rc = int(above[x+1]), int(above[x])
				q1 = int(quantised[rb-rc+maxval])
			}
			if r.exhausted() {
				return false
			}
			acc, n = r.acc, r.n
			continue
		}
		sign := q >> 31
		t := &c.contexts[(q^sign-sign)&511]
		// Prediction (A.4), median of a, b and a+b−c, corrected.
		px := max(min(ra, rb), min(max(ra, rb), ra+rb-rc))
		px = min(max(px+(int(t.c)^sign-sign), 0), maxval)
		k := mathbits.Len32(uint32(t.a)) - mathbits.Len32(uint32(t.n))
		if k < 0 {
			k = 0
		} else if t.n<<(uint(k)&31) < t.a {
			k++
		}
		if n < 32 {
			acc, n = r.fill(acc, n)
		}
		var m int
		if z := mathbits.LeadingZeros64(acc); z < limit && z+1+k <= n {
			acc <<= uint(z+1) & 63
			m = z<<(uint(k)&31) | int(acc>>1>>(uint(63-k)&63))
			acc <<= uint(k) & 63
			n -= z + 1 + k
		} else {
			r.acc, r.n = acc, n
			m = r.golomb(k, limit, qbpp)
			acc, n = r.acc, r.n
		}
		if uint(m) > uint(2*span) {
			return false
		}
		e := m>>1 ^ -(m & 1)
		if k == 0 && near == 0 && 2*t.b <= -t.n {
			e = ^e
		}
		// The same as update, but in registers.
		ta, tb, tn := t.a+int32(max(e, -e)), t.b+int32(e*step), t.n
		if tn == reach {
			ta, tb, tn = ta>>1, tb>>1, tn>>1
		}
		tn++
		if tb <= -tn {
			tb = max(tb+tn, 1-tn)
			t.c = max(t.c-1, -128)
		} else if tb > 0 {
			tb = min(tb-tn, 0)
			t.c = min(t.c+1, 127)
		}
		t.a, t.b, t.n = ta, tb, tn
		rx := px + (e^sign-sign)*step
		if rx < -near {
			rx += span
		} else if rx > maxval+near {
			rx -= span
		}
		rx = min(max(rx, 0), maxval)
		line[x] = uint16(rx)
		ra, rc, rb = rx, rb, rd
	}
	r.acc, r.n = acc, n
	return true
}

// update updates the state of a context with an error e (A.6).
func (t *context) update(e, scaled, reach int) {
	a, b, c, n := t.a+int32(max(e, -e)), t.b+int32(scaled), t.c, t.n
	if int(n) == reach {
		a, b, n = a>>1, b>>1, n>>1
	}
	n++
	if b <= -n {
		b = max(b+n, 1-n)
		c = max(c-1, -128)
	} else if b > 0 {
		b = min(b-n, 0)
		c = min(c+1, 127)
	}
	*t = context{a, b, c, n}
}

// run decodes a run (A.7.1) of samples equal to ra and returns its length, at
// most the rest of the line.
func (c *coding) run(r *bits, line []uint16, ra int, index *int) int {
	x := 0
	for r.take(1) == 1 {
		j := 1 << runLengths[*index]
		if x+j <= len(line) {
			*index = min(*index+1, 31)
		}
		x = min(x+j, len(line))
		if x == len(line) || r.exhausted() {
			break
		}
	}
	if x < len(line) {
		x = min(x+r.take(int(runLengths[*index])), len(line))
	}
	for i := range line[:x] {
		line[i] = uint16(ra)
	}
	return x
}

// interrupt decodes the sample after a run (A.7.2); -1 if the code is damaged.
func (c *coding) interrupt(r *bits, ra, rb, index int) int {
	kind, px, sign := 0, rb, 1
	if d := ra - rb; max(d, -d) <= c.near {
		kind, px = 1, ra
	} else if d > 0 {
		sign = -1
	}
	return c.ending(r, kind, px, sign, index)
}

// ending decodes the error of a sample that ends a run.
func (c *coding) ending(r *bits, kind, px, sign, index int) int {
	t := &c.runs[kind]
	k, a := 0, t.a+t.n>>1*kind
	for t.n<<k < a {
		k++
	}
	m := r.golomb(k, c.limit-int(runLengths[index])-1-c.qbpp-1, c.qbpp)
	if m < 0 || m > 2*c.span {
		return -1
	}
	e := (m + kind + 1) >> 1
	// A.7.2.2: the lowest bit is the sign, unless the context turns it.
	if (m+kind)&1 == 1 == (k != 0 || 2*t.negative >= t.n) {
		e = -e
	}
	if e < 0 {
		t.negative++
	}
	t.a += (m + 1 - kind) >> 1
	if t.n == c.reach {
		t.a, t.n, t.negative = t.a>>1, t.n>>1, t.negative>>1
	}
	t.n++
	return c.rebuild(px, sign*e)
}

// rebuild adds an error to a prediction, modulo span (A.4.5, A.8).
func (c *coding) rebuild(px, e int) int {
	rx := px + e*(2*c.near+1)
	if rx < -c.near {
		rx += c.span
	} else if rx > c.maxval+c.near {
		rx -= c.span
	}
	return min(max(rx, 0), c.maxval)
}
