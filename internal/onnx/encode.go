package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"segd/internal/tensors"
)

// Encode encodes m as a file. The same model gives the same bytes. Tensors are
// written as raw_data.
func (m *Model) Encode() []byte {
	var b message
	b.int(1, m.IRVersion)
	b.string(2, m.Producer)
	b.string(3, m.ProducerVersion)
	b.string(6, m.Doc)
	b.bytes(7, m.Graph.encode())
	var opset message
	opset.string(1, "")
	opset.int(2, m.Opset)
	b.bytes(8, opset)
	for _, p := range m.Metadata {
		var prop message
		prop.string(1, p.Key)
		prop.string(2, p.Value)
		b.bytes(14, prop)
	}
	return b
}

func (g *Graph) encode() message {
	var b message
	for i := range g.Nodes {
		b.bytes(1, g.Nodes[i].encode())
	}
	b.string(2, g.Name)
	for _, t := range g.Initializers {
		b.bytes(5, encodeTensor(t))
	}
	for _, v := range g.Inputs {
		b.bytes(11, v.encode())
	}
	for _, v := range g.Outputs {
		b.bytes(12, v.encode())
	}
	return b
}

func (n *Node) encode() message {
	var b message
	for _, s := range n.Inputs {
		b.string(1, s)
	}
	for _, s := range n.Outputs {
		b.string(2, s)
	}
	b.string(3, n.Name)
	b.string(4, n.Op)
	for _, a := range n.Attrs {
		b.bytes(5, a.encode())
	}
	if n.Domain != "" {
		b.string(7, n.Domain)
	}
	return b
}

func (a *Attr) encode() message {
	var b message
	b.string(1, a.Name)
	switch a.Kind {
	case KindFloat:
		b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, math.Float32bits(a.F))
	case KindInt:
		b.int(3, a.I)
	case KindString:
		b.string(4, a.S)
	case KindTensor:
		b.bytes(5, encodeTensor(a.T))
	case KindFloats:
		for _, f := range a.Floats {
			b = protowire.AppendTag(b, 7, protowire.Fixed32Type)
			b = protowire.AppendFixed32(b, math.Float32bits(f))
		}
	case KindInts:
		for _, i := range a.Ints {
			b.int(8, i)
		}
	}
	b.int(20, int64(a.Kind))
	return b
}

func encodeTensor(t tensors.Tensor) message {
	var b message
	for _, d := range t.Shape {
		b.int(1, int64(d))
	}
	b.int(2, dtypeNumber(t.Dtype))
	b.string(8, t.Name)
	b.bytes(9, t.Data)
	return b
}

func dtypeNumber(d tensors.Dtype) int64 {
	for n, name := range dtypes {
		if name == d {
			return n
		}
	}
	return 0
}

func (v *Value) encode() message {
	var shape, tensor, typ, b message
	for _, d := range v.Dims {
		var dim message
		if d.Name != "" {
			dim.string(2, d.Name)
		} else {
			dim.int(1, d.Size)
		}
		shape.bytes(1, dim)
	}
	tensor.int(1, dtypeNumber(v.Dtype))
	tensor.bytes(2, shape)
	typ.bytes(1, tensor)
	b.string(1, v.Name)
	b.bytes(2, typ)
	return b
}

// message is a protocol buffer being written.
type message []byte

func (b *message) int(num protowire.Number, n int64) {
	*b = protowire.AppendTag(*b, num, protowire.VarintType)
	*b = protowire.AppendVarint(*b, uint64(n))
}

func (b *message) string(num protowire.Number, s string) {
	*b = protowire.AppendTag(*b, num, protowire.BytesType)
	*b = protowire.AppendString(*b, s)
}

func (b *message) bytes(num protowire.Number, v []byte) {
	*b = protowire.AppendTag(*b, num, protowire.BytesType)
	*b = protowire.AppendBytes(*b, v)
}
