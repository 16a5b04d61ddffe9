package scanio

import (
	"bytes"
	"fmt"
	"image"

	"golang.org/x/image/webp"

	"segd"
)

// isWebP reports a RIFF file of the form WEBP (RFC 9649).
func isWebP(head []byte) bool {
	return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP"
}

// webpConfig checks the header. A pixel of one colour takes no room in the file.
func webpConfig(b []byte) (image.Config, error) {
	if bytes.Contains(b[:min(len(b), 64)], []byte("ANIM")) {
		return image.Config{}, fmt.Errorf("scanio: %w: animated webp: save its frames as PNG", segd.ErrUnsupported)
	}
	c, err := webp.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return c, fmt.Errorf("scanio: %w: %s", segd.ErrFormat, err)
	}
	return c, checkSize("webp", c.Width, c.Height, segd.MaxPixels, len(b))
}

// readWebP reads lossless and lossy WebP of one picture.
func readWebP(b []byte) (*segd.Scan, error) {
	if _, err := webpConfig(b); err != nil {
		return nil, err
	}
	m, err := webp.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("scanio: %w: %s", segd.ErrFormat, err)
	}
	switch p := m.(type) {
	case *image.YCbCr:
		return rasterScan("webp", webpRaster(p, true), "webp, lossy"), nil
	case *image.NYCbCrA:
		return rasterScan("webp", webpRaster(&p.YCbCr, p.Opaque()), "webp, lossy"), nil
	}
	return newScan("webp", m, "webp, lossless"), nil
}

func measureWebP(b []byte) (Size, error) {
	c, err := webpConfig(b)
	if err != nil {
		return Size{}, err
	}
	n := 4 * int64(c.Width) * int64(c.Height)
	return Size{Read: 2 * n, Kept: n, Width: c.Width, Height: c.Height, Frames: 1, Channels: 3}, nil
}

// webpRaster reads the colours of a VP8 frame as libwebp does: luma from 16 to 235,
// chroma interpolated from the four nearest samples.
func webpRaster(m *image.YCbCr, opaque bool) *raster {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	half := (w + 1) / 2
	r := &raster{width: w, height: h, opaque: opaque, kind: "YCbCr to RGB"}
	r.row = func(y int, dst []float32) {
		near := y / 2
		far := min(max(near+2*(y&1)-1, 0), (h-1)/2)
		chroma := func(plane []uint8, x int) int32 {
			return webpChroma(plane[near*m.CStride:][:half], plane[far*m.CStride:][:half], x)
		}
		for x, l := range m.Y[y*m.YStride:][:w] {
			luma, u, v := int32(l)*19077>>8, chroma(m.Cb, x), chroma(m.Cr, x)
			dst[3*x] = clamp8((luma + v*26149>>8 - 14234) >> 6)
			dst[3*x+1] = clamp8((luma - u*6419>>8 - v*13320>>8 + 8708) >> 6)
			dst[3*x+2] = clamp8((luma + u*33050>>8 - 17685) >> 6)
		}
	}
	return r
}

// webpChroma interpolates pixel x between two rows of chroma, the nearer and the
// farther.
func webpChroma(near, far []uint8, x int) int32 {
	i := (x + 1) / 2
	if x == 0 || i >= len(near) {
		k := min(i, len(near)-1)
		return (3*int32(near[k]) + int32(far[k]) + 2) >> 2
	}
	a, b, c, d := int32(near[i-1]), int32(near[i]), int32(far[i-1]), int32(far[i])
	if x&1 == 1 {
		return ((a+b+c+d+8+2*(b+c))>>3 + a) >> 1
	}
	return ((a+b+c+d+8+2*(a+d))>>3 + b) >> 1
}
