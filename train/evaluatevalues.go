package train

import (
	"context"
	"fmt"

	"segd"
	"segd/train/metric"
	"segd/unet"
)

// EvaluateValues is Evaluate for a model of values, or for files of values that were
// made before, of any kind that such labels have: how far they lie from labels that
// are values, beside a constant. That is the mean of the model's training labels
// or, of files, that of the labels themselves. A model of classes is segd.ErrOption,
// and a tolerance has no meaning.
func EvaluateValues(ctx context.Context, o EvaluateOptions, report func(done, cases int, warning string)) (*metric.ValueReport, error) {
	if (o.Model == nil) == (o.Predictions == "") {
		return nil, fmt.Errorf("train: %w: give one of model and predictions", segd.ErrOption)
	}
	if o.Model != nil && o.Model.Values == nil {
		return nil, fmt.Errorf("train: %w: values are measured of a model that gives them", segd.ErrOption)
	}
	if report == nil {
		report = func(int, int, string) {}
	}
	data, err := o.open()
	if err != nil {
		return nil, err
	}
	cases := data.Cases
	e := valueEvaluation{o: o, cases: cases, warnings: data.Warnings}
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	for _, w := range e.warnings {
		report(0, len(cases), w)
	}
	var list []metric.ValueCase
	for i := range cases {
		m, err := e.measure(ctx, i)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
		report(i+1, len(cases), "")
	}
	for _, f := range remarks(cases) {
		report(len(cases), len(cases), f.String())
	}
	return metric.ReportValues(list, e.constant), nil
}

// valueEvaluation is an EvaluateValues under way.
type valueEvaluation struct {
	o        EvaluateOptions
	cases    []Case
	found    []prediction // by case
	warnings []string
	constant float64
	frames   frames
}

// begin settles the constant and, where there is no model, finds the predictions.
func (e *valueEvaluation) begin(ctx context.Context) (err error) {
	if e.o.Model != nil {
		e.constant = e.o.Model.Values.Mean
		return nil
	}
	f, err := findPredictions(e.o.Predictions, e.cases)
	if err != nil {
		return err
	}
	e.found, e.warnings = f.found, append(e.warnings, f.warnings...)
	known := make([]spreadOf, len(e.cases))
	err = forEach(ctx, len(e.cases), func(i int) error {
		r, err := readCase(&e.cases[i], unet.HeadRegression)
		known[i].add(r.values)
		return err
	})
	var all spreadOf
	for _, k := range known {
		all.join(k)
	}
	e.constant = all.mean
	return err
}

// measure compares the values of case i with its label.
func (e *valueEvaluation) measure(ctx context.Context, i int) (metric.ValueCase, error) {
	c := &e.cases[i]
	r, err := readCase(c, unet.HeadRegression)
	if err != nil {
		return metric.ValueCase{}, err
	}
	if e.o.Model == nil {
		got, err := e.found[i].values(c, r.image.Width, r.image.Height)
		if err != nil {
			return metric.ValueCase{}, err
		}
		return countValues(c, r.values, got, e.constant)
	}
	got, err := e.frames.segment(ctx, &e.o, c)
	if err != nil {
		return metric.ValueCase{}, fmt.Errorf("train: values of %s: %w", c.where(c.Image), err)
	}
	return countValues(c, r.values, got.Values, e.constant)
}
