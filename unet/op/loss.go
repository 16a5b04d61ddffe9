package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
)

// Ignored is the label of pixels that are excluded from the loss.
const Ignored = 255

// DiceSmooth is added to the numerator and denominator of each soft Dice, so
// that a class that is neither in the batch nor predicted scores 1.
const DiceSmooth = 1

// Terms selects the terms of a segmentation loss. One is a mean over the labelled
// pixels, where p is the probability of a pixel's own class:
//
//	Pixel·(1-p)^Gamma·(-log p)
//
// With Gamma 0 this is cross-entropy, otherwise the focal loss of Lin et al. 2017.
// The other term is one minus the mean overlap of the foreground classes, each taken
// over the whole batch:
//
//	I_k = (2·TP + s) / (2·TP + 2·Alpha·FP + 2·Beta·FN + s)
//	TP = Σ p_k·[y=k], FP = Σ p_k·[y≠k], FN = Σ (1-p_k)·[y=k]
//
// If Alpha and Beta are ½, this is the soft Dice of Milletari et al. 2016, with p
// instead of p² as in Isensee et al. 2021. Otherwise it is the Tversky index of
// Salehi et al. 2017.
type Terms struct {
	Pixel       bool // the mean over pixels
	Gamma       float64
	Overlap     bool // one minus the mean overlap
	Alpha, Beta float64
	// Classes weights the classes, background first; empty means equal weights. A
	// pixel counts with the weight of its class divided by the sum of all
	// weights, as in PyTorch, and so does the overlap of a class.
	Classes []float64
}

// DiceCE is the sum of soft Dice and cross-entropy (Isensee et al. 2021).
func DiceCE() Terms { return Terms{Pixel: true, Overlap: true, Alpha: 0.5, Beta: 0.5} }

// Loss describes a segmentation loss.
type Loss struct {
	N, C, H, W int
	Terms
	Weighted bool // a third input weighs the pixels
}

// Loss is a training loss over the softmax of the logits. logits is N,C,H,W
// with C ≥ 2. labels is N,H,W of uint8, each below C or Ignored. weights, which
// may be nil, is N,H,W and multiplies the weight of each pixel in the mean over
// pixels. If the pixels of a batch have no weight, its loss is 0. The result is
// a scalar.
func (s *Set[T]) Loss(t Terms, logits, labels, weights *G.Node) (*G.Node, error) {
	d := logits.Shape()
	if d.Dims() != 4 || d[1] < 2 || len(t.Classes) != 0 && len(t.Classes) != d[1] {
		return nil, fmt.Errorf("op: loss: logits of shape %v, %d class weights", d, len(t.Classes))
	}
	spec := Loss{N: d[0], C: d[1], H: d[2], W: d[3], Terms: t, Weighted: weights != nil}
	l := newLoss[T](s.pool, spec)
	nodes := []*G.Node{logits, labels}
	in := []port{like(logits), {shape: []int{d[0], d[2], d[3]}, labels: true}}
	if weights != nil {
		nodes, in = append(nodes, weights), append(in, plain(d[0], d[2], d[3]))
	}
	return s.apply(&operation[T]{
		spec: l.spec,
		in:   in,
		run: func(out []T, a args[T]) error {
			var w []T
			if spec.Weighted {
				w = a.f[2]
			}
			v, err := l.forward(a.f[0], a.b[1], w)
			out[0] = T(v)
			return err
		},
		wrt: []bool{true, false, false}[:len(in)],
		diff: func(nodes G.Nodes, out, dy *G.Node) (G.Nodes, error) {
			// The loss itself is a child, because its results in l must exist.
			dx, err := s.apply(&operation[T]{
				spec: grad{l.spec, "logits"},
				in:   []port{in[1], {}, {}},
				out:  in[0],
				run: func(out []T, a args[T]) error {
					l.backward(out, a.b[0], float64(a.f[2][0]))
					return nil
				},
			}, nodes[1], out, dy)
			return append(G.Nodes{dx}, make(G.Nodes, len(in)-1)...), err
		},
	}, nodes...)
}

// Total describes a weighted sum of scalars.
type Total struct{ Weights []float64 }

