package onnx

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"segd"
	"segd/internal/tensors"
)

func sample() *Model {
	return &Model{
		IRVersion: 8, Opset: 17, Producer: "test", ProducerVersion: "1", Doc: "what it is",
		Metadata: []Prop{{"a", "b"}},
		Graph: Graph{
			Name: "g",
			Nodes: []Node{
				{Name: "n", Op: "Conv", Inputs: []string{"x", "w", ""}, Outputs: []string{"y"}, Attrs: []Attr{
					Ints("pads", 1, -1), Int("group", 1), Float("eps", 0.5), String("mode", "linear"),
					{Name: "t", Kind: KindTensor, T: tensors.FromInts("", []int{2}, 3, -4)},
					{Name: "fs", Kind: KindFloats, Floats: []float32{1, -2}},
				}},
				{Op: "Relu", Domain: "own", Inputs: []string{"y"}, Outputs: []string{"z"}},
			},
			Initializers: []tensors.Tensor{tensors.FromFloats("w", []int{1, 2}, []float32{1, 2})},
			Inputs:       []Value{{Name: "x", Dtype: tensors.F32, Dims: []Dim{{Size: 1}, {Name: "h"}}}},
			Outputs:      []Value{{Name: "z", Dtype: tensors.F32, Dims: []Dim{{}}}},
		},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	b := sample().Encode()
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sample(), got); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(got.Encode(), b) {
		t.Error("other bytes")
	}
	if got.Prop("a") != "b" || got.Prop("c") != "" || got.Graph.Nodes[0].Attr("none") != nil {
		t.Error("a missing item was found")
	}
	// Every prefix is an error or, if it ends after a field, a model that lacks some.
	for i := range b {
		if m, err := Decode(b[:i]); err == nil && len(m.Graph.Nodes) != 2 {
			t.Errorf("the first %d bytes of %d are a model", i, len(b))
		}
	}
}

// withTensor returns a file with one initializer, whose fields are written by fields
// in a way that Encode would not.
func withTensor(fields func(b *message)) []byte {
	var raw message
	fields(&raw)
	m := sample()
	m.Graph.Initializers = nil
	graph := m.Graph.encode()
	graph.bytes(5, raw)
	var b, set message
	b.bytes(7, graph)
	set.int(2, m.Opset)
	b.bytes(8, set)
	return b
}

// Values may be in fields of their type, packed or not.
func TestTypedData(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string]func(b *message){
		"packed": func(b *message) {
			var list message
			list = protowire.AppendFixed32(list, math.Float32bits(1))
			list = protowire.AppendFixed32(list, math.Float32bits(2))
			b.bytes(4, list)
		},
		"one by one": func(b *message) {
			for _, f := range []float32{1, 2} {
				*b = protowire.AppendTag(*b, 4, protowire.Fixed32Type)
				*b = protowire.AppendFixed32(*b, math.Float32bits(f))
			}
		},
		"raw": func(b *message) { b.bytes(9, tensors.FromFloats("", nil, []float32{1, 2}).Data) },
	} {
		m, err := Decode(withTensor(func(b *message) {
			b.int(1, 2)
			b.int(2, 1)
			b.string(8, "w")
			fields(b)
		}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v, err := m.Graph.Initializers[0].Floats()
		if d := cmp.Diff([]float32{1, 2}, v); d != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, d)
		}
	}
	m, err := Decode(withTensor(func(b *message) {
		b.int(1, 2)
		b.int(2, 7)
		b.string(8, "w")
		b.int(7, 5)
		b.int(7, -6)
	}))
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.Graph.Initializers[0].Ints()
	if d := cmp.Diff([]int64{5, -6}, v); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}

