package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"segd"
	"segd/internal/output"
	"segd/models"
	"segd/train/evaluate"
	"segd/train/metric"
)

func newModelEnsemble(a *app) *cobra.Command {
	var out, dir, name string
	var half, overwrite bool
	cmd := &cobra.Command{
		Use:   "ensemble MODEL... -o DIR",
		Short: "Combine models into one that averages their probabilities",
		Long: "Combine models that differ only in their weights, such as the folds of a\n" +
			"cross-validation, into one model directory. The result is used like any other\n" +
			"model and takes as long as its members together. Classes are matched by name.",
		Example: "  for i in 0 1 2 3 4; do segd train -d nuclei/train -o fold$i --fold $i/5 --name nuclei; done\n  segd model ensemble fold0 fold1 fold2 fold3 fold4 -o nuclei-5",
		Args:    cobra.MinimumNArgs(2),
		RunE: a.do(func(_ *cobra.Command, args []string) error {
			lock, err := takeModelFolder(out, overwrite)
			if err != nil {
				return err
			}
			defer lock.Release()
			list := make([]*models.Model, len(args))
			for i, name := range args {
				if list[i], err = a.resolveModel(name, dir); err != nil {
					return err
				}
			}
			man, all, err := models.Join(list)
			if err != nil {
				return err
			}
			if man.Name = name; name == "" {
				man.Name = models.NameFrom(out)
			}
			return models.SaveEnsemble(out, man, all, half)
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "", "directory to write")
	f.StringVar(&dir, "models", "", "directory of additional models")
	f.StringVar(&name, "name", "", "model name (default: the last element of DIR)")
	f.BoolVar(&half, "half", false, "store weight matrices in half precision")
	f.BoolVar(&overwrite, "overwrite", false, "replace an existing model")
	_ = cmd.MarkFlagRequired("out") // fails for unknown names only
	return cmd
}

// storeSettings are the flags of segd model verify and promote.
type storeSettings struct {
	datasets     []string
	against, dir string
	name         string
	force, tta   bool
}

func newModelVerify(a *app) *cobra.Command {
	var s storeSettings
	cmd := &cobra.Command{
		Use:   "verify MODEL -d DATASET...",
		Short: "Compare a new model with the one in service on a test set",
		Long: "Compare a new model with the one in service under its name, or with another, on\n" +
			"a fixed test set, group by group, with a paired test. If it is significantly\n" +
			"worse in any class (p < 0.05), the exit status is 1.",
		Example: "  segd model verify better -d nuclei/test --against nuclei",
		Args:    cobra.ExactArgs(1),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			m, err := a.resolveModel(args[0], s.dir)
			if err != nil {
				return err
			}
			if s.against == "" {
				s.against = m.Name
			}
			old, err := a.resolveModel(s.against, s.dir)
			if err != nil {
				return err
			}
			v, err := a.verify(cmd.Context(), s, m, old)
			if err != nil {
				return err
			}
			if v.Worse {
				return fmt.Errorf("%w: %s is significantly worse than %s", segd.ErrUnprocessable, args[0], s.against)
			}
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringArrayVarP(&s.datasets, "data", "d", nil, "data set; can be repeated")
	f.StringVar(&s.against, "against", "", "model to compare with (default: the one of the same name)")
	f.StringVar(&s.dir, "models", "", "directory of additional models")
	f.BoolVar(&s.tta, "tta", false, "average over each image and its mirror images: four times the work, slightly better")
	a.addThreads(cmd)
	a.addProgress(cmd)
	_ = cmd.MarkFlagRequired("data") // fails for unknown names only
	return cmd
}

// verify measures both models on the same cases and writes how they compare.
func (a *app) verify(ctx context.Context, s storeSettings, m, old *models.Model) (*metric.Verdict, error) {
	o := evaluate.Options{Datasets: s.datasets, Model: m, TTA: s.tta, Pool: a.newPool()}
	defer o.Pool.Close()
	now, err := a.measureMasks(ctx, o)
	if err != nil {
		return nil, err
	}
	o.Model, o.ClassNames = old, m.ForegroundNames() // of labels that nobody names, for both alike
	before, err := a.measureMasks(ctx, o)
	if err != nil {
		return nil, err
	}
	v, err := metric.Judge(now, before)
	if err != nil {
		return nil, err
	}
	v.Against = old.Name + " " + old.Version
	for _, d := range s.datasets {
		v.Data = append(v.Data, filepath.Base(filepath.Clean(d)))
	}
	if v.Groups < metric.MinGroups {
		say(a.stderr, "segd: warning: %d groups are too few to show a significant difference, want at least %d\n", v.Groups, metric.MinGroups)
	}
	return v, metric.WriteDifferences(a.stdout, v.Against, v.Classes)
}

func newModelPromote(a *app) *cobra.Command {
	var s storeSettings
	cmd := &cobra.Command{
		Use:   "promote MODEL --models DIR [-d DATASET...]",
		Short: "Put a new model into service as the next version of its name",
		Long: "Copy a model directory to DIR/NAME as its next version and put it into service.\n" +
			"If a model of that name is already in service, segd first compares the two on a\n" +
			"test set, like verify, and refuses a significantly worse model. The figures are\n" +
			"appended to DIR/NAME/promotions.jsonl. A running server switches to the new\n" +
			"version on its own.",
		Example: "  segd model promote better --models models --name nuclei -d nuclei/test\n  segd model rollback nuclei --models models",
		Args:    cobra.ExactArgs(1),
		RunE: a.do(func(cmd *cobra.Command, args []string) error {
			return a.promote(cmd.Context(), s, args[0])
		}),
	}
	f := cmd.Flags()
	f.StringArrayVarP(&s.datasets, "data", "d", nil, "test set; can be repeated")
	f.StringVar(&s.dir, "models", "", "directory of models")
	f.StringVar(&s.name, "name", "", "name to serve it under (default: the model's own)")
	f.BoolVar(&s.force, "force", false, "promote even if the model is worse or no test set is given")
	a.addThreads(cmd)
	a.addProgress(cmd)
	_ = cmd.MarkFlagRequired("models") // fails for unknown names only
	return cmd
}

func (a *app) promote(ctx context.Context, s storeSettings, model string) error {
	m, err := models.Open(model)
	if err != nil {
		return err
	}
	if s.name == "" {
		s.name = m.Name
	}
	if !models.ValidName(s.name) {
		return optionError("%.80q is not a valid model name", s.name)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	c, err := a.openCatalogue(s.dir)
	if err != nil {
		return err
	}
	lock, err := output.Take(filepath.Join(s.dir, s.name))
	if err != nil {
		return err
	}
	defer lock.Release()
	what := models.Promotion{Time: time.Now().UTC(), Forced: s.force}
	old, err := c.Get(s.name)
	if err != nil && !errors.Is(err, segd.ErrNotFound) {
		return err
	}
	if old != nil {
		if len(s.datasets) == 0 && !s.force {
			return optionError("%s %s is in service: give a test set with -d to compare the two, or --force", s.name, old.Version)
		}
		if len(s.datasets) > 0 {
			v, err := a.verify(ctx, s, m, old)
			if err != nil {
				return err
			}
			what.Evidence, what.Worse = v, v.Worse
		}
	}
	done, err := models.Promote(filepath.Join(s.dir, s.name), s.name, m, what)
	if what.Worse && errors.Is(err, segd.ErrUnprocessable) {
		return fmt.Errorf("%w (%s); --force promotes it anyway", err, model)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: version %d is in service%s\n", s.name, done.Version, insteadOf(done.Previous))
	return err
}

func newModelRollback(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "rollback NAME --models DIR",
		Short: "Return to the previous version of a model",
		Args:  cobra.ExactArgs(1),
		RunE: a.do(func(_ *cobra.Command, args []string) error {
			if !models.ValidName(args[0]) {
				return optionError("%.80q is not a valid model name", args[0])
			}
			if !exists(filepath.Join(dir, args[0])) { // a lock would make it
				_, err := models.Rollback(filepath.Join(dir, args[0]), time.Time{})
				return err
			}
			lock, err := output.Take(filepath.Join(dir, args[0]))
			if err != nil {
				return err
			}
			defer lock.Release()
			done, err := models.Rollback(filepath.Join(dir, args[0]), time.Now().UTC())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%s: version %d is in service%s\n", args[0], done.Version, insteadOf(done.Previous))
			return err
		}),
	}
	cmd.Flags().StringVar(&dir, "models", "", "directory of models")
	_ = cmd.MarkFlagRequired("models") // fails for unknown names only
	return cmd
}

func insteadOf(version int) string {
	if version == 0 {
		return ""
	}
	return fmt.Sprintf(", replacing version %d", version)
}
