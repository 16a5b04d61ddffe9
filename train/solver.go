package train

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd"
)

// Solvers and schedules, as named in Options and plan.json.
const (
	SolverAdamW    = "adamw"
	SolverSGD      = "sgd"    // with Nesterov momentum
	ScheduleCosine = "cosine" // half a cosine: Loshchilov and Hutter 2017
	SchedulePoly   = "poly"   // (1-t)^0.9: Chen et al. 2018, and nnU-Net
)

// solver updates the weights. Its state is saved with a checkpoint.
type solver interface {
	gorgonia.Solver
	base() *descent
	// prepare makes the state, or checks the existing one.
	prepare(weights [][]float32) error
	// moments returns the state, a group of tensors for each moment.
	moments() [][][]float32
}

// newSolver makes the solver of a plan.
func newSolver(p *Plan) solver {
	if p.Solver == SolverSGD {
		return NewSGD(p.LearnRate, p.Momentum, p.WeightDecay, p.Clip)
	}
	return NewAdamW(p.LearnRate, p.WeightDecay, p.Clip)
}

// descent is the common part of the solvers.
type descent struct {
	LearnRate   float64
	WeightDecay float64 // each step subtracts LearnRate·WeightDecay of the weight
	Clip        float64 // limit of the global gradient norm; 0: none

	steps int // taken so far
	norm  float64
}

func (d *descent) base() *descent { return d }

// GradientNorm returns the global norm of the last step's gradient before clipping.
func (d *descent) GradientNorm() float64 { return d.norm }

// parameter is a trained tensor.
type parameter struct {
	w, g   []float32
	decays bool // vectors (biases, and scales and shifts of the norm) don't decay
}

// gather lists the parameters and returns the factor that limits the global norm of
// their gradients to Clip. A gradient that is not finite is ErrDiverged.
func (d *descent) gather(model []gorgonia.ValueGrad) (list []parameter, scale float32, err error) {
	var sum float64
	for i, p := range model {
		w, g, err := denseOf(p)
		if err != nil {
			return nil, 0, fmt.Errorf("train: parameter %d: %w", i, err)
		}
		q := parameter{w.Data().([]float32), g.Data().([]float32), w.Dims() > 1}
		for _, v := range q.g {
			sum += float64(v) * float64(v)
		}
		list = append(list, q)
	}
	d.norm = math.Sqrt(sum)
	if math.IsNaN(d.norm) || math.IsInf(d.norm, 0) {
		return nil, 0, fmt.Errorf("train: %w: gradient norm is %v", ErrDiverged, d.norm)
	}
	if d.Clip > 0 && d.norm > d.Clip {
		return list, float32(d.Clip / d.norm), nil
	}
	return list, 1, nil
}

func tensorsIn(list []parameter) [][]float32 {
	var w [][]float32
	for _, p := range list {
		w = append(w, p.w)
	}
	return w
}

// zeros returns a zero slice for each of the weights, of the same length.
func zeros(weights [][]float32) [][]float32 {
	var z [][]float32
	for _, w := range weights {
		z = append(z, make([]float32, len(w)))
	}
	return z
}

// checkState refuses a moment of another network.
func checkState(moment, weights [][]float32) error {
	if len(moment) != len(weights) {
		return fmt.Errorf("train: %w: solver state has %d parameters, the network %d", segd.ErrFormat, len(moment), len(weights))
	}
	for i, w := range weights {
		if len(moment[i]) != len(w) {
			return fmt.Errorf("train: %w: solver state of parameter %d has %d values, the parameter %d", segd.ErrFormat, i, len(moment[i]), len(w))
		}
	}
	return nil
}

