package kernel

import (
	"fmt"
	"sync"
)

// Geometry is a kind of convolution.
type Geometry uint8

const (
	// Conv3x3 is a 3×3 convolution with a zero border of one pixel; the
	// output is as large as the input.
	Conv3x3 Geometry = iota
	// Conv1x1 is a linear map of the channels of each pixel.
	Conv1x1
	// Up2x2 is the transposed convolution with a 2×2 kernel and stride 2. Each
	// input pixel fills four output pixels.
	Up2x2
	// Down2x2 is the 2×2 convolution with stride 2, the adjoint of Up2x2.
	Down2x2
)

var geometryNames = [...]string{"Conv3x3", "Conv1x1", "Up2x2", "Down2x2"}

// String returns the constant's name.
func (g Geometry) String() string {
	if int(g) < len(geometryNames) {
		return geometryNames[g]
	}
	return fmt.Sprintf("Geometry(%d)", g)
}

// taps returns the number of weights for each pair of an input and an output
// channel.
func (g Geometry) taps() int { return [...]int{9, 1, 4, 4}[g] }

// adjoint returns the geometry that maps an output gradient back to the input.
func (g Geometry) adjoint() Geometry { return [...]Geometry{Conv3x3, Conv1x1, Down2x2, Up2x2}[g] }

// output returns the shape of the output for inputs of shape s.
func (g Geometry) output(s Shape, c int) Shape {
	switch g {
	case Up2x2:
		s.H, s.W = 2*s.H, 2*s.W
	case Down2x2:
		s.H, s.W = s.H/2, s.W/2
	}
	return s.with(c)
}

// affine gives the position of a weight: off + oc·out + ic·in + tap·step.
type affine struct{ off, out, in, step int }

// order returns PyTorch's order of weights: [out][in][tap], but [in][out][tap]
// for the transposed convolution.
func (g Geometry) order(out, in int) affine {
	k := g.taps()
	if g == Up2x2 {
		return affine{out: k, in: out * k, step: 1}
	}
	return affine{out: in * k, in: k, step: 1}
}

// Filter holds the packed weights of one convolution, whose input is one or
// more activations read as if their channels were concatenated.
//
// Run may be called from several goroutines at once. Pack and PackAdjoint need
// exclusive access.
type Filter[T Float] struct {
	g       Geometry
	out     int
	sources []int
	nib     int // blocks of all sources; a source begins a block of its own

	// Pairs of output blocks; within one [block][tap][in lane][16], but
	// [tap][block][in lane][16] for Up2x2. 8 for 16 where the last pair is a
	// single block. Lanes beyond a channel count are zero.
	w []T

	algorithm algorithm
	bf16      bool

	rows    sync.Pool // of *convRow[T], one for each task that runs
	scratch scratchList[T]

	adjoint *affine // where PackAdjoint finds the weights
	wlen    int     // the number of weights it expects
}

// algorithm selects how a 3×3 convolution is computed.
type algorithm uint8

const (
	byShape algorithm = iota
	direct
	winograd
)

// SetExact makes Run use direct convolution for every shape, even if Winograd's
// algorithm, with about ten times the rounding error, is faster.
func (f *Filter[T]) SetExact() { f.algorithm = direct }

// SetBFloat16 makes Run round the operands of 3×3 convolutions with Winograd's
// algorithm to bfloat16: the transformed input and the transformed weights.
// Sums, bias and all stored values are of type T. The result is off by a
// hundredth of its standard deviation, at most by a tenth; Winograd's algorithm
// alone is off by about 1e-5.
//
// The choice of rounded layers depends only on their shape. Results therefore
// differ between kernel sets by the order of sums and, rarely, by one rounding
// to bfloat16.
func (f *Filter[T]) SetBFloat16() { f.bf16 = true }

// NewFilter returns a filter of zeros with the given numbers of output channels
// and of input channels per source. The sources of a Run have the same height
// and width.
func NewFilter[T Float](g Geometry, out int, sources ...int) *Filter[T] {
	checkChannels(g, out, sources)
	f := &Filter[T]{g: g, out: out, sources: append([]int(nil), sources...)}
	for _, c := range sources {
		f.nib += blocks(c)
	}
	f.w = Aligned[T](blocks(out) * f.nib * g.taps() * Lanes * Lanes)
	return f
}

