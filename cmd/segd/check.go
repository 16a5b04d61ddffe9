package main

import (
	"context"
	"fmt"
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
	addHead(f, &s.head, headAuto, "what labels hold: classes, or values for train --head regression; auto detects it")
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
		head := unet.Head(strings.TrimPrefix(s.head, headClasses))
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
		if err = r.WriteText(a.stdout); err == nil && fixed != nil {
			err = fixed.WriteText(a.stdout, s.fix)
		}
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
	if err := r.Fixable(); err != nil {
		return nil, err
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
