//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// sets returns the float32 kernel sets that this machine can run, fastest
// first. If several have the same name, the first is best for this machine.
func sets() (list []*ops[float32]) {
	x := &cpu.X86
	avx2 := x.HasAVX2 && x.HasFMA
	if avx2 && x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512VL {
		if x.HasAVX512BF16 && x.HasAVX512BW {
			o := avx512Ops()
			o.bf16 = winogradBF16()
			list = append(list, o)
		}
		list = append(list, avx512Ops())
	}
	if avx2 {
		list = append(list, avx2Ops())
	}
	return append(list, genericOps[float32]())
}

func avx2Ops() *ops[float32] {
	return &ops[float32]{
		name:         "avx2",
		conv:         convAVX2,
		weightGrad:   weightGradAVX2,
		moments:      momentsAVX2,
		scaleShift:   scaleShiftAVX2,
		normGradSums: normGradSumsAVX2,
		normGrad:     normGradAVX2,
		reluGrad:     reluGradAVX2,
		maxPool:      maxPoolAVX2,
		maxPoolGrad:  maxPoolGradAVX2,
		add:          addAVX2,
		bilinear:     bilinearAVX2,
		bilinearGrad: bilinearGradAVX2,
		winograd:     winogradAVX2(whole),
		bf16:         winogradAVX2(rounded),
	}
}

// avx512Ops takes memory-bound loops from avx2Ops, because wider vectors do not
// pay there.
func avx512Ops() *ops[float32] {
	o := avx2Ops()
	o.name = "avx512"
	o.conv = convAVX512
	o.weightGrad = weightGradAVX512
	o.winograd, o.bf16 = winogradAVX512(whole), winogradAVX512(rounded)
	return o
}

// convTile is a kernel that computes tiles of px pixels.
type convTile struct {
	px int
	f  func(out, in, w, bias *float32, blocks, inBlk, inRow, outBlk, tiles, relu int)
}

// convTiles holds the kernels of one geometry, by the number of output blocks. Pairs
// have one for each number of pixels up to 6, and single blocks have a few, longest
// first.
type convTiles struct{ pair, single []convTile }

var (
	conv3x3Tiles = convTiles{
		[]convTile{{1, conv3x3B2P1}, {2, conv3x3B2P2}, {3, conv3x3B2P3}, {4, conv3x3B2P4}, {5, conv3x3B2P5}, {6, conv3x3B2P6}},
		[]convTile{{12, conv3x3B1P12}, {8, conv3x3B1P8}, {4, conv3x3B1P4}, {2, conv3x3B1P2}, {1, conv3x3B1P1}},
	}
	conv1x1Tiles = convTiles{
		[]convTile{{1, conv1x1B2P1}, {2, conv1x1B2P2}, {3, conv1x1B2P3}, {4, conv1x1B2P4}, {5, conv1x1B2P5}, {6, conv1x1B2P6}},
		[]convTile{{12, conv1x1B1P12}, {8, conv1x1B1P8}, {4, conv1x1B1P4}, {2, conv1x1B1P2}, {1, conv1x1B1P1}},
	}
	convUpTiles = convTiles{
		[]convTile{{1, convUpB2P1}, {2, convUpB2P2}, {3, convUpB2P3}, {4, convUpB2P4}, {5, convUpB2P5}, {6, convUpB2P6}},
		[]convTile{{12, convUpB1P12}, {8, convUpB1P8}, {4, convUpB1P4}, {2, convUpB1P2}, {1, convUpB1P1}},
	}
	convDownTiles = convTiles{
		[]convTile{{1, convDownB2P1}, {2, convDownB2P2}, {3, convDownB2P3}, {4, convDownB2P4}, {5, convDownB2P5}, {6, convDownB2P6}},
		[]convTile{{12, convDownB1P12}, {8, convDownB1P8}, {4, convDownB1P4}, {2, convDownB1P2}, {1, convDownB1P1}},
	}
	conv3x3GreyPair = []convTile{{1, conv3x3GreyB2P1}, {2, conv3x3GreyB2P2}, {3, conv3x3GreyB2P3}, {4, conv3x3GreyB2P4}, {5, conv3x3GreyB2P5}, {6, conv3x3GreyB2P6}}
)

// tilesOf returns the kernels for a row.
func tilesOf(c *convRow[float32]) *convTiles {
	switch {
	case c.kw == 3:
		return &conv3x3Tiles
	case c.kw == 2:
		return &convDownTiles
	case c.outStep == 2:
		return &convUpTiles
	}
	return &conv1x1Tiles
}

func convAVX2(c *convRow[float32]) {
	if c.wTap > 0 {
		c.taps(convAVX2)
		return
	}
	k := tilesOf(c)
	switch {
	case c.nv == 1:
		callTiles(c, k.single)
	case c.kw == 3 && c.lanes == 1:
		callEven(c, conv3x3GreyPair)
	default:
		callEven(c, k.pair)
	}
}

// callTiles covers a row with the kernels of a list, longest first. The list
// ends with a kernel for a single pixel.
func callTiles(c *convRow[float32], list []convTile) {
	x := 0
	for _, t := range list {
		if n := (c.pixels - x) / t.px; n > 0 {
			callTile(c, t, x, n)
			x += n * t.px
		}
	}
}

// callEven covers a row with kernels of a list that has one for each number of
// pixels, counted from 1: as few tiles as possible, of nearly the same size.
// 32 pixels are twice 6 and four times 5, since a tile of 2 pixels takes as
// long as one of 4.
func callEven(c *convRow[float32], list []convTile) {
	n := (c.pixels + len(list) - 1) / len(list)
	small, large := c.pixels/n, c.pixels%n
	if large > 0 {
		callTile(c, list[small], 0, large)
	}
	callTile(c, list[small-1], large*(small+1), n-large)
}

// callTile computes n tiles starting at pixel x.
func callTile(c *convRow[float32], t convTile, x, n int) {
	bias, relu := c.epilogue()
	t.f(&c.out[x*c.outStep*Lanes], &c.in[x*c.inStep*Lanes], &c.w[0], bias,
		c.blocks, c.inBlk*4, c.inRow*4, c.outBlk*4, n, relu)
}

// epilogue returns the assembly's arguments for bias and ReLU.
func (c *convRow[T]) epilogue() (bias *T, relu int) {
	if c.bias != nil {
		bias = &c.bias[0]
	}
	if c.relu {
		relu = 1
	}
	return bias, relu
}
