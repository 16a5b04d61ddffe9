package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/internal/onnx"
	"segd/internal/pythontest"
	"segd/internal/tensors"
	"segd/internal/torch/torchtest"
	"segd/unet"
)

// values returns all weights of a network, in order.
func values(p *unet.Params) []float32 {
	var all []float32
	for _, name := range p.Names() {
		t, _ := p.Get(name)
		all = append(all, t.Data().([]float32)...)
	}
	return all
}

// A file counts as written by segd only if its graph is the one described by its
// metadata.
func TestOwnONNXChanged(t *testing.T) {
	t.Parallel()
	c := unet.Config{Channels: 1, Classes: 2, Width: 4, Depth: 1}.WithDefaults()
	good, err := ONNX(manifest("m", c), weights(c, 1))
	if err != nil {
		t.Fatal(err)
	}
	prop := func(m *onnx.Model, key string) *onnx.Prop {
		return &m.Metadata[slices.IndexFunc(m.Metadata, func(p onnx.Prop) bool { return p.Key == "segd."+key })]
	}
	for name, f := range map[string]struct {
		change func(m *onnx.Model)
		want   string
	}{
		"an attribute": {func(m *onnx.Model) { m.Graph.Nodes[len(m.Graph.Nodes)-2].Attrs[0].Ints[0] = 3 }, "head"},
		"a missing node": {func(m *onnx.Model) {
			m.Graph.Outputs[0].Name = "head"
			m.Graph.Nodes = m.Graph.Nodes[:len(m.Graph.Nodes)-1]
		}, "nodes"},
		"a constant": {func(m *onnx.Model) { m.Graph.Initializers[len(m.Graph.Initializers)-1].Data[0]++ }, "tensor"},
		"a shape":    {func(m *onnx.Model) { m.Graph.Initializers[0].Shape = []int{1, 4, 3, 3} }, "enc.0.conv1.weight"},
		"another network": {func(m *onnx.Model) {
			p := prop(m, "network")
			p.Value = strings.Replace(p.Value, `"width":4`, `"width":8`, 1)
		}, "enc.0.conv1"},
		"another skip":   {func(m *onnx.Model) { p := prop(m, "network"); p.Value = strings.Replace(p.Value, "concat", "none", 1) }, "nodes"},
		"no JSON":        {func(m *onnx.Model) { prop(m, "classes").Value = "{" }, "JSON"},
		"a misspelt key": {func(m *onnx.Model) { prop(m, "classes").Key = "segd.clases" }, "clases"},
	} {
		m, err := onnx.Decode(bytes.Clone(good))
		if err != nil {
			t.Fatal(err)
		}
		f.change(m)
		if _, err := Import(m.Encode(), Options{}); !errors.Is(err, segd.ErrUnsupported) && !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: %v, want %q", name, err, f.want)
		}
	}
}

// dict returns the state dict of a network under other names.
func dict(p *unet.Params, name func(string) string) []tensors.Tensor {
	var list []tensors.Tensor
	for _, n := range p.Names() {
		v, _ := p.Get(n)
		list = append(list, tensors.FromFloats(name(n), v.Shape(), v.Data().([]float32)))
	}
	return list
}

func same(n string) string { return n }

