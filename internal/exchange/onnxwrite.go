package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"segd/internal/onnx"
	"segd/internal/tensors"
	"segd/models"
	"segd/unet"
)

// The version of the operators that is written, and of the format.
const (
	opset     = 17
	irVersion = 8
)

// propPrefix precedes the keys of model.json in the metadata of a file. Their
// values are JSON.
const propPrefix = "segd."

// ONNX returns the network as an ONNX file in float32. Its input is "image"
// with any batch, height and width. Its output is "logits", or "values" for
// regression. Padding to the stride and cropping are part of the graph, so that
// it gives the result of unet.Predictor.Logits for every size. Tensors keep
// their names, and the metadata hold model.json. The same model gives the same
// bytes. If p does not belong to man's network, the error is segd.ErrFormat.
func ONNX(man models.Manifest, p *unet.Params) ([]byte, error) {
	if p.Config() != man.Network.WithDefaults() {
		return nil, bad("the weights belong to another network")
	}
	m, err := graphOf(p.Config())
	if err != nil {
		return nil, err
	}
	for i, t := range m.Graph.Initializers {
		if v, ok := p.Get(t.Name); ok {
			m.Graph.Initializers[i] = tensors.FromFloats(t.Name, t.Shape, v.Data().([]float32))
		}
	}
	if m.Metadata, err = props(man); err != nil {
		return nil, err
	}
	m.Doc = man.Use
	return m.Encode(), nil
}

// props returns the keys of model.json, sorted.
func props(man models.Manifest) ([]onnx.Prop, error) {
	man.WeightsSHA256 = "" // from another file
	text, err := json.Marshal(man)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	var list []onnx.Prop
	for k, v := range keys {
		if k != "weights_sha256" {
			list = append(list, onnx.Prop{Key: propPrefix + k, Value: string(v)})
		}
	}
	slices.SortFunc(list, func(a, b onnx.Prop) int { return strings.Compare(a.Key, b.Key) })
	return list, nil
}

// graphOf returns the network of c as an ONNX model whose weights have shapes
// but no values.
func graphOf(c unet.Config) (*onnx.Model, error) {
	layers, err := c.Layers()
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	w := &writer{config: c, layers: layers, constants: map[string]bool{}}
	for _, t := range c.Tensors() {
		w.graph.Initializers = append(w.graph.Initializers, tensors.Tensor{Name: t.Name, Dtype: tensors.F32, Shape: t.Shape})
	}
	w.graph.Name = "U-Net"
	axes := func(channels int) []onnx.Dim {
		return []onnx.Dim{{Name: "batch"}, {Size: int64(channels)}, {Name: "height"}, {Name: "width"}}
	}
	w.graph.Inputs = []onnx.Value{{Name: "image", Dtype: tensors.F32, Dims: axes(c.Channels)}}
	output := heads[c.Head].output()
	w.graph.Outputs = []onnx.Value{{Name: output, Dtype: tensors.F32, Dims: axes(c.Classes)}}
	w.pad()
	for i := 1; i < len(layers); i++ {
		w.layer(i)
	}
	w.node("Slice", output, []string{w.values[len(layers)-1], w.ints("corner", 0, 0), "size", w.ints("axes", 2, 3)})
	return &onnx.Model{IRVersion: irVersion, Opset: opset, Producer: "segd", Graph: w.graph}, nil
}

// writer turns layers into nodes.
type writer struct {
	config    unet.Config
	layers    []unet.Layer
	graph     onnx.Graph
	values    []string        // of the layers' outputs
	constants map[string]bool // and sizes that already exist
}

// node appends a node with one output, which is also its name, and returns it.
func (w *writer) node(op, out string, in []string, attrs ...onnx.Attr) string {
	w.graph.Nodes = append(w.graph.Nodes, onnx.Node{Name: out, Op: op, Inputs: in, Outputs: []string{out}, Attrs: attrs})
	return out
}

// constant adds a constant once and returns its name.
func (w *writer) constant(t tensors.Tensor) string {
	if !w.constants[t.Name] {
		w.constants[t.Name] = true
		w.graph.Initializers = append(w.graph.Initializers, t)
	}
	return t.Name
}

func (w *writer) ints(name string, v ...int64) string {
	return w.constant(tensors.FromInts("const."+name, []int{len(v)}, v...))
}

func (w *writer) int(v int64) string {
	return w.constant(tensors.FromInts(fmt.Sprint("const.", v), nil, v))
}

// pad extends the image at the right and bottom to multiples of the stride,
// reflecting as often as necessary: row i shows row min(r, 2(h-1)-r) where r is
// i modulo 2(h-1). Pad's own mode reflect reflects only once.
func (w *writer) pad() {
	w.node("Shape", "shape", []string{"image"})
	w.node("Slice", "size", []string{"shape", w.ints("first", 2), w.ints("end", 4)})
	stride := w.int(int64(w.config.Stride()))
	x := "image"
	for i, axis := range []string{"height", "width"} {
		name := func(s string) string { return axis + "." + s }
		n := w.node("Gather", axis, []string{"shape", w.int(int64(2 + i))})
		up := w.node("Add", name("more"), []string{n, w.int(int64(w.config.Stride() - 1))})
		blocks := w.node("Div", name("blocks"), []string{up, stride})
		padded := w.node("Mul", name("padded"), []string{blocks, stride})
		index := w.node("Range", name("range"), []string{w.int(0), padded, w.int(1)})
		less := w.node("Sub", name("last"), []string{n, w.int(1)})
		period := w.node("Mul", name("period"), []string{less, w.int(2)})
		positive := w.node("Max", name("positive"), []string{period, w.int(1)})
		r := w.node("Mod", name("mod"), []string{index, positive})
		back := w.node("Sub", name("back"), []string{period, r})
		at := w.node("Min", name("index"), []string{r, back})
		x = w.node("Gather", name("pad"), []string{x, at}, onnx.Int("axis", int64(2+i)))
	}
	w.values = []string{x}
}