// Total is the sum of scalars, each multiplied by its weight.
func (s *Set[T]) Total(weights []float64, x ...*G.Node) (*G.Node, error) {
	if len(x) == 0 || len(x) != len(weights) {
		return nil, fmt.Errorf("op: %d weights of %d scalars", len(weights), len(x))
	}
	spec := Total{weights}
	o := &operation[T]{spec: spec, in: make([]port, len(x)), run: func(out []T, in args[T]) error {
		sum := 0.0
		for i, w := range weights {
			sum += w * float64(in.f[i][0])
		}
		out[0] = T(sum)
		return nil
	}}
	for range x {
		o.wrt = append(o.wrt, true)
	}
	o.diff = func(in G.Nodes, _, dy *G.Node) (G.Nodes, error) {
		grads := make(G.Nodes, len(in))
		for i, w := range weights {
			var err error
			grads[i], err = s.apply(&operation[T]{
				spec: grad{spec, fmt.Sprint("scalar ", i)},
				in:   []port{{}},
				run: func(out []T, in args[T]) error {
					out[0] = T(w * float64(in.f[0][0]))
					return nil
				},
			}, dy)
			if err != nil {
				return nil, err
			}
		}
		return grads, nil
	}
	return s.apply(o, x...)
}

// loss holds what the derivative needs from the forward pass.
type loss[T kernel.Float] struct {
	pool    *kernel.Pool
	spec    Loss
	class   []float64   // weight of each
	overlap []float64   // share of each class in the mean overlap; background 0
	prob    []T         // softmax, N,C,H,W
	factor  []T         // N,H,W: of the gradient of each pixel; nil: 1
	partial [][]float64 // by task: see sums
	total   []float64
}

func newLoss[T kernel.Float](pool *kernel.Pool, spec Loss) *loss[T] {
	l := &loss[T]{pool: pool, spec: spec, class: make([]float64, spec.C), overlap: make([]float64, spec.C)}
	sum := 0.0
	for c := range l.class {
		l.class[c] = 1
		if len(spec.Classes) > 0 {
			l.class[c] = spec.Classes[c]
		}
		if c > 0 {
			sum += l.class[c]
		}
	}
	for c := 1; c < spec.C && sum > 0; c++ {
		l.overlap[c] = l.class[c] / sum
	}
	return l
}

// even reports whether all pixels of the mean have the same weight, so that
// their gradient needs no factor.
func (l *loss[T]) even() bool {
	return l.spec.Gamma == 0 && len(l.spec.Classes) == 0 && !l.spec.Weighted
}

// The sums over a set of pixels, in one slice so that partial sums can be
// added in a fixed order: the loss of pixels, their weights, pixels whose label
// is no class; then for each class Σ p·[y=k], Σ p and Σ [y=k].
const (
	sumPixel = iota
	sumWeight
	sumBad
	sumClasses
)

// rows is the number of rows per task. It does not depend on the number of
// threads, so neither does the result.
const rows = 16

func (l *loss[T]) tasks() (perImage, all int) {
	perImage = (l.spec.H + rows - 1) / rows
	return perImage, perImage * l.spec.N
}

// span returns the image of a task and its range of pixels.
func (l *loss[T]) span(task int) (n, lo, hi int) {
	per, _ := l.tasks()
	n, r := task/per, task%per*rows
	return n, r * l.spec.W, min(r+rows, l.spec.H) * l.spec.W
}

func (l *loss[T]) forward(logits []T, labels []uint8, weights []T) (float64, error) {
	k, hw := l.spec.C, l.spec.H*l.spec.W
	_, tasks := l.tasks()
	if l.prob == nil {
		l.prob = make([]T, len(logits))
		if !l.even() {
			l.factor = make([]T, len(labels))
		}
		l.partial = make([][]float64, tasks)
		for i := range l.partial {
			l.partial[i] = make([]float64, sumClasses+3*k)
		}
		l.total = make([]float64, sumClasses+3*k)
	}
	l.pool.Run(tasks, func(task int) {
		n, lo, hi := l.span(task)
		p := pixels[T]{logits: logits[n*k*hw:][:k*hw], prob: l.prob[n*k*hw:][:k*hw], labels: labels[n*hw:][:hw]}
		if l.factor != nil {
			p.factor = l.factor[n*hw:][:hw]
		}
		if weights != nil {
			p.weights = weights[n*hw:][:hw]
		}
		l.softmax(l.partial[task], p, lo, hi)
	})
	clear(l.total)
	for _, p := range l.partial {
		for i, v := range p {
			l.total[i] += v
		}
	}
	t := l.total
	if t[sumBad] > 0 {
		return 0, fmt.Errorf("%v labels are neither below %d nor %d", t[sumBad], k, Ignored)
	}
	if t[sumWeight] == 0 {
		return 0, nil
	}
	v := 0.0
	if l.spec.Pixel {
		v = t[sumPixel] / t[sumWeight]
	}
	if l.spec.Overlap {
		v++
		for c := 1; c < k; c++ {
			num, den := l.index(c)
			v -= l.overlap[c] * num / den
		}
	}
	return v, nil
}

// index returns numerator and denominator of the overlap of class c.
func (l *loss[T]) index(c int) (num, den float64) {
	s := l.total[sumClasses+3*c:]
	a, b := 2*l.spec.Alpha, 2*l.spec.Beta
	return 2*s[0] + DiceSmooth, (2-a-b)*s[0] + a*s[1] + b*s[2] + DiceSmooth
}

