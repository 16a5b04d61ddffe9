package main

import (
	"encoding/binary"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The instructions of AVX512-BF16, which neither avo nor Go's assembler supports.
// They are written as bytes, with the instruction as a comment. avo treats them like
// any other instruction and allocates their registers.

// Mandatory prefixes as encoded in an EVEX prefix (Intel SDM, volume 2, 2.7).
const (
	prefixF3 = 2
	prefixF2 = 3
)

// encoded is an instruction of the map 0F38 on vectors of 512 bits, W0, without mask.
// Its inputs are src2 and, if there are two, src1 in Intel's order. The accumulator
// comes last. avo handles it as the constant that prints it.
type encoded struct {
	Constant
	name           string
	prefix, opcode byte
	inputs         int
	instruction    *ir.Instruction
}

// Asm is called when registers are allocated.
func (e encoded) Asm() string {
	number := func(o Op) byte { return byte(reg.ToPhysical(o.(reg.Register)).PhysicalIndex()) }
	dst, src2 := e.instruction.Outputs[0], e.instruction.Inputs[0]
	text, v := src2.Asm(), byte(0)
	if e.inputs > 1 {
		src1 := e.instruction.Inputs[1]
		text, v = text+", "+src1.Asm(), number(src1)
	}
	r, m := number(dst), number(src2)
	not := func(n byte, bit int) byte { return ^n >> bit & 1 }
	code := []byte{
		0x62,
		not(r, 3)<<7 | not(m, 4)<<6 | not(m, 3)<<5 | not(r, 4)<<4 | 2,
		(^v&15)<<3 | 4 | e.prefix,
		2<<5 | not(v, 4)<<3,
		e.opcode,
		3<<6 | r&7<<3 | m&7,
	}
	return fmt.Sprintf("$0x%08x; WORD $0x%04x // %s %s, %s",
		binary.LittleEndian.Uint32(code), binary.LittleEndian.Uint16(code[4:]), e.name, text, dst.Asm())
}

func (e encoded) emit(output Op, inputs ...Op) {
	e.instruction = &ir.Instruction{Opcode: "LONG", Inputs: inputs, Outputs: []Op{output}, ISA: []string{"AVX512_BF16"}}
	e.instruction.Operands = []Op{e}
	Instruction(e.instruction)
}

// dotPairs adds to each lane of sum the two products of the pairs of bfloat16 of
// that lane of a and b.
func dotPairs(a, b, sum reg.VecVirtual) {
	encoded{name: "VDPBF16PS", prefix: prefixF3, opcode: 0x52, inputs: 2}.emit(sum, a, b, sum)
}

// toBF16 rounds 16 numbers to half a vector of bfloat16.
func toBF16(x reg.VecVirtual) (half reg.VecVirtual) {
	half = YMM()
	encoded{name: "VCVTNEPS2BF16", prefix: prefixF3, opcode: 0x72, inputs: 1}.emit(half, x)
	return half
}

// bothToBF16 rounds two vectors of 16 numbers to one vector of bfloat16.
func bothToBF16(low, high reg.VecVirtual) (both reg.VecVirtual) {
	both = ZMM()
	encoded{name: "VCVTNE2PS2BF16", prefix: prefixF2, opcode: 0x72, inputs: 2}.emit(both, low, high)
	return both
}

// interleave is the order of words that pairs the two halves of a vector.
func interleave() reg.VecVirtual {
	const name = "winogradInterleave"
	m, ok := constants[name]
	if !ok {
		m = GLOBL(name, RODATA|NOPTR)
		for i := range 32 {
			DATA(2*i, U16(i/2+i%2*16))
		}
		constants[name] = m
	}
	order := ZMM()
	VMOVDQU16(m, order)
	return order
}
