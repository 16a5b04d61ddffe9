package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"segd"
	"segd/internal/output"
	"segd/models"
	"segd/train/dataset"
	"segd/unet"
)

// defaultMemory is the default memory limit of a training.
const defaultMemory = 4 << 30

// Run trains a network as the options say and writes it to Options.Out:
// model.json and weights.safetensors of the best weights so far, plan.json,
// progress.csv, checkpoint.bin and, at the end, report.html.
//
// report, which may be nil, is called on the calling goroutine and should return
// quickly. When ctx is done, Run writes a checkpoint and returns the result so far
// with the error of ctx. If a training diverges, it does the same with ErrDiverged.
// Other errors have the kinds of Open and of the readers. In addition, the error is
// segd.ErrOption for options that don't fit each other or the checkpoint,
// segd.ErrBusy while another training uses Out, and fs.ErrExist if Out holds a model
// or a training and neither Resume nor Overwrite is set. With Resume, the plan in the
// checkpoint applies, including its seed.
func Run(ctx context.Context, o Options, report func(Event)) (*Result, error) {
	if report == nil {
		report = func(Event) {}
	}
	start := time.Now()
	if o.Out == "" {
		return nil, o.validate()
	}
	lock, err := output.Take(o.Out)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	defer lock.Release()
	var saved *progress
	var tensors []byte
	if o.Resume {
		if saved, tensors, err = readCheckpoint(o.Out); err != nil {
			return nil, err
		}
	}
	if err := o.takeHead(saved); err != nil {
		return nil, err
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	if saved == nil {
		if err := o.free(); err != nil {
			return nil, err
		}
	}
	r, err := prepare(ctx, o, saved, report)
	if r != nil && r.store != nil {
		defer func() { _ = r.store.close() }() // a file that nothing refers to
	}
	if err != nil {
		return nil, err
	}
	r.start = start
	if err := r.build(tensors); err != nil {
		return nil, err
	}
	defer func() { _ = r.trainer.Close() }() // frees memory only
	if saved == nil {
		if err := r.clear(); err != nil {
			return nil, err
		}
		if err := r.settle(ctx); err != nil {
			return nil, err
		}
	}
	if err := writeJSON(filepath.Join(o.Out, planName), &r.Plan); err != nil {
		return nil, err
	}
	r.report(r.event(EventPlan, r.Plan.summary()))
	if err = r.loop(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrDiverged) { // whose errors say it themselves
		err = fmt.Errorf("%w; %s", err, r.kept())
	}
	return r.result(), err
}

// ownFiles lists the files of a training in its folder, in addition to those of the
// model.
func ownFiles() []string { return []string{checkpointName, planName, historyName, pageName} }

// free refuses a folder that holds a model or a training, unless it may be replaced.
// A training to be resumed without a checkpoint was killed before writing the first
// one, and left no model either.
func (o Options) free() error {
	err := models.Free(o.Out, o.Overwrite)
	switch {
	case err != nil && o.Resume:
		return fmt.Errorf("train: %w (there is no %s to resume from)", err, checkpointName)
	case err != nil && !o.Overwrite:
		return fmt.Errorf("train: %w; --resume continues a stopped training", err)
	case err != nil:
		return fmt.Errorf("train: %w", err)
	case o.Overwrite || o.Resume:
		return nil
	}
	for _, name := range ownFiles() {
		path := filepath.Join(o.Out, name)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("train: %w: %s, from an earlier training: --resume continues it, --overwrite replaces it, or choose another folder", fs.ErrExist, path)
		}
	}
	return nil
}

