package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"segd"
	"segd/internal/kernel"
)

// Add describes the sum of its inputs, activations of one shape.
type Add struct {
	X    kernel.Shape
	N    int // of summands
	ReLU bool
}

// ReLU describes a separate max(0, x), if no other operation fuses it.
type ReLU struct{ X kernel.Shape }

// Bilinear describes up-sampling by two with bilinear weights.
type Bilinear struct{ In kernel.Shape }

// Gate describes x·σ(a) with one a per pixel. Its inputs are x and a.
type Gate struct{ X kernel.Shape }

// Conv1x1 is a linear map of the channels of each pixel. It reads its sources
// like Conv3x3. w is (out, in, 1, 1); bias is (out) or nil; relu fuses max(0,
// ·).
func (s *Set[T]) Conv1x1(w, bias *G.Node, relu bool, x ...Act) (Act, error) {
	if d := w.Shape(); d.Dims() != 4 || d[2] != 1 || d[3] != 1 {
		return Act{}, fmt.Errorf("op: 1×1 convolution: weights of shape %v", d)
	}
	out := x[0].Shape
	out.C = w.Shape()[0]
	return s.convolve(kernel.Conv1x1, out, w.Shape()[1], w, bias, relu, x)
}

// Add is the sum of two or more activations; relu fuses max(0, ·). They must
// agree in every axis, including the channels; otherwise the error is
// segd.ErrOption.
//
// Every summand has the same derivative, which is computed once.
func (s *Set[T]) Add(relu bool, x ...Act) (Act, error) {
	if len(x) < 2 {
		return Act{}, fmt.Errorf("op: sum of %d activations", len(x))
	}
	spec := Add{X: x[0].Shape, N: len(x), ReLU: relu}
	o := &operation[T]{spec: spec, out: blocked(spec.X)}
	var nodes []*G.Node
	for _, a := range x {
		if a.Shape != spec.X {
			return Act{}, fmt.Errorf("op: %w: addition of %s and %s: summands must agree in images, channels, height and width",
				segd.ErrOption, describe(spec.X), describe(a.Shape))
		}
		o.in, nodes, o.wrt = append(o.in, blocked(spec.X)), append(nodes, a.Node), append(o.wrt, !a.frozen)
	}
	src := make([]kernel.Act[T], len(x))
	o.run = func(out []T, in args[T]) error {
		for i := range src {
			src[i] = act(spec.X, in.f[i])
		}
		kernel.Add(s.pool, act(spec.X, out), src, relu)
		return nil
	}
	o.diff = func(in G.Nodes, out, dy *G.Node) (G.Nodes, error) {
		if relu {
			var err error
			if dy, err = s.reluGrad(spec, spec.X, nil, out, dy); err != nil {
				return nil, err
			}
		}
		grads := make(G.Nodes, len(in))
		for i := range grads {
			grads[i] = dy
		}
		return grads, nil
	}
	n, err := s.apply(o, nodes...)
	return Act{Node: n, Shape: spec.X}, err
}

// describe formats a shape for messages.
func describe(s kernel.Shape) string {
	return fmt.Sprintf("%d×%d channels of %d×%d pixels", s.N, s.C, s.H, s.W)
}

// ReLU is max(0, x).
func (s *Set[T]) ReLU(x Act) (Act, error) {
	spec := ReLU{X: x.Shape}
	var one, zero []T
	n, err := s.apply(&operation[T]{
		spec: spec,
		in:   []port{blocked(spec.X)},
		out:  blocked(spec.X),
		run: func(out []T, in args[T]) error {
			if one == nil {
				one, zero = Identity[T](spec.X)
			}
			kernel.ScaleShift(s.pool, act(spec.X, out), act(spec.X, in.f[0]), one, zero, true)
			return nil
		},
		wrt: []bool{true},
		diff: func(in G.Nodes, out, dy *G.Node) (G.Nodes, error) {
			dx, err := s.reluGrad(spec, spec.X, nil, out, dy)
			return G.Nodes{dx}, err
		},
	}, x.Node)
	return Act{Node: n, Shape: x.Shape}, err
}

