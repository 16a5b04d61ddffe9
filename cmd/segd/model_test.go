package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"segd"
	"segd/internal/onnx"
	"segd/internal/phantom"
	"segd/internal/tensors"
	"segd/internal/torch/torchtest"
	"segd/models"
	"segd/models/modelstest"
	"segd/train/dataset/datasettest"
)

func TestModelListAndShow(t *testing.T) {
	dir := brightModel(t)
	if got := done(t, "model", "list", "--models", dir); !strings.Contains(got, "bright") || !strings.Contains(got, dir) {
		t.Errorf("list: %q", got)
	}
	var list []models.Manifest
	if err := json.Unmarshal([]byte(done(t, "model", "list", "--models", dir, "--format", "json")), &list); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range list {
		found = found || m.Name == "bright"
	}
	if !found {
		t.Errorf("JSON list has no bright: %v", list)
	}
	card := done(t, "model", "show", dir)
	for _, want := range []string{"bright", "Research use only", "SHA-256"} {
		if !strings.Contains(card, want) {
			t.Errorf("card %q lacks %q", card, want)
		}
	}
	if code, _, stderr := command(t, "model", "show", "dark", "--models", dir); code != exitFailed || !strings.Contains(stderr, "bright") {
		t.Errorf("unknown model: exit %d, %q; want %d and the known names", code, stderr, exitFailed)
	}
}

func TestModelExport(t *testing.T) {
	dir, out := brightModel(t), filepath.Join(t.TempDir(), "half")
	card := filepath.Join(t.TempDir(), "card.json")
	write(t, card, []byte(`{"title": "What is bright", "classes": [{"index":0,"name":"background"},{"index":1,"name":"light","color":[1,2,3]}],
		"metrics": [{"data":"discs","split":"test","name":"mean_dice","value":0.5}]}`))
	args := []string{"model", "export", dir, "--half", "-o", out, "--card", card}
	done(t, args...)

	before, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	after, err := models.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if after.Title != "What is bright" || after.Classes[1].Name != "light" || after.Metrics[0].Value != 0.5 {
		t.Errorf("the card was not merged: %+v", after.Manifest)
	}
	if after.Name != before.Name || after.Network != before.Network || after.Recipe != before.Recipe {
		t.Errorf("%+v is not %+v", after.Manifest, before.Manifest)
	}
	if full, half := len(tree(t, dir)["weights.safetensors"]), len(tree(t, out)["weights.safetensors"]); half >= full {
		t.Errorf("%d bytes of half precision, %d of full", half, full)
	}
	if _, err := after.Params(); err != nil {
		t.Errorf("weights: %v", err)
	}

	files := tree(t, out)
	if code, _, stderr := command(t, args...); code != exitFailed || !strings.Contains(stderr, "--overwrite") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if diff := cmp.Diff(files, tree(t, out)); diff != "" {
		t.Error("the model that was there was changed")
	}
	done(t, append(args, "--overwrite")...)

	write(t, card, []byte(`{"titel": "misspelt"}`))
	if code, _, stderr := command(t, append(args, "--overwrite")...); code != exitFailed || !strings.Contains(stderr, "titel") {
		t.Errorf("misspelt key: exit %d, %q", code, stderr)
	}
}

func TestModelExportONNX(t *testing.T) {
	dir, out := brightModel(t), filepath.Join(t.TempDir(), "new", "bright.onnx")
	args := []string{"model", "export", dir, "--format", "onnx", "-o", out}
	done(t, args...)
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Prop("segd.name") != `"bright"` || !strings.Contains(m.Prop("segd.preprocessing"), "minmax") {
		t.Errorf("metadata: %v", m.Metadata)
	}
	if code, _, stderr := command(t, args...); code != exitFailed || !strings.Contains(stderr, "--overwrite") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	done(t, append(args, "--overwrite")...)
	for _, wrong := range [][]string{{"--half", "--overwrite"}, {"-o", dir}} {
		if code, _, stderr := command(t, append(args, wrong...)...); code != exitUsage {
			t.Errorf("%v: exit %d, %q", wrong, code, stderr)
		}
	}
}

