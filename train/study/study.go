// Package study trains variants of the network on the same data under the same
// budget and reports what each skip connection does.
//
//	err := study.Run(ctx, study.Options{Datasets: []string{"nuclei/train"}, Out: "skips", Steps: 400}, nil)
//
// Out gets one page, report.html, that holds everything (curves, gradients,
// costs, loss landscapes, pictures) and loads nothing; the same figures as CSV;
// and runs/, a folder for each training. A study that was interrupted, killed
// too, goes on when it is run again with the same options: finished trainings
// are kept, the one under way goes on from its checkpoint.
//
// What the page says in words is made of the measured numbers: where a skip
// connection does nothing, it says so.
//
// Limits: those of train.Run; the trainings run one after the other.
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

// Options says what to study. The zero value of a field means its default.
type Options struct {
	Datasets []string // folders, see dataset.Open; at least one
	Out      string   // folder to write to

	Variants []Variant // default: DefaultVariants

	// One of these is what each training gets; default: 400 steps. With Time
	// costlier variants get fewer steps.
	Epochs int
	Steps  int
	Time   time.Duration

	Seed      uint64 // of the first training of each variant, also that of its split
	Repeats   int    // trainings of each variant, with seeds that follow; default 2
	Width     int    // channels of the first level, default 8
	Depth     int    // poolings, default that of the plan
	Patch     int    // side in pixels, default 128 or what the images have
	Batch     int    // patches per step, default 8 or a sixth of the images
	Landscape int    // points a side of each loss landscape, odd; default 15, negative: none

	Sweep        bool  // also trains networks of each of SweepDepths with each of SweepConvs
	SweepDepths  []int // levels, rising, default 2 to 6
	SweepConvs   []int // convolutions a block, rising and even, default 2, 4, 8
	SweepRepeats int   // trainings of each, with seeds that follow; default 1
	SweepSteps   int   // of each, default 100
	SweepWidth   int   // channels of their first level, default 4
	SweepPatch   int   // side in pixels, default Patch

	Command string     // that makes the page again, for the page; empty: left out
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

// Event tells how far a study is.
type Event struct {
	Training  string      `json:"training"`  // the name of the present one, such as residual-seed2
	Done      int         `json:"done"`      // finished trainings
	Trainings int         `json:"trainings"` // in all
	Train     train.Event `json:"train"`
}

// runsDir is where the trainings lie below Out.
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
			return o, fmt.Errorf("study: %w: variant %s twice", segd.ErrOption, v.Name)
		}
		seen[v.Name] = true
	}
	return o, nil
}

// Run carries out the study, or what is left of it. report, which may be nil,
// is called from the calling goroutine. The errors are those of train.Run, but
// for a training that diverges: that is a finding. Options that don't fit what
// Out holds of an earlier study are segd.ErrOption.
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

// free refuses a folder with files that the study would replace and that are not
// of a study, whose trainings lie beside them.
func (s *study) free() error {
	if _, err := os.Stat(filepath.Join(s.o.Out, runsDir)); err == nil {
		return nil
	}
	for _, name := range append([]string{PageName}, tableNames()...) {
		path := filepath.Join(s.o.Out, name)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("study: %w: %s, and no %s/ of an earlier study beside it: move it away, or take another folder", fs.ErrExist, path, runsDir)
		}
	}
	return nil
}

// study is a Run under way.
type study struct {
	o      Options
	report func(Event)
	runs   []*training // variants first, seed by seed, then the sweep
	detail detail
}

// training is one training of the study and what was measured of it.
type training struct {
	Name    string // of its folder
	Variant Variant
	Seed    uint64
	Sweep   bool
	options train.Options
	record
}

// plan lists the trainings: all variants with the first seed come first, so
// that an early look compares all of them.
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

// traceEvery is how many steps lie between two looks at the gradient.
const traceEvery = 5

// train carries out training i, goes on with it, or takes what is there.
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
			return fmt.Errorf("study: %w: training %s saw other data than %s; take another folder or delete %s",
				segd.ErrOption, t.Name, s.runs[0].Name, filepath.Join(s.o.Out, runsDir))
		}
	}
	return nil
}

// measure looks at the trained networks: the landscape around the first
// training of each variant, and where masks differ.
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

// config is the network that was trained, all of it settled.
func (t *training) config() unet.Config { return t.Plan.Network }

// missing reports whether err says that there is no such file.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
