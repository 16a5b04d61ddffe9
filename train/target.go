package train

import (
	"cmp"
	"context"

	"segd/internal/report"
	"segd/models"
	"segd/train/augment"
	"segd/train/dataset"
	"segd/train/evaluate"
	"segd/unet"
)

// A target is what the labels of a training are, classes or values. It knows how
// labels are read and become what the network learns, and how what the network
// finds is measured. Nothing else in the package asks which of the two it is.
type target interface {
	// complete fills in what the options leave open, given the loss of the
	// checkpoint or the plan to train by.
	complete(o *Options, loss unet.Loss)
	// validate refuses options that have no meaning for these labels.
	validate(o *Options) error
	// name settles what the classes of the data are called.
	name(o *Options, data *dataset.Dataset, saved *progress) error

	// read reads both files of a case.
	read(c *dataset.Case) (dataset.Sample, error)
	// note notes what the plan needs to know of a label.
	note(f *facts, c *dataset.Case, s dataset.Sample)
	// survey settles what the labels of all cases mean, and the channels that the
	// network puts out.
	survey(o *Options, cases []dataset.Case, list []facts) (meant dataset.Meaning, outputs int, err error)
	// adapt changes a plan to what these labels need.
	adapt(p *Plan)
	// measure settles how the labels of the training images are normalised.
	measure(cases []dataset.Case, list []facts, training []string) (*Targets, error)

	// label gives an example its labels.
	label(n *normaliser, e *example, s dataset.Sample) error
	// room makes room for the labels of the n pixels of a batch.
	room(b *unet.Batch, n int)
	// patch says where in a batch the labels of a patch go, pixels from to to.
	patch(s *augment.Patch, b *unet.Batch, from, to int)
	// started returns the weights of the model that the training starts from.
	started(r *run, old *unet.Params) (*unet.Params, error)
	// kept returns the weights to validate and to keep, made from the averaged ones.
	kept(p *Plan, average *unet.Params) *unet.Params

	// evaluate runs a network over examples and compares what it finds with their
	// labels. names are those of the foreground classes.
	evaluate(ctx context.Context, p *Plan, q *unet.Predictor, examples []example, names []string) (validation, error)
	// score says how good a validation is: the higher the better.
	score(v validation) float64
	// figure names what validations measure, as the columns of progress.csv do.
	figure() string
	// text writes a figure with the digits that count, and column for progress.csv.
	text(v float64) string
	column(v float64) string
	// ofRow, ofResult and ofEvent say where the figures go, over images and over
	// groups, and those of the weights that are kept.
	ofRow(r *Row) (image, group *float64)
	ofResult(r *Result) (image, group *float64)
	ofEvent(e *Event) (image, group, best **float64)

	// output describes what the network gives, in the plan's summary.
	output(p *Plan) string
	// card fills in the part of a model card that says what the network gives.
	card(m *models.Manifest, p *Plan, names []string)
	// charts labels the charts of loss and figures.
	charts(loss, figure *report.Chart)
	// show adds the validation of the weights that are kept to the page.
	show(ctx context.Context, r *run, p *report.Page) error

	// byHeart describes the overfit test of these labels.
	byHeart() byHeart
}

// targets are those of the heads that a network may have.
var targets = map[unet.Head]target{unet.HeadClasses: classTarget{}, unet.HeadRegression: valueTarget{}}

// target is what the plan's network learns.
func (p *Plan) target() target { return targets[p.Network.Head] }

// target is what the network is to learn; head is one of unet's.
func (o *Options) target() target { return targets[o.Network.Head] }

// validation is what the averaged weights came to.
type validation struct {
	image, group float64 // mean over cases and over groups, of what target.figure names
	report       evaluate.Report
}

// mean is the mean of the figure over cases and over groups: small objects make the
// first jumpy, few groups the second.
func (v validation) mean() float64 { return (v.image + v.group) / 2 }

// takeHead settles whether the labels are classes or values: what the options
// leave open is as in the checkpoint, the plan or the model to start from.
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
	if t := o.target(); t != nil {
		t.complete(o, loss)
	}
	return nil
}

// validateHead refuses a head that is none, and what its labels have no use for.
func (o *Options) validateHead() error {
	t := o.target()
	if t == nil {
		return bad("head", o.Network.Head, "regression or none")
	}
	if err := o.Loss.ValidateFor(unet.Config{Head: o.Network.Head, Classes: len(o.Loss.Classes)}); err != nil {
		return err
	}
	return t.validate(o)
}
