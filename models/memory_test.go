package models_test

import (
	"context"
	"path/filepath"
	"testing"

	"segd"
	"segd/models"
	"segd/models/modelstest"
)

// Trim releases the memory that models keep for their next runs if it exceeds the
// limit.
func TestTrim(t *testing.T) {
	dir := t.TempDir()
	if err := modelstest.Save(filepath.Join(dir, "bright"), "bright"); err != nil {
		t.Fatal(err)
	}
	var c models.Catalogue
	if err := c.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	m, err := c.Get("bright")
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.Memory(nil, 64, 64, false)
	if err != nil || n < 4*64*64 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if mirrored, err := m.Memory(nil, 64, 64, true); err != nil || mirrored <= n {
		t.Errorf("%d bytes with mirror images, %d without: %v", mirrored, n, err)
	}
	p, err := m.Predictor(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(context.Background(), nil, segd.NewTensor(1, 1, 64, 64), false); err != nil {
		t.Fatal(err)
	}
	kept := p.Idle()
	if kept == 0 {
		t.Fatal("nothing is kept")
	}
	if c.Trim(kept); p.Idle() != kept {
		t.Error("memory within the limit was released")
	}
	if c.Trim(kept - 1); p.Idle() != 0 {
		t.Error("more is kept than allowed")
	}
}
