package evaluate_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd/models"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
	"segd/train/metric"
	"segd/unet"
)

// The card of each embedded model states what its weights reach on the test images.
// The test needs those images next to the project. Kernel sets round differently, so
// a pixel or two on an edge may change class. In bfloat16, Dice stays within 0.001 of
// the card.
func TestCardsAreTrue(t *testing.T) {
	if testing.Short() || datasettest.Race {
		t.Skip("runs every model on its test images, which takes half a minute, or much longer under the race detector")
	}
	if (unet.Kernels{}).Winograd() == "" {
		t.Skip("takes minutes with the pure Go kernels")
	}
	catalogue, err := models.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	rounded, err := models.Options{BFloat16: true}.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	pool := unet.NewPool(0)
	defer pool.Close()
	for _, m := range catalogue.List() {
		var said []models.Metric
		var sets []string
		for _, v := range m.Metrics {
			if v.Split == "test" {
				said = append(said, v)
				sets = strings.Split(v.Data, " + ")
			}
		}
		if len(said) == 0 {
			t.Errorf("%s: its card has no test figures", m.Name)
			continue
		}
		for i, name := range sets {
			sets[i] = filepath.Join("..", "..", "..", "shared", "data", name, "test")
			if _, err := os.Stat(sets[i]); errors.Is(err, fs.ErrNotExist) {
				t.Skipf("%s is not beside the project", name)
			}
		}
		report, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: sets, Model: m, Pool: pool}, nil)
		if err != nil {
			t.Fatal(err)
		}
		low, err := rounded.Get(m.Name)
		if err != nil {
			t.Fatal(err)
		}
		inBF16, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: sets, Model: low, Pool: pool}, nil)
		if err != nil {
			t.Fatal(err)
		}
		compareDice(t, m.Name, report, inBF16)
		for _, is := range (evaluate.MaskReport{Report: report, ClassNames: m.ForegroundNames()}).Metrics(said[0].Data, "test") {
			for _, v := range said {
				if v.Name == is.Name && v.Class == is.Class && (v.Cases != is.Cases || math.Abs(v.Value-is.Value) > 5e-4) {
					t.Errorf("%s: %s of %s is %.4f over %d, the card says %.4f over %d", m.Name, v.Name, v.Class, is.Value, is.Cases, v.Value, v.Cases)
				}
			}
		}
	}
}

// compareDice compares every mean Dice of an evaluation in bfloat16 with that in
// float32.
func compareDice(t *testing.T, model string, whole, low *metric.Report) {
	t.Helper()
	for _, e := range []struct {
		name       string
		whole, low metric.Entry
	}{{"mean", whole.Mean, low.Mean}, {"mean over groups", whole.GroupMean, low.GroupMean}, {"pooled", whole.Pooled, low.Pooled}} {
		worst := 0.0
		for i, c := range e.whole.Classes {
			worst = max(worst, math.Abs(c.Dice-e.low.Classes[i].Dice))
		}
		t.Logf("%s: %s Dice in bfloat16 is off by %.5f", model, e.name, worst)
		if !(worst <= 1e-3) {
			t.Errorf("%s: %s Dice in bfloat16 is off by %.5f", model, e.name, worst)
		}
	}
}
