package metric

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestIntervalCovers draws data sets of subjects with a known true mean: 95 of 100
// intervals should contain it. With 20 groups the percentile interval is a little
// narrow. The accepted range of 85 to 100 is far from the result of a mistake:
// drawing images instead of subjects covers the mean in about half the cases.
func TestIntervalCovers(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	const mean, sets = 0.5, 100
	covered := 0
	for range sets {
		var a Accumulator
		for g := range 20 {
			subject := mean + 0.15*rng.NormFloat64()
			for c := range 8 {
				dice := min(1, max(0, subject+0.02*rng.NormFloat64()))
				n := int64(1e6)
				a.Add(Case{ID: fmt.Sprint(g, "/", c), Group: fmt.Sprint(g), Counts: []Counts{{}, {Both: int64(dice * 1e6), Truth: n, Predicted: n}}})
			}
		}
		r := a.Report()
		if ci := r.Mean.Classes[0].DiceCI; ci[0] <= mean && mean <= ci[1] {
			covered++
		}
	}
	if covered < 85 {
		t.Errorf("%d of %d intervals contain the mean", covered, sets)
	}
}

func TestReportDistances(t *testing.T) {
	t.Parallel()
	a := Accumulator{Tolerance: 2}
	same := []Counts{{}, {Both: 5, Truth: 5, Predicted: 5}}
	a.Add(Case{ID: "a", Counts: same, Pixels: []Surface{{}, {HD95: 4, NSD: 0.5}}, MM: []Surface{{}, {HD95: 2, NSD: 0.75}}})
	a.Add(Case{ID: "b", Counts: same, Pixels: []Surface{{}, {HD95: math.NaN(), NSD: 0}}, MM: []Surface{{}, {HD95: math.NaN(), NSD: 0}}})
	r := a.Report()
	m := r.Mean.Classes[0]
	if *m.HD95 != 4 || m.Distances != 1 || *m.HD95MM != 2 || *m.NSD != 0.25 || *m.NSDMM != 0.375 {
		t.Errorf("mean %+v", m)
	}
	if r.Cases[1].Classes[0].HD95 != nil {
		t.Error("a distance to an empty mask")
	}
	// One case without a spacing: no mean in mm.
	a.Add(Case{ID: "c", Counts: same, Pixels: []Surface{{}, {HD95: 0, NSD: 1}}})
	r = a.Report()
	if m := r.Mean.Classes[0]; m.HD95MM != nil || m.NSDMM != nil || *m.HD95 != 2 {
		t.Errorf("mean over cases, one without spacing: %+v", m)
	}
	b, err := json.Marshal(r)
	if err != nil || strings.Contains(string(b), "NaN") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestOneGroupHasNoInterval(t *testing.T) {
	t.Parallel()
	var a Accumulator
	for _, id := range []string{"a", "b"} {
		a.Add(Case{ID: id, Group: "g", Counts: []Counts{{}, {Both: 1, Truth: 1, Predicted: 1}}})
	}
	if r := a.Report(); r.Mean.Classes[0].DiceCI != nil || r.GroupMean.Classes[0].DiceCI != nil {
		t.Errorf("%+v", r.Mean)
	}
}
