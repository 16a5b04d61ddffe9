package op

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestRegressionGradient(t *testing.T) {
	for _, squared := range []bool{false, true} {
		targets := plainLeaf("targets", 2, 3, 4, 5)
		targets.fixed = true
		checkGradient(t, func(g *graph) (*G.Node, error) { return g.ops.Regression(squared, g.in[0], g.in[1]) },
			plainLeaf("values", 2, 3, 4, 5), targets)
	}
}

// The loss is a mean over the known targets; other values do not count.
func TestRegressionLeavesOutUnknownTargets(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		squared bool
		targets []float64
		want    float64
	}{
		"absolute": {false, []float64{0, 4, nan, 4}, (1 + 2 + 0) / 3.},
		"squared":  {true, []float64{0, 4, nan, 4}, (1 + 4 + 0) / 3.},
		"none":     {true, []float64{nan, nan, nan, nan}, 0},
	} {
		g := G.NewGraph()
		node := func(name string, v []float64) *G.Node {
			return G.NewTensor(g, tensor.Float64, 4, G.WithShape(1, 1, 2, 2), G.WithName(name),
				G.WithValue(tensor.New(tensor.WithShape(1, 1, 2, 2), tensor.WithBacking(v))))
		}
		values := node("values", []float64{1, 2, 3, 4})
		loss, err := New[float64](nil).Regression(c.squared, values, node("targets", c.targets))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := G.Grad(loss, values); err != nil {
			t.Fatal(err)
		}
		vm := G.NewTapeMachine(g, G.BindDualValues(values))
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		grad, err := values.Grad()
		if err != nil {
			t.Fatal(err)
		}
		if got := loss.Value().Data().(float64); math.Abs(got-c.want) > 1e-12 || grad.Data().([]float64)[2] != 0 {
			t.Errorf("%s: loss %g with gradient %v, want %g and 0 for the third", name, got, grad.Data(), c.want)
		}
		if err := vm.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
