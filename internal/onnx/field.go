package onnx

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message: n for a number, bytes for anything else.
type field struct {
	num   protowire.Number
	kind  protowire.Type
	n     uint64
	bytes []byte
}

func (f field) int() int64 { return int64(f.n) }

// text sets a name of the file, within limits.
func (f field) text(dst *string) error {
	if f.kind != protowire.BytesType || len(f.bytes) > maxName {
		return bad("a name of %d bytes, limit %d", len(f.bytes), maxName)
	}
	*dst = string(f.bytes)
	return nil
}

// repeated visits the numbers of a repeated field, packed or not, of size bytes
// each; 0 means varint. If visit returns false, it stops with an error.
func (f field) repeated(size int, visit func(n uint64) bool) error {
	one := func(n uint64) error {
		if !visit(n) {
			return bad("a list is too long")
		}
		return nil
	}
	if f.kind != protowire.BytesType {
		return one(f.n)
	}
	for b := f.bytes; len(b) > 0; {
		var n uint64
		used := size
		switch {
		case size > len(b):
			return bad("a list is truncated")
		case size == 4:
			n = uint64(binary.LittleEndian.Uint32(b))
		case size == 8:
			n = binary.LittleEndian.Uint64(b)
		default:
			if n, used = protowire.ConsumeVarint(b); used < 0 {
				return bad("a list is truncated")
			}
		}
		if err := one(n); err != nil {
			return err
		}
		b = b[used:]
	}
	return nil
}

// fields visits the fields of a message.
func fields(b []byte, visit func(field) error) error {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return bad("not a protocol buffer: %v", protowire.ParseError(n))
		}
		b = b[n:]
		f := field{num: num, kind: kind}
		switch kind {
		case protowire.VarintType:
			f.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.n = uint64(v)
		case protowire.Fixed64Type:
			f.n, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			return bad("not a protocol buffer: wire type %d", kind)
		}
		if n < 0 {
			return bad("a message is truncated: %v", protowire.ParseError(n))
		}
		b = b[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}
