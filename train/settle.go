package train

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"segd/unet"
)

// steps returns the number of steps that epochs or steps imply, or 0 if the clock
// decides.
func (o Options) steps(p *Plan) int {
	if o.Epochs > 0 {
		return int(math.Ceil(float64(o.Epochs) * p.EpochSteps))
	}
	return o.Steps
}

// settle sets the number of steps. If a time was requested, it times a few steps that
// change nothing, and part of a validation. The number, and the schedule with it, is
// therefore known before the first real step.
func (r *run) settle(ctx context.Context) error {
	p := &r.Plan
	work := r.validationWork()
	n := r.o.steps(p)
	if r.o.PlanFile != "" && n == p.Steps && n > 0 && p.ValidateEvery > 0 && p.Average > 0 {
		return nil // the plan's own, and everything that follows from it
	}
	if n > 0 {
		from := "steps"
		if r.o.Epochs > 0 {
			from = "epochs"
		}
		p.settle(n, from, work)
		return nil
	}
	step, validate, err := r.measure(ctx)
	if err != nil {
		return err
	}
	budget := cmp.Or(r.o.Time, defaultTime)
	left := 0.97*budget.Seconds() - time.Since(r.start).Seconds()
	steps := 1
	// The validation interval depends slightly on the steps; two iterations are
	// enough.
	for range 2 {
		each := step + validate/float64(p.interval(steps, work))
		steps = max(1, int((left-validate)/each))
	}
	p.settle(steps, "time", work)
	return nil
}

// defaultTime ends a training for which no end was given.
const defaultTime = 20 * time.Minute

// validationWork returns the work of one validation in GFLOP.
func (r *run) validationWork() float64 {
	var work float64
	for i := range r.validation {
		work += r.Plan.Network.GFLOP(r.validation[i].place.GridHeight, r.validation[i].place.GridWidth)
	}
	return work
}

// measure returns the seconds that a step and a validation take. It restores weights
// and running statistics.
func (r *run) measure(ctx context.Context) (step, validate float64, err error) {
	backup := r.params.Clone()
	defer r.params.CopyFrom(backup)
	budget := cmp.Or(r.o.Time, defaultTime) / 40
	feed := feeder{plan: &r.Plan, examples: r.training}
	still := NewAdamW(0, 0, 0)
	var times []float64
	began := time.Now()
	for i := 0; i < 4 || (i < 30 && time.Since(began) < budget); i++ {
		b, err := feed.batch(ctx, i)
		if err != nil {
			return 0, 0, err
		}
		t := time.Now()
		if _, err := r.trainer.Step(b, still); err != nil {
			return 0, 0, err
		}
		if i > 0 { // the first one warms up memory
			times = append(times, time.Since(t).Seconds())
		}
	}
	slices.Sort(times)
	q, err := unet.NewPredictor(r.Plan.Network, backup, unet.PredictorOptions{Pool: r.o.Pool})
	if err != nil {
		return 0, 0, err
	}
	var work, spent float64
	n := len(r.validation)
	for i := 0; i < n && i < 5; i++ {
		e, err := r.validation[i*n/min(n, 5)].whole()
		if err != nil {
			return 0, 0, err
		}
		x := e.X
		t := time.Now()
		if _, err := q.Logits(ctx, x); err != nil {
			return 0, 0, err
		}
		work += r.Plan.Network.GFLOP(x.H, x.W)
		spent += time.Since(t).Seconds()
	}
	if n > 0 {
		validate = spent * r.validationWork() / work
	}
	return times[len(times)/2], validate, nil
}
