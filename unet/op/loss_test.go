package op

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// lossCases covers each term, and their common settings.
var lossCases = map[string]struct {
	terms    Terms
	weighted bool
}{
	"ce":                   {Terms{Pixel: true}, false},
	"ce+dice":              {DiceCE(), false},
	"focal":                {Terms{Pixel: true, Gamma: 2}, false},
	"focal 0.5":            {Terms{Pixel: true, Gamma: 0.5}, false},
	"tversky":              {Terms{Overlap: true, Alpha: 0.3, Beta: 0.9}, false},
	"focal+tversky":        {Terms{Pixel: true, Gamma: 1.5, Overlap: true, Alpha: 0.3, Beta: 0.7}, false},
	"class weights":        {Terms{Pixel: true, Overlap: true, Alpha: 0.5, Beta: 0.5, Classes: []float64{0.2, 1, 4}}, false},
	"pixel weights":        {DiceCE(), true},
	"focal, both weighted": {Terms{Pixel: true, Gamma: 2, Classes: []float64{0.2, 1, 4}}, true},
}

func TestLossGradient(t *testing.T) {
	labels := leaf{name: "labels", dims: tensor.Shape{2, 4, 5}, labels: make([]uint8, 40)}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range labels.labels {
		labels.labels[i] = [...]uint8{0, 1, 2, Ignored}[rng.IntN(4)]
	}
	for name, tt := range lossCases {
		t.Run(name, func(t *testing.T) {
			leaves := []leaf{plainLeaf("logits", 2, 3, 4, 5), labels}
			if tt.weighted {
				leaves = append(leaves, leaf{name: "weights", dims: tensor.Shape{2, 4, 5}, fixed: true, lo: 0.5})
			}
			checkGradient(t, func(g *graph) (*G.Node, error) {
				var w *G.Node
				if tt.weighted {
					w = g.in[2]
				}
				return g.ops.Loss(tt.terms, g.in[0], g.in[1], w)
			}, leaves...)
		})
	}
}

// testdata/losses.json holds PyTorch's results in float64. The sums are the same in a
// different order.
func TestLossAgainstPyTorch(t *testing.T) {
	b, err := os.ReadFile("testdata/losses.json")
	if err != nil {
		t.Fatal(err)
	}
	var refs []struct {
		Terms
		Name     string
		Weighted bool
		Loss     float64
		Gradient []float64
	}
	if err := json.Unmarshal(b, &refs); err != nil {
		t.Fatal(err)
	}
	if len(refs) != 10 {
		t.Errorf("%d references", len(refs))
	}
	labels := leaf{name: "labels", dims: tensor.Shape{2, 4, 5}, labels: make([]uint8, 40)}
	for i := range labels.labels {
		labels.labels[i] = [...]uint8{0, 1, 2, 1, 0, Ignored, 2}[i%7]
	}
	for _, ref := range refs {
		t.Run(ref.Name, func(t *testing.T) {
			bench := newBench(t, plainLeaf("logits", 2, 3, 4, 5), labels, leaf{name: "weights", dims: tensor.Shape{2, 4, 5}, fixed: true})
			z, w := bench.values[0].Data().([]float64), bench.values[2].Data().([]float64)
			for i := range z {
				z[i] = 3 * math.Sin(0.7*float64(i))
			}
			for i := range w {
				w[i] = 1 + 2*math.Pow(math.Cos(0.3*float64(i)), 2)
			}
			g, _ := bench.build(func(g *graph) (*G.Node, error) {
				weights := g.in[2]
				if !ref.Weighted {
					weights = nil
				}
				return g.ops.Loss(ref.Terms, g.in[0], g.in[1], weights)
			}, nil)
			var loss G.Value
			G.Read(g.loss, &loss)
			got := bench.gradients(g)[0]
			if v := loss.Data().(float64); math.Abs(v-ref.Loss) > 1e-12 {
				t.Errorf("loss %v, PyTorch has %v", v, ref.Loss)
			}
			for i, want := range ref.Gradient {
				if math.Abs(got[i]-want) > 1e-12 {
					t.Fatalf("gradient %d is %v, PyTorch has %v", i, got[i], want)
				}
			}
		})
	}
}

func TestLossValue(t *testing.T) {
	// With equal logits, cross-entropy is ln 2. Dice of class 1 is
	// (2·½·2+1)/(4·½+2+1), without the ignored pixel.
	b := newBench(t, plainLeaf("logits", 1, 2, 1, 5),
		leaf{name: "labels", dims: tensor.Shape{1, 1, 5}, labels: []uint8{0, 1, 1, 0, Ignored}})
	b.values[0].Zero()
	g, _ := b.build(func(g *graph) (*G.Node, error) { return g.ops.Loss(DiceCE(), g.in[0], g.in[1], nil) }, nil)
	run := func() (float64, error) {
		vm := G.NewTapeMachine(g.loss.Graph())
		defer func() { _ = vm.Close() }()
		if err := vm.RunAll(); err != nil {
			return 0, err
		}
		return g.loss.Value().Data().(float64), nil
	}
	got, err := run()
	if want := math.Log(2) + 1 - 3.0/5; err != nil || math.Abs(got-want) > 1e-12 {
		t.Errorf("loss %v (%v), want %v", got, err, want)
	}
	b.leaves[1].labels[0] = 2
	if _, err := run(); err == nil || !strings.Contains(err.Error(), "labels") {
		t.Errorf("a label that is not a class gives %v", err)
	}
	for i := range b.leaves[1].labels {
		b.leaves[1].labels[i] = Ignored
	}
	if got, err := run(); got != 0 || err != nil {
		t.Errorf("without labelled pixels the loss is %v (%v)", got, err)
	}
}
