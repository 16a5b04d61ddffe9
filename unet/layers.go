package unet

import (
	"fmt"
	"math/bits"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
	"segd/unet/op"
)

// Kind is the operation of a Layer.
type Kind string

// The kinds of layer. Convolutions read their sources as if they were
// concatenated.
const (
	KindImage     Kind = "image"      // the network's input
	KindConv      Kind = "conv"       // 3×3 or 1×1, same padding; Params weight, bias or none
	KindTransp    Kind = "transposed" // 2×2 transposed convolution of stride 2; Params weight, bias
	KindNorm      Kind = "norm"       // Params weight, bias, of batch normalisation running_mean, running_var
	KindReLU      Kind = "relu"
	KindMaxPool   Kind = "maxpool" // 2×2, stride 2
	KindBilinear  Kind = "bilinear"
	KindAdd       Kind = "add"
	KindAttention Kind = "attention" // the first source times the logistic function of the second, of one channel
)

// NormEps is the epsilon that normalisations add to the variance.
const NormEps = op.NormEps

// Layer is one operation of a network.
type Layer struct {
	Kind   Kind
	In     []int    // layers whose output it reads, by index
	Params []string // names of its tensors
	ReLU   bool     // max(0, ·) follows
	Level  int      // of its output: 0 is full resolution, Depth the bottleneck
	Width  int      // channels of its output
}

// Layers lists the operations of the network that Predictor and Trainer run,
// each after those whose output it reads. The first is the image; the last
// gives the logits. Programs that convert the network to or from another format
// build on it. An invalid c is segd.ErrOption.
func (c Config) Layers() ([]Layer, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := c.Stride()
	b, err := build(c, nil, shape{N: 1, H: s, W: s, ValidH: s, ValidW: s}, mode{}, nil)
	if err != nil {
		return nil, err
	}
	l := &lister{graph: b.net.graph, stride: s, index: map[int64]int{}}
	_, err = l.visit(b.net.logits)
	return l.layers, err
}

// lister turns a graph into layers.
type lister struct {
	graph  *G.ExprGraph
	stride int
	layers []Layer
	index  map[int64]int // by node
}

// visit lists the layers that lead to n and n's own layer, and returns its
// index.
func (l *lister) visit(n *G.Node) (int, error) {
	if i, ok := l.index[n.ID()]; ok {
		return i, nil
	}
	layer, sources, err := l.describe(n)
	if err != nil {
		return 0, err
	}
	for it := l.graph.From(n.ID()); layer.Kind != KindImage && it.Next(); sources-- {
		child := it.Node().(*G.Node)
		if sources <= 0 {
			layer.Params = append(layer.Params, child.Name())
			continue
		}
		i, err := l.visit(child)
		if err != nil {
			return 0, err
		}
		layer.In = append(layer.In, i)
	}
	l.layers = append(l.layers, layer)
	l.index[n.ID()] = len(l.layers) - 1
	return l.index[n.ID()], nil
}

// describe returns a node's layer without its inputs, and how many of the
// inputs are activations.
func (l *lister) describe(n *G.Node) (layer Layer, sources int, err error) {
	var out kernel.Shape
	switch spec := op.Spec(n.Op()).(type) {
	case op.Pack:
		layer, out = Layer{Kind: KindImage}, spec.Out
	case op.Conv:
		layer, out, sources = Layer{Kind: KindConv, ReLU: spec.ReLU}, spec.Out, len(spec.Sources)
		if spec.Geometry == kernel.Up2x2 {
			layer.Kind = KindTransp
		}
	case op.Head:
		layer, out, sources = Layer{Kind: KindConv}, spec.Out, 1
	case op.MaxPool:
		layer, out, sources = Layer{Kind: KindMaxPool}, spec.In, 1
		out.H /= 2
	case op.Bilinear:
		layer, out, sources = Layer{Kind: KindBilinear}, spec.In, 1
		out.H *= 2
	case op.Norm:
		layer, out, sources = Layer{Kind: KindNorm, ReLU: spec.ReLU}, spec.X, 1
	case op.ReLU:
		layer, out, sources = Layer{Kind: KindReLU}, spec.X, 1
	case op.Add:
		layer, out, sources = Layer{Kind: KindAdd, ReLU: spec.ReLU}, spec.X, spec.N
	case op.Gate:
		layer, out, sources = Layer{Kind: KindAttention}, spec.X, 2
	default:
		return layer, 0, fmt.Errorf("unet: no layer for operation %v", n.Op())
	}
	layer.Level, layer.Width = bits.Len(uint(l.stride/out.H))-1, out.C
	return layer, sources, nil
}
