package exchange

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/internal/onnx"
	"segd/internal/pythontest"
	"segd/internal/tensors"
	"segd/unet"
)

// The written file is a valid graph with every tensor of the network and free axes.
// Reading it back gives a bit-identical network.
func TestONNXStructure(t *testing.T) {
	t.Parallel()
	for name, c := range variants() {
		p := weights(c, 1)
		b, err := ONNX(manifest("m", c), p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := onnx.Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(b, m.Encode()) {
			t.Errorf("%s: encoding the decoded file gives different bytes", name)
		}
		if m.Opset < 17 || m.Prop("segd.network") == "" || m.Prop("segd.classes") == "" || m.Prop("segd.preprocessing") == "" {
			t.Errorf("%s: opset %d, metadata %v", name, m.Opset, m.Metadata)
		}
		in, out := m.Graph.Inputs, m.Graph.Outputs
		output := map[unet.Head]string{unet.HeadClasses: "logits", unet.HeadRegression: "values"}[c.Head]
		if len(in) != 1 || len(out) != 1 || in[0].Name != "image" || out[0].Name != output ||
			in[0].Dims[1].Size != int64(c.Channels) || out[0].Dims[1].Size != int64(c.Classes) {
			t.Errorf("%s: inputs %v, outputs %v", name, in, out)
		}
		for _, axis := range []int{0, 2, 3} {
			if in[0].Dims[axis].Name == "" || in[0].Dims[axis] != out[0].Dims[axis] {
				t.Errorf("%s: axis %d is %v, then %v", name, axis, in[0].Dims[axis], out[0].Dims[axis])
			}
		}
		net, err := Import(b, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		man := manifest("m", c)
		man.WeightsSHA256 = net.Manifest.WeightsSHA256 // nothing to report yet
		if d := cmp.Diff(man, *net.Manifest); d != "" || net.Params.Config() != c || !slices.Equal(values(net.Params), values(p)) {
			t.Errorf("%s: a different network was read back %s", name, d)
		}
		given := map[string]tensors.Tensor{}
		for _, i := range m.Graph.Initializers {
			given[i.Name] = i
		}
		for _, n := range p.Names() {
			want, _ := p.Get(n)
			v, err := given[n].Floats()
			if err != nil || !slices.Equal(given[n].Shape, want.Shape()) || !slices.Equal(v, want.Data().([]float32)) {
				t.Errorf("%s: tensor %s is not the network's", name, n)
			}
		}
	}
}

// ONNX Runtime gives segd's logits for every variant: for multiples of the stride,
// odd sizes, batches, and images smaller than the stride, which are reflected more
// than once.
func TestONNXRuntime(t *testing.T) {
	t.Parallel()
	command := runtime(t)
	var want [][]float32
	var names []string
	j := jobs{dir: t.TempDir()}
	all := variants()
	for i, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		p := weights(c, uint64(i))
		b, err := ONNX(manifest("m", c), p)
		if err != nil {
			t.Fatal(err)
		}
		smallest := noise(3, 1, c.Channels, 3, 1)
		if c.Norm == unet.NormInstance || c.Norm == unet.NormGroup {
			// The variance of a single pixel is zero, and that of one pixel in two
			// channels may be tiny. Normalisation then amplifies rounding errors, and
			// the results cannot be compared.
			smallest = noise(3, 1, c.Channels, 11, 10)
		}
		for k, x := range []*segd.Tensor{noise(1, 1, c.Channels, 16, 24), noise(2, 2, c.Channels, 21, 35), smallest} {
			j.add(t, c, b, k == 0, x)
			want, names = append(want, logits(t, p, x)), append(names, name)
		}
	}
	worst := map[string]float64{}
	for i, got := range j.run(t, command) {
		d := apart(got, want[i])
		worst[names[i]] = max(worst[names[i]], d)
		if !(d < 1e-4) {
			t.Errorf("%s of %v: ONNX Runtime is %.1e from segd", names[i], j.list[i].Shape, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(worst)) {
		t.Logf("%-40s %.1e", name, worst[name])
	}
}

// PyTorch loads weights.safetensors into the module with these names, in its order,
// and computes segd's logits.
func TestWeightsInPyTorch(t *testing.T) {
	t.Parallel()
	p := pythontest.Find("torch")
	if p == "" {
		t.Skip("no Python with torch; SEGD_PYTHON names an interpreter")
	}
	var want [][]float32
	j := jobs{dir: t.TempDir()}
	all := variants()
	var names []string
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if i%5 != 0 { // each variant, with one normalisation or two
			continue
		}
		names = append(names, name)
		c := all[name]
		w, x := weights(c, 1), noise(1, 2, c.Channels, 16, 24)
		var b bytes.Buffer
		if err := w.Write(&b, false); err != nil {
			t.Fatal(err)
		}
		j.add(t, c, b.Bytes(), true, x)
		want = append(want, logits(t, w, x))
	}
	worst := 0.0
	for i, got := range j.run(t, []string{p, "testdata/load_torch.py"}) {
		d := apart(got, want[i])
		if worst = max(worst, d); !(d < 1e-4) {
			t.Errorf("%s: PyTorch is %.1e from segd", names[i], d)
		}
	}
	t.Logf("PyTorch is %.1e from segd at most", worst)
}
