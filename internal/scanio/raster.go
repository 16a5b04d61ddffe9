package scanio

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/tiff"

	"segd"
)

// raster is a decoded image, read a row at a time as red, green and blue
// values of its own depth.
type raster struct {
	width, height int
	wide          bool // 0..65535, else 0..255
	grey          bool // one sample a pixel
	opaque        bool
	kind          string                     // in words, for Scan.Steps
	row           func(y int, dst []float32) // 3 values a pixel, or 1 where grey
}

// newScan wraps a decoded image. The image stays in memory as the decoder made
// it, which is compact; each frame is a copy in float32.
func newScan(format string, m image.Image, step string) *segd.Scan {
	return rasterScan(format, newRaster(m), step)
}

// newStack is newScan for several images of one size, each a frame.
func newStack(format string, list []image.Image, step string) *segd.Scan {
	rasters := make([]*raster, len(list))
	for i, m := range list {
		rasters[i] = newRaster(m)
	}
	return rastersScan(format, rasters, step)
}

func rasterScan(format string, r *raster, step string) *segd.Scan {
	return rastersScan(format, []*raster{r}, step)
}

// rastersScan wraps images of one size. They are grey if all of them are.
func rastersScan(format string, list []*raster, step string) *segd.Scan {
	r := list[0]
	s := &segd.Scan{Format: format, Width: r.width, Height: r.height, Frames: len(list), Steps: []string{step}}
	grey, opaque := true, true
	for _, r := range list {
		grey, opaque = grey && (r.grey || r.isGrey()), opaque && r.opaque
	}
	if grey && !r.grey {
		s.Steps = append(s.Steps, "red, green and blue are equal: one grey channel")
	}
	if !opaque {
		s.Warnings = append(s.Warnings, "the alpha channel is ignored, though not all of the image is opaque")
	}
	if r.kind != "" {
		s.Steps = append(s.Steps, r.kind)
	}
	if len(list) > 1 {
		s.Steps = append(s.Steps, fmt.Sprintf("%d pictures, each a frame", len(list)))
	}
	s.Frame = func(i int) (*segd.Image, error) {
		if i < 0 || i >= len(list) {
			return nil, fmt.Errorf("scanio: %w: frame %d of %d", segd.ErrNotFound, i+1, len(list))
		}
		return list[i].image(grey), nil
	}
	return s
}

// image converts r. Images of 8 bits are displayed as they are; those of 16
// leave the window open, since few of them use the whole range.
func (r *raster) image(grey bool) *segd.Image {
	img := &segd.Image{Width: r.width, Height: r.height, Channels: 3}
	if grey {
		img.Channels = 1
	}
	if !r.wide {
		img.Display = segd.Display{Low: 0, High: 255}
	}
	img.Pix = make([]float32, r.width*r.height*img.Channels)
	stride := r.width * img.Channels
	if r.grey || !grey {
		for y := range r.height {
			r.row(y, img.Pix[y*stride:(y+1)*stride])
		}
		return img
	}
	line := make([]float32, 3*r.width)
	for y := range r.height {
		r.row(y, line)
		dst := img.Pix[y*stride : (y+1)*stride]
		for x := range dst {
			dst[x] = line[3*x]
		}
	}
	return img
}

// isGrey reports whether red, green and blue are equal everywhere.
func (r *raster) isGrey() bool {
	line := make([]float32, 3*r.width)
	for y := range r.height {
		r.row(y, line)
		for i := 0; i < len(line); i += 3 {
			if line[i] != line[i+1] || line[i] != line[i+2] {
				return false
			}
		}
	}
	return true
}

