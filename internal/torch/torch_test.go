package torch

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/internal/tensors"
	"segd/internal/torch/torchtest"
)

func sample() []tensors.Tensor {
	return []tensors.Tensor{
		tensors.FromFloats("a.weight", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}),
		{Name: "b", Dtype: tensors.F16, Shape: []int{1}, Data: []byte{0, 0x3c}},
		tensors.FromInts("c.num_batches_tracked", []int{}, 7),
	}
}

// saved returns an archive whose pickle is code and whose storage 0 has six floats.
func saved(code string) []byte {
	p := torchtest.Pickle{Code: []byte(code), Storages: map[string][]byte{"0": sample()[0].Data}}
	return torchtest.Save(p)
}

// pair returns a dict with one entry.
func pair(key, value string) string { return "}" + torchtest.Text(key) + value + "s" }

func six(size, stride []int, offset int) string {
	return torchtest.Tensor(tensors.F32, "0", offset, size, stride)
}

func TestRead(t *testing.T) {
	t.Parallel()
	got, err := Read(torchtest.Save(torchtest.Dict(sample())))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sample(), got); d != "" {
		t.Error(d)
	}
	// A state dict within a larger dict, under one of the usual keys or as the only
	// dict.
	inner := pair("w", six([]int{6}, []int{1}, 0))
	for _, code := range []string{
		pair("state_dict", inner), pair("anything", inner),
		"}(" + torchtest.Text("epoch") + "K\x03" + torchtest.Text("other") + inner + torchtest.Text("state_dict") + inner + torchtest.Text("l") + "](K\x01K\x02eu",
		pair("w", torchtest.Global("torch._utils", "_rebuild_parameter")+"("+six([]int{6}, []int{1}, 0)+"\x88}tR"),
	} {
		got, err := Read(saved(code))
		if err != nil || len(got) != 1 || got[0].Name != "w" || !bytes.Equal(got[0].Data, sample()[0].Data) {
			t.Errorf("%q: %v, %v", code, got, err)
		}
	}
}

// Views of a storage: parts, transposes, strides of axes of length one.
func TestViews(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size, stride []int
		offset       int
		want         []float32
	}{
		{[]int{3, 2}, []int{1, 3}, 0, []float32{1, 4, 2, 5, 3, 6}},
		{[]int{2, 2}, []int{3, 1}, 1, []float32{2, 3, 5, 6}},
		{[]int{2, 1, 3}, []int{3, 99, 1}, 0, []float32{1, 2, 3, 4, 5, 6}},
		{[]int{3}, []int{0}, 5, []float32{6, 6, 6}},
		{nil, nil, 4, []float32{5}},
	} {
		got, err := Read(saved(pair("w", six(c.size, c.stride, c.offset))))
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		v, err := got[0].Floats()
		if d := cmp.Diff(c.want, v); d != "" || err != nil {
			t.Errorf("%v: %v %s", c, err, d)
		}
	}
}

