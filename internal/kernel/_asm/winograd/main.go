// Command winograd generates the kernels of Winograd's F(4×4,3×3) with avo,
// for one instruction set:
//
//	go generate segd/internal/kernel
//
// Notation, after Lavin and Gray 2015 (arXiv:1509.09308): from a tile d of 6×6
// pixels and a kernel g of 3×3 weights, 4×4 pixels of output are
// Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. The sum over input channels goes inside the
// brackets, which makes a matrix product of each of the 36 elements; all that
// belongs to one element is called a plane here.
package main

import (
	"flag"
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const pixel = 32 // bytes of a pixel of a block of 8 channels

// isa is an instruction set, whose vectors hold lanes channels.
type isa struct {
	name  string
	lanes int
	vec   func() reg.VecVirtual
	most  []int // tiles of a product, by the number of output vectors
}

func main() {
	set := flag.String("isa", "avx2", "avx2 or avx512")
	flag.Parse()
	// As many sums as registers allow: of 16, 12 besides two vectors of
	// weights and a broadcast one, of 32, 28. A single vector of sums is
	// bound by loads whatever their number.
	s := isa{"AVX2", 8, YMM, []int{1: 12, 2: 6}}
	if *set == "avx512" {
		s = isa{"AVX512", 16, ZMM, []int{1: 14, 2: 14, 3: 9, 4: 6}}
	}
	ConstraintExpr("amd64,!purego")
	s.filter("", s.lanes)
	if s.wide() {
		s.filter("Half", s.lanes/2)
	}
	s.input()
	s.output()
	for nv := 1; nv < len(s.most); nv++ {
		for n := 1; n <= s.most[nv]; n++ {
			s.product(nv, n)
		}
	}
	Generate()
}

func (s isa) bytes() int { return 4 * s.lanes }

// wide says that a vector takes a pair of blocks.
func (s isa) wide() bool { return s.lanes == 16 }

// The points at which the polynomials are evaluated are 0, ±a, ±b and ∞. Of
// those that were tried 3/4 and 3/2 leave the least error, a third of that of
// the usual 1 and 2; their powers are exact in binary.
const (
	a, b   = 0.75, 1.5
	aa, bb = a * a, b * b
)

// constant is a number in all lanes: in a register, or in memory where
// registers are few.
func (s isa) constant(v float64) Op {
	f := float32(v)
	name, n := fmt.Sprintf("winograd%s_%08x", s.name, math.Float32bits(f)), s.lanes
	if s.wide() {
		n = 1
	}
	m, ok := constants[name]
	if !ok {
		m = GLOBL(name, RODATA|NOPTR)
		for i := range n {
			DATA(4*i, F32(f))
		}
		constants[name] = m
	}
	if !s.wide() {
		return m
	}
	r := s.vec()
	VBROADCASTSS(m, r)
	return r
}

// constants are those already in memory.
var constants = map[string]Mem{}

func (s isa) begin(name, signature string, doc ...string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(append([]string{name + " " + doc[0]}, doc[1:]...)...)
}

func arg(name string) reg.Register { return Load(Param(name), GP64()) }

func (s isa) load(m Mem) reg.VecVirtual {
	r := s.vec()
	VMOVUPS(m, r)
	return r
}

func (s isa) copy(r reg.VecVirtual) reg.VecVirtual {
	c := s.vec()
	VMOVAPS(r, c)
	return c
}

// six addresses six places that are step bytes apart.
type six struct{ base, third, step reg.Register }

// sixFrom is six places from base on, which is kept and may be moved together
// with third.
func sixFrom(base, step reg.Register) six {
	p := six{base, GP64(), step}
	p.rebase()
	return p
}

// rebase follows a change of base.
func (p six) rebase() {
	LEAQ(Mem{Base: p.step, Index: p.step, Scale: 2}, p.third)
	ADDQ(p.base, p.third)
}

// next moves on by six places.
func (p six) next(step3 reg.Register) {
	LEAQ(Mem{Base: p.third, Index: step3, Scale: 1}, p.base)
	LEAQ(Mem{Base: p.base, Index: step3, Scale: 1}, p.third)
}

func (p six) move(bytes int) {
	ADDQ(Imm(uint64(bytes)), p.base)
	ADDQ(Imm(uint64(bytes)), p.third)
}

func (p six) at(i, disp int) Mem {
	m := Mem{Base: p.base, Disp: disp}
	if i >= 3 {
		m.Base = p.third
	}
	if i%3 > 0 {
		m.Index, m.Scale = p.step, uint8(i%3)
	}
	return m
}

// triple is 3·step.
func triple(step reg.Register) reg.Register {
	t := GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, t)
	return t
}