// A state dict with segd's names determines any variant of the network, except what
// names and shapes leave open, which options must supply.
func TestStateDictOfVariants(t *testing.T) {
	t.Parallel()
	for name, c := range variants() {
		p := weights(c, 1)
		file := torchtest.Save(torchtest.Dict(dict(p, same)))
		// Only the user can say that a network predicts values.
		net, err := Import(file, Options{Network: unet.Config{Head: c.Head}})
		if err != nil {
			if !errors.Is(err, segd.ErrUnsupported) || !strings.Contains(err.Error(), "--") {
				t.Errorf("%s: %v", name, err)
				continue
			}
			net, err = Import(file, Options{Network: c})
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if net.Params.Config() != c || !slices.Equal(values(net.Params), values(p)) {
			t.Errorf("%s: got %+v, want %+v", name, net.Params.Config(), c)
		}
	}
}

// A wrapper's prefix, a bias before a normalisation, a single logit and a different
// epsilon do not change the network's results.
func TestStateDictForms(t *testing.T) {
	t.Parallel()
	c := unet.Config{Channels: 1, Classes: 2, Width: 8, Depth: 2}.WithDefaults()
	p := weights(c, 3)
	zero(p, "head.weight", 8)
	zero(p, "head.bias", 1)
	x := noise(1, 1, 1, 16, 16)
	want := logits(t, p, x)

	var list []tensors.Tensor
	const epsilon = 1e-3
	for _, d := range dict(p, same) {
		v, err := d.Floats()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(d.Name, "head."):
			v, d.Shape = v[len(v)/2:], append([]int{1}, d.Shape[1:]...)
		case strings.HasSuffix(d.Name, ".running_var"):
			for i := range v {
				v[i] -= epsilon - unet.NormEps
			}
		case strings.HasSuffix(d.Name, "norm1.running_mean"):
			bias := make([]float32, len(v))
			for i := range v {
				bias[i] = float32(i) / 7
				v[i] += bias[i]
			}
			list = append(list, tensors.FromFloats("module."+strings.Replace(d.Name, "norm1.running_mean", "conv1.bias", 1), d.Shape, bias))
		}
		list = append(list, tensors.FromFloats("module."+d.Name, d.Shape, v))
	}
	list = append(list, tensors.FromInts("module.enc.0.norm1.num_batches_tracked", nil, 5))
	net, err := Import(torchtest.Save(torchtest.Dict(list)), Options{Epsilon: epsilon})
	if err != nil {
		t.Fatal(err)
	}
	if d := apart(logits(t, net.Params, x), want); !(d < 1e-5) {
		t.Errorf("logits are %.1e off", d)
	}
}

func zero(p *unet.Params, name string, n int) {
	t, _ := p.Get(name)
	clear(t.Data().([]float32)[:n])
}

