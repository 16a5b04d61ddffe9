package models

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// Options say how models are opened. They hold for the whole life of each model
// that is opened with them, and for the versions of it that are promoted while a
// Catalogue serves it. The zero value is the default, which the functions Open and
// Embedded take.
type Options struct {
	// Exact computes every layer by direct convolution, BFloat16 rounds to bfloat16
	// what most layers multiply: see unet.PredictorOptions. They exclude each other.
	Exact, BFloat16 bool

	// Log hears of promoted versions that a Catalogue cannot open while it serves.
	// Nil: nobody does.
	Log *slog.Logger
}

// Open reads the manifest of the model in directory dir. The weights are read
// when they are needed.
//
// The errors are segd.ErrNotFound where dir holds no model, segd.ErrFormat and
// segd.ErrTooLarge for a manifest that is not right, and segd.ErrUnsupported
// for one of a later format.
func (o Options) Open(dir string) (*Model, error) {
	m, err := o.open(os.DirFS(dir), dir)
	if err != nil {
		return nil, fmt.Errorf("%w (model %s)", err, filepath.Clean(dir))
	}
	return m, nil
}

// Open opens the model in directory dir with the default Options.
func Open(dir string) (*Model, error) { return Options{}.Open(dir) }

// Embedded returns a catalogue of the models that are part of the binary, which
// opens them and those of AddDir and Resolve with the options o. Each call returns
// a catalogue of its own.
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

// Embedded returns the models that are part of the binary, with the default
// Options.
func Embedded() (*Catalogue, error) { return Options{}.Embedded() }

// log is Log, or a logger that drops every line.
func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}
