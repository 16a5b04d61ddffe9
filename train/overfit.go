package train

import (
	"context"
	"math"
	"time"

	"segd/train/augment"
	"segd/train/dataset"
	"segd/train/metric"
	"segd/unet"
)

// The overfit test: a network that is small and fast, on few images, must come
// to know them by heart. Where it does not, more images will not help.
const (
	// OverfitCases is how many cases Overfit is meant for, at most.
	OverfitCases  = 4
	overfitWidth  = 8
	overfitRate   = 3e-3
	overfitLook   = 20   // steps between looks at the Dice
	byHeart       = 0.95 // is enough to stop
	enoughByHeart = 0.7  // below it something is wrong

	// Of values, the error as a share of that of their mean.
	valuesByHeart    = 0.1
	notValuesByHeart = 0.5
)

// OverfitResult is how well a small network learned a few images by heart.
type OverfitResult struct {
	Cases   int     `json:"cases"`
	Steps   int     `json:"steps"`
	Seconds float64 `json:"seconds"`
	Dice    float64 `json:"dice"` // mean over these images and their classes

	// Of values, in place of Dice: mean absolute error over these images, and that
	// of the mean of their labels.
	MAE      float64 `json:"mae,omitempty"`
	Constant float64 `json:"constant_mae,omitempty"`
}

// Enough reports whether the images were learned by heart, more or less.
func (r *OverfitResult) Enough(values bool) bool {
	if values {
		return r.Steps > 0 && r.MAE <= notValuesByHeart*r.Constant
	}
	return r.Dice >= enoughByHeart
}

// known reports whether going on is of no use.
func (r *OverfitResult) known(values bool) bool {
	if values {
		return r.Steps > 0 && r.MAE <= valuesByHeart*r.Constant
	}
	return r.Dice >= byHeart
}

// Overfit lets a small network learn the cases, which are few, by heart: without
// augmentation, for at most the time given. Their labels can be read, and are values
// or classes.
func Overfit(ctx context.Context, cases []dataset.Case, values bool, limit time.Duration, pool *unet.Pool) (*OverfitResult, error) {
	began := time.Now()
	o := Options{Network: unet.Config{Width: overfitWidth}, Batch: min(len(cases), OverfitCases), Foreground: 0.5}
	if values {
		o.Network.Head, o.Loss.Terms, o.Foreground = unet.HeadRegression, unet.LossL1, 0
	}
	raws, list, err := load(ctx, cases, o.Network.Head, defaultMemory)
	if err != nil {
		return nil, err
	}
	n := normaliser{classes: 1, store: budget(math.MaxInt64)}
	if values {
		var ids []string
		for i := range cases {
			ids = append(ids, cases[i].ID)
		}
		n.targets, err = targetsOf(cases, list, ids)
	} else {
		n.meant, err = surveyFacts(cases, list, 0)
		n.classes = max(2, n.meant.Max+1)
	}
	if err != nil {
		return nil, err
	}
	p, err := newPlan(o, fingerprint(cases, list, n.meant, n.classes), nil, nil)
	if err != nil {
		return nil, err
	}
	p.Augment, p.Targets, n.recipe = augment.Settings{}, n.targets, p.Recipe
	examples, err := n.run(ctx, cases, raws)
	if err != nil {
		return nil, err
	}
	return learnByHeart(ctx, &p, examples, began, limit, pool)
}

// learnByHeart trains until the images are known or the time is over.
func learnByHeart(ctx context.Context, p *Plan, examples []example, began time.Time, limit time.Duration, pool *unet.Pool) (*OverfitResult, error) {
	params := unet.NewParams(p.Network, 1)
	o := unet.TrainerOptions{Pool: pool, Recompute: p.Recompute}
	if p.values() {
		o.Loss = p.Loss
	}
	t, err := unet.NewTrainer(p.Network, params, p.Batch, p.PatchHeight, p.PatchWidth, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }() // frees memory only
	solver := NewAdamW(overfitRate, 0, 5)
	feed := feeder{plan: p, examples: examples}
	r := &OverfitResult{Cases: len(examples)}
	for !r.known(p.values()) && time.Since(began) < limit {
		for range overfitLook {
			b, err := feed.batch(ctx, r.Steps)
			if err != nil {
				return nil, err
			}
			solver.LearnRate = overfitRate * min(1, float64(r.Steps+1)/overfitLook)
			if _, err := t.Step(b, solver); err != nil {
				return nil, err
			}
			r.Steps++
		}
		if err := r.look(ctx, p, params, examples, pool); err != nil {
			return nil, err
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// look measures how well the examples are known, and keeps the best.
func (r *OverfitResult) look(ctx context.Context, p *Plan, params *unet.Params, examples []example, pool *unet.Pool) error {
	if !p.values() {
		dice, err := knownDice(ctx, p, params, examples, pool)
		r.Dice = max(r.Dice, dice)
		return err
	}
	kept := params.Clone()
	kept.Rescale(p.Targets.Deviation, p.Targets.Mean)
	q, err := unet.NewPredictor(p.Network, kept, unet.PredictorOptions{Pool: pool})
	if err != nil {
		return err
	}
	v, err := evaluateValues(ctx, p, q, examples)
	if err != nil {
		return err
	}
	if r.Constant == 0 || v.values.Mean.MAE < r.MAE {
		r.MAE, r.Constant = v.values.Mean.MAE, v.values.Mean.ConstantMAE
	}
	return nil
}

// knownDice is the mean Dice of the examples, over the classes each holds.
func knownDice(ctx context.Context, p *Plan, params *unet.Params, examples []example, pool *unet.Pool) (float64, error) {
	q, err := unet.NewPredictor(p.Network, params, unet.PredictorOptions{Pool: pool})
	if err != nil {
		return 0, err
	}
	sum, n := 0.0, 0
	for i := range examples {
		e := &examples[i]
		mask, err := e.predict(ctx, q, p.Regions)
		if err != nil {
			return 0, err
		}
		counts, err := metric.Count(e.truth, mask, p.Network.Classes)
		if err != nil {
			return 0, err
		}
		for _, c := range counts[1:] {
			if c.Truth > 0 {
				sum += c.Dice()
				n++
			}
		}
	}
	return sum / float64(max(1, n)), nil
}
