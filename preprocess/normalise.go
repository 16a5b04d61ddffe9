package preprocess

import (
	"math"

	"segd"
	"segd/internal/rank"
)

// finitePixels reports which pixels of the first planes of t count for the
// statistics: those that are not padding and are finite in every plane. Nil
// means all of them.
func finitePixels(t *segd.Tensor, planes int, padding []bool) []bool {
	var valid []bool
	mark := func(i int) {
		if valid == nil {
			valid = make([]bool, t.H*t.W)
			for j := range valid {
				valid[j] = true
			}
		}
		valid[i] = false
	}
	for i, pad := range padding {
		if pad {
			mark(i)
		}
	}
	for c := range planes {
		for i, v := range t.Plane(0, c) {
			// The difference is NaN for NaN and for both infinities.
			if v-v != 0 {
				mark(i)
			}
		}
	}
	return valid
}

// normalise clips plane to the percentiles and normalises it in place.
func (r Recipe) normalise(plane []float32, valid []bool) {
	values := plane
	if valid != nil {
		values = make([]float32, 0, len(plane))
		for i, v := range plane {
			if valid[i] {
				values = append(values, v)
			}
		}
	}
	if len(values) == 0 {
		clear(plane)
		return
	}
	if r.Normalise == Fixed {
		r.Window.normalise(plane, valid)
		return
	}
	low, high := extent(values)
	if r.clips() {
		low, high = percentiles(values, r.ClipLow, r.ClipHigh)
	}
	shift, scale := r.affine(values, low, high)
	for i, v := range plane {
		if valid != nil && !valid[i] {
			v = low
		}
		plane[i] = float32((float64(min(max(v, low), high)) - shift) * scale)
	}
}

// normalise is Recipe.normalise with fixed values.
func (w Window) normalise(plane []float32, valid []bool) {
	for i, v := range plane {
		d := w.Low
		if valid == nil || valid[i] {
			d = min(max(float64(v), w.Low), w.High)
		}
		plane[i] = float32((d - w.Mean) / w.Deviation)
	}
}

// affine returns the numbers that normalise a value v, already clipped to low
// and high: (v - shift) · scale. A constant image becomes zeros.
func (r Recipe) affine(values []float32, low, high float32) (shift, scale float64) {
	if low == high {
		return float64(low), 0
	}
	if r.Normalise == MinMax {
		return float64(low), 1 / (float64(high) - float64(low))
	}
	n := float64(len(values))
	sum, _ := sums(values, low, high, 0)
	mean := sum / n
	_, squares := sums(values, low, high, mean)
	// The floor lies above the rounding of float32 values of this size, so
	// that the noise of an image that is all but constant is not blown up.
	deviation := math.Sqrt(squares / n)
	return mean, 1 / math.Max(deviation, 1e-8+1e-6*math.Abs(mean))
}

// extent returns the lowest and the highest of values, which must be finite.
func extent(values []float32) (low, high float32) {
	low, high = values[0], values[0]
	for _, v := range values {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	return low, high
}

// sums returns the sum of the values, clipped to low and high, and the sum of
// their squared distances from mean. Four sums run in parallel, because a
// single one would wait for each addition; their order is fixed.
func sums(values []float32, low, high float32, mean float64) (sum, squares float64) {
	var s, q [4]float64
	for ; len(values) >= 4; values = values[4:] {
		for k, v := range values[:4] {
			d := float64(min(max(v, low), high))
			s[k] += d
			d -= mean
			q[k] += d * d
		}
	}
	for k, v := range values {
		d := float64(min(max(v, low), high))
		s[k] += d
		d -= mean
		q[k] += d * d
	}
	return (s[0] + s[1]) + (s[2] + s[3]), (q[0] + q[1]) + (q[2] + q[3])
}

// percentiles returns the values at the given percentiles, interpolated
// linearly between the two nearest ranks (Hyndman and Fan's definition 7, the
// default of NumPy). values must be finite and not empty; they are not
// modified.
func percentiles(values []float32, low, high float64) (float32, float32) {
	n := len(values)
	at := func(p float64) (int, float64) {
		x := p / 100 * float64(n-1)
		k := min(int(x), n-1)
		return k, x - float64(k)
	}
	kl, fl := at(low)
	kh, fh := at(high)
	v := rank.Values(values, []int{kl, min(kl+1, n-1), kh, min(kh+1, n-1)})
	mix := func(a, b float32, f float64) float32 {
		return float32(float64(a)*(1-f) + float64(b)*f)
	}
	return mix(v[0], v[1], fl), mix(v[2], v[3], fh)
}
