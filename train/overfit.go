package train

import (
	"context"
	"math"
	"time"

	"segd/train/augment"
	"segd/train/dataset"
	"segd/unet"
)

// The overfit test: a small and fast network must be able to memorise a few images.
// If it cannot, more images will not help.
const (
	// OverfitCases is the maximum number of cases for Overfit.
	OverfitCases = 4
	overfitWidth = 8
	overfitRate  = 3e-3
	overfitLook  = 20   // steps between measurements
	knownDice    = 0.95 // enough to stop
	enoughDice   = 0.7  // below this, something is wrong

	// For values, the error as a share of that of their mean.
	valuesByHeart    = 0.1
	notValuesByHeart = 0.5
)

// byHeart describes the overfit test of a target.
type byHeart struct {
	loss          string  // terms of the loss; empty: the default
	foreground    float64 // share of patches centred on foreground
	known, enough func(*OverfitResult) bool
	record        func(*OverfitResult, validation) // keeps the best
	text          func(*OverfitResult) string
}

// OverfitResult says how well a small network memorised a few images.
type OverfitResult struct {
	Cases   int     `json:"cases"`
	Steps   int     `json:"steps"`
	Seconds float64 `json:"seconds"`
	Dice    float64 `json:"dice"` // mean over these images and the classes that each contains

	// For values, instead of Dice: mean absolute error over these images, and that of
	// the mean of their labels.
	MAE      float64 `json:"mae,omitempty"`
	Constant float64 `json:"constant_mae,omitempty"`

	test byHeart
}

// Enough reports whether the network more or less memorised the images.
func (r *OverfitResult) Enough() bool { return r.test.enough(r) }

// String returns the figure as text.
func (r *OverfitResult) String() string { return r.test.text(r) }

// Overfit trains a small network to memorise the few given cases, without
// augmentation, for at most the given time. Their labels must be readable as head
// requires.
func Overfit(ctx context.Context, cases []dataset.Case, head unet.Head, limit time.Duration, pool *unet.Pool) (*OverfitResult, error) {
	began := time.Now()
	t := targets[head]
	test := t.byHeart()
	o := Options{Network: unet.Config{Width: overfitWidth, Head: head}, Loss: unet.Loss{Terms: test.loss}, Batch: min(len(cases), OverfitCases), Foreground: test.foreground}
	raws, list, err := load(ctx, cases, t, defaultMemory)
	if err != nil {
		return nil, err
	}
	n := normaliser{target: t, store: budget(math.MaxInt64)}
	if n.meant, n.classes, err = t.survey(&o, cases, list); err != nil {
		return nil, err
	}
	var ids []string
	for i := range cases {
		ids = append(ids, cases[i].ID)
	}
	if n.targets, err = t.measure(cases, list, ids); err != nil {
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

// learnByHeart trains until the images are memorised or the time is up.
func learnByHeart(ctx context.Context, p *Plan, examples []example, began time.Time, limit time.Duration, pool *unet.Pool) (*OverfitResult, error) {
	params := unet.NewParams(p.Network, 1)
	t, err := unet.NewTrainer(p.Network, params, p.Batch, p.PatchHeight, p.PatchWidth, unet.TrainerOptions{Pool: pool, Recompute: p.Recompute, Loss: p.Loss})
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }() // frees memory only
	solver := NewAdamW(overfitRate, 0, 5)
	feed := feeder{plan: p, examples: examples}
	r := &OverfitResult{Cases: len(examples), test: p.target().byHeart()}
	for !r.test.known(r) && time.Since(began) < limit {
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

// look measures how well the network knows the examples, and keeps the best figure.
func (r *OverfitResult) look(ctx context.Context, p *Plan, params *unet.Params, examples []example, pool *unet.Pool) error {
	q, err := unet.NewPredictor(p.Network, p.target().kept(p, params), unet.PredictorOptions{Pool: pool})
	if err != nil {
		return err
	}
	v, err := p.target().evaluate(ctx, p, q, examples, nil)
	if err == nil {
		r.test.record(r, v)
	}
	return err
}
