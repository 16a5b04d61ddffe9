package models

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/preprocess"
	"segd/unet"
)

// tiny returns the manifest of the smallest possible network.
func tiny(name string) Manifest {
	return Manifest{
		Name: name, Version: "1.0", Description: "for tests",
		Match:   Match{Formats: []string{"png"}},
		Network: unet.Config{Channels: 1, Classes: 2, Width: 2, Depth: 1}.WithDefaults(),
		Recipe:  preprocess.Recipe{Channels: 1, Normalise: preprocess.ZScore},
		Classes: ClassList("thing"),
		Data:    []DataCard{{Name: "discs", Licence: "CC0-1.0"}},
		Metrics: []Metric{{Data: "discs", Split: "test", Name: "mean_dice", Value: 0.5}},
	}
}

// save writes a tiny model, with weights drawn from the given seed.
func save(t *testing.T, dir string, man Manifest, seed uint64) *unet.Params {
	t.Helper()
	p := unet.NewParams(man.Network, seed)
	if err := Save(dir, man, p, false); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSaveOpen(t *testing.T) {
	for _, half := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "a", "b")
		man := tiny("discs")
		p := unet.NewParams(man.Network, 7)
		if err := Save(dir, man, p, half); err != nil {
			t.Fatal(err)
		}
		m, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		want := man.complete()
		want.WeightsSHA256 = m.WeightsSHA256
		if diff := cmp.Diff(want, m.Manifest); diff != "" {
			t.Errorf("half %v: manifest changed in the round trip (-saved +opened):\n%s", half, diff)
		}
		got, err := m.Params()
		if err != nil {
			t.Fatal(err)
		}
		tolerance := 0.0
		if half {
			tolerance = 1e-3 // fp16 has 11 bits; the weights are below 2
		}
		for _, name := range p.Names() {
			a, _ := p.Get(name)
			b, ok := got.Get(name)
			if !ok {
				t.Fatalf("half %v: no %s", half, name)
			}
			x, y := a.Data().([]float32), b.Data().([]float32)
			for i := range x {
				if math.Abs(float64(x[i]-y[i])) > tolerance {
					t.Fatalf("half %v: %s[%d] = %v, want %v", half, name, i, y[i], x[i])
				}
			}
		}
	}
}

