// Package overlay makes pictures for people: an image as a viewer shows it, the
// image with its mask as an overlay, and the mask as a paletted picture.
//
//	base := overlay.Render(img)
//	err := overlay.EncodePNG(w, overlay.Overlay(base, mask, classes, 0.4))
//
// Pictures have 8 bits per channel and the size of their image. Nothing here
// modifies an image or a mask. All functions are safe for concurrent use.
package overlay

import (
	"image"
	"image/color"
	"math"

	"github.com/disintegration/imaging"

	"segd"
)

// DefaultAlpha is the default opacity of the fill in overlays. The image
// remains readable beneath it.
const DefaultAlpha = 0.35

// Render shows an image as a viewer would, according to its Display: the ramp
// from Low to High, the sigmoid of PS3.3 C.11.2.1.3.1, or a lookup table.
// Without a window, it shows whole numbers of 0..255 unchanged, and maps
// anything else from the 0.5th to the 99.5th percentile of the pixels that are
// not padding. Padding and NaN are black. If the channels are separate images,
// it shows the first. The result is opaque, and the caller owns it.
func Render(img *segd.Image) *image.NRGBA {
	if img.Separate {
		img = first(img)
	}
	out := image.NewNRGBA(image.Rect(0, 0, img.Width, img.Height))
	grade := grading(img)
	for i := range img.Width * img.Height {
		dst := out.Pix[4*i : 4*i+4 : 4*i+4]
		dst[3] = 255
		if img.Padding != nil && img.Padding[i] {
			continue
		}
		if img.Channels == 1 {
			v := grade(img.Pix[i])
			dst[0], dst[1], dst[2] = v, v, v
			continue
		}
		src := img.Pix[img.Channels*i:]
		dst[0], dst[1], dst[2] = grade(src[0]), grade(src[1]), grade(src[2])
	}
	return out
}

// first returns the image of the first channel.
func first(img *segd.Image) *segd.Image {
	one := *img
	one.Channels, one.Separate, one.Pix = 1, false, make([]float32, img.Width*img.Height)
	for i := range one.Pix {
		one.Pix[i] = img.Pix[i*img.Channels]
	}
	return &one
}

// grading returns the function from values to grey levels.
func grading(img *segd.Image) func(float32) uint8 {
	d := img.Display
	if !(d.Low < d.High) {
		if whole8(img) {
			return func(v float32) uint8 { return uint8(v) }
		}
		d.Low, d.High = percentiles(img, 0.5, 99.5)
		d.Sigmoid, d.Curve = false, nil
	}
	low, high := float64(d.Low), float64(d.High)
	switch {
	case d.Curve != nil:
		levels := d.Curve.Levels
		last := float64(len(levels) - 1)
		return func(v float32) uint8 {
			x := min(max(math.Round(float64(v)-low), 0), last)
			if x != x {
				return 0
			}
			return level(float64(levels[int(x)]))
		}
	case d.Sigmoid:
		center, width := (low+high)/2, high-low
		return func(v float32) uint8 {
			return level(1 / (1 + math.Exp(-4*(float64(v)-center)/width)))
		}
	case low < high:
		return func(v float32) uint8 { return level((float64(v) - low) / (high - low)) }
	}
	// All values are equal: nothing to see, shown as black.
	return func(float32) uint8 { return 0 }
}

// level maps 0..1 to 0..255. Values outside are clipped, and NaN is black.
func level(v float64) uint8 {
	switch {
	case v >= 1:
		return 255
	case v > 0:
		return uint8(255*v + 0.5)
	}
	return 0
}

// whole8 reports whether all values are whole numbers of 0..255.
func whole8(img *segd.Image) bool {
	for _, v := range img.Pix {
		if !(v >= 0 && v <= 255) || v != float32(uint8(v)) {
			return false
		}
	}
	return true
}

// Overlay draws a mask over a picture of the same size. Each class except
// background is filled with its colour at opacity alpha, 0..1, and outlined
// with an opaque line of one pixel, inside the class. Pixels of classes outside
// the list stay unchanged. Overlay does not modify base, and the caller owns
// the result.
//
// It panics if mask and base differ in size, which is a programming error.
func Overlay(base *image.NRGBA, mask *segd.Mask, classes []segd.Class, alpha float64) *image.NRGBA {
	b := base.Bounds()
	if b.Dx() != mask.Width || b.Dy() != mask.Height {
		panic("overlay: mask and picture differ in size")
	}
	a := uint32(math.Round(256 * min(max(alpha, 0), 1)))
	out := imaging.Clone(base)
	for y := range mask.Height {
		for x := range mask.Width {
			k := mask.Pix[y*mask.Width+x]
			if k == 0 || int(k) >= len(classes) {
				continue
			}
			c, share := classes[k].Color, a
			if isEdge(mask, y, x) {
				share = 256
			}
			p := out.Pix[y*out.Stride+4*x:]
			for i := range 3 {
				p[i] = uint8((uint32(p[i])*(256-share) + uint32(c[i])*share + 128) >> 8)
			}
		}
	}
	return out
}

// isEdge reports whether the neighbour above, below, left or right has another
// class or lies outside the image.
func isEdge(m *segd.Mask, y, x int) bool {
	i := y*m.Width + x
	k := m.Pix[i]
	return y == 0 || x == 0 || y == m.Height-1 || x == m.Width-1 ||
		m.Pix[i-m.Width] != k || m.Pix[i+m.Width] != k || m.Pix[i-1] != k || m.Pix[i+1] != k
}

// MaskImage returns the mask as a paletted picture whose index is the class.
// The palette holds the colours of the classes, with black for background, and
// grey for each other index that occurs, so that the picture is always valid.
// It shares the mask's memory, so the mask must not change while the picture is
// in use.
func MaskImage(mask *segd.Mask, classes []segd.Class) *image.Paletted {
	top := len(classes) - 1
	for _, k := range mask.Pix {
		top = max(top, int(k))
	}
	// At least two entries: some readers take a palette of one for a fault.
	palette := make(color.Palette, max(2, min(top+1, 256)))
	for i := range palette {
		switch {
		case i == 0:
			palette[i] = color.NRGBA{A: 255}
		case i < len(classes):
			c := classes[i].Color
			palette[i] = color.NRGBA{c[0], c[1], c[2], 255}
		default:
			palette[i] = color.NRGBA{128, 128, 128, 255}
		}
	}
	return &image.Paletted{
		Pix: mask.Pix, Stride: mask.Width, Palette: palette,
		Rect: image.Rect(0, 0, mask.Width, mask.Height),
	}
}
