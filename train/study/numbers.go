package study

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"segd/train"
	"segd/unet"
)

// spread is the spread of a figure over several trainings.
type spread struct {
	n               int
	mean, low, high float64
}

func spreadOf(values []float64) spread {
	s := spread{n: len(values), low: math.Inf(1), high: math.Inf(-1)}
	for _, v := range values {
		s.mean += v / float64(len(values))
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
	return s
}

// text formats a spread with the given verb. It omits the ends if they are equal.
func (s spread) text(verb string) string {
	switch {
	case s.n == 0:
		return "–"
	case s.n == 1 || s.low == s.high:
		return fmt.Sprintf(verb, s.mean)
	}
	return fmt.Sprintf(verb+" ["+verb+", "+verb+"]", s.mean, s.low, s.high)
}

// over collects a figure from each training.
func over(list []*training, f func(t *training) float64) spread {
	values := make([]float64, len(list))
	for i, t := range list {
		values[i] = f(t)
	}
	return spreadOf(values)
}

// overRatios is like over, but with the geometric mean, which suits ratios: the mean
// of a tenth and ten is 1.
func overRatios(list []*training, f func(t *training) float64) spread {
	s := over(list, f)
	logs := over(list, func(t *training) float64 { return math.Log(f(t)) })
	s.mean = math.Exp(logs.mean)
	return s
}

// tail is the share of a training that counts as its beginning or end.
const tail = 10

// lossAt returns the mean loss over the first or last tenth of the steps.
func (t *training) lossAt(end bool) float64 {
	n := max(1, len(t.Losses)/tail)
	part := t.Losses
	switch {
	case len(part) == 0:
		return math.NaN()
	case end:
		part = part[len(part)-n:]
	default:
		part = part[:n]
	}
	sum := 0.0
	for _, l := range part {
		sum += l
	}
	return sum / float64(len(part))
}

// against returns the difference in Dice between each training and the reference with
// the same seed, which had the same split and patches.
func (s *study) against(v, ref Variant) (spread, bool) {
	var differences []float64
	for _, t := range s.of(v) {
		for _, r := range s.of(ref) {
			if r.Seed == t.Seed {
				differences = append(differences, t.Dice-r.Dice)
			}
		}
	}
	return spreadOf(differences), len(differences) > 0 && v.Name != ref.Name
}

// stage is the place of a layer in the network: the encoder's blocks down to the
// bottleneck, the decoder's blocks up, and the head.
func stage(layer string, depth int) int {
	part, rest, _ := strings.Cut(layer, ".")
	level := 0
	if digits, _, _ := strings.Cut(rest, "."); digits != "" {
		_, _ = fmt.Sscan(digits, &level) // no number: level 0, as for the head
	}
	switch part {
	case "enc":
		return level
	case "bottleneck":
		return depth
	case "up", "att", "dec":
		return 2*depth - level
	}
	return 2*depth + 1
}

// stageNames names the stages.
func stageNames(depth int) []string {
	var names []string
	for l := range depth {
		names = append(names, fmt.Sprint("enc.", l))
	}
	names = append(names, "bottleneck")
	for l := depth - 1; l >= 0; l-- {
		names = append(names, fmt.Sprint("dec.", l))
	}
	return append(names, "head")
}

// byStage returns the geometric mean of the gradient norms of each stage's layers
// over some traces. A norm of 0 counts as 1e-12.
func byStage(traces []train.Trace, depth int) []float64 {
	sum, n := make([]float64, 2*depth+2), make([]float64, 2*depth+2)
	for _, trace := range traces {
		for _, l := range trace.Layers {
			i := stage(l.Name, depth)
			sum[i] += math.Log(max(l.Gradient, 1e-12))
			n[i]++
		}
	}
	for i := range sum {
		sum[i] = math.Exp(sum[i] / n[i])
	}
	return sum
}

// start returns the traces of the first tenth of the steps.
func (t *training) start() []train.Trace {
	i := slices.IndexFunc(t.Trace, func(r train.Trace) bool { return r.Step > t.Plan.Steps/tail })
	if i < 1 {
		return t.Trace
	}
	return t.Trace[:i]
}

// reach returns the share of the gradient in the decoder's last block that arrives in
// the encoder's first. Both blocks have the same resolution and channels, so their
// norms can be compared.
func (t *training) reach(traces []train.Trace) float64 {
	g := byStage(traces, t.config().Depth)
	return g[0] / g[2*t.config().Depth]
}

// pair holds two variants that differ in one choice.
type pair struct {
	without, with Variant
	what          string // of the second variant
}

// pairs lists the variants that differ only in their short skips, or only in their
// long ones.
func (s *study) pairs() []pair {
	var list []pair
	for _, a := range s.o.Variants {
		for _, b := range s.o.Variants {
			x, y := a.Network.WithDefaults(), b.Network.WithDefaults()
			switch {
			case x.Block == unet.BlockPlain && y.Block != unet.BlockPlain:
				if y.Block == unet.BlockDense { // has growth, and three convolutions instead of two
					if plain := (unet.Config{}).WithDefaults(); x.Convs == plain.Convs {
						x.Convs = unet.Config{Block: unet.BlockDense}.WithDefaults().Convs
					}
					x.Growth = y.Growth
				}
				x.Block = y.Block
				if x == y {
					list = append(list, pair{a, b, "short skips"})
				}
			case x.Skip == unet.SkipNone && y.Skip != unet.SkipNone:
				x.Skip = y.Skip
				if x == y {
					list = append(list, pair{a, b, "long skips"})
				}
			}
		}
	}
	return list
}
