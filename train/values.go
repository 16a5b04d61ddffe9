package train

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"segd"
	"segd/internal/metric"
	"segd/models"
	"segd/unet"
)

// largestValue bounds the labels of a regression: their squares and what a
// network makes of them stay finite.
const largestValue = 1e15

// values reads the case's label as the values of a regression, width×height of
// them; NaN where one is not known. A label of another size is segd.ErrFormat, one
// that holds an infinite or a huge value segd.ErrUnprocessable, and one of which
// the plane cannot be told segd.ErrUnsupported.
func (c *Case) values(width, height int) ([]float32, error) {
	return c.valuesOf(c.Label, width, height)
}

// valuesOf is values of another file.
func (c *Case) valuesOf(path string, width, height int) ([]float32, error) {
	o, err := c.opener().open(path, asValues)
	if err != nil {
		return nil, err
	}
	bad := func(kind error, format string, a ...any) error {
		return fmt.Errorf("train: values %s: %w: %s", c.where(path), kind, fmt.Sprintf(format, a...))
	}
	var img *segd.Image
	if o.scan.Format == "nifti" {
		image, err := c.opener().open(c.Image, asImage)
		if err != nil {
			return nil, err
		}
		if image.scan.Format == "dicom" {
			return nil, bad(segd.ErrUnsupported, "a volume of values for a DICOM image, want an image of NIfTI, PNG or TIFF")
		}
		img, err = c.like(path, asValues)
		if err != nil {
			return nil, fmt.Errorf("train: values %s: %w", c.where(path), err)
		}
	} else {
		frame, err := c.page(path, o.scan.Frames)
		if err != nil {
			return nil, &sizeError{fmt.Errorf("train: values %s: %w", c.where(path), err)}
		}
		if img, err = o.scan.Frame(frame); err != nil {
			return nil, fmt.Errorf("train: values %s: %w", c.where(path), err)
		}
	}
	if img.Width != width || img.Height != height {
		return nil, &sizeError{bad(segd.ErrFormat, "%d×%d pixels, its image %s has %d×%d", img.Width, img.Height, c.Image, width, height)}
	}
	return img.Pix, checkValues(img.Pix, bad)
}

// checkValues returns what bad makes of values that are too large.
func checkValues(pix []float32, bad func(kind error, format string, a ...any) error) error {
	for _, v := range pix {
		if v > largestValue || v < -largestValue {
			return bad(segd.ErrUnprocessable, "a value beyond ±%g", float64(largestValue))
		}
	}
	return nil
}

// hashValues is a hash of the bits of values.
func hashValues(values []float32) uint64 {
	h := fnv.New64a()
	var b []byte
	for _, v := range values {
		if b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v)); len(b) >= 1<<14 {
			_, _ = h.Write(b) // a hash never fails
			b = b[:0]
		}
	}
	_, _ = h.Write(b)
	return h.Sum64()
}

// spreadOf is the mean of values and the sum of their squared distances from it,
// as Welford 1962 and Chan et al. 1983 join them.
type spreadOf struct {
	n             int64
	mean, squares float64
}

// add takes in the values that are known, in two passes.
func (s *spreadOf) add(values []float32) {
	var o spreadOf
	for _, v := range values {
		if v == v {
			o.n++
			o.mean += float64(v)
		}
	}
	if o.n == 0 {
		return
	}
	o.mean /= float64(o.n)
	for _, v := range values {
		if v == v {
			d := float64(v) - o.mean
			o.squares += d * d
		}
	}
	s.join(o)
}

func (s *spreadOf) join(o spreadOf) {
	if o.n == 0 {
		return
	}
	n, d := s.n+o.n, o.mean-s.mean
	s.squares += o.squares + d*d*float64(s.n)*float64(o.n)/float64(n)
	s.mean += d * float64(o.n) / float64(n)
	s.n = n
}

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
func targetsOf(cases []Case, list []facts, training []string) (*Targets, error) {
	var s spreadOf
	for i := range list {
		if slices.Contains(training, cases[i].ID) {
			s.join(list[i].known)
		}
	}
	if s.n == 0 {
		return nil, fmt.Errorf("train: %w: no value of any training label is known", segd.ErrUnprocessable)
	}
	t := &Targets{Mean: s.mean, Deviation: math.Sqrt(s.squares / float64(s.n))}
	if !(t.Deviation > flat*math.Abs(t.Mean)) || t.Deviation < 1/float64(largestValue) {
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
		v, err := q.Predict(ctx, e.x)
		if err != nil {
			return validation{}, err
		}
		if v, err = e.place.ToImage(v); err != nil {
			return validation{}, err
		}
		c, err := countValues(e.Case, e.values, v.Data, p.Targets.Mean)
		if err != nil {
			return validation{}, err
		}
		cases = append(cases, c)
	}
	report := metric.ReportValues(cases, p.Targets.Mean)
	return validation{image: report.Mean.MAE, group: report.GroupMean.MAE, values: report}, nil
}

// countValues compares what a network gave for a case with its labels, and the
// constant with them.
func countValues(c *Case, truth, predicted []float32, constant float64) (metric.ValueCase, error) {
	m := metric.ValueCase{ID: c.ID, Group: c.Group}
	var err error
	if m.Errors, err = metric.CountErrors(truth, predicted); err != nil {
		return m, fmt.Errorf("train: label %s: %w", c.where(c.Label), err)
	}
	same := make([]float32, len(truth))
	for i := range same {
		same[i] = float32(constant)
	}
	m.Constant, err = metric.CountErrors(truth, same)
	return m, err
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

// ValueFigures are what a report says of a model of values, as Figures are of
// one of classes.
func ValueFigures(report *metric.ValueReport, data, split string) []models.Metric {
	metricOf := func(name string, cases int, value float64) models.Metric {
		return models.Metric{Data: data, Split: split, Name: name, Cases: cases, Value: value}
	}
	n := len(report.Cases)
	return []models.Metric{
		metricOf("mean_mae", n, report.Mean.MAE), metricOf("mean_rmse", n, report.Mean.RMSE),
		metricOf("group_mae", len(report.Groups), report.GroupMean.MAE),
		metricOf("pooled_mae", n, report.Pooled.MAE), metricOf("pooled_rmse", n, report.Pooled.RMSE),
		metricOf("constant_mae", n, report.Mean.ConstantMAE),
	}
}

// takeHead settles whether the labels are classes or values: what the options
// leave open is as in the checkpoint, the plan or the model to start from. Where
// they are values and no loss is given, it is that one's, or l1.
func (o *Options) takeHead(saved *progress) error {
	var loss unet.Loss
	switch n := &o.Network; {
	case saved != nil:
		n.Head, loss = or(n.Head, saved.Plan.Network.Head), saved.Plan.Loss
	case o.PlanFile != "":
		p, err := readPlan(o.PlanFile)
		if err != nil {
			return err
		}
		n.Head, loss = or(n.Head, p.Network.Head), p.Loss
	case o.From != nil:
		n.Head = or(n.Head, o.From.Network.Head)
	}
	if o.Network.Head == unet.HeadRegression && o.Loss.Terms == "" {
		o.Loss.Terms = or(loss.Terms, unet.LossL1)
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
