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

// masks encodes masks, which are small, flat and kept: the default level halves
// their size again at little cost. It is safe for concurrent use.
var masks = png.Encoder{CompressionLevel: png.DefaultCompression, BufferPool: &buffers{}}

// buffers keeps the memory of encoders, mostly deflate's, between uses.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() *png.EncoderBuffer {
	p, _ := b.pool.Get().(*png.EncoderBuffer)
	return p
}

func (b *buffers) Put(p *png.EncoderBuffer) { b.pool.Put(p) }

// EncodePNG writes a picture as PNG. It keeps the palette of a paletted
// picture, and writes one with equal red, green and blue as grey. Errors are
// those of w.
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

// encodePaletted writes 8 bits per pixel whatever the size of the palette.
// Package png would shrink them to 1, 2 or 4, and readers that use the index as
// the class expect it in a byte. Because package png decides by the length of
// the palette, encodePaletted pads shorter palettes with black to 17 entries.
func encodePaletted(w io.Writer, m *image.Paletted) error {
	padded := *m
	padded.Palette = slices.Concat(m.Palette, make(color.Palette, max(0, 17-len(m.Palette))))
	for i := len(m.Palette); i < len(padded.Palette); i++ {
		padded.Palette[i] = color.NRGBA{A: 255}
	}
	return masks.Encode(w, &padded)
}

// PNG returns a picture encoded as PNG.
func PNG(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := EncodePNG(&b, m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
