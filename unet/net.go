package unet

import (
	"fmt"
	"slices"

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

// shape of a batch. H and W are multiples of the stride. Pixels right of ValidW
// and below ValidH are padding.
type shape struct{ N, H, W, ValidH, ValidW int }

// builder adds the parts of a U-Net to a graph. err keeps the first error, and
// later parts then do nothing, so that the code reads like the figure of the
// network.
type builder struct {
	Config
	ops    *op.Set[float32]
	net    *network
	shapes map[string]tensor.Shape
	values *Params // nil: nodes without values, for a plan
	size   shape
	mode
	err error

	frozen bool   // the part now being added is not trained
	heads  []head // of deep supervision
}

// mode says how a graph is used. The zero value is inference.
type mode struct {
	train  bool    // batch normalisation uses the statistics of the batch
	freeze bool    // the encoder is not trained
	deep   *Params // DeepHeads; nil: none
	again  bool    // the derivative recomputes normalised activations
}

// head is an auxiliary output.
type head struct {
	logits *G.Node
	level  int // of the pixels
	far    int // blocks from the last one
}

// build makes the graph of c for one batch shape.
func build(c Config, values *Params, s shape, m mode, pool *kernel.Pool) (*builder, error) {
	g := G.NewGraph()
	b := &builder{
		Config: c, ops: op.New[float32](pool), values: values, size: s, mode: m,
		net:    &network{graph: g, params: map[string]*G.Node{}},
		shapes: map[string]tensor.Shape{},
	}
	if m.again {
		b.ops.Recompute()
	}
	for _, p := range c.layout() {
		b.shapes[p.name] = p.shape
	}
	if m.deep != nil {
		for _, name := range m.deep.names {
			b.shapes[name] = m.deep.tensors[name].Shape()
		}
	}
	b.net.image = G.NewTensor(g, tensor.Float32, 4, G.WithShape(s.N, c.Channels, s.H, s.W), G.WithName("image"))
	x, err := b.ops.Pack(b.net.image)
	if err != nil {
		return nil, err
	}
	b.net.logits = b.unet(x)
	return b, b.err
}

// unet is Figure 1 of Ronneberger et al. 2015 (arXiv:1505.04597) with same
// padding, so that the mask has the size of the image: down on the left, up on
// the right, and a skip across at each level.
func (b *builder) unet(x op.Act) *G.Node {
	skip := make([]op.Act, b.Depth)
	b.frozen = b.freeze
	for l := range b.Depth {
		skip[l] = b.block(fmt.Sprint("enc.", l), l, x)
		x, skip[l] = b.down(skip[l])
	}
	x = b.block("bottleneck", b.Depth, x)
	if b.frozen = false; b.freeze {
		x = x.Frozen()
	}
	if b.Skip == SkipNested {
		return b.head("head", b.nested(append(skip, x)))
	}
	for l := b.Depth - 1; l >= 0; l-- {
		x = b.up(fmt.Sprint("up.", l), x)
		x = b.block(fmt.Sprint("dec.", l), l, b.join(l, skip[l], x)...)
		b.deepHead(fmt.Sprint("deep.", l), l, l, x)
	}
	return b.head("head", x)
}

// nested is Figure 1(a) of Zhou et al. 2018 (UNet++, arXiv:1807.10165). Column
// by column, node x[i][j] reads all nodes to its left and the upsampled node
// below. x0 is the first column.
func (b *builder) nested(x0 []op.Act) op.Act {
	x := make([][]op.Act, len(x0))
	for i := range x0 {
		x[i] = []op.Act{x0[i]}
	}
	for j := 1; j <= b.Depth; j++ {
		for i := range b.Depth + 1 - j {
			up := b.up(fmt.Sprintf("up.%d.%d", i, j), x[i+1][j-1])
			node := b.block(fmt.Sprintf("dec.%d.%d", i, j), i, append(slices.Clip(x[i]), up)...)
			x[i] = append(x[i], node)
			if i == 0 {
				b.deepHead(fmt.Sprint("deep.", j), 0, b.Depth-j, node)
			}
		}
	}
	return x[0][b.Depth]
}

// join returns what the decoder's block of level l reads: the long skip
// connection and the upsampled channels.
func (b *builder) join(l int, skip, up op.Act) []op.Act {
	if b.Attention {
		skip = b.gate(fmt.Sprint("att.", l), skip, up)
	}
	switch b.Skip {
	case SkipAdd:
		return []op.Act{b.add(false, skip, up)}
	case SkipNone:
		return []op.Act{up}
	}
	return []op.Act{skip, up}
}

// gate weights each pixel of the skip by an attention coefficient in (0, 1)
// that also depends on the decoder's features: Figure 2 of Oktay et al. 2018
// (arXiv:1804.03999). Unlike there, the gating signal already has the
// resolution of the skip, so nothing is resampled.
func (b *builder) gate(name string, skip, gating op.Act) op.Act {
	q := b.conv(name+".conv", true, skip, gating)
	a := b.conv(name+".psi", false, q)
	return b.act(func() (op.Act, error) { return b.ops.Gate(skip, a) })
}

// convNorm is a convolution, its normalisation and, with relu, ReLU.
func (b *builder) convNorm(conv, norm string, level int, relu bool, x ...op.Act) op.Act {
	if b.Norm == NormNone {
		return b.conv(conv, relu, x...)
	}
	return b.norm(norm, level, relu, b.conv(conv, false, x...))
}

// conv is a convolution that reads the sources x as if they were concatenated.
// Its weights determine whether it is 3×3 or 1×1.
func (b *builder) conv(name string, relu bool, x ...op.Act) op.Act {
	return b.act(func() (op.Act, error) {
		w := b.param(name + ".weight")
		var bias *G.Node
		if b.has(name + ".bias") {
			bias = b.param(name + ".bias")
		}
		if w.Shape()[2] == 1 {
			return b.ops.Conv1x1(w, bias, relu, x...)
		}
		return b.ops.Conv3x3(w, bias, relu, x...)
	})
}

// norm is a normalisation, followed by ReLU with relu. Without normalisation,
// it is only the ReLU.
func (b *builder) norm(name string, level int, relu bool, x op.Act) op.Act {
	if b.Norm == NormNone {
		return b.act(func() (op.Act, error) { return b.ops.ReLU(x) })
	}
	// Of a padded image, a level sees as valid each pixel that covers at least
	// one valid pixel of the image.
	round := 1<<level - 1
	spec := op.Norm{
		Over: op.Statistics(b.Norm), Groups: b.Groups, ReLU: relu, Train: b.train && !b.frozen,
		ValidH: (b.size.ValidH + round) >> level, ValidW: (b.size.ValidW + round) >> level,
	}
	return b.act(func() (op.Act, error) {
		var mean, variance *G.Node
		if b.Norm == NormBatch {
			mean, variance = b.param(name+".running_mean"), b.param(name+".running_var")
		}
		return b.ops.Norm(spec, x, b.param(name+".weight"), b.param(name+".bias"), mean, variance)
	})
}

// add is the sum of activations and, with relu, ReLU.
func (b *builder) add(relu bool, x ...op.Act) op.Act {
	return b.act(func() (op.Act, error) { return b.ops.Add(relu, x...) })
}

// down halves the resolution; skip is x, for the decoder. If a single
// convolution reads it there, the pooling adds the gradients of both paths.
func (b *builder) down(x op.Act) (half, skip op.Act) {
	if b.frozen {
		half = b.act(func() (op.Act, error) { return b.ops.MaxPool2x2(x) })
		return half, x.Frozen()
	}
	if b.Skip != SkipConcat || b.Attention || b.Block != BlockPlain {
		return b.act(func() (op.Act, error) { return b.ops.MaxPool2x2(x) }), x
	}
	if b.err == nil {
		half, skip, b.err = b.ops.PoolSkip(x)
	}
	return half, skip
}

// up doubles the resolution and halves the channels. A 1×1 convolution commutes
// with interpolation; it comes first, on a quarter of the pixels.
func (b *builder) up(name string, x op.Act) op.Act {
	if b.Up == UpBilinear {
		x = b.conv(name, false, x)
		return b.act(func() (op.Act, error) { return b.ops.Bilinear2x(x) })
	}
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

// deepHead adds the auxiliary head with that name, if there is one.
func (b *builder) deepHead(name string, level, far int, x op.Act) {
	if b.deep != nil && b.has(name+".weight") {
		b.heads = append(b.heads, head{b.head(name, x), level, far})
	}
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

// has reports whether the network has a parameter with that name.
func (b *builder) has(name string) bool {
	_, ok := b.shapes[name]
	return ok
}

// param returns the node of a parameter, whose value is the parameter's own
// tensor.
func (b *builder) param(name string) *G.Node {
	s, ok := b.shapes[name]
	if !ok {
		b.err = fmt.Errorf("unet: no parameter %s in the layout", name)
		s = tensor.Shape{1}
	}
	opts := []G.NodeConsOpt{G.WithShape(s...), G.WithName(name)}
	for _, p := range []*Params{b.values, b.deep} {
		if p != nil && p.tensors[name] != nil {
			opts = append(opts, G.WithValue(p.tensors[name]))
		}
	}
	n := G.NewTensor(b.net.graph, tensor.Float32, s.Dims(), opts...)
	b.net.params[name] = n
	return n
}
