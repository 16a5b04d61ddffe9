package train

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/internal/output"
	"segd/train/dataset/datasettest"
	"segd/unet"
)

// A training that is stopped at any step and resumed ends like an uninterrupted one.
// The only error of an interruption is that of ctx.
func TestResumeEqualsUninterrupted(t *testing.T) {
	dir := datasettest.Discs(t, 8, 32)
	whole := tiny(dir, filepath.Join(t.TempDir(), "whole"), 14)
	if _, err := Run(t.Context(), whole, nil); err != nil {
		t.Fatal(err)
	}
	stops := []int{1, 5, 8}
	if datasettest.Race {
		stops = stops[1:2]
	}
	for _, at := range stops {
		part := tiny(dir, filepath.Join(t.TempDir(), "part"), 14)
		ctx, stop := context.WithCancel(t.Context())
		part.afterStep = func(r *run) {
			if r.Step == at {
				stop()
			}
		}
		res, err := Run(ctx, part, nil)
		if !errors.Is(err, context.Canceled) || res == nil || res.Steps != at {
			t.Fatalf("stopped at %d: result %+v, error %v", at, res, err)
		}
		part.afterStep, part.Resume = nil, true
		if res, err = Run(t.Context(), part, nil); err != nil || res.Steps != 14 {
			t.Fatalf("resumed at %d: result %+v, error %v", at, res, err)
		}
		if !bytes.Equal(weightsOf(t, whole.Out), weightsOf(t, part.Out)) {
			t.Errorf("stopped at %d and resumed: weights differ from an uninterrupted run", at)
		}
		// Running it again does nothing.
		if res, err = Run(t.Context(), part, nil); err != nil || res.Steps != 14 {
			t.Errorf("resumed when done: result %+v, error %v", res, err)
		}
	}
}

func TestResumeRefuses(t *testing.T) {
	dir, out := datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m")
	fresh := tiny(dir, out, 2)
	fresh.Resume = true // without a checkpoint it starts over
	if _, err := Run(t.Context(), fresh, nil); err != nil {
		t.Fatal(err)
	}
	warned := false
	again := tiny(dir, out, 2)
	again.Overwrite = true
	if _, err := Run(t.Context(), again, func(e Event) { warned = warned || e.Kind == EventWarning }); err != nil || !warned {
		t.Errorf("again in the same place: warned %v, %v", warned, err)
	}
	longer := tiny(dir, out, 3)
	longer.Resume = true
	if _, err := Run(t.Context(), longer, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("other number of steps: %v", err)
	}
	for field, n := range map[string]unet.Config{"width 5": {Width: 5}, "block dense": {Block: unet.BlockDense}, "skip add": {Skip: unet.SkipAdd},
		"attention true": {Attention: true}, "convs 3": {Convs: 3}, "up bilinear": {Up: unet.UpBilinear}} {
		another := tiny(dir, out, 2)
		another.Resume, another.Network = true, n
		if _, err := Run(t.Context(), another, nil); !errors.Is(err, segd.ErrOption) || !strings.Contains(err.Error(), field) {
			t.Errorf("another network: %v, want %q", err, field)
		}
	}
	other := tiny(datasettest.Discs(t, 10, 32), out, 2)
	other.Resume = true
	if _, err := Run(t.Context(), other, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("other data: %v", err)
	}
	path := filepath.Join(out, checkpointName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"flipped bit": append(append([]byte(nil), b[:len(b)/2]...), append([]byte{b[len(b)/2] ^ 1}, b[len(b)/2+1:]...)...),
		"truncated":   b[:len(b)-100], "empty": {},
	} {
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), fresh, nil); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A folder that holds a model or a training is refused before data are read, unless
// it may be overwritten. A training killed before its first model continues with
// Resume, and no training ever leaves a model without a checkpoint.
func TestRunKeepsWhatIsThere(t *testing.T) {
	dir := datasettest.Discs(t, 8, 32)
	for _, name := range []string{"model.json", "weights.safetensors", checkpointName, planName, historyName, pageName} {
		o := tiny(filepath.Join(dir, "absent"), t.TempDir(), 2)
		path := filepath.Join(o.Out, name)
		if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), o, nil); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		o.Resume = true
		want := fs.ErrExist
		switch name {
		case checkpointName:
			want = segd.ErrFormat
		case planName, historyName, pageName:
			want = segd.ErrNotFound // the data
		}
		if _, err := Run(t.Context(), o, nil); !errors.Is(err, want) {
			t.Errorf("%s, resumed: %v", name, err)
		}
		if b, err := os.ReadFile(path); string(b) != "mine" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}

	o := tiny(dir, filepath.Join(t.TempDir(), "m"), 6)
	seen := false
	if _, err := Run(t.Context(), o, func(e Event) {
		if e.Kind == EventValidation && !seen {
			seen = true
			if _, err := os.Stat(filepath.Join(o.Out, checkpointName)); err != nil {
				t.Errorf("a model without a checkpoint: %v", err)
			}
		}
	}); err != nil || !seen {
		t.Fatal(err, seen)
	}
	lock, err := output.Take(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	o.Resume = true
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, segd.ErrBusy) {
		t.Errorf("while another training uses it: %v", err)
	}
}
