package jpeg

import "encoding/binary"

// bits reads the entropy-coded bytes of a scan. The available bits are the
// highest n of acc; hot loops keep both in registers and call fill.
type bits struct {
	b   []byte
	p   int
	acc uint64
	n   int
	pad int // zero bits appended after the end
}

// fill adds bytes until at least 57 bits are available. It drops stuffed zeros
// (T.81 B.1.1.5) and appends zeros from a marker on.
func (r *bits) fill(acc uint64, n int) (uint64, int) {
	if len(r.b)-r.p >= 8 {
		w := binary.BigEndian.Uint64(r.b[r.p:])
		const ones, highs = 0x0101010101010101, 0x8080808080808080
		if (^w-ones)&w&highs == 0 { // no byte is 0xff
			k := (64 - n) >> 3
			r.p += k
			acc |= w >> (uint(n) & 63)
			n += k << 3
			// The bits below n are the next ones, or part of a byte of them:
			// the same again when they are filled in.
			return acc, n
		}
	}
	// Drop the bits of a byte that was not taken whole.
	acc &= ^uint64(0) << (uint(64-n) & 63)
	if n == 0 {
		acc = 0
	}
	for n <= 56 {
		var v byte
		if r.p < len(r.b) {
			v = r.b[r.p]
		}
		switch {
		case r.p >= len(r.b), v == 0xff && (r.p+1 >= len(r.b) || r.b[r.p+1] != 0):
			r.pad += 8
			v = 0
		case v == 0xff:
			r.p += 2
		default:
			r.p++
		}
		acc |= uint64(v) << uint(56-n)
		n += 8
	}
	return acc, n
}

// exhausted reports whether more bits were taken than the scan has.
func (r *bits) exhausted() bool { return r.pad > r.n }

// take returns the next k bits, at most 16.
func (r *bits) take(k int) int {
	if r.n < 16 {
		r.acc, r.n = r.fill(r.acc, r.n)
	}
	v := int(r.acc >> 1 >> (uint(63-k) & 63))
	r.acc <<= uint(k) & 63
	r.n -= k
	return v
}

// extend gives the s bits v their sign (T.81 F.2.2.1).
func extend(v, s int) int {
	half := 1 << (uint(s) & 31) >> 1
	return v + (v-half)>>31&(1-1<<(uint(s)&31))
}

// symbol decodes a symbol of h; -1 if there is no such code.
func (r *bits) symbol(h *huffman) int {
	if r.n < 16 {
		r.acc, r.n = r.fill(r.acc, r.n)
	}
	e := h.lut[r.acc>>(64-lutBits)]
	if e == 0 {
		if e = h.long(r.acc); e == 0 {
			return -1
		}
	}
	r.acc <<= e >> 8 & 31
	r.n -= int(e >> 8)
	return int(e & 0xff)
}

// resume skips restart marker number i and starts again after it.
func (r *bits) resume(i int) error {
	for ; r.p+1 < len(r.b); r.p++ {
		m := r.b[r.p+1]
		if r.b[r.p] != 0xff || m == 0 || m == 0xff {
			continue
		}
		if want := byte(mRST0 + i&7); m != want {
			return malformed("marker %02X in place of %02X", m, want)
		}
		r.p += 2
		r.acc, r.n, r.pad = 0, 0, 0
		return nil
	}
	return malformed("truncated: no restart marker %d", i&7)
}
