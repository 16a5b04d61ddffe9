package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
)

// Regression describes the mean absolute (L1) or squared (L2) error of values.
type Regression struct {
	N, C, H, W int
	Squared    bool
}

// Regression is the loss of a network whose outputs are values: the mean of |v
// - t| or, with squared, of (v - t)², over all values. values and targets are
// N,C,H,W. NaN targets are ignored. Without a target the loss is 0. The result
// is a scalar. At v = t the derivative of |v - t| is 0.
func (s *Set[T]) Regression(squared bool, values, targets *G.Node) (*G.Node, error) {
	d := values.Shape()
	if d.Dims() != 4 || !d.Eq(targets.Shape()) {
		return nil, fmt.Errorf("op: regression: values of shape %v, targets of %v", d, targets.Shape())
	}
	spec := Regression{N: d[0], C: d[1], H: d[2], W: d[3], Squared: squared}
	in := []port{like(values), like(targets)}
	return s.apply(&operation[T]{
		spec: spec,
		in:   in,
		run:  regression[T](squared),
		wrt:  []bool{true, false},
		diff: func(nodes G.Nodes, _, dy *G.Node) (G.Nodes, error) {
			dx, err := s.apply(&operation[T]{
				spec: grad{spec, "values"},
				in:   []port{in[0], in[1], {}},
				out:  in[0],
				run:  regressionGrad[T](squared),
			}, nodes[0], nodes[1], dy)
			return G.Nodes{dx, nil}, err
		},
	}, values, targets)
}

// isNaN reports whether a target is unknown.
func isNaN[T kernel.Float](v T) bool { return math.IsNaN(float64(v)) }

// regression returns the mean error of values, a.f[0], over the known targets in
// a.f[1].
func regression[T kernel.Float](squared bool) func(out []T, a args[T]) error {
	return func(out []T, a args[T]) error {
		sum, n := 0.0, 0
		for i, t := range a.f[1] {
			e := float64(a.f[0][i]) - float64(t)
			if isNaN(t) {
				continue
			}
			if n++; squared {
				sum += e * e
			} else {
				sum += math.Abs(e)
			}
		}
		out[0] = T(sum / float64(max(1, n)))
		return nil
	}
}

// regressionGrad returns the derivative of regression with respect to the values,
// times a.f[2].
func regressionGrad[T kernel.Float](squared bool) func(out []T, a args[T]) error {
	return func(out []T, a args[T]) error {
		n := 0
		for _, t := range a.f[1] {
			if !isNaN(t) {
				n++
			}
		}
		each := a.f[2][0] / T(max(1, n))
		for i, t := range a.f[1] {
			switch e := a.f[0][i] - t; {
			case isNaN(t):
				out[i] = 0
			case squared:
				out[i] = 2 * e * each
			case e > 0:
				out[i] = each
			case e < 0:
				out[i] = -each
			default:
				out[i] = 0
			}
		}
		return nil
	}
}
