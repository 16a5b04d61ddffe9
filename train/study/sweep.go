package study

import (
	"fmt"
	"math"
	"strings"

	"segd/internal/report"
)

// sweepAt lists the trainings of a kind in the sweep, by seed.
func (s *study) sweepAt(kind string, depth, convs int) []*training {
	var list []*training
	for _, t := range s.runs {
		if t.Sweep && t.Variant.Name == sweepName(kind, depth, convs) {
			list = append(list, t)
		}
	}
	return list
}

func lossStart(t *training) float64 { return t.lossAt(false) }
func lossEnd(t *training) float64   { return t.lossAt(true) }
func startReach(t *training) float64 {
	return t.reach(t.start())
}

// goalShare is the share of the best network's improvement that a network must reach.
const goalShare = 1.0 / 3

// scale holds two mean losses: the average at the start of the sweep's networks, and
// that at the end of the best one, which is named.
func (s *study) scale() (begin, end float64, best string) {
	var all []*training
	end = math.Inf(1)
	for _, kind := range sweepKinds {
		s.eachSize(func(depth, convs int) {
			at := s.sweepAt(kind, depth, convs)
			all = append(all, at...)
			if e := over(at, lossEnd).mean; e < end {
				end, best = e, fmt.Sprintf("%s, %d levels of %d", kind, depth, convs)
			}
		})
	}
	return over(all, lossStart).mean, end, best
}

// goal returns the loss that a network of the sweep must reach to count as training.
func (s *study) goal() float64 {
	begin, end, _ := s.scale()
	return begin - (begin-end)*goalShare
}

// trains reports whether a network of the sweep still learns.
func (s *study) trains(t *training) bool { return !t.Diverged && t.lossAt(true) <= s.goal() }

// training counts the trainings of one size that learn.
func (s *study) training(list []*training) int {
	n := 0
	for _, t := range list {
		if s.trains(t) {
			n++
		}
	}
	return n
}

// sweepFindings says where each kind stops training, and where plain networks stop
// while those with skips still train.
func (s *study) sweepFindings() []string {
	begin, end, best := s.scale()
	list := []string{fmt.Sprintf("A network counts as training if its loss reaches %.3f at the end of its %d steps: a third of the way from %.3f, the average at the start, to %.3f, the best at the end (%s). Both are means, of the first and the last tenth.",
		s.goal(), s.sweepAt(reference, s.o.SweepDepths[0], s.o.SweepConvs[0])[0].Plan.Steps, begin, end, best)}
	for _, kind := range sweepKinds {
		var stops []string
		s.eachSize(func(depth, convs int) {
			at := s.sweepAt(kind, depth, convs)
			if n := s.training(at); n < len(at) {
				stops = append(stops, fmt.Sprintf("%d levels of %d (%sto %s)", depth, convs, outOf(n, len(at)), over(at, lossEnd).text("%.2f")))
			}
		})
		if len(stops) == 0 {
			list = append(list, kind+" trains at every size of the sweep.")
			continue
		}
		list = append(list, fmt.Sprintf("%s stops training at %d of %d sizes: %s.", kind, len(stops), len(s.o.SweepDepths)*len(s.o.SweepConvs), strings.Join(stops, ", ")))
	}
	for _, kind := range sweepKinds[1:] {
		list = append(list, s.goesOn(sweepKinds[0], kind))
	}
	return append(list, s.deepest()...)
}

// outOf says how many of several trainings learn. It is empty for a single training.
func outOf(n, all int) string {
	if all == 1 {
		return ""
	}
	return fmt.Sprintf("%d of %d seeds train, ", n, all)
}

// eachSize visits the sizes of the sweep, the smallest first.
func (s *study) eachSize(visit func(depth, convs int)) {
	for _, convs := range s.o.SweepConvs {
		for _, depth := range s.o.SweepDepths {
			visit(depth, convs)
		}
	}
}

// goesOn says at which sizes networks without skips train with no seed while those
// with skips train with every seed, and the reverse.
func (s *study) goesOn(without, with string) string {
	var on, back []string
	s.eachSize(func(depth, convs int) {
		a, b := s.sweepAt(without, depth, convs), s.sweepAt(with, depth, convs)
		size := fmt.Sprintf("%d levels of %d", depth, convs)
		switch {
		case s.training(a) == 0 && s.training(b) == len(b):
			on = append(on, size)
		case s.training(a) == len(a) && s.training(b) == 0:
			back = append(back, size)
		}
	})
	text := fmt.Sprintf("Where %s stops training with every seed, %s trains with every seed at %s", without, with, orNone(on))
	return text + fmt.Sprintf("; the reverse holds at %s.", orNone(back))
}

