package op

import (
	"errors"
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
)

// Statistics selects the values over which a normalisation computes mean and
// variance.
type Statistics string

// The three normalisations differ only in this.
const (
	Batch    Statistics = "batch"    // each channel, over the batch and all pixels
	Instance Statistics = "instance" // each channel of each image, over its pixels
	Group    Statistics = "group"    // each group of channels of each image
)

// NormEps is added to the variance, and NormMomentum is the weight of the
// newest batch in the running statistics: PyTorch's defaults.
const (
	NormEps      = 1e-5
	NormMomentum = 0.1
)

// Norm describes a normalisation with a learned scale and shift, optionally
// followed by ReLU. Its inputs are x, scale (γ), shift (β) and, for Batch, the
// running mean and variance.
type Norm struct {
	X      kernel.Shape
	Over   Statistics
	Groups int  // of Group
	ReLU   bool // y = max(0, γ·x̂ + β)
	Train  bool // Batch: take the statistics of the batch and update the running ones
	// ValidH and ValidW limit the pixels that count. Pixels right of and below
	// them are padding. Batch ignores them.
	ValidH, ValidW int
}

// Norm normalises x (Ioffe and Szegedy 2015; Ulyanov et al. 2016; Wu and He
// 2018). It fills in spec.X. gamma, beta, mean and variance are vectors over
// the channels; mean and variance are nil unless spec.Over is Batch. In
// training the run updates them in place, with the unbiased variance, as in
// PyTorch.
func (s *Set[T]) Norm(spec Norm, x Act, gamma, beta, mean, variance *G.Node) (Act, error) {
	spec.X = x.Shape
	if spec.Over == Batch || spec.ValidH == 0 {
		spec.ValidH, spec.ValidW = x.Shape.H, x.Shape.W
	}
	if spec.Over == Group && (spec.Groups < 1 || x.Shape.C%spec.Groups != 0) {
		return Act{}, fmt.Errorf("op: %d groups of %d channels", spec.Groups, x.Shape.C)
	}
	st := newStatistics[T](spec)
	vec := plain(x.Shape.C)
	o := &operation[T]{
		spec: spec,
		in:   []port{blocked(x.Shape), vec, vec},
		out:  blocked(x.Shape),
		run: func(out []T, in args[T]) error {
			x := act(spec.X, in.f[0])
			if spec.Over == Batch && !spec.Train {
				st.running(in.f[3], in.f[4])
			} else {
				st.measure(s.pool, x)
			}
			if spec.Over == Batch && spec.Train {
				st.update(in.f[3], in.f[4])
			}
			st.affine(in.f[1], in.f[2])
			kernel.ScaleShift(s.pool, act(spec.X, out), x, st.scale, st.shift, spec.ReLU)
			return nil
		},
		wrt: []bool{true, true, true},
		diff: func(in G.Nodes, _, dy *G.Node) (G.Nodes, error) {
			return s.normGrad(spec, st, in, dy)
		},
	}
	nodes := []*G.Node{x.Node, gamma, beta}
	if spec.Over == Batch {
		nodes = append(nodes, mean, variance)
		o.in, o.wrt = append(o.in, vec, vec), append(o.wrt, false, false)
	}
	n, err := s.apply(o, nodes...)
	a := Act{Node: n, Shape: x.Shape}
	if s.again && (spec.Over != Batch || spec.Train) {
		a.again = func(after *G.Node) (*G.Node, error) { return s.normAgain(spec, st, x.Node, after) }
	}
	return a, err
}

// normAgain recomputes the result of Norm for x from the stored statistics. It
// has after as a child so that it runs in the backward pass.
func (s *Set[T]) normAgain(spec Norm, st *statistics[T], x, after *G.Node) (*G.Node, error) {
	return s.apply(&operation[T]{
		spec: grad{spec, "again"},
		in:   []port{blocked(spec.X), like(after)},
		out:  blocked(spec.X),
		run: func(out []T, in args[T]) error {
			kernel.ScaleShift(s.pool, act(spec.X, out), act(spec.X, in.f[0]), st.scale, st.shift, spec.ReLU)
			return nil
		},
	}, x, after)
}

