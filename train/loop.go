package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"segd/unet"
)

// saveEvery is the minimum time between checkpoints. A killed process loses little
// more than that.
const saveEvery = 20 * time.Second

// reportEvery is the minimum time between step events.
const reportEvery = 500 * time.Millisecond

// loop trains from the current state of the run to the end of the plan.
func (r *run) loop(ctx context.Context) error {
	p := &r.Plan
	feedCtx, stop := context.WithCancel(ctx)
	defer stop()
	feed := feeder{plan: p, examples: r.training}
	batches := feed.start(feedCtx, r.Step, p.Steps)
	r.loopStart, r.lastSave = time.Now(), time.Now()
	for {
		if r.due() {
			if err := r.validate(ctx); err != nil {
				return r.stopped(ctx, err)
			}
		}
		if r.Step >= p.Steps || p.StoppedEarly > 0 {
			break
		}
		b, ok := <-batches
		if !ok || ctx.Err() != nil {
			return r.stopped(ctx, context.Cause(ctx))
		}
		if err := r.step(b); err != nil {
			return err
		}
		if r.o.afterStep != nil {
			r.o.afterStep(r)
		}
	}
	if err := r.save(); err != nil {
		return err
	}
	if p.StoppedEarly > 0 {
		if err := writeJSON(filepath.Join(r.o.Out, planName), p); err != nil {
			return err
		}
	}
	if !r.o.NoPage {
		if err := r.writePage(ctx); err != nil {
			return err
		}
	}
	r.report(r.event(EventDone, r.ended()+"; "+r.kept()))
	return nil
}

// ended describes the end of a training.
func (r *run) ended() string {
	p := &r.Plan
	if p.StoppedEarly > 0 {
		return fmt.Sprintf("stopped early after %d of %d steps: %d validations without improvement", p.StoppedEarly, p.Steps, p.Patience)
	}
	return fmt.Sprintf("%d steps", r.Step)
}

// step trains on one batch and updates the average.
func (r *run) step(b unet.Batch) error {
	p := &r.Plan
	solver := r.solver.base()
	solver.LearnRate = p.rate(r.Step)
	t := time.Now()
	loss, err := r.trainer.Step(b, r.watched())
	if err != nil {
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			err = fmt.Errorf("train: %w: %v", ErrDiverged, err)
		}
		if errors.Is(err, ErrDiverged) {
			return fmt.Errorf("%w at step %d of %d with learning rate %.2g; %s", err, r.Step+1, p.Steps, solver.LearnRate, r.kept())
		}
		return err
	}
	for i := range r.avg {
		average(r.avg[i], r.now[i], p.Average, r.Step)
	}
	r.busy += time.Since(t)
	r.images += p.Batch
	r.Step++
	r.SolverSteps = solver.steps
	r.LossSum += loss
	r.LossCount++
	if r.o.Trace > 0 {
		r.Losses = append(r.Losses, loss)
	}
	if time.Since(r.lastReport) >= reportEvery {
		r.rate = float64(r.images) / max(r.busy.Seconds(), 1e-9)
		r.busy, r.images = 0, 0
		r.lastReport = time.Now()
		r.report(r.event(EventStep, ""))
	}
	return nil
}

// kept says what is left of a training that ended early.
func (r *run) kept() string {
	switch {
	case r.BestStep == 0:
		return "no model was written yet"
	case r.Plan.all():
		return fmt.Sprintf("the model of step %d is kept", r.BestStep)
	}
	return fmt.Sprintf("the best model (val_%s %s at step %d) is kept", r.Plan.target().figure(), r.Plan.target().text(r.BestImage), r.BestStep)
}

// due reports whether a validation is due before the next step.
func (r *run) due() bool {
	return r.Step > 0 && r.Validated != r.Step && (r.Step%r.Plan.ValidateEvery == 0 || r.Step == r.Plan.Steps)
}