// orNone joins a list that may be empty.
func orNone(list []string) string {
	if len(list) == 0 {
		return "no size"
	}
	return strings.Join(list, ", ")
}

// deepest describes the gradient in the largest networks of the sweep.
func (s *study) deepest() []string {
	depth, convs := s.o.SweepDepths[len(s.o.SweepDepths)-1], s.o.SweepConvs[len(s.o.SweepConvs)-1]
	plain, short := s.sweepAt("plain-none", depth, convs), s.sweepAt("residual-none", depth, convs)
	for _, t := range append(plain[:len(plain):len(plain)], short...) {
		if t.Diverged {
			return nil
		}
	}
	return []string{fmt.Sprintf("In the deepest network, %d levels of %d convolutions without long skips, the first block's gradient is %s times the last block's at the start with plain blocks, %s times with residual ones; the loss reaches %s and %s.",
		depth, convs, overRatios(plain, startReach).text("%.3g"), overRatios(short, startReach).text("%.3g"), over(plain, lossEnd).text("%.2f"), over(short, lossEnd).text("%.2f"))}
}

// sweep shows where networks stop training as they get deeper.
func (s *study) sweep() report.Section {
	p := &s.sweepAt(reference, s.o.SweepDepths[0], s.o.SweepConvs[0])[0].Plan
	sec := report.Section{Title: "Depth sweep", Text: append([]string{
		fmt.Sprintf("Networks of width %d on patches of %d×%d, %d per step, trained for %d steps with %s. Each cell shows the mean loss of the last tenth of the steps and the validation Dice, averaged over the seeds; × marks a network that does not train with some seed.",
			p.Network.Width, p.PatchHeight, p.PatchWidth, p.Batch, p.Steps, seeds(s.o.SweepRepeats)),
	}, s.sweepFindings()...), Table: report.Table{Head: []string{"network", "convolutions per block"}}}
	for _, depth := range s.o.SweepDepths {
		sec.Table.Head = append(sec.Table.Head, fmt.Sprintf("%d levels", depth))
	}
	for _, kind := range sweepKinds {
		for _, convs := range s.o.SweepConvs {
			row := []string{kind, fmt.Sprint(convs)}
			for _, depth := range s.o.SweepDepths {
				row = append(row, s.cell(s.sweepAt(kind, depth, convs)))
			}
			sec.Table.Rows = append(sec.Table.Rows, row)
		}
	}
	for _, convs := range s.o.SweepConvs {
		loss := report.Chart{Title: fmt.Sprintf("Final loss, %d convolutions per block", convs), X: "levels", Y: "loss"}
		reach := report.Chart{Title: fmt.Sprintf("Gradient of the first block divided by the last, %d convolutions", convs), X: "levels", Y: "ratio", YLog: true}
		for _, kind := range sweepKinds {
			loss.Series = append(loss.Series, s.overDepths(kind, convs, lossEnd, over))
			reach.Series = append(reach.Series, s.overDepths(kind, convs, startReach, overRatios))
		}
		sec.Charts = append(sec.Charts, loss, reach)
	}
	return sec
}

func seeds(n int) string {
	if n == 1 {
		return "one seed"
	}
	return fmt.Sprintf("%d seeds", n)
}

// cell formats one size in the table.
func (s *study) cell(list []*training) string {
	text := fmt.Sprintf("%.2f, Dice %.2f", over(list, lossEnd).mean, over(list, dice).mean)
	for _, t := range list {
		if t.Diverged {
			text = "diverged"
		}
	}
	if s.training(list) < len(list) {
		text += " ×"
	}
	return text
}

// overDepths returns a figure over the levels, with its spread over the seeds as
// computed by mean.
func (s *study) overDepths(kind string, convs int, f func(*training) float64, mean func([]*training, func(*training) float64) spread) report.Series {
	line := report.Series{Name: kind}
	for _, depth := range s.o.SweepDepths {
		v := mean(s.sweepAt(kind, depth, convs), f)
		line.X, line.Y = append(line.X, float64(depth)), append(line.Y, v.mean)
		line.Low, line.High = append(line.Low, v.low), append(line.High, v.high)
	}
	if s.o.SweepRepeats == 1 {
		line.Low, line.High = nil, nil
	}
	line.Dots = len(line.X) == 1 // breaks the line
	return line
}
