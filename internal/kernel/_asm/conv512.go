package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// wide is the number of bytes of a vector of AVX-512: the weights that one
// input lane has for a pair of output blocks.
const wide = 2 * pixel

// convolutions512 generates the kernels of a pair of output blocks, whose 16
// sums of a pixel are one register.
//
// On Ice Lake, measured in a VM, a broadcast of an input from memory takes as long as
// two products, whether or not it is embedded in the product. Each broadcast must
// therefore serve several products. In a 3×3 convolution it serves the three taps of
// a row, and in a transposed one all four. The other geometries have nothing to
// share, and the AVX2 kernels are as fast. 3×3 rows are cut into nearly equal tiles,
// which needs a kernel for each size.
func convolutions512() {
	for px := 1; px <= 24; px++ {
		convolution512{geometry{"conv3x3", 3, 3, 1, 1}, px, lanes}.generate()
	}
	for _, px := range []int{24, 16, 8, 4, 2, 1} {
		convolution512{geometry{"conv3x3Grey", 3, 3, 1, 1}, px, 1}.generate()
	}
	for px := 1; px <= 6; px++ {
		convolution512{geometry{"convUp", 1, 4, 1, 2}, px, lanes}.generate()
	}
}

// convolution512 is a kernel that computes tiles of px neighbouring pixels of two
// output blocks, from the first ics lanes of all input blocks. The transposed
// convolution treats its four taps as one row: each input contributes to two outputs
// in each of two rows, and the weights of the taps are wTap apart.
type convolution512 struct {
	geometry
	px, ics int
}

func (g convolution512) up() bool { return g.outStep == 2 }

// registers allocates the sums of each output pixel. If there are few pixels, each
// has one sum per tap of a row: a product can follow another into the same sum only
// after 4 cycles, in which 8 others could start.
func (g convolution512) registers() (sums [][]reg.VecVirtual, parts int) {
	parts = 1
	if g.px <= 8 && !g.up() {
		parts = g.kw
	}
	n := g.px
	if g.up() {
		n *= g.kw
	}
	for range n {
		var of []reg.VecVirtual
		for range parts {
			of = append(of, ZMM())
		}
		sums = append(sums, of)
	}
	return sums, parts
}

