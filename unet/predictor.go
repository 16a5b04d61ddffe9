package unet

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"segd"
	"segd/internal/kernel"
	"segd/unet/op"
)

// Limits of what a Predictor keeps between calls.
const (
	maxPlans      = 16      // sizes of image
	maxIdle       = 8       // arenas
	maxIdleBytes  = 1 << 29 // of them, except the newest
	wholeFactor   = 4       // of TilePixels: what a network that is not tiled may take
	tilePixelsB16 = 1 << 20
)

// PredictorOptions are the settings of a Predictor.
type PredictorOptions struct {
	// Pool runs the kernels; nil means the calling goroutine. With fewer calls in
	// progress than threads, each call uses the whole pool; otherwise each runs
	// in its own goroutine.
	Pool *Pool
	// TilePixels limits the pixels that pass through the network at once, and
	// thus the memory of a call. 0 means 2^20 at width 16, and proportionally
	// less for wider networks.
	TilePixels int
	// Exact uses direct convolution in every layer. Otherwise layers use
	// Winograd's algorithm if it is faster. Its results differ in the fifth
	// digit: by at most 1e-4 of a layer's standard deviation.
	Exact bool
	// BFloat16 rounds the operands of Winograd's algorithm to bfloat16, in layers
	// chosen by shape alone. It is faster on machines with AVX512-BF16, and
	// everywhere less exact, by a hundredth of a layer's standard deviation. It
	// cannot be combined with Exact.
	BFloat16 bool
}

// Predictor runs a network. It holds the weights, packed once for the kernels,
// a plan for each recent image size, and reusable memory of past runs. It is
// safe for concurrent use: each call runs in its own memory.
type Predictor struct {
	config Config
	pool   *kernel.Pool
	budget int
	exact  bool
	bf16   bool
	layers map[string]*weights // by the name of the first tensor

	mu    sync.Mutex
	plans []*plan  // most recently used last
	idle  []*arena // most recently used last
}

// NewPredictor packs the weights p of network c. It copies p; later changes to
// p have no effect.
func NewPredictor(c Config, p *Params, o PredictorOptions) (*Predictor, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if p.config != c {
		return nil, fmt.Errorf("unet: %w: the parameters belong to another network", segd.ErrOption)
	}
	if o.TilePixels < 0 {
		return nil, fmt.Errorf("unet: %w: tiles of %d pixels, want a positive number", segd.ErrOption, o.TilePixels)
	}
	if o.Exact && o.BFloat16 {
		return nil, fmt.Errorf("unet: %w: Exact and BFloat16 cannot be combined", segd.ErrOption)
	}
	q := &Predictor{config: c, pool: o.Pool.inner(), budget: o.TilePixels, exact: o.Exact, bf16: o.BFloat16, layers: map[string]*weights{}}
	if q.budget == 0 {
		q.budget = max(1<<16, tilePixelsB16*16/c.Width)
	}
	// The plan of the smallest image packs all layers.
	s := c.Stride()
	_, err := q.compile(shape{N: 1, H: s, W: s, ValidH: s, ValidW: s}, p)
	return q, err
}

// Config returns the network.
func (q *Predictor) Config() Config { return q.config }

// Predict returns the class probabilities of each pixel, the softmax of Logits.
// A regression network gives its values, unchanged from Logits.
func (q *Predictor) Predict(ctx context.Context, x *segd.Tensor) (*segd.Tensor, error) {
	t, err := q.Logits(ctx, x)
	if err != nil {
		return nil, err
	}
	if q.config.Head == HeadClasses {
		err = q.softmax(ctx, t)
	}
	return t, err
}

