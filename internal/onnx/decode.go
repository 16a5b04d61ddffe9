package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"segd"
	"segd/internal/tensors"
)

// Decode decodes a file. The result shares b. The errors are segd.ErrFormat,
// segd.ErrUnsupported for features that the package does not support, and
// segd.ErrTooLarge.
func Decode(b []byte) (*Model, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("onnx: %w: %d bytes, limit %d", segd.ErrTooLarge, len(b), MaxFile)
	}
	m, graphs := &Model{}, 0
	err := fields(b, func(f field) error {
		switch f.num {
		case 1:
			m.IRVersion = f.int()
		case 2:
			return f.text(&m.Producer)
		case 3:
			return f.text(&m.ProducerVersion)
		case 6:
			m.Doc = string(f.bytes)
		case 7:
			graphs++
			return m.Graph.decode(f.bytes)
		case 8:
			return m.opset(f.bytes)
		case 14:
			return m.prop(f.bytes)
		case 25:
			return refuse("the model defines its own functions")
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case graphs != 1:
		return nil, bad("%d graphs, want 1", graphs)
	case m.Opset < 1:
		return nil, bad("no operator set version")
	}
	return m, m.Graph.Check()
}

func (m *Model) opset(b []byte) error {
	domain, version := "", int64(0)
	err := fields(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&domain)
		case 2:
			version = f.int()
		}
		return nil
	})
	if domain == "" || domain == "ai.onnx" {
		m.Opset = version
	}
	return err
}

func (m *Model) prop(b []byte) error {
	if len(m.Metadata) >= maxName {
		return bad("more than %d metadata_props", maxName)
	}
	var p Prop
	err := fields(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&p.Key)
		case 2:
			p.Value = string(f.bytes)
		}
		return nil
	})
	m.Metadata = append(m.Metadata, p)
	return err
}

func (g *Graph) decode(b []byte) error {
	return fields(b, func(f field) error {
		switch f.num {
		case 1:
			if len(g.Nodes) >= maxNodes {
				return fmt.Errorf("onnx: %w: more than %d nodes", segd.ErrTooLarge, maxNodes)
			}
			n, err := decodeNode(f.bytes)
			g.Nodes = append(g.Nodes, n)
			return err
		case 2:
			return f.text(&g.Name)
		case 5:
			if len(g.Initializers) >= tensors.MaxTensors {
				return fmt.Errorf("onnx: %w: more than %d tensors", segd.ErrTooLarge, tensors.MaxTensors)
			}
			t, err := decodeTensor(f.bytes)
			g.Initializers = append(g.Initializers, t)
			return err
		case 11:
			return decodeValue(&g.Inputs, f.bytes)
		case 12:
			return decodeValue(&g.Outputs, f.bytes)
		case 15:
			return refuse("the graph has a sparse tensor")
		}
		return nil
	})
}

func decodeNode(b []byte) (Node, error) {
	var n Node
	err := fields(b, func(f field) error {
		switch f.num {
		case 1, 2:
			list := &n.Inputs
			if f.num == 2 {
				list = &n.Outputs
			}
			if len(*list) >= maxName {
				return bad("a node with more than %d inputs or outputs", maxName)
			}
			*list = append(*list, "")
			return f.text(&(*list)[len(*list)-1])
		case 3:
			return f.text(&n.Name)
		case 4:
			return f.text(&n.Op)
		case 5:
			if len(n.Attrs) >= maxName {
				return bad("a node with more than %d attributes", maxName)
			}
			a, err := decodeAttr(f.bytes)
			n.Attrs = append(n.Attrs, a)
			return err
		case 7:
			if err := f.text(&n.Domain); err != nil {
				return err
			}
			if n.Domain == "ai.onnx" {
				n.Domain = ""
			}
		}
		return nil
	})
	return n, err
}

func decodeAttr(b []byte) (Attr, error) {
	var a Attr
	err := fields(b, func(f field) error {
		var err error
		switch f.num {
		case 1:
			return f.text(&a.Name)
		case 2:
			a.F = math.Float32frombits(uint32(f.n))
		case 3:
			a.I = f.int()
		case 4:
			return f.text(&a.S)
		case 5:
			a.T, err = decodeTensor(f.bytes)
		case 7:
			err = f.repeated(4, func(n uint64) bool {
				a.Floats = append(a.Floats, math.Float32frombits(uint32(n)))
				return len(a.Floats) <= maxList
			})
		case 8:
			err = f.repeated(0, func(n uint64) bool {
				a.Ints = append(a.Ints, int64(n))
				return len(a.Ints) <= maxList
			})
		case 20:
			a.Kind = Kind(f.int())
		}
		return err
	})
	if err != nil {
		return a, err
	}
	switch a.Kind {
	case KindFloat, KindInt, KindString, KindTensor, KindFloats, KindInts:
		return a, nil
	}
	return a, refuse("attribute %.80q has kind %d, such as a nested graph", a.Name, a.Kind)
}

