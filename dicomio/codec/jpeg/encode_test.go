package jpeg

import (
	"encoding/binary"
	mathbits "math/bits"
	"math/rand/v2"

	"segd/dicomio/codec"
)

// writer writes JPEG for the tests: it is meant to be right, not small.
type writer struct {
	out []byte
	acc uint64
	n   int
}

func (w *writer) bits(v, n int) {
	w.acc = w.acc<<n | uint64(v)&(1<<n-1)
	for w.n += n; w.n >= 8; {
		w.n -= 8
		b := byte(w.acc >> w.n)
		if w.out = append(w.out, b); b == 0xff {
			w.out = append(w.out, 0)
		}
	}
}

// flush fills the last byte with ones.
func (w *writer) flush() {
	if w.n > 0 {
		w.bits(1<<(8-w.n)-1, 8-w.n)
	}
}

func (w *writer) segment(m byte, b ...byte) {
	w.out = append(append(w.out, 0xff, m, byte((len(b)+2)>>8), byte(len(b)+2)), b...)
}

// The Huffman table of all streams has 8 symbols of 4 bits, one of each length
// from 5 to 15 and the rest with 16 bits, so that codes of all lengths occur.
var tableCounts, tableSymbols, tableCodes = func() (counts []byte, symbols []byte, codes [256][2]int) {
	counts = make([]byte, 16)
	counts[3], counts[15] = 8, 256-8-11
	for i := 4; i < 15; i++ {
		counts[i] = 1
	}
	code, s := 0, 0
	for i, n := range counts {
		for range n {
			codes[s] = [2]int{code, i + 1}
			symbols = append(symbols, byte(s))
			code++
			s++
		}
		code <<= 1
	}
	return counts, symbols, codes
}()

func (w *writer) symbol(s int) { w.bits(tableCodes[s][0], tableCodes[s][1]) }

// tables writes Huffman table 0; of class 0 only the symbols up to top.
func (w *writer) tables(top int) {
	counts, symbols := append([]byte(nil), tableCounts...), tableSymbols[:top+1]
	left := len(symbols)
	for i := range counts {
		counts[i] = byte(min(int(counts[i]), left))
		left -= int(counts[i])
	}
	w.segment(mDHT, append(append([]byte{0}, counts...), symbols...)...)
	w.segment(mDHT, append(append([]byte{0x10}, tableCounts...), tableSymbols...)...)
}

// value writes v in the bits of its size, which is returned by size.
func (w *writer) value(v int) {
	if v < 0 {
		w.bits(v-1, size(v))
	} else {
		w.bits(v, size(v))
	}
}

func size(v int) int { return mathbits.Len(uint(max(v, -v))) }

// picture is a lossy image: coefficients in zigzag order, 64 a block, blocks in
// rows of whole MCUs.
type picture struct {
	l          codec.Layout
	precision  int
	h, v       []int
	hmax, vmax int
	stride     []int
	coef       [][][64]int
	q          [64]int
}

// newPicture makes up a picture whose samples stay mostly within their range.
func newPicture(l codec.Layout, precision int, h, v []int, seed uint64) *picture {
	r := rand.New(rand.NewPCG(seed, 7))
	p := &picture{l: l, precision: precision, h: h, v: v}
	for i := range h {
		p.hmax, p.vmax = max(p.hmax, h[i]), max(p.vmax, v[i])
	}
	for k := range p.q {
		p.q[k] = 1 + r.IntN(12)
	}
	scale := 1 << (precision - 8)
	for i := range h {
		stride := ceil(l.Columns, 8*p.hmax) * h[i]
		blocks := make([][64]int, stride*ceil(l.Rows, 8*p.vmax)*v[i])
		for b := range blocks {
			blocks[b][0] = (r.IntN(1400) - 700) * scale / p.q[0]
			for n := r.IntN(12); n > 0; n-- {
				k := 1 + min(r.IntN(63), r.IntN(63))
				blocks[b][k] = (r.IntN(161) - 80) * scale / p.q[k]
			}
		}
		p.coef, p.stride = append(p.coef, blocks), append(p.stride, stride)
	}
	return p
}

// form is how a picture is written.
type form struct {
	restart     int
	apart       bool // a scan for each component
	progressive bool
	markers     []byte // behind the start of image
}

func (p *picture) encode(f form) []byte {
	w := &writer{out: append([]byte{0xff, mSOI}, f.markers...)}
	q := []byte{0x10}
	for _, v := range p.q {
		q = binary.BigEndian.AppendUint16(q, uint16(v))
	}
	w.segment(mDQT, q...)
	sof := byte(mSOF1)
	if f.progressive {
		sof = mSOF2
	} else if p.precision == 8 {
		sof = mSOF0
	}
	head := []byte{byte(p.precision), byte(p.l.Rows >> 8), byte(p.l.Rows), byte(p.l.Columns >> 8), byte(p.l.Columns), byte(len(p.h))}
	for i := range p.h {
		head = append(head, byte(i+1), byte(p.h[i]<<4|p.v[i]), 0)
	}
	w.segment(sof, head...)
	w.tables(15)
	if f.restart > 0 {
		w.segment(mDRI, byte(f.restart>>8), byte(f.restart))
	}
	var all []int
	for i := range p.h {
		all = append(all, i)
	}
	switch {
	case f.progressive:
		w.scan(p, f, all, 0, 0, 0, 1)
		for _, i := range all {
			one := []int{i}
			w.scan(p, f, one, 1, 5, 0, 2)
			w.scan(p, f, one, 6, 63, 0, 2)
			w.scan(p, f, one, 1, 63, 2, 1)
			w.scan(p, f, one, 1, 63, 1, 0)
		}
		w.scan(p, f, all, 0, 0, 1, 0)
	case f.apart:
		for _, i := range all {
			w.scan(p, f, []int{i}, 0, 63, 0, 0)
		}
	default:
		w.scan(p, f, all, 0, 63, 0, 0)
	}
	return append(w.out, 0xff, mEOI)
}

