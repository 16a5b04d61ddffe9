package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"segd"
	"segd/train/dataset"
	"segd/train/metric"
	"segd/unet"
)

// Targets says how the labels of a regression are normalised for the network:
// less their mean, through their deviation, both over the pixels of the training
// images. The weights that are kept give values in the unit of the labels: their
// head takes both up (docs/adr/0018-values.md).
type Targets struct {
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
}

// flat is the share of the mean that the deviation must be more than: below it
// is what float32 rounds away.
const flat = 1e-6

// targetsOf measures the labels of the training images. Labels that are all the
// same, or none known, are segd.ErrUnprocessable.
func targetsOf(cases []dataset.Case, list []facts, training []string) (*Targets, error) {
	var s dataset.Spread
	for i := range list {
		if slices.Contains(training, cases[i].ID) {
			s.Join(list[i].known)
		}
	}
	if s.N == 0 {
		return nil, fmt.Errorf("train: %w: no value of any training label is known", segd.ErrUnprocessable)
	}
	t := &Targets{Mean: s.Mean, Deviation: math.Sqrt(s.Squares / float64(s.N))}
	if !(t.Deviation > flat*math.Abs(t.Mean)) || t.Deviation < 1/float64(dataset.LargestValue) {
		return nil, fmt.Errorf("train: %w: all training labels have the value %g: there is nothing to learn", segd.ErrUnprocessable, t.Mean)
	}
	return t, nil
}

// normalise returns the values as the network is to give them.
func (t *Targets) normalise(values []float32) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32((float64(v) - t.Mean) / t.Deviation)
	}
	return out
}

// values reports whether the network gives values and no classes.
func (p *Plan) values() bool { return p.Network.Head == unet.HeadRegression }

// figure names what validations measure.
func (p *Plan) figure() string {
	if p.values() {
		return "mae"
	}
	return "dice"
}

// figuresOf is what a validation came to, over images and over groups.
func (p *Plan) figuresOf(r Row) (image, group float64) {
	if p.values() {
		return r.MAE, r.GroupMAE
	}
	return r.Dice, r.Group
}

// text writes a figure: a Dice has four digits, an error those that count.
func (p *Plan) text(v float64) string {
	if p.values() {
		return fmt.Sprintf("%.4g", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// score says how good a validation is, the higher the better. It is the mean of
// the figure over cases and over groups: small objects make the first jumpy, few
// groups the second. An error counts against it.
func (p *Plan) score(v validation) float64 {
	s := (v.image + v.group) / 2
	if p.values() {
		return -s
	}
	return s
}

// validation is what the averaged weights came to.
type validation struct {
	image, group float64             // mean over cases and over groups: of Dice, or of the mean absolute error
	masks        *metric.Report      // of classes
	values       *metric.ValueReport // of values
}

// evaluateValues is evaluate for values.
func evaluateValues(ctx context.Context, p *Plan, q *unet.Predictor, examples []example) (validation, error) {
	var cases []metric.ValueCase
	for i := range examples {
		e, err := examples[i].whole()
		if err != nil {
			return validation{}, err
		}
		v, err := q.Predict(ctx, e.X)
		if err != nil {
			return validation{}, err
		}
		if v, err = e.place.ToImage(v); err != nil {
			return validation{}, err
		}
		c, err := metric.CompareValues(e.ID, e.Group, e.values, v.Data, p.Targets.Mean)
		if err != nil {
			return validation{}, fmt.Errorf("train: label %s: %w", e.Where(e.Label), err)
		}
		cases = append(cases, c)
	}
	report := metric.ReportValues(cases, p.Targets.Mean)
	return validation{image: report.Mean.MAE, group: report.GroupMean.MAE, values: report}, nil
}

// keptWeights are the weights to validate and to keep: the averaged ones, of a
// regression in the unit of the labels.
func (r *run) keptWeights() *unet.Params {
	if !r.Plan.values() {
		return r.average
	}
	p := r.average.Clone()
	p.Rescale(r.Plan.Targets.Deviation, r.Plan.Targets.Mean)
	return p
}

// takeHead settles whether the labels are classes or values: what the options
// leave open is as in the checkpoint, the plan or the model to start from. Where
// they are values and no loss is given, it is that one's, or l1.
func (o *Options) takeHead(saved *progress) error {
	var loss unet.Loss
	switch n := &o.Network; {
	case saved != nil:
		n.Head, loss = cmp.Or(n.Head, saved.Plan.Network.Head), saved.Plan.Loss
	case o.PlanFile != "":
		p, err := readPlan(o.PlanFile)
		if err != nil {
			return err
		}
		n.Head, loss = cmp.Or(n.Head, p.Network.Head), p.Loss
	case o.From != nil:
		n.Head = cmp.Or(n.Head, o.From.Network.Head)
	}
	if o.Network.Head == unet.HeadRegression && o.Loss.Terms == "" {
		o.Loss.Terms = cmp.Or(loss.Terms, unet.LossL1)
	}
	return nil
}

// validateHead refuses what the labels' kind has no use for.
func (o *Options) validateHead() error {
	if err := o.Loss.ValidateFor(unet.Config{Head: o.Network.Head, Classes: len(o.Loss.Classes)}); err != nil {
		return err
	}
	if o.Network.Head != unet.HeadRegression {
		return nil
	}
	what := ""
	switch {
	case o.Deep:
		what = "deep supervision"
	case o.Balance:
		what = "balanced classes"
	case len(o.ClassNames) > 0:
		what = "names of classes"
	case o.Foreground > 0:
		what = "patches on foreground"
	default:
		return nil
	}
	return fmt.Errorf("train: %w: %s with head %s, whose labels are values", segd.ErrOption, what, o.Network.Head)
}
