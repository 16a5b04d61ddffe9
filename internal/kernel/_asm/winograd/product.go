package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unroll is the number of input channels, or of pairs of them, per iteration of
// product's inner loop.
const unroll = 4

// product generates the product of n tiles with nv vectors of outputs.
func (s isa) product(nv, n int) {
	name := fmt.Sprintf("winogradProduct%sV%dT%d", s.name, nv, n)
	product := "	m[j*mVec+p*mPlane][t][l] = Σ v[i*vVec+p*vPlane][t][c] * u[p*uPlane][i][c][j][l]"
	if s.pairs {
		product = "	m[j*mVec+p*mPlane][t][l] = Σ v[i*vVec+p*vPlane][t][c] * u[p*uPlane][i][c/2][j][l][c%2], of bfloat16,"
	}
	s.begin(name, "func(m, v, u *float32, mVec, mPlane, vVec, vPlane, uPlane, vectors, steps, add int)",
		fmt.Sprintf("computes, for 36 planes p, vectors j < %d of outputs, tiles t < %d*steps and lanes l,", nv, n),
		product,
		fmt.Sprintf("over vectors i of inputs and c < %d; with add it adds to m. Strides are in bytes.", s.lanes))
	m, v, u, vVec := arg("m"), arg("v"), arg("u"), arg("vVec")
	planes, steps, vectors, turns := GP64(), GP64(), GP64(), GP64()
	mp, vp, vi, vc, up, t := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	acc := make([][]reg.VecVirtual, n)
	for i := range acc {
		for range nv {
			acc[i] = append(acc[i], s.vec())
		}
	}
	each := func(f func(r reg.VecVirtual, mem Mem)) {
		MOVQ(mp, t)
		for j := range nv {
			if j > 0 {
				ADDQ(param("mVec"), t)
			}
			for i := range acc {
				f(acc[i][j], Mem{Base: t, Disp: i * s.bytes()})
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
	MOVQ(U32(uint32(s.inputBytes()/4/unroll)), turns)
	Label("channels")
	if s.wide() && nv == 1 {
		s.single(acc, vc, up)
	} else {
		s.several(acc, vc, up)
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
	ADDQ(U32(uint32(n*s.inputBytes())), vp)
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

// several adds the products of unroll channels for several vectors of outputs, which
// share each broadcast.
func (s isa) several(acc [][]reg.VecVirtual, vc, up reg.Register) {
	w := make([]reg.VecVirtual, len(acc[0]))
	for j := range w {
		w[j] = s.vec()
	}
	x := s.vec()
	for c := range unroll {
		for j := range w {
			VMOVUPS(Mem{Base: up, Disp: (c*len(w) + j) * s.bytes()}, w[j])
		}
		for i := range acc {
			VBROADCASTSS(Mem{Base: vc, Disp: i*s.inputBytes() + c*4}, x)
			for j := range w {
				s.addProduct(w[j], x, acc[i][j])
			}
		}
	}
}

// single adds those for one vector of outputs of AVX-512. A broadcast of 512 bits
// from memory takes a cycle and would serve only one product, although two could
// start. The last two of four channels therefore come from shuffles of one load. A
// shuffle takes the slot of a product, so this takes 3 cycles instead of 4.
func (s isa) single(acc [][]reg.VecVirtual, vc, up reg.Register) {
	var w [unroll]reg.VecVirtual
	for c := range w {
		w[c] = s.load(Mem{Base: up, Disp: c * s.bytes()})
	}
	for i, of := range acc {
		at := Mem{Base: vc, Disp: i * s.inputBytes()}
		four := s.vec()
		VBROADCASTF32X4(at, four)
		for c := range unroll {
			x := s.vec()
			if m := at.Offset(4 * c); c >= 2 {
				VPERMILPS(U8(c*0x55), four, x)
			} else if s.pairs {
				VBROADCASTSS(m, x)
			} else {
				VFMADD231PS_BCST(m, w[c], of[0])
				continue
			}
			s.addProduct(w[c], x, of[0])
		}
	}
}

// addProduct adds w·x to sum: in each lane one product, or the two of a pair.
func (s isa) addProduct(w, x, sum reg.VecVirtual) {
	if s.pairs {
		dotPairs(w, x, sum)
		return
	}
	VFMADD231PS(w, x, sum)
}