// validate measures the averaged weights on the validation cases, keeps them if they
// are the best so far (or always, if nothing validates), and saves a checkpoint from
// time to time.
func (r *run) validate(ctx context.Context) error {
	if r.BestStep == 0 {
		// Never leave a model without a checkpoint: a killed process could not resume
		// from it.
		if err := r.save(); err != nil {
			return err
		}
	}
	var v validation
	if !r.Plan.all() {
		var err error
		if v, err = r.evaluate(ctx); err != nil {
			return err
		}
		r.last = &v
	}
	r.Validated = r.Step
	r.Seconds = r.elapsed()
	row := Row{Step: r.Step, Epoch: r.epoch(), Loss: r.LossSum / float64(max(1, r.LossCount)), Rate: r.solver.base().LearnRate, Seconds: r.Seconds}
	t := r.Plan.target()
	image, group := t.ofRow(&row)
	*image, *group = v.image, v.group
	r.History = append(r.History, row)
	if score := t.score(v); r.BestStep == 0 || r.Plan.all() || score > r.BestScore {
		before := r.standing
		r.standing = standing{BestScore: score, BestImage: v.image, BestGroup: v.group, BestStep: r.Step}
		if err := r.saveModel(r.last); err != nil {
			r.standing = before // the previous model is kept
			return err
		}
		r.best, r.Stale = r.last, 0
	} else if r.Stale++; r.Stale == r.Plan.Patience && r.Step < r.Plan.Steps {
		r.Plan.StoppedEarly = r.Step
	}
	r.report(r.event(EventValidation, ""))
	r.LossSum, r.LossCount = 0, 0
	if err := writeHistory(r.o.Out, r.History, &r.Plan); err != nil {
		return err
	}
	if time.Since(r.lastSave) < saveEvery {
		return nil
	}
	return r.save()
}

// evaluate runs the averaged network over the validation cases.
func (r *run) evaluate(ctx context.Context) (validation, error) {
	p := &r.Plan
	t := p.target()
	q, err := unet.NewPredictor(p.Network, t.kept(p, r.average), unet.PredictorOptions{Pool: r.o.Pool})
	if err != nil {
		return validation{}, err
	}
	return t.evaluate(ctx, p, q, r.validation, r.classNames())
}

// stopped saves the state after ctx is done, and returns the reason. Other errors are
// returned unchanged.
func (r *run) stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if err := r.save(); err != nil {
		return err
	}
	r.report(r.event(EventDone, fmt.Sprintf("stopped after %d of %d steps; %s; continue with resume", r.Step, r.Plan.Steps, r.kept())))
	return fmt.Errorf("train: stopped after %d of %d steps: %w", r.Step, r.Plan.Steps, context.Cause(ctx))
}

// save writes the checkpoint.
func (r *run) save() error {
	r.Seconds = r.elapsed()
	r.lastSave = time.Now()
	return writeCheckpoint(r.o.Out, &r.progress, r.tensors()...)
}

// elapsed returns the time of all runs of this training, in seconds.
func (r *run) elapsed() float64 { return r.before + time.Since(r.start).Seconds() }

// epoch returns the epoch of the last step, counted from 1.
func (r *run) epoch() int {
	return int(float64(max(0, r.Step-1))/r.Plan.EpochSteps) + 1
}

func (r *run) event(kind EventKind, message string) Event {
	e := Event{
		Kind: kind, Message: message, Step: r.Step, Steps: r.Plan.Steps, Epoch: r.epoch(), Rate: r.solver.base().LearnRate,
		Loss:   r.LossSum / float64(max(1, r.LossCount)),
		Images: r.rate, Elapsed: r.elapsed(),
	}
	if n := len(r.History); r.LossCount == 0 && n > 0 {
		e.Loss = r.History[n-1].Loss
	}
	val, group, best := r.Plan.target().ofEvent(&e)
	if v := r.last; v != nil {
		*val, *group = &v.image, &v.group
	}
	if r.BestStep > 0 && !r.Plan.all() {
		kept := r.BestImage
		*best = &kept
	}
	if done := r.Step - r.firstStep; done > 0 && r.Step < r.Plan.Steps {
		e.ETA = time.Since(r.loopStart).Seconds() / float64(done) * float64(r.Plan.Steps-r.Step)
	}
	return e
}

func (r *run) result() *Result {
	res := &Result{
		Plan: r.Plan, Steps: r.Step, BestStep: r.BestStep, Seconds: r.elapsed(),
		History: r.History, Trace: r.Trace, Losses: r.Losses,
	}
	image, group := r.Plan.target().ofResult(res)
	*image, *group = r.BestImage, r.BestGroup
	if r.BestStep > 0 {
		res.Model = r.o.Out
	}
	return res
}

// summary describes the plan in one line.
func (p *Plan) summary() string {
	images, every := fmt.Sprintf("%d training and %d validation images", len(p.Training), len(p.Validation)), "validation"
	if p.all() {
		images, every = fmt.Sprintf("%d training images, none for validation,", len(p.Training)), "saved"
	}
	return fmt.Sprintf("%s of %d groups; U-Net width %d depth %d, %s; patches %d×%d, batch %d; %d steps (%.1f epochs, from %s), %s every %d; %s, %s, %s schedule",
		images, p.Data.Groups, p.Network.Width, p.Network.Depth, p.target().output(p),
		p.PatchHeight, p.PatchWidth, p.Batch, p.Steps, float64(p.Steps)/p.EpochSteps, p.StepsFrom, every, p.ValidateEvery, p.Loss, p.Solver, p.Schedule)
}
