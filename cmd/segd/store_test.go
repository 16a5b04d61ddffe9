package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd/models"
	"segd/models/modelstest"
	"segd/unet"
)

// worseModel writes a model that marks nothing.
func worseModel(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "worse")
	p := modelstest.Params()
	bias, _ := p.Get("head.bias")
	bias.Data().([]float32)[1] = -100
	if err := models.Save(dir, modelstest.Manifest("bright"), p, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A new version serves if it is not worse; else it is refused, or forced and
// rolled back.
func TestPromote(t *testing.T) {
	test, good, bad, store := discSet(t, 0, 8), brightModel(t), worseModel(t), filepath.Join(t.TempDir(), "models")
	name := func() string {
		m, err := models.Open(good)
		if err != nil {
			t.Fatal(err)
		}
		return m.Name
	}()
	if out := done(t, "model", "promote", good, "--models", store); !strings.Contains(out, "version 1 is in service") {
		t.Errorf("promoted: %q", out)
	}
	if code, _, stderr := command(t, "model", "promote", bad, "--models", store, "--name", name); code != exitUsage || !strings.Contains(stderr, "test set") {
		t.Errorf("without a test set: exit %d, %s", code, stderr)
	}
	if code, _, stderr := command(t, "model", "promote", bad, "--models", store, "--name", name, "-d", test); code != exitFailed || !strings.Contains(stderr, "significantly worse") {
		t.Errorf("worse: exit %d, %s", code, stderr)
	}
	if code, stdout, _ := command(t, "model", "verify", bad, "--against", good, "-d", test); code != exitFailed || !strings.Contains(stdout, "bright") {
		t.Errorf("verify of a worse one: exit %d, %q", code, stdout)
	}
	if out := done(t, "model", "verify", good, "--against", bad, "-d", test); !strings.Contains(out, "bright") {
		t.Errorf("verify of a better one: %q", out)
	}
	if out := done(t, "model", "promote", bad, "--models", store, "--name", name, "-d", test, "--force"); !strings.Contains(out, "version 2 is in service, replacing version 1") {
		t.Errorf("forced: %q", out)
	}
	if out := done(t, "model", "list", "--models", store); !strings.Contains(out, filepath.Join(name, "versions", "2")) {
		t.Errorf("list: %q", out)
	}
	if out := done(t, "model", "rollback", name, "--models", store); !strings.Contains(out, "version 1 is in service, replacing version 2") {
		t.Errorf("rolled back: %q", out)
	}
	b, err := os.ReadFile(filepath.Join(store, name, "promotions.jsonl"))
	if err != nil || strings.Count(string(b), "\n") != 3 || !strings.Contains(string(b), `"worse":true`) {
		t.Errorf("log %s (%v)", b, err)
	}
	// The store segments as a model does.
	out := t.TempDir()
	done(t, "segment", "-i", filepath.Join(test, "images"), "-o", out, "-m", name, "--models", store, "--output", "mask")
}

// An ensemble of two models and mirror images segment as one model.
func TestEnsembleAndTTA(t *testing.T) {
	test, good, joined := discSet(t, 0, 2), brightModel(t), filepath.Join(t.TempDir(), "joined")
	done(t, "model", "ensemble", good, good, "-o", joined)
	alone, both, mirrored := t.TempDir(), t.TempDir(), t.TempDir()
	in := filepath.Join(test, "images")
	done(t, "segment", "-i", in, "-o", alone, "-m", good, "--output", "mask")
	done(t, "segment", "-i", in, "-o", both, "-m", joined, "--output", "mask")
	done(t, "segment", "-i", in, "-o", mirrored, "-m", joined, "--output", "mask", "--tta")
	for _, dir := range []string{both, mirrored} {
		if a, b := tree(t, alone), tree(t, dir); len(a) == 0 || len(a) != len(b) {
			t.Errorf("%d files and %d", len(a), len(b))
		} else {
			for name := range a {
				if a[name] != b[name] { // the network looks at each pixel alone
					t.Errorf("%s differs from that of the one network", name)
				}
			}
		}
	}
	if out := done(t, "evaluate", "-d", test, "-m", joined, "--tta"); !strings.Contains(out, "Dice") {
		t.Errorf("evaluate: %q", out)
	}
	if code, _, stderr := command(t, "model", "export", joined, "-o", t.TempDir()); code == exitDone || !strings.Contains(stderr, "ensemble") {
		t.Errorf("export of an ensemble: exit %d, %s", code, stderr)
	}
	other := filepath.Join(t.TempDir(), "other")
	m := modelstest.Manifest("other")
	m.Classes = models.ClassList("dark")
	if err := models.Save(other, m, modelstest.Params(), false); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t, "model", "ensemble", good, other, "-o", filepath.Join(t.TempDir(), "x")); code != exitUsage || !strings.Contains(stderr, "differ") {
		t.Errorf("of different classes: exit %d, %s", code, stderr)
	}
}

// TestEnsembleByName joins two models that number the same classes differently.
func TestEnsembleByName(t *testing.T) {
	test := discSet(t, 0, 2)
	m := modelstest.Manifest("one")
	m.Network.Classes, m.Classes, m.Regions, m.Metrics = 3, models.ClassList("disc", "square"), nil, nil
	p := unet.NewParams(m.Network, 7)
	other := modelstest.Manifest("other")
	other.Network, other.Classes, other.Regions, other.Metrics = m.Network, models.ClassList("Square", "disc"), nil, nil
	q, err := p.Adapt(m.Network, []int{0, 2, 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	one, two, joined := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two"), filepath.Join(t.TempDir(), "joined")
	for dir, save := range map[string]func(string) error{
		one: func(dir string) error { return models.Save(dir, m, p, false) },
		two: func(dir string) error { return models.Save(dir, other, q, false) },
	} {
		if err := save(dir); err != nil {
			t.Fatal(err)
		}
	}
	done(t, "model", "ensemble", one, two, "-o", joined)
	alone, both := t.TempDir(), t.TempDir()
	in := filepath.Join(test, "images")
	done(t, "segment", "-i", in, "-o", alone, "-m", one, "--output", "mask")
	done(t, "segment", "-i", in, "-o", both, "-m", joined, "--output", "mask")
	a, b := tree(t, alone), tree(t, both)
	if len(a) == 0 || len(a) != len(b) {
		t.Errorf("%d files and %d", len(a), len(b))
	}
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s differs from that of the one network", name)
		}
	}
}
