package preprocess_test

import (
	"fmt"
	"log"

	"segd"
	"segd/preprocess"
)

// An image of pixels of 1 mm is resampled to 0.5 mm for the network, and what the
// network finds comes back onto the image's own pixels.
func Example() {
	recipe := preprocess.Recipe{Channels: 1, Normalise: preprocess.MinMax, SpacingMM: 0.5}
	img := &segd.Image{
		Width: 3, Height: 2, Channels: 1, Pix: []float32{0, 0, 90, 0, 0, 100},
		Spacing: segd.Spacing{RowMM: 1, ColMM: 1},
	}
	x, place, err := recipe.Apply(img)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the network sees %d×%d pixels\n", x.H, x.W)

	found := segd.NewMask(x.W, x.H)
	for i, v := range x.Plane(0, 0) {
		if v > 0.5 {
			found.Pix[i] = 1
		}
	}
	mask, err := place.Mask(found)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mask.Pix)
	// Output:
	// the network sees 4×6 pixels
	// [0 0 1 0 0 1]
}
