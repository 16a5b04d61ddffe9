package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"segd"
	"segd/internal/kernel"
)

// Pack describes the entry of a graph: it converts a plain N,C,H,W image to a
// blocked activation.
type Pack struct{ Out kernel.Shape }

// Conv describes a 3×3 convolution with same padding or a 2×2 transposed
// convolution of stride 2. Its inputs are the sources, the weights and, with
// Bias, the bias.
type Conv struct {
	Geometry kernel.Geometry
	Out      kernel.Shape
	Sources  []int // channels of each
	Bias     bool
	ReLU     bool
}

// MaxPool describes 2×2 max-pooling of stride 2.
type MaxPool struct{ In kernel.Shape }

// grad describes a derivative of an operation.
type grad struct {
	Of   any
	Part string // the input it belongs to
}

// Pack converts a plain image of shape N,C,H,W to a blocked activation. It has
// no derivative: the first convolution's data gradient is never computed.
func (s *Set[T]) Pack(image *G.Node) (Act, error) {
	d := image.Shape()
	if d.Dims() != 4 {
		return Act{}, fmt.Errorf("op: image has shape %v, want N,C,H,W", d)
	}
	shape := kernel.Shape{N: d[0], C: d[1], H: d[2], W: d[3]}
	n, err := s.apply(&operation[T]{
		spec: Pack{Out: shape},
		in:   []port{like(image)},
		out:  blocked(shape),
		run: func(out []T, in args[T]) error {
			kernel.Pack(s.pool, act(shape, out), in.f[0])
			return nil
		},
	}, image)
	return Act{Node: n, Shape: shape, frozen: true}, err
}

// Conv3x3 is the 3×3 convolution with same padding of the sources x, read as
// if their channels were concatenated in that order: a long skip connection
// costs no copy. w is (out, in, 3, 3); bias is (out) or nil; relu fuses
// max(0, ·). All sources have the same N, H and W.
func (s *Set[T]) Conv3x3(w, bias *G.Node, relu bool, x ...Act) (Act, error) {
	if d := w.Shape(); d.Dims() != 4 || d[2] != 3 || d[3] != 3 {
		return Act{}, fmt.Errorf("op: 3×3 convolution: weights of shape %v", d)
	}
	out := x[0].Shape
	out.C = w.Shape()[0]
	return s.convolve(kernel.Conv3x3, out, w.Shape()[1], w, bias, relu, x)
}

// ConvTranspose2x2 is the 2×2 transposed convolution of stride 2, which
// doubles height and width. w is (in, out, 2, 2); bias is (out) or nil.
func (s *Set[T]) ConvTranspose2x2(w, bias *G.Node, x Act) (Act, error) {
	if d := w.Shape(); d.Dims() != 4 || d[2] != 2 || d[3] != 2 {
		return Act{}, fmt.Errorf("op: 2×2 transposed convolution: weights of shape %v", d)
	}
	out := kernel.Shape{N: x.Shape.N, C: w.Shape()[1], H: 2 * x.Shape.H, W: 2 * x.Shape.W}
	return s.convolve(kernel.Up2x2, out, w.Shape()[0], w, bias, false, []Act{x})
}

// convolution holds what a convolution and its derivatives share.
type convolution[T kernel.Float] struct {
	set     *Set[T]
	spec    Conv
	sources []kernel.Shape
	counts  []int
	w       port
	dbias   []T // what reluGrad leaves for the bias
}

func (s *Set[T]) convolve(g kernel.Geometry, out kernel.Shape, in int, w, bias *G.Node, relu bool, x []Act) (Act, error) {
	c := &convolution[T]{set: s, w: like(w)}
	c.spec = Conv{Geometry: g, Out: out, Bias: bias != nil, ReLU: relu}
	o := &operation[T]{out: blocked(out), diff: c.diff(x)}
	var nodes []*G.Node
	total := 0
	for _, a := range x {
		if a.Shape.N != out.N || a.Shape.H != x[0].Shape.H || a.Shape.W != x[0].Shape.W {
			return Act{}, fmt.Errorf("op: %w: concatenation of %s and %s: sources must agree in images, height and width",
				segd.ErrOption, describe(x[0].Shape), describe(a.Shape))
		}
		total += a.Shape.C
		c.sources, c.counts = append(c.sources, a.Shape), append(c.counts, a.Shape.C)
		o.in, nodes = append(o.in, blocked(a.Shape)), append(nodes, a.Node)
		o.wrt = append(o.wrt, !a.frozen && a.late == nil)
	}
	if total != in {
		return Act{}, fmt.Errorf("op: weights of shape %v for %d channels", w.Shape(), total)
	}
	c.spec.Sources = c.counts
	o.spec = c.spec
	o.in, nodes, o.wrt = append(o.in, c.w), append(nodes, w), append(o.wrt, true)
	if bias != nil {
		o.in, nodes, o.wrt = append(o.in, plain(out.C)), append(nodes, bias), append(o.wrt, true)
	}
	o.run = c.forward()
	n, err := s.apply(o, nodes...)
	return Act{Node: n, Shape: out}, err
}

