package scanio

import (
	"bytes"
	"encoding/binary"
	"image"
	"io"
	"math/bits"
)

// joinPlanes interleaves the samples of pages that hold them one after the other.
func joinPlanes(planes []image.Image, associated bool) image.Image {
	b := planes[0].Bounds()
	n := b.Dx() * b.Dy()
	size := 1
	if _, wide := planes[0].(*image.Gray16); wide {
		size = 2
	}
	pix := bytes.Repeat([]byte{0xff}, 4*size*n) // opaque
	for c, p := range planes {
		src := samplesOf(p)
		for i := range n {
			copy(pix[(4*i+c)*size:][:size], src[i*size:])
		}
	}
	stride := 4 * size * b.Dx()
	switch {
	case size == 1 && associated:
		return &image.RGBA{Pix: pix, Stride: stride, Rect: b}
	case size == 1:
		return &image.NRGBA{Pix: pix, Stride: stride, Rect: b}
	case associated:
		return &image.RGBA64{Pix: pix, Stride: stride, Rect: b}
	}
	return &image.NRGBA64{Pix: pix, Stride: stride, Rect: b}
}

// samplesOf are the bytes of an image of one sample a pixel.
func samplesOf(m image.Image) []byte {
	if m, ok := m.(*image.Gray16); ok {
		return m.Pix
	}
	return m.(*image.Gray).Pix
}

// tiffEntry is a tag and its values, which are written as longs.
type tiffEntry struct {
	tag    uint16
	values []uint32
}

// pageFile is a file with a header and a directory of its own: the header leads
// to the directory, which lies behind the file.
type pageFile struct {
	file    []byte
	order   binary.ByteOrder
	reverse bool // the bits of each byte of the file: FillOrder 2
	head    [8]byte
	tail    []byte
}

// open writes the directory, whose entries are in the order of their tags.
func (p *pageFile) open(entries []tiffEntry) io.Reader {
	copy(p.head[:], p.file[:4])
	start := uint32(len(p.file))
	p.order.PutUint32(p.head[4:], start)
	p.tail = make([]byte, 2+12*len(entries)+4)
	p.order.PutUint16(p.tail, uint16(len(entries)))
	for i, e := range entries {
		at := 2 + 12*i
		p.order.PutUint16(p.tail[at:], e.tag)
		p.order.PutUint16(p.tail[at+2:], typeLong)
		p.order.PutUint32(p.tail[at+4:], uint32(len(e.values)))
		if len(e.values) == 1 {
			p.order.PutUint32(p.tail[at+8:], e.values[0])
			continue
		}
		p.order.PutUint32(p.tail[at+8:], start+uint32(len(p.tail)))
		n := len(p.tail)
		p.tail = append(p.tail, make([]byte, 4*len(e.values))...)
		for k, v := range e.values {
			p.order.PutUint32(p.tail[n+4*k:], v)
		}
	}
	return io.NewSectionReader(p, 0, int64(len(p.file)+len(p.tail)))
}

// ReadAt implements io.ReaderAt.
func (p *pageFile) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		at := off + int64(n)
		switch size := int64(len(p.file)); {
		case at < int64(len(p.head)):
			n += copy(b[n:], p.head[at:])
		case at < size:
			k := copy(b[n:], p.file[at:])
			if p.reverse {
				reverseBits(b[n : n+k])
			}
			n += k
		case at < size+int64(len(p.tail)):
			n += copy(b[n:], p.tail[at-size:])
		default:
			return n, io.EOF
		}
	}
	return n, nil
}

func reverseBits(b []byte) {
	for i, v := range b {
		b[i] = bits.Reverse8(v)
	}
}
