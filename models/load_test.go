package models

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segd"
	"segd/unet"
)

// slowFiles counts how often weights are opened, and blocks until go is closed.
type slowFiles struct {
	fs.FS
	opened  atomic.Int32
	reached chan struct{} // receives a value for each
	release chan struct{}
}

func (f *slowFiles) Open(name string) (fs.File, error) {
	if name == weightsFile {
		f.opened.Add(1)
		f.reached <- struct{}{}
		<-f.release
	}
	return f.FS.Open(name)
}

// While the weights of a model are being read, calls for it wait for that single
// read, at most until their context is done. Calls for other models and for the
// catalogue do not wait at all.
func TestLoadOnce(t *testing.T) {
	root := t.TempDir()
	save(t, filepath.Join(root, "a"), tiny("a"), 1)
	save(t, filepath.Join(root, "b"), tiny("b"), 2)
	c := empty()
	if err := c.AddDir(root); err != nil {
		t.Fatal(err)
	}
	m, err := c.Get("a")
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowFiles{FS: m.files, reached: make(chan struct{}, 10), release: make(chan struct{})}
	m.files = slow

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := m.Load(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	<-slow.reached
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Load(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a waiting call, after its context is done: %v", err)
	}
	b, err := c.Get("b")
	if err != nil || len(c.List()) != 2 || b.Load(t.Context(), nil) != nil {
		t.Errorf("the other model: %v", err)
	}
	if c.Trim(0); len(m.ready()) != 0 {
		t.Error("a model is ready before it is loaded")
	}
	close(slow.release)
	wg.Wait()
	if n := slow.opened.Load(); n != 1 {
		t.Errorf("weights were read %d times", n)
	}
}

// All waiting calls receive the error, and the next call tries again.
func TestLoadFailsOnce(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, tiny("a"), 1)
	weights := read(t, dir, weightsFile)
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, weightsFile, weights[:50])
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := m.Load(t.Context(), nil); !errors.Is(err, segd.ErrFormat) {
				t.Errorf("damaged weights: %v", err)
			}
		})
	}
	wg.Wait()
	write(t, dir, weightsFile, weights)
	if err := m.Load(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// Options apply to embedded models, models in directories, models named by their
// directory, and versions promoted later.
func TestOptionsHold(t *testing.T) {
	root, plain := t.TempDir(), t.TempDir()
	save(t, plain, tiny("plain"), 1)
	m, err := Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	promote := func() {
		if _, err := Promote(filepath.Join(root, "store"), "store", m, Promotion{Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	promote()
	save(t, filepath.Join(root, "other"), tiny("other"), 1)
	c, err := Options{BFloat16: true}.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddDir(root); err != nil {
		t.Fatal(err)
	}
	promote()
	list := c.List()
	byDir, err := c.Resolve(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(list, byDir) {
		if !m.Options().BFloat16 || m.Options().Exact {
			t.Errorf("%s %s has options %+v", m.Name, m.Version, m.Options())
		}
	}
	if m, err := c.Get("store"); err != nil || m.Version != "2" {
		t.Errorf("%v serves, %v", m, err)
	}
	if m.Options() != (Options{}) {
		t.Errorf("a model opened separately has options %+v", m.Options())
	}
	// They reach the network.
	x := segd.NewTensor(1, 1, 24, 24)
	for i := range x.Data {
		x.Data[i] = float32(i%7) - 3
	}
	man := tiny("wide")
	man.Network.Width = 16
	wide := t.TempDir()
	save(t, wide, man, 3)
	var results [2]*segd.Tensor
	for i, o := range []Options{{}, {BFloat16: true}} {
		m, err := o.Open(wide)
		if err != nil {
			t.Fatal(err)
		}
		if results[i], err = m.Predict(t.Context(), nil, x, false); err != nil {
			t.Fatal(err)
		}
	}
	same := true
	for i, v := range results[0].Data {
		same = same && v == results[1].Data[i]
	}
	if same {
		t.Error("bfloat16 gives the same result as float32")
	}
	both, err := Options{Exact: true, BFloat16: true}.Open(wide)
	if err != nil {
		t.Fatal(err)
	}
	if err := both.Load(t.Context(), nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("exact in bfloat16: %v", err)
	}
}

// Directories are added, listed and searched concurrently, for the race detector.
func TestCatalogueConcurrent(t *testing.T) {
	c := empty()
	var wg sync.WaitGroup
	for i := range 4 {
		dir := t.TempDir()
		save(t, dir, tiny(string(rune('a'+i))), 1)
		wg.Go(func() {
			if err := c.AddDir(dir); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			c.List()
			_, _ = c.Get("a")
			c.Broken()
		})
	}
	wg.Wait()
	if got := len(c.List()); got != 4 {
		t.Errorf("%d models, want 4", got)
	}
}

// A version that cannot be opened is logged once, and once more if it is repaired and
// breaks again.
func TestMissedVersionIsLogged(t *testing.T) {
	root, plain := t.TempDir(), t.TempDir()
	save(t, plain, tiny("plain"), 1)
	m, err := Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(root, "store")
	if _, err := Promote(store, "store", m, Promotion{}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := &Catalogue{options: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	if err := c.AddDir(root); err != nil {
		t.Fatal(err)
	}
	good := read(t, store, pointerFile)
	for want := 1; want <= 2; want++ {
		write(t, store, pointerFile, []byte("{"))
		c.List()
		c.List()
		if n := strings.Count(log.String(), "level=ERROR"); n != want {
			t.Errorf("%d lines, want %d: %s", n, want, log.String())
		}
		write(t, store, pointerFile, good)
		c.List()
	}
}

// The error for something missing suggests what would have worked.
func TestSuggestions(t *testing.T) {
	root := t.TempDir()
	save(t, filepath.Join(root, "nuclei"), tiny("nuclei"), 1)
	save(t, filepath.Join(root, "lungs"), tiny("lungs"), 1)
	if err := os.MkdirAll(filepath.Join(root, "void"), 0o755); err != nil {
		t.Fatal(err)
	}
	if m, err := Open(filepath.Join(root, "lungs")); err != nil {
		t.Fatal(err)
	} else if _, err := Promote(filepath.Join(root, "store"), "store", m, Promotion{}); err != nil {
		t.Fatal(err)
	}
	c := empty()
	if err := c.AddDir(root); err != nil {
		t.Fatal(err)
	}
	get := func(name string) error { _, err := c.Get(name); return err }
	resolve := func(name string) error { _, err := c.Resolve(name); return err }
	rollback := func(name string) error { _, err := Rollback(name, time.Time{}); return err }
	for _, tt := range []struct {
		call func(string) error
		name string
		want string
	}{
		{get, "nucleii", `no model "nucleii"; did you mean nuclei? have lungs, nuclei, store`},
		{get, "NUCLEI", "did you mean nuclei?"},
		{get, "heart", `no model "heart"; have lungs, nuclei, store`},
		{resolve, "lung", "did you mean lungs?"},
		{resolve, filepath.Join(root, "nucle"), "; did you mean " + filepath.Join(root, "nuclei") + "?"},
		{resolve, root, "the models in it are " + filepath.Join(root, "lungs")},
		{resolve, filepath.Join(root, "void"), "a model is a directory of model.json and weights.safetensors"},
		{c.AddDir, root + "x", "; did you mean " + root + "?"},
		{c.AddDir, filepath.Join(root, "lungs", weightsFile), "is a file, want a directory"},
		{rollback, filepath.Join(root, "stroe"), "; did you mean " + filepath.Join(root, "store") + "?"},
	} {
		err := tt.call(tt.name)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

// A separate pool gets separate networks.
func TestLoadForAnotherPool(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, tiny("a"), 1)
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	pool := unet.NewPool(2)
	defer pool.Close()
	first, err := m.Predictor(nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := m.Predictor(pool)
	if err != nil || second == first {
		t.Errorf("the network of another pool is shared (%v)", err)
	}
}