// SGD is gradient descent with Nesterov momentum (Sutskever et al. 2013, in the form
// of PyTorch's SGD with nesterov). It implements gorgonia.Solver for float32:
//
//	v = Momentum·v + g,  w = w - LearnRate·(g + Momentum·v)
//
// with weight decay added to the gradient g of tensors with more than one dimension.
// Everything else is as described for AdamW. Gorgonia's own momentum is not
// Nesterov's, and its state can't be saved.
type SGD struct {
	descent
	Momentum float64

	velocity [][]float32 // a slice per parameter
}

// NewSGD returns a solver.
func NewSGD(learnRate, momentum, weightDecay, clip float64) *SGD {
	return &SGD{descent: descent{LearnRate: learnRate, WeightDecay: weightDecay, Clip: clip}, Momentum: momentum}
}

// Step implements gorgonia.Solver. If a gradient is not finite, Step leaves the
// weights unchanged and returns ErrDiverged.
func (s *SGD) Step(model []gorgonia.ValueGrad) error {
	list, scale, err := s.gather(model)
	if err != nil {
		return err
	}
	if err := s.prepare(tensorsIn(list)); err != nil {
		return err
	}
	s.steps++
	rate, momentum := float32(s.LearnRate), float32(s.Momentum)
	for k, p := range list {
		decay := float32(0)
		if p.decays {
			decay = float32(s.WeightDecay)
		}
		w, g, v := p.w, p.g[:len(p.w)], s.velocity[k][:len(p.w)]
		for i := range w {
			d := g[i]*scale + decay*w[i]
			g[i] = 0
			v[i] = momentum*v[i] + d
			w[i] -= rate * (d + momentum*v[i])
		}
	}
	return nil
}

func (s *SGD) prepare(weights [][]float32) error {
	if s.velocity == nil {
		s.velocity = zeros(weights)
	}
	return checkState(s.velocity, weights)
}

func (s *SGD) moments() [][][]float32 { return [][][]float32{s.velocity} }

// AdamW is Adam with decoupled weight decay (Kingma and Ba 2015; Loshchilov and
// Hutter 2019, Algorithm 2). It implements gorgonia.Solver for float32.
//
// Tensors of one dimension (biases, and scales and shifts of the norm) don't decay.
// The gradient is first scaled down to a global norm of at most Clip. Gradients are
// zeroed after the step, as Gorgonia's own solvers do. The state depends on the order
// of the parameters, which must stay the same from step to step. An AdamW is not safe
// for concurrent use.
//
// Gorgonia's AdamW never updates weights, and its Adam can't be saved.
type AdamW struct {
	descent
	Beta1   float64 // decay of the mean of the gradient, for example 0.9
	Beta2   float64 // decay of the mean of its square, for example 0.999
	Epsilon float64

	first, twice [][]float32 // moments, a slice per parameter
}

