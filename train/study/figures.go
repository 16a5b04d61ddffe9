package study

import (
	"fmt"
	"math"

	"segd/internal/report"
)

// gradients shows the norm of the gradient by block and over the steps.
func (s *study) gradients() report.Section {
	sec := report.Section{Title: "Gradient flow", Text: append([]string{
		fmt.Sprintf("The norm of the gradient of the loss with respect to the weights of each convolution, before clipping, every %d steps; for a block, the geometric mean over its convolutions. The gradient flows from the head back to enc.0. The first block of the encoder and the last of the decoder have the same resolution and channels, so their norms are comparable: the gradient is said to vanish if the ratio is below %g, and to explode if it is above %g. Batch normalisation rescales the output of each layer, so the gradient need not vanish in deep plain networks that use it. The norm of a weight's gradient falls as the weight grows, so ratios over a whole training say less than those at its start.",
			traceEvery, vanishing, 1/vanishing),
	}, s.gradientFindings()...)}
	for _, f := range s.families() {
		for _, depth := range s.depths(f.list) {
			c := report.Chart{Title: "Gradient norm by block over the first tenth of the steps, " + f.title, Y: "norm", YLog: true, Wide: true}
			for i, name := range stageNames(depth) {
				c.XTicks = append(c.XTicks, report.Tick{At: float64(i), Name: name})
			}
			for _, v := range f.list {
				if list := s.of(v); len(list) > 0 && list[0].config().Depth == depth {
					c.Series = append(c.Series, band(v.Name, list, profile))
				}
			}
			sec.Charts = append(sec.Charts, c)
		}
	}
	for _, v := range s.o.Variants {
		list := s.of(v)
		if len(list) == 0 {
			continue
		}
		c := report.Chart{Title: "Gradient norm over the steps, " + v.Name, X: "step", Y: "norm", YLog: true}
		depth := list[0].config().Depth
		for _, at := range []int{0, depth, 2 * depth} {
			c.Series = append(c.Series, band(stageNames(depth)[at], list, overSteps(at)))
		}
		sec.Charts = append(sec.Charts, c)
	}
	return sec
}

// depths lists the depths of trained variants, in order of appearance.
func (s *study) depths(list []Variant) []int {
	var depths []int
	seen := map[int]bool{}
	for _, v := range list {
		for _, t := range s.of(v)[:min(1, len(s.of(v)))] {
			if d := t.config().Depth; !seen[d] {
				seen[d] = true
				depths = append(depths, d)
			}
		}
	}
	return depths
}

// profile returns the gradient by stage at the start of training.
func profile(t *training) (x, y []float64) {
	y = byStage(t.start(), t.config().Depth)
	for i := range y {
		x = append(x, float64(i))
	}
	return x, y
}

// overSteps returns the gradient of one stage over the steps.
func overSteps(at int) func(t *training) (x, y []float64) {
	return func(t *training) (x, y []float64) {
		for i := range t.Trace {
			x, y = append(x, float64(t.Trace[i].Step)), append(y, byStage(t.Trace[i:i+1], t.config().Depth)[at])
		}
		return x, y
	}
}

// landscapes draws the loss around the weights.
func (s *study) landscapes() report.Section {
	sec := report.Section{Title: "Loss landscapes", Text: append([]string{
		"The loss around the final weights of the first training of each variant, in a plane of two random directions whose filters are scaled to the norm of the filters that they are added to (Li et al. 2018). At a distance of 1 each filter has moved by its own norm, so landscapes of different networks are comparable. Biases and the parameters of normalisation stay fixed. The loss is the training loss, on the same patches at each point; batch normalisation uses the statistics of these patches at each point, as in training.",
		"The loss doubles from one contour line to the next. Colours and heights are logarithmic and the same for all landscapes.",
	}, s.landscapeFindings()...)}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, t := range s.first() {
		if t.Landscape == nil {
			continue
		}
		for _, row := range t.Landscape.Loss {
			for _, v := range row {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	lo = max(lo, 1e-6)
	hi = max(min(hi, 100*lo), 1.01*lo) // two decades are enough
	var levels []float64
	for z := lo * math.Sqrt2; z < hi; z *= 2 {
		levels = append(levels, math.Log2(z))
	}
	for _, t := range s.first() {
		if t.Landscape == nil {
			continue
		}
		n := len(t.Landscape.At)
		r := report.Relief{Title: t.Variant.Name, At: t.Landscape.At, Levels: levels, ZMin: math.Log2(lo), ZMax: math.Log2(hi),
			Height:  func(z float64) string { return fmt.Sprintf("loss %.2g", math.Exp2(z)) },
			Caption: fmt.Sprintf("%s: loss %.3f at the centre.", t.Name, t.Landscape.Loss[n/2][n/2])}
		for _, row := range t.Landscape.Loss {
			logs := make([]float64, len(row))
			for i, v := range row {
				logs[i] = math.Log2(max(v, 1e-6))
			}
			r.Z = append(r.Z, logs)
		}
		sec.Reliefs = append(sec.Reliefs, r)
	}
	return sec
}

// fineDetail shows where long skips recover detail.
func (s *study) fineDetail() report.Section {
	sec := report.Section{Title: "Fine detail", Text: s.detailFindings()}
	d := &s.detail
	if !d.compared {
		return sec
	}
	sec.Text = append(sec.Text, fmt.Sprintf("From left to right: image, truth, %s, %s. Green: correct; orange: missed; purple: false. Windows of up to %d pixels per side, %d apart, cover all validation images. For each image, the page selects the window in which %s gains the most correct pixels over %s, and shows the best %d. The last window, if any, is the one in which it loses the most.",
		d.without.Name, d.with.Name, windowSide, windowStep, d.with.Name, d.without.Name, bestShown))
	for _, e := range d.examples {
		sec.Pictures = append(sec.Pictures, report.Picture{Image: e.picture, Wide: true,
			Caption: fmt.Sprintf("%s, from column %d, row %d: %+d correct pixels with %s", e.id, e.at.Min.X, e.at.Min.Y, e.gain, d.with.Name)})
	}
	return sec
}

// method describes the method.
func (s *study) method() report.Section {
	p := &s.runs[0].Plan
	text := []string{
		fmt.Sprintf("Each training: width %d, depth %d unless named, %s normalisation, %d×%d patches, %d per step, %d steps (%.1f epochs), AdamW at a peak rate of %g with warm-up and cosine, clipped to a norm of %g, with augmentation, as in segd train. The seed of a training determines its split by group (a share of %.2g for validation), its initial weights and its patches: variants with the same seed differ only in their network.",
			p.Network.Width, p.Network.Depth, p.Network.Norm, p.PatchHeight, p.PatchWidth, p.Batch, p.Steps, float64(p.Steps)/p.EpochSteps, p.LearnRate, p.Clip, p.ValFraction),
		"A difference in Dice that is smaller than its spread over the seeds means nothing. Equal steps do not mean equal work: the table lists the cost of each variant.",
		"The figures are also next to this page as results.csv, curves.csv, gradients.csv, landscapes.csv and, with --sweep, sweep.csv.",
	}
	seconds := 0.0
	for _, t := range s.runs {
		seconds += t.Seconds
	}
	text = append(text, fmt.Sprintf("The %d trainings took %.1f minutes, which depends on the machine and its other load.", len(s.runs), seconds/60))
	if s.o.Command != "" {
		text = append(text, "Command: "+s.o.Command)
	}
	return report.Section{Title: "Method", Text: text}
}
