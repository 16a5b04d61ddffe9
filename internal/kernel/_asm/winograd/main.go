// Command winograd generates the kernels of Winograd's F(4×4,3×3) with avo,
// for one instruction set:
//
//	go generate segd/internal/kernel
//
// Notation, after Lavin and Gray 2015 (arXiv:1509.09308): from a tile d of 6×6 pixels
// and a kernel g of 3×3 weights, 4×4 pixels of output are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A.
// The sum over input channels moves inside the brackets, so that each of the 36
// elements becomes a matrix product. Everything that belongs to one element is called
// a plane here.
package main

import (
	"flag"
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	pixel  = 32 // bytes of a pixel of a block of 8 channels
	planes = 36 // elements of a tile
)

// isa is an instruction set whose vectors hold lanes channels.
type isa struct {
	name  string
	lanes int
	vec   func() reg.VecVirtual
	most  []int // tiles of a product, by the number of output vectors
	pairs bool  // V and U are bfloat16, with two input channels per lane
}

func main() {
	set := flag.String("isa", "avx2", "avx2, avx512 or bf16")
	flag.Parse()
	// As many sums as registers allow: 12 of 16, in addition to two vectors of
	// weights and a broadcast one, and 28 of 32. A single vector of sums is limited
	// by loads, whatever the number of sums.
	s := isa{"AVX2", 8, YMM, []int{1: 12, 2: 6}, false}
	if *set != "avx2" {
		s = isa{"AVX512", 16, ZMM, []int{1: 14, 2: 14, 3: 9, 4: 6}, false}
	}
	if *set == "bf16" {
		s.name, s.pairs = "BF16", true
	}
	ConstraintExpr("amd64,!purego")
	s.filter("", s.lanes)
	if s.wide() {
		s.filter("Half", s.lanes/2)
	}
	s.input()
	if !s.pairs { // sums in float32 use the output transform of AVX-512
		s.output()
	}
	for nv := 1; nv < len(s.most); nv++ {
		for n := 1; n <= s.most[nv]; n++ {
			s.product(nv, n)
		}
	}
	Generate()
}

func (s isa) bytes() int { return 4 * s.lanes }

// inputBytes is the size of a vector of V, and of the outputs in U for one input
// channel.
func (s isa) inputBytes() int {
	if s.pairs {
		return 2 * s.lanes
	}
	return s.bytes()
}

// wide reports whether a vector holds a pair of blocks.
func (s isa) wide() bool { return s.lanes == 16 }

// The points at which the polynomials are evaluated are 0, ±a, ±b and ∞. Among the
// values tried, 3/4 and 3/2 have the smallest error, a third of that of the usual 1
// and 2. Their powers are exact in binary.
const (
	a, b   = 0.75, 1.5
	aa, bb = a * a, b * b
)

// constant is a number in all lanes: in a register, or in memory if registers are
// scarce.
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

// six addresses six locations that are step bytes apart.
type six struct{ base, third, step reg.Register }

// sixFrom returns six locations starting at base. base is kept, and may be moved
// together with third.
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

// next advances by six locations.
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

// triple returns 3·step.
func triple(step reg.Register) reg.Register {
	t := GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, t)
	return t
}

// ahead prefetches the weights that follow those at m by two blocks of inputs. They
// come from memory, with strides that the processor would not predict.
func ahead(m Mem) Mem {
	m.Disp += 2 * 9 * 8 * 2 * pixel
	return m
}

// param returns an argument in memory.
func param(name string) Op {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}
