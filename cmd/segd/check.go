package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"segd/internal/output"
	"segd/train/check"
	"segd/unet"
)

// checkSettings are the flags of segd check.
type checkSettings struct {
	datasets    []string
	fix, format string
	head        string
	overfit     time.Duration
	answers     check.FixOptions
}

func newCheck(a *app) *cobra.Command {
	var s checkSettings
	cmd := &cobra.Command{
		Use:   "check -d DATASET...",
		Short: "Find problems in a data set before training",
		Long: "Read every file of a data set and report what would spoil a training or its\n" +
			"evaluation, one line per problem with its remedy: masks of 0 and 255, antialiased\n" +
			"or coloured masks, masks that number objects, palettes that contradict each other,\n" +
			"files that are skipped, masks that differ in size from their image, missing\n" +
			"labels, masks without foreground or background, duplicate images, groups on both\n" +
			"sides of a split, and rare classes. If it finds no fault, a small network then\n" +
			"tries to memorise a few images, for at most --overfit. If it cannot, the masks\n" +
			"probably belong to other images.\n\n" +
			"Labels that hold values, for train --head regression, are recognised unless they\n" +
			"could be masks; --head says which they are. For values, the command reports\n" +
			"labels with only one value, with another size, with infinite values or outliers,\n" +
			"with values clipped to the range of their format, and units that PNG cannot\n" +
			"store.\n\n" +
			"--fix writes a copy of the data set whose masks hold class indices and compares\n" +
			"each mask with its source. It never guesses: if the background is uncertain, or\n" +
			"whether values are classes or number objects, it leaves the label out and prints\n" +
			"the command that settles it. Numbers of objects go to instances/, beside a mask\n" +
			"of one class. Exit status: 0 without faults, even with warnings; 3 with faults or\n" +
			"if --fix leaves labels out.",
		Example: "  segd check -d mydata/train -d mydata/test\n  segd check -d mydata --fix corrected\n  segd check -d mydata --fix corrected --background ffffff\n  segd check -d distances --head regression",
		Args:    cobra.ArbitraryArgs, // more data sets
	}
	f := cmd.Flags()
	f.StringArrayVarP(&s.datasets, "data", "d", nil, "data set; can be repeated")
	f.Var(newChoice(&s.head, headAuto, headAuto, headClasses, string(unet.HeadRegression)), "head", "what labels hold: classes, or values for train --head regression; auto detects it")
	f.StringVar(&s.fix, "fix", "", "write a corrected copy of the data set to this folder, which must be empty or new")
	f.StringSliceVar(&s.answers.Background, "background", nil, "with --fix: colour (RRGGBB) or value of masks that is background; can be repeated")
	f.Var(newChoice(&s.answers.Numbers, "", check.NumbersClasses, check.NumbersInstances), "numbers", "with --fix: what the values or colours of masks distinguish, if the masks do not show it")
	f.Var(newChoice(&s.answers.Palette, "", check.PaletteIndex, check.PaletteColour), "palette", "with --fix: what counts if palettes contradict each other")
	f.DurationVar(&s.overfit, "overfit", time.Minute, "time limit of the overfit test (0: skip it)")
	f.Var(newChoice(&s.format, "text", "text", "json"), "format", "output format")
	a.addThreads(cmd)
	a.addProgress(cmd)
	_ = cmd.MarkFlagRequired("data") // fails for unknown names only
	cmd.RunE = a.do(func(cmd *cobra.Command, args []string) error {
		s.datasets = append(s.datasets, args...)
		return a.check(cmd.Context(), s)
	})
	return cmd
}

// What labels are, as --head says.
const (
	headAuto    = "auto"
	headClasses = "classes"
)

