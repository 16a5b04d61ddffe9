package overlay

import (
	"io"
	"testing"

	"segd"
	"segd/internal/phantom"
)

// BenchmarkPictures times what an answer costs beyond the network, for an image
// of 512×512.
func BenchmarkPictures(b *testing.B) {
	grey, mask := phantom.Micrograph(1, 512, 512)
	img := &segd.Image{Width: 512, Height: 512, Channels: 1, Pix: make([]float32, 512*512)}
	for i := range img.Pix {
		img.Pix[i] = float32(grey.Pix[i])*7 + float32(i*7919%13)
	}
	_ = mask
	m := segd.NewMask(512, 512)
	for i := range m.Pix {
		if grey.Pix[i] > 100 {
			m.Pix[i] = 1
		}
	}
	base := Render(img)
	over := Overlay(base, m, classes, DefaultAlpha)
	b.Run("render", func(b *testing.B) {
		for b.Loop() {
			Render(img)
		}
	})
	b.Run("overlay", func(b *testing.B) {
		for b.Loop() {
			Overlay(base, m, classes, DefaultAlpha)
		}
	})
	b.Run("png overlay", func(b *testing.B) {
		for b.Loop() {
			_ = EncodePNG(io.Discard, over)
		}
	})
	b.Run("png image", func(b *testing.B) {
		for b.Loop() {
			_ = EncodePNG(io.Discard, base)
		}
	})
	b.Run("png mask", func(b *testing.B) {
		for b.Loop() {
			_ = EncodePNG(io.Discard, MaskImage(m, classes))
		}
	})
}
