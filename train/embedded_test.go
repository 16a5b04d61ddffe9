package train

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd/internal/kernel"
	"segd/models"
)

// The card of each embedded model says what these very weights reach on the
// test images, where they lie beside the project. Kernel sets round apart, so a
// pixel or two on an edge may fall the other way.
func TestCardsAreTrue(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("runs every model over its test images: half a minute, far more under the race detector")
	}
	if kernel.Winograd() == "" {
		t.Skip("plain Go takes minutes for it")
	}
	catalogue, err := models.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(0)
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
			t.Errorf("%s: no figures of a test in its card", m.Name)
			continue
		}
		for i, name := range sets {
			sets[i] = filepath.Join("..", "..", "shared", "data", name, "test")
			if _, err := os.Stat(sets[i]); errors.Is(err, fs.ErrNotExist) {
				t.Skipf("%s lies not beside the project", name)
			}
		}
		report, err := Evaluate(t.Context(), EvaluateOptions{Datasets: sets, Model: m, Pool: pool}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, is := range Figures(report, said[0].Data, "test", m.ForegroundNames()) {
			for _, v := range said {
				if v.Name == is.Name && v.Class == is.Class && (v.Cases != is.Cases || math.Abs(v.Value-is.Value) > 5e-4) {
					t.Errorf("%s: %s of %s is %.4f over %d, the card says %.4f over %d", m.Name, v.Name, v.Class, is.Value, is.Cases, v.Value, v.Cases)
				}
			}
		}
	}
}
