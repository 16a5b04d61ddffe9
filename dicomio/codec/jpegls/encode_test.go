package jpegls

import "segd/dicomio/codec"

// encoder writes JPEG-LS for the tests. It shares the decoder's parameters and
// update of contexts, and nothing of its reading; what both could have wrong in
// the same way, the files of other encoders in the corpus would show.
type encoder struct {
	precision, near, interleaving int
	preset                        preset
	restart                       int // lines

	out []byte
	acc uint64
	n   int
	ff  bool

	c    *coding
	seen map[string]int // how often the modes were met
}

func (e *encoder) bits(v, n int) {
	for n--; n >= 0; n-- {
		e.acc = e.acc<<1 | uint64(v>>n&1)
		e.n++
		if e.n == 8 || e.ff && e.n == 7 {
			e.out = append(e.out, byte(e.acc))
			e.ff = byte(e.acc) == 0xff && e.n == 8
			e.acc, e.n = 0, 0
		}
	}
}

func (e *encoder) flush() {
	for e.n > 0 || e.ff {
		e.bits(0, 1)
	}
}

func (e *encoder) segment(m byte, b ...byte) {
	e.out = append(append(e.out, 0xff, m, byte((len(b)+2)>>8), byte(len(b)+2)), b...)
}

// encode compresses samples, colour interleaved.
func (e *encoder) encode(samples []int, l codec.Layout) []byte {
	e.out, e.seen = []byte{0xff, mSOI}, map[string]int{}
	head := []byte{byte(e.precision), byte(l.Rows >> 8), byte(l.Rows), byte(l.Columns >> 8), byte(l.Columns), byte(l.Samples)}
	for i := range l.Samples {
		head = append(head, byte(i+1), 0x11, 0)
	}
	e.segment(mSOF55, head...)
	if e.preset != (preset{}) {
		b := []byte{1}
		for _, v := range []int{e.preset.maxval, e.preset.t1, e.preset.t2, e.preset.t3, e.preset.reset} {
			b = append(b, byte(v>>8), byte(v))
		}
		e.segment(mLSE, b...)
	}
	if e.restart > 0 {
		e.segment(mDRI, byte(e.restart>>8), byte(e.restart))
	}
	groups := [][]int{{}}
	for i := range l.Samples {
		if e.interleaving == byPlane {
			groups = append(groups, []int{i})
		} else {
			groups[0] = append(groups[0], i)
		}
	}
	for _, g := range groups {
		if len(g) > 0 {
			e.scan(samples, l, g)
		}
	}
	return append(e.out, 0xff, mEOI)
}

func (e *encoder) scan(samples []int, l codec.Layout, group []int) {
	head := []byte{byte(len(group))}
	for _, i := range group {
		head = append(head, byte(i+1), 0)
	}
	mode := e.interleaving
	if len(group) == 1 {
		mode = byPlane
	}
	e.segment(mSOS, append(head, byte(e.near), byte(mode), 0)...)
	var err error
	if e.c, err = e.preset.coding(e.precision, e.near); err != nil {
		panic(err)
	}
	// Lines as the decoder will have them, with the edges of figure A.1.
	above := make([][]int, len(group))
	for i := range group {
		above[i] = make([]int, l.Columns+2)
	}
	runs := make([]int, len(group))
	for y := range l.Rows {
		if e.restart > 0 && y > 0 && y%e.restart == 0 {
			e.flush()
			e.out = append(e.out, 0xff, byte(mRST0+(y/e.restart-1)&7))
			e.c.reset()
			clear(runs)
			for i := range group {
				clear(above[i])
			}
		}
		lines, actual := make([][]int, len(group)), make([][]int, len(group))
		for i, g := range group {
			above[i][l.Columns+1] = above[i][l.Columns]
			lines[i], actual[i] = make([]int, l.Columns+2), make([]int, l.Columns+2)
			lines[i][0] = above[i][1]
			for x := range l.Columns {
				actual[i][x+1] = samples[(y*l.Columns+x)*l.Samples+g]
			}
		}
		if mode == bySample {
			e.line(above, lines, actual, &runs[0])
		} else {
			for i := range group {
				e.line(above[i:i+1], lines[i:i+1], actual[i:i+1], &runs[i])
			}
		}
		copy(above, lines)
	}
	e.flush()
}

