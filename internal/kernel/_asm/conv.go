package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	lanes = 8         // channels of a block
	pixel = lanes * 4 // bytes of a pixel of a block, and of a vector
)

// geometry is one kind of convolution's inner loop: kernel rows and columns,
// and the distance in pixels between neighbouring inputs and outputs.
type geometry struct {
	name            string
	kh, kw          int
	inStep, outStep int
}

// convolutions generates a kernel for each geometry and tile. Two output
// blocks take up to 6 pixels (12 sums, 2 weights, 1 broadcast of 16
// registers), a single block up to 12.
func convolutions() {
	for _, g := range []geometry{
		{"conv3x3", 3, 3, 1, 1},
		{"conv1x1", 1, 1, 1, 1},
		{"convUp", 1, 1, 1, 2},
		{"convDown", 2, 2, 2, 1},
	} {
		for px := 1; px <= 6; px++ {
			convolution(g, 2, px, lanes)
		}
		for _, px := range []int{1, 2, 4, 8, 12} {
			convolution(g, 1, px, lanes)
		}
	}
	// The first layer of a network for grey images has one input channel.
	for px := 1; px <= 6; px++ {
		convolution(geometry{"conv3x3Grey", 3, 3, 1, 1}, 2, px, 1)
	}
}

// convolution generates a kernel that computes tiles of px neighbouring pixels of nv
// output blocks, from all input blocks of the run. It reads the first ics lanes of
// the inputs.
func convolution(g geometry, nv, px, ics int) {
	name := fmt.Sprintf("%sB%dP%d", g.name, nv, px)
	TEXT(name, NOSPLIT, "func(out, in, w, bias *float32, blocks, inBlk, inRow, outBlk, tiles, relu int)")
	Pragma("noescape")
	Doc(name+" computes, for px = "+fmt.Sprint(px)+" pixels in each of tiles steps, lanes l and output blocks v < "+fmt.Sprint(nv)+",",
		fmt.Sprintf("	out[v][p*%d][l] = relu(bias[v][l] + Σ in[b][ky][p*%d+kx][i] * w[b][ky][kx][i][v][l])", g.outStep, g.inStep),
		fmt.Sprintf("over the blocks b, ky < %d, kx < %d and i < %d. Without bias it adds to out. Strides are in bytes.", g.kh, g.kw, ics))
	out, in, w := Load(Param("out"), GP64()), Load(Param("in"), GP64()), Load(Param("w"), GP64())
	outBlk, inRow, tiles := Load(Param("outBlk"), GP64()), Load(Param("inRow"), GP64()), Load(Param("tiles"), GP64())
	ip, rp, wp, blk, ky, t := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	acc := make([][]reg.VecVirtual, px)
	for p := range acc {
		for range nv {
			acc[p] = append(acc[p], YMM())
		}
	}
	outMem := func(p, v int) Mem {
		m := Mem{Base: out, Disp: p * g.outStep * pixel}
		if v == 1 {
			m.Index, m.Scale = outBlk, 1
		}
		return m
	}
	each := func(f func(p, v int)) {
		for p := range acc {
			for v := range nv {
				f(p, v)
			}
		}
	}

	Label("tile")
	Load(Param("bias"), t)
	TESTQ(t, t)
	JE(LabelRef("load"))
	each(func(p, v int) { VMOVUPS(Mem{Base: t, Disp: v * pixel}, acc[p][v]) })
	JMP(LabelRef("body"))
	Label("load")
	each(func(p, v int) { VMOVUPS(outMem(p, v), acc[p][v]) })

	Label("body")
	MOVQ(in, ip)
	MOVQ(w, wp)
	Load(Param("blocks"), blk)
	Label("block")
	row := ip
	if g.kh > 1 {
		row = rp
		MOVQ(ip, rp)
		MOVQ(U32(uint32(g.kh)), ky)
		Label("row")
	}
	weights := [2]reg.VecVirtual{YMM(), YMM()}
	b := YMM()
	for kx := range g.kw {
		for ic := range ics {
			for v := range nv {
				VMOVUPS(Mem{Base: wp, Disp: ((kx*lanes+ic)*nv + v) * pixel}, weights[v])
			}
			for p := range acc {
				VBROADCASTSS(Mem{Base: row, Disp: (p*g.inStep+kx)*pixel + ic*4}, b)
				for v := range nv {
					VFMADD231PS(weights[v], b, acc[p][v])
				}
			}
		}
	}
	ADDQ(U32(uint32(g.kw*lanes*nv*pixel)), wp)
	if g.kh > 1 {
		ADDQ(inRow, rp)
		DECQ(ky)
		JNZ(LabelRef("row"))
	}
	Load(Param("inBlk"), t)
	ADDQ(t, ip)
	DECQ(blk)
	JNZ(LabelRef("block"))

	Load(Param("relu"), t)
	TESTQ(t, t)
	JE(LabelRef("store"))
	VXORPS(b, b, b)
	// The second source, here the sum, is what VMAXPS returns if one is NaN.
	each(func(p, v int) { VMAXPS(acc[p][v], b, acc[p][v]) })
	Label("store")
	each(func(p, v int) { VMOVUPS(acc[p][v], outMem(p, v)) })
	ADDQ(U32(uint32(px*g.inStep*pixel)), in)
	ADDQ(U32(uint32(px*g.outStep*pixel)), out)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}
