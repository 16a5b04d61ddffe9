package kernel

import (
	"fmt"
	"sync"
)

// WeightGrad computes the weight gradient of one convolution. It owns the
// memory for partial sums, so it serves one Run at a time.
//
// The gradient correlates two tensors: v, read pixel by pixel (the output's
// gradient, or the input for Up2x2), and b, read through the kernel's window.
// Tiles of the gradient, a pair of blocks of v times a block of b, are summed
// over the pixels in parts whose number depends only on the shape, and the
// parts are added in order.
type WeightGrad[T Float] struct {
	g       Geometry
	out     int
	sources []int
	v, b    []gradBlock // the rows and columns of tiles
	partial []T
	runs    sync.Pool // of *gradRun[T], one for each task that runs
}

// gradBlock is a block, or a pair of them, of one of the tensors.
type gradBlock struct {
	act     int // index of the tensor; 0 for the gradient
	block   int // first block within it
	channel int // first channel, counted over all sources
	lanes   int // how many channels exist
	wide    int // lanes with padding: 8, for a pair 16
}

// NewWeightGrad returns the weight gradient of the convolution that
// NewFilter's arguments describe.
func NewWeightGrad[T Float](g Geometry, out int, sources ...int) *WeightGrad[T] {
	checkChannels(g, out, sources)
	w := &WeightGrad[T]{g: g, out: out, sources: append([]int(nil), sources...)}
	v, b := []int{out}, w.sources
	if g == Up2x2 {
		v, b = b, v
	}
	w.v, w.b = gradBlocks(v, 2), gradBlocks(b, 1)
	return w
}

// gradBlocks lists the runs of up to n blocks in tensors with the given
// channels.
func gradBlocks(channels []int, n int) (list []gradBlock) {
	first := 0
	for i, c := range channels {
		for b := 0; b < blocks(c); b += n {
			lanes := min(n*Lanes, c-b*Lanes)
			list = append(list, gradBlock{i, b, first + b*Lanes, lanes, blocks(lanes) * Lanes})
		}
		first += c
	}
	return list
}

// gradRun is the work of one call of the inner loop. For every tap (ky, kx) and
// lane l of b, it adds Σ v[y][x] · b[y·step+ky][x·step+kx][l] over rows×pixels
// to dw[ky][kx][l]. The sum is computed separately and added to dw at the end,
// which keeps the rounding error of long sums small. Strides are in elements.
type gradRun[T Float] struct {
	k, step      int // the kernel has k×k taps
	nv           int // blocks of v: 2 or 1
	lanes        int // lanes of b that hold channels; the others may be skipped
	dw           []T // [k][k][8][8·nv]
	v, b         []T
	vBlk, vRow   int
	bRow         int
	rows, pixels int
	vNext, bNext int // from v and b to those of a possible next call, for prefetching
}

// The split into parts. One call of the inner loop sums a segment: few enough pixels
// that v and b stay in the L1 cache over the taps.
const (
	segmentPixels = 128
	gradTasks     = 32      // this many tasks, if there are enough rows
	partPixels    = 4096    // a part's share of v and b should stay in the L2 cache
	partialBytes  = 8 << 20 // limit on the partial sums of all parts, in float32
)

// Run computes dw, in the order of Filter.Pack, from the inputs and the
// gradient of the output. dw is overwritten.
func (w *WeightGrad[T]) Run(p *Pool, dw []T, in []Act[T], dy Act[T]) {
	if len(in) != len(w.sources) {
		panic(fmt.Sprintf("kernel: weight gradient of %d sources, want %d", len(in), len(w.sources)))
	}
	for i, c := range w.sources {
		in[i].check("weight gradient: source", in[0].with(c))
	}
	dy.check("weight gradient: output gradient", w.g.output(in[0].Shape, w.out))
	checkLen("weight gradient", len(dw), w.out*totalChannels(w.sources)*w.g.taps())

	v, b := []Act[T]{dy}, in
	if w.g == Up2x2 {
		v, b = b, v
	}
	s := v[0].Shape
	rows := max(1, segmentPixels/s.W)
	perImage := (s.H + rows - 1) / rows
	units := s.N * perImage
	tiles := len(w.v) * len(w.b)
	tile := w.tileLen()
	parts := min(s.N*s.H*s.W/partPixels, partialBytes/4/(tiles*tile))
	parts = min(units, max(parts, (gradTasks+tiles-1)/tiles))
	if n := parts * tiles * tile; len(w.partial) < n {
		w.partial = Aligned[T](n)
	}
	kernels := opsOf[T](p)
	p.Run(parts*tiles, func(t int) {
		part, i := t/tiles, t%tiles
		sum := w.partial[t*tile:][:tile]
		clear(sum)
		r, _ := w.runs.Get().(*gradRun[T]) // it escapes into the kernel's call
		if r == nil {
			r = new(gradRun[T])
		}
		defer w.runs.Put(r)
		for u := part * units / parts; u < (part+1)*units/parts; u++ {
			y := u % perImage * rows
			w.segment(kernels, r, sum, i, v, b, u/perImage, y, min(rows, s.H-y))
		}
	})
	p.Run(tiles, func(i int) { w.reduce(dw, i, parts) })
}

