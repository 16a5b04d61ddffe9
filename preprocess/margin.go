package preprocess

import (
	"math"

	"segd"
)

// enlarged returns img with the margin of p, filled with the lowest finite
// value of each channel.
func enlarged(img *segd.Image, p Placement) *segd.Image {
	out := &segd.Image{Width: p.GridWidth, Height: p.GridHeight, Channels: img.Channels, Separate: img.Separate, Spacing: img.Spacing, Display: img.Display}
	out.Pix = make([]float32, p.GridWidth*p.GridHeight*img.Channels)
	for c := range img.Channels {
		low := lowest(img, c)
		for i := c; i < len(out.Pix); i += img.Channels {
			out.Pix[i] = low
		}
	}
	centred(out.Pix, p.GridWidth, p.GridHeight, img.Pix, img.Width, img.Height, img.Channels)
	if img.Padding != nil {
		out.Padding = make([]bool, p.GridWidth*p.GridHeight)
		centred(out.Padding, p.GridWidth, p.GridHeight, img.Padding, img.Width, img.Height, 1)
	}
	return out
}

// lowest returns the lowest finite value of a channel outside its padding, or 0
// if there is none.
func lowest(img *segd.Image, channel int) float32 {
	low, found := float32(math.Inf(1)), false
	for i := range img.Width * img.Height {
		v := img.Pix[i*img.Channels+channel]
		if v-v != 0 || img.Padding != nil && img.Padding[i] {
			continue // not finite, or of no meaning
		}
		low, found = min(low, v), true
	}
	if !found {
		return 0
	}
	return low
}

// moved centres the planes of t in width×height pixels. It surrounds smaller
// planes with fill and crops larger ones.
func moved(t *segd.Tensor, width, height int, fill float32) *segd.Tensor {
	out := segd.NewTensor(t.N, t.C, height, width)
	if fill != 0 {
		for i := range out.Data {
			out.Data[i] = fill
		}
	}
	for n := range t.N {
		for c := range t.C {
			centred(out.Plane(n, c), width, height, t.Plane(n, c), t.W, t.H, 1)
		}
	}
	return out
}

// movedMask is moved for masks, surrounding them with background.
func movedMask(m *segd.Mask, width, height int) *segd.Mask {
	out := segd.NewMask(width, height)
	centred(out.Pix, width, height, m.Pix, m.Width, m.Height, 1)
	return out
}

// centred copies the pixels that src and dst share when their centres are
// aligned. If the difference is odd, the larger half is at the right and
// bottom.
func centred[T any](dst []T, width, height int, src []T, srcWidth, srcHeight, channels int) {
	x0, sx, w := overlap(width, srcWidth)
	y0, sy, h := overlap(height, srcHeight)
	for y := range h {
		copy(dst[((y0+y)*width+x0)*channels:][:w*channels], src[((sy+y)*srcWidth+sx)*channels:])
	}
}

// overlap returns where the n shared pixels begin in dst and in src.
func overlap(dst, src int) (inDst, inSrc, n int) {
	if dst >= src {
		return (dst - src) / 2, 0, src
	}
	return 0, (src - dst) / 2, dst
}
