package exchange

import (
	"fmt"
	"math"
	"slices"

	"segd/internal/onnx"
	"segd/internal/tensors"
)

// value is what a node computes, at one size of image: a node of the graph that
// is left when everything that does nothing at that size is taken out.
type value struct {
	op    string // of the node; "image" and "constant" besides, and GroupNormalization in place of its parts
	node  *onnx.Node
	label string
	in    []*value
	shape []int
	nums  *vector         // of a small constant
	data  *tensors.Tensor // of a constant of floats
	// eps and groups are of normalisations.
	eps    float64
	groups int
}

// vector is a small tensor of numbers, such as a shape that a file computes.
type vector struct {
	v     []float64
	whole bool // integers
}

// Bounds of what is evaluated.
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
// pixels; axes that the file fixes are as it says. Shapes that the file
// computes are computed, so that padding by nothing, as PyTorch's networks have
// it in front of their concatenations, is seen to be nothing.
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
			return nil, nil, refuse("two inputs, %.80q and %.80q", image.label, in.Name)
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
		return nil, refuse("input %.80q of type %q and %d axes, want float32 of batch, channels, height and width", in.Name, in.Dtype, len(in.Dims))
	}
	v := &value{op: "image", label: in.Name}
	for i, size := range []int{1, 0, h, w} {
		if d := in.Dims[i].Size; d != 0 {
			size = int(min(max(d, 0), maxAxis))
		}
		if size < 1 || size == maxAxis {
			return nil, refuse("input %.80q has %d for its axis %d", in.Name, in.Dims[i].Size, i)
		}
		v.shape = append(v.shape, size)
	}
	return v, nil
}

// constant is the value of a tensor.
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

// numbers is the value of a vector that was computed.
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

// refuse is an error that names the node.
func (c *call) refuse(format string, a ...any) error {
	return refuse("%s: %s", c.label, fmt.Sprintf(format, a...))
}

// arg is input i, nil where it is left out.
func (c *call) arg(i int) *value {
	if i >= len(c.in) {
		return nil
	}
	return c.in[i]
}

// nums are the numbers of input i, nil where it is none.
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

// ints are those of an attribute or, where the version has it so, of input i.
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
		return c.refuse("an operator that is not ONNX's own")
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
		return c.refuse("%d outputs, of shape %v", len(n.Outputs), v.shape)
	}
	for k, name := range n.Outputs {
		if s.values[name] = v; k > 0 {
			s.values[name] = nil // a mask of Dropout and the like, which nothing may read
		}
	}
	return nil
}

// number evaluates a node whose inputs are small constants.
func (c *call) number() (*value, error) {
	x := c.arg(0)
	if x == nil && c.Op != "Constant" {
		return nil, c.refuse("no input")
	}
	switch c.Op {
	case "Constant":
		return c.constant()
	case "Shape":
		var v []float64
		for _, d := range x.shape {
			v = append(v, float64(d))
		}
		from, to := clamp(c.int("start", 0), len(v)), clamp(c.int("end", int64(len(v))), len(v))
		return numbers(v[from:max(from, to)], true, max(0, to-from)), nil
	case "Identity", "Dropout":
		return x, nil
	case "Cast":
		to := c.int("to", 0)
		return numbers(x.nums.v, to == 6 || to == 7, x.shape...), nil
	case "Floor":
		return c.each(math.Floor)
	case "Neg":
		return c.each(func(f float64) float64 { return -f })
	case "Unsqueeze", "Squeeze", "Reshape":
		return c.reshape()
	case "Concat":
		return c.join()
	case "Gather":
		return c.gather()
	case "Slice":
		return c.slice()
	case "Transpose":
		return c.transpose()
	case "ConstantOfShape":
		return c.fill()
	case "Add", "Sub", "Mul", "Div", "Mod":
		return c.arithmetic()
	}
	return nil, c.refuse("an operator that no U-Net needs on numbers")
}

func clamp(i int64, n int) int {
	if i < 0 {
		i += int64(n)
	}
	return int(min(max(i, 0), int64(n)))
}