func (g convolution512) generate() {
	name := fmt.Sprintf("%sZ%d", g.name, g.px)
	args := "func(out, in, w, bias *float32, blocks, inBlk, inRow, outBlk, tiles, relu int)"
	if g.up() {
		args = "func(out, in, w, bias *float32, blocks, inBlk, wTap, outBlk, outRow, tiles, relu int)"
	}
	TEXT(name, NOSPLIT, args)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes what %sB2P1 does, for %d pixels in each of tiles steps.", name, g.name, g.px))
	if g.up() {
		Doc("The weights of tap k, at w[k*wTap], belong to output pixels 2*p+k%2 of row k/2.")
	}
	out, in := Load(Param("out"), GP64()), Load(Param("in"), GP64())
	outBlk, tiles := Load(Param("outBlk"), GP64()), Load(Param("tiles"), GP64())
	ip, rp, wp, blk, ky, t := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	var outRow, rowBlk, wTap, wTap3 reg.Register
	if g.up() {
		outRow, wTap = Load(Param("outRow"), GP64()), Load(Param("wTap"), GP64())
		rowBlk, wTap3 = GP64(), GP64()
		LEAQ(Mem{Base: outRow, Index: outBlk, Scale: 1}, rowBlk)
		LEAQ(Mem{Base: wTap, Index: wTap, Scale: 2}, wTap3)
	}
	weight := func(kx, ic int) Mem {
		if !g.up() {
			return Mem{Base: wp, Disp: (kx*lanes + ic) * wide}
		}
		m := Mem{Base: wp, Disp: ic * wide}
		switch kx {
		case 1, 2:
			m.Index, m.Scale = wTap, uint8(kx)
		case 3:
			m.Index, m.Scale = wTap3, 1
		}
		return m
	}
	sums, parts := g.registers()
	first := func(p int) reg.VecVirtual { return sums[p][0] }
	across := g.px * g.outStep
	low := func(p int) Mem {
		m := Mem{Base: out, Disp: p % across * pixel}
		if p >= across {
			m.Index, m.Scale = outRow, 1
		}
		return m
	}
	high := func(p int) Mem {
		m := low(p)
		m.Index, m.Scale = outBlk, 1
		if p >= across {
			m.Index = rowBlk
		}
		return m
	}

	Label("tile")
	Load(Param("bias"), t)
	TESTQ(t, t)
	JE(LabelRef("load"))
	VMOVUPS(Mem{Base: t}, first(0))
	for p := 1; p < len(sums); p++ {
		VMOVAPS(first(0), first(p))
	}
	JMP(LabelRef("body"))
	Label("load")
	for p := range sums {
		VMOVUPS(low(p), first(p).AsY())
		VINSERTF32X8(U8(1), high(p), first(p), first(p))
	}

	Label("body")
	for k := 1; k < parts; k++ {
		for p := range sums {
			VPXORD(sums[p][k], sums[p][k], sums[p][k])
		}
	}
	MOVQ(in, ip)
	Load(Param("w"), wp)
	Load(Param("blocks"), blk)
	Label("block")
	row := ip
	if g.kh > 1 {
		row = rp
		MOVQ(ip, rp)
		MOVQ(U32(uint32(g.kh)), ky)
		Label("row")
	}
	g.products(row, weight, sums, parts)
	step := g.kw * lanes * wide
	if g.up() {
		step = lanes * wide
	}
	ADDQ(U32(uint32(step)), wp)
	if g.kh > 1 {
		Load(Param("inRow"), t)
		ADDQ(t, rp)
		DECQ(ky)
		JNZ(LabelRef("row"))
	}
	Load(Param("inBlk"), t)
	ADDQ(t, ip)
	DECQ(blk)
	JNZ(LabelRef("block"))

	for k := 1; k < parts; k++ {
		for p := range sums {
			VADDPS(sums[p][k], first(p), first(p))
		}
	}
	Load(Param("relu"), t)
	TESTQ(t, t)
	JE(LabelRef("store"))
	null := ZMM()
	VPXORD(null, null, null)
	for p := range sums {
		// The second source, here the sum, is what VMAXPS returns if one is NaN.
		VMAXPS(first(p), null, first(p))
	}
	Label("store")
	for p := range sums {
		VMOVUPS(first(p).AsY(), low(p))
		VEXTRACTF32X8(U8(1), first(p), high(p))
	}
	ADDQ(U32(uint32(g.px*g.inStep*pixel)), in)
	ADDQ(U32(uint32(across*pixel)), out)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// products adds those of one row of taps of one input block. Each input is
// broadcast once, and multiplied by the weights of all taps that see it.
func (g convolution512) products(row reg.Register, weight func(kx, ic int) Mem, sums [][]reg.VecVirtual, parts int) {
	for ic := range g.ics {
		var weights []reg.VecVirtual
		for kx := range g.kw {
			weights = append(weights, load512(weight(kx, ic)))
		}
		ins := g.px
		if !g.up() {
			ins += g.kw - 1
		}
		for j := range ins {
			var b reg.VecVirtual
			for kx := g.kw - 1; kx >= 0; kx-- {
				var p int
				switch {
				case g.up():
					p = kx/2*2*g.px + 2*j + kx%2
				case j < kx || j-kx >= g.px:
					continue
				default:
					p = j - kx
				}
				if b == nil {
					b = ZMM()
					VBROADCASTSS(Mem{Base: row, Disp: j*pixel + ic*4}, b)
				}
				VFMADD231PS(weights[kx], b, sums[p][kx%parts])
			}
		}
	}
}

func load512(m Mem) reg.VecVirtual {
	v := ZMM()
	VMOVUPS(m, v)
	return v
}
