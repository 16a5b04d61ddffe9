// Package jpegls decodes JPEG-LS: lossless and near-lossless, 2 to 16 bits, all
// three interleavings of components, coding parameters in the stream, and
// restart intervals.
//
//	info, err := jpegls.Decode(dst, src, layout)
//
// Mapping tables, subsampled components, point transforms and nonstandard colour
// transforms are segd.ErrUnsupported. Besides dst, decoding takes a few lines
// and at most 200 KiB.
//
// Source: ITU-T T.87 (ISO 14495-1); PS3.5 8.2.3 and A.4.3. Variables have the
// names of annex A.
package jpegls

import (
	"encoding/binary"
	"fmt"

	"segd"
	"segd/dicomio/codec"
)

// Markers (T.87 C.1.1, T.81 table B.1).
const (
	mRST0  = 0xd0
	mRST7  = 0xd7
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDRI   = 0xdd
	mAPP8  = 0xe8
	mSOF55 = 0xf7
	mLSE   = 0xf8
)

// Ways to interleave components (C.2.3).
const (
	byPlane = iota
	byLine
	bySample
)

type decoder struct {
	layout    codec.Layout
	dst       []byte
	b         []byte
	p         int
	precision int
	ids       []byte // of the components
	seen      []bool
	preset    preset
	restart   int // lines; 0: none
}

// preset are coding parameters as an LSE marker gives them; 0: the default.
type preset struct{ maxval, t1, t2, t3, reset int }

// Decode decodes one frame; see package codec.
func Decode(dst, src []byte, l codec.Layout) (codec.Info, error) {
	d := &decoder{layout: l, dst: dst[:l.Bytes()], b: src}
	if len(src) < 2 || src[0] != 0xff || src[1] != mSOI {
		return codec.Info{}, malformed("no start of image")
	}
	d.p = 2
	for {
		m, err := d.marker()
		if err != nil {
			return codec.Info{}, err
		}
		if err := d.segment(m); err != nil {
			return codec.Info{}, err
		}
		if m == mSOS && d.complete() {
			return codec.Info{Precision: d.precision}, nil
		}
	}
}

func (d *decoder) complete() bool {
	for _, s := range d.seen {
		if !s {
			return false
		}
	}
	return true
}

// marker returns the next marker and skips the bytes before it.
func (d *decoder) marker() (byte, error) {
	for ; d.p+1 < len(d.b); d.p++ {
		if m := d.b[d.p+1]; d.b[d.p] == 0xff && m >= 0x80 && m != 0xff {
			d.p += 2
			return m, nil
		}
	}
	return 0, malformed("truncated: no end of image")
}

// segment reads the marker segment after m.
func (d *decoder) segment(m byte) error {
	switch {
	case m == mEOI:
		return malformed("the image ends without all of its components")
	case m == mSOI:
		return malformed("a second start of image")
	case m >= mRST0 && m <= mRST7:
		return nil
	}
	if len(d.b)-d.p < 2 {
		return malformed("truncated in marker %02X", m)
	}
	n := int(binary.BigEndian.Uint16(d.b[d.p:]))
	if n < 2 || n > len(d.b)-d.p {
		return malformed("marker %02X with %d bytes, only %d are left", m, n, len(d.b)-d.p)
	}
	s := d.b[d.p+2 : d.p+n]
	d.p += n
	switch {
	case m == mSOF55:
		return d.frame(s)
	case m >= 0xc0 && m <= 0xcf:
		return unsupported("a JPEG stream that is not JPEG-LS (marker %02X)", m)
	case m == mLSE:
		return d.parameters(s)
	case m == mDRI:
		return d.restartInterval(s)
	case m == mAPP8 && len(s) >= 5 && string(s[:4]) == "mrfx" && s[4] != 0:
		return unsupported("colour transform %d", s[4])
	case m == mSOS:
		return d.scan(s)
	}
	return nil
}

// frame reads the frame header (C.2.2).
func (d *decoder) frame(s []byte) error {
	if d.ids != nil {
		return malformed("a second frame header")
	}
	if len(s) < 6 || len(s) != 6+3*int(s[5]) {
		return malformed("frame header with %d bytes", len(s))
	}
	d.precision = int(s[0])
	rows, cols, n := int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:])), int(s[5])
	if rows != d.layout.Rows || cols != d.layout.Columns || n != d.layout.Samples {
		return unprocessable("the stream has %d×%d pixels of %d components, want %d×%d of %d", rows, cols, n, d.layout.Rows, d.layout.Columns, d.layout.Samples)
	}
	if d.precision < 2 || d.precision > 16 {
		return malformed("%d bits a sample, want 2 to 16", d.precision)
	}
	if d.precision > d.layout.BitsAllocated {
		return unprocessable("the stream has %d bits a sample, only %d are allocated", d.precision, d.layout.BitsAllocated)
	}
	for i := range n {
		id, sampling := s[6+3*i], s[7+3*i]
		if sampling != s[7] {
			return unsupported("subsampled components")
		}
		d.ids = append(d.ids, id)
	}
	d.seen = make([]bool, n)
	return nil
}

