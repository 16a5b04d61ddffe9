package unet

import (
	"fmt"
	"math"
	"runtime"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd"
)

// Trainer is the training graph of one network for one batch shape: an
// expression graph, its symbolic derivative and the machine that runs both.
//
// The trainable tensors are those of the Params given to NewTrainer, so that a
// solver updates them in place. The run itself updates running statistics. A
// Trainer is not safe for concurrent use, and two that share Params must not
// run concurrently.
type Trainer struct {
	batch  Batch
	coarse []coarse
	loss   G.Value
	vm     G.VM
	params G.Nodes
	values []G.ValueGrad
	memory usage
}

// TrainerOptions set the objective of a Trainer and how it computes.
type TrainerOptions struct {
	Pool *Pool // runs the kernels; nil: the calling goroutine
	Loss Loss  // the zero value is cross-entropy plus soft Dice; for values l1 or l2

	// Deep holds heads from DeepHeads, which are trained with the network. The
	// loss is then the mean over their losses and the network's own, where a head
	// n blocks from the end has weight 2^-n. Nil: none.
	Deep *Params
	// FreezeEncoder leaves encoder and bottleneck unchanged, including the
	// running statistics of their batch normalisation, which they then use.
	FreezeEncoder bool
	// Recompute computes normalised activations again in the backward pass
	// instead of keeping them: less memory, more time, and the same result to the
	// bit. It has no effect with NormNone.
	Recompute bool
	// ForwardOnly omits the derivative. Step then takes no solver and only
	// returns the loss, in a third of the time. Batch normalisation uses the
	// statistics of the batch, as in training.
	ForwardOnly bool
}

// Batch is the input of one step.
type Batch struct {
	X       []float32 // N,C,H,W: images
	Y       []uint8   // N,H,W: one class each, or 255 for an ignored pixel
	Weights []float32 // N,H,W: pixel weights if the loss is Weighted; else empty
	Targets []float32 // N,C,H,W: target values of a regression, instead of Y; NaN is ignored
}

// NewTrainer makes the training graph of c for batches of batch images of h×w
// pixels, multiples of c.Stride. It shares the weights p.
func NewTrainer(c Config, p *Params, batch, h, w int, o TrainerOptions) (*Trainer, error) {
	t, graph, err := newTrainer(c, p, batch, h, w, o)
	if err != nil {
		return nil, err
	}
	slab, err := layOut(graph)
	if err != nil {
		return nil, err
	}
	t.memory = slab.allocate()
	t.vm = G.NewTapeMachine(graph, G.BindDualValues(t.params...))
	// Gorgonia gives the machine a finalizer, which only CUDA needs. Machine and
	// graph refer to each other, and a cycle with a finalizer is never freed:
	// hundreds of trainers would stay in memory.
	runtime.SetFinalizer(t.vm, nil)
	t.values = G.NodesToValueGrads(t.params)
	return t, nil
}

// TrainingBytes returns what Trainer.Bytes would return, without allocating
// that memory. It builds the graph, which takes a few milliseconds. The errors
// are those of NewTrainer.
func TrainingBytes(c Config, batch, h, w int, o TrainerOptions) (int64, error) {
	if err := c.WithDefaults().Validate(); err != nil {
		return 0, err
	}
	_, graph, err := newTrainer(c, NewParams(c.WithDefaults(), 0), batch, h, w, o)
	if err != nil {
		return 0, err
	}
	slab, err := layOut(graph)
	return 4 * int64(slab.total), err
}

