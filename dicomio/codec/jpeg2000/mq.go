package jpeg2000

import "math/bits"

// An mqDecoder is the arithmetic decoder (15444-1 Annex C), in a form in which
// the common symbol takes one subtraction and one comparison. The registers A
// and C of the standard both lose Qe when the more probable symbol comes; it
// comes without renormalisation as long as A stays at 0x8000 or above and C at
// zero or above. So d is the smaller of the two distances, and a and c are the
// registers less d. All three count in units of 2^-32, so that C has room for
// bytes ahead.
//
// Its user keeps d in a local variable:
//
//	e := m.contexts[k]
//	bit := e & 1
//	if d -= int64(e &^ 0xFFFF); d < 0 {
//		bit, d = m.rare(k, d)
//	}
//
// (Taubman & Marcellin, JPEG2000, 2002, 17.1.1.)
type mqDecoder struct {
	a, c     uint64
	d        int64
	ahead    int // bits of the segment that C has below its 16 high ones
	data     []byte
	at       int
	fill     int                  // bytes that were wanted past the end
	contexts [contextCount]uint64 // mqStates entries
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
	contextCount   = 19
)

// mqTable is Table C.2: Qe, the next state after the more and the less probable
// symbol, and whether the latter exchanges their meaning.
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

// mqState is the entry of a context in the given state: Qe in units of 2^-32,
// and in the low bits twice the state and the more probable symbol.
func mqState(state, mps uint64) uint64 { return mqTable[state].qe<<32 | state<<1 | mps }

// mqNext has the entries that follow entry i after the more (0) and the less
// probable symbol (1).
var mqNext = func() (t [128][2]uint64) {
	for state, e := range mqTable {
		for mps := range uint64(2) {
			t[uint64(state)<<1|mps] = [2]uint64{mqState(e.mps, mps), mqState(e.lps, mps^e.exchange)}
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
	m.c, m.ahead = uint64(data[0])<<32, 0
	m.read()
	m.c <<= 7
	m.ahead -= 7
	m.a, m.d = mqHalf, 0
}

// read appends bytes to C, or ones at the end of the segment (BYTEIN).
func (m *mqDecoder) read() {
	for m.ahead <= 24 {
		last, next := m.data[m.at], uint64(m.data[m.at+1])
		switch {
		case last != 0xFF:
			m.at++
			m.ahead += 8
			m.c += next << ((32 - m.ahead) & 63)
		case next > 0x8F:
			m.fill++
			m.ahead += 8
			m.c += 0xFF << ((32 - m.ahead) & 63)
		default:
			m.at++
			m.ahead += 7
			m.c += next << ((32 - m.ahead) & 63)
		}
	}
}

// rare decodes the symbol of context k where the common way fails: it is the
// less probable one, or A has to be renormalised (LPS_EXCHANGE, MPS_EXCHANGE,
// RENORMD). d is less by Qe already; the new one is returned. Which symbol it
// is can't be foreseen, so no branch depends on it.
func (m *mqDecoder) rare(k uint64, d int64) (bit uint64, next int64) {
	e := m.contexts[k]
	qe := e &^ 0xFFFF
	a, c := m.a+uint64(d), m.c+uint64(d)
	lower := uint64(int64(c) >> 63) // all ones: the lower part, of size Qe
	less := lower&1 ^ (a-qe)>>63    // the parts are exchanged if the upper one is smaller
	c += qe & lower
	a ^= (a ^ qe) & lower
	m.contexts[k] = mqNext[e&0x7F][less]
	n := bits.LeadingZeros64(a) - 16
	if m.ahead < n {
		m.c = c
		m.read()
		c = m.c
	}
	m.ahead -= n
	a <<= n & 63
	c <<= n & 63
	next = int64(min(a-mqHalf, c))
	m.a, m.c = a-uint64(next), c-uint64(next)
	return e&1 ^ less, next
}

// decode decodes a symbol; the passes have the common way in place.
func (m *mqDecoder) decode(k uint64) uint64 {
	e := m.contexts[k]
	bit := e & 1
	if m.d -= int64(e &^ 0xFFFF); m.d < 0 {
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