// line writes a line of one component, or of all of them by sample.
func (e *encoder) line(above, line, actual [][]int, run *int) {
	last := len(line[0]) - 1
	c := e.c
	like := func(x, of int) bool {
		for i := range line {
			if d := actual[i][x] - line[i][of]; max(d, -d) > c.near {
				return false
			}
		}
		return true
	}
	for x := 1; x < last; x++ {
		var q [4]int
		flat := true
		for i := range line {
			ra, rb, rc, rd := line[i][x-1], above[i][x], above[i][x-1], above[i][x+1]
			q[i] = 81*int(c.quantised[rd-rb+c.maxval]) + 9*int(c.quantised[rb-rc+c.maxval]) + int(c.quantised[rc-ra+c.maxval])
			flat = flat && q[i] == 0
		}
		if !flat {
			for i := range line {
				line[i][x] = e.regular(q[i], line[i][x-1], above[i][x], above[i][x-1], actual[i][x])
			}
			continue
		}
		e.seen["run"]++
		length := 0
		for x+length < last && like(x+length, x-1) {
			for i := range line {
				line[i][x+length] = line[i][x-1]
			}
			length++
		}
		x += length
		for length >= 1<<runLengths[*run] {
			e.bits(1, 1)
			length -= 1 << runLengths[*run]
			*run = min(*run+1, 31)
		}
		if x == last {
			if length > 0 {
				e.bits(1, 1)
			}
			return
		}
		e.bits(0, 1)
		e.bits(length, int(runLengths[*run]))
		for i := range line {
			ra, rb := line[i][x-1], above[i][x]
			kind := 0
			if d := ra - rb; len(line) == 1 && max(d, -d) <= c.near {
				kind = 1
			}
			line[i][x] = e.ending(kind, ra, rb, actual[i][x], *run)
		}
		*run = max(*run-1, 0)
	}
}

// quantise divides an error as A.4.4 says, and brings it into its range.
func (e *encoder) quantise(err int) int {
	c := e.c
	if err > 0 {
		err = (err + c.near) / (2*c.near + 1)
	} else {
		err = -(c.near - err) / (2*c.near + 1)
	}
	if err < 0 {
		err += c.rng
	}
	if err >= (c.rng+1)/2 {
		err -= c.rng
	}
	return err
}

func (e *encoder) regular(q, ra, rb, rc, actual int) int {
	c := e.c
	sign := 1
	if q < 0 {
		sign, q = -1, -q
	}
	t := &c.contexts[q]
	px := ra + rb - rc
	if rc >= max(ra, rb) {
		px = min(ra, rb)
	} else if rc <= min(ra, rb) {
		px = max(ra, rb)
	}
	px = min(max(px+sign*int(t.c), 0), c.maxval)
	err := e.quantise(sign * (actual - px))
	k := 0
	for t.n<<k < t.a {
		k++
	}
	m := 2 * err
	if err < 0 {
		m = -2*err - 1
	}
	if c.near == 0 && k == 0 && 2*t.b <= -t.n {
		m = 2*err + 1
		if err < 0 {
			m = -2 * (err + 1)
		}
		e.seen["turned"]++
	}
	e.golomb(m, k, c.limit)
	t.update(err, err*(2*c.near+1), c.reach)
	return c.rebuild(px, sign*err)
}

func (e *encoder) ending(kind, ra, rb, actual, run int) int {
	c := e.c
	t := &c.runs[kind]
	px, sign := rb, 1
	if kind == 1 {
		px = ra
	} else if ra > rb {
		sign = -1
	}
	err := e.quantise(sign * (actual - px))
	a := t.a
	if kind == 1 {
		a += t.n >> 1
	}
	k := 0
	for t.n<<k < a {
		k++
	}
	turn := 0
	if k == 0 && err > 0 && 2*t.negative < t.n || err < 0 && 2*t.negative >= t.n || err < 0 && k != 0 {
		turn = 1
	}
	m := 2*max(err, -err) - kind - turn
	e.seen["end of a run"]++
	e.golomb(m, k, c.limit-int(runLengths[run])-1)
	if err < 0 {
		t.negative++
	}
	t.a += (m + 1 - kind) >> 1
	if t.n == c.reach {
		t.a, t.n, t.negative = t.a>>1, t.n>>1, t.negative>>1
	}
	t.n++
	return c.rebuild(px, sign*err)
}

func (e *encoder) golomb(m, k, limit int) {
	high := m >> k
	if limit -= e.c.qbpp + 1; high < limit {
		for range high {
			e.bits(0, 1)
		}
		e.bits(1, 1)
		e.bits(m, k)
		return
	}
	e.seen["escape"]++
	for range limit {
		e.bits(0, 1)
	}
	e.bits(1, 1)
	e.bits(m-1, e.c.qbpp)
}
