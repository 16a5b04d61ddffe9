package metric_test

import (
	"fmt"
	"log"

	"segd"
	"segd/train/metric"
)

func ExampleCount() {
	truth := &segd.Mask{Width: 4, Height: 1, Pix: []uint8{0, 1, 1, 1}}
	mask := &segd.Mask{Width: 4, Height: 1, Pix: []uint8{0, 0, 1, 1}}
	counts, err := metric.Count(truth, mask, 2)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Dice %.2f, IoU %.2f\n", counts[1].Dice(), counts[1].IoU())
	// Output: Dice 0.80, IoU 0.67
}
