package overlay

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
	"sync"
)

// masks is for masks, which are small, flat, and kept: the default level halves
// them again at little cost. It is safe for concurrent use.
var masks = png.Encoder{CompressionLevel: png.DefaultCompression, BufferPool: &buffers{}}

// buffers keeps the memory of encoders, most of it deflate's, between uses.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() *png.EncoderBuffer {
	p, _ := b.pool.Get().(*png.EncoderBuffer)
	return p
}

func (b *buffers) Put(p *png.EncoderBuffer) { b.pool.Put(p) }

// EncodePNG writes a picture as PNG: a paletted one with its palette, one of
// equal red, green and blue as grey. Errors are those of w.
func EncodePNG(w io.Writer, m image.Image) error {
	switch m := m.(type) {
	case *image.Paletted:
		return encodePaletted(w, m)
	case *image.NRGBA:
		if m.Opaque() {
			return encodeOpaque(w, m)
		}
	}
	return masks.Encode(w, m)
}

// encodePaletted writes 8 bits a pixel whatever the size of the palette, which
// package png would shrink to 1, 2 or 4: readers that take the index for the
// class then find it in a byte of its own. Package png chooses by the length of
// the palette, so it is filled up with black to 17 entries; longer ones stay.
func encodePaletted(w io.Writer, m *image.Paletted) error {
	padded := *m
	padded.Palette = slices.Concat(m.Palette, make(color.Palette, max(0, 17-len(m.Palette))))
	for i := len(m.Palette); i < len(padded.Palette); i++ {
		padded.Palette[i] = color.NRGBA{A: 255}
	}
	return masks.Encode(w, &padded)
}

// PNG returns a picture as the bytes of a PNG.
func PNG(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := EncodePNG(&b, m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