// Hostile input gives the right kind of error, and no shape allocates memory.
func TestHostile(t *testing.T) {
	t.Parallel()
	change := func(f func(m *Model)) []byte {
		m := sample()
		f(m)
		return m.Encode()
	}
	shaped := func(dims ...int64) []byte {
		return withTensor(func(b *message) {
			for _, d := range dims {
				b.int(1, d)
			}
			b.int(2, 1)
			b.string(8, "w")
			b.bytes(9, make([]byte, 8))
		})
	}
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"empty":     {nil, segd.ErrFormat},
		"text":      {[]byte("text instead of a model"), segd.ErrFormat},
		"no graph":  {[]byte{8, 8}, segd.ErrFormat},
		"no opset":  {change(func(m *Model) { m.Opset = 0 }), segd.ErrFormat},
		"a cycle":   {change(func(m *Model) { m.Graph.Nodes[0].Inputs[0] = "z" }), segd.ErrFormat},
		"own cycle": {change(func(m *Model) { m.Graph.Nodes[0].Inputs[0] = "y" }), segd.ErrFormat},
		"unordered": {change(func(m *Model) { n := m.Graph.Nodes; n[0], n[1] = n[1], n[0] }), segd.ErrFormat},
		"twice":     {change(func(m *Model) { m.Graph.Nodes[1].Outputs[0] = "y" }), segd.ErrFormat},
		"no input":  {change(func(m *Model) { m.Graph.Inputs = nil }), segd.ErrFormat},
		"no output": {change(func(m *Model) { m.Graph.Outputs = nil }), segd.ErrFormat},
		"nowhere":   {change(func(m *Model) { m.Graph.Outputs[0].Name = "q" }), segd.ErrFormat},
		"same name": {change(func(m *Model) { m.Graph.Initializers = append(m.Graph.Initializers, m.Graph.Initializers[0]) }), segd.ErrFormat},
		"long name": {change(func(m *Model) { m.Graph.Nodes[0].Name = strings.Repeat("x", maxName+1) }), segd.ErrFormat},
		"nested":    {change(func(m *Model) { m.Graph.Nodes[0].Attrs[0].Kind = 5 }), segd.ErrUnsupported},
		"many nodes": {change(func(m *Model) {
			m.Graph.Nodes = append(m.Graph.Nodes, make([]Node, maxNodes)...)
		}), segd.ErrTooLarge},
		"many tensors": {change(func(m *Model) {
			m.Graph.Initializers = append(m.Graph.Initializers, make([]tensors.Tensor, tensors.MaxTensors)...)
		}), segd.ErrUnsupported},
		"a billion":     {shaped(1<<15, 1<<15), segd.ErrFormat},
		"overflow":      {shaped(1<<32, 1<<32, 2), segd.ErrFormat},
		"negative":      {shaped(-2, -1), segd.ErrFormat},
		"many axes":     {shaped(1, 1, 1, 1, 1, 1, 1, 1, 2), segd.ErrFormat},
		"too few":       {shaped(3), segd.ErrFormat},
		"external data": {withTensor(func(b *message) { b.string(8, "w"); b.int(14, 1) }), segd.ErrUnsupported},
		"a string":      {withTensor(func(b *message) { b.string(8, "w"); b.int(2, 8) }), segd.ErrUnsupported},
		"long list": {change(func(m *Model) {
			m.Graph.Nodes[0].Attrs[0].Ints = make([]int64, maxList+1)
		}), segd.ErrFormat},
	} {
		if _, err := Decode(c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Any input is an ordered graph whose tensors have their data, or an error of a known
// kind.
func FuzzDecode(f *testing.F) {
	f.Add(sample().Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if !errors.Is(err, segd.ErrFormat) && !errors.Is(err, segd.ErrUnsupported) && !errors.Is(err, segd.ErrTooLarge) {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		for _, x := range m.Graph.Initializers {
			if n, ok := tensors.Elements(x.Shape, len(x.Data)); !ok || n*x.Dtype.Size() != len(x.Data) {
				t.Errorf("%v of %s has %d bytes", x.Shape, x.Dtype, len(x.Data))
			}
		}
		again, err := Decode(m.Encode())
		if err != nil {
			t.Fatalf("round trip failed: %v", err)
		}
		if !bytes.Equal(again.Encode(), m.Encode()) {
			t.Error("other bytes")
		}
	})
}
