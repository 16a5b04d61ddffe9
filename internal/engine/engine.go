// Package engine is the application: it makes all outputs that are asked for of what
// is read, and alone knows in which order. Edges (the server, the command line) give
// it sources and take the results.
//
//	e := engine.New(engine.Config{Models: catalogue, Pool: pool, Software: "segd 1"})
//	job, err := e.Job(engine.Request{Model: m, Outputs: []string{"mask", "seg"}})
//	inputs, err := job.Plan(ctx, sources) // the slices of a series are one input
//	for _, in := range inputs {
//		err = job.Run(ctx, in, sink)
//	}
//
// A Run reads, chooses the model and checks that it fits, settles which outputs can
// be made and what has to be warned of, segments the frames, and makes the outputs:
// those of a frame as soon as it is done, those of the whole input at the end. The
// Sink takes them; it decides where they go.
//
// What runs at once and what it may hold is the edge's: a context with a turn (package
// turns), a Budget, Config.Parallel. No error holds anything of a patient.
package engine

import (
	"fmt"
	"time"

	"segd"
	"segd/dicomio"
	"segd/internal/export"
	"segd/models"
	"segd/unet"
)

// Config is what an Engine is made of.
type Config struct {
	Models   *models.Catalogue // that a model is chosen from by the scan
	Pool     *unet.Pool        // the networks run on it; nil: on the caller's goroutine
	Software string            // with its version, for DICOM objects
	Offers   []export.Kind     // that the edge offers
	// Secret is what the UIDs of de-identified objects are made with: objects of one
	// secret refer to each other. nil: that of one Job.
	Secret []byte
	// Budget bounds the memory of all that runs; nil: nothing does.
	Budget Budget
	// Parallel is how many sources are computed at once, over all Runs, and how many of
	// one input; 0: one of an input, and as many as there are Runs.
	Parallel int
}

// Engine runs the jobs of an edge. It is safe for concurrent use.
type Engine struct {
	Config
	slots chan struct{} // a place for each source that is computed; nil: no bound
}

// New returns an engine.
func New(c Config) *Engine {
	e := &Engine{Config: c}
	if c.Parallel > 0 {
		e.slots = make(chan struct{}, c.Parallel)
	}
	if e.Budget == nil {
		e.Budget = unbounded{}
	}
	return e
}

// FaultError is a fault of segd or of its installation, not of an input: weights that
// cannot be loaded, say.
type FaultError struct{ Err error }

func (e *FaultError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FaultError) Unwrap() error { return e.Err }

// Choose returns the model for a scan: m or, where that is nil, the one that
// catalogue has for scans of its kind; and what is to be warned of. The errors are
// those of Catalogue.Auto.
func Choose(catalogue *models.Catalogue, m *models.Model, scan *segd.Scan) (chosen *models.Model, warnings []string, err error) {
	if chosen = m; m == nil {
		if chosen, err = catalogue.Auto(scan); err != nil {
			return nil, nil, err
		}
	}
	return chosen, chosen.Warnings(scan, m == nil), nil
}

// Job is a request that was accepted. Its methods may be called from several
// goroutines.
type Job struct {
	*Engine
	Request
	kinds []export.Kind // that are to be made, in the order in which they are
	run   *dicomio.Run  // what the DICOM objects have in common
}

// Job accepts a request, or says what is wrong with it: *OptionError.
func (e *Engine) Job(r Request) (*Job, error) {
	kinds, err := r.settle(e.Offers)
	if err != nil {
		return nil, err
	}
	return &Job{Engine: e, Request: r, kinds: kinds,
		run: &dicomio.Run{Software: e.Software, Time: time.Now(), Deidentify: r.Deidentify, Secret: e.Secret}}, nil
}

// frames are the frames of a scan that are asked for, from 0.
func (j *Job) frames(scan *segd.Scan) (first, last int, err error) {
	switch {
	case j.Frame > scan.Frames:
		return 0, 0, fmt.Errorf("engine: %w: frame %d of %d", segd.ErrNotFound, j.Frame, scan.Frames)
	case j.Frame > 0:
		return j.Frame - 1, j.Frame - 1, nil
	}
	return 0, scan.Frames - 1, nil
}
