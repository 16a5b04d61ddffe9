package jpeg

// Constants of the inverse transform in units of 1/2^13, after Loeffler,
// Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11
// multiplications" (ICASSP 1989), figure 8.
const (
	constBits = 13

	fix0298 = 2446  // √2(−c1+c3+c5−c7)
	fix0390 = 3196  // √2(c5−c3)
	fix0541 = 4433  // √2·c6
	fix0765 = 6270  // √2(c2−c6)
	fix0899 = 7373  // √2(c7−c3)
	fix1175 = 9633  // √2·c3
	fix1501 = 12299 // √2(c1+c3−c5−c7)
	fix1847 = 15137 // √2(c2+c6)
	fix1961 = 16069 // √2(c3+c5)
	fix2053 = 16819 // √2(c1+c3−c5+c7)
	fix2562 = 20995 // √2(c1+c3)
	fix3072 = 25172 // √2(c1+c3+c5−c7)
)

// eight is the one-dimensional transform. Even inputs come out scaled by
// 2^constBits, as the sums and differences of out[i] and out[7-i].
func eight(x0, x1, x2, x3, x4, x5, x6, x7 int) (o0, o1, o2, o3, o4, o5, o6, o7 int) {
	z := (x2 + x6) * fix0541
	t2, t3 := z-x6*fix1847, z+x2*fix0765
	t0, t1 := (x0+x4)<<constBits, (x0-x4)<<constBits
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

	z1, z2, z3, z4 := x7+x1, x5+x3, x7+x3, x5+x1
	z5 := (z3 + z4) * fix1175
	z1, z2 = -z1*fix0899, -z2*fix2562
	z3, z4 = z5-z3*fix1961, z5-z4*fix0390
	a0 := x7*fix0298 + z1 + z3
	a1 := x5*fix2053 + z2 + z4
	a2 := x3*fix3072 + z2 + z3
	a3 := x1*fix1501 + z1 + z4
	return e0 + a3, e1 + a2, e2 + a1, e3 + a0, e3 - a0, e2 - a1, e1 - a2, e0 - a3
}

// inverse writes the 8×8 samples of a block of dequantised coefficients to dst,
// whose rows are width apart (T.81 A.3.3). As in the integer transform of the
// IJG library, the columns keep 2 more bits (1 at 12 bits), and each pass rounds
// to nearest.
func inverse(dst []uint16, width int, block *[64]int32, precision, limit int) {
	extra := 2
	if precision > 8 {
		extra = 1
	}
	var ws [64]int
	down := uint(constBits - extra)
	half := 1 << (down - 1)
	for x := range 8 {
		x1, x2, x3 := int(block[x+8]), int(block[x+16]), int(block[x+24])
		x4, x5, x6, x7 := int(block[x+32]), int(block[x+40]), int(block[x+48]), int(block[x+56])
		if x1|x2|x3|x4|x5|x6|x7 == 0 {
			v := int(block[x]) << extra
			ws[x], ws[x+8], ws[x+16], ws[x+24], ws[x+32], ws[x+40], ws[x+48], ws[x+56] = v, v, v, v, v, v, v, v
			continue
		}
		o0, o1, o2, o3, o4, o5, o6, o7 := eight(int(block[x]), x1, x2, x3, x4, x5, x6, x7)
		ws[x], ws[x+8] = (o0+half)>>down, (o1+half)>>down
		ws[x+16], ws[x+24] = (o2+half)>>down, (o3+half)>>down
		ws[x+32], ws[x+40] = (o4+half)>>down, (o5+half)>>down
		ws[x+48], ws[x+56] = (o6+half)>>down, (o7+half)>>down
	}
	down = uint(constBits + extra + 3)
	// Rounding, and the level that samples are shifted by (A.3.1).
	shift := 1<<(down-1) + (limit+1)>>1<<down
	for y := range 8 {
		w := ws[8*y : 8*y+8 : 8*y+8]
		o0, o1, o2, o3, o4, o5, o6, o7 := eight(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7])
		row := dst[y*width : y*width+8 : y*width+8]
		row[0] = uint16(min(max((o0+shift)>>down, 0), limit))
		row[1] = uint16(min(max((o1+shift)>>down, 0), limit))
		row[2] = uint16(min(max((o2+shift)>>down, 0), limit))
		row[3] = uint16(min(max((o3+shift)>>down, 0), limit))
		row[4] = uint16(min(max((o4+shift)>>down, 0), limit))
		row[5] = uint16(min(max((o5+shift)>>down, 0), limit))
		row[6] = uint16(min(max((o6+shift)>>down, 0), limit))
		row[7] = uint16(min(max((o7+shift)>>down, 0), limit))
	}
}

// flat is inverse for a block whose only coefficient is dc.
func flat(dst []uint16, width, dc, precision, limit int) {
	extra := uint(2)
	if precision > 8 {
		extra = 1
	}
	v := uint16(min(max((dc<<extra+1<<(extra+2))>>(extra+3)+(limit+1)>>1, 0), limit))
	for y := range 8 {
		row := dst[y*width : y*width+8 : y*width+8]
		row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = v, v, v, v, v, v, v, v
	}
}
