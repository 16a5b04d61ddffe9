package unet

import (
	"context"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
	"segd/unet/op"
)

// plan is the inference program of one network for one image size, compiled
// from the graph that training differentiates, in evaluation mode. Batch
// normalisation is folded into the weights. ReLU, sums of two and max-pooling
// run in the tail of the preceding convolution. Activations share memory once
// nothing reads them any more. A compiled plan never changes.
type plan struct {
	shape   shape
	logits  kernel.Shape
	steps   []step
	values  []life // counted in steps
	offsets []int  // of the values in an arena's slab
	floats  int    // length of the slab
	norms   []op.Norm
}

// step is one kernel call.
type step struct {
	do      action
	in      []int // values
	out     int   // value; the head has none and repeats its input
	weights *weights
	relu    bool
	norm    int // index in plan.norms
	// The tail of a convolution: whether the last of in is added to the
	// output, and the value that takes its maxima; 0, the image, for none.
	add  bool
	pool int
	// dirty: the memory of out, or of pool, last held an activation of another shape,
	// so its halo must be zeroed.
	dirty, dirtyPool bool
}

type action int

const (
	doPack action = iota
	doConv
	doNorm
	doMaxPool
	doHead
	doScale // in inference: a batch normalisation that no convolution precedes, or ReLU alone
	doAdd
	doBilinear
	doGate
)

// weights are the weights of one layer, shared by the plans of all sizes.
type weights struct {
	filter      *kernel.Filter[float32]
	bias        []float32
	gamma, beta []float32 // of doNorm; the scale and shift of doScale
}

// compiler turns a graph into a plan.
type compiler struct {
	graph *G.ExprGraph
	// layer returns the weights of the layer whose weight tensor is named;
	// norm is the normalisation that follows, to be folded, or nil.
	layer func(conv op.Conv, names, norm []string) *weights
	head  func(spec op.Head, names []string) *weights
	scale func(names []string) *weights
	// affine returns the scale and shift of a batch normalisation, or of ReLU
	// alone, which has no names.
	affine func(x kernel.Shape, names []string) *weights
	plan   *plan
	value  map[int64]int // by node
}

// compile compiles the network's graph to a plan.
func (c *compiler) compile() (*plan, error) {
	order, err := G.Sort(c.graph)
	if err != nil {
		return nil, fmt.Errorf("unet: %w", err)
	}
	slices.Reverse(order)
	for _, n := range order {
		if _, done := c.value[n.ID()]; done || n.Op() == nil {
			continue
		}
		if err := c.node(n); err != nil {
			return nil, err
		}
	}
	c.plan.place()
	return c.plan, nil
}

func (c *compiler) node(n *G.Node) error {
	in := c.children(n)
	switch spec := op.Spec(n.Op()).(type) {
	case op.Pack:
		c.emit(n, spec.Out, step{do: doPack})
	case op.Conv:
		c.conv(n, spec, in)
	case op.MaxPool:
		c.maxPool(n, spec, in)
	case op.Head:
		x := c.of(in[:1])
		c.plan.logits = spec.Out
		c.plan.steps = append(c.plan.steps, step{do: doHead, in: x, out: x[0], weights: c.head(spec, names(in[1:]))})
	case op.Bilinear:
		out := spec.In
		out.H, out.W = 2*out.H, 2*out.W
		c.emit(n, out, step{do: doBilinear, in: c.of(in)})
	case op.Norm:
		c.norm(n, spec, in)
	case op.ReLU:
		c.over(n, in[0], spec.X, step{do: doScale, in: c.of(in), relu: true, weights: c.affine(spec.X, nil)})
	case op.Gate:
		c.over(n, in[0], spec.X, step{do: doGate, in: c.of(in)})
	case op.Add:
		c.add(n, spec, in)
	default:
		return fmt.Errorf("unet: no plan for operation %v", n.Op())
	}
	return nil
}

// norm emits a normalisation that is not folded into a convolution.
func (c *compiler) norm(n *G.Node, spec op.Norm, in []*G.Node) {
	s := step{in: c.of(in[:1]), relu: spec.ReLU}
	if spec.Over == op.Batch {
		s.do, s.weights = doScale, c.affine(spec.X, names(in[1:]))
	} else {
		s.do, s.weights, s.norm = doNorm, c.scale(names(in[1:3])), len(c.plan.norms)
		c.plan.norms = append(c.plan.norms, spec)
	}
	c.over(n, in[0], spec.X, s)
}

