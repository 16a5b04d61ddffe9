package postprocess

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMeasureValues(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	if diff := cmp.Diff(&ValueRange{Min: -2, Max: 7, Mean: 3}, MeasureValues([]float32{nan, 4, -2, inf, 7, -inf})); diff != "" {
		t.Error(diff)
	}
	if got := MeasureValues([]float32{nan}); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}
