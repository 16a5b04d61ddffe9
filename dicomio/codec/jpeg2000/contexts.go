package jpeg2000

import "math/bits"

// trailing is the number of zero bits below the lowest one of v, as a shift
// that needs no check.
func trailing(v uint64) int { return bits.TrailingZeros64(v) & 63 }

// sampleIndex is where the sample lies whose flags are shifted by s, in column x
// of the stripe that begins at first, its row times the block's width.
func sampleIndex(first, x, s int) int { return (first + 4*x + s*11>>5) & (maxBlock - 1) } // 11/32 is 1/3

// zeroContexts are the contexts of zero coding (15444-1 Table D.1) for each
// orientation, by the significance of the 3×3 samples around one, row by row.
var zeroContexts = func() (t [4][512]uint8) {
	for orient := range t {
		for f := range t[orient] {
			at := func(i int) int { return f >> i & 1 }
			h, v, d := at(3)+at(5), at(1)+at(7), at(0)+at(2)+at(6)+at(8)
			if orient == orientHL {
				h, v = v, h
			}
			t[orient][f] = contextZero + zeroContext(h, v, d)
			if orient == orientHH {
				t[orient][f] = contextZero + zeroContextHH(h+v, d)
			}
		}
	}
	return t
}()

func zeroContext(h, v, d int) uint8 {
	switch {
	case h == 2:
		return 8
	case h == 1 && v > 0:
		return 7
	case h == 1 && d > 0:
		return 6
	case h == 1:
		return 5
	case v > 0:
		return uint8(2 + v)
	default:
		return uint8(min(d, 2))
	}
}

func zeroContextHH(hv, d int) uint8 {
	switch {
	case d > 2:
		return 8
	case d == 2:
		return uint8(6 + min(hv, 1))
	case d == 1:
		return uint8(3 + min(hv, 2))
	default:
		return uint8(min(hv, 2))
	}
}

// signContexts are the contexts of sign coding (15444-1 Tables D.2, D.3) by
// signIndex; the top bit is what the decoded sign is exclusive-ored with.
var signContexts = func() (t [256]uint8) {
	for f := range t {
		// contribution of the neighbour whose significance is bit i
		at := func(i int) int { return f >> i & 1 * (1 - 2*(f>>(i-1)&1)) }
		v := max(-1, min(1, at(1)+at(7)))
		h := max(-1, min(1, at(3)+at(5)))
		var flip uint8
		if h < 0 || h == 0 && v < 0 {
			h, v, flip = -h, -v, 0x80
		}
		t[f] = flip | contextSign + uint8(3*h+v)
	}
	return t
}()
