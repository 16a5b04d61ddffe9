package jpeg2000

import "math/bits"

// An mqDecoder is the arithmetic decoder (15444-1 Annex C), in a form in which
// the common symbol takes one subtraction and one comparison. The registers A
// and C of the standard both lose Qe when the more probable symbol comes; it
// comes without renormalisation as long as A stays at 0x8000 or above and C at
// zero or above. So d is the smaller of the two distances, and a and c are the
// registers less d, all in units of 2^-16.
//
// Its user keeps d in a local variable:
//
//	e := m.contexts[k]
//	bit := e & 1
//	if d -= int32(e &^ 0xFFFF); d < 0 {
//		bit, d = m.rare(k, d)
//	}
//
// (Taubman & Marcellin, JPEG2000, 2002, 17.1.1.)
type mqDecoder struct {
	a, c     uint32
	d        int32
	shifts   int // until the next byte is due
	data     []byte
	at       int
	fill     int                  // bytes that were wanted past the end
	contexts [contextCount]uint32 // mqStates entries
}

// Contexts (15444-1 Table D.7): zero coding, sign coding, magnitude refinement,
// run length, uniform.
const (
	contextZero    = 0
	contextSign    = 9
	contextRefine  = 14
	contextRun     = 17
	contextUniform = 18
	contextCount   = 19
)

// mqTable is Table C.2: Qe, the next state after the more and the less probable
// symbol, and whether the latter exchanges their meaning.
var mqTable = [47]struct {
	qe       uint32
	mps, lps uint32
	exchange uint32
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

// mqState is the entry of a context in the given state: Qe in the high half,
// twice the state and the more probable symbol in the low one.
func mqState(state, mps uint32) uint32 { return mqTable[state].qe<<16 | state<<1 | mps }

// mqNext has the entries that follow entry i after the more (0) and the less
// probable symbol (1).
var mqNext = func() (t [94][2]uint32) {
	for state, e := range mqTable {
		for mps := range uint32(2) {
			t[uint32(state)<<1|mps] = [2]uint32{mqState(e.mps, mps), mqState(e.lps, mps^e.exchange)}
		}
	}
	return t
}()

// reset sets the contexts to their first states (15444-1 Table D.7).
func (m *mqDecoder) reset() {
	for i := range m.contexts {
		m.contexts[i] = mqState(0, 0)
	}
	m.contexts[contextZero] = mqState(4, 0)
	m.contexts[contextRun] = mqState(3, 0)
	m.contexts[contextUniform] = mqState(46, 0)
}

// start begins a codeword segment (INITDEC). Behind data there are two bytes
// 0xFF, which end it like a marker.
func (m *mqDecoder) start(data []byte) {
	m.data, m.at, m.fill = data, 0, 0
	c := uint32(data[0]) << 16
	m.c = c
	m.byteIn()
	m.c <<= 7
	m.shifts -= 7
	m.a = 0x8000 << 16
	m.split()
}

// split makes d of the registers a and c, which are the true ones here.
func (m *mqDecoder) split() {
	m.d = int32(min(m.a-0x8000<<16, m.c))
	m.a -= uint32(m.d)
	m.c -= uint32(m.d)
}

// byteIn appends a byte to C, or ones at the end of the segment (BYTEIN).
func (m *mqDecoder) byteIn() {
	last, next := m.data[m.at], uint32(m.data[m.at+1])
	switch {
	case last != 0xFF:
		m.at++
		m.c += next << 8
		m.shifts = 8
	case next > 0x8F:
		m.fill++
		m.c += 0xFF00
		m.shifts = 8
	default:
		m.at++
		m.c += next << 9
		m.shifts = 7
	}
}

// rare decodes the symbol of context k where the common way fails: it is the
// less probable one, or A has to be renormalised (LPS_EXCHANGE, MPS_EXCHANGE,
// RENORMD). d is less by Qe already; the new one is returned.
func (m *mqDecoder) rare(k uint32, d int32) (bit uint32, next int32) {
	e := m.contexts[k]
	qe := e &^ 0xFFFF
	a, less := m.a+uint32(d), uint32(0)
	if int32(m.c)+d < 0 {
		if a >= qe {
			less = 1
		}
		m.c += uint32(d) + qe
		a = qe
	} else {
		if a < qe {
			less = 1
		}
		m.c += uint32(d)
	}
	bit = e&1 ^ less
	m.contexts[k] = mqNext[e&0x7F][less]
	for n := bits.LeadingZeros32(a); n > 0; {
		if m.shifts == 0 {
			m.byteIn()
		}
		s := min(n, m.shifts)
		a <<= s
		m.c <<= s
		m.shifts -= s
		n -= s
	}
	m.a = a
	m.split()
	return bit, m.d
}

// decode decodes a symbol; the passes have the common way in place.
func (m *mqDecoder) decode(k uint32) uint32 {
	e := m.contexts[k]
	bit := e & 1
	if m.d -= int32(e &^ 0xFFFF); m.d < 0 {
		bit, m.d = m.rare(k, m.d)
	}
	return bit
}

// A rawReader reads the bits of a bypass segment; a zero bit is stuffed behind
// each byte of ones (15444-1 D.6). Past the end it reads ones.
type rawReader struct {
	data []byte
	at   int
	last byte
	left int
}

func (r *rawReader) bit() uint32 {
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
	return uint32(r.last>>r.left) & 1
}
