package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/internal/onnx"
	"segd/internal/tensors"
	"segd/internal/torch/torchtest"
	"segd/unet"
)

// plainGraph returns a network as an exporter would write it: without padding,
// cropping or metadata.
func plainGraph(t testing.TB, c unet.Config, p *unet.Params) *onnx.Model {
	t.Helper()
	b, err := ONNX(manifest("m", c), p)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	m.Metadata = nil
	g := &m.Graph
	last := len(g.Nodes) - 1
	logits := g.Nodes[last].Inputs[0]
	first := slices.IndexFunc(g.Nodes, func(n onnx.Node) bool { return n.Name == "width.pad" })
	g.Nodes = g.Nodes[first+1 : last]
	for i := range g.Nodes {
		for k, in := range g.Nodes[i].Inputs {
			if in == "width.pad" {
				g.Nodes[i].Inputs[k] = "image"
			}
		}
	}
	g.Outputs[0].Name = logits
	return m
}

// In graphs without segd's metadata, the network is recognised by its connections,
// and computes the same.
func TestForeignVariants(t *testing.T) {
	t.Parallel()
	for name, c := range variants() {
		if c.Norm == unet.NormInstance || c.Norm == unet.NormGroup {
			continue // written as parts in a form that no exporter uses; PyTorch's form is tested with PyTorch
		}
		p := weights(c, 1)
		m := plainGraph(t, c, p)
		// Like graphs rewritten by other tools: with sources and summands swapped,
		// and operations without effect in between.
		g := &m.Graph
		var nodes []onnx.Node
		for i, n := range g.Nodes {
			if (n.Op == "Add" || n.Op == "Mul") && i%2 == 0 {
				slices.Reverse(n.Inputs)
			}
			nodes = append(nodes, n)
			if n.Op == "Relu" && i%3 == 0 {
				nodes[len(nodes)-1].Outputs = []string{n.Outputs[0] + "'"}
				nodes = append(nodes, onnx.Node{Op: "Identity", Inputs: []string{n.Outputs[0] + "'"}, Outputs: n.Outputs})
			}
		}
		g.Nodes = nodes
		net, err := Import(m.Encode(), Options{Network: unet.Config{Head: c.Head}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		x := noise(1, 1, c.Channels, 16, 24)
		if d := apart(logits(t, net.Params, x), logits(t, p, x)); !(d < 1e-6) {
			t.Errorf("%s: logits are %.1e off, from %+v", name, d, net.Params.Config())
		}
	}
}

// Anything that segd lacks, or that would change the output, is refused with the
// node's name and the reason.
func TestForeignRefused(t *testing.T) {
	t.Parallel()
	c := unet.Config{Channels: 1, Classes: 2, Width: 8, Depth: 2}.WithDefaults()
	node := func(m *onnx.Model, op string) *onnx.Node {
		return &m.Graph.Nodes[slices.IndexFunc(m.Graph.Nodes, func(n onnx.Node) bool { return n.Op == op })]
	}
	set := func(n *onnx.Node, a onnx.Attr) {
		n.Attrs = append(slices.DeleteFunc(n.Attrs, func(o onnx.Attr) bool { return o.Name == a.Name }), a)
	}
	initializer := func(m *onnx.Model, name string) *tensors.Tensor {
		return &m.Graph.Initializers[slices.IndexFunc(m.Graph.Initializers, func(t tensors.Tensor) bool { return t.Name == name })]
	}
	for name, f := range map[string]struct {
		change func(m *onnx.Model)
		want   []string
	}{
		"leaky":     {func(m *onnx.Model) { node(m, "Relu").Op = "LeakyRelu" }, []string{"enc.0.norm1.relu", "LeakyRelu", "activation"}},
		"average":   {func(m *onnx.Model) { node(m, "MaxPool").Op = "AveragePool" }, []string{"AveragePool", "want MaxPool"}},
		"strides":   {func(m *onnx.Model) { set(node(m, "Conv"), onnx.Ints("strides", 2, 2)) }, []string{"enc.0.conv1", "stride 1"}},
		"dilated":   {func(m *onnx.Model) { set(node(m, "Conv"), onnx.Ints("dilations", 2, 2)) }, []string{"enc.0.conv1", "dilated"}},
		"valid":     {func(m *onnx.Model) { set(node(m, "Conv"), onnx.Ints("pads", 0, 0, 0, 0)) }, []string{"enc.0.conv1", "padding"}},
		"groups":    {func(m *onnx.Model) { set(node(m, "Conv"), onnx.Int("group", 8)) }, []string{"enc.0.conv1", "groups"}},
		"training":  {func(m *onnx.Model) { set(node(m, "BatchNormalization"), onnx.Int("training_mode", 1)) }, []string{"enc.0.norm1", "evaluation"}},
		"pool of 3": {func(m *onnx.Model) { set(node(m, "MaxPool"), onnx.Ints("kernel_shape", 3, 3)) }, []string{"MaxPool", "2×2"}},
		"axis 2":    {func(m *onnx.Model) { set(node(m, "Concat"), onnx.Int("axis", 2)) }, []string{"Concat", "axis 2"}},
		"padding": {func(m *onnx.Model) {
			m.Graph.Initializers = append(m.Graph.Initializers, tensors.FromInts("pads", []int{8}, 0, 0, 1, 1, 0, 0, 0, 0))
			n := node(m, "Relu")
			n.Op, n.Inputs = "Pad", append(n.Inputs, "pads")
		}, []string{"Pad", "pads"}},
		"no relu":       {func(m *onnx.Model) { node(m, "Relu").Op = "Identity" }, []string{"enc.0.norm1", "relu"}},
		"other domain":  {func(m *onnx.Model) { node(m, "Relu").Domain = "com.example" }, []string{"com.example"}},
		"wrong skip":    {func(m *onnx.Model) { n := node(m, "Concat"); n.Inputs[0] = n.Inputs[1] }, []string{"up."}},
		"wrong weights": {func(m *onnx.Model) { initializer(m, "enc.0.conv2.weight").Shape = []int{8, 8, 9, 1} }, []string{"enc.0.conv2"}},
		"not finite": {func(m *onnx.Model) {
			*initializer(m, "enc.0.norm1.bias") = tensors.FromFloats("enc.0.norm1.bias", []int{8}, slices.Repeat([]float32{float32(math.NaN())}, 8))
		}, []string{"enc.0.norm1", "finite"}},
		"other floats": {func(m *onnx.Model) { m.Graph.Inputs[0].Dtype = tensors.F16 }, []string{"image", "float32"}},
		"odd size": {func(m *onnx.Model) {
			m.Graph.Inputs[0].Dims[2].Size, m.Graph.Inputs[0].Dims[2].Name = 30, ""
		}, []string{"MaxPool", "halve"}},
		"huge size": {func(m *onnx.Model) {
			m.Graph.Inputs[0].Dims[2] = onnx.Dim{Size: math.MaxInt64}
		}, []string{"image", "axis 2"}},
		"two outputs": {func(m *onnx.Model) { m.Graph.Outputs = append(m.Graph.Outputs, m.Graph.Outputs[0]) }, []string{"2 outputs"}},
		"several sigmoids": {func(m *onnx.Model) {
			m.Graph.Nodes = append(m.Graph.Nodes, onnx.Node{Op: "Sigmoid", Inputs: []string{m.Graph.Outputs[0].Name}, Outputs: []string{"p"}})
			m.Graph.Outputs[0].Name = "p"
		}, []string{"Sigmoid", "exclusive"}},
	} {
		m := plainGraph(t, c, weights(c, 1))
		f.change(m)
		_, err := Import(m.Encode(), Options{})
		if !errors.Is(err, segd.ErrUnsupported) && !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range f.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
}

// A graph that keeps enlarging its images is refused, however its numbers would
// overflow.
func TestForeignGrows(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Concat", "Resize"} {
		m := &onnx.Model{IRVersion: 8, Opset: 17}
		g := &m.Graph
		g.Inputs = []onnx.Value{{Name: "x0", Dtype: tensors.F32, Dims: []onnx.Dim{{Size: 1}, {Size: 1}, {Name: "h"}, {Name: "w"}}}}
		g.Initializers = []tensors.Tensor{tensors.FromFloats("scales", []int{4}, []float32{1, 1, 2, 2})}
		for i := range 80 {
			in := fmt.Sprint("x", i)
			n := onnx.Node{Op: op, Inputs: []string{in, in}, Outputs: []string{fmt.Sprint("x", i+1)}, Attrs: []onnx.Attr{onnx.Int("axis", 1)}}
			if op == "Resize" {
				n.Inputs = []string{in, "", "scales"}
				n.Attrs = []onnx.Attr{onnx.String("mode", "linear")}
			}
			g.Nodes = append(g.Nodes, n)
		}
		g.Outputs = []onnx.Value{{Name: "x80"}}
		if _, err := Import(m.Encode(), Options{}); !errors.Is(err, segd.ErrUnsupported) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// Any input is a network or an error of a known kind. The seeds are the smallest
// network in every supported format.
//
// Run it with -fuzzminimizetime 1x: coverage depends on maps and the garbage
// collector, so go test considers too many inputs interesting, and then spends a
// minute on each in a futile attempt to minimise it.
func FuzzImport(f *testing.F) {
	c := unet.Config{Channels: 1, Classes: 2, Width: 1, Depth: 1, Convs: 1, Norm: unet.NormNone}.WithDefaults()
	p := unet.NewParams(c, 1)
	own, err := ONNX(manifest("m", c), p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add(plainGraph(f, c, p).Encode())
	var safe bytes.Buffer
	if err := p.Write(&safe, false); err != nil {
		f.Fatal(err)
	}
	f.Add(safe.Bytes())
	var list []tensors.Tensor
	for _, name := range p.Names() {
		v, _ := p.Get(name)
		list = append(list, tensors.FromFloats(name, v.Shape(), v.Data().([]float32)))
	}
	f.Add(torchtest.Save(torchtest.Dict(list)))
	f.Fuzz(func(t *testing.T, b []byte) {
		net, err := Import(b, Options{})
		if err == nil {
			if err := net.Params.Config().Validate(); err != nil {
				t.Errorf("an impossible network: %v", err)
			}
			return
		}
		for _, kind := range []error{segd.ErrFormat, segd.ErrUnsupported, segd.ErrTooLarge, segd.ErrOption} {
			if errors.Is(err, kind) {
				return
			}
		}
		t.Fatalf("error without a kind: %v", err)
	})
}
