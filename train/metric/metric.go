// Package metric measures how well a predicted mask agrees with the true one: Dice,
// intersection over union (IoU, Jaccard) and surface distances for each class, for an
// image, a group of images or a whole data set.
//
//	var a metric.Accumulator
//	counts, err := metric.Count(truth, predicted, 2)
//	…
//	a.Add(metric.Case{ID: "scan_01", Group: "subject_7", Counts: counts})
//	report := a.Report()
//
// Pixels are counted whole, so sums over images are exact and don't depend on their
// order. Surfaces measures the distance between outlines. A report of at least two
// groups has intervals, by bootstrap over the groups.
//
// Definitions: Dice 1945; Taha and Hanbury 2015, "Metrics for evaluating 3D medical
// image segmentation" (doi:10.1186/s12880-015-0068-x). A class in neither mask counts
// as 1, and a class in only one of them as 0.
package metric

import (
	"fmt"

	"segd"
)

// Ignore is the label of pixels that an annotator left undecided. They count neither
// for nor against a prediction.
const Ignore = 255

// Counts holds the pixels of one class: in both masks, in the true one, in
// the predicted one. Counts of several images may be added.
type Counts struct {
	Both, Truth, Predicted int64
}

// Plus returns the sum of both, which pools their pixels.
func (c Counts) Plus(o Counts) Counts {
	return Counts{c.Both + o.Both, c.Truth + o.Truth, c.Predicted + o.Predicted}
}

// Dice returns 2|A∩B| / (|A|+|B|), in [0, 1], or 1 if both are empty.
func (c Counts) Dice() float64 {
	if c.Truth+c.Predicted == 0 {
		return 1
	}
	return 2 * float64(c.Both) / float64(c.Truth+c.Predicted)
}

// IoU returns |A∩B| / |A∪B|, in [0, 1], or 1 if both are empty.
func (c Counts) IoU() float64 {
	union := c.Truth + c.Predicted - c.Both
	if union == 0 {
		return 1
	}
	return float64(c.Both) / float64(union)
}

// Count compares two masks of the same size pixel by pixel and returns the
// counts of every class, background (index 0) included. Pixels whose truth is
// Ignore are left out. Masks of different sizes and class indices of
// `classes` or more are segd.ErrFormat.
func Count(truth, predicted *segd.Mask, classes int) ([]Counts, error) {
	if truth.Width != predicted.Width || truth.Height != predicted.Height {
		return nil, fmt.Errorf("metric: %w: predicted mask is %d×%d pixels, true mask %d×%d",
			segd.ErrFormat, predicted.Width, predicted.Height, truth.Width, truth.Height)
	}
	// A table of pairs needs one increment per pixel, regardless of the number of
	// classes.
	pairs := make([]int64, 256*256)
	for i, t := range truth.Pix {
		pairs[int(t)<<8|int(predicted.Pix[i])]++
	}
	counts := make([]Counts, classes)
	for t := range 256 {
		for p := range 256 {
			n := pairs[t<<8|p]
			if n == 0 || t == Ignore {
				continue
			}
			if t >= classes || p >= classes {
				return nil, fmt.Errorf("metric: %w: class index %d, limit %d (%d classes with background)",
					segd.ErrFormat, max(t, p), classes-1, classes)
			}
			counts[t].Truth += n
			counts[p].Predicted += n
			if t == p {
				counts[t].Both += n
			}
		}
	}
	return counts, nil
}