// scan writes the scan of some components.
func (w *writer) scan(p *picture, f form, components []int, ss, se, ah, al int) {
	head := []byte{byte(len(components))}
	for _, i := range components {
		head = append(head, byte(i+1), 0)
	}
	w.segment(mSOS, append(head, byte(ss), byte(se), byte(ah<<4|al))...)
	b := &blockWriter{writer: w, pred: make([]int, len(p.h)), progressive: f.progressive, ss: ss, se: se, ah: ah, al: al}
	rows, cols := ceil(p.l.Rows, 8*p.vmax), ceil(p.l.Columns, 8*p.hmax)
	single := len(components) == 1
	if single {
		i := components[0]
		rows, cols = ceil(ceil(p.l.Rows*p.v[i], p.vmax), 8), ceil(ceil(p.l.Columns*p.h[i], p.hmax), 8)
	}
	count := 0
	for my := range rows {
		for mx := range cols {
			if f.restart > 0 && count > 0 && count%f.restart == 0 {
				b.end()
				w.flush()
				w.out = append(w.out, 0xff, byte(mRST0+(count/f.restart-1)&7))
				clear(b.pred)
			}
			count++
			if single {
				b.block(components[0], &p.coef[components[0]][my*p.stride[components[0]]+mx])
				continue
			}
			for _, i := range components {
				for y := range p.v[i] {
					for x := range p.h[i] {
						b.block(i, &p.coef[i][(my*p.v[i]+y)*p.stride[i]+mx*p.h[i]+x])
					}
				}
			}
		}
	}
	b.end()
	w.flush()
}

// blockWriter writes the blocks of a scan.
type blockWriter struct {
	*writer
	pred           []int
	progressive    bool
	ss, se, ah, al int
	run            int   // blocks without more in this band
	later          []int // corrections that follow them
}

func (b *blockWriter) block(i int, c *[64]int) {
	if b.run == 1<<15-1 {
		b.end() // no run is longer
	}
	switch {
	case !b.progressive:
		b.dc(i, c[0])
		b.ac(c, 1, 63, false)
	case b.ss == 0 && b.ah == 0:
		b.dc(i, c[0]>>b.al)
	case b.ss == 0:
		b.bits(c[0]>>b.al&1, 1)
	case b.ah == 0:
		b.ac(c, b.ss, b.se, true)
	default:
		b.refine(c)
	}
}

func (b *blockWriter) dc(i, v int) {
	b.symbol(size(v - b.pred[i]))
	b.value(v - b.pred[i])
	b.pred[i] = v
}

// shifted is v without its lowest al bits, towards zero.
func (b *blockWriter) shifted(v int) int {
	if v < 0 {
		return -(-v >> b.al)
	}
	return v >> b.al
}

func (b *blockWriter) ac(c *[64]int, ss, se int, runs bool) {
	zeros := 0
	for k := ss; k <= se; k++ {
		v := b.shifted(c[k])
		if v == 0 {
			zeros++
			continue
		}
		b.end()
		for ; zeros > 15; zeros -= 16 {
			b.symbol(0xf0)
		}
		b.symbol(zeros<<4 | size(v))
		b.value(v)
		zeros = 0
	}
	switch {
	case zeros > 0 && runs:
		b.run++
	case zeros > 0:
		b.symbol(0)
	}
}

func (b *blockWriter) refine(c *[64]int) {
	last := 0
	abs := func(k int) int { return max(c[k], -c[k]) >> b.al }
	for k := b.ss; k <= b.se; k++ {
		if abs(k) == 1 {
			last = k
		}
	}
	zeros := 0
	var corrections []int
	put := func() {
		for _, v := range corrections {
			b.bits(v, 1)
		}
		corrections = nil
	}
	for k := b.ss; k <= b.se; k++ {
		a := abs(k)
		if a == 0 {
			zeros++
			continue
		}
		for zeros > 15 && k <= last {
			b.end()
			b.symbol(0xf0)
			zeros -= 16
			put()
		}
		if a > 1 {
			corrections = append(corrections, a&1)
			continue
		}
		b.end()
		b.symbol(zeros<<4 | 1)
		if c[k] < 0 {
			b.bits(0, 1)
		} else {
			b.bits(1, 1)
		}
		put()
		zeros = 0
	}
	if zeros > 0 || len(corrections) > 0 {
		b.run++
		b.later = append(b.later, corrections...)
	}
}

// end writes the run of blocks that is open.
func (b *blockWriter) end() {
	if b.run == 0 {
		return
	}
	n := size(b.run) - 1
	b.symbol(n << 4)
	b.bits(b.run, n)
	for _, v := range b.later {
		b.bits(v, 1)
	}
	b.run, b.later = 0, nil
}
