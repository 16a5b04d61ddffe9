package op

import (
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd/internal/kernel"
)

// leaf is one input of an operation under test.
type leaf struct {
	name   string
	act    *kernel.Shape // blocked
	dims   tensor.Shape  // plain
	fixed  bool          // no derivative
	labels []uint8
	lo     float64 // added to the normal numbers, to keep a variance positive
}

func blockedLeaf(name string, n, c, h, w int) leaf {
	return leaf{name: name, act: &kernel.Shape{N: n, C: c, H: h, W: w}}
}
func plainLeaf(name string, dims ...int) leaf { return leaf{name: name, dims: dims} }

// bench holds a graph's inputs, whose values the test changes in place.
type bench struct {
	t      *testing.T
	leaves []leaf
	values []*tensor.Dense
	rng    *rand.Rand
}

func newBench(t *testing.T, leaves ...leaf) *bench {
	b := &bench{t: t, leaves: leaves, rng: rand.New(rand.NewPCG(7, 11))}
	for _, l := range leaves {
		switch {
		case l.labels != nil:
			b.values = append(b.values, tensor.New(tensor.WithShape(l.dims...), tensor.WithBacking(l.labels)))
		case l.act != nil:
			b.values = append(b.values, tensor.New(tensor.WithShape(l.act.Dims()...), tensor.WithBacking(b.packed(*l.act))))
		default:
			b.values = append(b.values, tensor.New(tensor.WithShape(l.dims...), tensor.WithBacking(b.normal(l.dims.TotalSize(), l.lo))))
		}
	}
	return b
}

func (b *bench) normal(n int, lo float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = b.rng.NormFloat64()
		if lo > 0 {
			v[i] = lo + math.Abs(v[i])
		}
	}
	return v
}

// packed is a random activation with zeros in halo and pad lanes.
func (b *bench) packed(s kernel.Shape) []float64 {
	a := kernel.NewAct[float64](s)
	kernel.Pack(nil, a, b.normal(s.N*s.C*s.H*s.W, 0))
	return a.Data
}

type graph struct {
	ops  *Set[float64]
	in   []*G.Node
	acts []Act
	out  *G.Node
	loss *G.Node
}

// build makes a graph of f and, unless f's result is a scalar, of a loss that
// weighs each element of the result with a fixed random number.
func (b *bench) build(f func(g *graph) (*G.Node, error), weights *tensor.Dense) (*graph, *tensor.Dense) {
	b.t.Helper()
	e := G.NewGraph()
	g := &graph{ops: New[float64](kernel.NewPool(1, kernel.Set{}))}
	for i, l := range b.leaves {
		dt := tensor.Float64
		if l.labels != nil {
			dt = tensor.Uint8
		}
		v := b.values[i]
		n := G.NewTensor(e, dt, v.Dims(), G.WithShape(v.Shape()...), G.WithName(l.name), G.WithValue(v))
		g.in = append(g.in, n)
		a := Act{Node: n}
		if l.act != nil {
			a.Shape = *l.act
		}
		g.acts = append(g.acts, a)
	}
	var err error
	if g.out, err = f(g); err != nil {
		b.t.Fatal(err)
	}
	if g.loss = g.out; g.out.IsScalar() {
		return g, nil
	}
	if weights == nil {
		d := g.out.Shape()
		w := b.normal(d.TotalSize(), 0)
		if d.Dims() == 5 { // like every gradient of an activation: zero outside the pixels
			w = b.packed(b.shapeOf(g))
		}
		weights = tensor.New(tensor.WithShape(d...), tensor.WithBacking(w))
	}
	w := G.NewTensor(e, tensor.Float64, weights.Dims(), G.WithShape(weights.Shape()...), G.WithName("weights"), G.WithValue(weights))
	g.loss = G.Must(G.Sum(G.Must(G.HadamardProd(g.out, w))))
	return g, weights
}

