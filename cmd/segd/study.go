package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"segd/train/study"
)

func newStudy(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "study",
		Short: "Compare networks on your own data",
		RunE:  needsCommand,
	}
	cmd.AddCommand(newStudySkips(a))
	return cmd
}

// studyLong is the help of segd study skips.
const studyLong = "Train variants of the network on the same data, with the same budget and the same\n" +
	"seeds. DIR/report.html is a self-contained page, and its figures are also written\n" +
	"as CSV: learning curves with their spread over seeds, the gradient of each layer,\n" +
	"cost, loss landscapes, and where long skips recover detail.\n\n" +
	"To continue an interrupted study, run the same command again. To extend a study\n" +
	"with more variants, seeds or a sweep, run it with the larger set: finished\n" +
	"trainings are reused.\n\n" +
	"A variant is written as words joined by hyphens: plain, residual, preact, dense;\n" +
	"concat, add, none, nested; attention; bilinear; nonorm; convsN, growthN, depthN.\n" +
	"The default is each kind of block, each kind of long skip, and deep networks\n" +
	"without long skips, with and without normalisation."

func newStudySkips(a *app) *cobra.Command {
	var o study.Options
	var variants []string
	cmd := &cobra.Command{
		Use:     "skips -d DATASET... -o DIR",
		Short:   "Train variants of skip connections and compare them",
		Long:    studyLong,
		Example: "  segd study skips -d nuclei/train -o skips --epochs 20\n  segd study skips -d nuclei/train -o skips --steps 400 --repeats 3 --sweep\n  segd study skips -d nuclei/train -o skips --variants plain-concat,residual-add-attention",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.Datasets, "data", "d", nil, "data set; can be repeated")
	f.StringVarP(&o.Out, "out", "o", "", "output folder")
	f.StringSliceVar(&variants, "variants", nil, "variants to train (default: each kind of block and of long skip)")
	f.IntVar(&o.Epochs, "epochs", 0, "passes over the data in each training")
	f.IntVar(&o.Steps, "steps", 0, "steps in each training (default 400)")
	f.DurationVar(&o.Time, "time", 0, "time of each training, for example 5m")
	f.Uint64Var(&o.Seed, "seed", 0, "seed of the first training of each variant; repeats count up from it")
	f.Var(newIntRange(&o.Repeats, 0, 100), "repeats", "trainings per variant (0: 2)")
	f.Var(newIntRange(&o.Width, 0, 256), "width", "channels of the first level (0: 8)")
	f.Var(newIntRange(&o.Depth, 0, 6), "depth", "number of pooling steps (0: chosen by the plan)")
	f.IntVar(&o.Patch, "patch", 0, "side of a training patch in pixels (0: 128)")
	f.IntVar(&o.Batch, "batch", 0, "patches per step (0: chosen by the plan)")
	f.IntVar(&o.Landscape, "landscape", 0, "points along each side of a loss landscape, an odd number (0: 15, -1: no landscapes)")
	addSweep(f, &o)
	var resume bool
	f.BoolVar(&resume, "resume", false, "continue with what DIR holds (always on)")
	a.addThreads(cmd)
	a.addProgress(cmd)
	for _, name := range []string{"data", "out"} {
		_ = cmd.MarkFlagRequired(name) // fails for unknown names only
	}
	cmd.MarkFlagsMutuallyExclusive("epochs", "steps", "time")
	cmd.RunE = a.do(func(cmd *cobra.Command, _ []string) error {
		for _, name := range variants {
			v, err := study.ParseVariant(strings.TrimSpace(name))
			if err != nil {
				return err
			}
			o.Variants = append(o.Variants, v)
		}
		if !o.Sweep {
			for _, name := range []string{"sweep-depths", "sweep-convs", "sweep-repeats", "sweep-patch", "sweep-steps", "sweep-width"} {
				if cmd.Flags().Changed(name) {
					return optionError("--%s needs --sweep", name)
				}
			}
		}
		o.Command = studyCommand(cmd.Flags(), o)
		return a.studySkips(cmd.Context(), o)
	})
	return cmd
}

// addSweep adds the flags of the sweep over depths and sizes of block.
func addSweep(f *pflag.FlagSet, o *study.Options) {
	f.BoolVar(&o.Sweep, "sweep", false, "also train increasingly deep networks, with and without skips")
	f.IntSliceVar(&o.SweepDepths, "sweep-depths", []int{2, 3, 4, 5, 6}, "levels of the networks in the sweep")
	f.IntSliceVar(&o.SweepConvs, "sweep-convs", []int{2, 4, 8}, "convolutions per block in the sweep, combined with each number of levels")
	f.Var(newIntRange(&o.SweepRepeats, 0, 100), "sweep-repeats", "trainings per network in the sweep (0: 1)")
	f.IntVar(&o.SweepPatch, "sweep-patch", 0, "side of a training patch in the sweep (0: same as --patch)")
	f.IntVar(&o.SweepSteps, "sweep-steps", 0, "steps in each training of the sweep (0: 100)")
	f.Var(newIntRange(&o.SweepWidth, 0, 256), "sweep-width", "channels of the first level in the sweep (0: 4)")
}

// studyCommand is the command that makes the page again, for the page: it names
// data sets as the page does, not where they lie on this machine.
func studyCommand(flags *pflag.FlagSet, o study.Options) string {
	words := []string{"segd", "study", "skips"}
	for _, d := range study.Names(o.Datasets) {
		words = append(words, "-d", d)
	}
	words = append(words, "-o", filepath.Base(filepath.Clean(o.Out)))
	flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "data", "out", "progress", "resume":
			return
		}
		value := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		words = append(words, "--"+f.Name)
		switch {
		case f.Value.Type() != "bool":
			words = append(words, value)
		case value == "false":
			words[len(words)-1] += "=false"
		}
	})
	for i, w := range words {
		if strings.ContainsAny(w, " '\"\\$&;<>()|*?`") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

func (a *app) studySkips(ctx context.Context, o study.Options) error {
	o.Pool = a.newPool()
	defer o.Pool.Close()
	show := studyProgress{a: a}
	if err := study.Run(ctx, o, show.event); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.stdout, filepath.Join(o.Out, study.PageName))
	return err
}

// studyProgress shows the events of a study.
type studyProgress struct {
	a    *app
	name string // of the training that was last spoken of
	last time.Time
}

// event is called by study.Run from one goroutine.
func (p *studyProgress) event(e study.Event) {
	switch p.a.progress {
	case progressJSON:
		_ = json.NewEncoder(p.a.stderr).Encode(e)
		return
	case progressNone:
		return
	}
	if e.Training == p.name && time.Since(p.last) < plainEvery {
		return
	}
	p.name, p.last = e.Training, time.Now()
	step := ""
	if t := e.Train; t.Steps > 0 {
		step = fmt.Sprintf(", step %d/%d loss %.3f%s", t.Step, t.Steps, t.Loss, bestFigure(t))
	}
	say(p.a.stderr, "%d/%d trainings done, %s%s\n", e.Done, e.Trainings, e.Training, step)
}
