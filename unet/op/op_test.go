package op

import (
	"fmt"
	"math"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd/internal/kernel"
)

func node(a Act, err error) (*G.Node, error) { return a.Node, err }

func TestConv3x3Gradient(t *testing.T) {
	for _, relu := range []bool{false, true} {
		t.Run(fmt.Sprint("one source, bias, relu=", relu), func(t *testing.T) {
			checkGradient(t, func(g *graph) (*G.Node, error) {
				return node(g.ops.Conv3x3(g.in[1], g.in[2], relu, g.acts[0]))
			}, blockedLeaf("x", 2, 3, 4, 5), plainLeaf("w", 9, 3, 3, 3), plainLeaf("b", 9))
		})
	}
	t.Run("two sources", func(t *testing.T) {
		checkGradient(t, func(g *graph) (*G.Node, error) {
			return node(g.ops.Conv3x3(g.in[2], nil, false, g.acts[0], g.acts[1]))
		}, blockedLeaf("skip", 2, 9, 3, 4), blockedLeaf("up", 2, 3, 3, 4), plainLeaf("w", 4, 12, 3, 3))
	})
	t.Run("of an image", func(t *testing.T) {
		image := plainLeaf("image", 2, 3, 4, 4)
		image.fixed = true
		checkGradient(t, func(g *graph) (*G.Node, error) {
			x, err := g.ops.Pack(g.in[0])
			if err != nil {
				return nil, err
			}
			return node(g.ops.Conv3x3(g.in[1], nil, true, x))
		}, image, plainLeaf("w", 5, 3, 3, 3))
	})
}

func TestConvTranspose2x2Gradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		return node(g.ops.ConvTranspose2x2(g.in[1], g.in[2], g.acts[0]))
	}, blockedLeaf("x", 2, 9, 3, 2), plainLeaf("w", 9, 5, 2, 2), plainLeaf("b", 5))
}

func TestMaxPool2x2Gradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		return node(g.ops.MaxPool2x2(g.acts[0]))
	}, blockedLeaf("x", 2, 9, 4, 6))
}

func TestNormGradient(t *testing.T) {
	for _, over := range []Statistics{Batch, Instance, Group} {
		for _, relu := range []bool{false, true} {
			t.Run(fmt.Sprint(over, " relu=", relu), func(t *testing.T) {
				mean, variance := plainLeaf("mean", 12), plainLeaf("var", 12)
				mean.fixed, variance.fixed, variance.lo = true, true, 1
				checkGradient(t, func(g *graph) (*G.Node, error) {
					spec := Norm{Over: over, Groups: 3, ReLU: relu, Train: true}
					return node(g.ops.Norm(spec, g.acts[0], g.in[1], g.in[2], g.in[3], g.in[4]))
				}, blockedLeaf("x", 2, 12, 3, 4), plainLeaf("gamma", 12), plainLeaf("beta", 12), mean, variance)
			})
		}
	}
}

func TestHeadGradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		return g.ops.Head(g.in[1], g.in[2], g.acts[0])
	}, blockedLeaf("x", 2, 9, 3, 4), plainLeaf("w", 3, 9, 1, 1), plainLeaf("b", 3))
}

// The library sums gradients that meet at a long skip, in place over one of them. The
// sum must not disturb memory that the operations own.
func TestSkipGradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		a, err := g.ops.Conv3x3(g.in[1], nil, true, g.acts[0])
		if err != nil {
			return nil, err
		}
		b, err := g.ops.MaxPool2x2(a)
		if err != nil {
			return nil, err
		}
		if b, err = g.ops.ConvTranspose2x2(g.in[2], nil, b); err != nil {
			return nil, err
		}
		return node(g.ops.Conv3x3(g.in[3], nil, false, a, b))
	}, blockedLeaf("x", 1, 2, 4, 4), plainLeaf("w1", 3, 2, 3, 3), plainLeaf("w2", 3, 2, 2, 2), plainLeaf("w3", 2, 5, 3, 3))
}

// The pooling at the start of a long skip adds both gradients itself.
func TestPoolSkipGradient(t *testing.T) {
	checkGradient(t, func(g *graph) (*G.Node, error) {
		a, err := g.ops.Conv3x3(g.in[1], nil, true, g.acts[0])
		if err != nil {
			return nil, err
		}
		b, skip, err := g.ops.PoolSkip(a)
		if err != nil {
			return nil, err
		}
		if b, err = g.ops.ConvTranspose2x2(g.in[2], nil, b); err != nil {
			return nil, err
		}
		return node(g.ops.Conv3x3(g.in[3], nil, false, skip, b))
	}, blockedLeaf("x", 1, 2, 4, 4), plainLeaf("w1", 3, 2, 3, 3), plainLeaf("w2", 3, 2, 2, 2), plainLeaf("w3", 2, 5, 3, 3))
}

