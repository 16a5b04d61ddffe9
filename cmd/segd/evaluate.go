package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"segd/internal/output"
	"segd/models"
	"segd/train/dataset"
	"segd/train/evaluate"
	"segd/train/metric"
	"segd/unet"
)

// evaluateSettings are the flags of segd evaluate.
type evaluateSettings struct {
	datasets            []string
	model, modelsDir    string
	predictions, report string
	classes             []string
	head                string
	against, html       string
	record              string
	worst               int
	overwrite           bool
	tolerance           float64
	tta                 bool
}

func newEvaluate(a *app) *cobra.Command {
	var s evaluateSettings
	cmd := &cobra.Command{
		Use:   "evaluate -d DATASET... (-m MODEL | --predictions DIR)",
		Short: "Compare a model or its masks with labels",
		Long: "Compare the masks of a model, or existing masks, with the labels of a data set.\n\n" +
			"Dice and IoU are reported for each class: as a mean over images, as a mean over\n" +
			"the groups of ids.csv with the pixels of each group pooled, and with all pixels\n" +
			"pooled. Two surface measures compare the outlines: the 95 % Hausdorff distance\n" +
			"(HD95) and the normalised surface Dice at --tolerance (NSD), in mm if all\n" +
			"spacings are known. If neither mask has a class, Dice, IoU and NSD are 1; if only\n" +
			"one has it, they are 0. HD95 needs the class in both.\n\n" +
			"Classes are matched by name if both sides name them, as models, dataset.json and\n" +
			"DICOM Segmentations do.\n\n" +
			"Regression models are compared with labels that hold values: mean absolute error\n" +
			"(MAE) and root mean squared error (RMSE), in the unit of the labels, next to a\n" +
			"baseline that predicts the mean of the training labels everywhere.\n\n" +
			"--against compares with another model, group by group, with a paired test.",
		Example: "  segd evaluate -d nuclei/test -m nuclei --report report.json\n  segd evaluate -d nuclei/test --predictions out/mask\n  segd evaluate -d nuclei/test -m new --against nuclei\n  segd evaluate -d distances/test --predictions out/tiff --head regression",
		Args:    cobra.ArbitraryArgs, // more data sets
	}
	f := cmd.Flags()
	f.StringArrayVarP(&s.datasets, "data", "d", nil, "data set; can be repeated")
	f.StringVarP(&s.model, "model", "m", "", "model name or directory")
	f.StringVar(&s.modelsDir, "models", "", "directory of additional models")
	f.StringVar(&s.predictions, "predictions", "", "folder of masks, each at the path of its image below images/")
	f.StringSliceVar(&s.classes, "classes", nil, "names of the foreground classes in the labels, class 1 first (default: those of the data set)")
	addHead(f, &s.head, "", "what --predictions and labels hold: regression for values (default: masks)")
	f.StringVar(&s.report, "report", "", "JSON report to write, with every case, every group and the means")
	f.StringVar(&s.against, "against", "", "another model to compare with on the same cases")
	f.StringVar(&s.record, "record", "", "write the figures into the card of -m DIR under this split, for example test")
	f.StringVar(&s.html, "html", "", "HTML report to write, with figures, charts and pictures of the --worst cases")
	f.BoolVar(&s.overwrite, "overwrite", false, "replace the files named by --report and --html even if segd did not write them")
	s.worst = 5
	f.Var(newIntRange(&s.worst, 0, 1_000_000), "worst", "number of cases with the lowest Dice to list")
	f.Float64Var(&s.tolerance, "tolerance", 2, "distance up to which outlines agree for NSD, in pixels or mm")
	f.BoolVar(&s.tta, "tta", false, "average over each image and its mirror images: four times the work, slightly better")
	a.addThreads(cmd)
	a.addRounding(cmd)
	a.addProgress(cmd)
	_ = cmd.MarkFlagRequired("data") // fails for unknown names only
	cmd.MarkFlagsOneRequired("model", "predictions")
	cmd.MarkFlagsMutuallyExclusive("model", "predictions")
	cmd.MarkFlagsMutuallyExclusive("record", "predictions")
	cmd.RunE = a.do(func(cmd *cobra.Command, args []string) error {
		s.datasets = append(s.datasets, args...)
		return a.evaluate(cmd.Context(), s)
	})
	return cmd
}

// evaluation is what segd evaluate --report writes of masks that were held against
// others.
type evaluation struct {
	evaluate.MaskReport
	Comparison *comparison `json:"comparison,omitempty"`
}

// comparison holds the first masks against others.
type comparison struct {
	Against string              `json:"against"`
	Mean    metric.Entry        `json:"mean"` // of the others
	Classes []metric.Difference `json:"classes"`
}

