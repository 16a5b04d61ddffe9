package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"segd"
	"segd/models"
	"segd/train"
	"segd/unet"
)

// defaultTrainingTime is what a training takes when nothing else is said.
const defaultTrainingTime = 20 * time.Minute

// trainSettings are the flags of segd train that train.Options has no field
// for in their form.
type trainSettings struct {
	card, fold   string
	classes      []string
	width, depth int
	head         string
	network      networkFlags
	recipe       recipeFlags
}

func newTrain(a *app) *cobra.Command {
	var o train.Options
	var s trainSettings
	cmd := &cobra.Command{
		Use:   "train -d DATASET... -o DIR",
		Short: "Train a model on labelled images",
		Long: "Train a model on one or more data sets. A data set is a folder with images/ and\n" +
			"labels/, or a folder in nnU-Net's layout. Images are PNG, JPEG, TIFF, DICOM or\n" +
			"NIfTI. Each label has the name of its image and holds class indices, or is a\n" +
			"DICOM Segmentation. With an ids.csv (id,group), all images of a group are used\n" +
			"either for training or for validation.\n\n" +
			"DIR receives model.json and weights.safetensors with the best weights so far;\n" +
			"use it as -m DIR. --resume continues from its checkpoint. If DIR already holds a\n" +
			"model or a training, the command refuses to start without --resume or\n" +
			"--overwrite.\n\n" +
			"With --steps or --epochs, the weights depend only on data, settings and seed,\n" +
			"not on --threads.",
		Example: "  segd train -d nuclei/train -o my-nuclei --time 20m\n  segd train -d a -d b -o ab --epochs 50 --seed 7 --card card.json\n  segd train -d nuclei/train -o my-nuclei --block residual --skip add\n" +
			"  segd train -d nuclei/train -d corrected -o better --from nuclei --repeat 1,4 --time 10m",
		Args: cobra.ArbitraryArgs, // more data sets
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.Datasets, "data", "d", nil, "data set; can be repeated")
	f.StringVarP(&o.Out, "out", "o", "", "model directory to write")
	f.IntVar(&o.Epochs, "epochs", 0, "passes over the data")
	f.IntVar(&o.Steps, "steps", 0, "number of optimisation steps")
	f.DurationVar(&o.Time, "time", 0, "training time, for example 20m (the default); converted to a number of steps at the start")
	f.Uint64Var(&o.Seed, "seed", 0, "random seed")
	f.BoolVar(&o.Resume, "resume", false, "continue from the checkpoint in DIR, if it has one")
	f.BoolVar(&o.Overwrite, "overwrite", false, "replace the model or training in DIR")
	f.Float64Var(&o.ValFraction, "val", 0.2, "share of the groups used for validation (0: none; train on all images, for a known number of steps)")
	f.StringVar(&s.fold, "fold", "", "fold I of K for cross-validation, as I/K, counted from 0")
	f.IntVar(&s.width, "width", 0, "channels of the first level (0 here and below: chosen by the plan)")
	f.IntVar(&s.depth, "depth", 0, "number of pooling steps")
	addHead(f, &s.head, "", "what the network predicts: regression for a value per pixel, from labels that hold values (default: classes)")
	s.network.add(f)
	s.recipe.add(f, &o)
	f.StringVar(&o.PlanFile, "plan", "", "use the plan.json of an earlier training, edited or not; apart from the length, it replaces the other flags")
	f.IntVar(&o.Patch, "patch", 0, "side of a training patch in pixels")
	f.IntVar(&o.Batch, "batch", 0, "patches in a step")
	f.Float64Var(&o.LearnRate, "lr", 0, "highest learning rate")
	f.BoolVar(&o.NoFlip, "no-flip", false, "do not mirror images, for anatomy where left and right differ")
	f.StringVar(&o.Name, "name", "", "model name (default: the last element of DIR)")
	f.StringSliceVar(&s.classes, "classes", nil, "names of the foreground classes, index 1 first")
	f.StringVar(&s.card, "card", "", "JSON file to merge into model.json: title, description, classes, data, license")
	f.Var((*byteSize)(&o.MaxMemory), "max-memory", "memory limit, for example 4GiB (the default); images that do not fit are kept in a temporary file")
	a.addThreads(cmd)
	a.addProgress(cmd)
	for _, name := range []string{"data", "out"} {
		_ = cmd.MarkFlagRequired(name) // fails for unknown names only
	}
	cmd.MarkFlagsMutuallyExclusive("epochs", "steps", "time")
	cmd.RunE = a.do(func(cmd *cobra.Command, args []string) error {
		o.Datasets = append(o.Datasets, args...)
		return a.train(cmd.Context(), o, s)
	})
	return cmd
}