// ⟨convᵀ x, y⟩ = ⟨x, conv y⟩: the gradient of the left side with respect to x is conv
// y, so its product with x gives the left side again. Both are the same sums in a
// different order, so float64 leaves a difference of 1e-12.
func TestConvTransposeAdjoint(t *testing.T) {
	b := newBench(t, blockedLeaf("x", 2, 9, 3, 5), plainLeaf("w", 9, 3, 2, 2))
	g, weights := b.build(func(g *graph) (*G.Node, error) {
		return node(g.ops.ConvTranspose2x2(g.in[1], nil, g.acts[0]))
	}, nil)
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
		t.Errorf("<Tx,y> = %v, <x,T'y> = %v", left, right)
	}
}

func TestRunningStatistics(t *testing.T) {
	mean, variance := plainLeaf("mean", 2), plainLeaf("var", 2)
	b := newBench(t, blockedLeaf("x", 2, 2, 2, 2), plainLeaf("gamma", 2), plainLeaf("beta", 2), mean, variance)
	m, v := b.values[3].Data().([]float64), b.values[4].Data().([]float64)
	copy(m, []float64{1, 2})
	copy(v, []float64{3, 4})
	x := kernel.Act[float64]{Shape: *b.leaves[0].act, Data: b.values[0].Data().([]float64)}
	// Channel 0 holds 0..7: mean 3.5, unbiased variance 6. Channel 1 is 5.
	kernel.Pack(nil, x, []float64{0, 1, 2, 3, 5, 5, 5, 5, 4, 5, 6, 7, 5, 5, 5, 5})
	g, _ := b.build(func(g *graph) (*G.Node, error) {
		return node(g.ops.Norm(Norm{Over: Batch, Train: true}, g.acts[0], g.in[1], g.in[2], g.in[3], g.in[4]))
	}, nil)
	vm := G.NewTapeMachine(g.loss.Graph())
	defer func() { _ = vm.Close() }()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.9*1 + 0.35, 0.9*2 + 0.5, 0.9*3 + 0.6, 0.9 * 4} {
		if got := append(append([]float64{}, m...), v...)[i]; math.Abs(got-want) > 1e-12 {
			t.Errorf("statistic %d is %v, want %v", i, got, want)
		}
	}
}

func TestShapesAreChecked(t *testing.T) {
	b := newBench(t, blockedLeaf("x", 1, 3, 4, 4), plainLeaf("w", 5, 4, 3, 3), plainLeaf("w2", 3, 5, 2, 2),
		plainLeaf("b", 4), blockedLeaf("odd", 1, 3, 3, 4), plainLeaf("logits", 1, 1, 2, 2))
	for name, f := range map[string]func(g *graph) error{
		"channels":   func(g *graph) error { _, err := g.ops.Conv3x3(g.in[1], nil, false, g.acts[0]); return err },
		"kernel":     func(g *graph) error { _, err := g.ops.Conv3x3(g.in[2], nil, false, g.acts[0]); return err },
		"transposed": func(g *graph) error { _, err := g.ops.ConvTranspose2x2(g.in[1], nil, g.acts[0]); return err },
		"bias":       func(g *graph) error { _, err := g.ops.ConvTranspose2x2(g.in[2], g.in[3], g.acts[0]); return err },
		"odd pool":   func(g *graph) error { _, err := g.ops.MaxPool2x2(g.acts[4]); return err },
		"sources":    func(g *graph) error { _, err := g.ops.Conv3x3(g.in[1], nil, false, g.acts[0], g.acts[4]); return err },
		"head":       func(g *graph) error { _, err := g.ops.Head(g.in[1], g.in[3], g.acts[0]); return err },
		"one class":  func(g *graph) error { _, err := g.ops.Loss(DiceCE(), g.in[5], g.in[5], nil); return err },
		"groups": func(g *graph) error {
			_, err := g.ops.Norm(Norm{Over: Group, Groups: 2}, g.acts[0], nil, nil, nil, nil)
			return err
		},
		"packed image": func(g *graph) error { _, err := g.ops.Pack(g.in[0]); return err },
	} {
		b.build(func(g *graph) (*G.Node, error) {
			if f(g) == nil {
				t.Errorf("%s: no error", name)
			}
			return G.NewScalar(g.in[0].Graph(), tensor.Float64, G.WithName("unused")), nil
		}, nil)
	}
}

// The machine runs operations in its own goroutine, where a panic would end the
// process.
func TestPanicBecomesError(t *testing.T) {
	o := &operation[float64]{spec: "boom", out: plain(1), run: func([]float64, args[float64]) error { panic("boom") }}
	if _, err := o.Do(); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("got %v", err)
	}
}
