// Package models stores trained networks with everything needed to run them.
//
// A model is a directory of two files: model.json, the Manifest, and
// weights.safetensors. Those under embedded/ are part of the binary:
//
//	catalogue, err := models.Embedded()
//	m, err := catalogue.Get("nuclei")
//	probabilities, err := m.Predict(ctx, pool, x, false)
//
// A directory may also hold several networks, whose mean is the model's result
// (SaveEnsemble), or versions of a model, one of them in service (Promote).
//
// Manifests are read and checked when a model is opened. Weights are read when
// first needed, and checked against their SHA-256.
//
// Limits: 1 MiB for a manifest and 512 MiB for weights, checked before memory
// is allocated.
//
// Source: the keys of the manifest follow MONAI's bundle metadata
// (docs.monai.io, MONAI Bundle Specification). The weights are safetensors
// (github.com/huggingface/safetensors) with PyTorch's names and layouts.
package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"

	"segd"
	"segd/internal/sniff"
	"segd/unet"
)

const (
	manifestFile = "model.json"
	weightsFile  = "weights.safetensors"
	// nextFile is the manifest of a Save in progress; see Save.
	nextFile = ".model.json.next"

	maxManifest = 1 << 20
	maxWeights  = 512 << 20
)

// Model is one trained network. It is safe for concurrent use. Do not modify
// the Manifest.
type Model struct {
	Manifest

	// Origin is the directory of the model, or "embedded".
	Origin string

	options Options
	files   fs.FS

	store string // the version store in which it is current; "": none

	mu     sync.Mutex
	loaded *loading // the last one, in progress or done
}

// Options returns the options with which the model was opened.
func (m *Model) Options() Options { return m.options }

// open reads the manifest of the model in files.
func (o Options) open(files fs.FS, origin string) (*Model, error) {
	store := origin
	files, in, err := current(files)
	if err != nil {
		return nil, err
	}
	if in == "" {
		store = ""
	} else {
		origin = filepath.Join(origin, filepath.FromSlash(in))
	}
	man, err := readManifest(files, manifestFile)
	if next, e := readManifest(files, nextFile); e == nil {
		// A Save was interrupted between its two renames, or is in progress: the
		// manifest that matches the weights counts.
		if sum, e := checksum(files); e == nil && sum == next.WeightsSHA256 {
			man, err = next, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(files, weightsFile); err != nil {
		return nil, fmt.Errorf("models: %w: no %s", segd.ErrNotFound, weightsFile)
	}
	return &Model{Manifest: man, Origin: origin, options: o, files: files, store: store}, nil
}

func readManifest(files fs.FS, name string) (Manifest, error) {
	b, err := readFile(files, name, maxManifest)
	if err != nil {
		return Manifest{}, err
	}
	return decodeManifest(b)
}

// readFile reads a file of at most limit bytes.
func readFile(files fs.FS, name string, limit int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("models: %w: no %s", segd.ErrNotFound, name)
		}
		return nil, fmt.Errorf("models: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("models: %w: %s is not a file", segd.ErrFormat, name)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("models: %w: %s has %d bytes, limit %d", segd.ErrTooLarge, name, info.Size(), limit)
	}
	// The size may change while reading; the limit still applies.
	b := make([]byte, info.Size())
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("models: %w", err)
	}
	return b[:n], nil
}

// checksum returns the SHA-256 of the weights.
func checksum(files fs.FS) (string, error) {
	b, err := readFile(files, weightsFile, maxWeights)
	if err != nil {
		return "", err
	}
	return sum(b), nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// Params reads the weights and checks them against the manifest. Each call
// returns a new copy. Weights with another checksum, or that do not fit the
// network, are segd.ErrFormat. An ensemble, which has several, is a
// segd.ErrUnsupported.
func (m *Model) Params() (*unet.Params, error) {
	if n := len(m.Members); n > 0 {
		return nil, fmt.Errorf("models: %w: model %s is an ensemble of %d networks, want a model with one network", segd.ErrUnsupported, m.Name, n+1)
	}
	return m.params(Member{weightsFile, m.WeightsSHA256})
}

// params reads one network's weights.
func (m *Model) params(f Member) (*unet.Params, error) {
	b, err := readFile(m.files, f.File, maxWeights)
	if err != nil {
		return nil, fmt.Errorf("%w (model %s)", err, m.Name)
	}
	if got := sum(b); got != f.SHA256 {
		if what := sniff.Placeholder(b); what != "" {
			return nil, fmt.Errorf("models: %w: %s of model %s is %s", segd.ErrFormat, f.File, m.Name, what)
		}
		return nil, fmt.Errorf("models: %w: weights of model %s have SHA-256 %.12s…, the manifest says %.12s…: damaged, or replaced since the model was opened; open it again",
			segd.ErrFormat, m.Name, got, f.SHA256)
	}
	// The size of the bottleneck's second convolution alone, at two bytes per weight:
	// a manifest cannot make us allocate memory out of proportion to the file.
	if w := int64(m.Network.LevelWidth(m.Network.Depth)); 18*w*w > int64(len(b)) {
		return nil, fmt.Errorf("models: %w: weights of model %s have %d bytes, too few for a network of width %d and depth %d",
			segd.ErrFormat, m.Name, len(b), m.Network.Width, m.Network.Depth)
	}
	p, err := unet.ReadParams(m.Network, b)
	if err != nil {
		return nil, fmt.Errorf("models: model %s: %w", m.Name, err)
	}
	return p, nil
}
