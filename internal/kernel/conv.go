package kernel

import "fmt"

// convRow is the work of one call of a convolution's inner loop: one row of
// outputs of a pair of blocks, from a run of input blocks.
//
// Output pixel i sums, over blocks and kernel rows, the products of kw·8 neighbouring
// inputs, starting at pixel i·inStep, with as many rows of weights. With wTap it is
// the transposed 2×2 convolution of a row of inputs: tap k has the weights starting
// at k·wTap, and the output pixels 2i+k%2 of the row at offset k/2·outRow. Strides
// are in elements.
type convRow[T Float] struct {
	kh, kw          int
	inStep, outStep int
	nv              int // output blocks: 2 or 1
	out, in, w      []T
	bias            []T // nil: add to out
	blocks          int // input blocks of this run
	lanes           int // lanes of them that hold channels; others may be skipped
	inBlk, inRow    int
	outBlk          int
	outRow, wTap    int // of the transposed convolution
	pixels          int
	relu            bool
}

// Run computes the convolution out = in * weights + bias and, with relu, max(0,
// ·) of it (NaN stays NaN). in holds an activation for each source, all with
// the same N, H and W. out has the geometry's shape and must not overlap them.
// For Down2x2, H and W of the inputs are even. bias has one number per output
// channel; nil means none.
func (f *Filter[T]) Run(p *Pool, out Act[T], in []Act[T], bias []T, relu bool) {
	f.RunTail(p, out, in, bias, Tail[T]{ReLU: relu})
}

// check panics unless the arguments of Run are valid.
func (f *Filter[T]) check(out Act[T], in []Act[T], bias []T) {
	if len(in) != len(f.sources) {
		panic(fmt.Sprintf("kernel: convolution of %d sources, want %d", len(in), len(f.sources)))
	}
	for i, c := range f.sources {
		in[i].check("convolution: source", in[0].with(c))
	}
	if f.g == Down2x2 && (in[0].H%2 != 0 || in[0].W%2 != 0) {
		panic(fmt.Sprintf("kernel: %v of %d×%d pixels, want even sides", f.g, in[0].H, in[0].W))
	}
	out.check("convolution: output", f.g.output(in[0].Shape, f.out))
	if bias != nil {
		checkLen("convolution: bias", len(bias), f.out)
	}
}

// run is RunTail with the inner loops o.
func (f *Filter[T]) run(o *ops[T], p *Pool, out Act[T], in []Act[T], bias []T, tail Tail[T]) {
	r := convRun[T]{f: f, ops: o, out: out, in: in, bias: bias, tail: tail}
	if bias == nil || len(bias)%Lanes != 0 {
		r.bias = make([]T, out.Blocks()*Lanes)
		copy(r.bias, bias)
	}
	if w, pays := r.winograd(); pays {
		w.run(p)
		return
	}
	small := out.Shape // bands count rows of the smaller side
	if f.g == Up2x2 {
		small = in[0].Shape
	}
	band := f.band(small)
	if tail.Pool.Data != nil {
		band += band % 2
	}
	bands := (small.H + band - 1) / band
	np := pairs(f.out)
	// Pairs run fastest: the input of a band stays in the cache while the
	// weights, which are read once for each band, pass by.
	p.Run(small.N*bands*np, func(t int) {
		b := t / np % bands
		r.task(t/np/bands, b*band, min(small.H, (b+1)*band), t%np)
	})
}

// Sizes that control the split into tasks. They affect only the speed, not the
// result, because the order of each output's sum does not depend on them.
const (
	bandBytes  = 512 << 10 // the input of a band should stay in the L2 cache
	bandPixels = 256       // each pass over a chunk's weights should serve this many pixels
	maxBands   = 32        // split into this many bands if bandPixels allows
)

// band returns the number of rows per task.
func (f *Filter[T]) band(s Shape) int {
	row := f.nib * s.rowLen() * 4
	if f.g == Down2x2 {
		row *= 4
	}
	rows := bandBytes / row
	rows = min(rows, (s.H+maxBands-1)/maxBands)
	return min(s.H, max(rows, (bandPixels+s.W-1)/s.W))
}

type convRun[T Float] struct {
	f    *Filter[T]
	ops  *ops[T]
	out  Act[T]
	in   []Act[T]
	bias []T // padded to whole blocks
	tail Tail[T]

	oneRow bool // every row of outputs goes to row 0 of out
}

// chunkBlocks returns the number of input blocks per pass. Their weights, at
// most 32 KiB for a pair, stay in the L1 cache.
func (g Geometry) chunkBlocks() int { return [...]int{4, 32, 16, 8}[g] }

