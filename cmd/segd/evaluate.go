package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"segd/internal/kernel"
	"segd/train"
)

// evaluateSettings are the flags of segd evaluate.
type evaluateSettings struct {
	datasets            []string
	model, modelsDir    string
	predictions, report string
	worst               int
	tolerance           float64
}

func newEvaluate(a *app) *cobra.Command {
	var s evaluateSettings
	cmd := &cobra.Command{
		Use:   "evaluate -d DATASET... (-m MODEL | --predictions DIR)",
		Short: "Measure a model or its masks against labels",
		Long: "Compare a model's masks, or masks written before, with the labels of a data\n" +
			"set: Dice and IoU for each class, as a mean over images, as a mean over the\n" +
			"groups of ids.csv with their pixels pooled, and with all pixels pooled; and how\n" +
			"far the outlines lie apart: 95 % Hausdorff distance (HD95) and the share within\n" +
			"--tolerance (NSD), in mm where all spacings are known. Where neither mask holds\n" +
			"a class, Dice, IoU and NSD count 1, where only one does 0 and there is no HD95.",
		Example: "  segd evaluate -d nuclei/test -m nuclei --report report.json\n  segd evaluate -d nuclei/test --predictions out/mask",
		Args:    cobra.ArbitraryArgs, // more data sets
	}
	f := cmd.Flags()
	f.StringArrayVarP(&s.datasets, "data", "d", nil, "data set; may be given again")
	f.StringVarP(&s.model, "model", "m", "", "a model's name or directory")
	f.StringVar(&s.modelsDir, "models", "", "directory with further models")
	f.StringVar(&s.predictions, "predictions", "", "folder of mask PNGs, named like the images")
	f.StringVar(&s.report, "report", "", "JSON file to write: every case, every group and the means")
	s.worst = 5
	f.Var(newIntRange(&s.worst, 0, 1_000_000), "worst", "cases of lowest Dice to list")
	f.Float64Var(&s.tolerance, "tolerance", 2, "how far outlines may lie apart for NSD, in pixels and in mm")
	a.addThreads(cmd)
	a.addProgress(cmd)
	_ = cmd.MarkFlagRequired("data") // fails for unknown names only
	cmd.MarkFlagsOneRequired("model", "predictions")
	cmd.MarkFlagsMutuallyExclusive("model", "predictions")
	cmd.RunE = a.do(func(cmd *cobra.Command, args []string) error {
		s.datasets = append(s.datasets, args...)
		return a.evaluate(cmd.Context(), s)
	})
	return cmd
}

func (a *app) evaluate(ctx context.Context, s evaluateSettings) error {
	o := train.EvaluateOptions{Datasets: s.datasets, Predictions: s.predictions, Tolerance: s.tolerance, Pool: kernel.NewPool(a.threadCount())}
	defer o.Pool.Close()
	if s.model != "" {
		m, err := resolveModel(s.model, s.modelsDir)
		if err != nil {
			return err
		}
		o.Model = m
	}
	var p *progress
	report, err := train.Evaluate(ctx, o, func(done, cases int, warning string) {
		if p == nil {
			p = a.newProgress("case", cases)
		}
		if warning != "" {
			p.warn(warning)
			return
		}
		p.add("", nil)
	})
	if err != nil {
		if p != nil {
			p.clear()
		}
		return err
	}
	if p != nil {
		p.finish()
	}
	if s.report != "" {
		err := writeFile(s.report, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(report)
		})
		if err != nil {
			return err
		}
	}
	return report.WriteText(a.stdout, s.worst)
}