func (a *app) check(ctx context.Context, s checkSettings) error {
	switch {
	case s.overfit < 0:
		return optionError("--overfit %s, want 0 or more", s.overfit)
	case s.fix == "" && (len(s.answers.Background) > 0 || s.answers.Numbers != "" || s.answers.Palette != ""):
		return optionError("--background, --numbers and --palette only apply to --fix")
	case s.fix != "" && len(s.datasets) > 1:
		return optionError("--fix takes one data set, got %d", len(s.datasets))
	}
	pool := a.newPool()
	defer pool.Close()
	o := check.Options{Datasets: s.datasets, Pool: pool, Overfit: s.overfit}
	if s.overfit == 0 {
		o.Overfit = -1
	}
	if s.head != headAuto {
		head := unet.HeadClasses
		if s.head != headClasses {
			head = unet.Head(s.head)
		}
		o.Head = &head
	}
	var p *progress
	r, err := check.Run(ctx, o, func(_, total int) {
		if p == nil {
			p = a.newProgress("image", total)
		}
		p.add("", nil)
	})
	if p != nil {
		p.clear()
	}
	if err != nil {
		return err
	}
	fixed, err := s.fixed(ctx, r)
	if err != nil {
		return err
	}
	if s.format == "json" {
		err = a.printJSON(struct {
			*check.Result
			Fixed *check.Fixed `json:"fixed,omitempty"`
		}{r, fixed})
	} else {
		err = a.printCheck(r, fixed, s.fix)
	}
	left := 0
	if fixed != nil {
		left = len(fixed.Left)
	}
	if err == nil && r.Faults()+left > 0 {
		err = &faultsError{r.Faults(), left}
	}
	return err
}

// fixed writes the corrected copy that --fix asks for; nil without it.
func (s checkSettings) fixed(ctx context.Context, r *check.Result) (*check.Fixed, error) {
	if s.fix == "" {
		return nil, nil
	}
	if r.Values != nil {
		return nil, optionError("--fix corrects masks, but these labels hold values")
	}
	lock, err := output.Take(s.fix)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	return check.Fix(ctx, s.datasets[0], s.fix, s.answers)
}

// faultsError says that a data set has faults, or that a mended copy lacks cases.
type faultsError struct{ n, left int }

func (e *faultsError) Error() string {
	if e.n == 0 {
		return fmt.Sprintf("%d labels were left out of the copy", e.left)
	}
	if e.n == 1 {
		return "the data set has 1 fault"
	}
	return fmt.Sprintf("the data set has %d faults", e.n)
}

// printCheck writes the findings for people.
func (a *app) printCheck(r *check.Result, fixed *check.Fixed, out string) error {
	var b strings.Builder
	for _, f := range r.Findings {
		level := "warning"
		if f.Fault {
			level = "fault"
		}
		b.WriteString(level + ": ")
		if f.File != "" {
			b.WriteString(f.File + ": ")
		}
		b.WriteString(f.Cause)
		if f.Fix != "" {
			b.WriteString("; " + f.Fix)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d images with labels, %d groups; ", r.Cases, r.Groups)
	if r.Values != nil {
		fmt.Fprintln(&b, r.Values)
	} else {
		writeClasses(&b, r.Classes)
	}
	switch t := r.Overfit; {
	case t == nil:
	case r.Values != nil:
		fmt.Fprintf(&b, "overfit test: mean absolute error %.4g (a constant: %.4g) on %d images after %d steps, %.0f s\n", t.MAE, t.Constant, t.Cases, t.Steps, t.Seconds)
	default:
		fmt.Fprintf(&b, "overfit test: Dice %.3f on %d images after %d steps, %.0f s\n", t.Dice, t.Cases, t.Steps, t.Seconds)
	}
	if fixed != nil {
		fmt.Fprintf(&b, "%s: wrote %d of %d cases, corrected %d masks, each compared with its source", out, fixed.Cases, fixed.Original, fixed.Mended)
		if fixed.Instances > 0 {
			fmt.Fprintf(&b, "; wrote the objects of %d to instances/", fixed.Instances)
		}
		b.WriteByte('\n')
		for _, c := range fixed.Classes {
			fmt.Fprintf(&b, "  class %s\n", c)
		}
		for _, f := range fixed.Softened {
			fmt.Fprintf(&b, "  thresholded soft edges at half: %s: %d pixels changed, still %d connected components\n", f.File, f.Moved, f.Parts)
		}
		for _, f := range fixed.Left {
			fmt.Fprintf(&b, "  left out: %s: %s", f.File, f.Cause)
			if f.Fix != "" {
				b.WriteString("; " + f.Fix)
			}
			b.WriteByte('\n')
		}
	}
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}

// writeClasses writes the share of each class.
func writeClasses(b *strings.Builder, pixels map[int]int64) {
	b.WriteString("pixels by class:")
	var classes []int
	var all int64
	for v, n := range pixels {
		classes = append(classes, v)
		all += n
	}
	slices.Sort(classes)
	for _, v := range classes {
		fmt.Fprintf(b, " %d: %.2f %%", v, 100*float64(pixels[v])/float64(all))
	}
	b.WriteByte('\n')
}
