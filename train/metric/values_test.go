package metric

import (
	"errors"
	"math"
	"strings"
	"testing"

	"segd"
)

// Errors computed by hand: 1, 3 and one unknown pixel; 2 in the other image.
func TestReportValues(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	count := func(truth, predicted []float32) Errors {
		e, err := CountErrors(truth, predicted)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	r := ReportValues([]ValueCase{
		{ID: "a", Group: "s", Errors: count([]float32{1, 5, nan}, []float32{2, 2, 9}), Constant: count([]float32{1, 5, nan}, []float32{4, 4, 4})},
		{ID: "b", Group: "s", Errors: count([]float32{7}, []float32{5}), Constant: count([]float32{7}, []float32{4})},
		{ID: "c", Errors: count([]float32{nan}, []float32{5}), Constant: count([]float32{nan}, []float32{4})},
		{ID: "d", Errors: count([]float32{0, 0}, []float32{0, 6}), Constant: count([]float32{0, 0}, []float32{4, 4})},
	}, 4)
	for name, c := range map[string]struct{ got, want float64 }{
		"case a":           {r.Cases[0].MAE, 2},
		"case a, rmse":     {r.Cases[0].RMSE, math.Sqrt(5)},
		"case a, pixels":   {float64(r.Cases[0].Pixels), 2},
		"case b":           {r.Cases[1].MAE, 2},
		"mean":             {r.Mean.MAE, (2 + 2 + 3) / 3.},
		"mean rmse":        {r.Mean.RMSE, (math.Sqrt(5) + 2 + math.Sqrt(18)) / 3},
		"groups":           {float64(len(r.Groups)), 3},
		"group s":          {r.Groups[0].MAE, 2},
		"group s, rmse":    {r.Groups[0].RMSE, math.Sqrt(14 / 3.)},
		"group s, cases":   {float64(r.Groups[0].Cases), 2},
		"group mean":       {r.GroupMean.MAE, 2.5},
		"pooled":           {r.Pooled.MAE, 12 / 5.},
		"pooled rmse":      {r.Pooled.RMSE, math.Sqrt(50 / 5.)},
		"constant":         {r.Pooled.ConstantMAE, (3 + 1 + 3 + 4 + 4) / 5.},
		"constant, rmse":   {r.Pooled.ConstantRMSE, math.Sqrt((9 + 1 + 9 + 16 + 16) / 5.)},
		"constant of mean": {r.Mean.ConstantMAE, (2 + 3 + 4) / 3.},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if w := r.Worst(1); w[0].ID != "d" {
		t.Errorf("worst is %s, want d", w[0].ID)
	}
	var b strings.Builder
	if err := r.WriteText(&b, 1); err != nil || !strings.Contains(b.String(), "mean of 4 cases") || !strings.Contains(b.String(), "\nd ") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func TestCountErrorsRefuses(t *testing.T) {
	t.Parallel()
	for name, predicted := range map[string][]float32{"length": {1}, "infinite": {1, float32(math.Inf(1))}, "no number": {1, float32(math.NaN())}} {
		if _, err := CountErrors([]float32{1, 2}, predicted); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
