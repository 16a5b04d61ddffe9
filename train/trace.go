package train

import (
	"math"

	"gorgonia.org/gorgonia"
)

// Trace is a look at one step, before it moves the weights.
type Trace struct {
	Step   int     `json:"step"` // counted from 0
	Layers []Layer `json:"layers"`
}

// Layer is a convolution in a Trace, in the order of unet.Params.Names.
type Layer struct {
	Name     string  `json:"name"`     // of the weights
	Gradient float64 `json:"gradient"` // norm of the loss's gradient by the weights, before clipping
	Weight   float64 `json:"weight"`   // norm of the weights
}

// watched is the solver of the next step: where the step is to be traced, one
// that looks at the gradients before it hands them on. Other steps pay nothing.
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

// norm is the Euclidean norm.
func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