// convBefore returns the convolution that wrote the value of a node and its
// place among the steps, or nil if another step wrote it or came after.
func (c *compiler) convBefore(n *G.Node) (*step, int) {
	for i := len(c.plan.steps) - 1; i >= 0; i-- {
		if s := &c.plan.steps[i]; s.out == c.value[n.ID()] {
			if s.do == doConv {
				return s, i
			}
			break
		}
	}
	return nil, -1
}

// maxPool adds the pooling to the preceding convolution, if there is one, or
// else emits a step.
func (c *compiler) maxPool(n *G.Node, spec op.MaxPool, in []*G.Node) {
	out := spec.In
	out.H, out.W = out.H/2, out.W/2
	conv, _ := c.convBefore(in[0])
	if conv == nil || conv.pool != 0 {
		c.emit(n, out, step{do: doMaxPool, in: c.of(in)})
		return
	}
	conv.pool = c.newValue(n, out)
}

// add lets the later of two summands add the other if it is a convolution with
// no other reader. Otherwise it emits a sum, in place over a summand with no
// other reader if possible.
func (c *compiler) add(n *G.Node, spec op.Add, in []*G.Node) {
	for i := range in {
		if len(in) != 2 || !c.onlyOnce(in[i]) {
			continue
		}
		conv, at := c.convBefore(in[i])
		other := c.value[in[1-i].ID()]
		later := slices.ContainsFunc(c.plan.steps[at+1:], func(s step) bool { return s.out == other || s.pool == other })
		if conv == nil || conv.relu || conv.add || conv.pool != 0 || conv.out == other || later {
			continue
		}
		conv.in, conv.add, conv.relu = append(conv.in, other), true, spec.ReLU
		c.value[n.ID()] = conv.out
		return
	}
	in = slices.Clone(in)
	if i := slices.IndexFunc(in, c.onlyOnce); i > 0 {
		in[0], in[i] = in[i], in[0]
	}
	c.over(n, in[0], spec.X, step{do: doAdd, in: c.of(in), relu: spec.ReLU})
}

// over emits a pixelwise step, in place over its input if the input has no
// other reader.
func (c *compiler) over(n, input *G.Node, s kernel.Shape, st step) {
	if !c.onlyOnce(input) {
		c.emit(n, s, st)
		return
	}
	st.out = c.value[input.ID()]
	c.plan.steps = append(c.plan.steps, st)
	c.value[n.ID()] = st.out
}

// onlyOnce reports whether a node has a single reader.
func (c *compiler) onlyOnce(n *G.Node) bool { return c.graph.To(n.ID()).Len() == 1 }

// conv emits a convolution, with batch normalisation folded in if that is its
// only reader.
func (c *compiler) conv(n *G.Node, spec op.Conv, in []*G.Node) {
	sources := len(in) - 1
	if spec.Bias {
		sources--
	}
	s := step{do: doConv, in: c.of(in[:sources]), relu: spec.ReLU}
	if reader, norm := c.normAfter(n); reader != nil && norm.Over == op.Batch {
		s.weights = c.layer(spec, names(in[sources:]), names(c.children(reader)[1:]))
		s.relu = norm.ReLU
		c.value[reader.ID()] = c.emit(n, spec.Out, s)
		return
	}
	s.weights = c.layer(spec, names(in[sources:]), nil)
	c.emit(n, spec.Out, s)
}

// normAfter returns the normalisation that is the only reader of n, or nil.
func (c *compiler) normAfter(n *G.Node) (*G.Node, op.Norm) {
	readers := c.graph.To(n.ID())
	if readers.Len() != 1 || !readers.Next() {
		return nil, op.Norm{}
	}
	r := readers.Node().(*G.Node)
	if spec, ok := op.Spec(r.Op()).(op.Norm); ok {
		return r, spec
	}
	return nil, op.Norm{}
}

// emit appends a step whose result is the value of node n.
func (c *compiler) emit(n *G.Node, s kernel.Shape, st step) int {
	st.out = c.newValue(n, s)
	c.plan.steps = append(c.plan.steps, st)
	return st.out
}

func (c *compiler) newValue(n *G.Node, s kernel.Shape) int {
	v := len(c.plan.values)
	c.plan.values = append(c.plan.values, life{shape: s})
	c.value[n.ID()] = v
	return v
}

