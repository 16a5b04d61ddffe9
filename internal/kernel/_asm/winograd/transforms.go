package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// filter generates U = G g Gᵀ for a vector of outputs. The weights hold its first
// lanes.
func (s isa) filter(kind string, lanes int) {
	element, room := "u[p*uPlane+i*uRow+l]", 18*s.lanes
	if s.pairs {
		element, room = "u[p*uPlane+i/2*uRow+l][i%2]", planes*s.lanes
	}
	s.begin("winogradFilter"+kind+s.name, "func(u, w, tmp *float32, wTap, wRow, uPlane, uRow, n int)",
		fmt.Sprintf("computes, for i < n, 36 planes p and %d lanes l of the outputs,", s.lanes),
		"	"+element+" = (G g Gᵀ)[p], g[k] = w[k*wTap+i*wRow+l]",
		fmt.Sprintf("for the 9 taps k; from lane %d on w is 0 and not looked at.", lanes),
		fmt.Sprintf("Strides are in bytes; tmp has room for %d numbers.", room))
	u, w, tmp := arg("u"), arg("w"), arg("tmp")
	wTap, wRow, uPlane, uRow, n := arg("wTap"), arg("wRow"), arg("uPlane"), arg("uRow"), arg("n")
	// Rows 1 to 4 of G contain the factors a and b that output omits.
	na, nb := a/(2*aa*(aa-bb)), b/(2*bb*(bb-aa))
	k0 := s.constant(1 / (aa * bb))
	ka := [3]Op{s.constant(na), s.constant(na * a), s.constant(na * aa)}
	kb := [3]Op{s.constant(nb), s.constant(nb * b), s.constant(nb * bb)}
	line := func(g [3]reg.VecVirtual, store func(i int, r reg.VecVirtual)) {
		t := s.vec()
		VMULPS(k0, g[0], t)
		store(0, t)
		for i, k := range [2][3]Op{ka, kb} {
			even, t := s.vec(), s.vec()
			VMULPS(k[0], g[0], even)
			VFMADD231PS(k[2], g[2], even)
			VMOVAPS(even, t)
			VFMADD231PS(k[1], g[1], t)
			store(2*i+1, t)
			VFNMADD231PS(k[1], g[1], even)
			store(2*i+2, even)
		}
		store(5, g[2])
	}
	there := K() // of the lanes
	if lanes < s.lanes {
		ones := GP32()
		MOVL(U32(1<<lanes-1), ones)
		KMOVW(ones, there)
	}
	u3, w3 := triple(uPlane), triple(wTap)
	wp, up := GP64(), six{GP64(), GP64(), uPlane}
	// Results of the row transform, for the column transform: in registers if there
	// are enough.
	var kept [6][3]reg.VecVirtual
	place := func(i, kx int) Mem { return Mem{Base: tmp, Disp: (i*3 + kx) * s.bytes()} }
	rows := func() {
		MOVQ(w, wp)
		for kx := range 3 {
			var g [3]reg.VecVirtual
			for ky := range g {
				m := Mem{Base: wp}
				if ky > 0 {
					m.Index, m.Scale = w3, uint8(ky)
				}
				g[ky] = s.vec()
				if lanes < s.lanes {
					VMOVUPS_Z(m, there, g[ky])
				} else {
					VMOVUPS(m, g[ky])
				}
				PREFETCHT0(ahead(m))
			}
			line(g, func(i int, r reg.VecVirtual) {
				kept[i][kx] = r
				if !s.wide() {
					VMOVUPS(r, place(i, kx))
				}
			})
			ADDQ(wTap, wp)
		}
	}
	columns := func(store func(p int, r reg.VecVirtual)) {
		for i, g := range kept {
			if !s.wide() {
				for kx := range g {
					g[kx] = s.load(place(i, kx))
				}
			}
			line(g, func(j int, r reg.VecVirtual) { store(6*i+j, r) })
		}
	}
	to := func(p int, r reg.VecVirtual) {
		VMOVUPS(r, up.at(p%6, 0))
		if p%6 == 5 {
			up.next(u3)
		}
	}
	var order reg.VecVirtual
	if s.pairs {
		order = interleave()
	}
	Label("row")
	if s.pairs {
		first := func(p int) Mem { return Mem{Base: tmp, Disp: p * s.bytes()} }
		rows()
		columns(func(p int, r reg.VecVirtual) { VMOVUPS(r, first(p)) })
		ADDQ(wRow, w)
		lone := to
		to = func(p int, r reg.VecVirtual) {
			pair := bothToBF16(s.load(first(p)), r)
			VPERMW(pair, order, pair)
			lone(p, pair)
		}
		DECQ(n)
	}
	rows()
	MOVQ(u, up.base)
	up.rebase()
	columns(to)
	ADDQ(wRow, w)
	ADDQ(uRow, u)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// input generates V = Bᵀ d B. Neighbouring tiles share two columns of pixels, whose
// vertical transform is kept.
func (s isa) input() {
	blk := "inBlk is not used."
	if s.wide() {
		blk = "Lanes from 8 on are inBlk further."
	}
	of := ""
	if s.pairs {
		of = "rounded to bfloat16, "
	}
	s.begin("winogradInput"+s.name, "func(v, in, tmp *float32, inBlk, inRow, vPlane, tiles int)",
		fmt.Sprintf("computes, for t < tiles, 36 planes p and %d lanes l,", s.lanes),
		"	v[p*vPlane][t][l] = (Bᵀ d B)[p], d[y][x] = in[y*inRow][4*t+x][l]",
		of+"for x, y < 6. "+blk+" Strides are in bytes;",
		fmt.Sprintf("tmp has room for %d numbers.", 36*s.lanes))
	v, tmp, tiles := arg("v"), arg("tmp"), arg("tiles")
	vPlane, inRow := arg("vPlane"), arg("inRow")
	in := []six{sixFrom(arg("in"), inRow)}
	if s.wide() {
		second := arg("inBlk")
		ADDQ(in[0].base, second)
		in = append(in, sixFrom(second, inRow))
	}
	ka, kb, kaa, kbb := s.constant(a), s.constant(b), s.constant(aa), s.constant(bb)
	kProduct, kSum := s.constant(aa*bb), s.constant(aa+bb)
	line := func(d [6]reg.VecVirtual, store func(i int, r reg.VecVirtual)) {
		for i, k := range [2]struct{ point, other Op }{{ka, kbb}, {kb, kaa}} {
			even, odd := s.copy(d[4]), s.copy(d[3])
			VFNMADD231PS(k.other, d[2], even)
			VFNMADD231PS(k.other, d[1], odd)
			t := s.copy(even)
			VFMADD231PS(k.point, odd, t)
			store(2*i+1, t)
			VFNMADD231PS(k.point, odd, even)
			store(2*i+2, even)
		}
		for i := range 2 {
			t := s.copy(d[i+4])
			VFMADD231PS(kProduct, d[i], t)
			VFNMADD231PS(kSum, d[i+2], t)
			store(5*i, t)
		}
	}
	place := func(i, x int) Mem { return Mem{Base: tmp, Disp: (i*6 + x) * s.bytes()} }
	column := func(x int) {
		var d [6]reg.VecVirtual
		for i := range d {
			d[i] = s.vec()
			if s.wide() {
				VBROADCASTF64X4(in[0].at(i, x*pixel), d[i])
				VINSERTF64X4(Imm(1), in[1].at(i, x*pixel), d[i], d[i])
			} else {
				VMOVUPS(in[0].at(i, x*pixel), d[i])
			}
		}
		line(d, func(i int, r reg.VecVirtual) { VMOVUPS(r, place(i, x)) })
	}
	v3, vp := triple(vPlane), six{GP64(), GP64(), vPlane}
	column(0)
	column(1)
	Label("tile")
	for x := 2; x < 6; x++ {
		column(x)
	}
	MOVQ(v, vp.base)
	vp.rebase()
	for i := range 6 {
		var d [6]reg.VecVirtual
		for x := range d {
			d[x] = s.load(place(i, x))
			if x >= 4 {
				VMOVUPS(d[x], place(i, x-4)) // the next tile's
			}
		}
		line(d, func(j int, r reg.VecVirtual) {
			if s.pairs {
				r = toBF16(r)
			}
			VMOVUPS(r, vp.at(j, 0))
		})
		vp.next(v3)
	}
	for _, p := range in {
		p.move(4 * pixel)
	}
	ADDQ(Imm(uint64(s.inputBytes())), v)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// output generates Aᵀ m A with bias and ReLU.
func (s isa) output() {
	blk := "outBlk is not used."
	if s.wide() {
		blk = "Lanes from 8 on go outBlk further; with 0 they are not stored."
	}
	s.begin("winogradOutput"+s.name, "func(out, m, bias, tmp *float32, outBlk, outRow, mPlane, tiles, relu int)",
		fmt.Sprintf("computes, for t < tiles, x, y < 4 and %d lanes l,", s.lanes),
		"	out[y*outRow][4*t+x][l] = relu(bias[l] + (Aᵀ q A)[y][x]), q[p] = m[p*mPlane][t][l]",
		"for the 36 planes p. "+blk+" Strides are in bytes;",
		fmt.Sprintf("tmp has room for %d numbers.", 24*s.lanes))
	m, tmp, tiles := arg("m"), arg("tmp"), arg("tiles")
	mPlane, outRow := arg("mPlane"), arg("outRow")
	out := []six{sixFrom(arg("out"), outRow)}
	if s.wide() {
		second := arg("outBlk")
		ADDQ(out[0].base, second)
		out = append(out, sixFrom(second, outRow))
	}
	bias, floor, t := s.load(Mem{Base: arg("bias")}), s.vec(), arg("relu")
	// Without ReLU the floor is -Inf.
	DECQ(t)
	ANDQ(U32(0xff800000), t)
	low := XMM()
	MOVQ(t, low)
	VBROADCASTSS(low, floor)
	ka, kb, kaa, kbb := s.constant(a), s.constant(b), s.constant(aa), s.constant(bb)
	inverseA, inverseB := s.constant(1/a), s.constant(1/b)
	line := func(m [6]reg.VecVirtual, store func(i int, r reg.VecVirtual)) {
		var sum, diff [2]reg.VecVirtual
		for i := range 2 {
			sum[i], diff[i] = s.vec(), s.vec()
			VADDPS(m[2*i+2], m[2*i+1], sum[i])
			VSUBPS(m[2*i+2], m[2*i+1], diff[i])
		}
		VFMADD231PS(inverseA, sum[0], m[0])
		VFMADD231PS(inverseB, sum[1], m[0])
		store(0, m[0])
		t := s.vec()
		VADDPS(diff[1], diff[0], t)
		store(1, t)
		VMULPS(ka, sum[0], sum[0])
		VFMADD231PS(kb, sum[1], sum[0])
		store(2, sum[0])
		VFMADD231PS(kaa, diff[0], m[5])
		VFMADD231PS(kbb, diff[1], m[5])
		store(3, m[5])
	}
	place := func(i, x int) Mem { return Mem{Base: tmp, Disp: (i*4 + x) * s.bytes()} }
	m3, mp := triple(mPlane), six{GP64(), GP64(), mPlane}
	Label("tile")
	MOVQ(m, mp.base)
	mp.rebase()
	for i := range 6 {
		var d [6]reg.VecVirtual
		for j := range d {
			d[j] = s.load(mp.at(j, 0))
		}
		line(d, func(x int, r reg.VecVirtual) { VMOVUPS(r, place(i, x)) })
		mp.next(m3)
	}
	for x := range 4 {
		var d [6]reg.VecVirtual
		for i := range d {
			d[i] = s.load(place(i, x))
		}
		line(d, func(y int, r reg.VecVirtual) {
			VADDPS(bias, r, r)
			// The second source, here the sum, is what VMAXPS returns if one is NaN.
			VMAXPS(r, floor, r)
			if s.wide() { // first, so that the lower half replaces it if outBlk is 0
				VEXTRACTF64X4(Imm(1), r, out[1].at(y, x*pixel))
			}
			VMOVUPS(r.AsY(), out[0].at(y, x*pixel))
		})
	}
	for _, p := range out {
		p.move(4 * pixel)
	}
	ADDQ(Imm(uint64(s.bytes())), m)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}
