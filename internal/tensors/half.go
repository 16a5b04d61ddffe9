package tensors

import "math"

// Float16 rounds f to IEEE 754 binary16, to nearest and ties to even.
func Float16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	exp, frac := int(b>>23&0xff), b&0x7fffff
	switch {
	case exp == 0xff && frac != 0:
		return sign | 0x7e00 // NaN
	case exp == 0xff:
		return sign | 0x7c00
	}
	exp += 15 - 127
	if exp <= 0 {
		// Subnormal: the implicit one becomes explicit and moves right.
		if exp < -10 {
			return sign
		}
		return sign | uint16(roundShift(frac|0x800000, uint(14-exp)))
	}
	// A fraction that rounds up to 2 carries into the exponent, and the
	// largest exponent into infinity, as it should.
	h := uint32(exp)<<10 + roundShift(frac, 13)
	if h >= 0x7c00 {
		return sign | 0x7c00
	}
	return sign | uint16(h)
}

// roundShift returns v >> n, rounded to nearest and ties to even.
func roundShift(v uint32, n uint) uint32 {
	q, rest, half := v>>n, v&(1<<n-1), uint32(1)<<(n-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	return q
}

// Float32of16 returns the exact value of a binary16.
func Float32of16(h uint16) float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0:
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
