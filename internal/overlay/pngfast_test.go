package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"testing"
)

// TestEncodeOpaque reads pictures back by package png: every pixel, in grey and
// in colour, at sizes around the ends of rows and chunks, and of a part of a
// larger picture.
func TestEncodeOpaque(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, colour := range []bool{false, true} {
		for _, size := range [][2]int{{1, 1}, {1, 9}, {7, 1}, {64, 33}, {300, 301}} {
			t.Run(fmt.Sprint(colour, size), func(t *testing.T) {
				large := image.NewNRGBA(image.Rect(0, 0, size[0]+3, size[1]+2))
				for i := 0; i < len(large.Pix); i += 4 {
					v := uint8(rng.Uint32())
					large.Pix[i], large.Pix[i+1], large.Pix[i+2], large.Pix[i+3] = v, v, v, 255
					if colour {
						large.Pix[i+1] = uint8(rng.Uint32())
					}
				}
				m := large.SubImage(image.Rect(2, 1, 2+size[0], 1+size[1])).(*image.NRGBA)
				var b bytes.Buffer
				if err := EncodePNG(&b, m); err != nil {
					t.Fatal(err)
				}
				got, err := png.Decode(&b)
				if err != nil {
					t.Fatal(err)
				}
				if _, grey := got.(*image.Gray); grey == colour && size[0]*size[1] > 1 {
					t.Errorf("colour %v is read as %T", colour, got)
				}
				for y := range size[1] {
					for x := range size[0] {
						if g, w := color.NRGBAModel.Convert(got.At(x, y)), m.NRGBAAt(x+2, y+1); g != w {
							t.Fatalf("(%d, %d): %v, want %v", x, y, g, w)
						}
					}
				}
			})
		}
	}
}

// full takes n bytes.
type full struct{ n int }

var errFull = errors.New("full")

func (f *full) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestEncodeOpaqueError(t *testing.T) {
	t.Parallel()
	m := image.NewNRGBA(image.Rect(0, 0, 200, 200))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = uint8(rng.Uint32()) | 255*uint8(i%4/3)
	}
	for _, n := range []int{0, 20, 50_000, 100_000} {
		if err := EncodePNG(&full{n}, m); !errors.Is(err, errFull) {
			t.Errorf("a writer of %d bytes: %v", n, err)
		}
	}
}