// safetensors gives the same result as the archive.
func TestSafetensors(t *testing.T) {
	t.Parallel()
	c := unet.Config{Channels: 3, Classes: 3, Width: 8, Depth: 1}.WithDefaults()
	p := weights(c, 1)
	var b bytes.Buffer
	if err := p.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	net, err := Import(b.Bytes(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if net.Params.Config() != c || !slices.Equal(values(net.Params), values(p)) {
		t.Error("the networks differ")
	}
}

// Anything that does not fit is refused by name.
func TestStateDictRefused(t *testing.T) {
	t.Parallel()
	c := unet.Config{Channels: 1, Classes: 2, Width: 8, Depth: 2}.WithDefaults()
	good := dict(weights(c, 1), same)
	with := func(f func(list []tensors.Tensor) []tensors.Tensor) []byte {
		return torchtest.Save(torchtest.Dict(f(slices.Clone(good))))
	}
	rename := func(i int, to string) []byte {
		return with(func(l []tensors.Tensor) []tensors.Tensor { l[i].Name = to; return l })
	}
	for name, f := range map[string]struct {
		file []byte
		want string
	}{
		"unknown names": {torchtest.Save(torchtest.Dict(dict(weights(c, 1), func(n string) string { return "x" + n }))), "milesial"},
		"missing":       {with(func(l []tensors.Tensor) []tensors.Tensor { return l[:len(l)-1] }), "head.bias"},
		"one too many": {with(func(l []tensors.Tensor) []tensors.Tensor {
			return append(l, tensors.FromFloats("extra", nil, []float32{1}))
		}), "extra"},
		"twice":            {with(func(l []tensors.Tensor) []tensors.Tensor { return append(l, l[0]) }), "twice"},
		"aligned corners":  {torchtest.Save(torchtest.Dict([]tensors.Tensor{tensors.FromFloats("inc.double_conv.0.weight", []int{8, 1, 3, 3}, make([]float32, 72))})), "aligned"},
		"other width":      {with(func(l []tensors.Tensor) []tensors.Tensor { l[0].Shape = []int{4, 2, 3, 3}; return l }), "levels of [4 16 32]"},
		"without variance": {rename(4, "enc.0.norm1.other"), "norm1"},
		"negative variance": {with(func(l []tensors.Tensor) []tensors.Tensor {
			l[4] = tensors.FromFloats(l[4].Name, l[4].Shape, slices.Repeat([]float32{-1}, 8))
			return l
		}), "variance"},
		"integers": {with(func(l []tensors.Tensor) []tensors.Tensor { l[0].Dtype = tensors.I64; l[0].Shape = []int{36}; return l }), "I64"},
		"nothing":  {torchtest.Save(torchtest.Pickle{Code: []byte("}")}), "dicts of tensors"},
		"garbage":  {[]byte("garbage, and more of it"), "ONNX"},
	} {
		_, err := Import(f.file, Options{})
		if !errors.Is(err, segd.ErrUnsupported) && !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: %v, want %q", name, err, f.want)
		}
	}
}

// torchCase is one case of make_torch.py.
type torchCase struct {
	Name    string  `json:"name"`
	File    string  `json:"file"`
	Shape   []int   `json:"shape"`
	Classes int     `json:"classes"`
	Eps     float64 `json:"eps"`
}

// Files written by PyTorch give PyTorch's logits, to 1e-4 of the largest.
func TestPyTorch(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SEGD_TORCH_CASES") // from an earlier run of make_torch.py, possibly with all cases
	if dir == "" {
		if testing.Short() {
			t.Skip("exports of PyTorch take half a minute")
		}
		p := pythontest.Find("torch")
		if p == "" {
			t.Skip("no Python with torch; SEGD_PYTHON names an interpreter")
		}
		dir = t.TempDir()
		execute(t, p, "testdata/make_torch.py", dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []torchCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			net := importFile(t, filepath.Join(dir, c.File), c, unet.HeadClasses)
			x := segd.NewTensor(c.Shape[0], c.Shape[1], c.Shape[2], c.Shape[3])
			copy(x.Data, load(t, filepath.Join(dir, c.Name+".in")))
			got, want := logits(t, net.Params, x), load(t, filepath.Join(dir, c.Name+".out"))
			if c.Classes == 1 {
				if c.Name != "sigmoid" { // a linear output may also be values
					v := importFile(t, filepath.Join(dir, c.File), c, unet.HeadRegression)
					if d := apart(logits(t, v.Params, x), want); !(d < 1e-4) || v.Params.Config().Head != unet.HeadRegression {
						t.Errorf("as values: %.1e off, %+v", d, v.Params.Config())
					}
				}
				if slices.ContainsFunc(got[:len(want)], func(v float32) bool { return v != 0 }) {
					t.Error("the background of a single logit is not zero")
				}
				got = got[len(want):]
			}
			d := apart(got, want)
			if !(d < 1e-4) {
				t.Errorf("%.1e off", d)
			}
			t.Logf("%.1e off, %+v", d, net.Params.Config())
		})
	}
	for file, want := range map[string]string{"module.pt": "__main__", "legacy.pt": "1.6"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Import(b, Options{}); !errors.Is(err, segd.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func importFile(t *testing.T, path string, c torchCase, head unet.Head) *Net {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	net, err := Import(b, Options{Epsilon: c.Eps, Network: unet.Config{Head: head}})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// The error for a failed download says what the file is.
func TestImportPlaceholder(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "git lfs pull",
		"<!doctype html><title>Sign in</title>":                      "HTML",
	} {
		if _, err := Import([]byte(content), Options{}); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q in it", content, err, want)
		}
	}
}