// ahead is what follows the weights at m by two blocks of inputs, from where
// they come by way of memory: the strides are not such that the processor would
// foresee them.
func ahead(m Mem) Mem {
	m.Disp += 2 * 9 * 8 * 2 * pixel
	return m
}

// filter generates U = G g Gᵀ for a vector of outputs, of which the weights
// hold the first lanes.
func (s isa) filter(kind string, lanes int) {
	s.begin("winogradFilter"+kind+s.name, "func(u, w, tmp *float32, wTap, wRow, uPlane, uRow, n int)",
		fmt.Sprintf("computes, for i < n, 36 planes p and %d lanes l of the outputs,", s.lanes),
		"	u[p*uPlane+i*uRow+l] = (G g Gᵀ)[p], g[k] = w[k*wTap+i*wRow+l]",
		fmt.Sprintf("for the 9 taps k; from lane %d on w is 0 and not looked at.", lanes),
		fmt.Sprintf("Strides are in bytes; tmp has room for %d numbers.", 18*s.lanes))
	u, w, tmp := arg("u"), arg("w"), arg("tmp")
	wTap, wRow, uPlane, uRow, n := arg("wTap"), arg("wRow"), arg("uPlane"), arg("uRow"), arg("n")
	// Rows 1 to 4 of G have the factors a and b that output leaves out.
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
	// What the rows of the transform leave for its columns: in registers, where
	// there are as many.
	var kept [6][3]reg.VecVirtual
	place := func(i, kx int) Mem { return Mem{Base: tmp, Disp: (i*3 + kx) * s.bytes()} }
	Label("row")
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
	MOVQ(u, up.base)
	up.rebase()
	for i, g := range kept {
		if !s.wide() {
			for kx := range g {
				g[kx] = s.load(place(i, kx))
			}
		}
		line(g, func(j int, r reg.VecVirtual) { VMOVUPS(r, up.at(j, 0)) })
		up.next(u3)
	}
	ADDQ(wRow, w)
	ADDQ(uRow, u)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// input generates V = Bᵀ d B. Neighbouring tiles share two columns of pixels,
// whose vertical transform is kept.
func (s isa) input() {
	blk := "inBlk is not used."
	if s.wide() {
		blk = "Lanes from 8 on are inBlk further."
	}
	s.begin("winogradInput"+s.name, "func(v, in, tmp *float32, inBlk, inRow, vPlane, tiles int)",
		fmt.Sprintf("computes, for t < tiles, 36 planes p and %d lanes l,", s.lanes),
		"	v[p*vPlane][t][l] = (Bᵀ d B)[p], d[y][x] = in[y*inRow][4*t+x][l]",
		"for x, y < 6. "+blk+" Strides are in bytes;",
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
		line(d, func(j int, r reg.VecVirtual) { VMOVUPS(r, vp.at(j, 0)) })
		vp.next(v3)
	}
	for _, p := range in {
		p.move(4 * pixel)
	}
	ADDQ(Imm(uint64(s.bytes())), v)
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
			if s.wide() { // first, so that with outBlk = 0 the lower half replaces it
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

// unroll is the number of input channels of a turn of product's inner loop.
const unroll = 4

// column is a register's worth of a product's outputs: the vector of outputs
// that it belongs to, and where it begins there in bytes.
type column struct {
	vector, at int
	reg        func() reg.VecVirtual
}

// columns of nv vectors. A single vector of AVX-512 is taken in halves: a
// broadcast of 512 bits takes a cycle and would serve one product only.
func (s isa) columns(nv int) (list []column) {
	if s.wide() && nv == 1 {
		return []column{{0, 0, YMM}, {0, 32, YMM}}
	}
	for j := range nv {
		list = append(list, column{j, 0, s.vec})
	}
	return list
}

// product generates the product of n tiles with nv vectors of outputs.
func (s isa) product(nv, n int) {
	name := fmt.Sprintf("winogradProduct%sV%dT%d", s.name, nv, n)
	s.begin(name, "func(m, v, u *float32, mVec, mPlane, vVec, vPlane, uPlane, vectors, steps, add int)",
		fmt.Sprintf("computes, for 36 planes p, vectors j < %d of outputs, tiles t < %d*steps and lanes l,", nv, n),
		"	m[j*mVec+p*mPlane][t][l] = Σ v[i*vVec+p*vPlane][t][c] * u[p*uPlane][i][c][j][l]",
		fmt.Sprintf("over vectors i of inputs and c < %d; with add it adds to m. Strides are in bytes.", s.lanes))
	m, v, u, vVec := arg("m"), arg("v"), arg("u"), arg("vVec")
	planes, steps, vectors, turns := GP64(), GP64(), GP64(), GP64()
	mp, vp, vi, vc, up, t := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	columns := s.columns(nv)
	acc := make([][]reg.VecVirtual, n)
	for i := range acc {
		for _, c := range columns {
			acc[i] = append(acc[i], c.reg())
		}
	}
	each := func(f func(r reg.VecVirtual, mem Mem)) {
		MOVQ(mp, t)
		for j, c := range columns {
			if j > 0 && c.vector > columns[j-1].vector {
				ADDQ(param("mVec"), t)
			}
			for i := range acc {
				f(acc[i][j], Mem{Base: t, Disp: i*s.bytes() + c.at})
			}
		}
	}
	MOVQ(U32(36), planes)
	Label("plane")
	Load(Param("steps"), steps)
	MOVQ(m, mp)
	MOVQ(v, vp)
	Label("step")
	Load(Param("add"), t)
	TESTQ(t, t)
	JNE(LabelRef("load"))
	for _, of := range acc {
		for _, r := range of {
			if s.wide() {
				VPXORD(r, r, r)
			} else {
				VXORPS(r, r, r)
			}
		}
	}
	JMP(LabelRef("body"))
	Label("load")
	each(func(r reg.VecVirtual, mem Mem) { VMOVUPS(mem, r) })
	Label("body")
	MOVQ(u, up)
	MOVQ(vp, vi)
	Load(Param("vectors"), vectors)
	Label("vector")
	MOVQ(vi, vc)
	MOVQ(U32(uint32(s.lanes/unroll)), turns)
	Label("channels")
	w := make([]reg.VecVirtual, len(columns))
	for j, c := range columns {
		w[j] = c.reg()
	}
	x := columns[0].reg()
	for c := range unroll {
		for j, of := range columns {
			VMOVUPS(Mem{Base: up, Disp: (c*nv+of.vector)*s.bytes() + of.at}, w[j])
		}
		for i := range acc {
			VBROADCASTSS(Mem{Base: vc, Disp: i*s.bytes() + c*4}, x)
			for j := range w {
				VFMADD231PS(w[j], x, acc[i][j])
			}
		}
	}
	ADDQ(U32(uint32(unroll*4)), vc)
	ADDQ(U32(uint32(unroll*nv*s.bytes())), up)
	DECQ(turns)
	JNZ(LabelRef("channels"))
	ADDQ(vVec, vi)
	DECQ(vectors)
	JNZ(LabelRef("vector"))
	each(func(r reg.VecVirtual, mem Mem) { VMOVUPS(r, mem) })
	ADDQ(U32(uint32(n*s.bytes())), mp)
	ADDQ(U32(uint32(n*s.bytes())), vp)
	DECQ(steps)
	JNZ(LabelRef("step"))
	ADDQ(param("mPlane"), m)
	ADDQ(param("vPlane"), v)
	ADDQ(param("uPlane"), u)
	DECQ(planes)
	JNZ(LabelRef("plane"))
	VZEROUPPER()
	RET()
}

// param is an argument in memory.
func param(name string) Op {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}
