package main

import (
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"segd/train"
)

// recipeFlags are the flags of segd train that say how the weights are moved
// and from where.
type recipeFlags struct {
	classWeights, from, modelsDir, freeze string
}

// add defines the flags; most of them are options as they stand.
func (r *recipeFlags) add(f *pflag.FlagSet, o *train.Options) {
	f.StringVar(&o.Loss.Terms, "loss", "", "what is made small: one of ce, focal, border, one of dice, tversky, or one of each with + between (default ce+dice); with --head regression l1 or l2 (default l1)")
	f.Float64Var(&o.Loss.Gamma, "focal-gamma", 0, "of the loss focal (0: 2)")
	f.Float64Var(&o.Loss.Alpha, "tversky-alpha", 0, "weight of false positives in the loss tversky (both 0: 0.3)")
	f.Float64Var(&o.Loss.Beta, "tversky-beta", 0, "weight of false negatives in the loss tversky (both 0: 0.7)")
	f.Float64Var(&o.Loss.BorderWeight, "border-weight", 0, "of the loss border: weight of the gap between two objects that touch (0: 10)")
	f.Float64Var(&o.Loss.BorderSigma, "border-sigma", 0, "of the loss border: how far apart, in pixels (0: 5)")
	f.StringVar(&r.classWeights, "class-weights", "", "weights of the classes in the loss, background first, or balanced: rare ones weigh more")
	f.BoolVar(&o.Deep, "deep-supervision", false, "the decoder's coarser levels are trained to predict the mask too")
	f.Var(newChoice(&o.Solver, train.SolverAdamW, train.SolverAdamW, train.SolverSGD), "solver", "how the weights are moved: sgd has Nesterov's momentum")
	f.Float64Var(&o.Momentum, "momentum", 0, "of the solver sgd (0: 0.99)")
	f.Float64Var(&o.WeightDecay, "weight-decay", 0, "how fast weights shrink (0: of the solver; negative: not at all)")
	f.Var(newChoice(&o.Schedule, train.ScheduleCosine, train.ScheduleCosine, train.SchedulePoly), "schedule", "how the learning rate falls")
	f.IntVar(&o.Patience, "patience", 0, "end after so many validations without a better one (0: never)")
	f.StringVar(&r.from, "from", "", "model to start from, a name or a directory: its network, its recipe, its weights")
	f.StringVar(&r.modelsDir, "models", "", "directory with further models, for --from")
	f.Var(newChoice(&r.freeze, "", "encoder"), "freeze", "part of the model of --from that stays as it is")
	f.IntSliceVar(&o.Repeat, "repeat", nil, "how often the images of each -d come in an epoch, for example 1,4 (default once)")
}

// complete turns what the flags say into options.
func (r *recipeFlags) complete(a *app, o *train.Options) error {
	switch r.classWeights {
	case "":
	case "balanced":
		o.Balance = true
	default:
		for _, s := range strings.Split(r.classWeights, ",") {
			w, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
			if err != nil {
				return optionError("--class-weights %s, want balanced or numbers with commas between, background first", r.classWeights)
			}
			o.Loss.Classes = append(o.Loss.Classes, w)
		}
	}
	o.FreezeEncoder = r.freeze != ""
	if r.from == "" {
		return nil
	}
	var err error
	o.From, err = a.resolveModel(r.from, r.modelsDir)
	return err
}
