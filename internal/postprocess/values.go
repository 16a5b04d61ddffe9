package postprocess

import "math"

// ValueRange describes the output of a regression model for a frame, in the
// unit of its labels.
type ValueRange struct {
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// MeasureValues measures the finite values. It returns nil if there are none.
func MeasureValues(values []float32) *ValueRange {
	r := ValueRange{Min: math.Inf(1), Max: math.Inf(-1)}
	n := 0
	for _, v := range values {
		if v-v != 0 { // NaN and both infinities
			continue
		}
		x := float64(v)
		r.Min, r.Max, r.Mean = min(r.Min, x), max(r.Max, x), r.Mean+x
		n++
	}
	if n == 0 {
		return nil
	}
	r.Mean /= float64(n)
	return &r
}
