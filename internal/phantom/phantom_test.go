package phantom

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"testing"

	"segd"
)

func TestMicrograph(t *testing.T) {
	for seed := range uint64(4) {
		img, mask := Micrograph(seed, 256, 192)
		if img.Rect != image.Rect(0, 0, 256, 192) || mask.Width != 256 || mask.Height != 192 {
			t.Fatalf("seed %d: image %v, mask %d×%d", seed, img.Rect, mask.Width, mask.Height)
		}
		in, out := split(img, mask)
		share := float64(in.n) / float64(in.n+out.n)
		if share < 0.05 || share > 0.4 {
			t.Errorf("seed %d: %.2f of the pixels are nucleus, want 0.05 to 0.4", seed, share)
		}
		if in.mean < out.mean+30 || out.mean > 40 {
			t.Errorf("seed %d: mean inside %.0f, outside %.0f", seed, in.mean, out.mean)
		}
		if out.dev < 1 {
			t.Errorf("seed %d: the background has a deviation of %.2f, want noise", seed, out.dev)
		}
	}
}

func TestHeart(t *testing.T) {
	for _, size := range []int{64, 160, 256} {
		img, mask := Heart(7, size)
		in, _ := split(img, mask)
		share := float64(in.n) / float64(size*size)
		if share < 0.01 || share > 0.05 {
			t.Errorf("size %d: the ventricle takes %.3f of the image", size, share)
		}
		if in.mean < 140 {
			t.Errorf("size %d: blood has mean %.0f, want bright", size, in.mean)
		}
		// Around the cavity lies dark muscle.
		ring, n := 0.0, 0
		for y := 1; y < size-1; y++ {
			for x := 1; x < size-1; x++ {
				i := y*size + x
				if mask.Pix[i] == 0 && mask.Pix[min(i+2, size*size-1)] == 1 {
					ring += float64(img.Pix[max(0, i-1)])
					n++
				}
			}
		}
		if n == 0 || ring/float64(n) > in.mean-40 {
			t.Errorf("size %d: muscle has mean %.0f beside blood of %.0f", size, ring/float64(n), in.mean)
		}
	}
}

func TestDeterministic(t *testing.T) {
	for name, make := range map[string]func(seed uint64) (*image.Gray, *segd.Mask){
		"micrograph": func(s uint64) (*image.Gray, *segd.Mask) { return Micrograph(s, 64, 48) },
		"heart":      func(s uint64) (*image.Gray, *segd.Mask) { return Heart(s, 64) },
	} {
		a, am := make(3)
		b, bm := make(3)
		if !bytes.Equal(a.Pix, b.Pix) || !bytes.Equal(am.Pix, bm.Pix) {
			t.Errorf("%s: one seed, two images", name)
		}
		if c, _ := make(4); bytes.Equal(a.Pix, c.Pix) {
			t.Errorf("%s: two seeds, one image", name)
		}
	}
}

func TestSize(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for 15 pixels")
		}
	}()
	Heart(1, 15)
}

type stats struct {
	n         int
	mean, dev float64
}

// split takes the statistics inside and outside of a mask.
func split(img *image.Gray, mask *segd.Mask) (in, out stats) {
	var sum, square [2]float64
	var n [2]int
	for i, k := range mask.Pix {
		v := float64(img.Pix[i])
		sum[k] += v
		square[k] += v * v
		n[k]++
	}
	of := func(k int) stats {
		c := float64(max(1, n[k]))
		m := sum[k] / c
		return stats{n[k], m, math.Sqrt(max(0, square[k]/c-m*m))}
	}
	return of(1), of(0)
}

func ExampleMicrograph() {
	img, mask := Micrograph(1, 512, 384)
	fmt.Println(img.Rect.Size(), mask.Width, mask.Height)
	// Output: (512,384) 512 384
}
