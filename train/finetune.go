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

// Peak learning rates by default, from scratch; weights that know something
// start with tunedRate of it.
const (
	adamRate  = 2e-3
	sgdRate   = 1e-2
	tunedRate = 0.25
)

// takeRecipe fills in how the weights are moved and towards what.
func (p *Plan) takeRecipe(o Options) {
	p.Solver, p.Schedule = cmp.Or(o.Solver, SolverAdamW), cmp.Or(o.Schedule, ScheduleCosine)
	rate, decay := adamRate, 1e-2
	if p.Solver == SolverSGD {
		// As nnU-Net has them.
		rate, decay, p.Momentum = sgdRate, 3e-5, cmp.Or(o.Momentum, 0.99)
	}
	if o.From != nil {
		rate *= tunedRate
		p.From, p.FreezeEncoder = origin(o.From), o.FreezeEncoder
	}
	p.LearnRate, p.WeightDecay = cmp.Or(o.LearnRate, rate), max(0, cmp.Or(o.WeightDecay, decay))
	p.Loss, p.Deep, p.Patience, p.Repeat = o.Loss.WithDefaults(), o.Deep, o.Patience, o.Repeat
}

// origin names a model and its very weights.
func origin(m *models.Model) string {
	return fmt.Sprintf("%s %s (SHA-256 %.12s…)", m.Name, m.Version, m.WeightsSHA256)
}

// tuned returns network and recipe of a training that starts from a model:
// those of the model, which become a colour network's where the data have
// colour. The options may only repeat what the model is.
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

// sameNetwork refuses fields that were given and differ.
func sameNetwork(n, kept unet.Config, whose string) error {
	return cmp.Or(other("head", n.Head, kept.Head, whose), other("width", n.Width, kept.Width, whose), other("max-width", n.MaxWidth, kept.MaxWidth, whose), other("depth", n.Depth, kept.Depth, whose),
		other("norm", n.Norm, kept.Norm, whose), other("groups", n.Groups, kept.Groups, whose),
		other("block", n.Block, kept.Block, whose), other("convs", n.Convs, kept.Convs, whose), other("growth", n.Growth, kept.Growth, whose),
		other("skip", n.Skip, kept.Skip, whose), other("attention", n.Attention, kept.Attention, whose), other("up", n.Up, kept.Up, whose))
}

// other refuses a setting that was given and is not what whose has.
func other[T comparable](field string, given, kept T, whose string) error {
	if cmp.Or(given, kept) == kept {
		return nil
	}
	return fmt.Errorf("train: %w: %s %v, %s has %v", segd.ErrOption, field, given, whose, kept)
}

// tunedNames are the names of the foreground classes where none are given: the
// model's, and numbers for what the data have beyond.
func tunedNames(m *models.Model, classes int) []string {
	names := m.ForegroundNames()
	for len(names) < classes-1 {
		names = append(names, fmt.Sprintf("class %d", len(names)+1))
	}
	return names
}

// startFrom returns the weights of the model that training starts from, with the
// head that the plan has.
func (r *run) startFrom() (*unet.Params, error) {
	old, err := r.o.From.Params()
	if err != nil {
		return nil, err
	}
	return r.Plan.target().started(r, old)
}

// rarest bounds the weight of a class that balance gives.
const rarest = 10

// balance returns a weight for each class by how much of the training images it
// is: the median share of the classes through its own (Eigen and Fergus 2015),
// a tenth at least and ten at most, so that a class of a few pixels does not
// drown the others. A class that does not occur weighs 1.
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