// normGrad adds d(x), which also leaves d(γ) and d(β) in the scratch memory of
// the statistics, and two nodes that read them there. Those have d(x) as a
// child so that they run after it.
func (s *Set[T]) normGrad(spec Norm, st *statistics[T], in G.Nodes, dy *G.Node) (G.Nodes, error) {
	switch {
	case spec.Over == Batch && !spec.Train:
		return nil, errors.New("op: normalisation with running statistics has no derivative")
	case spec.ValidH != spec.X.H || spec.ValidW != spec.X.W:
		return nil, errors.New("op: normalisation with padding has no derivative")
	}
	big, vec := blocked(spec.X), plain(spec.X.C)
	dx, err := s.apply(&operation[T]{
		spec: grad{spec, "x"},
		in:   []port{big, big, vec},
		out:  big,
		run: func(out []T, in args[T]) error {
			// Recompute scale·x + shift to see where ReLU passed y: reading y would
			// need a third more memory.
			x, dy := act(spec.X, in.f[0]), act(spec.X, in.f[1])
			st.gradient(s.pool, x, dy, in.f[2])
			kernel.NormGrad(s.pool, act(spec.X, out), x, dy, st.a, st.b, st.c, st.scale, st.shift, spec.ReLU)
			return nil
		},
	}, in[0], dy, in[1])
	if err != nil {
		return nil, err
	}
	grads := make(G.Nodes, len(in))
	grads[0] = dx
	for i, part := range []string{"scale", "shift"} {
		grads[1+i], err = s.apply(&operation[T]{
			spec: grad{spec, part},
			in:   []port{big},
			out:  vec,
			run: func(out []T, _ args[T]) error {
				copy(out, [][]T{st.dgamma, st.dbeta}[i])
				return nil
			},
		}, dx)
		if err != nil {
			return nil, err
		}
	}
	return grads, nil
}

// statistics holds means and variances of sets of (image, channel) pairs, and
// the values derived from them for each pair. Slices by pair have the layout of
// package kernel: N × blocks × 8, zero in the lanes beyond the channels.
type statistics[T kernel.Float] struct {
	spec       Norm
	mean, vari []float64 // by set
	sum, sum2  []float64 // by pair
	scale      []T       // by pair, as all below
	shift      []T
	a, b, c    []T
	dgamma     []T // by channel
	dbeta      []T
	m1, m2     []float64 // by set: means of γ·dy and of γ·dy·x̂
}

func newStatistics[T kernel.Float](spec Norm) *statistics[T] { return &statistics[T]{spec: spec} }

// grow allocates the slices at the first run, so that a graph that is only
// compiled takes no memory.
func (st *statistics[T]) grow() {
	if st.sum != nil {
		return
	}
	pairs, c := st.spec.X.N*st.spec.X.Blocks()*kernel.Lanes, st.spec.X.C
	f := make([]float64, 2*pairs+4*st.sets())
	cut := func(n int) []float64 { s := f[:n:n]; f = f[n:]; return s }
	st.sum, st.sum2 = cut(pairs), cut(pairs)
	st.mean, st.vari, st.m1, st.m2 = cut(st.sets()), cut(st.sets()), cut(st.sets()), cut(st.sets())
	g := make([]T, 5*pairs+2*c)
	cutT := func(n int) []T { s := g[:n:n]; g = g[n:]; return s }
	st.scale, st.shift, st.a, st.b, st.c = cutT(pairs), cutT(pairs), cutT(pairs), cutT(pairs), cutT(pairs)
	st.dgamma, st.dbeta = cutT(c), cutT(c)
}

// sets returns the number of sets, each with its own mean.
func (st *statistics[T]) sets() int {
	switch st.spec.Over {
	case Batch:
		return st.spec.X.C
	case Group:
		return st.spec.X.N * st.spec.Groups
	}
	return st.spec.X.N * st.spec.X.C
}

// set returns the set to which channel c of image n belongs.
func (st *statistics[T]) set(n, c int) int {
	switch st.spec.Over {
	case Batch:
		return c
	case Group:
		return n*st.spec.Groups + c/(st.spec.X.C/st.spec.Groups)
	}
	return n*st.spec.X.C + c
}

// count returns the number of values in each set.
func (st *statistics[T]) count() float64 {
	x := st.spec.X
	return float64(x.N*x.C/st.sets()) * float64(st.spec.ValidH) * float64(st.spec.ValidW)
}

// each visits the (image, channel) pairs with their index and their set.
func (st *statistics[T]) each(f func(pair, c, set int)) {
	x := st.spec.X
	for n := range x.N {
		for c := range x.C {
			f(n*x.Blocks()*kernel.Lanes+c, c, st.set(n, c))
		}
	}
}

// measure computes mean and biased variance of each set.
func (st *statistics[T]) measure(p *kernel.Pool, x kernel.Act[T]) {
	st.grow()
	kernel.Moments(p, st.sum, st.sum2, x, st.spec.ValidH, st.spec.ValidW)
	clear(st.mean)
	clear(st.vari)
	st.each(func(i, _, s int) {
		st.mean[s] += st.sum[i]
		st.vari[s] += st.sum2[i]
	})
	m := st.count()
	for s := range st.mean {
		st.mean[s] /= m
		st.vari[s] = math.Max(0, st.vari[s]/m-st.mean[s]*st.mean[s])
	}
}

