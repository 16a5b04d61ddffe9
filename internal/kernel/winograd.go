package kernel

// Winograd's F(4×4,3×3) (Winograd 1980; Lavin and Gray 2015, arXiv:1509.09308)
// computes 4×4 pixels of a 3×3 convolution with 36 products for each pair of
// an input and an output channel, where direct convolution takes 144.
//
// A block of tiles is processed completely in scratch memory that stays in the L2
// cache. Its input is transformed to V, a chunk of channels at a time, and the
// weights of the chunk to U. 36 matrix products, one for each element (plane) of the
// tiles, accumulate M = V·U, which is transformed to the output. The filter keeps
// untransformed weights: transforming them for each block costs less than reading
// four times as many from memory.

// winogradOps are the inner loops for one instruction set. A kernel set without
// them uses direct convolution. The assembly documents each; strides are in
// bytes.
type winogradOps[T Float] struct {
	name       string
	lanes      int    // channels of a vector: one block or a pair of them
	number     number // what V and U are made of
	filter     func(u, w, tmp *T, wTap, wRow, uPlane, uRow, n int)
	halfFilter func(u, w, tmp *T, wTap, wRow, uPlane, uRow, n int) // for 8 outputs, if lanes is 16
	input      func(v, in, tmp *T, inBlk, inRow, vPlane, tiles int)
	output     func(out, m, bias, tmp *T, outBlk, outRow, mPlane, tiles, relu int)
	product    [][]winogradProduct[T] // by vectors of outputs and by tiles minus one
	scratch    scratchList[T]
}

type winogradProduct[T Float] func(m, v, u *T, mVec, mPlane, vVec, vPlane, uPlane, vectors, steps, add int)

const (
	tilePixels = 4  // height and width of a tile of outputs
	planes     = 36 // elements of a transformed tile
)

// number is the element type of V and U. M is of type T.
type number uint8

const (
	whole   number = iota // T
	rounded               // T, which roundBF16 has rounded to bfloat16
	paired                // bfloat16, with two input channels in the space of a T
)

// per returns the number of channels in the space of a T.
func (n number) per() int {
	if n == paired {
		return 2
	}
	return 1
}

// winogradRun is one Run of a filter.
type winogradRun[T Float] struct {
	convRun[T]
	winogradSize
	k       *winogradOps[T]
	vPlane  int // elements of a plane of V
	mPlane  int // and of M
	uPlane  int // of the planes of U of a panel
	scratch int
}

func newWinogradRun[T Float](c convRun[T], k *winogradOps[T]) winogradRun[T] {
	var tiles [5]int
	for i, of := range k.product {
		tiles[i] = len(of)
	}
	r := winogradRun[T]{convRun: c, k: k, winogradSize: c.winogradSize(k.lanes, k.number, tiles[:len(k.product)])}
	most := (r.plan.tiles + r.plan.blocks - 1) / r.plan.blocks
	r.vPlane, r.mPlane = oddLines(most*k.lanes/r.per), oddLines(most*k.lanes)
	r.uPlane = oddLines(r.plan.chunk * k.lanes * r.panel * k.lanes / r.per)
	r.scratch = r.mStart() + planes*r.mPlane*r.plan.group
	if r.plan.sharedU {
		r.scratch = r.mStart() + planes*r.mPlane*r.panel
	}
	return r
}

// oddLines rounds a number of elements up to an odd number of cache lines, so
// that planes do not compete for the same few sets of a cache.
func oddLines(n int) int {
	const line = 16 // elements, if float32
	return ((n+line-1)/line | 1) * line
}

// Offsets of the parts of the scratch memory: small ones, then V, U, M.
func (r *winogradRun[T]) patchStart() int { return planes * r.lanes }
func (r *winogradRun[T]) biasStart() int  { return r.patchStart() + planes*r.lanes }
func (r *winogradRun[T]) vStart() int     { return r.biasStart() + 16 }
func (r *winogradRun[T]) uStart() int {
	if r.plan.sharedV {
		return r.vStart()
	}
	return r.vStart() + r.plan.chunk*planes*r.vPlane
}
func (r *winogradRun[T]) mStart() int {
	if r.plan.sharedU {
		return r.uStart()
	}
	return r.uStart() + planes*r.uPlane
}

