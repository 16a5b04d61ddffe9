// Package onnx reads and writes ONNX files. It handles the protocol buffer, as
// far as networks without control flow need it, not its meaning.
//
//	m, err := onnx.Decode(file)
//	file := m.Encode()
//
// Decode never executes or follows anything: weights in other files, nested
// graphs, functions and sparse tensors are refused. Tensors share the memory of
// the file, so the shape of a tensor cannot request more than is present.
//
// Limits: MaxFile, 65536 nodes, tensors.MaxTensors initializers, a rank of 8,
// names of 1024 bytes. As the standard requires, nodes are in topological
// order, which excludes cycles, and names are unique.
//
// Source: onnx/onnx.proto (github.com/onnx/onnx), IR version 10.
package onnx

import (
	"fmt"

	"segd"
	"segd/internal/tensors"
)

// Bounds of a file.
const (
	MaxFile  = 1 << 30
	maxNodes = 1 << 16
	maxRank  = 8
	maxName  = 1024
	maxList  = 1 << 16 // elements of an attribute
)

// Model is a file.
type Model struct {
	IRVersion       int64
	Opset           int64 // of the default domain, ai.onnx
	Producer        string
	ProducerVersion string
	Doc             string
	Metadata        []Prop
	Graph           Graph
}

// Prop is one of a model's metadata_props.
type Prop struct{ Key, Value string }

// Prop returns the value of a metadata key, or "" if it is absent.
func (m *Model) Prop(key string) string {
	for _, p := range m.Metadata {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

// Graph is a list of nodes in topological order.
type Graph struct {
	Name         string
	Nodes        []Node
	Initializers []tensors.Tensor
	Inputs       []Value // may list initializers too, as in old files
	Outputs      []Value
}

// Node is a call of an operator. Domain "" is ONNX's own. An omitted input is
// "".
type Node struct {
	Name, Op, Domain string
	Inputs, Outputs  []string
	Attrs            []Attr
}

// Kind is the type of an attribute, as AttributeProto numbers them.
type Kind int64

// The kinds of attribute that are read.
const (
	KindFloat  Kind = 1
	KindInt    Kind = 2
	KindString Kind = 3
	KindTensor Kind = 4
	KindFloats Kind = 6
	KindInts   Kind = 7
)

// Attr is an attribute of a node.
type Attr struct {
	Name   string
	Kind   Kind
	F      float32
	I      int64
	S      string
	T      tensors.Tensor
	Floats []float32
	Ints   []int64
}

// Attr returns the attribute with that name, or nil.
func (n *Node) Attr(name string) *Attr {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return &n.Attrs[i]
		}
	}
	return nil
}

// Value is an input or output of a graph.
type Value struct {
	Name  string
	Dtype tensors.Dtype // "" if the file does not say
	Dims  []Dim
}

// Dim is an axis: a fixed Size, or a name, which may be empty.
type Dim struct {
	Size int64
	Name string
}

// Float returns an attribute with one number; so do Int, String and the rest.
func Float(name string, f float32) Attr { return Attr{Name: name, Kind: KindFloat, F: f} }

// Int returns an attribute with one integer.
func Int(name string, i int64) Attr { return Attr{Name: name, Kind: KindInt, I: i} }

// String returns an attribute with a string.
func String(name, s string) Attr { return Attr{Name: name, Kind: KindString, S: s} }

// Ints returns an attribute with a list of integers.
func Ints(name string, v ...int64) Attr { return Attr{Name: name, Kind: KindInts, Ints: v} }

// bad returns a segd.ErrFormat of this package.
func bad(format string, a ...any) error {
	return fmt.Errorf("onnx: %w: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
}

// refuse returns a segd.ErrUnsupported of this package.
func refuse(format string, a ...any) error {
	return fmt.Errorf("onnx: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, a...))
}

// Check verifies that every name is defined exactly once and before it is read.
func (g *Graph) Check() error {
	known := map[string]bool{"": true}
	for _, t := range g.Initializers {
		if t.Name == "" || known[t.Name] {
			return bad("initializer %.80q has no name or a duplicate name", t.Name)
		}
		known[t.Name] = true
	}
	initializers := len(known)
	for _, v := range g.Inputs {
		known[v.Name] = true
	}
	if len(known) == initializers {
		return bad("the graph has no input")
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, in := range n.Inputs {
			if !known[in] {
				return bad("%s reads %.80q, which no earlier node writes: the graph has a cycle or is out of order", n.Label(i), in)
			}
		}
		for _, out := range n.Outputs {
			if out != "" && known[out] {
				return bad("%s writes %.80q a second time", n.Label(i), out)
			}
			known[out] = true
		}
	}
	if len(g.Outputs) == 0 {
		return bad("the graph has no output")
	}
	for _, v := range g.Outputs {
		if v.Name == "" || !known[v.Name] {
			return bad("no node writes the output %.80q", v.Name)
		}
	}
	return nil
}

// Label describes a node, the i-th of its graph, for messages.
func (n *Node) Label(i int) string {
	op := n.Op
	if n.Domain != "" {
		op = n.Domain + "." + op
	}
	if n.Name == "" {
		return fmt.Sprintf("node %d (%.80s)", i, op)
	}
	return fmt.Sprintf("node %.120q (%.80s)", n.Name, op)
}
