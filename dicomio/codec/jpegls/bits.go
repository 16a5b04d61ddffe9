package jpegls

import (
	"encoding/binary"
	mathbits "math/bits"
)

// bits reads the entropy-coded bytes of a scan. The available bits are the
// highest n of acc; hot loops keep both in registers and call fill.
type bits struct {
	b   []byte
	p   int
	acc uint64
	n   int
	ff  bool // the byte before p is 0xff: a stuffed bit follows
	pad int  // zero bits appended after the end
}

// fill adds bytes until at least 56 bits are available; n is at most 32. It
// drops the bit stuffed after a byte 0xff (T.87 A.1) and appends zeros from a
// marker on.
func (r *bits) fill(acc uint64, n int) (uint64, int) {
	if len(r.b)-r.p >= 8 && !r.ff {
		w := binary.BigEndian.Uint64(r.b[r.p:])
		const ones, highs = 0x0101010101010101, 0x8080808080808080
		if (^w-ones)&w&highs == 0 { // no byte is 0xff
			k := (64 - n) >> 3
			r.p += k
			// The bits of acc below n+8k are the first of the next ones.
			return acc | w>>(uint(n)&63), n + k<<3
		}
	}
	acc &^= ^uint64(0) >> (uint(n) & 63)
	for n <= 56 {
		width := 8
		if r.ff {
			width = 7
		}
		var v byte
		switch {
		case r.p >= len(r.b), r.b[r.p] == 0xff && (r.p+1 >= len(r.b) || r.b[r.p+1] >= 0x80):
			r.pad += width
		default:
			v = r.b[r.p]
			r.ff = v == 0xff
			r.p++
		}
		acc |= uint64(v) << uint(64-n-width)
		n += width
	}
	return acc, n
}

// exhausted reports whether more bits were taken than the scan has.
func (r *bits) exhausted() bool { return r.pad > r.n }

// take returns the next k bits, at most 32.
func (r *bits) take(k int) int {
	if r.n < k {
		r.acc, r.n = r.fill(r.acc, r.n)
	}
	v := int(r.acc >> 1 >> (uint(63-k) & 63))
	r.acc <<= uint(k) & 63
	r.n -= k
	return v
}

// golomb decodes a value of the limited Golomb code (T.87 A.5.3): as many
// zeros as its high part, a one, k low bits; or limit zeros, a one, and the
// value less one in qbpp bits. -1: more zeros than that.
func (r *bits) golomb(k, limit, qbpp int) int {
	zeros := 0
	for {
		if r.n < 32 {
			r.acc, r.n = r.fill(r.acc, r.n)
		}
		if z := mathbits.LeadingZeros64(r.acc); z < r.n {
			zeros += z
			r.acc <<= uint(z+1) & 127
			r.n -= z + 1
			break
		}
		zeros += r.n
		r.acc, r.n = 0, 0
		if zeros > limit {
			return -1
		}
	}
	switch {
	case zeros < limit:
		return zeros<<k | r.take(k)
	case zeros == limit:
		return r.take(qbpp) + 1
	}
	return -1
}

// resume skips restart marker number i and starts again after it.
func (r *bits) resume(i int) error {
	for ; r.p+1 < len(r.b); r.p++ {
		m := r.b[r.p+1]
		if r.b[r.p] != 0xff || m < 0x80 || m == 0xff {
			continue
		}
		if want := byte(mRST0 + i&7); m != want {
			return malformed("marker %02X in place of %02X", m, want)
		}
		r.p += 2
		r.acc, r.n, r.pad, r.ff = 0, 0, 0, false
		return nil
	}
	return malformed("truncated: no restart marker %d", i&7)
}