// task computes rows [y0, y1) of one pair of output blocks of image n; for
// Up2x2 the rows are the input's.
func (r *convRun[T]) task(n, y0, y1, pair int) {
	f := r.f
	nv := pairLanes(f.out, pair) / Lanes
	c, _ := f.rows.Get().(*convRow[T]) // it escapes into the kernel's call
	if c == nil {
		c = new(convRow[T])
	}
	defer f.rows.Put(c)
	*c = convRow[T]{kh: 1, kw: 1, inStep: 1, outStep: 1, nv: nv, outBlk: r.out.blockLen()}
	switch f.g {
	case Conv3x3:
		c.kh, c.kw = 3, 3
	case Down2x2:
		c.kh, c.kw, c.inStep = 2, 2, 2
	case Up2x2:
		c.outStep, c.outRow, c.wTap = 2, r.out.rowLen(), f.index(pair, 0, 1)-f.index(pair, 0, 0)
	}
	c.pixels = r.out.W / c.outStep
	block := 0
	for s, in := range r.in {
		c.inBlk, c.inRow = in.blockLen(), in.rowLen()
		nb := in.Blocks()
		for b := 0; b < nb; b += c.blocks {
			c.blocks = min(f.g.chunkBlocks(), nb-b)
			c.lanes = min(Lanes, in.C-b*Lanes)
			c.w = f.w[f.index(pair, block+b, 0):]
			c.bias = nil
			if block+b == 0 {
				c.bias = r.bias[pair*2*Lanes:][:nv*Lanes]
			}
			c.relu = r.relu() && s == len(r.in)-1 && b+c.blocks == nb
			for y := y0; y < y1; y++ {
				oy, iy, ix := y, y, 0
				switch f.g {
				case Conv3x3:
					iy, ix = y-1, -1
				case Down2x2:
					iy = 2 * y
				case Up2x2:
					oy = 2 * y
				}
				to := r.out.at(n, 2*pair, oy, 0)
				if r.oneRow {
					to = r.out.at(0, 2*pair, 0, 0)
				}
				c.out = r.out.Data[to:]
				c.in = in.Data[in.at(n, b, iy, ix):]
				r.ops.conv(c)
			}
		}
		block += nb
	}
	for v := range nv {
		r.finish(n, 2*pair+v, y0*c.outStep, 0, (y1-y0)*c.outStep, r.out.W)
	}
}

// taps calls conv for each tap of a transposed convolution.
func (c *convRow[T]) taps(conv func(*convRow[T])) {
	tap := *c
	tap.wTap = 0
	for k := range 4 {
		tap.w, tap.out = c.w[k*c.wTap:], c.out[k/2*c.outRow+k%2*Lanes:]
		conv(&tap)
	}
}

// convGeneric is the reference.
func convGeneric[T Float](c *convRow[T]) {
	if c.wTap > 0 {
		c.taps(convGeneric[T])
		return
	}
	wide := c.nv * Lanes
	k := c.kw * Lanes
	for v := range c.nv {
		for x := range c.pixels {
			o := (*[Lanes]T)(c.out[v*c.outBlk+x*c.outStep*Lanes:])
			acc := *o
			if c.bias != nil {
				acc = [Lanes]T(c.bias[v*Lanes:])
			}
			for b := range c.blocks {
				for ky := range c.kh {
					in := c.in[b*c.inBlk+ky*c.inRow+x*c.inStep*Lanes:][:k]
					dot(&acc, in, c.w[(b*c.kh+ky)*k*wide+v*Lanes:], wide)
				}
			}
			if c.relu {
				for i, s := range acc {
					if s < 0 {
						acc[i] = 0
					}
				}
			}
			*o = acc
		}
	}
}

// dot adds in[i]·w[i·stride:][:8] to acc for every i. The sums live in local
// variables, which the compiler keeps in registers.
func dot[T Float](acc *[Lanes]T, in, w []T, stride int) {
	a0, a1, a2, a3, a4, a5, a6, a7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for i, v := range in {
		r := (*[Lanes]T)(w[i*stride:])
		a0 += v * r[0]
		a1 += v * r[1]
		a2 += v * r[2]
		a3 += v * r[3]
		a4 += v * r[4]
		a5 += v * r[5]
		a6 += v * r[6]
		a7 += v * r[7]
	}
	*acc = [Lanes]T{a0, a1, a2, a3, a4, a5, a6, a7}
}