// parameters reads an LSE marker segment (C.2.4).
func (d *decoder) parameters(s []byte) error {
	switch {
	case len(s) == 11 && s[0] == 1:
		v := func(i int) int { return int(binary.BigEndian.Uint16(s[1+2*i:])) }
		d.preset = preset{v(0), v(1), v(2), v(3), v(4)}
		return nil
	case len(s) > 0 && s[0] >= 2 && s[0] <= 4:
		return unsupported("an LSE marker of type %d", s[0])
	}
	return malformed("an LSE marker with %d bytes", len(s))
}

func (d *decoder) restartInterval(s []byte) error {
	if len(s) < 2 || len(s) > 4 {
		return malformed("restart interval with %d bytes, want 2 to 4", len(s))
	}
	d.restart = 0
	for _, v := range s {
		d.restart = d.restart<<8 | int(v)
	}
	return nil
}

// scan reads a scan header (C.2.3) and the lines after it.
func (d *decoder) scan(s []byte) error {
	if d.ids == nil {
		return malformed("a scan before the frame header")
	}
	if len(s) < 1 || s[0] < 1 || int(s[0]) > len(d.ids) || len(s) != 4+2*int(s[0]) {
		return malformed("scan header with %d bytes", len(s))
	}
	n := int(s[0])
	first := 0
	for first < len(d.ids) && d.ids[first] != s[1] {
		first++
	}
	for i := range n {
		if first+i >= len(d.ids) || d.ids[first+i] != s[1+2*i] || d.seen[first+i] {
			return malformed("a scan of a component that does not exist, is out of order or occurs twice")
		}
		d.seen[first+i] = true
		if s[2+2*i] != 0 {
			return unsupported("a mapping table")
		}
	}
	near, interleaving, transform := int(s[1+2*n]), int(s[2+2*n]), s[3+2*n]&15
	if interleaving > bySample || (interleaving == byPlane) != (n == 1) && n > 1 {
		return malformed("%d components with interleaving %d", n, interleaving)
	}
	if transform != 0 {
		return unsupported("point transform %d", transform)
	}
	c, err := d.preset.coding(d.precision, near)
	if err != nil {
		return err
	}
	r := &bits{b: d.b, p: d.p}
	err = d.lines(r, c, first, n, interleaving == bySample && n > 1)
	d.p = r.p
	return err
}

// lines decodes the lines of the n components from first on.
func (d *decoder) lines(r *bits, c *coding, first, n int, samples bool) error {
	// A buffer holds a line of each component, with a sample on each side.
	step := d.layout.Columns + 2
	if samples {
		step = (d.layout.Columns + 2) * n
	}
	buffers := 1
	if !samples {
		buffers = n
	}
	above, line := make([]uint16, step*buffers), make([]uint16, step*buffers)
	run := make([]int, buffers)
	for y := range d.layout.Rows {
		if d.restart > 0 && y > 0 && y%d.restart == 0 {
			if err := r.resume(y/d.restart - 1); err != nil {
				return err
			}
			c.reset()
			clear(above)
			clear(run)
		}
		for i := range buffers {
			a, l := above[i*step:(i+1)*step], line[i*step:(i+1)*step]
			ok := false
			if samples {
				ok = c.pixels(r, a, l, n, &run[i])
			} else {
				ok = c.line(r, a, l, &run[i])
			}
			if !ok {
				return malformed("a damaged code in a scan")
			}
			if r.exhausted() {
				return malformed("truncated in a scan")
			}
			if samples {
				d.store(l[n:], y, first, n)
			} else {
				d.store(l[1:], y, first+i, 1)
			}
		}
		above, line = line, above
	}
	return nil
}

// store writes a line of the n components from first on to row y of dst.
func (d *decoder) store(line []uint16, y, first, n int) {
	cols, all, width := d.layout.Columns, d.layout.Samples, d.layout.BitsAllocated/8
	dst := d.dst[y*cols*all*width : (y+1)*cols*all*width]
	for i := range n {
		p, v := dst[(first+i)*width:], line[i:cols*n]
		switch width {
		case 1:
			for x, o := 0, 0; x < len(v); x, o = x+n, o+all {
				p[o] = byte(v[x])
			}
		case 2:
			for x, o := 0, 0; x < len(v); x, o = x+n, o+2*all {
				binary.LittleEndian.PutUint16(p[o:], v[x])
			}
		default:
			for x, o := 0, 0; x < len(v); x, o = x+n, o+4*all {
				binary.LittleEndian.PutUint32(p[o:], uint32(v[x]))
			}
		}
	}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("jpegls: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}

func unprocessable(format string, args ...any) error {
	return fmt.Errorf("jpegls: %w: %s", segd.ErrUnprocessable, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("jpegls: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, args...))
}
