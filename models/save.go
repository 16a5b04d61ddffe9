package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"segd"
	"segd/unet"
)

// Save writes a model into directory dir, which is made where it is missing;
// other files in it stay. half stores the weights as fp16, vectors as fp32.
//
// man's FormatVersion, NetworkDataFormat and WeightsSHA256 are filled in, and
// Title, Task and Use where they are empty; man.Network must be p's own. A
// manifest that does not validate is segd.ErrFormat, and nothing is written.
//
// At every moment, whatever fails, dir holds the whole old model or the whole
// new one, or, if there was none before, possibly none: both files are written
// under other names first, then the weights are renamed, then the manifest. In
// between, Open finds the new manifest under its other name. Two Saves into
// one directory must not run at once.
func Save(dir string, man Manifest, p *unet.Params, half bool) error {
	if got, want := p.Config(), man.Network.WithDefaults(); got != want {
		return fmt.Errorf("models: %w: the weights are of network %+v, the manifest's is %+v", segd.ErrFormat, got, want)
	}
	var weights bytes.Buffer
	if err := p.Write(&weights, half); err != nil {
		return fmt.Errorf("models: weights: %w", err)
	}
	man = man.complete()
	man.WeightsSHA256 = sum(weights.Bytes())
	if err := man.Validate(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(man, "", "  ")
	if err != nil {
		return fmt.Errorf("models: manifest: %w", err)
	}
	if len(text) >= maxManifest || weights.Len() > maxWeights {
		return fmt.Errorf("models: %w: manifest of %d bytes, limit %d; weights of %d, limit %d",
			segd.ErrTooLarge, len(text), maxManifest, weights.Len(), maxWeights)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	if err := replace(dir, append(text, '\n'), weights.Bytes()); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	return nil
}

// replace is the part of Save that touches the directory.
func replace(dir string, manifest, weights []byte) (err error) {
	path := func(name string) string { return filepath.Join(dir, name) }
	newWeights, next := path("."+weightsFile+".next"), path(nextFile)
	committed := false
	defer func() {
		if err != nil && !committed { // the old model still stands
			_ = os.Remove(newWeights)
			_ = os.Remove(next)
		}
	}()
	if err := writeSynced(newWeights, weights); err != nil {
		return err
	}
	if err := writeSynced(next, manifest); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	if err := os.Rename(newWeights, path(weightsFile)); err != nil {
		return err
	}
	committed = true
	if err := os.Rename(next, path(manifestFile)); err != nil {
		return err
	}
	return syncDir(dir)
}

// writeSynced writes a file and waits until it is on the disk.
func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// syncDir makes renames in dir last. Where directories cannot be synced
// (Windows, some network file systems) there is nothing to do.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