// dtypes are the numbers of TensorProto.DataType.
var dtypes = map[int64]tensors.Dtype{
	1: tensors.F32, 2: tensors.U8, 3: tensors.I8, 5: tensors.I16, 6: tensors.I32, 7: tensors.I64,
	9: tensors.Bool, 10: tensors.F16, 11: tensors.F64, 16: tensors.BF16,
}

func decodeTensor(b []byte) (tensors.Tensor, error) {
	var t tensors.Tensor
	var dtype int64
	var typed []byte // values in fields of their type instead of raw_data
	raw := false
	err := fields(b, func(f field) error {
		switch f.num {
		case 1:
			return f.repeated(0, func(n uint64) bool {
				t.Shape = append(t.Shape, int(min(n, math.MaxInt32)))
				return len(t.Shape) <= maxRank
			})
		case 2:
			dtype = f.int()
		case 4:
			return f.repeated(4, func(n uint64) bool { typed = binary.LittleEndian.AppendUint32(typed, uint32(n)); return true })
		case 5:
			size := dtypes[dtype].Size()
			return f.repeated(0, func(n uint64) bool { typed = appendInt(typed, n, size); return true })
		case 7:
			return f.repeated(0, func(n uint64) bool { typed = binary.LittleEndian.AppendUint64(typed, n); return true })
		case 8:
			return f.text(&t.Name)
		case 9:
			t.Data, raw = f.bytes, true
		case 10:
			return f.repeated(8, func(n uint64) bool { typed = binary.LittleEndian.AppendUint64(typed, n); return true })
		case 3:
			return refuse("tensor %.80q is a segment of a larger tensor", t.Name)
		case 13:
			return refuse("tensor %.80q is stored in another file: export with the weights inside", t.Name)
		case 14:
			if f.int() != 0 {
				return refuse("tensor %.80q is stored in another file: export with the weights inside", t.Name)
			}
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	if t.Dtype = dtypes[dtype]; t.Dtype == "" {
		return t, refuse("tensor %.80q has elements of type %d", t.Name, dtype)
	}
	if !raw {
		t.Data = typed
	}
	if n, ok := tensors.Elements(t.Shape, len(t.Data)); !ok || n*t.Dtype.Size() != len(t.Data) {
		return t, bad("tensor %.80q of type %s and shape %v has %d bytes", t.Name, t.Dtype, t.Shape, len(t.Data))
	}
	return t, nil
}

// appendInt appends an element of that size from int32_data.
func appendInt(b []byte, n uint64, size int) []byte {
	switch size {
	case 1:
		return append(b, byte(n))
	case 2:
		return binary.LittleEndian.AppendUint16(b, uint16(n))
	}
	return binary.LittleEndian.AppendUint32(b, uint32(n))
}

func decodeValue(list *[]Value, b []byte) error {
	if len(*list) >= tensors.MaxTensors {
		return bad("more than %d inputs or outputs", tensors.MaxTensors)
	}
	var v Value
	err := fields(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&v.Name)
		case 2:
			return fields(f.bytes, func(f field) error {
				if f.num != 1 {
					return refuse("%.80q is not a tensor", v.Name)
				}
				return v.tensorType(f.bytes)
			})
		}
		return nil
	})
	*list = append(*list, v)
	return err
}

func (v *Value) tensorType(b []byte) error {
	return fields(b, func(f field) error {
		switch f.num {
		case 1:
			v.Dtype = dtypes[f.int()]
		case 2:
			return fields(f.bytes, func(f field) error {
				if f.num != 1 {
					return nil
				}
				if len(v.Dims) >= maxRank {
					return bad("%.80q has more than %d axes", v.Name, maxRank)
				}
				var d Dim
				err := fields(f.bytes, func(f field) error {
					switch f.num {
					case 1:
						d.Size = f.int()
					case 2:
						return f.text(&d.Name)
					}
					return nil
				})
				v.Dims = append(v.Dims, d)
				return err
			})
		}
		return nil
	})
}