// NewAdamW returns a solver with the usual constants.
func NewAdamW(learnRate, weightDecay, clip float64) *AdamW {
	return &AdamW{descent: descent{LearnRate: learnRate, WeightDecay: weightDecay, Clip: clip}, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
}

// Step implements gorgonia.Solver. If a gradient is not finite, Step leaves the
// weights unchanged and returns ErrDiverged.
func (s *AdamW) Step(model []gorgonia.ValueGrad) error {
	list, scale, err := s.gather(model)
	if err != nil {
		return err
	}
	if err := s.prepare(tensorsIn(list)); err != nil {
		return err
	}
	s.steps++
	for i, p := range list {
		s.update(p.w, p.g, s.first[i], s.twice[i], scale, p.decays)
	}
	return nil
}

func (s *AdamW) prepare(weights [][]float32) error {
	if s.first == nil {
		s.first, s.twice = zeros(weights), zeros(weights)
	}
	return errors.Join(checkState(s.first, weights), checkState(s.twice, weights))
}

func (s *AdamW) moments() [][][]float32 { return [][][]float32{s.first, s.twice} }

func (s *AdamW) update(w, g, m, v []float32, scale float32, decays bool) {
	b1, b2 := float32(s.Beta1), float32(s.Beta2)
	c1, c2 := 1-b1, 1-b2
	rate := float32(s.LearnRate / (1 - math.Pow(s.Beta1, float64(s.steps))))
	root := float32(1 / math.Sqrt(1-math.Pow(s.Beta2, float64(s.steps))))
	eps := float32(s.Epsilon)
	keep := float32(1)
	if decays {
		keep = float32(1 - s.LearnRate*s.WeightDecay)
	}
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i := range w {
		d := g[i] * scale
		g[i] = 0
		m[i] = b1*m[i] + c1*d
		v[i] = b2*v[i] + c2*d*d
		w[i] = keep*w[i] - rate*m[i]/(float32(math.Sqrt(float64(v[i])))*root+eps)
	}
}

func denseOf(p gorgonia.ValueGrad) (w, g *tensor.Dense, err error) {
	grad, err := p.Grad()
	if err != nil {
		return nil, nil, err
	}
	w, ok := p.Value().(*tensor.Dense)
	g, ok2 := grad.(*tensor.Dense)
	if !ok || !ok2 || w.Dtype() != tensor.Float32 || g.Dtype() != tensor.Float32 || w.DataSize() != g.DataSize() {
		return nil, nil, fmt.Errorf("%w: weight %T and gradient %T, want float32 tensors of one size", segd.ErrFormat, p.Value(), grad)
	}
	return w, g, nil
}

// rate returns the learning rate of the schedule: linear warm-up, then decay to zero.
// step counts from 0 and is below Steps.
func (p *Plan) rate(step int) float64 {
	if step < p.Warmup {
		return p.LearnRate * float64(step+1) / float64(p.Warmup)
	}
	t := float64(step-p.Warmup) / float64(max(1, p.Steps-p.Warmup))
	if p.Schedule == SchedulePoly {
		return p.LearnRate * math.Pow(1-t, 0.9)
	}
	return p.LearnRate * 0.5 * (1 + math.Cos(math.Pi*t))
}

// average moves the running average of every value a small step towards the current
// one: avg += (1-decay)·(now-avg) (Polyak and Juditsky 1992; early steps are weighted
// as in Tarvainen and Valpola 2017).
func average(avg, now []float32, decay float64, step int) {
	d := float32(1 - math.Min(decay, float64(1+step)/float64(10+step)))
	now = now[:len(avg)]
	for i := range avg {
		avg[i] += d * (now[i] - avg[i])
	}
}

// Trace records one step before it updates the weights.
type Trace struct {
	Step   int     `json:"step"` // counted from 0
	Layers []Layer `json:"layers"`
}

// Layer is a convolution in a Trace, in the order of unet.Params.Names.
type Layer struct {
	Name     string  `json:"name"`     // of the weights
	Gradient float64 `json:"gradient"` // norm of the loss's gradient with respect to the weights, before clipping
	Weight   float64 `json:"weight"`   // norm of the weights
}

// watched returns the solver of the next step. If the step is to be traced, the
// solver records the gradients before it passes them on. Other steps have no
// overhead.
func (r *run) watched() gorgonia.Solver {
	if r.o.Trace == 0 || r.Step%r.o.Trace != 0 {
		return r.solver
	}
	return watcher{r}
}

// watcher traces a step.
type watcher struct{ r *run }

// Step implements gorgonia.Solver.
func (w watcher) Step(model []gorgonia.ValueGrad) error {
	t := Trace{Step: w.r.Step}
	for i, name := range w.r.trainer.LearnableNames() {
		weights, gradient, err := denseOf(model[i])
		if err != nil {
			return err
		}
		if weights.Dims() > 1 {
			t.Layers = append(t.Layers, Layer{name, norm(gradient.Data().([]float32)), norm(weights.Data().([]float32))})
		}
	}
	// A step that diverges ends the training and is not traced.
	if err := w.r.solver.Step(model); err != nil {
		return err
	}
	w.r.Trace = append(w.r.Trace, t)
	return nil
}

// norm returns the Euclidean norm.
func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
