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
	f.StringVar(&o.Loss.Terms, "loss", "", "loss: ce, focal or border, dice or tversky, or one of each joined by + (default ce+dice); with --head regression, l1 or l2 (default l1)")
	f.Float64Var(&o.Loss.Gamma, "focal-gamma", 0, "gamma of the focal loss (0: 2)")
	f.Float64Var(&o.Loss.Alpha, "tversky-alpha", 0, "weight of false positives in the Tversky loss (both 0: 0.3)")
	f.Float64Var(&o.Loss.Beta, "tversky-beta", 0, "weight of false negatives in the Tversky loss (both 0: 0.7)")
	f.Float64Var(&o.Loss.BorderWeight, "border-weight", 0, "border loss: weight of the gap between two touching objects (0: 10)")
	f.Float64Var(&o.Loss.BorderSigma, "border-sigma", 0, "border loss: distance in pixels over which that weight falls off (0: 5)")
	f.StringVar(&r.classWeights, "class-weights", "", "class weights in the loss, background first, or balanced to give rare classes more weight")
	f.BoolVar(&o.Deep, "deep-supervision", false, "also train the coarser decoder levels to predict the mask")
	f.Var(newChoice(&o.Solver, train.SolverAdamW, train.SolverAdamW, train.SolverSGD), "solver", "optimiser; sgd uses Nesterov momentum")
	f.Float64Var(&o.Momentum, "momentum", 0, "momentum of the sgd solver (0: 0.99)")
	f.Float64Var(&o.WeightDecay, "weight-decay", 0, "weight decay (0: the default of the solver; negative: none)")
	f.Var(newChoice(&o.Schedule, train.ScheduleCosine, train.ScheduleCosine, train.SchedulePoly), "schedule", "learning rate schedule")
	f.IntVar(&o.Patience, "patience", 0, "stop after this many validations without improvement (0: never)")
	f.StringVar(&r.from, "from", "", "model to start from, as a name or directory: network, preprocessing and weights")
	f.StringVar(&r.modelsDir, "models", "", "directory of additional models, for --from")
	f.Var(newChoice(&r.freeze, "", "encoder"), "freeze", "part of the --from model to leave unchanged")
	f.IntSliceVar(&o.Repeat, "repeat", nil, "how often an epoch includes the images of each -d, for example 1,4 (default once each)")
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
				return optionError("--class-weights %s, want balanced or comma-separated numbers, background first", r.classWeights)
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
