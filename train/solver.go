package train

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd"
)

// AdamW is Adam with decoupled weight decay (Kingma and Ba 2015; Loshchilov
// and Hutter 2019, Algorithm 2) behind gorgonia.Solver, for float32.
//
// Tensors of one dimension (biases, scales and shifts of the norm) don't
// decay. The gradient is first scaled down to a global norm of at most Clip.
// Gradients are zeroed after the step, as Gorgonia's own solvers do. The
// state belongs to the order of the parameters, which must stay the same from
// step to step. Not safe for concurrent use.
//
// The library's AdamW never updates weights and its Adam can't be saved,
// hence this one.
type AdamW struct {
	LearnRate   float64
	Beta1       float64 // decay of the mean of the gradient, for example 0.9
	Beta2       float64 // decay of the mean of its square, for example 0.999
	Epsilon     float64
	WeightDecay float64 // per step LearnRate·WeightDecay of the weight is taken away
	Clip        float64 // limit of the global gradient norm; 0: none

	steps        int         // taken so far
	first, twice [][]float32 // moments, a slice per parameter
	norm         float64
}

// NewAdamW returns a solver with the usual constants.
func NewAdamW(learnRate, weightDecay, clip float64) *AdamW {
	return &AdamW{LearnRate: learnRate, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: weightDecay, Clip: clip}
}

// GradientNorm is the global norm of the last step's gradient before clipping.
func (s *AdamW) GradientNorm() float64 { return s.norm }

// Step implements gorgonia.Solver. A gradient that is not finite leaves the
// weights as they are and is ErrDiverged.
func (s *AdamW) Step(model []gorgonia.ValueGrad) error {
	weights, grads := make([][]float32, len(model)), make([][]float32, len(model))
	decays := make([]bool, len(model))
	var sum float64
	for i, p := range model {
		w, g, err := denseOf(p)
		if err != nil {
			return fmt.Errorf("train: parameter %d: %w", i, err)
		}
		weights[i], grads[i], decays[i] = w.Data().([]float32), g.Data().([]float32), w.Dims() > 1
		for _, v := range grads[i] {
			sum += float64(v) * float64(v)
		}
	}
	s.norm = math.Sqrt(sum)
	if math.IsNaN(s.norm) || math.IsInf(s.norm, 0) {
		return fmt.Errorf("train: %w: gradient norm is %v", ErrDiverged, s.norm)
	}
	if err := s.prepare(weights); err != nil {
		return err
	}
	scale := 1.0
	if s.Clip > 0 && s.norm > s.Clip {
		scale = s.Clip / s.norm
	}
	s.steps++
	for i := range weights {
		s.update(weights[i], grads[i], s.first[i], s.twice[i], float32(scale), decays[i])
	}
	return nil
}

// prepare makes the moments on the first step and checks them on later ones.
func (s *AdamW) prepare(weights [][]float32) error {
	if s.first == nil {
		for _, w := range weights {
			s.first = append(s.first, make([]float32, len(w)))
			s.twice = append(s.twice, make([]float32, len(w)))
		}
	}
	if len(s.first) != len(weights) {
		return fmt.Errorf("train: %w: solver state of %d parameters, network of %d", segd.ErrFormat, len(s.first), len(weights))
	}
	for i, w := range weights {
		if len(s.first[i]) != len(w) || len(s.twice[i]) != len(w) {
			return fmt.Errorf("train: %w: solver state of parameter %d has %d values, the parameter %d",
				segd.ErrFormat, i, len(s.first[i]), len(w))
		}
	}
	return nil
}

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

// learnRate is the schedule: linear warm-up, then half a cosine down to zero
// (Loshchilov and Hutter 2017). step counts from 0 and is below steps.
func learnRate(peak float64, step, warmup, steps int) float64 {
	if step < warmup {
		return peak * float64(step+1) / float64(warmup)
	}
	t := float64(step-warmup) / float64(max(1, steps-warmup))
	return peak * 0.5 * (1 + math.Cos(math.Pi*t))
}

// average moves the running average of every value a small step towards the
// present one: avg += (1-decay)·(now-avg) (Polyak and Juditsky 1992; with the
// early steps weighted as Tarvainen and Valpola 2017 do).
func average(avg, now []float32, decay float64, step int) {
	d := float32(1 - math.Min(decay, float64(1+step)/float64(10+step)))
	now = now[:len(avg)]
	for i := range avg {
		avg[i] += d * (now[i] - avg[i])
	}
}
