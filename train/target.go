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

// A target represents the kind of labels of a training: classes or values. It knows
// how labels are read and converted for the network, and how the network's results
// are measured. Nothing else in the package distinguishes the two.
type target interface {
	// complete fills in what the options leave open, given the loss of the checkpoint
	// or of the given plan.
	complete(o *Options, loss unet.Loss)
	// validate refuses options that have no meaning for these labels.
	validate(o *Options) error
	// name determines the names of the classes of the data.
	name(o *Options, data *dataset.Dataset, saved *progress) error

	// read reads both files of a case.
	read(c *dataset.Case) (dataset.Sample, error)
	// note records what the plan needs to know about a label.
	note(f *facts, c *dataset.Case, s dataset.Sample)
	// survey determines what the labels of all cases mean, and the output channels of
	// the network.
	survey(o *Options, cases []dataset.Case, list []facts) (meant dataset.Meaning, outputs int, err error)
	// adapt adapts a plan to these labels.
	adapt(p *Plan)
	// measure determines how the labels of the training images are normalised.
	measure(cases []dataset.Case, list []facts, training []string) (*Targets, error)

	// label sets the labels of an example.
	label(n *normaliser, e *example, s dataset.Sample) error
	// room makes room for the labels of the n pixels of a batch.
	room(b *unet.Batch, n int)
	// patch gives a patch its place for labels in a batch: pixels from up to to.
	patch(s *augment.Patch, b *unet.Batch, from, to int)
	// started returns the weights of the model that the training starts from.
	started(r *run, old *unet.Params) (*unet.Params, error)
	// kept returns the weights to validate and to keep, made from the averaged ones.
	kept(p *Plan, average *unet.Params) *unet.Params

	// evaluate runs a network over examples and compares the results with their
	// labels. names lists the foreground classes.
	evaluate(ctx context.Context, p *Plan, q *unet.Predictor, examples []example, names []string) (validation, error)
	// score rates a validation: higher is better.
	score(v validation) float64
	// figure names what validations measure, as in the columns of progress.csv.
	figure() string
	// text formats a figure with its significant digits, and column formats it for
	// progress.csv.
	text(v float64) string
	column(v float64) string
	// ofRow, ofResult and ofEvent return the fields for the figures over images and
	// groups, and for those of the kept weights.
	ofRow(r *Row) (image, group *float64)
	ofResult(r *Result) (image, group *float64)
	ofEvent(e *Event) (image, group, best **float64)

	// output describes the network's output in the plan's summary.
	output(p *Plan) string
	// card sets the part of a model card that describes the network's output.
	card(m *models.Manifest, p *Plan, names []string)
	// charts labels the charts of loss and figures.
	charts(loss, figure *report.Chart)
	// show adds the validation of the kept weights to the page.
	show(ctx context.Context, r *run, p *report.Page) error

	// byHeart describes the overfit test of these labels.
	byHeart() byHeart
}

// targets maps each head of a network to its target.
var targets = map[unet.Head]target{unet.HeadClasses: classTarget{}, unet.HeadRegression: valueTarget{}}

// target returns what the plan's network learns.
func (p *Plan) target() target { return targets[p.Network.Head] }

// target returns what the network is to learn. head is one of unet's.
func (o *Options) target() target { return targets[o.Network.Head] }

// validation is the result of validating the averaged weights.
type validation struct {
	image, group float64 // means over cases and over groups of the figure that target.figure names
	report       evaluate.Report
}

// mean returns the mean of the figures over cases and over groups. Small objects make
// the first noisy, and few groups the second.
func (v validation) mean() float64 { return (v.image + v.group) / 2 }

// takeHead determines whether the labels are classes or values. What the options
// leave open comes from the checkpoint, the plan or the model to start from.
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

// validateHead refuses an unknown head, and options that have no use for its labels.
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
