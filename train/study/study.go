// Package study trains variants of the network on the same data under the same
// budget and reports what each skip connection does.
//
//	err := study.Run(ctx, study.Options{Datasets: []string{"nuclei/train"}, Out: "skips", Steps: 400}, nil)
//
// Out receives one self-contained page, report.html, with everything (curves,
// gradients, costs, loss landscapes, pictures); the same figures as CSV; and runs/,
// with a folder for each training. A study that was interrupted or killed resumes
// when it is run again with the same options: finished trainings are kept, and an
// unfinished one resumes from its checkpoint.
//
// The sentences on the page follow from the measured numbers: if a skip connection
// has no effect, the page says so.
//
// Limits: those of train.Run. Trainings run one after another.
package study

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
	"segd/train"
	"segd/unet"
)

// Options says what to study. A zero field means its default.
type Options struct {
	Datasets []string // folders, see dataset.Open; at least one
	Out      string   // folder to write to

	Variants []Variant // default: DefaultVariants

	// One of these is the budget of each training; default: 400 steps. With Time,
	// slower variants get fewer steps.
	Epochs int
	Steps  int
	Time   time.Duration

	Seed      uint64 // of the first training of each variant and of its split
	Repeats   int    // trainings of each variant, with consecutive seeds; default 2
	Width     int    // channels of the first level, default 8
	Depth     int    // poolings; default: as planned
	Patch     int    // side in pixels; default: 128 or the size of the images
	Batch     int    // patches per step; default: 8 or a sixth of the images
	Landscape int    // points per side of each loss landscape, odd; default 15, negative: none

	Sweep        bool  // also train networks with each combination of SweepDepths and SweepConvs
	SweepDepths  []int // levels, ascending; default 2 to 6
	SweepConvs   []int // convolutions per block, ascending and even; default 2, 4, 8
	SweepRepeats int   // trainings of each, with consecutive seeds; default 1
	SweepSteps   int   // of each, default 100
	SweepWidth   int   // channels of their first level, default 4
	SweepPatch   int   // side in pixels, default Patch

	Command string     // that makes the page again, shown on the page; empty: omitted
	Pool    *unet.Pool // nil: one thread
}

// Defaults.
const (
	defaultSteps      = 400
	defaultRepeats    = 2
	defaultWidth      = 8
	defaultPatch      = 128
	defaultLandscape  = 15
	defaultSweepSteps = 100
	defaultSweepWidth = 4
)

// Event reports the progress of a study.
type Event struct {
	Training  string      `json:"training"`  // name of the current one, such as residual-seed2
	Done      int         `json:"done"`      // finished trainings
	Trainings int         `json:"trainings"` // in all
	Train     train.Event `json:"train"`
}

// runsDir is the folder of the trainings below Out.
const runsDir = "runs"

func (o Options) withDefaults() (Options, error) {
	if len(o.Datasets) == 0 || o.Out == "" {
		return o, fmt.Errorf("study: %w: want a data set and a folder to write to", segd.ErrOption)
	}
	set := 0
	for _, given := range []bool{o.Epochs != 0, o.Steps != 0, o.Time != 0} {
		if given {
			set++
		}
	}
	if set > 1 {
		return o, fmt.Errorf("study: %w: epochs, steps and time exclude each other", segd.ErrOption)
	}
	if set == 0 {
		o.Steps = defaultSteps
	}
	if o.Variants == nil {
		o.Variants = DefaultVariants()
	}
	o.Repeats, o.Width, o.Patch = cmp.Or(o.Repeats, defaultRepeats), cmp.Or(o.Width, defaultWidth), cmp.Or(o.Patch, defaultPatch)
	o.Landscape = cmp.Or(o.Landscape, defaultLandscape)
	o.SweepSteps, o.SweepWidth = cmp.Or(o.SweepSteps, defaultSweepSteps), cmp.Or(o.SweepWidth, defaultSweepWidth)
	o.SweepRepeats, o.SweepPatch = cmp.Or(o.SweepRepeats, 1), cmp.Or(o.SweepPatch, o.Patch)
	if o.SweepDepths == nil {
		o.SweepDepths = []int{2, 3, 4, 5, 6}
	}
	if o.SweepConvs == nil {
		o.SweepConvs = []int{2, 4, 8}
	}
	for _, n := range []int{o.Repeats, o.SweepRepeats} {
		if n < 1 || n > 100 {
			return o, fmt.Errorf("study: %w: repeats %d, want 1 to 100", segd.ErrOption, n)
		}
	}
	if _, err := o.sweepVariants(); o.Sweep && err != nil {
		return o, err
	}
	if o.Landscape > 0 && (o.Landscape < 3 || o.Landscape > 201 || o.Landscape%2 == 0) {
		return o, fmt.Errorf("study: %w: landscape of %d points, want an odd number from 3 to 201", segd.ErrOption, o.Landscape)
	}
	seen := map[string]bool{}
	for _, v := range o.Variants {
		if seen[v.Name] {
			return o, fmt.Errorf("study: %w: variant %s is listed twice", segd.ErrOption, v.Name)
		}
		seen[v.Name] = true
	}
	return o, nil
}

// Run carries out the study, or the rest of an interrupted one. report, which may be
// nil, is called on the calling goroutine. The errors are those of train.Run, except
// that a diverging training is a finding and not an error. Options that don't match
// an earlier study in Out are segd.ErrOption.
func Run(ctx context.Context, o Options, report func(Event)) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	if report == nil {
		report = func(Event) {}
	}
	s := &study{o: o, report: report}
	if err := s.plan(); err != nil {
		return err
	}
	lock, err := output.Take(o.Out)
	if err != nil {
		return fmt.Errorf("study: %w", err)
	}
	defer lock.Release()
	if err := s.free(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(o.Out, runsDir), 0o755); err != nil {
		return fmt.Errorf("study: %w", err)
	}
	for i := range s.runs {
		if err := s.train(ctx, i); err != nil {
			return err
		}
	}
	if err := s.sameData(); err != nil {
		return err
	}
	if err := s.measure(ctx); err != nil {
		return err
	}
	return s.write()
}

