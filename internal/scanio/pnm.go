package scanio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"strconv"

	"segd"
)

// pnm is a header of Netpbm's formats: P1 to P6 (pbm, pgm, ppm), and PF and Pf, which
// hold floating point.
type pnm struct {
	kind          byte // '1' to '6', 'F' or 'f'
	width, height int
	most          int     // the highest value, or 1 of bits
	scale         float64 // of floating point: its sign says the byte order
	samples       int
	rest          []byte
}

// isPNM reports whether head begins as a Netpbm file does.
func isPNM(head []byte) bool {
	if len(head) < 3 || head[0] != 'P' || !isSpace(head[2]) && head[2] != '#' {
		return false
	}
	return head[1] >= '1' && head[1] <= '6' || head[1] == 'F' || head[1] == 'f'
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// word returns the next word of a header, without comments, and what lies behind the
// one white space after it.
func word(b []byte) (text string, rest []byte) {
	for len(b) > 0 {
		switch {
		case b[0] == '#':
			if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
				b = b[i:]
				continue
			}
			return "", nil
		case isSpace(b[0]):
			b = b[1:]
		default:
			n := 0
			for n < len(b) && n < 32 && !isSpace(b[n]) && b[n] != '#' {
				n++
			}
			return string(b[:n]), b[min(n+1, len(b)):]
		}
	}
	return "", nil
}

// openPNM reads and checks a header.
func openPNM(b []byte) (*pnm, error) {
	p := &pnm{kind: b[1], most: 1, samples: 1, rest: b[2:]}
	if p.kind == '3' || p.kind == '6' || p.kind == 'F' {
		p.samples = 3
	}
	fields := []*int{&p.width, &p.height}
	if p.kind != '1' && p.kind != '4' && !p.floats() {
		fields = append(fields, &p.most)
	}
	for _, f := range fields {
		var text string
		text, p.rest = word(p.rest)
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("scanio: %w: pnm with a header that is not a number", segd.ErrFormat)
		}
		*f = n
	}
	if p.floats() {
		var text string
		var err error
		text, p.rest = word(p.rest)
		if p.scale, err = strconv.ParseFloat(text, 64); err != nil || p.scale == 0 || math.IsNaN(p.scale) || math.IsInf(p.scale, 0) {
			return nil, fmt.Errorf("scanio: %w: pfm with a scale that is not a number", segd.ErrFormat)
		}
	}
	if p.most < 1 || p.most > math.MaxUint16 {
		return nil, fmt.Errorf("scanio: %w: pnm with a highest value of %d, want 1 to 65535", segd.ErrFormat, p.most)
	}
	perByte := 1
	if p.kind == '4' {
		perByte = 8
	}
	if err := checkSize("pnm", p.width, p.height, perByte, len(b)); err != nil {
		return nil, err
	}
	if want := p.bytes(); len(p.rest) < want {
		return nil, fmt.Errorf("scanio: %w: pnm is truncated: %d of %d bytes of pixels", segd.ErrFormat, len(p.rest), want)
	}
	return p, nil
}

func (p *pnm) floats() bool { return p.kind == 'F' || p.kind == 'f' }

// bytes is the length of the pixels at the least.
func (p *pnm) bytes() int {
	n := p.width * p.height * p.samples
	switch {
	case p.kind == '1': // digits, which white space need not part
		return n
	case p.kind < '4': // and white space behind each number except the last
		return 2*n - 1
	case p.kind == '4':
		return (p.width + 7) / 8 * p.height
	case p.floats():
		return 4 * n
	case p.most > math.MaxUint8:
		return 2 * n
	}
	return n
}

// values calls put with each sample in order.
func (p *pnm) values(put func(i int, v uint16)) error {
	n := p.width * p.height * p.samples
	wide := 1
	if p.most > math.MaxUint8 {
		wide = 2
	}
	switch p.kind {
	case '1', '2', '3':
		return p.text(n, put)
	case '4':
		stride := (p.width + 7) / 8
		for i := range n {
			y, x := i/p.width, i%p.width
			put(i, uint16(p.rest[y*stride+x/8]>>(7-x%8)&1))
		}
		return nil
	}
	for i := range n {
		v := uint16(p.rest[i*wide])
		if wide == 2 {
			v = binary.BigEndian.Uint16(p.rest[2*i:])
		}
		if int(v) > p.most {
			return fmt.Errorf("scanio: %w: pnm with a value of %d, above its highest %d", segd.ErrFormat, v, p.most)
		}
		put(i, v)
	}
	return nil
}

