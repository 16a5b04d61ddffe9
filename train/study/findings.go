package study

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"segd/unet"
)

// vanishing is the ratio of the gradient in the encoder's first block to that in the
// decoder's last block below which the gradient is said to vanish. Above 1/vanishing
// it is said to explode.
const vanishing = 0.1

// clearFactor is the minimum factor between two shares of the gradient that are
// called different.
const clearFactor = 2

// diceFindings compares the variants with the reference.
func (s *study) diceFindings() []string {
	ref, ok := s.reference()
	if !ok {
		return nil
	}
	list := []string{fmt.Sprintf("%s reaches a validation Dice of %s (mean%s).", ref.Name,
		over(s.of(ref), dice).text("%.3f"), s.rangeOf())}
	for _, v := range s.o.Variants {
		d, ok := s.against(v, ref)
		if !ok {
			continue
		}
		var verdict string
		switch {
		case d.low > 0:
			verdict = "better with " + each(d.n)
		case d.high < 0:
			verdict = "worse with " + each(d.n)
		default:
			verdict = "better with one seed and worse with another, so no difference is shown"
		}
		if d.n == 1 {
			verdict += ", which may be chance"
		}
		list = append(list, fmt.Sprintf("%s: Dice %s, %s compared with %s: %s.", v.Name, over(s.of(v), dice).text("%.3f"), d.text("%+.3f"), ref.Name, verdict))
	}
	for _, t := range s.runs {
		if t.Diverged {
			list = append(list, fmt.Sprintf("%s diverged after %d of %d steps.", t.Name, t.Steps, t.Plan.Steps))
		}
	}
	return list
}

func dice(t *training) float64 { return t.Dice }

func each(n int) string {
	if n == 1 {
		return "the one seed"
	}
	return fmt.Sprintf("each of the %d seeds", n)
}

// rangeOf explains the brackets.
func (s *study) rangeOf() string {
	if s.o.Repeats == 1 {
		return " of one seed"
	}
	return fmt.Sprintf(" over %d seeds, lowest and highest in brackets", s.o.Repeats)
}

// reference returns the variant with which the others are compared, if it was
// trained.
func (s *study) reference() (Variant, bool) {
	for _, v := range s.o.Variants {
		if v.Name == reference && len(s.of(v)) > 0 {
			return v, true
		}
	}
	return Variant{}, false
}

// shares returns how much of the gradient arrives, at the start and over the whole
// training.
func (s *study) shares(v Variant) (start, whole spread) {
	list := s.of(v)
	return overRatios(list, startReach), overRatios(list, func(t *training) float64 { return t.reach(t.Trace) })
}

// fate says what happens to a gradient if this share of it arrives.
func fate(share float64) string {
	switch {
	case share < vanishing:
		return "vanishes"
	case share > 1/vanishing:
		return "explodes"
	}
	return "neither vanishes nor explodes"
}

// gradientFindings says where the gradient vanishes or explodes, and how skips change
// this. It judges by the start of the training, when all weights still have their
// initial norms.
func (s *study) gradientFindings() []string {
	var list []string
	for _, v := range s.o.Variants {
		start, whole := s.shares(v)
		if start.n == 0 {
			continue
		}
		text := fmt.Sprintf("%s: the first block's gradient is %s times the last block's in the first tenth of the steps, and %s times over all: at the start it %s",
			v.Name, start.text("%.3g"), whole.text("%.3g"), fate(start.mean))
		if later := fate(whole.mean); later != fate(start.mean) {
			text += ", over the whole training it " + later
		}
		list = append(list, text+".")
	}
	for _, p := range s.pairs() {
		a, wholeA := s.shares(p.without)
		b, wholeB := s.shares(p.with)
		if a.n == 0 || b.n == 0 {
			continue
		}
		text := fmt.Sprintf("%s to %s (%s): from %.3g to %.3g times: %s.", p.without.Name, p.with.Name, p.what, a.mean, b.mean, cure(a.mean, b.mean))
		if fate(wholeA.mean) != fate(a.mean) || fate(wholeB.mean) != fate(b.mean) {
			text += fmt.Sprintf(" Over the whole training from %.3g to %.3g times: %s.", wholeA.mean, wholeB.mean, cure(wholeA.mean, wholeB.mean))
		}
		list = append(list, text)
	}
	return list
}

// cure says how skips change a share of the gradient, where 1 is even.
func cure(without, with float64) string {
	before, after := fate(without), fate(with)
	nearer := math.Abs(math.Log(without)) - math.Abs(math.Log(with))
	switch {
	case before == "vanishes" && after != before && nearer > math.Log(clearFactor):
		return "the skips cure the vanishing gradient"
	case before == "explodes" && after != before && nearer > math.Log(clearFactor):
		return "the skips cure the exploding gradient; it did not vanish"
	case nearer > math.Log(clearFactor):
		return "with the skips the gradient is more even"
	case nearer < -math.Log(clearFactor):
		return "with the skips the gradient is less even; here the data does not show what the papers claim"
	}
	return fmt.Sprintf("less than a factor of %d closer to or farther from even; here the data does not show an effect", clearFactor)
}

// rise returns how much higher the loss is about halfway out than in the centre of a
// landscape.
func (t *training) rise() float64 {
	l := t.Landscape
	n := len(l.At)
	sum, count := 0.0, 0
	for y := range n {
		for x := range n {
			if r := math.Hypot(l.At[x], l.At[y]); r > 0.4 && r < 0.6 {
				sum += l.Loss[y][x]
				count++
			}
		}
	}
	return sum/float64(max(1, count)) - l.Loss[n/2][n/2]
}

// landscapeFindings orders the variants by the steepness of their surroundings.
func (s *study) landscapeFindings() []string {
	var list []*training
	for _, t := range s.first() {
		if t.Landscape != nil {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b *training) int {
		if a.rise() < b.rise() {
			return -1
		}
		return 1
	})
	var parts []string
	for _, t := range list {
		parts = append(parts, fmt.Sprintf("%s %.2f", t.Variant.Name, t.rise()))
	}
	return []string{"Mean rise of the loss at a distance of 0.4 to 0.6 from the centre, flattest first: " + strings.Join(parts, ", ") + "."}
}

// detailFindings says how long skips affect fine detail.
func (s *study) detailFindings() []string {
	d := &s.detail
	var parts []string
	for _, v := range s.o.Variants {
		if nsd, ok := d.outline[v.Name]; ok {
			parts = append(parts, fmt.Sprintf("%s %.3f", v.Name, nsd))
		}
	}
	list := []string{fmt.Sprintf("Share of the outlines within %d pixel of each other (NSD), mean over the validation images of seed %d: %s.",
		outlineTolerance, s.o.Seed, strings.Join(parts, ", "))}
	if !d.compared {
		return append(list, fmt.Sprintf("No two networks that differ only in %s and %s skips completed their training, so no examples are shown.", unet.SkipNone, unet.SkipConcat))
	}
	a, b := d.outline[d.without.Name], d.outline[d.with.Name]
	verdict := "long skips recover fine detail"
	if b <= a {
		verdict = "the data does not show that long skips recover fine detail"
	}
	return append(list, fmt.Sprintf("From %s to %s it changes from %.3f to %.3f: %s.", d.without.Name, d.with.Name, a, b, verdict))
}
