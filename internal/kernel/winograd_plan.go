package kernel

// The choice of Winograd's algorithm for a convolution, and its split into tasks.

// winograd returns the Run by Winograd's algorithm, and false if direct
// convolution should be used. The choice depends on shapes, the kernel set and
// the filter's settings, never on load or memory, so that results repeat to the
// bit. In bfloat16 it does not depend on the kernel set either: the same layers
// are rounded on every machine.
func (r *convRun[T]) winograd() (w winogradRun[T], pays bool) {
	k := r.ops.winograd
	if r.f.bf16 {
		k = r.ops.bf16
	}
	if k == nil || r.f.g != Conv3x3 || r.f.algorithm == direct {
		return w, false
	}
	w = newWinogradRun(*r, k)
	switch {
	case r.f.algorithm == winograd:
		return w, true
	case r.f.bf16:
		return w, r.pays(r.winogradSize(2*Lanes, paired, pairedTiles))
	}
	return w, r.pays(w.winogradSize)
}

// pairedTiles holds the maximum number of tiles of an AVX512-BF16 product with 1 to 4
// output vectors. Every machine plans bfloat16 with these numbers.
var pairedTiles = []int{1: 14, 2: 14, 3: 9, 4: 6}

// pays compares the cycles on one core with those of direct convolution, as
// measured on Ice Lake with AVX-512. On other machines all of them change by
// about the same factor.
func (r *convRun[T]) pays(s winogradSize) bool {
	channels := 0 // whose products direct convolution computes
	for _, c := range r.f.sources {
		if c > 1 { // of grey images, one lane
			c = blocks(c) * Lanes
		}
		channels += c
	}
	// A product takes half a cycle for one vector of outputs, or for two in bfloat16.
	// A single channel, or few channels in a mostly empty vector, are not worth the
	// transforms. Nor are maps of a few pixels, where most of a tile lies outside the
	// image and the transform of the weights serves few tiles.
	const product, input, output, filter = 0.5, 200, 130, 130
	pairs := float64(s.nin * s.nout)
	directly := product * 9 * float64(r.out.N*r.out.H*r.out.W*channels*s.nout)
	products := product * planes * pairs * float64(s.lanes/s.per)
	tiles := float64(s.plan.tiles) * (products + float64(input*s.nin+output*s.nout))
	times := s.plan.blocks
	if s.plan.sharedU {
		times = 1
	}
	return tiles+filter*float64(times)*pairs*float64(s.lanes) < directly
}

// winogradSize is the size of a Run in vectors and tiles.
type winogradSize struct {
	lanes  int // channels of a vector
	blocks int // of 8 channels in a vector
	per    int // input channels of an element of V and U
	th, tw int // tiles down and across
	nin    int // vectors of inputs; each source starts a new one
	nout   int // and of outputs
	panel  int // output vectors of a product
	plan   winogradPlan
}

// winogradPlan says how a Run is split. It depends on shapes and the kernel
// set.
type winogradPlan struct {
	tiles   int  // in all images
	blocks  int  // of tiles
	group   int  // output vectors of a task
	chunk   int  // input vectors of a pass
	sharedU bool // U is made once for all tasks; a task has a single pass
	sharedV bool // V is made once for all tasks
}

// winogradSize counts vectors of lanes channels, and uses product kernels that
// take up to tiles[n] tiles with n output vectors.
func (r *convRun[T]) winogradSize(lanes int, of number, tiles []int) winogradSize {
	s := winogradSize{lanes: lanes, blocks: lanes / Lanes, per: of.per()}
	s.th, s.tw = (r.out.H+tilePixels-1)/tilePixels, (r.out.W+tilePixels-1)/tilePixels
	for _, c := range r.f.sources {
		s.nin += s.vectors(c)
	}
	s.nout = s.vectors(r.out.C)
	s.panel = min(s.nout, len(tiles)-1)
	s.plan = planWinograd(lanes, s.panel, tiles[s.panel], r.out.N*s.th*s.tw, s.nin, s.nout)
	return s
}

func (s *winogradSize) vectors(c int) int { return (blocks(c) + s.blocks - 1) / s.blocks }

// Sizes that control the split. They affect only the speed, not the result, because
// the order of each output's sum does not depend on them. Channels and tiles are
// chosen so that V, U and M of a task fit, or nearly fit, into an L2 cache of 1 MiB.
// Measurements on Ice Lake show that blocks of 64 tiles pay even if part of M is in
// the L3 cache.
const (
	chunkChannels  = 64  // of V and U
	groupChannels  = 256 // of M
	sharedTiles    = 28  // of a block, if U is made once for all
	blockTiles     = 70  // of a block, if U is made for each
	fewBlocks      = 4   // with fewer, tasks are split by outputs too
	fewBlocksTasks = 8   // into about as many tasks
)

// planWinograd splits a Run into tasks. panel and pass are the numbers of
// output vectors and of tiles that suit a product kernel best.
func planWinograd(lanes, panel, pass, tiles, nin, nout int) winogradPlan {
	p := winogradPlan{tiles: tiles, chunk: min(nin, chunkChannels/lanes), group: min(nout, groupChannels/lanes)}
	most := blockTiles
	if p.sharedU = p.chunk == nin; p.sharedU {
		most, p.group = sharedTiles, nout
	}
	most = max(1, most/pass) * pass
	p.blocks = (tiles + most - 1) / most
	if p.blocks < fewBlocks {
		groups := (fewBlocksTasks + p.blocks - 1) / p.blocks
		p.group = min(p.group, (nout+groups-1)/groups)
	}
	p.group = min(nout, (p.group+panel-1)/panel*panel)
	p.sharedV = !p.sharedU && p.blocks < fewBlocks && p.group < nout
	return p
}