func (a *app) train(ctx context.Context, o train.Options, s trainSettings) error {
	c, err := readCard(s.card)
	if err != nil {
		return err
	}
	if s.fold != "" {
		if n, err := fmt.Sscanf(s.fold, "%d/%d", &o.Fold, &o.Folds); n != 2 || err != nil {
			return optionError("--fold %s, want I/K, for example 0/5", s.fold)
		}
	}
	o.All = o.ValFraction == 0 && o.Folds == 0
	if o.ClassNames = s.classes; len(o.ClassNames) == 0 {
		o.ClassNames = c.ForegroundNames()
	}
	if o.Epochs == 0 && o.Steps == 0 && o.Time == 0 && o.PlanFile == "" {
		o.Time = defaultTrainingTime
	}
	o.Network = s.network.config(s.width, s.depth)
	o.Network.Head = unet.Head(s.head)
	if err := s.recipe.complete(a, &o); err != nil {
		return err
	}
	o.Title, o.Description, o.Version, o.Data = c.Title, c.Description, c.Version, c.Data
	o.Pool = a.newPool()
	defer o.Pool.Close()
	// What is garbage counts too: near the limit it is collected more often.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(o.Memory()))

	show := a.newTrainProgress()
	result, err := train.Run(ctx, o, show.event)
	show.finish()
	// A training that was interrupted leaves a model too, and the card is its.
	if result != nil && result.Model != "" && s.card != "" {
		if e := applyCard(result.Model, c); e != nil {
			return errors.Join(err, e)
		}
	}
	if err != nil {
		return err
	}
	if result.Model == "" {
		return fmt.Errorf("%w: no model was saved: the training ended before its first validation; give it more steps or time", segd.ErrUnprocessable)
	}
	spent := (time.Duration(result.Seconds * float64(time.Second))).Round(time.Second)
	if len(result.Plan.Validation) == 0 {
		_, err = fmt.Fprintf(a.stdout, "%s: step %d, not validated, took %s\n", result.Model, result.BestStep, spent)
		return err
	}
	figure := fmt.Sprintf("val_dice %.4f", result.ValDice)
	if result.Plan.Targets != nil {
		figure = fmt.Sprintf("val_mae %.4g", result.ValMAE)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s at step %d of %d, took %s\n", result.Model, figure, result.BestStep, result.Steps, spent)
	return err
}

// applyCard rewrites the manifest of the model in dir with what the card says.
func applyCard(dir string, c models.Card) error {
	return models.Amend(dir, func(m *models.Manifest) { *m = c.Merge(*m) })
}

// trainProgress shows the events of a training.
type trainProgress struct {
	a    *app
	bar  *progressbar.ProgressBar
	last time.Time
}

func (a *app) newTrainProgress() *trainProgress { return &trainProgress{a: a} }

// event is called by train.Run from one goroutine.
func (p *trainProgress) event(e train.Event) {
	switch {
	case p.a.progress == progressJSON:
		_ = json.NewEncoder(p.a.stderr).Encode(e)
		return
	case p.a.progress == progressNone && e.Kind != train.EventWarning:
		return
	}
	switch e.Kind {
	case train.EventWarning:
		p.line("warning: %s", e.Message)
	case train.EventPlan:
		p.line("%s", e.Message)
		if isTerminal(p.a.stderr) {
			p.bar = newBar(p.a.stderr, e.Steps, "step")
		}
	case train.EventStep:
		if p.bar != nil {
			p.bar.Describe(fmt.Sprintf("epoch %d loss %.3f%s", e.Epoch, e.Loss, bestFigure(e)))
			_ = p.bar.Set(e.Step) // a terminal that went away is no reason to stop
		} else if time.Since(p.last) >= plainEvery {
			p.last = time.Now()
			p.line("step %d/%d epoch %d loss %.4f lr %.2g%s, %.1f images/s, about %s left", e.Step, e.Steps, e.Epoch, e.Loss, e.Rate,
				bestFigure(e), e.Images, (time.Duration(e.ETA) * time.Second).String())
		}
	case train.EventValidation:
		p.line("step %d/%d epoch %d loss %.4f%s%s, %s elapsed", e.Step, e.Steps, e.Epoch, e.Loss, valFigure(e), bestFigure(e),
			(time.Duration(e.Elapsed) * time.Second).String())
	case train.EventDone:
		p.line("%s", e.Message)
	}
}

// valFigure and bestFigure are the figures of an event.
func valFigure(e train.Event) string {
	switch {
	case e.ValMAE != nil:
		return fmt.Sprintf(" val_mae %.4g (groups %.4g)", *e.ValMAE, *e.ValGroupMAE)
	case e.ValDice != nil:
		return fmt.Sprintf(" val_dice %.4f (groups %.4f)", *e.ValDice, *e.ValGroup)
	}
	return ""
}

func bestFigure(e train.Event) string {
	switch {
	case e.BestMAE != nil:
		return fmt.Sprintf(" best %.4g", *e.BestMAE)
	case e.BestDice != nil:
		return fmt.Sprintf(" best %.4f", *e.BestDice)
	}
	return ""
}

func (p *trainProgress) line(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	say(p.a.stderr, "%s\n", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (p *trainProgress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
