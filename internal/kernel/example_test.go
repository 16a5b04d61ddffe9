package kernel_test

import (
	"fmt"

	"segd/internal/kernel"
)

func ExampleFilter_Run() {
	pool := kernel.NewPool(2, kernel.Set{})
	defer pool.Close()
	shape := kernel.Shape{N: 1, C: 1, H: 3, W: 4}
	x, y := kernel.NewAct[float32](shape), kernel.NewAct[float32](shape)
	kernel.Pack(pool, x, []float32{
		1, 1, 1, 1,
		1, 1, 1, 1,
		1, 1, 1, 1,
	})
	f := kernel.NewFilter[float32](kernel.Conv3x3, 1, 1)
	f.Pack([]float32{1, 1, 1, 1, 1, 1, 1, 1, 1})
	f.Run(pool, y, []kernel.Act[float32]{x}, []float32{-5}, true)
	out := make([]float32, 12)
	kernel.Unpack(pool, out, y)
	fmt.Println(out)
	// Output: [0 1 1 0 1 4 4 1 0 1 1 0]
}

// The gradients of a 1×1 convolution y = 3·x for the loss Σ y.
func ExampleWeightGrad_Run() {
	shape := kernel.Shape{N: 1, C: 1, H: 1, W: 2}
	x, dy, dx := kernel.NewAct[float64](shape), kernel.NewAct[float64](shape), kernel.NewAct[float64](shape)
	kernel.Pack(nil, x, []float64{2, 5})
	kernel.Pack(nil, dy, []float64{1, 1})
	dw := make([]float64, 1)
	kernel.NewWeightGrad[float64](kernel.Conv1x1, 1, 1).Run(nil, dw, []kernel.Act[float64]{x}, dy)
	adjoint := kernel.NewAdjoint[float64](kernel.Conv1x1, 1, []int{1}, 0)
	adjoint.PackAdjoint([]float64{3})
	adjoint.Run(nil, dx, []kernel.Act[float64]{dy}, nil, false)
	out := make([]float64, 2)
	kernel.Unpack(nil, out, dx)
	fmt.Println(dw, out)
	// Output: [7] [3 3]
}