// run computes the convolution.
func (r winogradRun[T]) run(p *Pool) {
	groups := (r.nout + r.plan.group - 1) / r.plan.group
	var u, v []T
	if r.plan.sharedU {
		panels := (r.nout + r.panel - 1) / r.panel
		u = r.k.scratch.take(panels * planes * r.uPlane)
		defer r.k.scratch.give(u)
		p.Run(panels, func(t int) {
			s := r.k.scratch.take(r.vStart())
			k := t * r.panel
			r.filters(u[t*planes*r.uPlane:], s, 0, r.nin, k, min(r.panel, r.nout-k))
			r.k.scratch.give(s)
		})
	}
	if r.plan.sharedV {
		v = r.k.scratch.take(r.plan.blocks * r.nin * planes * r.vPlane)
		defer r.k.scratch.give(v)
		p.Run(r.plan.blocks*r.nin, func(t int) {
			s := r.k.scratch.take(r.vStart())
			t0, t1 := r.tilesOf(t / r.nin)
			r.input(v[t*planes*r.vPlane:], s, t0, t1, t%r.nin, 1)
			r.k.scratch.give(s)
		})
	}
	p.Run(r.plan.blocks*groups, func(t int) {
		s := r.k.scratch.take(r.scratch)
		r.task(s, u, v, t/groups, t%groups)
		r.k.scratch.give(s)
	})
}

func (r *winogradRun[T]) tilesOf(block int) (t0, t1 int) {
	return block * r.plan.tiles / r.plan.blocks, (block + 1) * r.plan.tiles / r.plan.blocks
}

// task computes a group of outputs of a block of tiles. All tasks share sharedU and
// sharedV, if the plan has them.
func (r *winogradRun[T]) task(s, sharedU, sharedV []T, block, group int) {
	p := &r.plan
	k0, k1 := group*p.group, min(r.nout, (group+1)*p.group)
	t0, t1 := r.tilesOf(block)
	for c := 0; c < r.nin; c += p.chunk {
		n := min(p.chunk, r.nin-c)
		v := s[r.vStart():]
		if p.sharedV {
			v = sharedV[(block*r.nin+c)*planes*r.vPlane:]
		} else {
			r.input(v, s, t0, t1, c, n)
		}
		for k := k0; k < k1; k += r.panel {
			nv := min(r.panel, k1-k)
			u, m := s[r.uStart():], s[r.mStart():]
			if p.sharedU {
				u = sharedU[k/r.panel*planes*r.uPlane:]
			} else {
				r.filters(u, s, c, n, k, nv)
				m = m[(k-k0)*planes*r.mPlane:]
			}
			r.products(m, v, u, n, nv, t1-t0, c > 0)
			if c+n == r.nin {
				r.output(s, m, t0, t1, k, nv)
			}
		}
	}
}

// vector finds input vector i: its source, its first block there and that
// block's number over all sources.
func (r *winogradRun[T]) vector(i int) (source, block, inFilter int) {
	for s, c := range r.f.sources {
		if n := r.vectors(c); i >= n {
			i -= n
			inFilter += blocks(c)
			continue
		}
		return s, i * r.blocks, inFilter + i*r.blocks
	}
	panic("kernel: no such vector")
}

// input transforms n input vectors, starting at c, of tiles [t0, t1) to V,
// [vector][plane][tile][lane].
func (r *winogradRun[T]) input(v, s []T, t0, t1, c, n int) {
	for t := t0; t < t1; {
		row, x := t/r.tw, t%r.tw
		image, y := row/r.th, row%r.th
		whole := min(t1-t, r.out.W/tilePixels-x) // tiles whose pixels all exist
		if (y+1)*tilePixels > r.out.H {
			whole = 0
		}
		for i := range n {
			source, block, _ := r.vector(c + i)
			in := r.in[source]
			blk := in.blockLen()
			if block+r.blocks > in.Blocks() {
				blk = 0 // no second block; the weights for its lanes are 0
			}
			v := &v[i*planes*r.vPlane+(t-t0)*r.lanes/r.per]
			from := in.Data[in.at(image, block, y*tilePixels-1, x*tilePixels-1):]
			if whole > 0 {
				r.k.input(v, &from[0], &s[0], blk*4, in.rowLen()*4, r.vPlane*4, whole)
				continue
			}
			patch := s[r.patchStart():r.biasStart()]
			r.patch(patch, from, blk, in.rowLen(), y, x)
			r.k.input(v, &patch[0], &s[0], planes*Lanes*4, 6*Lanes*4, r.vPlane*4, 1)
		}
		t += max(1, whole)
	}
	if r.k.number == rounded {
		for p := range n * planes {
			roundBF16(v[p*r.vPlane:][:(t1-t0)*r.lanes])
		}
	}
}

// patch copies the existing pixels of the 6×6 pixels of tile (y, x) to separate
// memory and sets the others to zero.
func (r *winogradRun[T]) patch(dst, in []T, inBlk, inRow, y, x int) {
	clear(dst)
	h, w := min(6, r.out.H+2-y*tilePixels), min(6, r.out.W+2-x*tilePixels)
	for b := range r.blocks {
		for i := range h {
			copy(dst[(b*6+i)*6*Lanes:][:w*Lanes], in[b*inBlk+i*inRow:])
		}
	}
}