// newTrainer returns a trainer without a machine, and its graph, whose
// operations have no memory yet.
func newTrainer(c Config, p *Params, batch, h, w int, o TrainerOptions) (*Trainer, *G.ExprGraph, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	if s := c.Stride(); batch < 1 || h < s || w < s || h%s != 0 || w%s != 0 {
		return nil, nil, fmt.Errorf("unet: %w: batch of %d images of %d×%d, want multiples of %d", segd.ErrOption, batch, h, w, s)
	}
	if p.config != c {
		return nil, nil, fmt.Errorf("unet: %w: the parameters belong to another network", segd.ErrOption)
	}
	if err := o.Loss.ValidateFor(c); err != nil {
		return nil, nil, err
	}
	if o.Deep != nil && (o.Deep.config != c || c.Head != HeadClasses) {
		return nil, nil, fmt.Errorf("unet: %w: the heads belong to another network, or deep supervision is set for regression", segd.ErrOption)
	}
	b, err := build(c, p, shape{N: batch, H: h, W: w, ValidH: h, ValidW: w}, mode{train: true, freeze: o.FreezeEncoder, deep: o.Deep, again: o.Recompute && !o.ForwardOnly}, o.Pool.inner())
	if err != nil {
		return nil, nil, err
	}
	t := &Trainer{batch: Batch{X: make([]float32, batch*c.Channels*h*w)}}
	if c.Head == HeadClasses {
		t.batch.Y = make([]uint8, batch*h*w)
	}
	err = G.Let(b.net.image, tensor.New(tensor.WithShape(b.net.image.Shape()...), tensor.WithBacking(t.batch.X)))
	if err != nil {
		return nil, nil, fmt.Errorf("unet: %w", err)
	}
	loss, err := t.addLoss(b, o.Loss)
	if err != nil {
		return nil, nil, err
	}
	if !o.ForwardOnly {
		for _, s := range c.layout() {
			if !s.fixed && !(o.FreezeEncoder && inEncoder(s.name)) {
				t.params = append(t.params, b.net.params[s.name])
			}
		}
		if o.Deep != nil {
			for _, name := range o.Deep.names {
				t.params = append(t.params, b.net.params[name])
			}
		}
		if _, err := G.Grad(loss, t.params...); err != nil {
			return nil, nil, fmt.Errorf("unet: differentiating the loss: %w", err)
		}
	}
	G.Read(loss, &t.loss)
	if err := distinct(b.net.graph); err != nil {
		return nil, nil, err
	}
	return t, b.net.graph, nil
}

// inEncoder reports whether a parameter belongs to the contracting path.
func inEncoder(name string) bool {
	return strings.HasPrefix(name, "enc.") || strings.HasPrefix(name, "bottleneck.")
}

// coarse holds the labels of a batch at a lower resolution.
type coarse struct {
	Batch
	level, h, w int // h×w at full resolution
}

// addLoss adds the loss of every head, with its inputs, to the graph.
func (t *Trainer) addLoss(b *builder, l Loss) (*G.Node, error) {
	loss, err := t.lossOf(b, l, b.net.logits, &t.batch, "")
	if err != nil || len(b.heads) == 0 {
		return loss, err
	}
	losses, weights, sum := G.Nodes{loss}, []float64{1}, 1.0
	t.coarse = make([]coarse, len(b.heads))
	for i, h := range b.heads {
		c := &t.coarse[i]
		c.level, c.h, c.w = h.level, b.size.H, b.size.W
		d := h.logits.Shape()
		c.Y = make([]uint8, d[0]*d[2]*d[3])
		if loss, err = t.lossOf(b, l, h.logits, &c.Batch, fmt.Sprint(" ", i)); err != nil {
			return nil, err
		}
		w := math.Pow(0.5, float64(h.far))
		losses, weights, sum = append(losses, loss), append(weights, w), sum+w
	}
	for i := range weights {
		weights[i] /= sum
	}
	return b.ops.Total(weights, losses...)
}

// lossOf adds the loss of one head; its inputs are the memory of in.
func (t *Trainer) lossOf(b *builder, l Loss, logits *G.Node, in *Batch, suffix string) (*G.Node, error) {
	d := logits.Shape()
	n, h, w := d[0], d[2], d[3]
	if b.Head == HeadRegression {
		in.Targets = make([]float32, d.TotalSize())
		targets := G.NewTensor(b.net.graph, tensor.Float32, 4, G.WithShape(d...), G.WithName("targets"),
			G.WithValue(tensor.New(tensor.WithShape(d...), tensor.WithBacking(in.Targets))))
		return b.ops.Regression(l.Terms == LossL2, logits, targets)
	}
	input := func(of tensor.Dtype, name string, memory any) *G.Node {
		return G.NewTensor(b.net.graph, of, 3, G.WithShape(n, h, w), G.WithName(name+suffix),
			G.WithValue(tensor.New(tensor.WithShape(n, h, w), tensor.WithBacking(memory))))
	}
	labels := input(tensor.Uint8, "labels", in.Y)
	var weights *G.Node
	if l.Weighted() {
		in.Weights = make([]float32, n*h*w)
		weights = input(tensor.Float32, "pixel weights", in.Weights)
	}
	return b.ops.Loss(l.terms(), logits, labels, weights)
}