// shapeOf returns the true shape of the output, which its op knows.
func (b *bench) shapeOf(g *graph) kernel.Shape {
	switch s := Spec(g.out.Op()).(type) {
	case Conv:
		return s.Out
	case Norm:
		return s.X
	case MaxPool:
		return kernel.Shape{N: s.In.N, C: s.In.C, H: s.In.H / 2, W: s.In.W / 2}
	case Pack:
		return s.Out
	case Add:
		return s.X
	case ReLU:
		return s.X
	case Gate:
		return s.X
	case Bilinear:
		return kernel.Shape{N: s.In.N, C: s.In.C, H: 2 * s.In.H, W: 2 * s.In.W}
	}
	b.t.Fatalf("no shape of %v", g.out.Op())
	return kernel.Shape{}
}

// inside says which elements of a value are pixels of true channels.
func inside(l leaf, n int) []bool {
	in := make([]bool, n)
	if l.act == nil {
		for i := range in {
			in[i] = true
		}
		return in
	}
	s := *l.act
	for i := range in {
		lane, x, y, blk := i%8, i/8%(s.W+2), i/8/(s.W+2)%(s.H+2), i/8/(s.W+2)/(s.H+2)%s.Blocks()
		in[i] = blk*8+lane < s.C && x > 0 && x <= s.W && y > 0 && y <= s.H
	}
	return in
}

// gradients runs the derivative twice, with Reset between, and returns it.
func (b *bench) gradients(g *graph) map[int][]float64 {
	b.t.Helper()
	var wrt G.Nodes
	for i, l := range b.leaves {
		if !l.fixed && l.labels == nil {
			wrt = append(wrt, g.in[i])
		}
	}
	if _, err := G.Grad(g.loss, wrt...); err != nil {
		b.t.Fatal(err)
	}
	vm := G.NewTapeMachine(g.loss.Graph(), G.BindDualValues(wrt...))
	defer func() { _ = vm.Close() }()
	grads := map[int][]float64{}
	for run := range 2 {
		if err := vm.RunAll(); err != nil {
			b.t.Fatal(err)
		}
		for i, l := range b.leaves {
			if l.fixed || l.labels != nil {
				continue
			}
			v, err := g.in[i].Grad()
			if err != nil {
				b.t.Fatal(err)
			}
			d := v.Data().([]float64)
			if run == 1 {
				for j := range d {
					if d[j] != grads[i][j] {
						b.t.Fatalf("%s: the second run gives another gradient", l.name)
					}
				}
			}
			grads[i] = append([]float64{}, d...)
			clear(d)
		}
		vm.Reset()
	}
	return grads
}

// checkGradient compares the symbolic derivative of f with central differences. In
// float64 with a step of 1e-5 these are accurate to about 1e-9 of the values; 1e-6
// leaves room for the sums.
func checkGradient(t *testing.T, f func(g *graph) (*G.Node, error), leaves ...leaf) {
	t.Helper()
	b := newBench(t, leaves...)
	g, weights := b.build(f, nil)
	grads := b.gradients(g)
	e, _ := b.build(f, weights)
	var out G.Value
	G.Read(e.loss, &out)
	vm := G.NewTapeMachine(e.loss.Graph())
	defer func() { _ = vm.Close() }()
	eval := func() float64 {
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		vm.Reset()
		return out.Data().(float64)
	}
	for i, l := range leaves {
		got, ok := grads[i]
		if !ok {
			continue
		}
		x := b.values[i].Data().([]float64)
		scale, worst := 0.0, 0.0
		for j, in := range inside(l, len(x)) {
			if !in {
				if got[j] != 0 {
					t.Fatalf("%s: gradient %v in halo or pad lane %d", l.name, got[j], j)
				}
				continue
			}
			const h = 1e-5
			v := x[j]
			x[j] = v + h
			hi := eval()
			x[j] = v - h
			lo := eval()
			x[j] = v
			want := (hi - lo) / (2 * h)
			scale = max(scale, math.Abs(want))
			worst = max(worst, math.Abs(want-got[j]))
		}
		if scale == 0 || worst > 1e-6*max(1, scale) {
			t.Errorf("%s: gradient off by %.1e, the largest is %.1e", l.name, worst, scale)
		}
	}
}