// filters transforms the weights of n input vectors, starting at c, for nv output
// vectors, starting at k, to U, [plane][input vector][input lane][nv][output lane],
// or, paired, [plane][input vector][input lane/2][nv][output lane][input lane%2].
func (r *winogradRun[T]) filters(u, s []T, c, n, k, nv int) {
	lanes := r.lanes
	row := nv * lanes
	for i := range n {
		source, block, inFilter := r.vector(c + i)
		for b := range r.blocks {
			to := u[(i*lanes+b*Lanes)/r.per*row:]
			if block+b >= blocks(r.f.sources[source]) {
				for p := range planes {
					clear(to[p*r.uPlane:][:Lanes/r.per*row])
				}
				continue
			}
			for j := range nv {
				pair, off := (k+j)*r.blocks/2, (k+j)*r.blocks%2*Lanes
				wide := pairLanes(r.f.out, pair)
				filter := r.k.filter
				if wide < lanes {
					filter = r.k.halfFilter
				}
				w := r.f.w[r.f.index(pair, inFilter+b, 0)+off:]
				filter(&to[j*lanes], &w[0], &s[0], Lanes*wide*4, wide*4, r.uPlane*4, row*4, Lanes)
			}
		}
	}
	if r.k.number == rounded {
		for p := range planes {
			roundBF16(u[p*r.uPlane:][:n*lanes*row])
		}
	}
}

// products computes M, [output vector][plane][tile][lane], or adds to it.
func (r *winogradRun[T]) products(m, v, u []T, n, nv, tiles int, add bool) {
	kernels := r.k.product[nv]
	passes := (tiles + len(kernels) - 1) / len(kernels)
	small, large := tiles/passes, tiles%passes
	adding := 0
	if add {
		adding = 1
	}
	at := 0 // tiles
	for _, run := range [2][2]int{{small + 1, large}, {small, passes - large}} {
		if run[1] > 0 {
			kernels[run[0]-1](&m[at*r.lanes], &v[at*r.lanes/r.per], &u[0], planes*r.mPlane*4, r.mPlane*4,
				planes*r.vPlane*4, r.vPlane*4, r.uPlane*4, n, run[1], adding)
			at += run[0] * run[1]
		}
	}
}

// output transforms M of nv output vectors, starting at k, to pixels.
func (r *winogradRun[T]) output(s, m []T, t0, t1, k, nv int) {
	out, relu := r.out, 0
	if r.relu() {
		relu = 1
	}
	for j := range nv {
		block := (k + j) * r.blocks
		bias := s[r.biasStart():][:r.lanes]
		clear(bias)
		copy(bias, r.bias[block*Lanes:])
		exist := min(r.blocks, out.Blocks()-block)
		blk := (exist - 1) * out.blockLen()
		for t := t0; t < t1; {
			row, x := t/r.tw, t%r.tw
			image, y := row/r.th, row%r.th
			whole := min(t1-t, out.W/tilePixels-x)
			if (y+1)*tilePixels > out.H {
				whole = 0
			}
			from := &m[j*planes*r.mPlane+(t-t0)*r.lanes]
			to := out.Data[out.at(image, block, y*tilePixels, x*tilePixels):]
			h, w := tilePixels, whole*tilePixels
			if whole > 0 {
				r.k.output(&to[0], from, &bias[0], &s[0], blk*4, out.rowLen()*4, r.mPlane*4, whole, relu)
			} else {
				h, w = r.outputPart(s, to, from, bias, exist, y, x, relu)
			}
			for b := range exist {
				r.finish(image, block+b, y*tilePixels, x*tilePixels, h, w)
			}
			t += max(1, whole)
		}
	}
}

// outputPart transforms M of tile (y, x), of which only h×w pixels exist, in
// separate memory and copies the existing pixels of the given number of blocks.
func (r *winogradRun[T]) outputPart(s, to []T, from *T, bias []T, blocks, y, x, relu int) (h, w int) {
	const side = tilePixels * Lanes
	patch := s[r.patchStart():r.biasStart()]
	r.k.output(&patch[0], from, &bias[0], &s[0], tilePixels*side*4*(blocks-1), side*4, r.mPlane*4, 1, relu)
	h, w = min(tilePixels, r.out.H-y*tilePixels), min(tilePixels, r.out.W-x*tilePixels)
	for b := range blocks {
		for i := range h {
			copy(to[b*r.out.blockLen()+i*r.out.rowLen():], patch[(b*tilePixels+i)*side:][:w*Lanes])
		}
	}
	return h, w
}
