package models

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// Options control how models are opened. They apply to the whole life of each
// model opened with them, and to versions of it that are promoted while a
// Catalogue serves it. The zero value is the default, which the functions Open
// and Embedded use.
type Options struct {
	// Exact computes every layer with direct convolution. BFloat16 multiplies in
	// bfloat16 in most layers: see unet.PredictorOptions. They cannot be
	// combined.
	Exact, BFloat16 bool

	// Log receives promoted versions that a Catalogue cannot open while it serves.
	// Nil discards them.
	Log *slog.Logger
}

// Open reads the manifest of the model in directory dir. The weights are read
// when needed.
//
// The errors are segd.ErrNotFound if dir holds no model, segd.ErrFormat and
// segd.ErrTooLarge for an invalid manifest, and segd.ErrUnsupported for one of
// a later format.
func (o Options) Open(dir string) (*Model, error) {
	m, err := o.open(os.DirFS(dir), dir)
	if err != nil {
		return nil, fmt.Errorf("%w (model %s)", err, filepath.Clean(dir))
	}
	return m, nil
}

// Open opens the model in directory dir with the default Options.
func Open(dir string) (*Model, error) { return Options{}.Open(dir) }

// Embedded returns a new catalogue of the models in the binary. It opens them,
// and those of AddDir and Resolve, with the options o.
func (o Options) Embedded() (*Catalogue, error) {
	sub, err := fs.Sub(embedded, "embedded")
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	c := &Catalogue{options: o}
	found, err := c.readAll(sub, func(string) string { return embeddedOrigin })
	if err != nil {
		return nil, err
	}
	return c, c.take(found)
}

// Embedded returns the models in the binary, with the default Options.
func Embedded() (*Catalogue, error) { return Options{}.Embedded() }

// log is Log, or a logger that drops every line.
func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}
