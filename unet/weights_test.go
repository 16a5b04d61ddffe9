package unet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/internal/tensors"
)

var tiny = Config{Channels: 1, Classes: 2, Width: 4, Depth: 1}.WithDefaults()

func encode(t testing.TB, p *Params, half bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b, half); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWeightsRoundTrip(t *testing.T) {
	for _, norm := range []Norm{NormNone, NormBatch, NormInstance, NormGroup} {
		c := tiny
		c.Norm, c.Groups = norm, 2
		p := scramble(NewParams(c, 5), rand.New(rand.NewPCG(1, 1)))
		for _, half := range []bool{false, true} {
			b := encode(t, p, half)
			if n := binary.LittleEndian.Uint64(b); n%8 != 0 {
				t.Errorf("header of %d bytes", n)
			}
			q, err := ReadParams(c, b)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range p.Names() {
				want := append([]float32{}, p.data(n)...)
				if tt, _ := p.Get(n); half && tt.Dims() > 1 {
					for i := range want {
						want[i] = tensors.Float32of16(tensors.Float16(want[i]))
					}
				}
				if d := cmp.Diff(want, q.data(n)); d != "" {
					t.Errorf("%s half=%v %s: %s", norm, half, n, d)
				}
			}
			if !bytes.Equal(b, encode(t, p, half)) {
				t.Error("the same values give different bytes")
			}
		}
	}
}

// file makes a safetensors file from a header and n bytes of data.
func file(head string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(b, head...), make([]byte, n)...)
}

// edit changes the header of a valid file.
func edit(t *testing.T, f func(h map[string]any)) []byte {
	t.Helper()
	b := encode(t, NewParams(tiny, 1), false)
	n := binary.LittleEndian.Uint64(b)
	var h map[string]any
	if err := json.Unmarshal(b[8:8+n], &h); err != nil {
		t.Fatal(err)
	}
	f(h)
	head, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(out, head...), b[8+n:]...)
}

func TestMalformedWeights(t *testing.T) {
	good := encode(t, NewParams(tiny, 1), false)
	tensor := func(h map[string]any, name string) map[string]any { return h[name].(map[string]any) }
	nan := encode(t, NewParams(tiny, 1), false)
	binary.LittleEndian.PutUint32(nan[len(nan)-4:], math.Float32bits(float32(math.NaN())))
	for name, b := range map[string][]byte{
		"empty":          nil,
		"seven bytes":    good[:7],
		"truncated data": good[:len(good)-1],
		"cut header":     good[:100],
		"extra byte":     append(append([]byte{}, good...), 0),
		"huge header":    append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), good[8:]...),
		"header > 1 MiB": file("{"+strings.Repeat(" ", 1<<20)+"}", 0),
		"not JSON":       file("[1,2", 0),
		"array":          file("[]", 0),
		"no tensors":     file("{}", 0),
		"NaN":            nan,
		"missing":        edit(t, func(h map[string]any) { delete(h, "head.bias") }),
		"wrong shape":    edit(t, func(h map[string]any) { tensor(h, "up.0.weight")["shape"] = []int{4, 8, 2, 2} }),
		"other type":     edit(t, func(h map[string]any) { tensor(h, "head.bias")["dtype"] = "F64" }),
		"half the bytes": edit(t, func(h map[string]any) { tensor(h, "head.bias")["dtype"] = "F16" }),
		"overlap": edit(t, func(h map[string]any) {
			tensor(h, "up.0.bias")["data_offsets"] = tensor(h, "head.bias")["data_offsets"]
		}),
		"negative":     edit(t, func(h map[string]any) { tensor(h, "head.bias")["data_offsets"] = []int{-8, 0} }),
		"backwards":    edit(t, func(h map[string]any) { tensor(h, "head.bias")["data_offsets"] = []int{8, 0} }),
		"not a tensor": edit(t, func(h map[string]any) { h["head.bias"] = "x" }),
		"unknown": edit(t, func(h map[string]any) {
			h["more"] = map[string]any{"dtype": "F32", "shape": []int{0}, "data_offsets": []int{0, 0}}
		}),
	} {
		if _, err := ReadParams(tiny, b); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadParams(Config{}, good); !errors.Is(err, segd.ErrOption) {
		t.Errorf("invalid network: %v", err)
	}
}

func TestExtraEntriesOfPyTorch(t *testing.T) {
	b := edit(t, func(h map[string]any) {
		h["__metadata__"] = map[string]any{"format": "pt"}
		h["enc.0.norm1.num_batches_tracked"] = map[string]any{"dtype": "I64", "shape": []int{}, "data_offsets": []int{0, 0}}
	})
	if _, err := ReadParams(tiny, b); err != nil {
		t.Error(err)
	}
}

// Run it with -fuzzminimizetime 20x: minimising a file of weights takes the
// default minute each time.
func FuzzReadParams(f *testing.F) {
	f.Add(encode(f, NewParams(tiny, 1), false))
	f.Add(encode(f, NewParams(tiny, 1), true))
	f.Add(file(`{"head.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{"__metadata__":{"a":"b"}}`, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ReadParams(tiny, b)
		if err != nil {
			if !errors.Is(err, segd.ErrFormat) {
				t.Errorf("not a format error: %v", err)
			}
			return
		}
		if _, err := ReadParams(tiny, encode(t, p, false)); err != nil {
			t.Errorf("round trip failed: %v", err)
		}
	})
}

func TestNewParams(t *testing.T) {
	c := anchor(16, NormBatch)
	p := NewParams(c, 1)
	n := 0
	for _, s := range c.layout() {
		w, sum, sum2 := p.data(s.name), 0.0, 0.0
		n += len(w)
		for _, v := range w {
			sum += float64(v)
			sum2 += float64(v) * float64(v)
		}
		if s.fan == 0 {
			continue
		}
		want := 1 / float64(s.fan)
		if s.role == roleConv {
			want *= 2
		}
		// Five standard errors of a variance estimated from len(w) normals.
		if got := sum2 / float64(len(w)); math.Abs(got-want) > 5*want*math.Sqrt(2/float64(len(w))) {
			t.Errorf("%s: variance %v, want %v", s.name, got, want)
		}
	}
	t.Logf("%d values", n)
	if diff := func(a, b *Params) bool { return a.data("head.weight")[0] != b.data("head.weight")[0] }; diff(p, NewParams(c, 1)) || !diff(p, NewParams(c, 2)) {
		t.Error("the seed has no effect")
	}
	q := p.Clone()
	q.data("head.bias")[0] = 7
	if p.data("head.bias")[0] == 7 {
		t.Error("a clone shares memory")
	}
	p.CopyFrom(q)
	if p.data("head.bias")[0] != 7 {
		t.Error("CopyFrom copies nothing")
	}
}

func TestWriteRefusesWhatCannotBeRead(t *testing.T) {
	p := NewParams(tiny, 1)
	for _, v := range []float64{math.NaN(), math.Inf(1), 70000} {
		p.data("head.weight")[0] = float32(v)
		if err := p.Write(&bytes.Buffer{}, true); err == nil {
			t.Errorf("%v was written", v)
		}
	}
}

func ExampleParams_Write() {
	c := Config{Channels: 1, Classes: 2, Width: 8, Depth: 2}.WithDefaults()
	var file bytes.Buffer
	if err := NewParams(c, 1).Write(&file, true); err != nil {
		fmt.Println(err)
		return
	}
	p, err := ReadParams(c, file.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	w, _ := p.Get("up.1.weight")
	fmt.Println(w.Shape())
	// Output: (32, 16, 2, 2)
}