// Logits returns the network's output for x, [N, Channels, H, W] with any H and
// W, normalised by the model's preprocess.Recipe. The result is [N, Classes, H,
// W], owned by the caller. Logits neither keeps nor modifies x.
//
// Sizes that are not multiples of the stride are padded by reflection at the
// right and bottom. Images beyond the tile budget pass through the network in
// overlapping tiles, with the same result as the whole image, up to rounding if
// the Predictor is not exact. If the statistics of normalisation come from the
// image itself (instance, group), there is no tiling, and the limit is four
// times the budget: segd.ErrTooLarge. An x that does not fit the network is
// segd.ErrFormat. Logits returns when ctx ends, within one layer of a tile. At
// these points shorter requests may also overtake that of ctx: see package
// turns.
func (q *Predictor) Logits(ctx context.Context, x *segd.Tensor) (*segd.Tensor, error) {
	c := q.config
	if x.N < 1 || x.C != c.Channels || x.H < 1 || x.W < 1 || len(x.Data) != x.N*x.C*x.H*x.W {
		return nil, fmt.Errorf("unet: %w: input of %d×%d×%d×%d with %d values, want %d channels",
			segd.ErrFormat, x.N, x.C, x.H, x.W, len(x.Data), c.Channels)
	}
	tiles, size, err := q.layout(x.H, x.W)
	if err != nil {
		return nil, err
	}
	a, err := q.borrow(size)
	if err != nil {
		return nil, err
	}
	defer q.giveBack(a)
	q.pool.Enter()
	defer q.pool.Leave()
	out := segd.NewTensor(x.N, c.Classes, x.H, x.W)
	for n := range x.N {
		for _, t := range tiles.tiles {
			if err := a.tile(ctx, q.pool, out, x, n, t); err != nil {
				return nil, fmt.Errorf("unet: %w", err)
			}
		}
	}
	return out, nil
}

// layout returns the tiles in which an image of h×w passes through the network,
// and the size of the plan that runs them.
func (q *Predictor) layout(height, width int) (tiling, shape, error) {
	c, s := q.config, q.config.Stride()
	h, w := (height+s-1)/s*s, (width+s-1)/s*s
	budget := q.budget
	if c.Norm == NormInstance || c.Norm == NormGroup {
		budget *= wholeFactor
		if h*w > budget {
			return tiling{}, shape{}, fmt.Errorf("unet: %w: %d×%d pixels for a network with %s normalisation, limit %d in all",
				segd.ErrTooLarge, height, width, c.Norm, budget)
		}
	}
	tiles := c.cut(h, w, budget)
	size := shape{N: 1, H: tiles.h, W: tiles.w, ValidH: tiles.h, ValidW: tiles.w}
	if len(tiles.tiles) == 1 {
		size.ValidH, size.ValidW = height, width
	}
	if c.Norm == NormNone || c.Norm == NormBatch {
		size.ValidH, size.ValidW = size.H, size.W // irrelevant: one plan serves
	}
	return tiles, size, nil
}

// tile runs the network on a tile of image n, directly on x and out if they
// have the size of the plan.
func (a *arena) tile(ctx context.Context, pool *kernel.Pool, out, x *segd.Tensor, n int, t tile) error {
	s := a.plan.shape
	hw := s.H * s.W
	if x.H == s.H && x.W == s.W {
		return a.run(ctx, pool, x.Data[n*x.C*hw:][:x.C*hw], out.Data[n*out.C*hw:][:out.C*hw])
	}
	if a.image == nil {
		a.image, a.logits = make([]float32, x.C*hw), make([]float32, out.C*hw)
	}
	a.fill(x, n, t)
	if err := a.run(ctx, pool, a.image, a.logits); err != nil {
		return err
	}
	a.store(out, n, t)
	return nil
}

// fill copies the pixels of a tile of image n, reflected beyond its border.
func (a *arena) fill(x *segd.Tensor, n int, t tile) {
	s := a.plan.shape
	for c := range x.C {
		src := x.Plane(n, c)
		for y := range s.H {
			from := src[mirror(t.y+y, x.H)*x.W:][:x.W]
			to := a.image[(c*s.H+y)*s.W:][:s.W]
			in := copy(to, from[min(t.x, x.W):])
			for i := in; i < s.W; i++ {
				to[i] = from[mirror(t.x+i, x.W)]
			}
		}
	}
}

// store copies the part of the result that the tile owns.
func (a *arena) store(out *segd.Tensor, n int, t tile) {
	s := a.plan.shape
	x1 := min(t.x1, out.W)
	for c := range out.C {
		dst := out.Plane(n, c)
		for y := t.y0; y < min(t.y1, out.H); y++ {
			if t.x0 < x1 {
				copy(dst[y*out.W+t.x0:y*out.W+x1], a.logits[(c*s.H+y-t.y)*s.W+t.x0-t.x:])
			}
		}
	}
}

// borrow returns memory for one run at that size, reused or new.
func (q *Predictor) borrow(s shape) (*arena, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p, err := q.planOf(s)
	if err != nil {
		return nil, err
	}
	for j := len(q.idle) - 1; j >= 0; j-- {
		if a := q.idle[j]; a.plan == p {
			q.idle = slices.Delete(q.idle, j, j+1)
			return a, nil
		}
	}
	return newArena(p), nil
}

