// Package jpeg decodes the JPEG processes of DICOM: baseline and extended
// sequential (8 and 12 bits), progressive, and lossless (2 to 16 bits, all
// predictors, point transform), with Huffman coding, restart intervals and, in
// the lossy processes, any sampling factors.
//
//	info, err := jpeg.Decode(dst, src, layout)
//
// Decode does not convert colours: info says which colours the markers announce.
// The inverse transform and the interpolation of subsampled components are the
// integer ones of the Independent JPEG Group's library. Other DICOM programs
// share that library, so that a file gives the same values everywhere. The
// decoder of the standard library rounds differently, supports neither 12 bits
// nor lossless, and gives no access to samples before colour conversion.
//
// Arithmetic coding, hierarchical streams and lossless streams with subsampled
// components are segd.ErrUnsupported. Besides dst, decoding takes at most three
// times its size.
//
// Source: ITU-T T.81 (ISO 10918-1), T.871 (JFIF), T.872 (Adobe marker); PS3.5
// 8.2.1 and A.4.1.
package jpeg

import (
	"encoding/binary"
	"fmt"

	"segd"
	"segd/dicomio/codec"
)

// Markers (T.81 table B.1).
const (
	mSOF0  = 0xc0 // baseline
	mSOF1  = 0xc1 // extended sequential
	mSOF2  = 0xc2 // progressive
	mSOF3  = 0xc3 // lossless
	mDHT   = 0xc4
	mSOF5  = 0xc5 // to SOF15, except DHT, JPG and DAC: differential or arithmetic
	mJPG   = 0xc8
	mDAC   = 0xcc
	mSOF15 = 0xcf
	mRST0  = 0xd0
	mRST7  = 0xd7
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDQT   = 0xdb
	mDRI   = 0xdd
	mAPP0  = 0xe0
	mAPP14 = 0xee
	mTEM   = 0x01
)

// component is one of the colours of a frame.
type component struct {
	id, h, v int // sampling factors
	tq       int // quantisation table
	// Size in samples, and in blocks as a scan of its own counts them (A.2.4).
	width, height int
	bw, bh        int
	stride        int      // blocks in a row, those that fill the last MCU included
	plane         []uint16 // samples, 8*stride a row
	coef          []int16  // progressive: 64 a block, in zigzag order
	marks         []uint64 // progressive: the AC coefficients that are not zero, a bit each
	al            [64]int8 // progressive: the lowest bit seen so far; -1: none
	seen          bool     // in a scan
}

// decoder decodes one frame.
type decoder struct {
	layout codec.Layout
	dst    []byte
	b      []byte
	p      int

	sof        byte // 0: none yet
	precision  int
	hmax, vmax int
	mcux, mcuy int
	components []component

	quant   [4]*[64]int32 // in zigzag order
	dc, ac  [4]*huffman
	restart int // MCUs between restart markers; 0: none
	work    int // blocks visited, progressive

	jfif      bool
	transform int // of the Adobe marker; -1: none
}

// Decode decodes one frame; see package codec.
func Decode(dst, src []byte, l codec.Layout) (codec.Info, error) {
	d := &decoder{layout: l, dst: dst[:l.Bytes()], b: src, transform: -1}
	if len(src) < 2 || src[0] != 0xff || src[1] != mSOI {
		return codec.Info{}, malformed("no start of image")
	}
	d.p = 2
	for {
		m, err := d.marker()
		if err != nil {
			return codec.Info{}, err
		}
		if m == mEOI && d.sof == mSOF2 {
			err = d.finish()
			return d.info(), err
		}
		if err := d.segment(m); err != nil {
			return codec.Info{}, err
		}
		// A frame that is not progressive has every component once. The rest
		// does not matter, and a missing end of image does no harm.
		if m == mSOS && d.sof != mSOF2 && d.complete() {
			if d.sof != mSOF3 {
				d.output()
			}
			return d.info(), nil
		}
	}
}

func (d *decoder) info() codec.Info {
	info := codec.Info{Precision: d.precision}
	if len(d.components) != 3 {
		return info
	}
	c := d.components
	switch {
	case d.transform == 0:
		info.Colour = codec.ColourRGB
	case d.transform == 1:
		info.Colour = codec.ColourYCbCr
	case d.sof == mSOF3:
		// Lossless streams hold any colours, whatever JFIF says.
	case d.jfif:
		info.Colour = codec.ColourYCbCr
	case c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B':
		info.Colour = codec.ColourRGB
	}
	return info
}

