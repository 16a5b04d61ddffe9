package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"segd"
	"segd/train/dataset"
	"segd/unet"
)

// readPlan reads a plan.json. A key that a plan does not have is
// segd.ErrOption: it would change nothing, and is likely misspelt.
func readPlan(path string) (*Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: plan: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := &Plan{ValFraction: defaultValFraction}
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("train: %w: plan %s: %v", segd.ErrOption, path, err)
	}
	return p, nil
}

// takePlan trains by a plan that was written before. What follows from the data
// is taken from the data: fingerprint and kernels and, unless the plan names
// these very cases, the split, drawn as the plan says.
func (r *run) takePlan(cases []dataset.Case, f Fingerprint, warn func(...string)) error {
	p, err := readPlan(r.o.PlanFile)
	if err != nil {
		return err
	}
	if err := p.check(f); err != nil {
		return fmt.Errorf("train: plan %s: %w", r.o.PlanFile, err)
	}
	p.Data, p.Kernels, p.StoppedEarly, p.ClassNames = f, r.o.Pool.Kernels().Name(), 0, r.o.ClassNames
	if r.o.All {
		p.ValFraction, p.Fold, p.Folds, p.Patience = 0, 0, 0, 0
	}
	if !p.names(cases) {
		training, validation, warning, err := dataset.Split(cases, p.Seed, p.ValFraction, p.Fold, p.Folds)
		if err != nil {
			return err
		}
		if !r.o.All {
			warn("the plan names other cases than the data have: they are split anew")
		}
		if warning != "" {
			warn(warning)
		}
		p.Training, p.Validation = nil, nil
		for _, k := range training {
			p.Training = append(p.Training, cases[k].ID)
		}
		for _, k := range validation {
			p.Validation = append(p.Validation, cases[k].ID)
		}
	}
	p.EpochSteps = float64(len(p.Training)) / float64(p.Batch)
	r.Plan = *p
	if r.o.Epochs == 0 && r.o.Steps == 0 && r.o.Time == 0 {
		r.o.Steps = p.Steps // 0 if the plan leaves it open, and the clock decides
	}
	return r.Plan.fit(r.o.Memory(), true)
}

// check refuses what a plan must not say, or not of these data.
func (p *Plan) check(f Fingerprint) error {
	bad := func(key string, v any, want string) error {
		return fmt.Errorf("%w: %s %v, want %s", segd.ErrOption, key, v, want)
	}
	if err := p.Network.Validate(); err != nil {
		return err
	}
	stride := p.Network.Stride()
	switch {
	case (p.Network.Head == unet.HeadRegression) != (f.Classes == 1):
		return bad("network.head", fmt.Sprintf("%q", p.Network.Head), "the head that was asked for")
	case p.Network.Classes != f.Classes:
		return bad("network.classes", p.Network.Classes, fmt.Sprintf("%d, as the data have", f.Classes))
	case p.Recipe.Channels != p.Network.Channels:
		return bad("recipe.channels", p.Recipe.Channels, fmt.Sprintf("%d, as the network has", p.Network.Channels))
	case p.PatchHeight < stride || p.PatchHeight > 2048 || p.PatchHeight%stride != 0:
		return bad("patch_height", p.PatchHeight, fmt.Sprintf("a multiple of %d up to 2048", stride))
	case p.PatchWidth < stride || p.PatchWidth > 2048 || p.PatchWidth%stride != 0:
		return bad("patch_width", p.PatchWidth, fmt.Sprintf("a multiple of %d up to 2048", stride))
	case p.Batch < 1 || p.Batch > 256:
		return bad("batch", p.Batch, "1 to 256")
	case len(p.Regions) >= f.Classes || slices.ContainsFunc(p.Regions, func(n int) bool { return n < 0 }):
		return bad("regions", p.Regions, fmt.Sprintf("at most %d numbers, 0 or more", f.Classes-1))
	case p.Steps < 0 || p.Steps > 1e9:
		return bad("steps", p.Steps, "0 to 1000000000")
	case !(p.LearnRate > 0 && p.LearnRate <= 1):
		return bad("learning_rate", p.LearnRate, "above 0, at most 1")
	case !(p.WeightDecay >= 0 && p.WeightDecay <= 1):
		return bad("weight_decay", p.WeightDecay, "0 to 1")
	case !(p.Clip >= 0):
		return bad("gradient_clip", p.Clip, "0 or more")
	case !(p.Foreground >= 0 && p.Foreground <= 1):
		return bad("foreground_share", p.Foreground, "0 to 1")
	case !(p.ValFraction >= 0 && p.ValFraction < 1) || p.Folds < 0 || p.Folds == 1 || p.Fold < 0 || p.Folds > 0 && p.Fold >= p.Folds:
		return bad("val_fraction, fold and folds", fmt.Sprint(p.ValFraction, p.Fold, p.Folds), "0 to 1, and a fold of at least two")
	}
	return p.Recipe.Validate()
}

// names reports whether the plan's split is of these cases, no group on both
// sides and neither side empty but where the plan has no case validate.
func (p *Plan) names(cases []dataset.Case) bool {
	sides := map[string]int{}
	for _, c := range cases {
		switch side := slices.Contains(p.Validation, c.ID); {
		case !side && !slices.Contains(p.Training, c.ID):
			return false
		case side:
			sides[c.Subject()] |= 1
		default:
			sides[c.Subject()] |= 2
		}
	}
	none := p.ValFraction == 0 && p.Folds == 0
	if len(p.Training) == 0 || none != (len(p.Validation) == 0) || len(p.Training)+len(p.Validation) != len(cases) {
		return false
	}
	for _, s := range sides {
		if s == 3 && len(sides) > 1 {
			return false
		}
	}
	return true
}