// free refuses a folder with files that the study would replace, unless they belong
// to an earlier study, which is recognised by its trainings.
func (s *study) free() error {
	if _, err := os.Stat(filepath.Join(s.o.Out, runsDir)); err == nil {
		return nil
	}
	for _, name := range append([]string{PageName}, tableNames()...) {
		path := filepath.Join(s.o.Out, name)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("study: %w: %s exists without the %s/ of an earlier study: move it away, or choose another folder", fs.ErrExist, path, runsDir)
		}
	}
	return nil
}

// study is the state of a Run.
type study struct {
	o      Options
	report func(Event)
	runs   []*training // variants first, seed by seed, then the sweep
	detail detail
}

// training is one training of the study and its measurements.
type training struct {
	Name    string // of its folder
	Variant Variant
	Seed    uint64
	Sweep   bool
	options train.Options
	record
}

// plan lists the trainings. All variants with the first seed come first, so that
// early results compare all of them.
func (s *study) plan() error {
	o := s.o
	add := func(v Variant, repeat int, sweep bool, t train.Options) {
		seed := o.Seed + uint64(repeat)
		name := fmt.Sprintf("%s-seed%d", v.Name, seed)
		if sweep {
			name = "sweep-" + name
		}
		t.Datasets, t.Out, t.Seed = o.Datasets, filepath.Join(o.Out, runsDir, name), seed
		t.Network, t.Name = v.Network, v.Name
		t.Batch, t.Pool = o.Batch, o.Pool
		t.Resume, t.NoPage, t.Trace = true, true, traceEvery
		s.runs = append(s.runs, &training{Name: name, Variant: v, Seed: seed, Sweep: sweep, options: t})
	}
	for repeat := range o.Repeats {
		for _, v := range o.Variants {
			v.Network.Width = o.Width
			if v.Network.Depth == 0 {
				v.Network.Depth = o.Depth
			}
			add(v, repeat, false, train.Options{Epochs: o.Epochs, Steps: o.Steps, Time: o.Time, Patch: o.Patch})
		}
	}
	if !o.Sweep {
		return nil
	}
	list, err := o.sweepVariants()
	if err != nil {
		return err
	}
	for repeat := range o.SweepRepeats {
		for _, v := range list {
			v.Network.Width = o.SweepWidth
			add(v, repeat, true, train.Options{Steps: o.SweepSteps, Patch: o.SweepPatch})
		}
	}
	return nil
}

// traceEvery is the number of steps between two records of the gradient.
const traceEvery = 5

// train starts or resumes training i, or loads its finished result.
func (s *study) train(ctx context.Context, i int) error {
	t := s.runs[i]
	done, err := t.load()
	if err != nil || done {
		s.report(Event{Training: t.Name, Done: i + 1, Trainings: len(s.runs)})
		return err
	}
	result, err := train.Run(ctx, t.options, func(e train.Event) {
		s.report(Event{Training: t.Name, Done: i, Trainings: len(s.runs), Train: e})
	})
	switch {
	case errors.Is(err, train.ErrDiverged):
		t.Diverged = true
	case err != nil:
		return fmt.Errorf("study: training %s: %w", t.Name, err)
	}
	t.take(result)
	if err := t.cost(s.o.Pool); err != nil {
		return err
	}
	if err := t.save(); err != nil {
		return err
	}
	s.report(Event{Training: t.Name, Done: i + 1, Trainings: len(s.runs)})
	return nil
}

// sameData refuses trainings of an earlier study on other data.
func (s *study) sameData() error {
	for _, t := range s.runs {
		if t.Data != s.runs[0].Data {
			return fmt.Errorf("study: %w: training %s used other data than %s; choose another folder or delete %s",
				segd.ErrOption, t.Name, s.runs[0].Name, filepath.Join(s.o.Out, runsDir))
		}
	}
	return nil
}

// measure examines the trained networks: the landscape around the first training of
// each variant, and the differences between masks.
func (s *study) measure(ctx context.Context) error {
	for _, t := range s.first() {
		if s.o.Landscape < 0 || t.Diverged || (t.Landscape != nil && len(t.Landscape.At) == s.o.Landscape) {
			continue
		}
		s.report(Event{Training: "landscape of " + t.Name, Done: len(s.runs), Trainings: len(s.runs)})
		var err error
		t.Landscape, err = train.MeasureLandscape(ctx, t.options.Out, s.o.Datasets, s.o.Landscape, landscapeSeed, s.o.Pool)
		if err != nil {
			return err
		}
		if err := t.save(); err != nil {
			return err
		}
	}
	s.report(Event{Training: "masks", Done: len(s.runs), Trainings: len(s.runs)})
	return s.lookClosely(ctx)
}

// landscapeSeed draws the directions, the same for all variants.
const landscapeSeed = 1

// first lists the first training of each variant.
func (s *study) first() []*training { return s.runs[:len(s.o.Variants)] }

// of lists the trainings of a variant that did not diverge.
func (s *study) of(v Variant) []*training {
	var list []*training
	for _, t := range s.runs {
		if !t.Sweep && t.Variant.Name == v.Name && !t.Diverged {
			list = append(list, t)
		}
	}
	return list
}

// config returns the complete configuration of the trained network.
func (t *training) config() unet.Config { return t.Plan.Network }

// missing reports whether err says that there is no such file.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
