package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
