package augment_test

import (
	"fmt"

	"segd"
	"segd/train/augment"
)

// Cut a patch from an image, rotated and mirrored together with its labels.
func Example() {
	sample := augment.Sample{X: segd.NewTensor(1, 1, 64, 64), Y: make([]uint8, 64*64)}
	settings := augment.Settings{Flip: true, Rotate: 0.5, RotateDegrees: 30}
	p := augment.Patch{RNG: augment.Source(1, 0), H: 32, W: 32, X: make([]float32, 32*32), Y: make([]uint8, 32*32)}
	p.Cut(&sample, &settings, 0)
	fmt.Println(len(p.X))
	// Output: 1024
}
