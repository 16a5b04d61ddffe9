package unet_test

import (
	"context"
	"fmt"

	"segd"
	"segd/unet"
)

func ExamplePredictor_Predict() {
	pool := unet.NewPool(0)
	defer pool.Close()
	config := unet.Config{Channels: 1, Classes: 2, Width: 8, Depth: 3}.WithDefaults()
	q, err := unet.NewPredictor(config, unet.NewParams(config, 1), unet.PredictorOptions{Pool: pool})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := q.Predict(context.Background(), segd.NewTensor(1, 1, 100, 75))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d classes of %d×%d pixels, sum %.3f\n", p.C, p.H, p.W, p.Plane(0, 0)[0]+p.Plane(0, 1)[0])
	// Output: 2 classes of 100×75 pixels, sum 1.000
}