func (c *call) constant() (*value, error) {
	for _, a := range c.Attrs {
		switch {
		case a.Name == "value" && a.Kind == onnx.KindTensor:
			t := a.T
			t.Name = c.label
			return constant(&t), nil
		case a.Name == "value_int":
			return numbers([]float64{float64(a.I)}, true), nil
		case a.Name == "value_float":
			return numbers([]float64{float64(a.F)}, false), nil
		case a.Name == "value_ints" && len(a.Ints) <= maxVector:
			var v []float64
			for _, i := range a.Ints {
				v = append(v, float64(i))
			}
			return numbers(v, true, len(v)), nil
		}
	}
	return nil, c.refuse("a constant that is no tensor")
}

func (c *call) each(f func(float64) float64) (*value, error) {
	v := slices.Clone(c.in[0].nums.v)
	for i := range v {
		v[i] = f(v[i])
	}
	return numbers(v, c.in[0].nums.whole, c.in[0].shape...), nil
}

// reshape gives numbers another shape; a tensor of weights keeps its data.
func (c *call) reshape() (*value, error) {
	x := c.arg(0)
	if x == nil || x.op != "constant" {
		return nil, c.refuse("a new shape of what is no constant")
	}
	n, _ := tensors.Elements(x.shape, math.MaxInt32)
	shape := []int{n}
	switch c.Op {
	case "Unsqueeze":
		shape = slices.Clone(x.shape)
		for _, axis := range c.ints("axes", 1) {
			if axis < 0 {
				axis += int64(len(shape)) + 1
			}
			if axis < 0 || axis > int64(len(shape)) || len(shape) >= 8 {
				return nil, c.refuse("a new axis %d", axis)
			}
			shape = slices.Insert(shape, int(axis), 1)
		}
	case "Squeeze":
		shape = slices.DeleteFunc(slices.Clone(x.shape), func(d int) bool { return d == 1 })
	case "Reshape":
		var err error
		if shape, err = c.target(x.shape); err != nil {
			return nil, err
		}
	}
	v := *x
	v.shape = shape
	return &v, nil
}

// target is the shape that a Reshape asks for.
func (c *call) target(from []int) ([]int, error) {
	n, ok := tensors.Elements(from, math.MaxInt32)
	shape, rest, open := []int{}, n, -1
	for i, d := range c.ints("shape", 1) {
		if d == 0 && i < len(from) {
			d = int64(from[i])
		}
		if d == -1 && open < 0 {
			open, d = i, 1
		}
		if d < 1 || int64(rest)%d != 0 || i >= 8 {
			return nil, c.refuse("shape %v cannot become %v", from, c.ints("shape", 1))
		}
		rest /= int(d)
		shape = append(shape, int(d))
	}
	if open >= 0 {
		shape[open], rest = rest, 1
	}
	if !ok || rest != 1 {
		return nil, c.refuse("shape %v cannot become %v", from, c.ints("shape", 1))
	}
	return shape, nil
}

func (c *call) join() (*value, error) {
	var v []float64
	whole := true
	for _, x := range c.in {
		if x == nil || len(x.shape) > 1 {
			return nil, c.refuse("numbers of more than one axis")
		}
		v, whole = append(v, x.nums.v...), whole && x.nums.whole
	}
	if len(v) > maxVector {
		return nil, c.refuse("%d numbers, limit %d", len(v), maxVector)
	}
	return numbers(v, whole, len(v)), nil
}

func (c *call) gather() (*value, error) {
	x, at := c.in[0], c.nums(1)
	if len(x.shape) != 1 || at == nil {
		return nil, c.refuse("numbers of %d axes", len(x.shape))
	}
	var v []float64
	for _, i := range at {
		if i < 0 {
			i += float64(len(x.nums.v))
		}
		if !(i >= 0 && i < float64(len(x.nums.v))) {
			return nil, c.refuse("element %v of %d", i, len(x.nums.v))
		}
		v = append(v, x.nums.v[int(i)])
	}
	return numbers(v, x.nums.whole, c.in[1].shape...), nil
}