// layer writes layer i.
func (w *writer) layer(i int) {
	l := w.layers[i]
	name := fmt.Sprint(l.Kind, ".", i)
	if len(l.Params) > 0 {
		name = strings.TrimSuffix(l.Params[0], ".weight")
	}
	in := make([]string, len(l.In))
	for k, j := range l.In {
		in[k] = w.values[j]
	}
	y := ""
	switch l.Kind {
	case unet.KindConv:
		y = w.conv(name, l, in)
	case unet.KindTransp:
		y = w.node("ConvTranspose", name, append(in, l.Params...), onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2))
	case unet.KindNorm:
		y = w.norm(name, l, in[0])
	case unet.KindReLU:
		y = w.node("Relu", name, in)
	case unet.KindMaxPool:
		y = w.node("MaxPool", name, in, onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2))
	case unet.KindBilinear:
		scales := w.constant(tensors.FromFloats("const.scales", []int{4}, []float32{1, 1, 2, 2}))
		y = w.node("Resize", name, []string{in[0], "", scales}, onnx.String("mode", "linear"), onnx.String("coordinate_transformation_mode", "half_pixel"))
	case unet.KindAdd:
		y = in[0]
		for k, other := range in[1:] {
			y = w.node("Add", fmt.Sprint(name, ".", k), []string{y, other})
		}
	case unet.KindAttention:
		y = w.node("Mul", name, []string{in[0], w.node("Sigmoid", name+".sigmoid", in[1:])})
	}
	if l.ReLU {
		y = w.node("Relu", name+".relu", []string{y})
	}
	w.values = append(w.values, y)
}

// conv writes a convolution of its concatenated sources.
func (w *writer) conv(name string, l unet.Layer, in []string) string {
	x := in[0]
	if len(in) > 1 {
		x = w.node("Concat", name+".in", in, onnx.Int("axis", 1))
	}
	attrs := []onnx.Attr{onnx.Ints("kernel_shape", 1, 1)}
	if w.shape(l.Params[0])[2] == 3 {
		attrs = []onnx.Attr{onnx.Ints("kernel_shape", 3, 3), onnx.Ints("pads", 1, 1, 1, 1)}
	}
	return w.node("Conv", name, append([]string{x}, l.Params...), attrs...)
}

// shape returns the shape of a tensor of the network.
func (w *writer) shape(name string) []int {
	i := slices.IndexFunc(w.graph.Initializers, func(t tensors.Tensor) bool { return t.Name == name })
	return w.graph.Initializers[i].Shape
}

// norm writes a normalisation. Statistics of the image come only from the
// pixels of the image itself, without its padding, and apply to all pixels.
// ONNX has operators only for both over the same pixels.
func (w *writer) norm(name string, l unet.Layer, x string) string {
	if w.config.Norm == unet.NormBatch {
		return w.node("BatchNormalization", name, append([]string{x}, l.Params...), onnx.Float("epsilon", unet.NormEps))
	}
	groups := l.Width
	if w.config.Norm == unet.NormGroup {
		groups = w.config.Groups
	}
	at := func(op, part string, in []string, attrs ...onnx.Attr) string {
		return w.node(op, name+"."+part, in, attrs...)
	}
	valid := at("Slice", "valid", []string{x, w.ints("corner", 0, 0), w.validSize(l.Level), w.ints("axes", 2, 3)})
	sets := at("Reshape", "sets", []string{valid, w.ints(fmt.Sprint("groups.", groups), 0, int64(groups), -1)})
	last, keep := onnx.Ints("axes", 2), onnx.Int("keepdims", 1)
	mean := at("ReduceMean", "mean", []string{sets}, last, keep)
	diff := at("Sub", "diff", []string{sets, mean})
	variance := at("ReduceMean", "var", []string{at("Mul", "square", []string{diff, diff})}, last, keep)
	eps := w.constant(tensors.FromFloats("const.eps", nil, []float32{unet.NormEps}))
	deviation := at("Sqrt", "std", []string{at("Add", "floor", []string{variance, eps})})
	each := func(part, v string) string { // one of each channel
		if groups != l.Width {
			v = at("Expand", part+".expand", []string{v, w.ints(fmt.Sprint("expand.", l.Width), 1, int64(groups), int64(l.Width/groups))})
		}
		return at("Reshape", part+".each", []string{v, w.ints(fmt.Sprint("each.", l.Width), 0, int64(l.Width), 1, 1)})
	}
	axes := w.ints("vector", 1, 2)
	scale, shift := at("Unsqueeze", "scale", []string{l.Params[0], axes}), at("Unsqueeze", "shift", []string{l.Params[1], axes})
	y := at("Div", "div", []string{at("Sub", "sub", []string{x, each("mean", mean)}), each("std", deviation)})
	return at("Add", "add", []string{at("Mul", "mul", []string{y, scale}), shift})
}

// validSize returns the number of rows and columns of a level that the image
// itself covers.
func (w *writer) validSize(level int) string {
	if level == 0 {
		return "size"
	}
	name := fmt.Sprint("size.", level)
	if !w.constants[name] {
		w.constants[name] = true
		up := w.node("Add", name+".more", []string{"size", w.int(1<<level - 1)})
		w.node("Div", name, []string{up, w.int(1 << level)})
	}
	return name
}