// clear removes the files of an earlier training that this one replaces. A later
// resume must not continue from the old checkpoint, and old figures must not
// accompany new weights. The earlier model stays until the first validation of this
// training.
func (r *run) clear() error {
	removed := false
	for _, name := range ownFiles() {
		err := os.Remove(filepath.Join(r.o.Out, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("train: %w", err)
		}
		removed = removed || err == nil
	}
	if removed {
		r.report(Event{Kind: EventWarning, Message: r.o.Out + " held an earlier training, which this one replaces"})
	}
	return nil
}

// run is the state of a training.
type run struct {
	progress
	o          Options
	names      []string       // of the data sets
	inPatient  *models.Planes // orientation of the training images; nil: not known
	report     func(Event)
	training   []example
	validation []example
	channels   []string     // names of channels in separate files; nil: none
	store      *store       // of their pixels
	params     *unet.Params // trained by the solver
	average    *unet.Params // their running average, which is validated and kept
	deep       *unet.Params // heads of deep supervision; nil: none
	solver     solver
	trainer    *unet.Trainer
	now, avg   [][]float32 // memory of params and average

	start      time.Time // of this run
	before     float64   // seconds of earlier runs
	firstStep  int       // of this run
	loopStart  time.Time
	lastReport time.Time
	lastSave   time.Time
	busy       time.Duration // in steps, since the last report
	images     int           // likewise
	rate       float64       // images per second
	last       *validation   // nil: none yet in this run
	best       *validation   // of the kept weights; nil: validated in an earlier run
}

// plan splits the data and plans a new training.
func (r *run) plan(cases []dataset.Case, f Fingerprint, warn func(...string)) error {
	if r.o.PlanFile != "" {
		return r.takePlan(cases, f, warn)
	}
	training, validation, warning, err := dataset.Split(cases, r.o.Seed, r.o.valFraction(), r.o.Fold, r.o.Folds)
	if err != nil {
		return err
	}
	if warning != "" {
		warn(warning)
	}
	ids := func(index []int) []string {
		s := make([]string, len(index))
		for i, k := range index {
			s[i] = cases[k].ID
		}
		return s
	}
	if r.Plan, err = newPlan(r.o, f, ids(training), ids(validation)); err != nil {
		return err
	}
	r.Plan.Kernels, r.Plan.ClassNames = r.o.Pool.Kernels().Name(), r.o.ClassNames
	return r.Plan.fit(r.o.Memory(), r.o.Batch > 0)
}

// matches refuses to continue with other data or another goal.
func (s *progress) matches(o Options, f Fingerprint) error {
	p := &s.Plan
	if o.Network.Head != p.Network.Head {
		return fmt.Errorf("train: %w: head %q, but the checkpoint has %q; train without resume", segd.ErrOption, o.Network.Head, p.Network.Head)
	}
	if p.Data.Hash != f.Hash || p.Data.Classes != f.Classes {
		return fmt.Errorf("train: %w: the data have changed since the checkpoint (%d cases then, %d now); train without resume", segd.ErrOption, p.Data.Cases, f.Cases)
	}
	if n := o.steps(p); n != 0 && n != p.Steps {
		return fmt.Errorf("train: %w: %d steps requested, but the checkpoint is planned for %d; train without resume", segd.ErrOption, n, p.Steps)
	}
	const whose = "the checkpoint (train without resume to change it)"
	from, loss := p.From, p.Loss
	if o.From != nil {
		from = origin(o.From)
	}
	if o.Loss.Terms != "" {
		loss = o.Loss.WithDefaults()
	}
	kept := p.Loss
	if o.Balance {
		loss.Classes, kept.Classes = nil, nil // the weights follow from the data, which are the same
	}
	err := cmp.Or(sameNetwork(o.Network, p.Network.WithDefaults(), whose),
		other("batch", o.Batch, p.Batch, whose), other("learning rate", o.LearnRate, p.LearnRate, whose),
		other("validation fraction", o.ValFraction, p.ValFraction, whose), other("folds", o.Folds, p.Folds, whose),
		other("solver", o.Solver, p.Solver, whose), other("momentum", o.Momentum, p.Momentum, whose), other("schedule", o.Schedule, p.Schedule, whose),
		other("loss", loss.String(), kept.String(), whose), other("deep supervision", o.Deep, p.Deep, whose),
		other("patience", o.Patience, p.Patience, whose), other("start from", from, p.From, whose), other("frozen encoder", o.FreezeEncoder, p.FreezeEncoder, whose),
		other("repetitions", fmt.Sprint(o.Repeat), fmt.Sprint(p.Repeat), whose))
	if err != nil {
		return err
	}
	if p.From != "" && o.From == nil {
		return fmt.Errorf("train: %w: the checkpoint started from model %s: specify the same model", segd.ErrOption, p.From)
	}
	if o.All && !p.all() {
		return fmt.Errorf("train: %w: all images are to train, but %d validate in the checkpoint; train without resume", segd.ErrOption, len(p.Validation))
	}
	if o.Folds > 0 && o.Fold != p.Fold {
		return fmt.Errorf("train: %w: fold %d, but the checkpoint has %d; train without resume", segd.ErrOption, o.Fold, p.Fold)
	}
	return nil
}

// build makes the network, either new or from the checkpoint.
func (r *run) build(tensors []byte) error {
	p := &r.Plan
	var err error
	if r.o.From != nil && tensors == nil {
		if r.params, err = r.startFrom(); err != nil {
			return err
		}
	} else {
		r.params = unet.NewParams(p.Network, p.Seed)
	}
	if p.Deep {
		r.deep = unet.DeepHeads(p.Network, p.Seed)
	}
	r.average = r.params.Clone()
	r.now, r.avg = tensorsOf(r.params), tensorsOf(r.average)
	r.solver = newSolver(p)
	r.before, r.firstStep = r.Seconds, r.Step
	r.trainer, err = unet.NewTrainer(p.Network, r.params, p.Batch, p.PatchHeight, p.PatchWidth, unet.TrainerOptions{
		Pool: r.o.Pool, Loss: p.Loss, Deep: r.deep, FreezeEncoder: p.FreezeEncoder, Recompute: p.Recompute,
	})
	if err != nil {
		return err
	}
	var weights [][]float32
	for _, l := range r.trainer.Learnables() {
		w, ok := l.Value().Data().([]float32)
		if !ok {
			return fmt.Errorf("train: %w: weights have type %T", segd.ErrUnsupported, l.Value().Data())
		}
		weights = append(weights, w)
	}
	if err := r.solver.prepare(weights); err != nil {
		return err
	}
	if tensors == nil {
		return nil
	}
	r.solver.base().steps = r.SolverSteps
	r.solver.base().LearnRate = p.rate(max(0, r.Step-1))
	return restore(tensors, r.tensors()...)
}

// tensors returns the tensors of a checkpoint, in its order.
func (r *run) tensors() [][][]float32 {
	all := [][][]float32{r.now, r.avg}
	if r.deep != nil {
		all = append(all, tensorsOf(r.deep))
	}
	return append(all, r.solver.moments()...)
}
