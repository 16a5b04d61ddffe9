package metric

import (
	"fmt"

	"segd"
)

// bins of a reliability curve, of equal width.
const bins = 10

// Calibration compares the probabilities of a network with observed frequencies. Of
// the pixels with a foreground probability of about p, a share of p should be
// foreground (reliability curve; Guo et al. 2017, arXiv:1706.04599).
type Calibration struct {
	Bins []Bin `json:"bins"` // by ascending probability
	// ECE is the expected calibration error: the mean distance between probability
	// and share, weighted by pixels. Obvious background keeps it small; Foreground
	// leaves out the first bin.
	ECE        float64 `json:"ece"`
	Foreground float64 `json:"ece_foreground"`
}

// Bin holds the pixels whose foreground probability is in [Low, High).
type Bin struct {
	Low         float64 `json:"low"`
	High        float64 `json:"high"` // the last bin includes it
	Pixels      int64   `json:"pixels"`
	Probability float64 `json:"probability"` // mean
	Share       float64 `json:"share"`       // share of them that is foreground
}

// Reliability collects pixels for a Calibration. The zero value is ready to use. It
// is not safe for concurrent use.
type Reliability struct {
	pixels, foreground [bins]int64
	probability        [bins]float64
}

// Add adds the pixels of one image. p is [1, K, H, W] with background first. Pixels
// whose truth is Ignore are left out. If the sizes differ, the error is
// segd.ErrFormat.
func (r *Reliability) Add(truth *segd.Mask, p *segd.Tensor) error {
	if p.N != 1 || p.H != truth.Height || p.W != truth.Width {
		return fmt.Errorf("metric: %w: probabilities of %d×%d pixels, true mask %d×%d",
			segd.ErrFormat, p.W, p.H, truth.Width, truth.Height)
	}
	for i, background := range p.Plane(0, 0) {
		if truth.Pix[i] == Ignore {
			continue
		}
		v := min(1, max(0, 1-float64(background)))
		b := min(bins-1, int(v*bins))
		r.pixels[b]++
		r.probability[b] += v
		if truth.Pix[i] != 0 {
			r.foreground[b]++
		}
	}
	return nil
}

// Calibration returns the summary, or nil if no pixel was added.
func (r *Reliability) Calibration() *Calibration {
	c := &Calibration{}
	var all, upper int64
	for b := range bins {
		n := r.pixels[b]
		bin := Bin{Low: float64(b) / bins, High: float64(b+1) / bins, Pixels: n}
		if n > 0 {
			bin.Probability, bin.Share = r.probability[b]/float64(n), float64(r.foreground[b])/float64(n)
		}
		off := float64(n) * max(bin.Probability-bin.Share, bin.Share-bin.Probability)
		c.ECE += off
		all += n
		if b > 0 {
			c.Foreground += off
			upper += n
		}
		c.Bins = append(c.Bins, bin)
	}
	if all == 0 {
		return nil
	}
	c.ECE /= float64(all)
	c.Foreground /= float64(max(1, upper))
	return c
}

// ExpectedDice returns the Dice of each class that a network expects for its own mask
// if its probabilities are correct: 2·Σ p·[mask] / (Σ p + Σ [mask]), or 1 if both
// sums are less than half a pixel. p is [1, K, H, W] on the mask's pixels; the result
// has K values, background included.
func ExpectedDice(mask *segd.Mask, p *segd.Tensor) []float64 {
	list := make([]float64, p.C)
	for k := range list {
		var both, sum, n float64
		for i, v := range p.Plane(0, k) {
			sum += float64(v)
			if int(mask.Pix[i]) == k {
				both += float64(v)
				n++
			}
		}
		if list[k] = 1; sum+n >= 0.5 {
			list[k] = 2 * both / (sum + n)
		}
	}
	return list
}
