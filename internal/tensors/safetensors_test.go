package tensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

// file makes a safetensors file from a header and n bytes of data.
func file(head string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(b, head...), make([]byte, n)...)
}

func TestReadSafetensors(t *testing.T) {
	t.Parallel()
	b := file(`{"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},"__metadata__":{"x":"y"}}`, 12)
	got, err := ReadSafetensors(b)
	want := []Tensor{{"a", F16, []int{1, 2}, make([]byte, 4)}, {"b", F32, []int{2}, make([]byte, 8)}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	var many []string
	for i := range MaxTensors + 1 {
		many = append(many, fmt.Sprintf(`"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`, i))
	}
	for name, b := range map[string][]byte{
		"empty": nil, "a header beyond the file": append(binary.LittleEndian.AppendUint64(nil, 100), '{'),
		"a gap":        file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"an overlap":   file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
		"bytes unused": file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8),
		"a list":       file(`[]`, 0),
		"many":         file("{"+strings.Join(many, ",")+"}", 0),
	} {
		if _, err := ReadSafetensors(b); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	f64 := Tensor{"d", F64, []int{2}, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)), math.Float64bits(-2))}
	for name, c := range map[string]struct {
		tensor Tensor
		want   []float32
	}{
		"F32":  {FromFloats("", []int{2}, []float32{1.5, -2}), []float32{1.5, -2}},
		"F64":  {f64, []float32{0.1, -2}},
		"F16":  {Tensor{"", F16, []int{2}, []byte{0, 0x3c, 0, 0xc0}}, []float32{1, -2}},
		"BF16": {Tensor{"", BF16, []int{2}, []byte{0x80, 0x3f, 0, 0xc0}}, []float32{1, -2}},
		"none": {Tensor{"", F32, []int{0, 1 << 40}, nil}, []float32{}},
	} {
		got, err := c.tensor.Floats()
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, d)
		}
	}
	if got, err := FromInts("", []int{2}, 1<<40, -3).Ints(); err != nil || got[0] != 1<<40 || got[1] != -3 {
		t.Errorf("%v, %v", got, err)
	}
	inf := FromFloats("", nil, []float32{float32(math.Inf(1))})
	for name, c := range map[string]struct {
		tensor Tensor
		want   error
	}{
		"too few bytes":   {Tensor{"", F32, []int{2}, make([]byte, 4)}, segd.ErrFormat},
		"a billion":       {Tensor{"", F32, []int{1 << 30, 1 << 30, 1 << 30}, make([]byte, 4)}, segd.ErrFormat},
		"negative":        {Tensor{"", F32, []int{-1, -1}, make([]byte, 4)}, segd.ErrFormat},
		"not finite":      {inf, segd.ErrFormat},
		"beyond float32":  {Tensor{"", F64, nil, binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e300))}, segd.ErrFormat},
		"an unknown type": {Tensor{"", "C64", nil, make([]byte, 8)}, segd.ErrUnsupported},
		"integers":        {FromInts("", nil, 1), segd.ErrUnsupported},
	} {
		if _, err := c.tensor.Floats(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := inf.Ints(); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("integers from floats: %v", err)
	}
}

// Any input holds consecutive tensors, or gives a format error.
func FuzzReadSafetensors(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ReadSafetensors(b)
		if err != nil {
			if !errors.Is(err, segd.ErrFormat) {
				t.Errorf("not a format error: %v", err)
			}
			return
		}
		total := 0
		for _, x := range list {
			total += len(x.Data)
			if v, err := x.Floats(); err == nil && len(v) > len(b) {
				t.Errorf("%d values of %d bytes", len(v), len(b))
			}
		}
		if total > len(b) {
			t.Errorf("%d bytes of data in a file of %d", total, len(b))
		}
	})
}