func (w *WeightGrad[T]) tileLen() int { return w.g.taps() * Lanes * 2 * Lanes }

// segment adds the products of some rows of image n to a tile; r is scratch.
func (w *WeightGrad[T]) segment(o *ops[T], r *gradRun[T], dw []T, tile int, vs, bs []Act[T], n, y, rows int) {
	vb, bb := w.v[tile/len(w.b)], w.b[tile%len(w.b)]
	v, b := vs[vb.act], bs[bb.act]
	*r = gradRun[T]{
		k: 1, step: 1, nv: vb.wide / Lanes, lanes: bb.lanes, dw: dw,
		vBlk: v.blockLen(), vRow: v.rowLen(), bRow: b.rowLen(), rows: rows,
	}
	halo := 0
	switch w.g {
	case Conv3x3:
		r.k, halo = 3, 1
	case Up2x2, Down2x2:
		r.k, r.step = 2, 2
	}
	parts := (v.W + segmentPixels - 1) / segmentPixels
	for i := range parts {
		x, end := i*v.W/parts, (i+1)*v.W/parts
		r.pixels = end - x
		r.v = v.Data[v.at(n, vb.block, y, x):]
		r.b = b.Data[b.at(n, bb.block, y*r.step-halo, x*r.step-halo):]
		r.vNext, r.bNext = (end-x)*Lanes, (end-x)*r.step*Lanes
		if i == parts-1 {
			r.vNext, r.bNext = rows*r.vRow-x*Lanes, (rows*r.bRow-x*Lanes)*r.step
		}
		o.weightGrad(r)
	}
}

// reduce adds the parts of a tile and stores them in dw.
func (w *WeightGrad[T]) reduce(dw []T, tile, parts int) {
	vb, bb := w.v[tile/len(w.b)], w.b[tile%len(w.b)]
	size := w.tileLen()
	stride := len(w.v) * len(w.b) * size
	sum := w.partial[tile*size:][:size]
	for part := 1; part < parts; part++ {
		for i, s := range w.partial[tile*size+part*stride:][:size] {
			sum[i] += s
		}
	}
	o := w.g.order(w.out, totalChannels(w.sources))
	if w.g == Up2x2 {
		o.out, o.in = o.in, o.out
	}
	for t := range w.g.taps() {
		for l := range bb.lanes {
			row := sum[(t*Lanes+l)*vb.wide:][:vb.lanes]
			i := vb.channel*o.out + (bb.channel+l)*o.in + t*o.step
			for _, s := range row {
				dw[i] = s
				i += o.out
			}
		}
	}
}

// weightGradGeneric is the reference.
func weightGradGeneric[T Float](r *gradRun[T]) {
	wide := r.nv * Lanes
	for tap := range r.k * r.k {
		ky, kx := tap/r.k, tap%r.k
		for l := range r.lanes {
			for v := range r.nv {
				acc := (*[Lanes]T)(r.dw[(tap*Lanes+l)*wide+v*Lanes:])
				var s [Lanes]T
				for y := range r.rows {
					rank1(&s, r.v[v*r.vBlk+y*r.vRow:][:r.pixels*Lanes],
						r.b[(y*r.step+ky)*r.bRow+kx*Lanes+l:], r.step*Lanes)
				}
				for i := range acc {
					acc[i] += s[i]
				}
			}
		}
	}
}

// rank1 adds v[x]·b[x·stride] to acc for every pixel x.
func rank1[T Float](acc *[Lanes]T, v, b []T, stride int) {
	a0, a1, a2, a3, a4, a5, a6, a7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for i := 0; len(v) >= Lanes; i += stride {
		r, s := (*[Lanes]T)(v), b[i]
		a0 += r[0] * s
		a1 += r[1] * s
		a2 += r[2] * s
		a3 += r[3] * s
		a4 += r[4] * s
		a5 += r[5] * s
		a6 += r[6] * s
		a7 += r[7] * s
		v = v[Lanes:]
	}
	*acc = [Lanes]T{a0, a1, a2, a3, a4, a5, a6, a7}
}