// Hostile or damaged input gives the right kind of error, and allocates no memory.
func TestHostile(t *testing.T) {
	t.Parallel()
	good := torchtest.Save(torchtest.Dict(sample()))
	var deflated bytes.Buffer
	z := zip.NewWriter(&deflated)
	w, err := z.Create("archive/data.pkl")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(good)
	damaged[bytes.Index(damaged, sample()[0].Data)]++
	recursive := "}q\x00" + torchtest.Text("state_dict") + "h\x00s"
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"empty":             {nil, segd.ErrFormat},
		"cut off":           {good[:len(good)/2], segd.ErrFormat},
		"legacy":            {[]byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."), segd.ErrUnsupported},
		"compressed":        {deflated.Bytes(), segd.ErrUnsupported},
		"damaged":           {damaged, segd.ErrFormat},
		"runs a command":    {saved(torchtest.Global("posix", "system") + torchtest.Text("x") + "\x85R"), segd.ErrUnsupported},
		"builtin":           {saved(torchtest.Global("__builtin__", "eval") + torchtest.Text("x") + "\x85R"), segd.ErrUnsupported},
		"an instance":       {saved(torchtest.Global("a", "B") + ")\x81"), segd.ErrUnsupported},
		"not a dict":        {saved("K\x01"), segd.ErrUnsupported},
		"holds itself":      {saved(recursive), segd.ErrUnsupported},
		"empty stack":       {saved("s"), segd.ErrFormat},
		"no mark":           {saved("}u"), segd.ErrFormat},
		"odd pairs":         {saved("}(K\x01u"), segd.ErrFormat},
		"unknown memo":      {saved("h\x05"), segd.ErrFormat},
		"builds a number":   {saved("K\x01}b"), segd.ErrFormat},
		"calls a number":    {saved("K\x01)R"), segd.ErrFormat},
		"long text":         {saved("X\xff\xff\xff\x7f"), segd.ErrTooLarge},
		"many objects":      {saved(strings.Repeat("N", maxObjects+1)), segd.ErrTooLarge},
		"no end of name":    {saved("c" + strings.Repeat("x", 400)), segd.ErrFormat},
		"beyond storage":    {saved(pair("w", six([]int{7}, []int{1}, 0))), segd.ErrFormat},
		"offset beyond":     {saved(pair("w", six([]int{1}, []int{1}, 6))), segd.ErrFormat},
		"stride beyond":     {saved(pair("w", six([]int{2}, []int{6}, 0))), segd.ErrFormat},
		"huge":              {saved(pair("w", six([]int{1 << 30, 1 << 30, 1 << 30}, []int{0, 0, 0}, 0))), segd.ErrFormat},
		"negative":          {saved(pair("w", six([]int{-1}, []int{1}, 0))), segd.ErrFormat},
		"negative stride":   {saved(pair("w", six([]int{2}, []int{-1}, 3))), segd.ErrFormat},
		"other storage":     {saved(pair("w", torchtest.Tensor(tensors.F32, "1", 0, nil, nil))), segd.ErrFormat},
		"unknown type":      {saved(pair("w", torchtest.Tensor("complex", "0", 0, nil, nil))), segd.ErrUnsupported},
		"two dicts":         {saved("}(" + torchtest.Text("a") + pair("w", six(nil, nil, 0)) + torchtest.Text("b") + pair("w", six(nil, nil, 0)) + "u"), segd.ErrUnsupported},
		"other order":       {saved(pair("w", torchtest.Global("torch._utils", "_rebuild_tensor_v2")+")R")), segd.ErrFormat},
		"a huge integer":    {saved("\x8a\x20" + strings.Repeat("\x01", 32)), segd.ErrUnsupported},
		"many axes":         {saved(pair("w", six(make([]int, 9), make([]int, 9), 0))), segd.ErrFormat},
		"a stack of pushes": {saved("((((tttt"), segd.ErrUnsupported},
	} {
		if _, err := Read(c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for i := range good {
		if _, err := Read(good[:i]); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", i, len(good))
		}
	}
}

// Any input holds tensors within it, or gives an error of a known kind.
func FuzzRead(f *testing.F) {
	f.Add(torchtest.Save(torchtest.Dict(sample())))
	f.Add(saved(pair("w", six([]int{3, 2}, []int{1, 3}, 0))))
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}

// FuzzPickle puts the program into a valid archive, because random bytes rarely are
// one.
func FuzzPickle(f *testing.F) {
	f.Add(torchtest.Dict(sample()).Code)
	f.Add([]byte(pair("state_dict", pair("w", six([]int{3, 2}, []int{1, 3}, 0)))))
	f.Add([]byte(pair("w", torchtest.Global("torch", "Size")+"(K\x01K\x02t\x85R")))
	f.Fuzz(func(t *testing.T, code []byte) { check(t, saved(string(code))) })
}

func check(t *testing.T, b []byte) {
	list, err := Read(b)
	if err != nil {
		if !errors.Is(err, segd.ErrFormat) && !errors.Is(err, segd.ErrUnsupported) && !errors.Is(err, segd.ErrTooLarge) {
			t.Fatalf("error without a kind: %v", err)
		}
		return
	}
	for _, tensor := range list {
		n, ok := tensors.Elements(tensor.Shape, len(b))
		if !ok || n*tensor.Dtype.Size() != len(tensor.Data) {
			t.Errorf("%+v has %d bytes", tensor.Shape, len(tensor.Data))
		}
	}
	if len(list) > tensors.MaxTensors {
		t.Errorf("%d tensors", len(list))
	}
}
