package study

import (
	"cmp"
	"context"
	"image"
	"image/draw"
	"slices"

	"segd/internal/overlay"
	"segd/models"
	"segd/train/evaluate"
	"segd/train/metric"
	"segd/unet"
)

// detail holds what the masks of the first trainings show.
type detail struct {
	outline  map[string]float64 // NSD at 1 pixel by variant
	without  Variant            // long skips
	with     Variant            // concatenating long skips, otherwise the same network
	compared bool               // whether such a pair exists
	examples []example
}

// example is a window of an image.
type example struct {
	id      string
	at      image.Rectangle
	gain    int // pixels correct only with long skips, minus pixels correct only without
	picture image.Image
}

// Limits of the windows.
const (
	windowSide = 64
	windowStep = 16
	bestShown  = 3
)

// outlineTolerance is the distance, in pixels, up to which outlines count as equal.
// It is small because the study looks at fine detail.
const outlineTolerance = 1

// lookClosely segments the validation images of the first seed with the first
// training of each variant.
func (s *study) lookClosely(ctx context.Context) error {
	d := detail{outline: map[string]float64{}}
	for _, p := range s.pairs() {
		if p.what == "long skips" && p.with.Network.WithDefaults().Skip == unet.SkipConcat && !d.compared {
			d.without, d.with, d.compared = p.without, p.with, true
		}
	}
	var without, with []evaluate.Shown
	for _, t := range s.first() {
		if len(t.History) == 0 { // diverged before its first validation
			d.compared = d.compared && t.Variant.Name != d.without.Name && t.Variant.Name != d.with.Name
			continue
		}
		m, err := models.Open(t.options.Out)
		if err != nil {
			return err
		}
		shown, err := evaluate.Show(ctx, evaluate.Options{Datasets: s.o.Datasets, Model: m, Pool: s.o.Pool}, t.Plan.Validation)
		if err != nil {
			return err
		}
		if d.outline[t.Variant.Name], err = outlines(shown, t.config().Classes); err != nil {
			return err
		}
		switch t.Variant.Name {
		case d.without.Name:
			without = shown
		case d.with.Name:
			with = shown
		}
	}
	if d.compared {
		d.choose(without, with)
	}
	s.detail = d
	return nil
}

// outlines returns the mean normalised surface distance over images and classes.
func outlines(shown []evaluate.Shown, classes int) (float64, error) {
	sum, n := 0.0, 0
	for _, s := range shown {
		list, err := metric.Surfaces(s.Truth, s.Predicted, classes, 1, 1, outlineTolerance)
		if err != nil {
			return 0, err
		}
		for _, c := range list[1:] {
			sum += c.NSD
			n++
		}
	}
	return sum / float64(max(1, n)), nil
}

// choose takes from each image the window in which long skips gain the most pixels,
// and keeps the best few. It adds the window in which they lose the most.
func (d *detail) choose(without, with []evaluate.Shown) {
	var best []example
	worst := example{gain: 0}
	at := map[string]int{}
	for i := range without {
		at[without[i].ID] = i
		top, bottom := windows(&without[i], &with[i])
		best = append(best, top)
		if bottom.gain < worst.gain {
			worst = bottom
		}
	}
	slices.SortStableFunc(best, func(a, b example) int { return cmp.Compare(b.gain, a.gain) })
	d.examples = best[:min(bestShown, len(best))]
	if worst.gain < 0 {
		d.examples = append(slices.Clip(d.examples), worst)
	}
	for k := range d.examples {
		e := &d.examples[k]
		i := at[e.id]
		e.picture = strip(e.at, &without[i], &with[i])
	}
}

// windows finds the windows in which with gains the most and the least over without.
func windows(without, with *evaluate.Shown) (top, bottom example) {
	truth := without.Truth
	w, h := min(windowSide, truth.Width), min(windowSide, truth.Height)
	first := true
	for y := 0; y+h <= truth.Height; y += windowStep {
		for x := 0; x+w <= truth.Width; x += windowStep {
			e := example{id: without.ID, at: image.Rect(x, y, x+w, y+h)}
			for j := y; j < y+h; j++ {
				for i := j*truth.Width + x; i < j*truth.Width+x+w; i++ {
					t := truth.Pix[i]
					if t == metric.Ignore {
						continue
					}
					if with.Predicted.Pix[i] == t {
						e.gain++
					}
					if without.Predicted.Pix[i] == t {
						e.gain--
					}
				}
			}
			if first || e.gain > top.gain {
				top = e
			}
			if first || e.gain < bottom.gain {
				bottom = e
			}
			first = false
		}
	}
	return top, bottom
}

// strip draws a window four times, side by side: the image, the truth, and the
// agreement with it of the masks without and with long skips.
func strip(at image.Rectangle, without, with *evaluate.Shown) image.Image {
	const gap = 4
	truth := evaluate.Shown{Image: without.Image, Truth: without.Truth, Predicted: without.Truth}
	parts := []image.Image{overlay.Render(without.Image), truth.Picture(), without.Picture(), with.Picture()}
	out := image.NewNRGBA(image.Rect(0, 0, 4*at.Dx()+3*gap, at.Dy()))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	for k, p := range parts {
		to := image.Rect(0, 0, at.Dx(), at.Dy()).Add(image.Pt(k*(at.Dx()+gap), 0))
		draw.Draw(out, to, p, at.Min, draw.Src)
	}
	return out
}