// A network that comes back from a file segments as it did, whatever the file:
// it is served by the same plan.
func TestModelImport(t *testing.T) {
	dir, in := brightModel(t), t.TempDir()
	img, _ := phantom.Discs(1, 90, 70)
	datasettest.WritePNG(t, filepath.Join(in, "a.png"), img)
	masks := func(model string) map[string]string {
		out := filepath.Join(t.TempDir(), "out")
		done(t, "segment", "-i", in, "-o", out, "-m", model)
		return tree(t, filepath.Join(out, "mask"))
	}
	want := masks(dir)

	files := t.TempDir()
	file := filepath.Join(files, "bright.onnx")
	done(t, "model", "export", dir, "--format", "onnx", "-o", file)
	p := modelstest.Params()
	var list []tensors.Tensor
	for _, name := range p.Names() {
		v, _ := p.Get(name)
		list = append(list, tensors.FromFloats("module."+name, v.Shape(), v.Data().([]float32)))
	}
	pt := filepath.Join(files, "my net.pt")
	write(t, pt, torchtest.Save(torchtest.Dict(list)))

	for _, c := range []struct {
		file, name, class string
		flags             []string
	}{
		{file, "bright", "bright", nil},
		{file, "bright", "light", []string{"--classes", "light"}},
		{pt, "my-net", "class 1", nil},
		{pt, "other", "light", []string{"--name", "other", "--classes", "light"}},
		{filepath.Join(dir, "weights.safetensors"), "weights", "class 1", nil},
	} {
		out := filepath.Join(t.TempDir(), "model")
		args := append([]string{"model", "import", c.file, "-o", out}, c.flags...)
		if c.file != file {
			args = append(args, "--block", "plain")
		}
		done(t, args...)
		m, err := models.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		if m.Name != c.name || m.Classes[1].Name != c.class || m.Recipe.Normalise != "minmax" {
			t.Errorf("%s: %+v", c.file, m.Manifest)
		}
		if diff := cmp.Diff(want, masks(out)); diff != "" {
			t.Errorf("%s: other masks", c.file)
		}
		if code, _, stderr := command(t, args...); code != exitFailed || !strings.Contains(stderr, "--overwrite") {
			t.Errorf("exit %d, %q", code, stderr)
		}
	}

	out := filepath.Join(t.TempDir(), "fixed")
	for _, c := range []struct {
		flags []string
		want  []float32 // of the samples 0, 51 and 255
	}{
		{[]string{"--window", "0,255"}, []float32{0, 0.2, 1}},
		{[]string{"--window", "0,102"}, []float32{0, 0.5, 1}},
		{[]string{"--window", "0,255", "--deviation", "1"}, []float32{0, 51, 255}},
		{[]string{"--window", "0,255", "--mean", "127.5", "--deviation", "127.5"}, []float32{-1, -0.6, 1}},
	} {
		done(t, append([]string{"model", "import", file, "-o", out, "--overwrite", "--normalise", "fixed"}, c.flags...)...)
		m, err := models.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		x, _, err := m.Recipe.Apply(&segd.Image{Width: 3, Height: 1, Channels: 1, Pix: []float32{0, 51, 255}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, x.Data, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("%v: %s", c.flags, diff)
		}
	}

	out = filepath.Join(t.TempDir(), "model")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "--classes", []string{file, "--classes", "a,b"}},
		{exitUsage, "directory", []string{dir}},
		{exitUsage, "--epsilon", []string{pt, "--epsilon", "0"}},
		{exitUsage, "--window", []string{pt, "--normalise", "fixed"}},
		{exitUsage, "--window", []string{pt, "--normalise", "fixed", "--window", "255,0"}},
		{exitUsage, "--window", []string{pt, "--normalise", "fixed", "--window", "0,NaN"}},
		{exitUsage, "--deviation", []string{pt, "--normalise", "fixed", "--window", "0,255", "--deviation", "0"}},
		{exitUsage, "--mean needs", []string{pt, "--mean", "3"}},
		{exitFailed, "nowhere", []string{filepath.Join(files, "nowhere")}},
		{exitFailed, "ONNX", []string{filepath.Join(in, "a.png")}},
	} {
		if code, _, stderr := command(t, append([]string{"model", "import", "-o", out}, c.args...)...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit %d, %q", c.args, code, stderr)
		}
		if exists(out) {
			t.Fatalf("%v: something was written", c.args)
		}
	}
}
