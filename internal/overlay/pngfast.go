package overlay

import (
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"io"
	"sync"
)

// Colour types and filters of PNG (PNG Specification, Third Edition, 11.2.1 and
// 9.2).
const (
	pngGrey   = 0
	pngColour = 2

	filterSub = 1
	filterUp  = 2
)

// deflaters keeps zlib's memory between uses. It uses BestSpeed, because a
// picture is viewed once and higher levels take longer than the network.
var deflaters = sync.Pool{New: func() any {
	z, err := zlib.NewWriterLevel(io.Discard, zlib.BestSpeed)
	if err != nil {
		panic("overlay: " + err.Error()) // for a level that there is not
	}
	return z
}}

// encodeOpaque writes an opaque picture, in grey if red, green and blue are
// equal everywhere. Package png tries five filters for each row, which takes
// longer than everything else; encodeOpaque uses the better of two.
func encodeOpaque(w io.Writer, m *image.NRGBA) error {
	width, height := m.Rect.Dx(), m.Rect.Dy()
	kind, channels := byte(pngColour), 3
	if isGrey(m) {
		kind, channels = pngGrey, 1
	}
	c := &chunks{w: w}
	c.bytes([]byte("\x89PNG\r\n\x1a\n"))
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	c.write("IHDR", append(header, 8, kind, 0, 0, 0))

	z := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(z)
	data := &idat{chunks: c}
	z.Reset(data)
	row, above := make([]byte, width*channels), make([]byte, width*channels)
	sub, up := make([]byte, 1+len(row)), make([]byte, 1+len(row))
	sub[0], up[0] = filterSub, filterUp
	for y := range height {
		pack(row, m.Pix[y*m.Stride:][:4*width], channels)
		line := filterRow(row, above, channels, sub, up)
		if _, err := z.Write(line); err != nil {
			return err
		}
		row, above = above, row
	}
	if err := z.Close(); err != nil {
		return err
	}
	data.flush()
	c.write("IEND", nil)
	return c.err
}

// isGrey reports whether red, green and blue are equal in every pixel.
func isGrey(m *image.NRGBA) bool {
	width := m.Rect.Dx()
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride:][:4*width]
		for i := 0; i+3 < len(row); i += 4 {
			if row[i] != row[i+1] || row[i] != row[i+2] {
				return false
			}
		}
	}
	return true
}

// pack writes the first channels of pixels of four bytes to row.
func pack(row, pixels []byte, channels int) {
	if channels == 1 {
		for x := range row {
			row[x] = pixels[4*x]
		}
		return
	}
	for x := 0; 3*x+2 < len(row); x++ {
		p, q := row[3*x:3*x+3:3*x+3], pixels[4*x:4*x+3:4*x+3]
		p[0], p[1], p[2] = q[0], q[1], q[2]
	}
}

// filterRow filters a row by its left and by its upper neighbours, into sub and
// up behind their first byte, and returns the one with the smaller differences,
// which compresses better (PNG Specification 12.7).
func filterRow(row, above []byte, channels int, sub, up []byte) []byte {
	s, u := sub[1:][:len(row)], up[1:][:len(row)]
	above = above[:len(row)]
	costSub, costUp := 0, 0
	copy(s, row[:channels])
	for i, v := range row {
		d := v - above[i]
		u[i] = d
		costUp += magnitude[d]
	}
	for i := channels; i < len(row); i++ {
		d := row[i] - row[i-channels]
		s[i] = d
		costSub += magnitude[d]
	}
	if costSub < costUp {
		return sub
	}
	return up
}

// magnitude is the size of a difference that is taken modulo 256.
var magnitude = func() (m [256]int) {
	for i := range m {
		m[i] = min(i, 256-i)
	}
	return m
}()

// chunks writes the chunks of a PNG and keeps the first error.
type chunks struct {
	w   io.Writer
	err error
}

func (c *chunks) bytes(b []byte) {
	if c.err == nil {
		_, c.err = c.w.Write(b)
	}
}

func (c *chunks) write(name string, data []byte) {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, len(data)+12), uint32(len(data)))
	b = append(append(b, name...), data...)
	c.bytes(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
}

// idat gathers compressed data into chunks of 64 KiB.
type idat struct {
	*chunks
	b []byte
}

func (d *idat) Write(b []byte) (int, error) {
	d.b = append(d.b, b...)
	if len(d.b) >= 64<<10 {
		d.flush()
	}
	return len(b), d.err
}

func (d *idat) flush() {
	if len(d.b) > 0 {
		d.write("IDAT", d.b)
		d.b = d.b[:0]
	}
}