// Identity returns the scale and shift with which kernel.ScaleShift leaves an
// activation unchanged.
func Identity[T kernel.Float](x kernel.Shape) (scale, shift []T) {
	scale, shift = make([]T, x.N*x.Blocks()*kernel.Lanes), make([]T, x.N*x.Blocks()*kernel.Lanes)
	for i := range scale {
		if i%(x.Blocks()*kernel.Lanes) < x.C {
			scale[i] = 1
		}
	}
	return scale, shift
}

// Bilinear2x doubles height and width with the weights of PyTorch's Upsample in
// mode bilinear without align_corners.
func (s *Set[T]) Bilinear2x(x Act) (Act, error) {
	spec, small, big := Bilinear{In: x.Shape}, x.Shape, x.Shape
	big.H, big.W = 2*small.H, 2*small.W
	n, err := s.apply(&operation[T]{
		spec: spec,
		in:   []port{blocked(small)},
		out:  blocked(big),
		run: func(out []T, in args[T]) error {
			kernel.Bilinear2x(s.pool, act(big, out), act(small, in.f[0]))
			return nil
		},
		wrt: []bool{true},
		diff: func(_ G.Nodes, _, dy *G.Node) (G.Nodes, error) {
			dx, err := s.apply(&operation[T]{
				spec: grad{spec, "x"},
				in:   []port{blocked(big)},
				out:  blocked(small),
				run: func(out []T, in args[T]) error {
					kernel.Bilinear2xGrad(s.pool, act(small, out), act(big, in.f[0]))
					return nil
				},
			}, dy)
			return G.Nodes{dx}, err
		},
	}, x.Node)
	return Act{Node: n, Shape: big}, err
}

// Gate is x·σ(a). a has one channel; its logistic function is the attention of
// each pixel of x (Oktay et al. 2018, arXiv:1804.03999, Fig. 2).
func (s *Set[T]) Gate(x, a Act) (Act, error) {
	spec, one := Gate{X: x.Shape}, x.Shape
	if one.C = 1; a.Shape != one {
		return Act{}, fmt.Errorf("op: %w: gate of %s by %s: want one channel of that size", segd.ErrOption, describe(x.Shape), describe(a.Shape))
	}
	big, small := blocked(x.Shape), blocked(one)
	n, err := s.apply(&operation[T]{
		spec: spec,
		in:   []port{big, small},
		out:  big,
		run: func(out []T, in args[T]) error {
			kernel.Gate(s.pool, act(spec.X, out), act(spec.X, in.f[0]), act(one, in.f[1]))
			return nil
		},
		wrt: []bool{true, true},
		diff: func(in G.Nodes, _, dy *G.Node) (G.Nodes, error) {
			dx, err := s.apply(&operation[T]{
				spec: grad{spec, "x"},
				in:   []port{big, small},
				out:  big,
				run: func(out []T, in args[T]) error {
					kernel.Gate(s.pool, act(spec.X, out), act(spec.X, in.f[0]), act(one, in.f[1]))
					return nil
				},
			}, dy, in[1])
			if err != nil {
				return nil, err
			}
			da, err := s.apply(&operation[T]{
				spec: grad{spec, "attention"},
				in:   []port{big, small, big},
				out:  small,
				run: func(out []T, in args[T]) error {
					x, a, dy := act(spec.X, in.f[0]), act(one, in.f[1]), act(spec.X, in.f[2])
					kernel.GateGrad(s.pool, act(one, out), x, a, dy)
					return nil
				},
			}, in[0], in[1], dy)
			return G.Nodes{dx, da}, err
		},
	}, x.Node, a.Node)
	return Act{Node: n, Shape: x.Shape}, err
}
