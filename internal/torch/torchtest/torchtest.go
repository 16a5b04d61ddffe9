// Package torchtest writes archives like PyTorch's torch.save, for tests without
// PyTorch.
//
//	file := torchtest.Save(torchtest.Dict(list))
//
// Source: pickletools.py of Python; the opcodes and their order are those of
// protocol 2 as PyTorch 1.13 writes them.
package torchtest

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"

	"segd/internal/tensors"
)

// Pickle is a program and the storages that it refers to.
type Pickle struct {
	Code     []byte
	Storages map[string][]byte
}

var storageNames = map[tensors.Dtype]string{
	tensors.F32: "FloatStorage", tensors.F16: "HalfStorage", tensors.BF16: "BFloat16Storage", tensors.F64: "DoubleStorage", tensors.I64: "LongStorage",
}

// Text encodes a string as BINUNICODE.
func Text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// Int encodes an integer as BININT.
func Int(n int) string {
	return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(int32(n))))
}

// Global encodes the name of a function.
func Global(module, name string) string { return "c" + module + "\n" + name + "\n" }

// Tensor encodes a call of _rebuild_tensor_v2 on the storage named key.
func Tensor(dtype tensors.Dtype, key string, offset int, size, stride []int) string {
	axes := func(v []int) string {
		s := "("
		for _, n := range v {
			s += Int(n)
		}
		return s + "t"
	}
	return Global("torch._utils", "_rebuild_tensor_v2") + "((" + Text("storage") + Global("torch", storageNames[dtype]) + Text(key) + Text("cpu") + Int(0) + "tQ" +
		Int(offset) + axes(size) + axes(stride) + "\x89" + Global("collections", "OrderedDict") + ")RtR"
}

// Contiguous returns the strides of a tensor whose last axis varies fastest.
func Contiguous(size []int) []int {
	stride, n := make([]int, len(size)), 1
	for i := len(size) - 1; i >= 0; i-- {
		stride[i] = n
		n *= size[i]
	}
	return stride
}

// Dict returns the pickle of a state dict.
func Dict(list []tensors.Tensor) Pickle {
	p := Pickle{Storages: map[string][]byte{}}
	s := Global("collections", "OrderedDict") + ")Rq\x00("
	for i, t := range list {
		key := fmt.Sprint(i)
		p.Storages[key] = t.Data
		s += Text(t.Name) + Tensor(t.Dtype, key, 0, t.Shape, Contiguous(t.Shape))
	}
	s += "u}" + Text("_metadata") + "}sb"
	p.Code = []byte(s)
	return p
}

// Save returns the archive of a pickle. It adds the protocol and STOP.
func Save(p Pickle) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, data []byte) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			panic(err) // a buffer returns none
		}
	}
	add("data.pkl", append(append([]byte{0x80, 2}, p.Code...), '.'))
	for key, data := range p.Storages {
		add("data/"+key, data)
	}
	add("version", []byte("3\n"))
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