// pixels are those of one image.
type pixels[T kernel.Float] struct {
	logits, prob    []T // C, H·W
	labels          []uint8
	factor, weights []T // H·W or nil
}

// softmax fills prob, factor and the sums of the pixels lo to hi of one image.
func (l *loss[T]) softmax(sum []float64, p pixels[T], lo, hi int) {
	k, hw := l.spec.C, len(p.labels)
	logits, prob := p.logits, p.prob
	clear(sum)
	for i := lo; i < hi; i++ {
		top := logits[i]
		for c := 1; c < k; c++ {
			top = max(top, logits[c*hw+i])
		}
		z := 0.0
		for c := range k {
			e := 1.0 // of the largest, computed inline
			if d := logits[c*hw+i] - top; d != 0 {
				e = math.Exp(float64(d))
			}
			prob[c*hw+i] = T(e)
			z += e
		}
		r := 1 / z
		for c := range k {
			prob[c*hw+i] = T(float64(prob[c*hw+i]) * r)
		}
		y := int(p.labels[i])
		if y == Ignored {
			continue
		}
		if y >= k {
			sum[sumBad]++
			continue
		}
		ce := math.Log(z) - float64(logits[y*hw+i]-top)
		if l.factor == nil {
			sum[sumWeight]++
			sum[sumPixel] += ce
		} else {
			u := l.class[y]
			if p.weights != nil {
				u *= float64(p.weights[i])
			}
			f, slope := l.focus(float64(prob[y*hw+i]), ce)
			sum[sumWeight] += u
			sum[sumPixel] += u * f * ce
			p.factor[i] = T(u * slope)
		}
		sum[sumClasses+3*y] += float64(prob[y*hw+i])
		sum[sumClasses+3*y+2]++
		for c := range k {
			sum[sumClasses+3*c+1] += float64(prob[c*hw+i])
		}
	}
}

// focus returns the factor by which the focal loss multiplies the cross-entropy of a
// pixel, and the factor of its derivative with respect to the logits. With q = 1-p,
// d(q^γ·ce)/dz_j = (q^γ + γ·p·q^(γ-1)·ce)·(p_j - [y=j]).
func (l *loss[T]) focus(p, ce float64) (factor, slope float64) {
	switch g, q := l.spec.Gamma, 1-p; {
	case g == 0:
		return 1, 1
	case q <= 0:
		return 0, 0
	case g == 2: // the common case, computed inline
		return q * q, q*q + 2*p*q*ce
	default:
		f := math.Pow(q, g)
		return f, f + g*p*f/q*ce
	}
}

// backward writes dy times the derivative with respect to the logits.
//
// Let q_k be the derivative of the overlap part with respect to p_k at one pixel, w
// its weight and factor, and M the sum of the weights. Then d/dz_j = w·(p_j -
// [y=j])/M + p_j·(q_j - Σ_k q_k·p_k).
func (l *loss[T]) backward(out []T, labels []uint8, dy float64) {
	k, hw := l.spec.C, l.spec.H*l.spec.W
	clear(out)
	if l.total[sumWeight] == 0 {
		return
	}
	// q_k is on[k] if the label is k, and off[k] otherwise.
	on, off := make([]float64, k), make([]float64, k)
	for c := 1; c < k && l.spec.Overlap; c++ {
		num, den := l.index(c)
		share := dy * l.overlap[c]
		off[c] = share * num / (den * den) * 2 * l.spec.Alpha
		on[c] = share*num/(den*den)*2*(1-l.spec.Beta) - share*2/den
	}
	mean := 0.0
	if l.spec.Pixel {
		mean = dy / l.total[sumWeight]
	}
	_, tasks := l.tasks()
	l.pool.Run(tasks, func(task int) {
		n, lo, hi := l.span(task)
		p, g, y := l.prob[n*k*hw:][:k*hw], out[n*k*hw:][:k*hw], labels[n*hw:][:hw]
		for i := lo; i < hi; i++ {
			label := int(y[i])
			if label == Ignored {
				continue
			}
			u := mean
			if l.factor != nil {
				u *= float64(l.factor[n*hw+i])
			}
			sum := 0.0
			for c := 1; c < k; c++ {
				q := off[c]
				if c == label {
					q = on[c]
				}
				sum += q * float64(p[c*hw+i])
			}
			for c := range k {
				q, hit := off[c], 0.0
				if c == label {
					q, hit = on[c], 1
				}
				pc := float64(p[c*hw+i])
				g[c*hw+i] = T(u*(pc-hit) + pc*(q-sum))
			}
		}
	})
}
