package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// weightGrads512 generates the inner loop of the weight gradient of a 3×3 convolution
// for a pair of blocks of v. For other geometries the AVX2 kernels are as fast, see
// convolutions512. All sums of a row of taps fit in registers, so one pass over the
// pixels handles a row. For a single lane, all taps fit.
func weightGrads512() {
	gradient512{"grad3x3Z8", 8, 1}.generate()
	gradient512{"grad3x3Z4", 4, 1}.generate()
	gradient512{"grad3x3Z1", 1, 3}.generate()
}

const taps = 3 // in a row of taps, and rows of them

// gradient512 is a kernel that computes the first n lanes of b, with some rows of
// taps per pass.
type gradient512 struct {
	name    string
	n, rows int
}

func (g gradient512) generate() {
	TEXT(g.name, NOSPLIT, gradSignature)
	gradient{name: g.name, k: taps, step: 1, nv: 2}.doc()
	Doc(fmt.Sprintf("Only the first %d lanes l are computed; groups, vNext and bNext are not used.", g.n))
	dw, v, b := Load(Param("dw"), GP64()), Load(Param("v"), GP64()), Load(Param("b"), GP64())
	passes, t := GP64(), GP64()
	MOVQ(U32(uint32(taps/g.rows)), passes)
	Label("pass")
	g.pass(dw, v, b)
	if g.rows < taps {
		Load(Param("bRow"), t)
		ADDQ(t, b)
		ADDQ(U32(uint32(g.rows*taps*lanes*wide)), dw)
		DECQ(passes)
		JNZ(LabelRef("pass"))
	}
	VZEROUPPER()
	RET()
}

// pass sums over the pixels for some rows of taps.
//
// A number of b belongs to one tap of the current pixel and to other taps of the
// previous pixels, so one broadcast serves three products and v of three pixels is
// kept. Before the first pixel v is zero, and after the last there are steps with b
// only.
func (g gradient512) pass(dw, v, b reg.Register) {
	rows, pixels, t := GP64(), GP64(), GP64()
	vp, bp, vBlk := GP64(), []reg.GPVirtual{}, Load(Param("vBlk"), GP64())
	for range g.rows {
		bp = append(bp, GP64())
	}
	sums := map[[3]int]reg.VecVirtual{} // by ky, kx, lane
	each := func(f func(at [3]int)) {
		for ky := range g.rows {
			for kx := range taps {
				for l := range g.n {
					f([3]int{ky, kx, l})
				}
			}
		}
	}
	clear512 := func() reg.VecVirtual { z := ZMM(); VPXORD(z, z, z); return z }
	each(func(at [3]int) { sums[at] = clear512() })
	kept := []reg.VecVirtual{ZMM(), ZMM(), ZMM()} // v of this pixel and the previous ones
	// products adds the products of the pixels from first backwards, and advances.
	products := func(first int) {
		for ky, base := range bp {
			for l := range g.n {
				s := ZMM()
				VBROADCASTSS(Mem{Base: base, Disp: l * 4}, s)
				for kx := taps - 1; kx >= first; kx-- {
					VFMADD231PS(kept[kx], s, sums[[3]int{ky, kx, l}])
				}
			}
			ADDQ(U32(pixel), base)
		}
	}
	shift := func() {
		for i := len(kept) - 1; i > 0; i-- {
			VMOVAPS(kept[i-1], kept[i])
		}
	}

	Load(Param("rows"), rows)
	MOVQ(v, vp)
	MOVQ(b, bp[0])
	Label("line")
	for i := 1; i < len(bp); i++ {
		Load(Param("bRow"), bp[i])
		ADDQ(bp[i-1], bp[i])
	}
	for _, z := range kept {
		VPXORD(z, z, z)
	}
	Load(Param("pixels"), pixels)
	Label("pixel")
	shift()
	VMOVUPS(Mem{Base: vp}, kept[0].AsY())
	VINSERTF32X8(U8(1), Mem{Base: vp, Index: vBlk, Scale: 1}, kept[0], kept[0])
	products(0)
	ADDQ(U32(pixel), vp)
	DECQ(pixels)
	JNZ(LabelRef("pixel"))
	for first := 1; first < len(kept); first++ {
		shift()
		products(first)
	}
	Load(Param("vSkip"), t)
	ADDQ(t, vp)
	Load(Param("bSkip"), t)
	SUBQ(U8(uint8((len(kept)-1)*pixel)), t)
	ADDQ(t, bp[0])
	DECQ(rows)
	JNZ(LabelRef("line"))
	each(func(at [3]int) {
		addStore(sums[at], Mem{Base: dw, Disp: ((at[0]*taps+at[1])*lanes + at[2]) * wide})
	})
}
