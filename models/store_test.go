package models_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"segd"
	"segd/models"
	"segd/models/modelstest"
	"segd/unet"
)

// bright writes a model and opens it.
func bright(t *testing.T) *models.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "m")
	if err := modelstest.Save(dir, "bright"); err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Versions are promoted, rolled back and logged, and an open catalogue switches to
// each.
func TestStore(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "bright")
	m := bright(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if _, err := models.Rollback(dir, now); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("rollback without versions: %v", err)
	}
	done, err := models.Promote(dir, "bright", m, models.Promotion{Time: now})
	if err != nil || done.Version != 1 || done.Previous != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	c, err := models.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddDir(root); err != nil {
		t.Fatal(err)
	}
	serves := func(want string) {
		t.Helper()
		got, err := c.Get("bright")
		if err != nil || got.Version != want {
			t.Errorf("version %q serves (%v), want %s", got.Version, err, want)
		}
		if i := slices.IndexFunc(c.List(), func(m *models.Model) bool { return m.Name == "bright" }); c.List()[i].Version != want {
			t.Errorf("version %q is listed, want %s", c.List()[i].Version, want)
		}
	}
	serves("1")
	for want := 2; want <= 3; want++ {
		if done, err = models.Promote(dir, "bright", m, models.Promotion{Time: now, Forced: true, Evidence: map[string]int{"cases": 5}}); err != nil || done.Version != want {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	serves("3")
	for _, want := range []string{"2", "1"} {
		if _, err := models.Rollback(dir, now); err != nil {
			t.Fatal(err)
		}
		serves(want)
	}
	if _, err := models.Rollback(dir, now); !errors.Is(err, segd.ErrOption) {
		t.Errorf("rollback beyond the first: %v", err)
	}
	// A version that was rolled back is never overwritten.
	if done, err = models.Promote(dir, "bright", m, models.Promotion{Time: now}); err != nil || done.Version != 4 || done.Previous != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "promotions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for line := range bytes.Lines(b) {
		var p models.Promotion
		if err := json.Unmarshal(line, &p); err != nil || p.Weights != m.WeightsSHA256 || !p.Time.Equal(now) {
			t.Errorf("line %s: %v", line, err)
		}
		actions = append(actions, p.Action)
	}
	if got := strings.Join(actions, " "); got != "promote promote promote rollback rollback promote" {
		t.Errorf("log of %s", got)
	}
	// A damaged version does not serve; the previous one stays in service.
	if err := os.Remove(filepath.Join(dir, "versions", "1", "model.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := models.Rollback(dir, now); err == nil {
		t.Error("rolled back to a missing version")
	}
	serves("4")
	if _, err := models.Promote(m.Origin, "bright", m, models.Promotion{}); !errors.Is(err, segd.ErrOption) {
		t.Errorf("promoted over a plain model: %v", err)
	}
}

// Ensembles and mirror images are averaged correctly, with any number of threads.
func TestPredictAverages(t *testing.T) {
	c := unet.Config{Channels: 1, Classes: 3, Width: 4, Depth: 2}.WithDefaults()
	man := modelstest.Manifest("three")
	man.Network, man.Classes = c, models.ClassList("a", "b")
	members := []*unet.Params{unet.NewParams(c, 1), unet.NewParams(c, 2), unet.NewParams(c, 3)}
	dir := filepath.Join(t.TempDir(), "three")
	if err := models.SaveEnsemble(dir, man, members, false); err != nil {
		t.Fatal(err)
	}
	x := segd.NewTensor(1, 1, 13, 18)
	for i := range x.Data {
		x.Data[i] = float32((i*7919)%101)/50 - 1
	}
	flip := func(p *segd.Tensor, way int) *segd.Tensor {
		q := segd.NewTensor(p.N, p.C, p.H, p.W)
		for i := range p.Data {
			plane, y, col := i/(p.H*p.W), i/p.W%p.H, i%p.W
			if way&1 != 0 {
				col = p.W - 1 - col
			}
			if way&2 != 0 {
				y = p.H - 1 - y
			}
			q.Data[i] = p.Data[(plane*p.H+y)*p.W+col]
		}
		return q
	}
	want := make([]float64, 3*13*18)
	for _, p := range members {
		q, err := unet.NewPredictor(c, p, unet.PredictorOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for way := range 4 {
			r, err := q.Predict(t.Context(), flip(x, way))
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range flip(r, way).Data {
				want[i] += float64(v) / 12
			}
		}
	}
	var first []float32
	for threads := 1; threads <= 3; threads++ {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		pool := unet.NewPool(threads)
		defer pool.Close()
		m, err := models.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Predict(t.Context(), pool, x, true)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got.Data {
			if d := float64(v) - want[i]; d > 1e-6 || d < -1e-6 { // float32 sums of twelve
				t.Fatalf("value %d is %v, want %v", i, v, want[i])
			}
		}
		if first == nil {
			first = got.Data
		} else if !slices.Equal(first, got.Data) {
			t.Errorf("%d threads give another result than one", threads)
		}
		if _, err := m.Params(); !errors.Is(err, segd.ErrUnsupported) {
			t.Errorf("one network's weights of an ensemble: %v", err)
		}
	}
	// A changed member is refused.
	m, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, m.Members[1].File)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.Load(t.Context(), nil); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("damaged member: %v", err)
	}
}

func TestNoMirrors(t *testing.T) {
	man := modelstest.Manifest("sided")
	man.Training = &models.Training{NoFlip: true}
	dir := filepath.Join(t.TempDir(), "sided")
	if err := models.Save(dir, man, modelstest.Params(), false); err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(t.Context(), nil, segd.NewTensor(1, 1, 4, 4), true); !errors.Is(err, segd.ErrOption) || !strings.Contains(err.Error(), "left and right") {
		t.Errorf("mirrored nevertheless: %v", err)
	}
}

// TestStorePointerBroken breaks current.json while a catalogue serves it.
func TestStorePointerBroken(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "bright")
	m := bright(t)
	if _, err := models.Promote(dir, "bright", m, models.Promotion{}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c, err := models.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddDir(root); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "current.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if m, err := c.Get("bright"); err != nil || m.Version != "1" {
			t.Errorf("got %v, %v", m, err)
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "current.json") {
		t.Errorf("%d lines, want one that names the file: %s", n, log.String())
	}
}
