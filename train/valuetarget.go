package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"segd"
	"segd/internal/report"
	"segd/models"
	"segd/train/augment"
	"segd/train/dataset"
	"segd/train/evaluate"
	"segd/train/internal/page"
	"segd/train/metric"
	"segd/unet"
)

// Targets says how labels of values are normalised for the network: by subtracting
// the mean and dividing by the standard deviation, both over the pixels of the
// training images. The head of the kept weights undoes the normalisation, so they
// give values in the unit of the labels (docs/adr/0018-values.md).
type Targets struct {
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
}

// flat is the share of the mean that the deviation must exceed. Smaller differences
// are lost to float32 rounding.
const flat = 1e-6

// normalise returns the values in the network's units.
func (t *Targets) normalise(values []float32) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32((float64(v) - t.Mean) / t.Deviation)
	}
	return out
}

// valueTarget is the target of labels that hold a value for each pixel.
type valueTarget struct{}

func (valueTarget) complete(o *Options, loss unet.Loss) {
	if o.Loss.Terms == "" {
		o.Loss.Terms = cmp.Or(loss.Terms, unet.LossL1)
	}
}

func (valueTarget) validate(o *Options) error {
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

func (valueTarget) name(*Options, *dataset.Dataset, *progress) error { return nil }

func (valueTarget) read(c *dataset.Case) (dataset.Sample, error) { return c.ReadValues() }

func (valueTarget) note(f *facts, _ *dataset.Case, s dataset.Sample) {
	f.known.Add(s.Values)
	f.hash = hashValues(s.Values)
}

func (valueTarget) survey(*Options, []dataset.Case, []facts) (dataset.Meaning, int, error) {
	return dataset.Meaning{}, 1, nil
}

func (valueTarget) adapt(p *Plan) {
	p.Foreground = 0
	// At another magnification a length would no longer match its label.
	p.Augment.Scale, p.Augment.Elastic = 0, 0
}

// measure measures the labels of the training images. If all labels are equal or none
// is known, the error is segd.ErrUnprocessable.
func (valueTarget) measure(cases []dataset.Case, list []facts, training []string) (*Targets, error) {
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

func (valueTarget) label(n *normaliser, e *example, s dataset.Sample) error {
	e.values = s.Values
	t, err := e.place.ToGrid(&segd.Tensor{N: 1, C: 1, H: s.Image.Height, W: s.Image.Width, Data: s.Values})
	if err != nil {
		return err
	}
	e.Targets = n.targets.normalise(t.Data)
	return nil
}

func (valueTarget) room(b *unet.Batch, n int) { b.Targets = make([]float32, n) }

func (valueTarget) patch(s *augment.Patch, b *unet.Batch, from, to int) {
	s.Targets = b.Targets[from:to]
}

// started replaces the unit of the old labels in the head by that of the new ones.
func (valueTarget) started(r *run, old *unet.Params) (*unet.Params, error) {
	t := r.Plan.Targets
	old.Rescale(1/t.Deviation, -t.Mean/t.Deviation)
	return old.Adapt(r.Plan.Network, []int{0}, r.Plan.Seed)
}

// kept makes the head give values in the unit of the labels.
func (valueTarget) kept(p *Plan, average *unet.Params) *unet.Params {
	kept := average.Clone()
	kept.Rescale(p.Targets.Deviation, p.Targets.Mean)
	return kept
}

func (valueTarget) evaluate(ctx context.Context, p *Plan, q *unet.Predictor, examples []example, _ []string) (validation, error) {
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
	r := metric.ReportValues(cases, p.Targets.Mean)
	return validation{image: r.Mean.MAE, group: r.GroupMean.MAE, report: evaluate.ValueReport{ValueReport: r}}, nil
}

func (valueTarget) score(v validation) float64 { return -v.mean() }
func (valueTarget) figure() string             { return "mae" }
func (valueTarget) text(v float64) string      { return fmt.Sprintf("%.4g", v) }
func (valueTarget) column(v float64) string    { return fmt.Sprintf("%.6g", v) }

func (valueTarget) ofRow(r *Row) (image, group *float64)       { return &r.MAE, &r.GroupMAE }
func (valueTarget) ofResult(r *Result) (image, group *float64) { return &r.ValMAE, &r.GroupMAE }
func (valueTarget) ofEvent(e *Event) (image, group, best **float64) {
	return &e.ValMAE, &e.ValGroupMAE, &e.BestMAE
}

func (valueTarget) output(p *Plan) string {
	return fmt.Sprintf("values (mean %.4g, deviation %.4g)", p.Targets.Mean, p.Targets.Deviation)
}

func (valueTarget) card(m *models.Manifest, p *Plan, _ []string) {
	m.Values = &models.Values{Mean: p.Targets.Mean, Deviation: p.Targets.Deviation}
}

func (valueTarget) charts(loss, figure *report.Chart) {
	loss.Y += ", of labels divided by their deviation"
	figure.Title, figure.Y = "Validation error", "mean absolute error"
}

func (valueTarget) show(_ context.Context, r *run, p *report.Page) error {
	page.AddValues(p, r.best.report.(evaluate.ValueReport).ValueReport)
	return nil
}

func (valueTarget) byHeart() byHeart {
	return byHeart{
		loss: unet.LossL1, foreground: 0,
		known:  func(r *OverfitResult) bool { return r.Steps > 0 && r.MAE <= valuesByHeart*r.Constant },
		enough: func(r *OverfitResult) bool { return r.Steps > 0 && r.MAE <= notValuesByHeart*r.Constant },
		record: func(r *OverfitResult, v validation) {
			if f := v.report.(evaluate.ValueReport); r.Constant == 0 || f.Mean.MAE < r.MAE {
				r.MAE, r.Constant = f.Mean.MAE, f.Mean.ConstantMAE
			}
		},
		text: func(r *OverfitResult) string {
			return fmt.Sprintf("a mean absolute error of %.4g (%.4g for their mean)", r.MAE, r.Constant)
		},
	}
}
