// Package kernel holds the numeric loops of the network: convolutions, their
// gradients, pooling and the parts of normalisation, on activations in blocks
// of eight channels.
//
// Smallest use, one 3×3 convolution with ReLU:
//
//	pool := kernel.NewPool(2, kernel.Set{})
//	defer pool.Close()
//	x := kernel.NewAct[float32](kernel.Shape{N: 1, C: 16, H: 256, W: 256})
//	y := kernel.NewAct[float32](kernel.Shape{N: 1, C: 32, H: 256, W: 256})
//	f := kernel.NewFilter[float32](kernel.Conv3x3, 32, 16)
//	f.Pack(weights) // PyTorch order
//	kernel.Pack(pool, x, pixels)
//	f.Run(pool, y, []kernel.Act[float32]{x}, bias, true)
//
// Everything exists once in plain Go, generic over float32 and float64, as the
// reference. On amd64, float32 uses assembly for AVX-512 or AVX2, made by the
// generator in _asm, after a self-check on the machine; the build tag purego
// excludes it. Work is split into tasks by shape alone, and sums have a fixed
// order, so results are identical to the bit for any number of threads. Between
// kernel sets they differ by rounding (FMA, order of sums).
//
// Limits: a wrong shape or a short slice is a programming error and panics
// before anything is written. Inputs and outputs of a call must not overlap
// unless its comment says so.
//
// The layout is oneDNN's nChw8c with a halo. The register blocking of the
// microkernels follows Georganas et al. 2018, "Anatomy of High-Performance Deep
// Learning Convolutions on SIMD Architectures" (arXiv:1808.05567).
package kernel

// Float is the set of element types.
type Float interface{ ~float32 | ~float64 }

// ops is one set of inner loops. Each works on part of one row of one block.
// Slices start at the first element used.
type ops[T Float] struct {
	name         string
	conv         func(c *convRow[T])
	weightGrad   func(c *gradRun[T])
	moments      func(sum, sumsq *[Lanes]float64, x []T)
	scaleShift   func(y, x []T, scale, shift *[Lanes]T, relu bool)
	normGradSums func(sum, sumx *[Lanes]float64, x, dy []T, scale, shift *[Lanes]T, relu bool)
	normGrad     func(dx, x, dy []T, a, b, c, scale, shift *[Lanes]T, relu bool)
	reluGrad     func(sum *[Lanes]float64, dx, y, dy []T)
	maxPool      func(out, in0, in1 []T)
	maxPoolGrad  func(dx0, dx1, x0, x1, y, dy, add0, add1 []T) // add0, add1: both nil or none
	add          func(y, a, b []T, relu bool)
	bilinear     func(y, near, far []T)
	bilinearGrad func(dx, far0, near0, near1, far1 []T)
	winograd     *winogradOps[T] // nil: direct convolution only
	bf16         *winogradOps[T] // of filters in bfloat16
}

func genericOps[T Float]() *ops[T] {
	return &ops[T]{
		name:         "generic",
		conv:         convGeneric[T],
		weightGrad:   weightGradGeneric[T],
		moments:      momentsGeneric[T],
		scaleShift:   scaleShiftGeneric[T],
		normGradSums: normGradSumsGeneric[T],
		normGrad:     normGradGeneric[T],
		reluGrad:     reluGradGeneric[T],
		maxPool:      maxPoolGeneric[T],
		maxPoolGrad:  maxPoolGradGeneric[T],
		add:          addGeneric[T],
		bilinear:     bilinearGeneric[T],
		bilinearGrad: bilinearGradGeneric[T],
		bf16:         winogradGeneric[T](),
	}
}
