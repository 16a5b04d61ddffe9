package unet

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd/internal/kernel"
	"segd/unet/op"
)

// network is one expression graph of a U-Net for one shape of batch.
type network struct {
	graph  *G.ExprGraph
	image  *G.Node            // N,C,H,W
	logits *G.Node            // N,Classes,H,W
	params map[string]*G.Node // by name; only those the graph uses
}

// shape of a batch. H and W are multiples of the stride; what lies right of
// ValidW and below ValidH is padding.
type shape struct{ N, H, W, ValidH, ValidW int }

// builder adds the parts of a U-Net to a graph. The first error stays in err
// and the parts after it do nothing, so that the network reads as it is drawn.
type builder struct {
	Config
	ops    *op.Set[float32]
	net    *network
	shapes map[string]tensor.Shape
	values *Params // nil: nodes without values, for a plan
	size   shape
	train  bool
	err    error
}

// build makes the graph of c for one shape of batch. In training batch
// normalisation takes the statistics of the batch, else the running ones.
func build(c Config, values *Params, s shape, train bool, pool *kernel.Pool) (*builder, error) {
	g := G.NewGraph()
	b := &builder{
		Config: c, ops: op.New[float32](pool), values: values, size: s, train: train,
		net:    &network{graph: g, params: map[string]*G.Node{}},
		shapes: map[string]tensor.Shape{},
	}
	for _, p := range c.layout() {
		b.shapes[p.name] = p.shape
	}
	b.net.image = G.NewTensor(g, tensor.Float32, 4, G.WithShape(s.N, c.Channels, s.H, s.W), G.WithName("image"))
	x, err := b.ops.Pack(b.net.image)
	if err != nil {
		return nil, err
	}
	b.net.logits = b.unet(x)
	return b, b.err
}

// unet is Figure 1 of Ronneberger et al. 2015 (arXiv:1505.04597), with same
// padding, so that the mask is as large as the image: down on the left, up on
// the right, and at each level a skip across.
func (b *builder) unet(x op.Act) *G.Node {
	skip := make([]op.Act, b.Depth)
	for l := range b.Depth {
		skip[l] = b.doubleConv(fmt.Sprint("enc.", l), l, x)
		x = b.down(skip[l])
	}
	x = b.doubleConv("bottleneck", b.Depth, x)
	for l := b.Depth - 1; l >= 0; l-- {
		x = b.up(fmt.Sprint("up.", l), x)
		x = b.doubleConv(fmt.Sprint("dec.", l), l, skip[l], x)
	}
	return b.head("head", x)
}

// doubleConv is two 3×3 convolutions, each followed by normalisation and ReLU.
// The first reads the sources x as if they were concatenated.
func (b *builder) doubleConv(name string, level int, x ...op.Act) op.Act {
	y := b.conv(name, 1, level, x...)
	return b.conv(name, 2, level, y)
}

func (b *builder) conv(name string, i, level int, x ...op.Act) op.Act {
	conv, norm := fmt.Sprintf("%s.conv%d", name, i), fmt.Sprintf("%s.norm%d", name, i)
	if b.Norm == NormNone {
		return b.act(func() (op.Act, error) {
			return b.ops.Conv3x3(b.param(conv+".weight"), b.param(conv+".bias"), true, x...)
		})
	}
	y := b.act(func() (op.Act, error) {
		return b.ops.Conv3x3(b.param(conv+".weight"), nil, false, x...)
	})
	// Of a padded image, a level sees as valid each pixel that covers at least
	// one valid pixel of the image.
	round := 1<<level - 1
	spec := op.Norm{
		Over: op.Statistics(b.Norm), Groups: b.Groups, ReLU: true, Train: b.train,
		ValidH: (b.size.ValidH + round) >> level, ValidW: (b.size.ValidW + round) >> level,
	}
	return b.act(func() (op.Act, error) {
		var mean, variance *G.Node
		if b.Norm == NormBatch {
			mean, variance = b.param(norm+".running_mean"), b.param(norm+".running_var")
		}
		return b.ops.Norm(spec, y, b.param(norm+".weight"), b.param(norm+".bias"), mean, variance)
	})
}

// down halves the resolution.
func (b *builder) down(x op.Act) op.Act {
	return b.act(func() (op.Act, error) { return b.ops.MaxPool2x2(x) })
}

// up doubles the resolution and halves the channels.
func (b *builder) up(name string, x op.Act) op.Act {
	return b.act(func() (op.Act, error) {
		return b.ops.ConvTranspose2x2(b.param(name+".weight"), b.param(name+".bias"), x)
	})
}

// head maps the channels of each pixel to the logits of the classes.
func (b *builder) head(name string, x op.Act) *G.Node {
	if b.err != nil {
		return nil
	}
	var n *G.Node
	n, b.err = b.ops.Head(b.param(name+".weight"), b.param(name+".bias"), x)
	return n
}

// act runs f unless something before it failed.
func (b *builder) act(f func() (op.Act, error)) op.Act {
	if b.err != nil {
		return op.Act{}
	}
	var a op.Act
	a, b.err = f()
	return a
}

// param is the node of a parameter, with the parameter's own tensor as value.
func (b *builder) param(name string) *G.Node {
	s, ok := b.shapes[name]
	if !ok {
		b.err = fmt.Errorf("unet: no parameter %s in the layout", name)
		s = tensor.Shape{1}
	}
	opts := []G.NodeConsOpt{G.WithShape(s...), G.WithName(name)}
	if b.values != nil {
		opts = append(opts, G.WithValue(b.values.tensors[name]))
	}
	n := G.NewTensor(b.net.graph, tensor.Float32, s.Dims(), opts...)
	b.net.params[name] = n
	return n
}