// planOf returns the plan of one size and creates it if necessary. The caller
// holds q.mu.
func (q *Predictor) planOf(s shape) (*plan, error) {
	if i := slices.IndexFunc(q.plans, func(p *plan) bool { return p.shape == s }); i >= 0 {
		p := q.plans[i]
		q.plans = append(slices.Delete(q.plans, i, i+1), p)
		return p, nil
	}
	p, err := q.compile(s, nil)
	if err != nil {
		return nil, err
	}
	q.plans = append(q.plans, p)
	if len(q.plans) > maxPlans {
		old := q.plans[0]
		q.plans = slices.Delete(q.plans, 0, 1)
		q.idle = slices.DeleteFunc(q.idle, func(a *arena) bool { return a.plan == old })
	}
	return p, nil
}

// giveBack keeps an arena for the next run, within bounds.
func (q *Predictor) giveBack(a *arena) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.plans, a.plan) {
		return
	}
	q.idle = append(q.idle, a)
	bytes := 0
	for i := len(q.idle) - 1; i >= 0; i-- {
		bytes += q.idle[i].bytes()
		if n := len(q.idle) - i; n > 1 && (n > maxIdle || bytes > maxIdleBytes) {
			q.idle = slices.Delete(q.idle, 0, i+1)
			return
		}
	}
}

// compile makes the plan for one size. With p, it packs the layers from p;
// later plans reuse them.
func (q *Predictor) compile(s shape, p *Params) (*plan, error) {
	b, err := build(q.config, nil, s, mode{}, nil)
	if err != nil {
		return nil, err
	}
	once := func(name string, make func() *weights) *weights {
		w, ok := q.layers[name]
		if !ok {
			w = make()
			q.layers[name] = w
		}
		return w
	}
	c := &compiler{graph: b.net.graph, plan: &plan{shape: s}, value: map[int64]int{}}
	c.layer = func(spec op.Conv, names, norm []string) *weights {
		return once(names[0], func() *weights { return q.packConv(p, spec, names, norm) })
	}
	c.head = func(spec op.Head, names []string) *weights {
		return once(names[0], func() *weights {
			f := kernel.NewFilter[float32](kernel.Conv1x1, spec.Out.C, spec.X.C)
			f.Pack(p.data(names[0]))
			return &weights{filter: f, bias: slices.Clone(p.data(names[1]))}
		})
	}
	c.scale = func(names []string) *weights {
		return once(names[0], func() *weights {
			return &weights{gamma: slices.Clone(p.data(names[0])), beta: slices.Clone(p.data(names[1]))}
		})
	}
	c.affine = func(x kernel.Shape, names []string) *weights {
		if names == nil {
			return once(fmt.Sprint("identity of ", x.C), func() *weights {
				one, zero := op.Identity[float32](x)
				return &weights{gamma: one, beta: zero}
			})
		}
		return once(names[0], func() *weights {
			w := &weights{gamma: make([]float32, x.Blocks()*kernel.Lanes), beta: make([]float32, x.Blocks()*kernel.Lanes)}
			scale, shift := op.FoldBatch(p.data(names[0]), p.data(names[1]), p.data(names[2]), p.data(names[3]))
			for i := range scale {
				w.gamma[i], w.beta[i] = float32(scale[i]), float32(shift[i])
			}
			return w
		})
	}
	return c.compile()
}

// packConv packs a convolution's weights, multiplied by the scale of the
// following batch normalisation, and its bias, plus the shift.
func (q *Predictor) packConv(p *Params, spec op.Conv, names, norm []string) *weights {
	w := slices.Clone(p.data(names[0]))
	out := &weights{}
	if len(names) > 1 {
		out.bias = slices.Clone(p.data(names[1]))
	}
	if norm != nil {
		scale, shift := op.FoldBatch(p.data(norm[0]), p.data(norm[1]), p.data(norm[2]), p.data(norm[3]))
		per := len(w) / len(scale)
		for i := range w {
			w[i] = float32(float64(w[i]) * scale[i/per])
		}
		bias := make([]float32, len(shift))
		for c := range bias {
			bias[c] = float32(shift[c])
			if out.bias != nil {
				bias[c] += float32(scale[c] * float64(out.bias[c]))
			}
		}
		out.bias = bias
	}
	out.filter = kernel.NewFilter[float32](spec.Geometry, spec.Out.C, spec.Sources...)
	if q.exact {
		out.filter.SetExact()
	}
	if q.bf16 {
		out.filter.SetBFloat16()
	}
	out.filter.Pack(w)
	return out
}
