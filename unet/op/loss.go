package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
)

// Ignored is the label of pixels that take no part in the loss.
const Ignored = 255

// DiceSmooth is added to numerator and denominator of each soft Dice, so that
// a class that is neither in the batch nor predicted scores 1.
const DiceSmooth = 1

// Loss describes the sum of cross-entropy and soft-Dice loss.
type Loss struct{ N, C, H, W int }

// DiceCE is the training loss: the mean cross-entropy of the softmax over the
// labelled pixels, plus one minus the mean soft Dice of the foreground
// classes, each taken over the whole batch:
//
//	Dice_k = (2·Σ p_k·[y=k] + s) / (Σ p_k + Σ [y=k] + s)
//
// (Milletari et al. 2016 for the Dice, with p in place of p² as Isensee et al.
// 2021 do; the sum with cross-entropy is theirs too). logits is N,C,H,W with
// C ≥ 2; labels is N,H,W of uint8, each below C or Ignored. A batch without a
// labelled pixel has loss 0. The result is a scalar.
func (s *Set[T]) DiceCE(logits, labels *G.Node) (*G.Node, error) {
	d := logits.Shape()
	if d.Dims() != 4 || d[1] < 2 {
		return nil, fmt.Errorf("op: loss: logits of shape %v", d)
	}
	l := &loss[T]{pool: s.pool, spec: Loss{d[0], d[1], d[2], d[3]}}
	in := []port{like(logits), {shape: []int{d[0], d[2], d[3]}, labels: true}}
	return s.apply(&operation[T]{
		spec: l.spec,
		in:   in,
		run: func(out []T, in args[T]) error {
			v, err := l.forward(in.f[0], in.b[1])
			out[0] = T(v)
			return err
		},
		wrt: []bool{true, false},
		diff: func(nodes G.Nodes, out, dy *G.Node) (G.Nodes, error) {
			// The loss itself is a child: what it leaves in l must be there.
			dx, err := s.apply(&operation[T]{
				spec: grad{l.spec, "logits"},
				in:   []port{in[1], {}, {}},
				out:  in[0],
				run: func(out []T, in args[T]) error {
					l.backward(out, in.b[0], float64(in.f[2][0]))
					return nil
				},
			}, nodes[1], out, dy)
			return G.Nodes{dx, nil}, err
		},
	}, logits, labels)
}

// loss holds what the derivative needs of the forward pass.
type loss[T kernel.Float] struct {
	pool    *kernel.Pool
	spec    Loss
	prob    []T         // softmax, N,C,H,W
	partial [][]float64 // by task: see sums
	total   []float64
}

// The sums over a set of pixels, in one slice so that partial sums can be
// added in a fixed order: cross-entropy, labelled pixels, pixels whose label
// is no class; then for each class Σ p·[y=k], Σ p and Σ [y=k].
const (
	sumCE = iota
	sumPixels
	sumBad
	sumClasses
)

// rows is how many rows one task takes: by shape only, so that the result
// does not depend on the number of threads.
const rows = 16

func (l *loss[T]) tasks() (perImage, all int) {
	perImage = (l.spec.H + rows - 1) / rows
	return perImage, perImage * l.spec.N
}

// span gives the image of a task and its pixels within it.
func (l *loss[T]) span(task int) (n, lo, hi int) {
	per, _ := l.tasks()
	n, r := task/per, task%per*rows
	return n, r * l.spec.W, min(r+rows, l.spec.H) * l.spec.W
}

func (l *loss[T]) forward(logits []T, labels []uint8) (float64, error) {
	k, hw := l.spec.C, l.spec.H*l.spec.W
	_, tasks := l.tasks()
	if l.prob == nil {
		l.prob = make([]T, len(logits))
		l.partial = make([][]float64, tasks)
		for i := range l.partial {
			l.partial[i] = make([]float64, sumClasses+3*k)
		}
		l.total = make([]float64, sumClasses+3*k)
	}
	l.pool.Run(tasks, func(task int) {
		n, lo, hi := l.span(task)
		l.softmax(l.partial[task], logits[n*k*hw:][:k*hw], l.prob[n*k*hw:][:k*hw], labels[n*hw:][:hw], lo, hi)
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
	if t[sumPixels] == 0 {
		return 0, nil
	}
	dice := 0.0
	for c := 1; c < k; c++ {
		i, d := l.dice(c)
		dice += i / d
	}
	return t[sumCE]/t[sumPixels] + 1 - dice/float64(k-1), nil
}

// dice returns numerator and denominator of the soft Dice of class c.
func (l *loss[T]) dice(c int) (num, den float64) {
	s := l.total[sumClasses+3*c:]
	return 2*s[0] + DiceSmooth, s[1] + s[2] + DiceSmooth
}

// softmax fills prob and the sums of the pixels lo to hi of one image.
func (l *loss[T]) softmax(sum []float64, logits, prob []T, labels []uint8, lo, hi int) {
	k, hw := l.spec.C, len(labels)
	clear(sum)
	for i := lo; i < hi; i++ {
		top := logits[i]
		for c := 1; c < k; c++ {
			top = max(top, logits[c*hw+i])
		}
		z := 0.0
		for c := range k {
			e := 1.0 // of the largest, without the library's help
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
		y := int(labels[i])
		if y == Ignored {
			continue
		}
		if y >= k {
			sum[sumBad]++
			continue
		}
		sum[sumPixels]++
		sum[sumCE] += math.Log(z) - float64(logits[y*hw+i]-top)
		sum[sumClasses+3*y] += float64(prob[y*hw+i])
		sum[sumClasses+3*y+2]++
		for c := range k {
			sum[sumClasses+3*c+1] += float64(prob[c*hw+i])
		}
	}
}

// backward writes dy times the derivative by the logits.
//
// With q_k the derivative of the Dice part by p_k at one pixel,
// d/dz_j = (p_j - [y=j])/M + p_j·(q_j - Σ_k q_k·p_k).
func (l *loss[T]) backward(out []T, labels []uint8, dy float64) {
	k, hw := l.spec.C, l.spec.H*l.spec.W
	clear(out)
	if l.total[sumPixels] == 0 {
		return
	}
	// q_k is on[k] where the label is k and off[k] elsewhere.
	on, off := make([]float64, k), make([]float64, k)
	for c := 1; c < k; c++ {
		num, den := l.dice(c)
		off[c] = dy / float64(k-1) * num / (den * den)
		on[c] = off[c] - dy/float64(k-1)*2/den
	}
	ce := dy / l.total[sumPixels]
	_, tasks := l.tasks()
	l.pool.Run(tasks, func(task int) {
		n, lo, hi := l.span(task)
		p, g, y := l.prob[n*k*hw:][:k*hw], out[n*k*hw:][:k*hw], labels[n*hw:][:hw]
		for i := lo; i < hi; i++ {
			label := int(y[i])
			if label == Ignored {
				continue
			}
			mean := 0.0
			for c := 1; c < k; c++ {
				q := off[c]
				if c == label {
					q = on[c]
				}
				mean += q * float64(p[c*hw+i])
			}
			for c := range k {
				q, hit := off[c], 0.0
				if c == label {
					q, hit = on[c], 1
				}
				pc := float64(p[c*hw+i])
				g[c*hw+i] = T(ce*(pc-hit) + pc*(q-mean))
			}
		}
	})
}