func (c *compiler) children(n *G.Node) []*G.Node {
	var ns []*G.Node
	for it := c.graph.From(n.ID()); it.Next(); {
		ns = append(ns, it.Node().(*G.Node))
	}
	return ns
}

func (c *compiler) of(ns []*G.Node) []int {
	vs := make([]int, len(ns))
	for i, n := range ns {
		vs[i] = c.value[n.ID()]
	}
	return vs
}

func names(ns []*G.Node) []string {
	s := make([]string, len(ns))
	for i, n := range ns {
		s[i] = n.Name()
	}
	return s
}

// place assigns memory to each value.
func (p *plan) place() {
	for i, s := range p.steps {
		if !s.inPlace() {
			p.values[s.out].from = i
		}
		p.values[s.out].to = i
		if s.pool != 0 {
			p.values[s.pool].from, p.values[s.pool].to = i, i
		}
		for _, v := range s.in {
			p.values[v].to = i
		}
	}
	var dirty []bool
	p.offsets, dirty, p.floats = place(p.values)
	for i := range p.steps {
		s := &p.steps[i]
		if !s.inPlace() {
			s.dirty = dirty[s.out]
		}
		s.dirtyPool = s.pool != 0 && dirty[s.pool]
	}
}

// inPlace reports whether the step overwrites its input.
func (s step) inPlace() bool { return slices.Contains(s.in, s.out) }

// arena is the memory of one run of a plan.
type arena struct {
	plan   *plan
	image  []float32 // C,H,W: for a tile that is not a whole image; else nil
	logits []float32 // Classes,H,W: likewise
	acts   []kernel.Act[float32]
	ins    [][]kernel.Act[float32] // by step
	norms  []*op.Normalizer[float32]
}

func newArena(p *plan) *arena {
	slab := kernel.Aligned[float32](p.floats)
	a := &arena{plan: p}
	for i, v := range p.values {
		a.acts = append(a.acts, kernel.Act[float32]{Shape: v.shape, Data: slab[p.offsets[i]:][:v.shape.Len()]})
	}
	for _, s := range p.steps {
		var in []kernel.Act[float32]
		for _, v := range s.in {
			in = append(in, a.acts[v])
		}
		a.ins = append(a.ins, in)
	}
	for _, n := range p.norms {
		a.norms = append(a.norms, op.NewNormalizer[float32](n))
	}
	return a
}

// bytes returns the approximate size of the arena.
func (a *arena) bytes() int { return 4 * (a.plan.floats + len(a.image) + len(a.logits)) }

// run maps an image, C,H,W, to logits, Classes,H,W. It returns early when ctx
// ends, and shorter requests may overtake it between two steps. The number of
// threads of a step depends on the load; its result does not.
func (a *arena) run(ctx context.Context, shared *kernel.Pool, image, logits []float32) error {
	for i := range a.plan.steps {
		if err := next(ctx, shared); err != nil {
			return err
		}
		a.step(i, shared.Share(), image, logits)
	}
	return nil
}

// step runs step i on the threads of pool.
func (a *arena) step(i int, pool *kernel.Pool, image, logits []float32) {
	s, in := &a.plan.steps[i], a.ins[i]
	out := a.acts[s.out]
	if s.dirty {
		op.ClearHalo(out)
	}
	if s.dirtyPool {
		op.ClearHalo(a.acts[s.pool])
	}
	switch s.do {
	case doPack:
		kernel.Pack(pool, out, image)
	case doConv:
		tail := kernel.Tail[float32]{ReLU: s.relu}
		if s.add {
			in, tail.Add = in[:len(in)-1], in[len(in)-1]
		}
		if s.pool != 0 {
			tail.Pool = a.acts[s.pool]
		}
		s.weights.filter.RunTail(pool, out, in, s.weights.bias, tail)
	case doNorm:
		a.norms[s.norm].Run(pool, out, in[0], s.weights.gamma, s.weights.beta)
	case doMaxPool:
		kernel.MaxPool2x2(pool, out, in[0])
	case doHead:
		s.weights.filter.RunPlain(pool, logits, in[0], s.weights.bias)
	case doScale:
		kernel.ScaleShift(pool, out, in[0], s.weights.gamma, s.weights.beta, s.relu)
	case doAdd:
		kernel.Add(pool, out, in, s.relu)
	case doBilinear:
		kernel.Bilinear2x(pool, out, in[0])
	case doGate:
		kernel.Gate(pool, out, in[0], in[1])
	}
}
