package scanio

import "image"

// yCbCrRow reads a JPEG's colours. Chroma of half the width or height is
// interpolated as libjpeg does by default ("fancy upsampling", jdsample.c), and
// colours are converted with its rounding (jdcolor.c), so that pixels are those that
// most other programs see.
func yCbCrRow(m *image.YCbCr) func(int, []float32) {
	w := m.Rect.Dx()
	chroma := chromaRows(m)
	return func(y int, dst []float32) {
		cb, cr := make([]uint8, w+1), make([]uint8, w+1)
		chroma(m.Cb, y, cb)
		chroma(m.Cr, y, cr)
		for x, l := range m.Y[y*m.YStride:][:w] {
			luma, b, r := int32(l), int32(cb[x])-128, int32(cr[x])-128
			dst[3*x] = clamp8(luma + (91881*r+1<<15)>>16)
			dst[3*x+1] = clamp8(luma + (-22554*b-46802*r+1<<15)>>16)
			dst[3*x+2] = clamp8(luma + (116130*b+1<<15)>>16)
		}
	}
}

func clamp8(v int32) float32 { return float32(min(max(v, 0), 255)) }

// leastFancy is the width of chroma from which on it is interpolated across.
const leastFancy = 3

// chromaRows returns the function that gives row y of a plane of chroma at the width of
// the image. It may write one sample more.
func chromaRows(m *image.YCbCr) func(plane []uint8, y int, dst []uint8) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	row := func(plane []uint8, y, n int) []uint8 { return plane[y*m.CStride:][:n] }
	half := (w + 1) / 2
	switch {
	case m.SubsampleRatio == image.YCbCrSubsampleRatio422 && half >= leastFancy:
		return func(plane []uint8, y int, dst []uint8) { stretch(row(plane, y, half), dst) }
	case m.SubsampleRatio == image.YCbCrSubsampleRatio420 && half >= leastFancy:
		return func(plane []uint8, y int, dst []uint8) {
			near := y / 2
			far := min(max(near+2*(y&1)-1, 0), (h-1)/2)
			stretchSums(row(plane, near, half), row(plane, far, half), dst)
		}
	case m.SubsampleRatio == image.YCbCrSubsampleRatio440:
		return func(plane []uint8, y int, dst []uint8) {
			near, round := y/2, uint(1+y&1)
			far := min(max(near+2*(y&1)-1, 0), (h-1)/2)
			a, b := row(plane, near, w), row(plane, far, w)
			for x := range a {
				dst[x] = uint8((3*uint(a[x]) + uint(b[x]) + round) >> 2)
			}
		}
	}
	return func(plane []uint8, y int, dst []uint8) {
		for x := range w {
			dst[x] = plane[m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)]
		}
	}
}

// stretch doubles a row: each new sample is three quarters of the nearer and a quarter
// of the farther one.
func stretch(src, dst []uint8) {
	last := len(src) - 1
	for i, v := range src {
		left, right := uint(src[max(i-1, 0)]), uint(src[min(i+1, last)])
		dst[2*i] = uint8((3*uint(v) + left + 1) >> 2)
		if 2*i+1 < len(dst) {
			dst[2*i+1] = uint8((3*uint(v) + right + 2) >> 2)
		}
	}
}

// stretchSums is stretch between two rows, of which near counts three times.
func stretchSums(near, far, dst []uint8) {
	last := len(near) - 1
	sum := func(i int) uint { return 3*uint(near[i]) + uint(far[i]) }
	for i := range near {
		here := sum(i)
		dst[2*i] = uint8((3*here + sum(max(i-1, 0)) + 8) >> 4)
		if 2*i+1 < len(dst) {
			dst[2*i+1] = uint8((3*here + sum(min(i+1, last)) + 7) >> 4)
		}
	}
}