// fill takes from each square of pixels the one to the lower right of its centre, as
// nearest-neighbour resampling does in nnU-Net (Isensee et al. 2021).
func (c *coarse) fill(b Batch) {
	step, first := 1<<c.level, 1<<c.level/2
	i := 0
	for n := range len(b.Y) / (c.h * c.w) {
		for y := first; y < c.h; y += step {
			for x := first; x < c.w; x += step {
				j := (n*c.h+y)*c.w + x
				c.Y[i] = b.Y[j]
				if b.Weights != nil {
					c.Weights[i] = b.Weights[j]
				}
				i++
			}
		}
	}
}

// distinct makes sure that no two nodes have the same hash: the compiler would
// silently run one of them for both.
func distinct(g *G.ExprGraph) error {
	seen := map[uint32]*G.Node{}
	for _, n := range g.AllNodes() {
		if o, ok := seen[n.Hashcode()]; ok {
			return fmt.Errorf("unet: nodes %v and %v have the same hash", n, o)
		}
		seen[n.Hashcode()] = n
	}
	return nil
}

// Step runs one batch forward and backward, lets s update the weights, and
// returns the loss before the update.
//
// Step copies the batch. With a nil s it computes the gradients and leaves them
// for Learnables. A loss that is not finite is an error, and the weights stay
// unchanged.
func (t *Trainer) Step(b Batch, s G.Solver) (float64, error) {
	if want := t.batch; len(b.X) != len(want.X) || len(b.Y) != len(want.Y) || len(b.Weights) != len(want.Weights) || len(b.Targets) != len(want.Targets) {
		return 0, fmt.Errorf("unet: %w: batch of %d values, %d labels, %d weights and %d targets, want %d, %d, %d and %d", segd.ErrFormat,
			len(b.X), len(b.Y), len(b.Weights), len(b.Targets), len(want.X), len(want.Y), len(want.Weights), len(want.Targets))
	}
	copy(t.batch.X, b.X)
	copy(t.batch.Y, b.Y)
	copy(t.batch.Weights, b.Weights)
	copy(t.batch.Targets, b.Targets)
	for i := range t.coarse {
		t.coarse[i].fill(t.batch)
	}
	// The machine accumulates gradients; not every solver clears them.
	for _, v := range t.values {
		if g, err := v.Grad(); err == nil {
			if d, ok := g.(*tensor.Dense); ok {
				d.Zero()
			}
		}
	}
	// Without Reset the next RunAll would silently do nothing.
	defer t.vm.Reset()
	if err := t.vm.RunAll(); err != nil {
		return 0, fmt.Errorf("unet: training step: %w", err)
	}
	loss, ok := t.loss.Data().(float32)
	if !ok {
		return 0, fmt.Errorf("unet: loss is a %T, want float32", t.loss.Data())
	}
	if l := float64(loss); math.IsNaN(l) || math.IsInf(l, 0) {
		return l, fmt.Errorf("unet: loss is %v, want a finite number; try a lower learning rate", l)
	}
	if s != nil {
		if err := s.Step(t.values); err != nil {
			return 0, fmt.Errorf("unet: solver: %w", err)
		}
	}
	return float64(loss), nil
}

// Learnables returns the trained tensors with their gradients, in the order of
// Params.Names without the running statistics, with the heads of Deep last. The
// gradients are those of the last Step; before the first there are none.
func (t *Trainer) Learnables() []G.ValueGrad { return t.values }

// LearnableNames returns the names of Learnables, in their order.
func (t *Trainer) LearnableNames() []string {
	names := make([]string, len(t.params))
	for i, n := range t.params {
		names[i] = n.Name()
	}
	return names
}

// Bytes returns the memory of the activations and their gradients, which grows
// with the batch. Weights and their gradients are not included.
func (t *Trainer) Bytes() int64 { return 4 * int64(t.memory.shared) }

// Close frees what the machine holds.
func (t *Trainer) Close() error { return t.vm.Close() }
