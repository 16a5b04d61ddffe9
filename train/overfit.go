package train

import (
	"context"
	"math"
	"sort"
	"time"

	"segd/internal/kernel"
	"segd/internal/metric"
	"segd/unet"
)

// The overfit test: a network that is small and fast, on few images, must come
// to know them by heart. Where it does not, more images will not help.
const (
	overfitCases  = 4
	overfitWidth  = 8
	overfitRate   = 3e-3
	overfitLook   = 20   // steps between looks at the Dice
	byHeart       = 0.95 // is enough to stop
	enoughByHeart = 0.7  // below it something is wrong
)

// OverfitResult is how well a small network learned a few images by heart.
type OverfitResult struct {
	Cases   int     `json:"cases"`
	Steps   int     `json:"steps"`
	Seconds float64 `json:"seconds"`
	Dice    float64 `json:"dice"` // mean over these images and their classes
}

// overfit trains on the images with the most foreground, without augmentation
// and for at most the time given.
func overfit(ctx context.Context, all []*checked, limit time.Duration, pool *kernel.Pool) (*OverfitResult, error) {
	began := time.Now()
	cases := mostForeground(all)
	raws, list, err := load(ctx, cases, unet.HeadClasses, defaultMemory)
	if err != nil {
		return nil, err
	}
	meant, err := surveyFacts(cases, list, 0)
	if err != nil {
		return nil, err
	}
	classes := max(2, meant.max+1)
	f := fingerprint(cases, list, meant, classes)
	p, err := newPlan(Options{Network: unet.Config{Width: overfitWidth}, Batch: min(len(cases), overfitCases), Foreground: 0.5}, f, nil, nil)
	if err != nil {
		return nil, err
	}
	p.Augment = Augment{}
	n := normaliser{recipe: p.Recipe, meant: meant, classes: classes, store: budget(math.MaxInt64)}
	examples, err := n.run(ctx, cases, raws)
	if err != nil {
		return nil, err
	}
	return byHeartDice(ctx, &p, examples, began, limit, pool)
}

// mostForeground picks cases with much foreground, of different groups if it
// can.
func mostForeground(all []*checked) []Case {
	var list []*checked
	for _, k := range all {
		if k.ok() {
			list = append(list, k)
		}
	}
	foreground := func(k *checked) (n int64) {
		for v, c := range k.counts {
			if v > 0 {
				n += c
			}
		}
		return n
	}
	sort.SliceStable(list, func(i, j int) bool { return foreground(list[i]) > foreground(list[j]) })
	var cases []Case
	subjects, images := map[string]bool{}, map[string]bool{}
	for _, again := range []bool{false, true} {
		for _, k := range list {
			if len(cases) < overfitCases && !images[k.Image] && (again || !subjects[k.subject]) {
				cases = append(cases, k.Case)
				subjects[k.subject], images[k.Image] = true, true
			}
		}
	}
	return cases
}

// byHeartDice trains until the images are known or the time is over.
func byHeartDice(ctx context.Context, p *Plan, examples []example, began time.Time, limit time.Duration, pool *kernel.Pool) (*OverfitResult, error) {
	params := unet.NewParams(p.Network, 1)
	t, err := unet.NewTrainer(p.Network, params, p.Batch, p.PatchHeight, p.PatchWidth, unet.TrainerOptions{Pool: pool})
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }() // frees memory only
	solver := NewAdamW(overfitRate, 0, 5)
	feed := feeder{plan: p, examples: examples}
	r := &OverfitResult{Cases: len(examples)}
	for r.Dice < byHeart && time.Since(began) < limit {
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
		dice, err := knownDice(ctx, p, params, examples, pool)
		if err != nil {
			return nil, err
		}
		r.Dice = max(r.Dice, dice)
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// knownDice is the mean Dice of the examples, over the classes each holds.
func knownDice(ctx context.Context, p *Plan, params *unet.Params, examples []example, pool *kernel.Pool) (float64, error) {
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