// NewAdjoint returns the filter that computes the gradient of one source of
// the convolution (g, out, sources) from the gradient of its output. Fill it
// with PackAdjoint; it then runs like any other, with one source of out
// channels, sources[source] output channels and no bias.
func NewAdjoint[T Float](g Geometry, out int, sources []int, source int) *Filter[T] {
	checkChannels(g, out, sources)
	lo, all := 0, 0
	for i, c := range sources {
		if i < source {
			lo += c
		}
		all += c
	}
	f := NewFilter[T](g.adjoint(), sources[source], out)
	o := g.order(out, all)
	f.wlen = out * all * g.taps()
	f.adjoint = &affine{off: lo * o.in, out: o.in, in: o.out, step: o.step}
	if g == Conv3x3 { // correlation with the kernel turned by 180°
		f.adjoint.off += (g.taps() - 1) * o.step
		f.adjoint.step = -o.step
	}
	return f
}

func checkChannels(g Geometry, out int, sources []int) {
	if int(g) >= len(geometryNames) || out < 1 || len(sources) == 0 {
		panic(fmt.Sprintf("kernel: no convolution %v of %v to %d channels", g, sources, out))
	}
	for _, c := range sources {
		if c < 1 {
			panic(fmt.Sprintf("kernel: no convolution %v of %v to %d channels", g, sources, out))
		}
	}
}

func totalChannels(v []int) (s int) {
	for _, x := range v {
		s += x
	}
	return s
}

// Pack sets the weights, given in PyTorch's order: [out][in][ky][kx], or
// [in][out][ky][kx] for Up2x2. in counts the channels of all sources in
// sequence. Pack copies w and does not allocate.
func (f *Filter[T]) Pack(w []T) {
	in := totalChannels(f.sources)
	checkLen("pack: weights", len(w), f.out*in*f.g.taps())
	f.pack(w, f.g.order(f.out, in))
}

// PackAdjoint sets the weights of the convolution that the filter is the
// adjoint, in that convolution's order (see Pack). It panics unless the filter
// comes from NewAdjoint. It does not allocate.
func (f *Filter[T]) PackAdjoint(w []T) {
	if f.adjoint == nil {
		panic("kernel: PackAdjoint on a filter that is not from NewAdjoint")
	}
	checkLen("pack: weights", len(w), f.wlen)
	f.pack(w, *f.adjoint)
}

func (f *Filter[T]) pack(w []T, o affine) {
	taps := f.g.taps()
	for pair := range pairs(f.out) {
		wide := pairLanes(f.out, pair)
		outs := min(wide, f.out-pair*2*Lanes)
		block, first := 0, 0
		for _, c := range f.sources {
			for ic := range c {
				src := o.off + pair*2*Lanes*o.out + (first+ic)*o.in
				for t := range taps {
					dst := f.w[f.index(pair, block+ic/Lanes, t)+ic%Lanes*wide:][:outs]
					i := src + t*o.step
					for oc := range dst {
						dst[oc] = w[i]
						i += o.out
					}
				}
			}
			block += blocks(c)
			first += c
		}
	}
}

// index returns the start of the weights of one tap of an input block.
func (f *Filter[T]) index(pair, block, tap int) int {
	taps := f.g.taps()
	i := block*taps + tap
	if f.g == Up2x2 {
		i = tap*f.nib + block
	}
	return pair*f.nib*taps*Lanes*2*Lanes + i*Lanes*pairLanes(f.out, pair)
}

// pairs returns the number of pairs of blocks; the last may be a single block.
func pairs(c int) int { return (blocks(c) + 1) / 2 }

// pairLanes returns the number of lanes of a pair: 16, or 8 for a single block.
func pairLanes(c, pair int) int {
	if 2*pair+1 == blocks(c) {
		return Lanes
	}
	return 2 * Lanes
}
