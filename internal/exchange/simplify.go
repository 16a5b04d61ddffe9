package exchange

import (
	"fmt"
	"slices"

	"segd/internal/onnx"
	"segd/internal/tensors"
)

// value is the result of a node at one image size, for the nodes that remain
// after removing everything without effect at that size.
type value struct {
	op    string // of the node; also "image" and "constant", and GroupNormalization instead of its parts
	node  *onnx.Node
	label string
	in    []*value
	shape []int
	nums  *vector         // of a small constant
	data  *tensors.Tensor // of a constant of floats
	// eps and groups belong to normalisations.
	eps    float64
	groups int
}

// vector is a small tensor of numbers, such as a shape that a file computes.
type vector struct {
	v     []float64
	whole bool // integers
}

// Limits of evaluation.
const (
	maxVector = 64
	maxAxis   = 1 << 28
)

// simplifier evaluates a graph at one size.
type simplifier struct {
	opset  int64
	values map[string]*value
}

// simplify returns the value of the graph's first output for images of h×w
// pixels; axes that the file fixes keep their size. It evaluates shapes that
// the file computes, so that padding by nothing, which PyTorch's networks have
// before their concatenations, is recognised as such.
func simplify(m *onnx.Model, h, w int) (out, image *value, err error) {
	s := &simplifier{opset: m.Opset, values: map[string]*value{"": nil}}
	for i := range m.Graph.Initializers {
		t := m.Graph.Initializers[i]
		s.values[t.Name] = constant(&t)
	}
	for _, in := range m.Graph.Inputs {
		if s.values[in.Name] != nil {
			continue // an initializer that is listed among the inputs
		}
		if image != nil {
			return nil, nil, refuse("two inputs, %.80q and %.80q, want one", image.label, in.Name)
		}
		if image, err = inputImage(in, h, w); err != nil {
			return nil, nil, err
		}
		s.values[in.Name] = image
	}
	if image == nil {
		return nil, nil, refuse("the graph has no input")
	}
	for i := range m.Graph.Nodes {
		if err := s.node(i, &m.Graph.Nodes[i]); err != nil {
			return nil, nil, err
		}
	}
	out = s.values[m.Graph.Outputs[0].Name]
	if out == nil || len(m.Graph.Outputs) != 1 {
		return nil, nil, refuse("%d outputs, want one", len(m.Graph.Outputs))
	}
	return out, image, nil
}

func inputImage(in onnx.Value, h, w int) (*value, error) {
	if len(in.Dims) != 4 || in.Dtype != tensors.F32 {
		return nil, refuse("input %.80q has type %q and %d axes, want float32 with batch, channels, height and width", in.Name, in.Dtype, len(in.Dims))
	}
	v := &value{op: "image", label: in.Name}
	for i, size := range []int{1, 0, h, w} {
		if d := in.Dims[i].Size; d != 0 {
			size = int(min(max(d, 0), maxAxis))
		}
		if size < 1 || size == maxAxis {
			return nil, refuse("input %.80q has size %d on axis %d", in.Name, in.Dims[i].Size, i)
		}
		v.shape = append(v.shape, size)
	}
	return v, nil
}

// constant returns the value of a tensor.
func constant(t *tensors.Tensor) *value {
	v := &value{op: "constant", label: t.Name, shape: t.Shape, data: t}
	n, ok := tensors.Elements(t.Shape, maxVector)
	if !ok || n > maxVector {
		return v
	}
	if list, err := t.Ints(); err == nil {
		v.nums = &vector{whole: true}
		for _, n := range list {
			v.nums.v = append(v.nums.v, float64(n))
		}
	} else if list, err := t.Floats(); err == nil {
		v.nums = &vector{}
		for _, f := range list {
			v.nums.v = append(v.nums.v, float64(f))
		}
	}
	return v
}

// numbers returns the value of a computed vector.
func numbers(v []float64, whole bool, shape ...int) *value {
	return &value{op: "constant", label: "a computed shape", shape: shape, nums: &vector{v: v, whole: whole}}
}

// call is a node with its inputs, being evaluated.
type call struct {
	*onnx.Node
	s     *simplifier
	label string
	in    []*value
}

// refuse returns an error that names the node.
func (c *call) refuse(format string, a ...any) error {
	return refuse("%s: %s", c.label, fmt.Sprintf(format, a...))
}

// arg returns input i, or nil if it is omitted.
func (c *call) arg(i int) *value {
	if i >= len(c.in) {
		return nil
	}
	return c.in[i]
}

// nums returns the numbers of input i, or nil if it has none.
func (c *call) nums(i int) []float64 {
	if v := c.arg(i); v != nil && v.nums != nil {
		return v.nums.v
	}
	return nil
}

func (c *call) int(name string, def int64) int64 {
	if a := c.Attr(name); a != nil {
		return a.I
	}
	return def
}

func (c *call) text(name, def string) string {
	if a := c.Attr(name); a != nil {
		return a.S
	}
	return def
}

// ints returns the integers of an attribute or, in operator versions that moved them,
// of input i.
func (c *call) ints(name string, i int) []int64 {
	if a := c.Attr(name); a != nil {
		return a.Ints
	}
	var list []int64
	for _, f := range c.nums(i) {
		list = append(list, int64(f))
	}
	return list
}

func (s *simplifier) node(i int, n *onnx.Node) error {
	c := &call{Node: n, s: s, label: n.Label(i)}
	if n.Domain != "" {
		return c.refuse("not a standard ONNX operator")
	}
	numeric := len(n.Inputs) > 0
	for _, name := range n.Inputs {
		v := s.values[name]
		c.in = append(c.in, v)
		numeric = numeric && (v == nil || v.nums != nil)
	}
	evaluate := c.float
	if numeric || n.Op == "Shape" || n.Op == "Constant" {
		evaluate = c.number
	}
	v, err := evaluate()
	if err != nil {
		return err
	}
	if v.label == "" {
		v.op, v.node, v.label = n.Op, n, c.label
	}
	if len(n.Outputs) == 0 || slices.ContainsFunc(v.shape, func(d int) bool { return d > maxAxis }) {
		return c.refuse("%d outputs with shape %v", len(n.Outputs), v.shape)
	}
	for k, name := range n.Outputs {
		if s.values[name] = v; k > 0 {
			s.values[name] = nil // a mask of Dropout and the like, which nothing may read
		}
	}
	return nil
}