func (a *app) evaluate(ctx context.Context, s evaluateSettings) error {
	o := evaluate.Options{Datasets: s.datasets, Predictions: s.predictions, ClassNames: s.classes, Tolerance: s.tolerance, Head: unet.Head(s.head), TTA: s.tta, Pool: a.newPool()}
	defer o.Pool.Close()
	for _, path := range []string{s.report, s.html} {
		if err := freeReport(path, s.overwrite); err != nil {
			return err
		}
	}
	var err error
	if s.model != "" {
		if o.Model, err = a.resolveModel(s.model, s.modelsDir); err != nil {
			return err
		}
	}
	if s.head != "" && o.Model != nil {
		return optionError("--head applies to --predictions; with -m, the model decides")
	}
	if (s.against != "" || s.html != "") && !o.Masks() {
		return optionError("--against and --html need masks, but the model or --head says values")
	}
	r, err := a.measure(ctx, o)
	if err != nil {
		return err
	}
	compared, err := a.compare(ctx, s, o, r)
	if err != nil {
		return err
	}
	if err := s.write(ctx, o, r, compared); err != nil {
		return err
	}
	if err := r.WriteText(a.stdout, s.worst); err != nil || compared == nil {
		return err
	}
	return metric.WriteDifferences(a.stdout, s.against, compared.Classes)
}

// compare holds masks against those of the model that --against names; nil without it.
func (a *app) compare(ctx context.Context, s evaluateSettings, o evaluate.Options, r evaluate.Report) (*comparison, error) {
	if s.against == "" {
		return nil, nil
	}
	if o.Model != nil && len(o.ClassNames) == 0 {
		o.ClassNames = o.Model.ForegroundNames() // of labels that nobody names, for both alike
	}
	var err error
	if o.Model, err = a.resolveModel(s.against, s.modelsDir); err != nil {
		return nil, err
	}
	o.Predictions = ""
	other, err := a.measureMasks(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &comparison{Against: s.against, Mean: other.Mean}
	c.Classes, err = metric.Compare(r.(evaluate.MaskReport).Report, other)
	return c, err
}

// write writes the report, the card's figures and the page that are asked for.
func (s evaluateSettings) write(ctx context.Context, o evaluate.Options, r evaluate.Report, compared *comparison) error {
	var report any = r
	if compared != nil {
		report = evaluation{r.(evaluate.MaskReport), compared}
	}
	if err := writeReport(s.report, report); err != nil {
		return err
	}
	if s.record != "" {
		if err := recordFigures(s, r); err != nil {
			return err
		}
	}
	if s.html != "" {
		return writePage(ctx, s, o, r.(evaluate.MaskReport).Report, compared)
	}
	return nil
}

// writeReport writes a report as JSON; nothing where no file is named.
func writeReport(path string, report any) error {
	if path == "" {
		return nil
	}
	return writeFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(report)
	})
}

// recordFigures puts the figures of the data into the card of the model directory,
// in the place of older ones of the same data and split.
func recordFigures(s evaluateSettings, r evaluate.Report) error {
	if info, err := os.Stat(s.model); err != nil || !info.IsDir() {
		return optionError("--record: %s is not a model directory", s.model)
	}
	data, err := dataset.Open(s.datasets...)
	if err != nil {
		return err
	}
	lock, err := output.Take(s.model) // a training may be writing it
	if err != nil {
		return err
	}
	defer lock.Release()
	figures := r.Metrics(strings.Join(data.Names, " + "), s.record)
	return models.Amend(s.model, func(m *models.Manifest) {
		m.Metrics = slices.DeleteFunc(slices.Clone(m.Metrics), func(v models.Metric) bool {
			return v.Data == figures[0].Data && v.Split == s.record
		})
		m.Metrics = append(m.Metrics, figures...)
	})
}

// writePage writes the evaluation as a page with pictures of its worst cases.
func writePage(ctx context.Context, s evaluateSettings, o evaluate.Options, r *metric.Report, c *comparison) error {
	var ids []string
	for _, c := range r.Worst(s.worst) {
		ids = append(ids, c.ID)
	}
	shown, err := evaluate.Show(ctx, o, ids)
	if err != nil {
		return err
	}
	var compared []metric.Difference
	if c != nil {
		compared = c.Classes
	}
	title := "Evaluation of " + cmp.Or(s.model, s.predictions)
	return writeFile(s.html, func(w io.Writer) error {
		return evaluate.WritePage(w, title, r, shown, s.against, compared)
	})
}

// measure runs one evaluation with its progress on standard error.
func (a *app) measure(ctx context.Context, o evaluate.Options) (r evaluate.Report, err error) {
	err = a.watchCases(func(report evaluate.Progress) (err error) {
		r, err = evaluate.Measure(ctx, o, report)
		return err
	})
	return r, err
}

// measureMasks is measure for a model that must make masks.
func (a *app) measureMasks(ctx context.Context, o evaluate.Options) (r *metric.Report, err error) {
	err = a.watchCases(func(report evaluate.Progress) (err error) {
		r, err = evaluate.Run(ctx, o, report)
		return err
	})
	return r, err
}

// watchCases shows the progress of an evaluation on standard error.
func (a *app) watchCases(run func(evaluate.Progress) error) error {
	var p *progress
	err := run(func(done, cases int, warning string) {
		if p == nil {
			p = a.newProgress("case", cases)
		}
		if warning != "" {
			p.warn(warning)
			return
		}
		p.add("", nil)
	})
	switch {
	case p == nil:
	case err != nil:
		p.clear()
	default:
		p.finish()
	}
	return err
}
