// Package tensors holds named tensors as stored in files of weights: raw bytes
// with a type and a shape. Readers of safetensors (here), of PyTorch's archives
// (internal/torch) and of ONNX (internal/onnx) return them, and their callers
// convert them to numbers.
//
//	list, err := tensors.ReadSafetensors(file)
//	values, err := list[0].Floats()
//
// Limits: sizes are checked against the bytes present before memory is
// allocated; a file has at most MaxTensors. Errors are segd.ErrFormat, and
// segd.ErrUnsupported for a known type that is not supported.
package tensors

import (
	"encoding/binary"
	"fmt"
	"math"

	"segd"
)

// MaxTensors limits the tensors of a file; networks have a few hundred.
const MaxTensors = 1 << 14

// Dtype is the type of a tensor's elements, by its name in safetensors.
type Dtype string

// The supported types. Of others only the name is kept.
const (
	F64  Dtype = "F64"
	F32  Dtype = "F32"
	F16  Dtype = "F16"
	BF16 Dtype = "BF16"
	I64  Dtype = "I64"
	I32  Dtype = "I32"
	I16  Dtype = "I16"
	I8   Dtype = "I8"
	U8   Dtype = "U8"
	Bool Dtype = "BOOL"
)

var sizes = map[Dtype]int{F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, Bool: 1}

// Size returns the number of bytes of an element, 0 for an unsupported type.
func (d Dtype) Size() int { return sizes[d] }

// Tensor is a tensor as stored in a file: little endian, with the last axis
// varying fastest. Data is shared with the file.
type Tensor struct {
	Name  string
	Dtype Dtype
	Shape []int
	Data  []byte
}

// Elements returns the product of a shape, and false if an axis is negative or
// the product exceeds limit.
func Elements(shape []int, limit int) (int, bool) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if d == 0 {
			return 0, true
		}
		if n > limit/d {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// check makes sure that shape, type and data agree.
func (t Tensor) check() (elements int, err error) {
	size := t.Dtype.Size()
	if size == 0 {
		return 0, fmt.Errorf("tensors: %w: tensor %.80q has type %.20q", segd.ErrUnsupported, t.Name, t.Dtype)
	}
	n, ok := Elements(t.Shape, len(t.Data))
	if !ok || n*size != len(t.Data) {
		return 0, fmt.Errorf("tensors: %w: tensor %.80q of type %s and shape %.80v has %d bytes", segd.ErrFormat, t.Name, t.Dtype, t.Shape, len(t.Data))
	}
	return n, nil
}

// Floats returns the values of a floating-point tensor, rounding those of F64.
// An integer tensor is segd.ErrUnsupported. A value that is not finite as
// float32 is segd.ErrFormat.
func (t Tensor) Floats() ([]float32, error) {
	n, err := t.check()
	if err != nil {
		return nil, err
	}
	at, err := t.float()
	if err != nil {
		return nil, err
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = at(i)
		if v[i]-v[i] != 0 {
			return nil, fmt.Errorf("tensors: %w: value %d of tensor %.80q is not finite", segd.ErrFormat, i, t.Name)
		}
	}
	return v, nil
}

func (t Tensor) float() (func(i int) float32, error) {
	b, order := t.Data, binary.LittleEndian
	switch t.Dtype {
	case F64:
		return func(i int) float32 { return float32(math.Float64frombits(order.Uint64(b[8*i:]))) }, nil
	case F32:
		return func(i int) float32 { return math.Float32frombits(order.Uint32(b[4*i:])) }, nil
	case F16:
		return func(i int) float32 { return Float32of16(order.Uint16(b[2*i:])) }, nil
	case BF16:
		return func(i int) float32 { return math.Float32frombits(uint32(order.Uint16(b[2*i:])) << 16) }, nil
	}
	return nil, fmt.Errorf("tensors: %w: tensor %.80q has type %s, want floating point", segd.ErrUnsupported, t.Name, t.Dtype)
}

// Ints returns the values of an integer tensor. Another type is
// segd.ErrUnsupported.
func (t Tensor) Ints() ([]int64, error) {
	n, err := t.check()
	if err != nil {
		return nil, err
	}
	v := make([]int64, n)
	for i := range v {
		switch t.Dtype {
		case I64:
			v[i] = int64(binary.LittleEndian.Uint64(t.Data[8*i:]))
		case I32:
			v[i] = int64(int32(binary.LittleEndian.Uint32(t.Data[4*i:])))
		default:
			return nil, fmt.Errorf("tensors: %w: tensor %.80q has type %s, want 32- or 64-bit integers", segd.ErrUnsupported, t.Name, t.Dtype)
		}
	}
	return v, nil
}

// FromFloats makes a tensor of type F32 with its own memory.
func FromFloats(name string, shape []int, v []float32) Tensor {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return Tensor{Name: name, Dtype: F32, Shape: shape, Data: b}
}

// FromInts makes a vector of type I64, or a scalar if shape is empty.
func FromInts(name string, shape []int, v ...int64) Tensor {
	b := make([]byte, 0, 8*len(v))
	for _, n := range v {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return Tensor{Name: name, Dtype: I64, Shape: shape, Data: b}
}
