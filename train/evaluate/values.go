package evaluate

import (
	"context"
	"fmt"

	"segd"
	"segd/train/dataset"
	"segd/train/internal/parallel"
	"segd/train/metric"
)

// Values is like Run, for a model of values or for existing files of values in any
// format of such labels. It measures their distance from labels that are values, and
// that of a constant prediction. The constant is the mean of the model's training
// labels or, for files, the mean of the labels themselves. A model of classes is
// segd.ErrOption. Tolerance is ignored.
func Values(ctx context.Context, o Options, report Progress) (*metric.ValueReport, error) {
	if err := o.one(); err != nil {
		return nil, err
	}
	if o.Model != nil && o.Masks() {
		return nil, fmt.Errorf("train: %w: want a model that predicts values", segd.ErrOption)
	}
	data, err := o.open()
	if err != nil {
		return nil, err
	}
	e := valueEvaluation{o: o, cases: data.Cases, warnings: data.Warnings}
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	if err := report.each(ctx, e.cases, e.warnings, &e); err != nil {
		return nil, err
	}
	return metric.ReportValues(e.list, e.constant), nil
}

// valueEvaluation is the state of a call of Values.
type valueEvaluation struct {
	o        Options
	cases    []dataset.Case
	found    *dataset.Predictions // nil with a model
	warnings []string
	constant float64
	frames   frames
	list     []metric.ValueCase // measured so far
}

// begin determines the constant and, if there is no model, finds the predictions.
func (e *valueEvaluation) begin(ctx context.Context) (err error) {
	if e.o.Model != nil {
		e.constant = e.o.Model.Values.Mean
		return nil
	}
	f, err := dataset.FindPredictions(e.o.Predictions, e.cases)
	if err != nil {
		return err
	}
	e.found, e.warnings = f, append(e.warnings, f.Warnings...)
	known := make([]dataset.Spread, len(e.cases))
	err = parallel.Do(ctx, len(e.cases), func(i int) error {
		r, err := e.cases[i].ReadValues()
		known[i].Add(r.Values)
		return err
	})
	var all dataset.Spread
	for _, k := range known {
		all.Join(k)
	}
	e.constant = all.Mean
	return err
}

// measure compares the values of case i with its label.
func (e *valueEvaluation) measure(ctx context.Context, i int) error {
	c := &e.cases[i]
	r, err := c.ReadValues()
	if err != nil {
		return err
	}
	var got []float32
	if e.o.Model == nil {
		if got, err = e.found.Values(i, r.Image.Width, r.Image.Height); err != nil {
			return err
		}
	} else {
		result, err := e.frames.segment(ctx, &e.o, c)
		if err != nil {
			return fmt.Errorf("train: values of %s: %w", c.Where(c.Image), err)
		}
		got = result.Values
	}
	m, err := metric.CompareValues(c.ID, c.Group, r.Values, got, e.constant)
	if err != nil {
		return fmt.Errorf("train: label %s: %w", c.Where(c.Label), err)
	}
	e.list = append(e.list, m)
	return nil
}