// Amend changes the manifest, not the weights, and leaves the model intact if it
// fails.
func TestAmend(t *testing.T) {
	dir := t.TempDir()
	man := tiny("discs")
	if err := Save(dir, man, unet.NewParams(man.Network, 7), true); err != nil {
		t.Fatal(err)
	}
	weights := func() string {
		b, err := os.ReadFile(filepath.Join(dir, weightsFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := weights()
	if err := Amend(dir, func(m *Manifest) { m.Title = "Amended" }); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Manifest){
		"another network": func(m *Manifest) { m.Network.Width *= 2 },
		"no classes":      func(m *Manifest) { m.Classes = nil },
	} {
		if err := Amend(dir, change); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Params(); err != nil || m.Title != "Amended" || weights() != before {
		t.Errorf("title %q, same weights %v, %v", m.Title, weights() == before, err)
	}
	if err := Amend(t.TempDir(), func(*Manifest) {}); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("no model there: %v", err)
	}
}

// A Save that is interrupted at any point leaves the old model or the new one. The
// states are those between the steps of replace.
func TestSaveIsWhole(t *testing.T) {
	old, fresh := tiny("m"), tiny("m")
	fresh.Version = "2.0"
	files := func(man Manifest, seed uint64) (manifest, weights []byte) {
		dir := t.TempDir()
		save(t, dir, man, seed)
		return read(t, dir, manifestFile), read(t, dir, weightsFile)
	}
	oldMan, oldWeights := files(old, 1)
	newMan, newWeights := files(fresh, 2)

	for _, c := range []struct {
		name  string
		files map[string][]byte
		want  string // version; empty: no model
	}{
		{"weights half written", map[string][]byte{manifestFile: oldMan, weightsFile: oldWeights, ".weights.safetensors.next": newWeights[:50]}, "1.0"},
		{"manifest half written", map[string][]byte{manifestFile: oldMan, weightsFile: oldWeights, ".weights.safetensors.next": newWeights, nextFile: newMan[:50]}, "1.0"},
		{"both written", map[string][]byte{manifestFile: oldMan, weightsFile: oldWeights, ".weights.safetensors.next": newWeights, nextFile: newMan}, "1.0"},
		{"weights renamed", map[string][]byte{manifestFile: oldMan, weightsFile: newWeights, nextFile: newMan}, "2.0"},
		{"done", map[string][]byte{manifestFile: newMan, weightsFile: newWeights}, "2.0"},
		{"first save, both written", map[string][]byte{".weights.safetensors.next": newWeights, nextFile: newMan}, ""},
		{"first save, weights renamed", map[string][]byte{weightsFile: newWeights, nextFile: newMan}, "2.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, b := range c.files {
				write(t, dir, name, b)
			}
			m, err := Open(dir)
			if c.want == "" {
				if !errors.Is(err, segd.ErrNotFound) {
					t.Fatalf("got %v, want ErrNotFound", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Params(); err != nil || m.Version != c.want {
				t.Fatalf("got version %s, %v; want %s", m.Version, err, c.want)
			}
			// The next Save repairs the directory.
			save(t, dir, fresh, 3)
			if m, err = Open(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Params(); err != nil {
				t.Fatal(err)
			}
			if got := list(t, dir); len(got) != 2 {
				t.Errorf("left behind: %v", got)
			}
		})
	}
}

// A Save that fails leaves the directory and its other files unchanged.
func TestSaveFails(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.json", []byte("{}"))
	p := save(t, dir, tiny("m"), 1)
	before := list(t, dir)

	bad := tiny("m")
	bad.Classes = bad.Classes[:1]
	other := tiny("m")
	other.Network.Width = 4
	nan := tiny("m")
	nan.Metrics = []Metric{{Value: math.NaN()}}
	for name, man := range map[string]Manifest{"classes": bad, "network": other, "metric": nan} {
		if err := Save(dir, man, p, false); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
	if diff := cmp.Diff(before, list(t, dir)); diff != "" {
		t.Errorf("directory changed:\n%s", diff)
	}
	// The rename fails because a directory has the name of the weights.
	blocked := t.TempDir()
	if err := os.MkdirAll(filepath.Join(blocked, weightsFile, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Save(blocked, tiny("m"), p, false); err == nil {
		t.Fatal("saved over a directory")
	}
	if got := list(t, blocked); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, tiny("m"), 1)
	good := string(read(t, dir, manifestFile))
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("manifest has no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for _, c := range []struct {
		name, manifest, says string
		kind                 error
	}{
		{"empty", "", "EOF", segd.ErrFormat},
		{"no object", "[]", "array", segd.ErrFormat},
		{"goes on", good + "{}", "after the JSON object", segd.ErrFormat},
		{"unknown key", swap(`"name"`, `"x": 1, "name"`), `"x"`, segd.ErrFormat},
		{"later format", swap(`"segd_format": 1`, `"segd_format": 2, "novelty": true`), "format 2", segd.ErrUnsupported},
		{"values", swap(`"depth": 1,`, `"depth": 1, "head": "regression",`), "values per pixel", segd.ErrFormat},
		{"values of classes", swap(`"match"`, `"values": {"mean": 1, "deviation": 1}, "match"`), "predicts classes", segd.ErrFormat},
		{"no format", swap(`"segd_format": 1,`, ``), "segd_format is 0", segd.ErrFormat},
		{"auto", swap(`"name": "m"`, `"name": "auto"`), "name", segd.ErrFormat},
		{"path as name", swap(`"name": "m"`, `"name": "../m"`), "name", segd.ErrFormat},
		{"no version", swap(`"version": "1.0"`, `"version": ""`), "version", segd.ErrFormat},
		{"depth", swap(`"depth": 1`, `"depth": 60`), "depth 60", segd.ErrFormat},
		{"recipe", swap(`"zscore"`, `"sigmoid"`), "sigmoid", segd.ErrFormat},
		{"channels", swap(`"channels": 1`, `"channels": 3`), "3 channels", segd.ErrFormat},
		{"class order", swap(`"index": 1`, `"index": 2`), "index 2", segd.ErrFormat},
		{"class name", swap(`"name": "thing"`, `"name": ""`), "class 1", segd.ErrFormat},
		{"half coded", swap(`"name": "thing"`, `"name": "thing", "type": {"value": "1", "scheme": "SCT", "meaning": "x"}`), "category and type", segd.ErrFormat},
		{"code without meaning", swap(`"name": "thing"`, `"name": "thing", "category": {"value": "1", "scheme": "SCT", "meaning": "x"}, "type": {"value": "1", "scheme": "SCT", "meaning": ""}`), "meaning", segd.ErrFormat},
		{"class twice", swap(`"name": "thing"`, `"name": "background"`), "two classes", segd.ErrFormat},
		{"data format", swap(`"num_channels": 2`, `"num_channels": 5`), "5 out", segd.ErrFormat},
		{"checksum", swap(`"weights_sha256": "`, `"weights_sha256": "Z`), "weights_sha256", segd.ErrFormat},
		{"no use", swap(ResearchUse, ""), "intended_use", segd.ErrFormat},
		{"large", good + strings.Repeat(" ", maxManifest), "limit", segd.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, dir, manifestFile, []byte(c.manifest))
			_, err := Open(dir)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %v containing %q", err, c.kind, c.says)
			}
		})
	}
	if _, err := Open(filepath.Join(dir, "nowhere")); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("no directory: got %v, want ErrNotFound", err)
	}
}

func TestParamsRefuses(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, tiny("m"), 1)
	weights := read(t, dir, weightsFile)
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"one bit": append(bytes.Clone(weights[:len(weights)-1]), weights[len(weights)-1]^1),
		"short":   weights[:len(weights)-1],
		"empty":   {},
	} {
		write(t, dir, weightsFile, b)
		if _, err := m.Params(); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "SHA-256") {
			t.Errorf("%s: got %v, want ErrFormat about the checksum", name, err)
		}
		if _, err := m.Predictor(nil); err == nil {
			t.Errorf("%s: made a predictor", name)
		}
	}
	// A failure is not cached.
	write(t, dir, weightsFile, weights)
	if _, err := m.Predictor(nil); err != nil {
		t.Errorf("after repair: %v", err)
	}

	// The checksum matches, but the network is far larger than the file: it is
	// refused before memory is allocated.
	man := tiny("m").complete()
	man.Network.Width, man.Network.Depth = 256, 6
	man.WeightsSHA256 = sum(weights)
	text, err := json.Marshal(man)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, manifestFile, text)
	if m, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Params(); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "too few") {
		t.Errorf("huge network: got %v", err)
	}
	if err := os.Remove(filepath.Join(dir, weightsFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("without weights: got %v, want ErrNotFound", err)
	}
}

// The predictor of a saved model gives the same results as one made from the same
// weights, and all callers share it.
func TestPredictor(t *testing.T) {
	dir := t.TempDir()
	p := save(t, dir, tiny("m"), 3)
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	pool := unet.NewPool(2)
	defer pool.Close()
	got := make([]*unet.Predictor, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			q, err := m.Predictor(pool)
			if err != nil {
				t.Error(err)
			}
			got[i] = q
		})
	}
	wg.Wait()
	for _, q := range got {
		if q == nil || q != got[0] {
			t.Fatal("the predictor is not shared")
		}
	}
	want, err := unet.NewPredictor(p.Config(), p, unet.PredictorOptions{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	x := segd.NewTensor(1, 1, 9, 7)
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(float64(i)))
	}
	a, err := want.Predict(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	b, err := got[0].Predict(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