// running uses the statistics gathered in training (Batch).
func (st *statistics[T]) running(mean, variance []T) {
	st.grow()
	for c := range mean {
		st.mean[c], st.vari[c] = float64(mean[c]), float64(variance[c])
	}
}

// update moves the running statistics towards those of this batch, unless these
// are not finite: one bad batch must not ruin inference.
func (st *statistics[T]) update(mean, variance []T) {
	unbiased := 1.0
	if m := st.count(); m > 1 {
		unbiased = m / (m - 1)
	}
	for c := range mean {
		if d := st.mean[c] - st.vari[c]; d-d != 0 {
			continue
		}
		mean[c] = T((1-NormMomentum)*float64(mean[c]) + NormMomentum*st.mean[c])
		variance[c] = T((1-NormMomentum)*float64(variance[c]) + NormMomentum*unbiased*st.vari[c])
	}
}

func (st *statistics[T]) inverse(set int) float64 { return 1 / math.Sqrt(st.vari[set]+NormEps) }

// affine turns the statistics into the scale and shift of each pair.
func (st *statistics[T]) affine(gamma, beta []T) {
	st.each(func(i, c, s int) {
		k := float64(gamma[c]) * st.inverse(s)
		st.scale[i], st.shift[i] = T(k), T(float64(beta[c])-k*st.mean[s])
	})
}

// gradient computes d(γ), d(β) and the coefficients of dx = a·dy + b·x + c.
//
// With x̂ = (x-μ)·r, r = 1/√(σ²+ε) and g = γ·dy, the derivative is
// dx = r·(g - mean(g) - x̂·mean(g·x̂)), means over the set (Ioffe and Szegedy
// 2015, section 3). Σdy and Σdy·x by pair are all that it needs.
func (st *statistics[T]) gradient(p *kernel.Pool, x, dy kernel.Act[T], gamma []T) {
	kernel.NormGradSums(p, st.sum, st.sum2, x, dy, st.scale, st.shift, st.spec.ReLU)
	dgamma, dbeta := make([]float64, len(st.dgamma)), make([]float64, len(st.dbeta))
	clear(st.m1)
	clear(st.m2)
	st.each(func(i, c, s int) {
		dyx := st.inverse(s) * (st.sum2[i] - st.mean[s]*st.sum[i]) // Σdy·x̂
		dbeta[c] += st.sum[i]
		dgamma[c] += dyx
		st.m1[s] += float64(gamma[c]) * st.sum[i]
		st.m2[s] += float64(gamma[c]) * dyx
	})
	for c := range dgamma {
		st.dgamma[c], st.dbeta[c] = T(dgamma[c]), T(dbeta[c])
	}
	m := st.count()
	st.each(func(i, c, s int) {
		r, m1, m2 := st.inverse(s), st.m1[s]/m, st.m2[s]/m
		st.a[i] = T(r * float64(gamma[c]))
		st.b[i] = T(-r * r * m2)
		st.c[i] = T(-r*m1 + r*r*m2*st.mean[s])
	})
}

// Normalizer runs a Norm outside a graph, for a plan compiled from one. It
// owns scratch memory and is not safe for concurrent use.
type Normalizer[T kernel.Float] struct{ st *statistics[T] }

// NewNormalizer returns a Normalizer for spec, which must not be over Batch:
// in inference that is an affine map that FoldBatch computes beforehand.
func NewNormalizer[T kernel.Float](spec Norm) *Normalizer[T] {
	if spec.Over == Batch {
		panic("op: Normalizer over a batch")
	}
	return &Normalizer[T]{st: newStatistics[T](spec)}
}

// Run normalises x into y, which may be x.
func (n *Normalizer[T]) Run(p *kernel.Pool, y, x kernel.Act[T], gamma, beta []T) {
	n.st.measure(p, x)
	n.st.affine(gamma, beta)
	kernel.ScaleShift(p, y, x, n.st.scale, n.st.shift, n.st.spec.ReLU)
}

// FoldBatch returns the scale and shift that batch normalisation applies to
// each channel in inference.
func FoldBatch[T kernel.Float](gamma, beta, mean, variance []T) (scale, shift []float64) {
	scale, shift = make([]float64, len(gamma)), make([]float64, len(gamma))
	for c := range gamma {
		scale[c] = float64(gamma[c]) / math.Sqrt(float64(variance[c])+NormEps)
		shift[c] = float64(beta[c]) - scale[c]*float64(mean[c])
	}
	return scale, shift
}