// text reads numbers written in digits.
func (p *pnm) text(n int, put func(i int, v uint16)) error {
	s := bufio.NewScanner(bytes.NewReader(p.rest))
	s.Buffer(make([]byte, 64), 64)
	s.Split(bufio.ScanWords)
	if p.kind == '1' {
		s.Split(bufio.ScanBytes)
	}
	for i := 0; i < n; {
		if !s.Scan() {
			return fmt.Errorf("scanio: %w: pnm is truncated: %d of %d values", segd.ErrFormat, i, n)
		}
		if p.kind == '1' && isSpace(s.Bytes()[0]) {
			continue
		}
		v, err := strconv.ParseUint(s.Text(), 10, 16)
		if err != nil || int(v) > p.most {
			return fmt.Errorf("scanio: %w: pnm with a value that is not a number from 0 to %d", segd.ErrFormat, p.most)
		}
		put(i, uint16(v))
		i++
	}
	return nil
}

// picture decodes whole numbers, as they are stored. Bits are 0 and 255: a set one is
// black.
func (p *pnm) picture() (image.Image, error) {
	r := image.Rect(0, 0, p.width, p.height)
	if p.kind == '1' || p.kind == '4' {
		m := image.NewGray(r)
		return m, p.values(func(i int, v uint16) { m.Pix[i] = uint8(v) - 1 })
	}
	switch wide := p.most > math.MaxUint8; {
	case !wide && p.samples == 1:
		m := image.NewGray(r)
		return m, p.values(func(i int, v uint16) { m.Pix[i] = uint8(v) })
	case wide && p.samples == 1:
		m := image.NewGray16(r)
		return m, p.values(func(i int, v uint16) { binary.BigEndian.PutUint16(m.Pix[2*i:], v) })
	case !wide:
		m := image.NewNRGBA(r)
		return m, p.values(func(i int, v uint16) { m.Pix[i/3*4+i%3], m.Pix[i/3*4+3] = uint8(v), 255 })
	default:
		m := image.NewNRGBA64(r)
		return m, p.values(func(i int, v uint16) {
			binary.BigEndian.PutUint16(m.Pix[i/3*8+i%3*2:], v)
			binary.BigEndian.PutUint16(m.Pix[i/3*8+6:], math.MaxUint16)
		})
	}
}

// readPNM reads pbm, pgm, ppm and pfm. Values are those of the file, whatever the
// highest that its header names.
func readPNM(b []byte) (*segd.Scan, error) {
	p, err := openPNM(b)
	if err != nil {
		return nil, err
	}
	if p.floats() {
		return p.floatScan(), nil
	}
	m, err := p.picture()
	if err != nil {
		return nil, err
	}
	return newScan("pnm", m, fmt.Sprintf("pnm, values of 0 to %d", p.most)), nil
}

// floatScan is a scan of floating point, whose rows lie from bottom to top.
func (p *pnm) floatScan() *segd.Scan {
	var order binary.ByteOrder = binary.BigEndian
	if p.scale < 0 {
		order = binary.LittleEndian
	}
	s := &segd.Scan{Format: "pnm", Width: p.width, Height: p.height, Frames: 1, Steps: []string{"pnm, floating point of 32 bits"}}
	stride := p.width * p.samples
	s.Frame = func(i int) (*segd.Image, error) {
		if i != 0 {
			return nil, fmt.Errorf("scanio: %w: frame %d of 1", segd.ErrNotFound, i+1)
		}
		img := &segd.Image{Width: p.width, Height: p.height, Channels: p.samples, Pix: make([]float32, p.height*stride)}
		for y := range p.height {
			row := p.rest[4*stride*(p.height-1-y):]
			for x := range stride {
				img.Pix[y*stride+x] = math.Float32frombits(order.Uint32(row[4*x:]))
			}
		}
		return img, nil
	}
	return s
}

func measurePNM(b []byte) (Size, error) {
	p, err := openPNM(b)
	if err != nil {
		return Size{}, err
	}
	pixel := int64(1)
	if p.samples == 3 {
		pixel = 4
	}
	if p.most > math.MaxUint8 {
		pixel *= 2
	}
	n := pixel * int64(p.width) * int64(p.height)
	if p.floats() {
		n = 0 // frames are made from the file
	}
	return Size{Read: n, Kept: n, Width: p.width, Height: p.height, Frames: 1, Channels: p.samples}, nil
}

func readPNMLabels(b []byte) (*Labels, error) {
	p, err := openPNM(b)
	switch {
	case err != nil:
		return nil, err
	case p.floats():
		return nil, fmt.Errorf("scanio: %w: label: pfm holds values, want whole numbers", segd.ErrUnsupported)
	}
	m, err := p.picture()
	if err != nil {
		return nil, err
	}
	depth := uint8(8)
	if p.kind == '1' || p.kind == '4' {
		depth = 1 // white is class 1
	}
	return pictureLabels("pnm", m, depth)
}
