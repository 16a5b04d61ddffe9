package study

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"segd"
	"segd/internal/output"
	"segd/train"
	"segd/unet"
)

// record is the stored result of a finished training: study.json in its folder.
type record struct {
	Settings string `json:"settings"` // with which it was requested
	Data     string `json:"data"`     // hash of the data set

	Plan     train.Plan    `json:"plan"`
	Diverged bool          `json:"diverged,omitempty"`
	Steps    int           `json:"steps"`
	Dice     float64       `json:"val_dice"`
	Group    float64       `json:"val_group_dice"`
	Seconds  float64       `json:"seconds"`
	History  []train.Row   `json:"history"`
	Trace    []train.Trace `json:"trace"`
	Losses   []float64     `json:"losses"`

	Parameters  int     `json:"parameters"`
	GFLOP       float64 `json:"gflop"`        // of one image of costSize²
	Threads     int     `json:"threads"`      // for the times
	Kernel      string  `json:"kernel"`       // likewise
	StepMS      float64 `json:"step_ms"`      // forward and backward, minimum of a few runs
	InferMS     float64 `json:"infer_ms"`     // one image of costSize², minimum of a few runs
	MemoryBytes int64   `json:"memory_bytes"` // of a training step

	Landscape *train.Landscape `json:"landscape,omitempty"`
}

const recordName = "study.json"

// settings returns, on one line, everything besides the data that determines a
// training.
func (t *training) settings() string {
	o := t.options
	network, err := json.Marshal(o.Network)
	if err != nil {
		panic(err) // it consists only of numbers and words
	}
	return fmt.Sprintf("%s seed %d epochs %d steps %d time %s patch %d batch %d", network, o.Seed, o.Epochs, o.Steps, o.Time, o.Patch, o.Batch)
}

// load reads the record of an earlier run of the study, if there is one.
func (t *training) load() (bool, error) {
	path := filepath.Join(t.options.Out, recordName)
	b, err := os.ReadFile(path)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("study: %w", err)
	}
	if err := json.Unmarshal(b, &t.record); err != nil {
		return false, fmt.Errorf("study: %w: %s: %v; delete it to train again", segd.ErrFormat, path, err)
	}
	if want := t.settings(); t.Settings != want {
		return false, fmt.Errorf("study: %w: %s belongs to a study with other settings (%s, now %s); choose another folder or delete that one",
			segd.ErrOption, t.options.Out, t.Settings, want)
	}
	return true, nil
}

// save writes the record.
func (t *training) save() error {
	b, err := json.Marshal(&t.record)
	if err != nil {
		return fmt.Errorf("study: %s: %w", t.Name, err)
	}
	return writeFile(filepath.Join(t.options.Out, recordName), b)
}

// writeFile writes a file completely or not at all.
func writeFile(path string, b []byte) error {
	err := output.WriteFile(path, func(w io.Writer) error { _, err := w.Write(b); return err })
	if err != nil {
		return fmt.Errorf("study: writing %s: %w", path, err)
	}
	return nil
}

// take stores the result of a training.
func (t *training) take(r *train.Result) {
	t.Settings, t.Data, t.Plan = t.settings(), r.Plan.Data.Hash, r.Plan
	t.Steps, t.Dice, t.Group, t.Seconds = r.Steps, r.ValDice, r.ValGroup, r.Seconds
	t.History, t.Trace, t.Losses = r.History, r.Trace, r.Losses
	// The ids of each training would make up most of the file.
	t.Plan.Training = nil
}

// costSize is the side of the image for which work and time are stated.
const costSize = 256

// costRuns is the number of timed runs, after one that warms up memory.
const costRuns = 3

// cost measures the work, time and memory of the network.
func (t *training) cost(pool *unet.Pool) error {
	c, p := t.config(), &t.Plan
	t.Threads, t.Kernel = pool.Threads(), pool.Kernels().Name()
	weights := unet.NewParams(c, t.Seed)
	for _, name := range weights.Names() {
		w, _ := weights.Get(name)
		t.Parameters += w.Shape().TotalSize()
	}
	t.GFLOP = c.GFLOP(costSize, costSize)
	q, err := unet.NewPredictor(c, weights, unet.PredictorOptions{Pool: pool})
	if err != nil {
		return err
	}
	image := segd.NewTensor(1, c.Channels, costSize, costSize)
	if t.InferMS, err = least(func() error { _, err := q.Logits(context.Background(), image); return err }); err != nil {
		return err
	}
	trainer, err := unet.NewTrainer(c, weights, p.Batch, p.PatchHeight, p.PatchWidth, unet.TrainerOptions{Pool: pool})
	if err != nil {
		return err
	}
	defer func() { _ = trainer.Close() }() // only frees memory
	pixels := p.Batch * p.PatchHeight * p.PatchWidth
	b := unet.Batch{X: make([]float32, c.Channels*pixels), Y: make([]uint8, pixels)}
	for i := range b.Y {
		b.Y[i] = uint8(i % 2)
		b.X[i] = float32(i%7) - 3
	}
	// Weights, their gradients, their average and two moments are added.
	t.MemoryBytes = trainer.Bytes() + 5*4*int64(t.Parameters)
	t.StepMS, err = least(func() error { _, err := trainer.Step(b, nil); return err })
	return err
}

// least returns the shortest time of a few runs, in milliseconds.
func least(f func() error) (float64, error) {
	best := 0.0
	for i := range costRuns + 1 {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		if ms := float64(time.Since(start).Microseconds()) / 1000; i == 1 || i > 1 && ms < best {
			best = ms
		}
	}
	return best, nil
}
