package main

import (
	"fmt"
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// weightGrads generates the inner loop of the weight gradient for each geometry and
// one or two blocks of v. A pass over the pixels keeps as many sums as registers
// allow: numbers of b times blocks of v. The passes of a row of taps are either a
// loop over groups of lanes, so that lanes without channels can be skipped, or a
// list.
func weightGrads() {
	lanesOf := func(k, n int) (pass []int) { // n lanes of each of k pixels
		for kx := range k {
			for l := range n {
				pass = append(pass, kx*lanes+l)
			}
		}
		return pass
	}
	run := func(from, n int) (pass []int) {
		for i := range n {
			pass = append(pass, from+i)
		}
		return pass
	}
	gradient{"grad3x3B1", 3, 1, 1, 4, [][]int{lanesOf(3, 4)}}.generate()
	gradient{"grad3x3B2", 3, 1, 2, 2, [][]int{lanesOf(3, 2)}}.generate()
	gradient{"grad1x1B1", 1, 1, 1, 8, [][]int{lanesOf(1, 8)}}.generate()
	gradient{"grad1x1B2", 1, 1, 2, 4, [][]int{lanesOf(1, 4)}}.generate()
	gradient{"grad2x2B1", 2, 2, 1, 0, [][]int{run(0, 8), run(8, 8)}}.generate()
	gradient{"grad2x2B2", 2, 2, 2, 0, [][]int{run(0, 6), run(6, 6), run(12, 4)}}.generate()
	weightGradGrey()
}

type gradient struct {
	name        string
	k, step, nv int
	group       int     // lanes per iteration of the loop over groups; 0: the passes cover all lanes
	passes      [][]int // numbers of b, counted from the first tap and lane: kx*8+lane
}

const gradSignature = "func(dw, v, b *float32, vBlk, vSkip, bSkip, bRow, rows, pixels, groups, vNext, bNext int)"

func (g gradient) doc() {
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes, for ky, kx < %d, lanes l and m, and blocks j < %d,", g.name, g.k, g.nv),
		fmt.Sprintf("	dw[ky][kx][l][j][m] += Σ v[j][y][x][m] * b[y*%d+ky][x*%d+kx][l]", g.step, g.step),
		"over y < rows and x < pixels. vSkip and bSkip lead from the end of a line to the next, vNext",
		"and bNext to what the next call will read, which is prefetched. Strides are in bytes.")
	if g.group > 0 {
		Doc(fmt.Sprintf("Only the first groups*%d lanes l are computed.", g.group))
	}
}

func (g gradient) generate() {
	TEXT(g.name, NOSPLIT, gradSignature)
	g.doc()
	dw, v, b := Load(Param("dw"), GP64()), Load(Param("v"), GP64()), Load(Param("b"), GP64())
	vBlk, vNext, bNext := Load(Param("vBlk"), GP64()), Load(Param("vNext"), GP64()), Load(Param("bNext"), GP64())
	groups, bl, dl := GP64(), GP64(), GP64()
	// The next call reads both blocks of v and the new rows of b for the first time.
	// Each iteration, over groups or passes, prefetches one of them.
	turn := 0
	next := func() func(vp, bp reg.Register) Mem {
		turn++
		if turn > g.nv || g.k == 1 {
			return func(_, bp reg.Register) Mem { return Mem{Base: bp, Index: bNext, Scale: 1} }
		}
		if turn == 2 {
			ADDQ(vBlk, vNext)
		}
		return func(vp, _ reg.Register) Mem { return Mem{Base: vp, Index: vNext, Scale: 1} }
	}
	for ky := range g.k {
		loop := fmt.Sprintf("group%d", ky)
		MOVQ(b, bl)
		MOVQ(dw, dl)
		var fetch func(vp, bp reg.Register) Mem
		if g.group > 0 {
			fetch = next()
			Load(Param("groups"), groups)
			Label(loop)
		}
		for _, pass := range g.passes {
			if g.group == 0 {
				fetch = next()
			}
			g.pass(fmt.Sprintf("%d_%d", ky, pass[0]), pass, dl, v, bl, vBlk, fetch)
		}
		if g.group > 0 {
			ADDQ(U32(uint32(g.group*4)), bl)
			ADDQ(U32(uint32(g.group*g.nv*pixel)), dl)
			DECQ(groups)
			JNZ(LabelRef(loop))
		}
		if ky < g.k-1 {
			Load(Param("bRow"), bl)
			ADDQ(bl, b)
			ADDQ(U32(uint32(g.k*lanes*g.nv*pixel)), dw)
		}
	}
	VZEROUPPER()
	RET()
}

