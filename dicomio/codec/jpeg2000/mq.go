package jpeg2000

import "math/bits"

// An mqDecoder is the arithmetic decoder (15444-1 Annex C). The registers A and C
// of the standard count in units of 2^-32, so that C has room for bytes ahead; the
// less probable symbol has the lower part of the interval, of size Qe, unless the
// upper one is smaller.
//
// Which symbol comes can't be foreseen in an image with noise, so no branch depends
// on it: what is compared makes an index into a table of what follows. The passes
// keep A and C in local variables, and have the step in place of a call:
//
//	e := &m.contexts[k]
//	*e, a, c = mqStep(*e, a, c)
//	if m.ahead -= int(mqShift(*e)); m.ahead < 0 {
//		c = m.read(c)
//	}
//	bit := mqBit(*e)
type mqDecoder struct {
	a, c     uint64
	ahead    int // bits of the segment that C has below its 16 high ones
	data     []byte
	at       int
	fill     int        // bytes read past the end
	contexts [32]uint64 // entries, see mqEntry; a power of two needs no check
}

const mqHalf = 0x8000 << 32 // A after renormalisation is this or more

// Contexts (15444-1 Table D.7): zero coding, sign coding, magnitude refinement,
// run length, uniform.
const (
	contextZero    = 0
	contextSign    = 9
	contextRefine  = 14
	contextRun     = 17
	contextUniform = 18
)

// mqTable is Table C.2: Qe, the next state after the more and the less probable
// symbol, and whether the latter swaps their meaning.
var mqTable = [47]struct {
	qe       uint64
	mps, lps uint64
	exchange uint64
}{
	{0x5601, 1, 1, 1}, {0x3401, 2, 6, 0}, {0x1801, 3, 9, 0}, {0x0AC1, 4, 12, 0},
	{0x0521, 5, 29, 0}, {0x0221, 38, 33, 0}, {0x5601, 7, 6, 1}, {0x5401, 8, 14, 0},
	{0x4801, 9, 14, 0}, {0x3801, 10, 14, 0}, {0x3001, 11, 17, 0}, {0x2401, 12, 18, 0},
	{0x1C01, 13, 20, 0}, {0x1601, 29, 21, 0}, {0x5601, 15, 14, 1}, {0x5401, 16, 14, 0},
	{0x5101, 17, 15, 0}, {0x4801, 18, 16, 0}, {0x3801, 19, 17, 0}, {0x3401, 20, 18, 0},
	{0x3001, 21, 19, 0}, {0x2801, 22, 19, 0}, {0x2401, 23, 20, 0}, {0x2201, 24, 21, 0},
	{0x1C01, 25, 22, 0}, {0x1801, 26, 23, 0}, {0x1601, 27, 24, 0}, {0x1401, 28, 25, 0},
	{0x1201, 29, 26, 0}, {0x1101, 30, 27, 0}, {0x0AC1, 31, 28, 0}, {0x09C1, 32, 29, 0},
	{0x08A1, 33, 30, 0}, {0x0521, 34, 31, 0}, {0x0441, 35, 32, 0}, {0x02A1, 36, 33, 0},
	{0x0221, 37, 34, 0}, {0x0141, 38, 35, 0}, {0x0111, 39, 36, 0}, {0x0085, 40, 37, 0},
	{0x0049, 41, 38, 0}, {0x0025, 42, 39, 0}, {0x0015, 43, 40, 0}, {0x0009, 44, 41, 0},
	{0x0005, 45, 42, 0}, {0x0001, 45, 43, 0}, {0x5601, 46, 46, 0},
}

// mqEntry is what a context holds: Qe in units of 2^-32, the state from bit 5 on,
// and in bit 4 the more probable symbol.
func mqEntry(state, mps uint64) uint64 { return mqTable[state].qe<<32 | state<<5 | mps<<4 }