// marker returns the next marker and skips the bytes before it.
func (d *decoder) marker() (byte, error) {
	for ; d.p+1 < len(d.b); d.p++ {
		if m := d.b[d.p+1]; d.b[d.p] == 0xff && m != 0 && m != 0xff {
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
	case m >= mRST0 && m <= mRST7, m == mTEM:
		return nil
	case m == mSOI:
		return malformed("a second start of image")
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
	case m == mDHT:
		return d.huffmanTables(s)
	case m == mDQT:
		return d.quantTables(s)
	case m == mDRI:
		if len(s) != 2 {
			return malformed("restart interval with %d bytes, want 2", len(s))
		}
		d.restart = int(binary.BigEndian.Uint16(s))
	case m >= mSOF0 && m <= mSOF3:
		return d.frame(m, s)
	case m >= mSOF5 && m <= mSOF15 && m != mJPG && m != mDAC:
		return unsupported("arithmetic coding or a hierarchical stream (SOF%d)", m-mSOF0)
	case m == mSOS:
		return d.scan(s)
	case m == mAPP0:
		d.jfif = d.jfif || len(s) >= 5 && string(s[:5]) == "JFIF\x00"
	case m == mAPP14:
		if len(s) >= 12 && string(s[:5]) == "Adobe" {
			d.transform = int(s[11])
		}
	}
	return nil
}

// quantTables reads quantisation tables (B.2.4.1).
func (d *decoder) quantTables(s []byte) error {
	for len(s) > 0 {
		width, t := 1+int(s[0]>>4), s[0]&15
		if width > 2 || t > 3 {
			return malformed("quantisation table with precision and number %02X", s[0])
		}
		if len(s) < 1+64*width {
			return malformed("truncated in a quantisation table")
		}
		q := new([64]int32)
		for i := range q {
			if width == 1 {
				q[i] = int32(s[1+i])
			} else {
				q[i] = int32(binary.BigEndian.Uint16(s[1+2*i:]))
			}
		}
		d.quant[t] = q
		s = s[1+64*width:]
	}
	return nil
}

// frame reads a frame header (B.2.2). It allocates memory for the frame only
// after checking it against the layout.
func (d *decoder) frame(m byte, s []byte) error {
	if d.sof != 0 {
		return malformed("a second frame header")
	}
	if len(s) < 6 || len(s) != 6+3*int(s[5]) {
		return malformed("frame header with %d bytes", len(s))
	}
	d.precision = int(s[0])
	rows, cols, n := int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:])), int(s[5])
	if rows == 0 {
		rows = d.layout.Rows // given after the first scan (B.2.5)
	}
	if rows != d.layout.Rows || cols != d.layout.Columns || n != d.layout.Samples {
		return unprocessable("the stream has %d×%d pixels of %d components, want %d×%d of %d", rows, cols, n, d.layout.Rows, d.layout.Columns, d.layout.Samples)
	}
	ok := d.precision == 8
	switch m {
	case mSOF1, mSOF2:
		ok = ok || d.precision == 12
	case mSOF3:
		ok = d.precision >= 2 && d.precision <= 16
	}
	if !ok {
		return malformed("%d bits a sample with SOF%d", d.precision, m-mSOF0)
	}
	if d.precision > d.layout.BitsAllocated {
		return unprocessable("the stream has %d bits a sample, only %d are allocated", d.precision, d.layout.BitsAllocated)
	}
	d.components = make([]component, n)
	for i := range d.components {
		c, t := &d.components[i], s[6+3*i:]
		c.id, c.h, c.v, c.tq = int(t[0]), int(t[1]>>4), int(t[1]&15), int(t[2])
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.tq > 3 {
			return malformed("component %d with sampling %d×%d and quantisation table %d", i+1, c.h, c.v, c.tq)
		}
		for _, other := range d.components[:i] {
			if other.id == c.id {
				return malformed("two components with the same identifier")
			}
		}
		d.hmax, d.vmax = max(d.hmax, c.h), max(d.vmax, c.v)
	}
	d.sof = m
	if m == mSOF3 {
		return d.losslessFrame()
	}
	d.mcux, d.mcuy = ceil(cols, 8*d.hmax), ceil(rows, 8*d.vmax)
	for i := range d.components {
		c := &d.components[i]
		c.width, c.height = ceil(cols*c.h, d.hmax), ceil(rows*c.v, d.vmax)
		c.bw, c.bh = ceil(c.width, 8), ceil(c.height, 8)
		c.stride = d.mcux * c.h
		blocks := c.stride * d.mcuy * c.v
		if m == mSOF2 {
			c.coef, c.marks = make([]int16, 64*blocks), make([]uint64, blocks)
			for k := range c.al {
				c.al[k] = -1
			}
		} else {
			c.plane = make([]uint16, 64*blocks)
		}
	}
	return nil
}

// complete reports whether every component was in a scan.
func (d *decoder) complete() bool {
	for i := range d.components {
		if !d.components[i].seen {
			return false
		}
	}
	return true
}

func ceil(a, b int) int { return (a + b - 1) / b }

func malformed(format string, args ...any) error {
	return fmt.Errorf("jpeg: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}

func unprocessable(format string, args ...any) error {
	return fmt.Errorf("jpeg: %w: %s", segd.ErrUnprocessable, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("jpeg: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, args...))
}