// acts views the sources' memory as activations.
func (c *convolution[T]) acts(dst []kernel.Act[T], in args[T]) []kernel.Act[T] {
	dst = dst[:0]
	for i, s := range c.sources {
		dst = append(dst, act(s, in.f[i]))
	}
	return dst
}

func (c *convolution[T]) forward() func([]T, args[T]) error {
	var filter *kernel.Filter[T]
	var src []kernel.Act[T]
	return func(out []T, in args[T]) error {
		if filter == nil {
			filter = kernel.NewFilter[T](c.spec.Geometry, c.spec.Out.C, c.counts...)
		}
		n := len(c.sources)
		filter.Pack(in.f[n])
		src = c.acts(src, in)
		var bias []T
		if c.spec.Bias {
			bias = in.f[n+1]
		}
		filter.Run(c.set.pool, act(c.spec.Out, out), src, bias, c.spec.ReLU)
		return nil
	}
}

// diff adds d(source) for each source that needs one, d(weights) and d(bias).
func (c *convolution[T]) diff(x []Act) func(in G.Nodes, out, dy *G.Node) (G.Nodes, error) {
	return func(in G.Nodes, out, dy *G.Node) (G.Nodes, error) {
		var err error
		if c.spec.ReLU {
			if dy, err = c.reluGrad(out, dy); err != nil {
				return nil, err
			}
		}
		grads := make(G.Nodes, len(in))
		n := len(c.sources)
		for i := range c.sources {
			if x[i].frozen {
				continue
			}
			if grads[i], err = c.dataGrad(i, in[n], dy); err != nil {
				return nil, err
			}
			if late := x[i].late; late != nil {
				if late.grad != nil {
					return nil, fmt.Errorf("op: a long skip of shape %v has more than one reader", x[i].Shape)
				}
				late.grad, grads[i] = grads[i], nil
			}
		}
		sources := make(G.Nodes, n)
		for i, a := range x {
			if sources[i], err = a.read(dy); err != nil {
				return nil, err
			}
		}
		if grads[n], err = c.weightGrad(sources, dy); err != nil {
			return nil, err
		}
		switch {
		case c.spec.Bias && c.spec.ReLU:
			grads[n+1], err = c.biasOfReLU(dy)
		case c.spec.Bias:
			grads[n+1], err = c.biasGrad(dy)
		}
		return grads, err
	}
}

// dataGrad is d(source i): the adjoint convolution of dy.
func (c *convolution[T]) dataGrad(i int, w, dy *G.Node) (*G.Node, error) {
	var filter *kernel.Filter[T]
	return c.set.apply(&operation[T]{
		spec: grad{c.spec, fmt.Sprint("source ", i)},
		in:   []port{c.w, blocked(c.spec.Out)},
		out:  blocked(c.sources[i]),
		run: func(out []T, in args[T]) error {
			if filter == nil {
				filter = kernel.NewAdjoint[T](c.spec.Geometry, c.spec.Out.C, c.counts, i)
			}
			filter.PackAdjoint(in.f[0])
			dy := []kernel.Act[T]{act(c.spec.Out, in.f[1])}
			filter.Run(c.set.pool, act(c.sources[i], out), dy, nil, false)
			return nil
		},
	}, w, dy)
}

func (c *convolution[T]) weightGrad(x G.Nodes, dy *G.Node) (*G.Node, error) {
	var wg *kernel.WeightGrad[T]
	var src []kernel.Act[T]
	n := len(c.sources)
	o := &operation[T]{
		spec: grad{c.spec, "weight"},
		out:  c.w,
		run: func(out []T, in args[T]) error {
			if wg == nil {
				wg = kernel.NewWeightGrad[T](c.spec.Geometry, c.spec.Out.C, c.counts...)
			}
			src = c.acts(src, in)
			wg.Run(c.set.pool, out, src, act(c.spec.Out, in.f[n]))
			return nil
		},
	}
	for _, s := range c.sources {
		o.in = append(o.in, blocked(s))
	}
	o.in = append(o.in, blocked(c.spec.Out))
	return c.set.apply(o, append(append([]*G.Node{}, x...), dy)...)
}