// newRaster reads the image types that the decoders of PNG, JPEG and TIFF
// return. Of images with alpha it takes the colour as stored.
func newRaster(m image.Image) *raster {
	b := m.Bounds()
	r := &raster{width: b.Dx(), height: b.Dy(), opaque: true}
	if o, ok := m.(interface{ Opaque() bool }); ok {
		r.opaque = o.Opaque()
	}
	switch m := m.(type) {
	case *image.Gray:
		r.grey = true
		r.row = bytesRow(m.Pix, m.Stride, 1, 1)
	case *image.Gray16:
		r.grey, r.wide = true, true
		r.row = wordsRow(m.Pix, m.Stride, 1, 1)
	case *image.RGBA:
		r.row = bytesRow(m.Pix, m.Stride, 4, 3)
		if !r.opaque {
			r.row = colourRow(m) // divided by alpha
		}
	case *image.NRGBA:
		r.row = bytesRow(m.Pix, m.Stride, 4, 3)
	case *image.RGBA64:
		r.wide = true
		r.row = wordsRow(m.Pix, m.Stride, 4, 3)
		if !r.opaque {
			r.row = wideRow(m)
		}
	case *image.NRGBA64:
		r.wide = true
		r.row = wordsRow(m.Pix, m.Stride, 4, 3)
	case *image.Paletted:
		r.kind = "palette colours to RGB"
		r.row = palettedRow(m)
	case *image.YCbCr:
		r.kind = "YCbCr to RGB"
		r.row = yCbCrRow(m)
	case *image.CMYK:
		r.kind = "CMYK to RGB"
		r.row = colourRow(m)
	default:
		r.row = colourRow(m)
	}
	return r
}

// bytesRow reads the first channels of samples of 8 bits, step to a pixel.
func bytesRow(pix []uint8, stride, step, channels int) func(int, []float32) {
	return func(y int, dst []float32) {
		src := pix[y*stride:]
		if step == channels {
			for i := range dst {
				dst[i] = float32(src[i])
			}
			return
		}
		for i, j := 0, 0; i+channels <= len(dst); i, j = i+channels, j+step {
			for c := range channels {
				dst[i+c] = float32(src[j+c])
			}
		}
	}
}

// wordsRow is bytesRow for samples of 16 bits, high byte first.
func wordsRow(pix []uint8, stride, step, channels int) func(int, []float32) {
	return func(y int, dst []float32) {
		src := pix[y*stride:]
		for i, j := 0, 0; i+channels <= len(dst); i, j = i+channels, j+2*step {
			for c := range channels {
				dst[i+c] = float32(uint16(src[j+2*c])<<8 | uint16(src[j+2*c+1]))
			}
		}
	}
}

func palettedRow(m *image.Paletted) func(int, []float32) {
	var table [256][3]float32
	for i, c := range m.Palette {
		table[i] = rgb8(c)
	}
	return func(y int, dst []float32) {
		for x, i := range m.Pix[y*m.Stride:][:m.Rect.Dx()] {
			copy(dst[3*x:3*x+3], table[i][:])
		}
	}
}

func colourRow(m image.Image) func(int, []float32) {
	b := m.Bounds()
	return func(y int, dst []float32) {
		for x := range b.Dx() {
			c := rgb8(m.At(b.Min.X+x, b.Min.Y+y))
			copy(dst[3*x:3*x+3], c[:])
		}
	}
}

// wideRow reads colours of 16 bits, divided by their alpha.
func wideRow(m *image.RGBA64) func(int, []float32) {
	return func(y int, dst []float32) {
		for x := range m.Rect.Dx() {
			c := color.NRGBA64Model.Convert(m.RGBA64At(m.Rect.Min.X+x, m.Rect.Min.Y+y)).(color.NRGBA64)
			dst[3*x], dst[3*x+1], dst[3*x+2] = float32(c.R), float32(c.G), float32(c.B)
		}
	}
}

// rgb8 returns the colour without its alpha, in 0..255.
func rgb8(c color.Color) [3]float32 {
	if c, ok := c.(color.CMYK); ok {
		r, g, b := color.CMYKToRGB(c.C, c.M, c.Y, c.K)
		return [3]float32{float32(r), float32(g), float32(b)}
	}
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	return [3]float32{float32(n.R), float32(n.G), float32(n.B)}
}

// decodeError gives an error of an image decoder its kind. Its text speaks of
// the format alone, never of the image's content, and is kept.
func decodeError(err error) error {
	kind := segd.ErrFormat
	if isA[png.UnsupportedError](err) || isA[jpeg.UnsupportedError](err) || isA[tiff.UnsupportedError](err) {
		kind = segd.ErrUnsupported
	}
	return fmt.Errorf("scanio: %w: %s", kind, err)
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
