package train

import (
	"cmp"
	"fmt"
	"slices"

	"segd"
	"segd/models"
	"segd/preprocess"
	"segd/train/dataset"
	"segd/unet"
)

// Default peak learning rates from scratch. Pretrained weights start with tunedRate
// times that.
const (
	adamRate  = 2e-3
	sgdRate   = 1e-2
	tunedRate = 0.25
)

// takeRecipe sets the solver and the loss of the plan.
func (p *Plan) takeRecipe(o Options) {
	p.Solver, p.Schedule = cmp.Or(o.Solver, SolverAdamW), cmp.Or(o.Schedule, ScheduleCosine)
	rate, decay := adamRate, 1e-2
	if p.Solver == SolverSGD {
		// As in nnU-Net.
		rate, decay, p.Momentum = sgdRate, 3e-5, cmp.Or(o.Momentum, 0.99)
	}
	if o.From != nil {
		rate *= tunedRate
		p.From, p.FreezeEncoder = origin(o.From), o.FreezeEncoder
	}
	p.LearnRate, p.WeightDecay = cmp.Or(o.LearnRate, rate), max(0, cmp.Or(o.WeightDecay, decay))
	p.Loss, p.Deep, p.Patience, p.Repeat = o.Loss.WithDefaults(), o.Deep, o.Patience, o.Repeat
}

// origin identifies a model and its exact weights.
func origin(m *models.Model) string {
	return fmt.Sprintf("%s %s (SHA-256 %.12s…)", m.Name, m.Version, m.WeightsSHA256)
}

// tuned returns network and recipe of a training that starts from a model. They are
// those of the model, converted to a colour network if the data have colour. The
// options must not contradict the model.
func tuned(o Options, f Fingerprint) (unet.Config, preprocess.Recipe, error) {
	c, r := o.From.Network.WithDefaults(), o.From.Recipe
	if err := sameNetwork(o.Network, c, "the model to start from"); err != nil {
		return c, r, err
	}
	if f.Channels == 3 && c.Channels == 1 {
		c.Channels, r.Channels = 3, 3
	}
	return c, r, nil
}

// sameNetwork refuses given fields that differ.
func sameNetwork(n, kept unet.Config, whose string) error {
	return cmp.Or(other("head", n.Head, kept.Head, whose), other("width", n.Width, kept.Width, whose), other("max-width", n.MaxWidth, kept.MaxWidth, whose), other("depth", n.Depth, kept.Depth, whose),
		other("norm", n.Norm, kept.Norm, whose), other("groups", n.Groups, kept.Groups, whose),
		other("block", n.Block, kept.Block, whose), other("convs", n.Convs, kept.Convs, whose), other("growth", n.Growth, kept.Growth, whose),
		other("skip", n.Skip, kept.Skip, whose), other("attention", n.Attention, kept.Attention, whose), other("up", n.Up, kept.Up, whose))
}

// other refuses a given setting that differs from that of whose.
func other[T comparable](field string, given, kept T, whose string) error {
	if cmp.Or(given, kept) == kept {
		return nil
	}
	return fmt.Errorf("train: %w: %s %v, but %s has %v", segd.ErrOption, field, given, whose, kept)
}

// tunedNames returns the names of the foreground classes if none are given: the
// model's names, and numbers for further classes of the data.
func tunedNames(m *models.Model, classes int) []string {
	names := m.ForegroundNames()
	for len(names) < classes-1 {
		names = append(names, fmt.Sprintf("class %d", len(names)+1))
	}
	return names
}

// startFrom returns the weights of the model from which training starts, with the
// head of the plan.
func (r *run) startFrom() (*unet.Params, error) {
	old, err := r.o.From.Params()
	if err != nil {
		return nil, err
	}
	return r.Plan.target().started(r, old)
}

// rarest limits the class weights of balance.
const rarest = 10

// balance returns a weight for each class from its share of the training images: the
// median share of the classes divided by its own (Eigen and Fergus 2015), limited to
// the range from 0.1 to 10 so that a class with few pixels does not drown out the
// others. A class that does not occur has weight 1.
func balance(cases []dataset.Case, list []facts, l dataset.Meaning, training []string, classes int) []float64 {
	count := make([]float64, classes)
	train := map[string]bool{}
	for _, id := range training {
		train[id] = true
	}
	for i := range list {
		if !train[cases[i].ID] {
			continue
		}
		for c := range classes {
			v := c
			if l.Scaled && c == 1 {
				v = 255
			}
			count[c] += float64(list[i].counts[v])
		}
	}
	present := slices.DeleteFunc(slices.Clone(count), func(n float64) bool { return n == 0 })
	slices.Sort(present)
	w := make([]float64, classes)
	for c, n := range count {
		w[c] = 1
		if n > 0 {
			w[c] = min(rarest, max(1.0/rarest, present[len(present)/2]/n))
		}
	}
	return w
}