// biasGrad is the sum of dy over everything but the channel.
func (c *convolution[T]) biasGrad(dy *G.Node) (*G.Node, error) {
	shape := c.spec.Out
	return c.set.apply(&operation[T]{
		spec: grad{c.spec, "bias"},
		in:   []port{blocked(shape)},
		out:  plain(shape.C),
		run: func(out []T, in args[T]) error {
			kernel.ChannelSum(c.set.pool, out, act(shape, in.f[0]))
			return nil
		},
	}, dy)
}

// reluGrad passes dy where the output y of the fused ReLU is positive. It also
// sums what it passes, which is the gradient of the bias.
func (c *convolution[T]) reluGrad(y, dy *G.Node) (*G.Node, error) {
	shape := c.spec.Out
	if c.spec.Bias {
		c.dbias = make([]T, shape.C)
	}
	return c.set.reluGrad(c.spec, shape, c.dbias, y, dy)
}

// reluGrad passes dy where y is positive. If sum is not nil, it receives the
// sum of the passed values for each channel.
func (s *Set[T]) reluGrad(of any, shape kernel.Shape, sum []T, y, dy *G.Node) (*G.Node, error) {
	return s.apply(&operation[T]{
		spec: grad{of, "relu"},
		in:   []port{blocked(shape), blocked(shape)},
		out:  blocked(shape),
		run: func(out []T, in args[T]) error {
			kernel.ReLUGrad(s.pool, sum, act(shape, out), act(shape, in.f[0]), act(shape, in.f[1]))
			return nil
		},
	}, y, dy)
}

// biasOfReLU returns the sum that reluGrad computed. The result of reluGrad is
// its child, so that it has run.
func (c *convolution[T]) biasOfReLU(dy *G.Node) (*G.Node, error) {
	return c.set.apply(&operation[T]{
		spec: grad{c.spec, "bias"},
		in:   []port{blocked(c.spec.Out)},
		out:  plain(c.spec.Out.C),
		run: func(out []T, _ args[T]) error {
			copy(out, c.dbias)
			return nil
		},
	}, dy)
}

// lateGrad is the gradient of a long skip from the convolution at its end. The
// pooling at its start adds it to its own gradient. Gorgonia's sum of the two
// would be another pass over both and a copy.
type lateGrad struct{ grad *G.Node }

// PoolSkip is MaxPool2x2 for an x that also starts a long skip connection: skip
// is x, to be read by one convolution.
func (s *Set[T]) PoolSkip(x Act) (pooled, skip Act, err error) {
	skip = x
	skip.late = &lateGrad{}
	pooled, err = s.maxPool(x, skip.late)
	return pooled, skip, err
}

// MaxPool2x2 halves the height and width, which must be even, and keeps the
// maximum of each 2×2 square. Its derivative goes to the first maximum in
// row-major order.
func (s *Set[T]) MaxPool2x2(x Act) (Act, error) { return s.maxPool(x, &lateGrad{}) }

func (s *Set[T]) maxPool(x Act, late *lateGrad) (Act, error) {
	if x.Shape.H%2 != 0 || x.Shape.W%2 != 0 {
		return Act{}, fmt.Errorf("op: max-pooling of shape %v, want even height and width", x.Shape)
	}
	spec, big, small := MaxPool{In: x.Shape}, x.Shape, x.Shape
	small.H, small.W = big.H/2, big.W/2
	n, err := s.apply(&operation[T]{
		spec: spec,
		in:   []port{blocked(big)},
		out:  blocked(small),
		run: func(out []T, in args[T]) error {
			kernel.MaxPool2x2(s.pool, act(small, out), act(big, in.f[0]))
			return nil
		},
		wrt: []bool{true},
		diff: func(in G.Nodes, out, dy *G.Node) (G.Nodes, error) {
			// The convolution at the end of the skip is nearer to the loss, so
			// that its derivative is there.
			o := &operation[T]{
				spec: grad{spec, "x"},
				in:   []port{blocked(big), blocked(small), blocked(small)},
				out:  blocked(big),
				run: func(out []T, in args[T]) error {
					var add kernel.Act[T]
					if len(in.f) > 3 {
						add = act(big, in.f[3])
					}
					kernel.MaxPool2x2Grad(s.pool, act(big, out), act(big, in.f[0]), act(small, in.f[1]), act(small, in.f[2]), add)
					return nil
				},
			}
			from, err := x.read(dy)
			if err != nil {
				return nil, err
			}
			nodes := []*G.Node{from, out, dy}
			if late.grad != nil {
				o.in, nodes = append(o.in, blocked(big)), append(nodes, late.grad)
			}
			dx, err := s.apply(o, nodes...)
			return G.Nodes{dx}, err
		},
	}, x.Node)
	return Act{Node: n, Shape: small}, err
}