// pass sums over the pixels for some of the numbers of b.
func (g gradient) pass(label string, numbers []int, dw, v, b, vBlk reg.Register, next func(vp, bp reg.Register) Mem) {
	rows, pixels, vp, bp, t := GP64(), GP64(), GP64(), GP64(), GP64()
	sums := make([][]reg.VecVirtual, len(numbers))
	for i := range sums {
		sums[i] = zeros(g.nv)
	}
	Load(Param("rows"), rows)
	MOVQ(v, vp)
	MOVQ(b, bp)
	Label("line" + label)
	Load(Param("pixels"), pixels)
	Label("pixel" + label)
	PREFETCHT0(next(vp, bp))
	vec := make([]reg.VecVirtual, g.nv)
	for j := range vec {
		vec[j] = load(blockOf(vp, vBlk, j, 0))
	}
	s := YMM()
	for i, n := range numbers {
		VBROADCASTSS(Mem{Base: bp, Disp: n * 4}, s)
		for j := range vec {
			VFMADD231PS(vec[j], s, sums[i][j])
		}
	}
	ADDQ(U32(pixel), vp)
	ADDQ(U32(uint32(g.step*pixel)), bp)
	DECQ(pixels)
	JNZ(LabelRef("pixel" + label))
	Load(Param("vSkip"), t)
	ADDQ(t, vp)
	Load(Param("bSkip"), t)
	ADDQ(t, bp)
	DECQ(rows)
	JNZ(LabelRef("line" + label))
	for i, n := range numbers {
		for j, r := range sums[i] {
			addStore(r, Mem{Base: dw, Disp: (n*g.nv + j) * pixel})
		}
	}
}

// blockOf returns the address of pixel i of block j.
func blockOf(p, blk reg.Register, j, i int) Mem {
	m := Mem{Base: p, Disp: i * pixel}
	if j == 1 {
		m.Index, m.Scale = blk, 1
	}
	return m
}

func addStore(r reg.VecVirtual, m Mem) {
	VADDPS(m, r, r)
	VMOVUPS(r, m)
}

// weightGradGrey generates the 3×3 loop for one lane of b, the first layer of a
// network for grey images. Three taps of two blocks give too few sums to hide the
// latency of FMA, so two pixels are summed in parallel.
func weightGradGrey() {
	g := gradient{name: "grad3x3Grey", k: 3, step: 1, nv: 2}
	TEXT(g.name, NOSPLIT, gradSignature)
	g.doc()
	Doc("Only lane 0 of b is computed; groups is not used.")
	dw, v, b := Load(Param("dw"), GP64()), Load(Param("v"), GP64()), Load(Param("b"), GP64())
	vBlk, vNext, bNext := Load(Param("vBlk"), GP64()), Load(Param("vNext"), GP64()), Load(Param("bNext"), GP64())
	for ky, next := range []func(vp, bp reg.Register) Mem{
		func(vp, _ reg.Register) Mem { return Mem{Base: vp, Index: vNext, Scale: 1} },
		func(vp, _ reg.Register) Mem { return Mem{Base: vp, Index: vNext, Scale: 1} },
		func(_, bp reg.Register) Mem { return Mem{Base: bp, Index: bNext, Scale: 1} },
	} {
		if ky == 1 {
			ADDQ(vBlk, vNext)
		}
		greyPass(strconv.Itoa(ky), dw, v, b, vBlk, next)
		if ky < 2 {
			t := Load(Param("bRow"), GP64())
			ADDQ(t, b)
			ADDQ(U32(3*lanes*2*pixel), dw)
		}
	}
	VZEROUPPER()
	RET()
}

// greyPass sums over the pixels for a row of taps.
func greyPass(label string, dw, v, b, vBlk reg.Register, next func(vp, bp reg.Register) Mem) {
	rows, pixels, vp, bp, t := GP64(), GP64(), GP64(), GP64(), GP64()
	sums := [2][]reg.VecVirtual{zeros(6), zeros(6)} // by pixel, [kx*2+j]
	Load(Param("rows"), rows)
	MOVQ(v, vp)
	MOVQ(b, bp)
	Label("line" + label)
	Load(Param("pixels"), pixels)
	step := func(n int) {
		PREFETCHT0(next(vp, bp))
		vec, s := [2]reg.VecVirtual{YMM(), YMM()}, YMM()
		for p := range n {
			for j := range vec {
				VMOVUPS(blockOf(vp, vBlk, j, p), vec[j])
			}
			for kx := range 3 {
				VBROADCASTSS(Mem{Base: bp, Disp: (p + kx) * pixel}, s)
				for j := range vec {
					VFMADD231PS(vec[j], s, sums[p][kx*2+j])
				}
			}
		}
		ADDQ(U32(uint32(n*pixel)), vp)
		ADDQ(U32(uint32(n*pixel)), bp)
	}
	SUBQ(U8(2), pixels)
	JLT(LabelRef("odd" + label))
	Label("two" + label)
	step(2)
	SUBQ(U8(2), pixels)
	JGE(LabelRef("two" + label))
	Label("odd" + label)
	ADDQ(U8(2), pixels)
	JZ(LabelRef("next" + label))
	step(1)
	Label("next" + label)
	Load(Param("vSkip"), t)
	ADDQ(t, vp)
	Load(Param("bSkip"), t)
	ADDQ(t, bp)
	DECQ(rows)
	JNZ(LabelRef("line" + label))
	for i := range 6 {
		VADDPS(sums[1][i], sums[0][i], sums[0][i])
		addStore(sums[0][i], Mem{Base: dw, Disp: (i/2*lanes*2 + i%2) * pixel})
	}
}