// mqNext has what a context holds after a symbol, with two numbers more: by how
// many bits the registers are shifted, from bit 11 on, and the symbol, in bit 15.
// Its index is made of the state and the more probable symbol before (bits 4 to
// 10), whether the lower part was hit (3), whether the upper one is smaller than it
// (2), and of the two high bits of the upper part's size (1, 0). (LPS_EXCHANGE,
// MPS_EXCHANGE, RENORMD.)
var mqNext = func() (t [2048]uint64) {
	for i := range t {
		state, mps := uint64(i>>5), uint64(i>>4&1)
		if state >= uint64(len(mqTable)) {
			break
		}
		lower, smaller, size := uint64(i>>3&1), uint64(i>>2&1), i&3
		e := mqTable[state]
		less := lower ^ smaller
		next, shift := mqEntry(e.mps, mps), uint64(2-size)
		if less == 1 {
			next = mqEntry(e.lps, mps^e.exchange)
		}
		switch {
		case lower == 1:
			shift = uint64(bits.LeadingZeros16(uint16(e.qe)))
		case size >= 2: // of mqHalf or more
			next, shift, less = mqEntry(state, mps), 0, 0
		}
		t[i] = next | shift<<11 | (mps^less)<<15
	}
	return t
}()

// reset sets the contexts to their first states (15444-1 Table D.7).
func (m *mqDecoder) reset() {
	for i := range m.contexts {
		m.contexts[i] = mqEntry(0, 0)
	}
	m.contexts[contextZero] = mqEntry(4, 0)
	m.contexts[contextRun] = mqEntry(3, 0)
	m.contexts[contextUniform] = mqEntry(46, 0)
}

// start begins a codeword segment (INITDEC). Behind data there are two bytes
// 0xFF, which end it like a marker.
func (m *mqDecoder) start(data []byte) {
	m.data, m.at, m.fill = data, 0, 0
	m.ahead = 0
	m.c = m.read(uint64(data[0])<<32) << 7
	m.ahead -= 7
	m.a = mqHalf
}

// read appends bytes to C, or ones at the end of the segment (BYTEIN). Less than
// no bits ahead are such as C should have had before it was shifted.
//
//go:noinline
func (m *mqDecoder) read(c uint64) uint64 {
	for m.ahead <= 24 {
		last, next := m.data[m.at], uint64(m.data[m.at+1])
		bits := 8
		switch {
		case last != 0xFF:
			m.at++
		case next > 0x8F:
			m.fill++
			next = 0xFF
		default:
			m.at++
			bits = 7
		}
		m.ahead += bits
		c += next << ((32 - m.ahead) & 63)
	}
	return c
}

// mqPlain reports whether the registers less Qe are those after the more probable
// symbol, without renormalisation.
func mqPlain(a, c uint64) bool { return int64(c|(a-mqHalf)) >= 0 }

// mqStep decodes a symbol: it takes what its context holds and the registers, and
// returns what they are then. ahead is to be less by mqShift, and if it is below
// zero C lacks bits: see read.
func mqStep(e, a, c uint64) (next, nextA, nextC uint64) {
	qe := e &^ 0xFFFF
	a -= qe
	c -= qe
	lower := uint64(int64(c) >> 63) // all ones where the lower part is hit
	e = mqNext[e&0x7F0|lower&8|(a-qe)>>61&4|a>>46&3]
	n := mqShift(e)
	return e, (a ^ (a^qe)&lower) << n, (c + qe&lower) << n
}

// mqShift is the number of bits by which the step to e shifted the registers.
func mqShift(e uint64) uint64 { return e >> 11 & 15 }

// mqBit is the symbol that led to e.
func mqBit(e uint64) uint64 { return e >> 15 & 1 }

// decode decodes the symbol of context k, which is less than 32, and returns the
// registers after it.
func (m *mqDecoder) decode(k, a, c uint64) (bit, nextA, nextC uint64) {
	e := &m.contexts[k&31]
	*e, a, c = mqStep(*e, a, c)
	if m.ahead -= int(mqShift(*e)); m.ahead < 0 {
		c = m.read(c)
	}
	return mqBit(*e), a, c
}

// A rawReader reads the bits of a bypass segment; a zero bit is stuffed behind
// each byte of ones (15444-1 D.6). Past the end it reads ones.
type rawReader struct {
	data []byte
	at   int
	last byte
	left int
}

func (r *rawReader) bit() uint64 {
	if r.left == 0 {
		r.left = 8
		if r.last == 0xFF {
			r.left = 7
		}
		r.last = 0xFF
		if r.at < len(r.data) {
			r.last = r.data[r.at]
		}
		r.at++
	}
	r.left--
	return uint64(r.last>>r.left) & 1
}
