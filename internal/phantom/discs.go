package phantom

import (
	"image"
	"image/color"
	"math/rand/v2"
)

// Discs draws three bright discs on noise, and the label image that marks them with 1.
// Width and height must be above 20. The same seed gives the same image.
func Discs(seed uint64, width, height int) (img, label *image.Gray) {
	rng := rand.New(rand.NewPCG(seed, 1))
	img, label = image.NewGray(image.Rect(0, 0, width, height)), image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = uint8(40 + rng.IntN(30))
	}
	for range 3 {
		r := 5 + rng.IntN(5)
		cx, cy := r+rng.IntN(width-2*r), r+rng.IntN(height-2*r)
		for y := cy - r; y <= cy+r; y++ {
			for x := cx - r; x <= cx+r; x++ {
				if (x-cx)*(x-cx)+(y-cy)*(y-cy) <= r*r {
					img.SetGray(x, y, color.Gray{Y: uint8(170 + rng.IntN(50))})
					label.SetGray(x, y, color.Gray{Y: 1})
				}
			}
		}
	}
	return img, label
}
