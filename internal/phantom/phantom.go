// Package phantom makes synthetic images with a known mask, for tests,
// documentation and the sample on the web page:
//
//	img, mask := phantom.Micrograph(1, 512, 384)
//
// The same arguments give the same image with every version of Go. On
// processors that fuse multiplications and additions, a few pixels may differ
// by one grey level. The images look like those that networks are trained on,
// but they measure nothing: a Dice on a phantom says nothing about quality.
//
// Limits: 16 to 4096 pixels per side; other sizes panic, like any programming
// error. Time and memory are proportional to the number of pixels.
package phantom

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// field is a grey image with values of any range, row-major.
type field struct {
	w, h int
	pix  []float64
}

func newField(width, height int) *field {
	if width < 16 || height < 16 || width > 4096 || height > 4096 {
		panic(fmt.Sprintf("phantom: %d×%d pixels, want 16 to 4096 a side", width, height))
	}
	return &field{w: width, h: height, pix: make([]float64, width*height)}
}

// noise fills a field with smooth noise of mean 0 and standard deviation near
// 1, with blobs about scale pixels wide.
func noise(rng *rand.Rand, width, height int, scale float64) *field {
	f := newField(width, height)
	for i := range f.pix {
		f.pix[i] = rng.NormFloat64()
	}
	f.blur(scale / 2)
	var sum float64
	for _, v := range f.pix {
		sum += v * v
	}
	if s := math.Sqrt(sum / float64(len(f.pix))); s > 0 {
		for i := range f.pix {
			f.pix[i] /= s
		}
	}
	return f
}

// blur applies a Gaussian of standard deviation sigma, truncated at three
// sigma, with the border repeated.
func (f *field) blur(sigma float64) {
	r := int(math.Ceil(3 * sigma))
	kernel, sum := make([]float64, 2*r+1), 0.0
	for i := range kernel {
		d := float64(i-r) / sigma
		kernel[i] = math.Exp(-d * d / 2)
		sum += kernel[i]
	}
	for i := range kernel {
		kernel[i] /= sum
	}
	tmp := make([]float64, len(f.pix))
	for y := range f.h {
		for x := range f.w {
			v := 0.0
			for i, k := range kernel {
				v += k * f.pix[y*f.w+min(max(x+i-r, 0), f.w-1)]
			}
			tmp[y*f.w+x] = v
		}
	}
	for y := range f.h {
		row := f.pix[y*f.w : (y+1)*f.w]
		clear(row)
		for i, k := range kernel {
			src := tmp[min(max(y+i-r, 0), f.h-1)*f.w:][:f.w]
			for x, v := range src {
				row[x] += k * v
			}
		}
	}
}

// gray rounds the field to 0..255.
func (f *field) gray() *image.Gray {
	m := image.NewGray(image.Rect(0, 0, f.w, f.h))
	for i, v := range f.pix {
		m.Pix[i] = uint8(min(max(math.Round(v), 0), 255))
	}
	return m
}
