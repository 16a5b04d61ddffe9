package unet_test

import (
	"bytes"
	"context"
	"fmt"

	"segd"
	"segd/train"
	"segd/unet"
)

func ExamplePredictor_Predict() {
	pool := unet.NewPool(0)
	defer pool.Close()
	config := unet.Config{Channels: 1, Classes: 2, Width: 8, Depth: 3}.WithDefaults()
	q, err := unet.NewPredictor(config, unet.NewParams(config, 1), unet.PredictorOptions{Pool: pool})
	if err != nil {
		panic(err)
	}
	p, err := q.Predict(context.Background(), segd.NewTensor(1, 1, 100, 75))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d classes of %d×%d pixels, sum %.3f\n", p.C, p.H, p.W, p.Plane(0, 0)[0]+p.Plane(0, 1)[0])
	// Output: 2 classes of 100×75 pixels, sum 1.000
}

// Memorise one image.
func ExampleTrainer_Step() {
	pool := unet.NewPool(0)
	defer pool.Close()
	config := unet.Config{Channels: 1, Classes: 2, Width: 4, Depth: 1}.WithDefaults()
	params := unet.NewParams(config, 1)
	t, err := unet.NewTrainer(config, params, 1, 8, 8, unet.TrainerOptions{Pool: pool})
	if err != nil {
		panic(err)
	}
	defer func() { _ = t.Close() }()

	batch := unet.Batch{X: make([]float32, 8*8), Y: make([]uint8, 8*8)}
	for i := range 32 { // the upper half
		batch.X[i], batch.Y[i] = 1, 1
	}
	solver := train.NewAdamW(1e-2, 0, 0)
	var losses []float64
	for range 20 {
		loss, err := t.Step(batch, solver)
		if err != nil {
			panic(err)
		}
		losses = append(losses, loss)
	}
	fmt.Println("the loss falls:", losses[19] < losses[0]/2)
	// Output: the loss falls: true
}

// Write weights as safetensors and read them back.
func ExampleReadParams() {
	config := unet.Config{Channels: 1, Classes: 2, Width: 4, Depth: 1}.WithDefaults()
	var b bytes.Buffer
	if err := unet.NewParams(config, 1).Write(&b, false); err != nil {
		panic(err)
	}
	p, err := unet.ReadParams(config, b.Bytes())
	if err != nil {
		panic(err)
	}
	w, _ := p.Get("head.weight")
	fmt.Println(w.Shape())
	// Output: (2, 4, 1, 1)
}

// Compute in pure Go instead of with the fastest kernels.
func ExampleChooseKernels() {
	kernels, err := unet.ChooseKernels("generic", nil)
	if err != nil {
		panic(err)
	}
	pool := kernels.NewPool(2)
	defer pool.Close()
	fmt.Println(pool.Threads(), "threads,", pool.Kernels().Name())
	// Output: 2 threads, generic
}
