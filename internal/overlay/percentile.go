package overlay

import (
	"math"

	"segd"
	"segd/internal/rank"
)

// maxSample is the number of values from which percentiles are computed. It
// keeps the error of the 0.5th percentile far below a grey level and takes
// little memory compared with an image.
const maxSample = 1 << 18

// percentiles returns two percentiles, 0..100, of the finite values of the
// pixels that are not padding. For large images it takes an evenly spaced
// sample, so that the same image always looks the same. Without any value, or
// if both percentiles are equal, it falls back to the lowest and the highest
// value.
func percentiles(img *segd.Image, low, high float64) (float32, float32) {
	n := img.Width * img.Height
	// An odd step does not keep to one column of an image of even width.
	step := max(1, n/maxSample) | 1
	if n <= maxSample {
		step = 1
	}
	values := make([]float32, 0, (n/step+1)*img.Channels)
	for i := 0; i < n; i += step {
		if img.Padding != nil && img.Padding[i] {
			continue
		}
		for _, v := range img.Pix[i*img.Channels : (i+1)*img.Channels] {
			if !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
				values = append(values, v)
			}
		}
	}
	if len(values) == 0 {
		return 0, 0
	}
	last := len(values) - 1
	at := func(p float64) int { return int(math.Round(p / 100 * float64(last))) }
	v := rank.Values(values, []int{0, at(low), at(high), last})
	if v[1] < v[2] {
		return v[1], v[2]
	}
	return v[0], v[3]
}
