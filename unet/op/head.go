package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
)

// Head describes the 1×1 convolution that maps the last activation to logits
// in plain N,C,H,W order. Its inputs are x, the weights and the bias.
type Head struct {
	X   kernel.Shape
	Out kernel.Shape
}

// Head is a 1×1 convolution with bias whose result is a plain N,C,H,W tensor.
// w is (out, in, 1, 1), bias is (out).
func (s *Set[T]) Head(w, bias *G.Node, x Act) (*G.Node, error) {
	d := w.Shape()
	if d.Dims() != 4 || d[1] != x.Shape.C || d[2] != 1 || d[3] != 1 {
		return nil, fmt.Errorf("op: head: weights of shape %v for %d channels", d, x.Shape.C)
	}
	spec := Head{X: x.Shape, Out: x.Shape}
	spec.Out.C = d[0]
	logits := plain(spec.Out.N, spec.Out.C, spec.Out.H, spec.Out.W)
	var filter *kernel.Filter[T]
	return s.apply(&operation[T]{
		spec: spec,
		in:   []port{blocked(x.Shape), like(w), plain(spec.Out.C)},
		out:  logits,
		run: func(out []T, in args[T]) error {
			if filter == nil {
				filter = kernel.NewFilter[T](kernel.Conv1x1, spec.Out.C, spec.X.C)
			}
			filter.Pack(in.f[1])
			filter.RunPlain(s.pool, out, act(spec.X, in.f[0]), in.f[2])
			return nil
		},
		wrt: []bool{true, true, true},
		diff: func(in G.Nodes, _, dy *G.Node) (G.Nodes, error) {
			return s.headGrad(spec, in, dy)
		},
	}, x.Node, w, bias)
}

// headGrad adds d(x), which leaves the packed gradient of the logits in scratch
// memory, and d(w) and d(bias), which read it there. They have d(x) as a child
// so that they run after it.
func (s *Set[T]) headGrad(spec Head, in G.Nodes, dy *G.Node) (G.Nodes, error) {
	var filter *kernel.Filter[T]
	var wg *kernel.WeightGrad[T]
	var buf kernel.Act[T]
	x, w := blocked(spec.X), like(in[1])
	dx, err := s.apply(&operation[T]{
		spec: grad{spec, "x"},
		in:   []port{w, like(dy)},
		out:  x,
		run: func(out []T, in args[T]) error {
			if filter == nil {
				filter = kernel.NewAdjoint[T](kernel.Conv1x1, spec.Out.C, []int{spec.X.C}, 0)
				buf = kernel.NewAct[T](spec.Out)
			}
			kernel.Pack(s.pool, buf, in.f[1])
			filter.PackAdjoint(in.f[0])
			filter.Run(s.pool, act(spec.X, out), []kernel.Act[T]{buf}, nil, false)
			return nil
		},
	}, in[1], dy)
	if err != nil {
		return nil, err
	}
	dw, err := s.apply(&operation[T]{
		spec: grad{spec, "weight"},
		in:   []port{x, x},
		out:  w,
		run: func(out []T, in args[T]) error {
			if wg == nil {
				wg = kernel.NewWeightGrad[T](kernel.Conv1x1, spec.Out.C, spec.X.C)
			}
			wg.Run(s.pool, out, []kernel.Act[T]{act(spec.X, in.f[0])}, buf)
			return nil
		},
	}, in[0], dx)
	if err != nil {
		return nil, err
	}
	db, err := s.apply(&operation[T]{
		spec: grad{spec, "bias"},
		in:   []port{x},
		out:  plain(spec.Out.C),
		run: func(out []T, _ args[T]) error {
			kernel.ChannelSum(s.pool, out, buf)
			return nil
		},
	}, dx)
	return G.Nodes{dx, dw, db}, err
}
