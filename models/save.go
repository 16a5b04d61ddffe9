package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"segd"
	"segd/internal/output"
	"segd/unet"
)

// Save writes a model to directory dir and creates it if necessary. Other files
// in it stay, except further weights of an ensemble that Save replaces. half
// stores the weights as fp16, and vectors as fp32.
//
// Save fills in man's FormatVersion, NetworkDataFormat and WeightsSHA256, and
// Title, Task and Use if they are empty. man.Network must be that of p. An
// invalid manifest is segd.ErrFormat, and nothing is written.
//
// At every moment, whatever fails, dir holds the complete old model or the
// complete new one or, if there was none before, possibly none. Both files are
// first written under other names; then the weights are renamed, then the
// manifest. In between, Open finds the new manifest under its other name. Two
// Saves to one directory must not run concurrently.
func Save(dir string, man Manifest, p *unet.Params, half bool) error {
	if got, want := p.Config(), man.Network.WithDefaults(); got != want {
		return fmt.Errorf("models: %w: the weights belong to network %+v, but the manifest has %+v", segd.ErrFormat, got, want)
	}
	var weights bytes.Buffer
	if err := p.Write(&weights, half); err != nil {
		return fmt.Errorf("models: weights: %w", err)
	}
	man.WeightsSHA256 = sum(weights.Bytes())
	text, err := man.encode()
	if err != nil {
		return err
	}
	if weights.Len() > maxWeights {
		return fmt.Errorf("models: %w: weights have %d bytes, limit %d", segd.ErrTooLarge, weights.Len(), maxWeights)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	before, _ := readManifest(os.DirFS(dir), manifestFile) // a missing one is fine
	if err := replace(dir, text, weights.Bytes()); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	for _, f := range before.Members { // of a replaced ensemble
		if !slices.Contains(man.Members, f) {
			_ = os.Remove(filepath.Join(dir, f.File)) // nothing refers to it
		}
	}
	return nil
}

// Free reports whether Save can write to directory dir without replacing
// anything. The error wraps fs.ErrExist and names what exists: a model, or a
// version store, which even overwrite does not replace, because its pointer
// would hide the model.
func Free(dir string, overwrite bool) error {
	for _, name := range []string{pointerFile, versionsDir} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("models: %w: %s is a version store: choose another folder, then add the model with segd model promote", fs.ErrExist, dir)
		}
	}
	if overwrite {
		return nil
	}
	for _, name := range []string{manifestFile, weightsFile, nextFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("models: %w: %s belongs to an earlier model: replace it with --overwrite or choose another folder", fs.ErrExist, filepath.Join(dir, name))
		}
	}
	return nil
}

// Amend changes the manifest of the model in directory dir and leaves the file of
// weights unchanged. change must not touch what describes the weights, such as
// Network. At every moment the manifest is the old one or the new one. The errors are
// those of Open, and segd.ErrFormat if the changed manifest is invalid.
func Amend(dir string, change func(*Manifest)) error {
	m, err := Open(dir)
	if err != nil {
		return err
	}
	man := m.Manifest
	change(&man)
	if man.Network != m.Network || man.WeightsSHA256 != m.WeightsSHA256 {
		return fmt.Errorf("models: %w: the network or checksum changed, which needs new weights", segd.ErrFormat)
	}
	text, err := man.encode()
	if err != nil {
		return err
	}
	next := filepath.Join(dir, nextFile)
	err = output.WriteSynced(next, text)
	if err == nil {
		err = os.Rename(next, filepath.Join(dir, manifestFile))
	}
	if err == nil {
		err = output.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	return nil
}

// encode completes and checks the manifest and returns the text of model.json.
func (m Manifest) encode() ([]byte, error) {
	m = m.complete()
	if err := m.Validate(); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("models: manifest: %w", err)
	}
	if len(text) >= maxManifest {
		return nil, fmt.Errorf("models: %w: manifest has %d bytes, limit %d", segd.ErrTooLarge, len(text), maxManifest)
	}
	return append(text, '\n'), nil
}

// replace is the part of Save that touches the directory.
func replace(dir string, manifest, weights []byte) (err error) {
	path := func(name string) string { return filepath.Join(dir, name) }
	newWeights, next := path("."+weightsFile+".next"), path(nextFile)
	committed := false
	defer func() {
		if err != nil && !committed { // the old model is still in place
			_ = os.Remove(newWeights)
			_ = os.Remove(next)
		}
	}()
	if err := output.WriteSynced(newWeights, weights); err != nil {
		return err
	}
	if err := output.WriteSynced(next, manifest); err != nil {
		return err
	}
	if err := output.SyncDir(dir); err != nil {
		return err
	}
	if err := os.Rename(newWeights, path(weightsFile)); err != nil {
		return err
	}
	committed = true
	if err := os.Rename(next, path(manifestFile)); err != nil {
		return err
	}
	return output.SyncDir(dir)
}
