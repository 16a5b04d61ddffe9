package jpeg2000

import (
	"encoding/binary"
	"math/bits"
)

func bitLength(v uint32) uint8 { return uint8(bits.Len32(v)) }

// A forwardReader reads the MagSgn and the significance propagation stream:
// least significant bit first, with a zero bit stuffed after each byte of ones
// (15444-15 7.1.2). Past the end it returns fill.
type forwardReader struct {
	data []byte
	at   int
	held uint64
	n    int // bits in held
	ones bool
	fill byte
}

// peek returns the next bits, at least 32.
func (r *forwardReader) peek() uint64 {
	if r.n < 32 {
		r.read()
	}
	return r.held
}

// read reads until it holds 32 bits: four bytes at once if no stuffed bit
// follows any of them or the byte before.
func (r *forwardReader) read() {
	if r.at+4 <= len(r.data) && !r.ones {
		v := binary.LittleEndian.Uint32(r.data[r.at:])
		if (^v-0x01010101)&v&0x80808080 == 0 { // no byte of ones
			r.held |= uint64(v) << r.n
			r.n += 32
			r.at += 4
			return
		}
	}
	for r.n < 32 {
		b := r.fill
		if r.at < len(r.data) {
			b = r.data[r.at]
		}
		r.at++
		r.held |= uint64(b) << r.n
		r.n += 8
		if r.ones {
			r.n--
		}
		r.ones = b == 0xFF
	}
}

// skip consumes n bits of those that peek returned.
func (r *forwardReader) skip(n int) {
	r.held >>= n & 63
	r.n -= n
}

// A reverseReader reads the VLC and the magnitude refinement stream, which run
// backwards: least significant bit first, with a zero bit stuffed after a byte
// above 0x8F if seven ones would follow (15444-15 7.1.4). Past the end it
// returns zeros.
type reverseReader struct {
	data []byte // the rest
	held uint64
	n    int
	high bool // the last byte was above 0x8F
}

// newVLC starts at the end of data, whose last byte holds four bits of the
// stream.
func newVLC(data []byte) reverseReader {
	last := len(data) - 1
	b := data[last]
	r := reverseReader{data: data[:last], held: uint64(b >> 4), n: 4, high: b|15 > 0x8F}
	if b>>4&7 == 7 {
		r.n = 3
	}
	return r
}

// peek returns the next bits, at least 32.
func (r *reverseReader) peek() uint64 {
	for r.n < 32 {
		var b byte
		if last := len(r.data) - 1; last >= 0 {
			b = r.data[last]
			r.data = r.data[:last]
		}
		r.held |= uint64(b) << r.n
		r.n += 8
		if r.high && b&0x7F == 0x7F {
			r.n--
		}
		r.high = b > 0x8F
	}
	return r.held
}

func (r *reverseReader) skip(n int) {
	r.held >>= n & 63
	r.n -= n
}

// A melReader decodes the MEL stream, an adaptive run-length code of events
// (15444-15 7.1.3, 7.2). The last byte shares its lower half with the VLC
// stream. Past the end it returns ones.
type melReader struct {
	data  []byte
	at    int
	last  byte
	left  int // unread bits of last
	state int
	run   int  // events 0 to come,
	one   bool // and whether an event 1 follows them
}

// melExponents are the exponents of the run lengths of the states (Table 2).
var melExponents = [13]uint8{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5}

func (m *melReader) bit() int {
	if m.left == 0 {
		m.left = 8
		if m.last == 0xFF {
			m.left = 7
		}
		m.last = 0xFF
		if m.at < len(m.data) {
			m.last = m.data[m.at]
			if m.at == len(m.data)-1 {
				m.last |= 15
			}
		}
		m.at++
	}
	m.left--
	return int(m.last>>m.left) & 1
}

// event returns the next event.
func (m *melReader) event() int {
	if m.run == 0 && !m.one {
		n := int(melExponents[m.state])
		if m.bit() == 1 {
			m.run = 1 << n
			m.state = min(m.state+1, 12)
		} else {
			for range n {
				m.run = m.run<<1 | m.bit()
			}
			m.one = true
			m.state = max(m.state-1, 0)
		}
	}
	if m.run > 0 {
		m.run--
		return 0
	}
	m.one = false
	return 1
}