// slice cuts rows out of numbers of one or two axes.
func (c *call) slice() (*value, error) {
	x := c.in[0]
	start, end, axes, steps := c.ints("starts", 1), c.ints("ends", 2), c.ints("axes", 3), c.ints("steps", 4)
	step := int64(1)
	if len(steps) == 1 {
		step = steps[0]
	}
	if len(start) != 1 || len(end) != 1 || len(axes) == 1 && axes[0] != 0 || len(x.shape) < 1 || len(x.shape) > 2 || step != 1 && step != -1 {
		return nil, c.refuse("a part of numbers that no U-Net needs")
	}
	rows := x.shape[0]
	row := 1
	if len(x.shape) == 2 {
		row = x.shape[1]
	}
	if rows*row != len(x.nums.v) {
		return nil, c.refuse("%d numbers of shape %v", len(x.nums.v), x.shape)
	}
	var v []float64
	if step == 1 {
		from, to := clamp(start[0], rows), clamp(end[0], rows)
		v = x.nums.v[from*row : max(from, to)*row]
	} else {
		if clamp(start[0], rows) < rows-1 || end[0] > -int64(rows) {
			return nil, c.refuse("a part of numbers, backwards")
		}
		for i := rows - 1; i >= 0; i-- {
			v = append(v, x.nums.v[i*row:][:row]...)
		}
	}
	shape := slices.Clone(x.shape)
	shape[0] = len(v) / max(row, 1)
	return numbers(v, x.nums.whole, shape...), nil
}

func (c *call) transpose() (*value, error) {
	x := c.in[0]
	if len(x.shape) != 2 || x.shape[0]*x.shape[1] != len(x.nums.v) {
		return nil, c.refuse("numbers of %d axes", len(x.shape))
	}
	var v []float64
	for j := range x.shape[1] {
		for i := range x.shape[0] {
			v = append(v, x.nums.v[i*x.shape[1]+j])
		}
	}
	return numbers(v, x.nums.whole, x.shape[1], x.shape[0]), nil
}

func (c *call) fill() (*value, error) {
	n := c.nums(0)
	if len(n) != 1 || !(n[0] >= 0 && n[0] <= maxVector) {
		return nil, c.refuse("%v numbers, limit %d", n, maxVector)
	}
	v, whole := make([]float64, int(n[0])), false
	if a := c.Attr("value"); a != nil {
		if k := constant(&a.T); k.nums != nil && len(k.nums.v) == 1 {
			whole = k.nums.whole
			for i := range v {
				v[i] = k.nums.v[0]
			}
		}
	}
	return numbers(v, whole, len(v)), nil
}

func (c *call) arithmetic() (*value, error) {
	if len(c.in) != 2 || c.in[0] == nil || c.in[1] == nil {
		return nil, c.refuse("%d operands", len(c.in))
	}
	a, b := c.in[0], c.in[1]
	if len(a.nums.v) < len(b.nums.v) && len(a.nums.v) != 1 || len(b.nums.v) != 1 && len(b.nums.v) < len(a.nums.v) {
		return nil, c.refuse("numbers of shapes %v and %v", a.shape, b.shape)
	}
	n, shape, whole := len(a.nums.v), a.shape, a.nums.whole && b.nums.whole
	if len(b.nums.v) > n {
		n, shape = len(b.nums.v), b.shape
	}
	v := make([]float64, n)
	for i := range v {
		x, y := a.nums.v[i%len(a.nums.v)], b.nums.v[i%len(b.nums.v)]
		switch c.Op {
		case "Add":
			v[i] = x + y
		case "Sub":
			v[i] = x - y
		case "Mul":
			v[i] = x * y
		case "Div":
			if v[i] = x / y; whole {
				v[i] = math.Trunc(v[i])
			}
		case "Mod":
			v[i] = x - y*math.Floor(x/y)
		}
		if v[i]-v[i] != 0 {
			return nil, c.refuse("division by zero")
		}
	}
	return numbers(v, whole, shape...), nil
}
