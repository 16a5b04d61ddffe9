//go:build amd64 && !purego

package kernel

// conv3x3Z holds the kernels, indexed by the number of pixels minus one.
var conv3x3Z = []convTile{
	{1, conv3x3Z1}, {2, conv3x3Z2}, {3, conv3x3Z3}, {4, conv3x3Z4},
	{5, conv3x3Z5}, {6, conv3x3Z6}, {7, conv3x3Z7}, {8, conv3x3Z8},
	{9, conv3x3Z9}, {10, conv3x3Z10}, {11, conv3x3Z11}, {12, conv3x3Z12},
	{13, conv3x3Z13}, {14, conv3x3Z14}, {15, conv3x3Z15}, {16, conv3x3Z16},
	{17, conv3x3Z17}, {18, conv3x3Z18}, {19, conv3x3Z19}, {20, conv3x3Z20},
	{21, conv3x3Z21}, {22, conv3x3Z22}, {23, conv3x3Z23}, {24, conv3x3Z24},
}

// conv3x3GreyZ holds the kernels for one input lane, longest first.
var conv3x3GreyZ = []convTile{{24, conv3x3GreyZ24}, {16, conv3x3GreyZ16}, {8, conv3x3GreyZ8}, {4, conv3x3GreyZ4}, {2, conv3x3GreyZ2}, {1, conv3x3GreyZ1}}

// convUpZ holds the kernels for all taps, indexed by the number of pixels minus one.
var convUpZ = []func(out, in, w, bias *float32, blocks, inBlk, wTap, outBlk, outRow, tiles, relu int){
	convUpZ1, convUpZ2, convUpZ3, convUpZ4, convUpZ5, convUpZ6,
}

// convAVX512 leaves to AVX2 single output blocks, which fill half a vector, and
// the geometries in which wider vectors gain nothing: see _asm/conv512.go.
func convAVX512(c *convRow[float32]) {
	switch {
	case c.nv == 1:
		convAVX2(c)
	case c.kw == 3 && c.lanes == 1:
		callTiles(c, conv3x3GreyZ)
	case c.kw == 3:
		callEven(c, conv3x3Z)
	case c.wTap > 0:
		callUp(c)
	default:
		convAVX2(c)
	}
}

// callUp covers a row of a transposed convolution like callEven.
func callUp(c *convRow[float32]) {
	bias, relu := c.epilogue()
	n := (c.pixels + len(convUpZ) - 1) / len(convUpZ)
	small, large := c.pixels/n, c.pixels%n
	x := 0
	for _, run := range [2][2]int{{small + 1, large}, {small, n - large}} {
		if run[1] > 0 {
			convUpZ[run[0]-1](&c.out[x*2*Lanes], &c.in[x*Lanes], &c.w[0], bias,
				c.blocks, c.inBlk*4, c.wTap*4, c.outBlk*4, c.outRow*4, run[1], relu)
			x += run[0] * run[1]
		}
	}
}
