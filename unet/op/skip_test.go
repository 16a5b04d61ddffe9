package op

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd"
)

func TestConv1x1Gradient(t *testing.T) {
	for _, relu := range []bool{false, true} {
		t.Run(fmt.Sprint("one source, bias, relu=", relu), func(t *testing.T) {
			checkGradient(t, func(g *graph) (*G.Node, error) {
				return node(g.ops.Conv1x1(g.in[1], g.in[2], relu, g.acts[0]))
			}, blockedLeaf("x", 2, 9, 3, 4), plainLeaf("w", 5, 9, 1, 1), plainLeaf("b", 5))
		})
	}
	t.Run("three sources", func(t *testing.T) {
		checkGradient(t, func(g *graph) (*G.Node, error) {
			return node(g.ops.Conv1x1(g.in[3], nil, false, g.acts[0], g.acts[1], g.acts[2]))
		}, blockedLeaf("x", 1, 9, 3, 4), blockedLeaf("l1", 1, 4, 3, 4), blockedLeaf("l2", 1, 4, 3, 4), plainLeaf("w", 3, 17, 1, 1))
	})
}

func TestAddGradient(t *testing.T) {
	for _, relu := range []bool{false, true} {
		t.Run(fmt.Sprint("two, relu=", relu), func(t *testing.T) {
			// Each through a convolution, because an addition shares the gradients of
			// activations.
			checkGradient(t, func(g *graph) (*G.Node, error) {
				a, err := g.ops.Conv1x1(g.in[2], nil, false, g.acts[0])
				if err != nil {
					return nil, err
				}
				b, err := g.ops.Conv1x1(g.in[3], nil, false, g.acts[1])
				if err != nil {
					return nil, err
				}
				return node(g.ops.Add(relu, a, b))
			}, blockedLeaf("x", 2, 3, 3, 4), blockedLeaf("y", 2, 2, 3, 4), plainLeaf("w", 9, 3, 1, 1), plainLeaf("v", 9, 2, 1, 1))
		})
	}
	t.Run("three", func(t *testing.T) {
		checkGradient(t, func(g *graph) (*G.Node, error) {
			var x []Act
			for i := range 3 {
				a, err := g.ops.Conv1x1(g.in[1+i], nil, true, g.acts[0])
				if err != nil {
					return nil, err
				}
				x = append(x, a)
			}
			return node(g.ops.Add(true, x...))
		}, blockedLeaf("x", 1, 3, 3, 4), plainLeaf("w1", 5, 3, 1, 1), plainLeaf("w2", 5, 3, 1, 1), plainLeaf("w3", 5, 3, 1, 1))
	})
}

// Two residual units in a row. The input of an identity shortcut is also read by a
// convolution, and its sum by the next unit and that unit's shortcut. The gradient
// that an addition passes to both summands is therefore summed into others in place.
// That must not disturb the other summand.
func TestIdentityShortcutGradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		x, err := g.ops.Conv1x1(g.in[1], nil, false, g.acts[0])
		if err != nil {
			return nil, err
		}
		for i := range 2 {
			y, err := g.ops.Conv3x3(g.in[2+2*i], nil, true, x)
			if err != nil {
				return nil, err
			}
			if y, err = g.ops.Conv3x3(g.in[3+2*i], nil, false, y); err != nil {
				return nil, err
			}
			if x, err = g.ops.Add(i == 0, y, x); err != nil {
				return nil, err
			}
		}
		return node(x, nil)
	}, blockedLeaf("x", 1, 2, 3, 4), plainLeaf("w0", 3, 2, 1, 1),
		plainLeaf("w1", 3, 3, 3, 3), plainLeaf("w2", 3, 3, 3, 3), plainLeaf("w3", 3, 3, 3, 3), plainLeaf("w4", 3, 3, 3, 3))
}

func TestReLUGradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		return node(g.ops.ReLU(g.acts[0]))
	}, blockedLeaf("x", 2, 9, 3, 4))
}

func TestBilinear2xGradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		return node(g.ops.Bilinear2x(g.acts[0]))
	}, blockedLeaf("x", 2, 9, 3, 4))
}

func TestGateGradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		return node(g.ops.Gate(g.acts[0], g.acts[1]))
	}, blockedLeaf("x", 2, 9, 3, 4), blockedLeaf("a", 2, 1, 3, 4))
}

// The linear map and its adjoint: ⟨U x, y⟩ = ⟨x, Uᵀ y⟩. Both are the same sums in a
// different order, so float64 leaves a difference of 1e-12.
func TestBilinear2xAdjoint(t *testing.T) {
	b := newBench(t, blockedLeaf("x", 2, 3, 4, 5))
	g, weights := b.build(func(g *graph) (*G.Node, error) { return node(g.ops.Bilinear2x(g.acts[0])) }, nil)
	var out G.Value
	G.Read(g.out, &out)
	dx := b.gradients(g)[0]
	left, right := 0.0, 0.0
	for i, y := range weights.Data().([]float64) {
		left += y * out.Data().([]float64)[i]
	}
	for i, x := range b.values[0].Data().([]float64) {
		right += x * dx[i]
	}
	if math.Abs(left-right) > 1e-12*math.Abs(left) || left == 0 {
		t.Errorf("<Ux,y> = %v, <x,U'y> = %v", left, right)
	}
}

// The shape errors of addition, concatenation and gating are distinct and name both
// sides.
func TestShapeRules(t *testing.T) {
	b := newBench(t, blockedLeaf("x", 1, 3, 4, 4), blockedLeaf("wide", 1, 5, 4, 4), blockedLeaf("small", 1, 3, 2, 2), plainLeaf("w", 2, 6, 1, 1))
	for name, c := range map[string]struct {
		f    func(g *graph) error
		want []string
	}{
		"channels of a sum": {
			func(g *graph) error { _, err := g.ops.Add(false, g.acts[0], g.acts[1]); return err },
			[]string{"addition", "1×3 channels of 4×4", "1×5 channels"}},
		"size of a sum": {
			func(g *graph) error { _, err := g.ops.Add(false, g.acts[0], g.acts[2]); return err },
			[]string{"addition", "2×2 pixels"}},
		"size of a concatenation": {
			func(g *graph) error { _, err := g.ops.Conv1x1(g.in[3], nil, false, g.acts[0], g.acts[2]); return err },
			[]string{"concatenation", "1×3 channels of 4×4", "2×2 pixels"}},
		"gate": {
			func(g *graph) error { _, err := g.ops.Gate(g.acts[0], g.acts[1]); return err },
			[]string{"gate", "one channel"}},
	} {
		b.build(func(g *graph) (*G.Node, error) {
			err := c.f(g)
			if !errors.Is(err, segd.ErrOption) {
				t.Errorf("%s: %v", name, err)
			} else {
				for _, w := range c.want {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("%s: %q does not contain %q", name, err, w)
					}
				}
			}
			return G.NewScalar(g.in[0].Graph(), tensor.Float64, G.WithName("unused")), nil
		}, nil)
	}
	b.build(func(g *graph) (*G.Node, error) {
		if _, err := g.ops.Add(false, g.acts[0]); err == nil {
			t.Error("a sum of one was accepted")
		}
		if _, err := g.ops.Conv1x1(g.in[3], nil, false, g.acts[0]); err == nil {
			t.Error("3 channels were accepted as 6")
		}
		return G.NewScalar(g.in[0].Graph(), tensor.Float64, G.WithName("unused")), nil
	}, nil)
}
