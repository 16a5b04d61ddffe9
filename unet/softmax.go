package unet

import (
	"context"
	"fmt"
	"math"

	"segd"
)

// softmax converts logits to probabilities in place. Shorter requests may
// overtake it between groups of tasks.
func (q *Predictor) softmax(ctx context.Context, t *segd.Tensor) error {
	const chunk, unit = 1 << 14, 32 // pixels of a task, tasks of a unit
	hw := t.H * t.W
	per := (hw + chunk - 1) / chunk
	q.pool.Enter()
	defer q.pool.Leave()
	for first := 0; first < t.N*per; first += unit {
		if err := next(ctx, q.pool); err != nil {
			return fmt.Errorf("unet: %w", err)
		}
		q.pool.Share().Run(min(unit, t.N*per-first), func(task int) {
			task += first
			from := task % per * chunk
			softmax(t.Data[task/per*t.C*hw:][:t.C*hw], t.C, from, min(hw, from+chunk))
		})
	}
	return nil
}

// softmax converts the logits z of an image, by class, to probabilities for the
// pixels from ≤ i < to.
func softmax(z []float32, classes, from, to int) {
	hw := len(z) / classes
	for i := from; i < to; i++ {
		if classes == 2 {
			p := float32(1 / (1 + math.Exp(float64(z[i]-z[hw+i]))))
			z[i], z[hw+i] = 1-p, p
			continue
		}
		top := z[i]
		for c := 1; c < classes; c++ {
			top = max(top, z[c*hw+i])
		}
		sum := float32(0)
		for c := range classes {
			e := float32(math.Exp(float64(z[c*hw+i] - top)))
			z[c*hw+i] = e
			sum += e
		}
		for c := range classes {
			z[c*hw+i] /= sum
		}
	}
}
