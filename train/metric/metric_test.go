package metric

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

func mask(w, h int, pix ...uint8) *segd.Mask { return &segd.Mask{Width: w, Height: h, Pix: pix} }

func TestCount(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		truth, predicted *segd.Mask
		want             []Counts
		dice, iou        []float64
	}{
		{"both empty", mask(2, 1, 0, 0), mask(2, 1, 0, 0),
			[]Counts{{2, 2, 2}, {}, {}}, []float64{1, 1, 1}, []float64{1, 1, 1}},
		{"one empty", mask(2, 1, 1, 0), mask(2, 1, 0, 2),
			[]Counts{{0, 1, 1}, {0, 1, 0}, {0, 0, 1}}, []float64{0, 0, 0}, []float64{0, 0, 0}},
		{"half", mask(3, 2, 1, 1, 0, 2, 2, 2), mask(3, 2, 1, 0, 1, 2, 2, 0),
			[]Counts{{0, 1, 2}, {1, 2, 2}, {2, 3, 2}}, []float64{0, 0.5, 0.8}, []float64{0, 1. / 3, 2. / 3}},
		{"ignored pixels", mask(3, 1, 1, Ignore, Ignore), mask(3, 1, 1, 1, 200),
			[]Counts{{}, {1, 1, 1}, {}}, []float64{1, 1, 1}, []float64{1, 1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Count(tt.truth, tt.predicted, 3)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Fatal(d)
			}
			for i, c := range got {
				if math.Abs(c.Dice()-tt.dice[i]) > 1e-15 || math.Abs(c.IoU()-tt.iou[i]) > 1e-15 {
					t.Errorf("class %d: dice %v iou %v, want %v %v", i, c.Dice(), c.IoU(), tt.dice[i], tt.iou[i])
				}
			}
		})
	}
}

func TestCountRefuses(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]*segd.Mask{
		"size":            {mask(2, 1, 0, 0), mask(1, 2, 0, 0)},
		"truth class":     {mask(1, 1, 2), mask(1, 1, 0)},
		"predicted class": {mask(1, 1, 0), mask(1, 1, 2)},
		"predicted 255":   {mask(1, 1, 0), mask(1, 1, 255)},
	} {
		if _, err := Count(pair[0], pair[1], 2); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v, want segd.ErrFormat", name, err)
		}
	}
}

// Two subjects: the first has two cases, Dice 1 and 0.5, pooled 2·3/(3+7) = 0.6;
// the second one case with Dice 0.
func TestReport(t *testing.T) {
	t.Parallel()
	a := Accumulator{Names: []string{"background", "cell"}}
	a.Add(Case{ID: "a1", Group: "a", Counts: []Counts{{}, {Both: 1, Truth: 1, Predicted: 1}}})
	a.Add(Case{ID: "b1", Group: "", Counts: []Counts{{}, {Both: 0, Truth: 4, Predicted: 0}}})
	a.Add(Case{ID: "a2", Group: "a", Counts: []Counts{{}, {Both: 2, Truth: 2, Predicted: 6}}})
	r := a.Report()
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	near("mean dice", r.Mean.Classes[0].Dice, 0.5)
	near("mean iou", r.Mean.Classes[0].IoU, (1+0+1./3)/3)
	near("sd", r.Mean.Classes[0].DiceSD, 0.5)
	near("group a", r.Groups[0].Classes[0].Dice, 0.6)
	near("group mean", r.GroupMean.Classes[0].Dice, 0.3)
	near("pooled", r.Pooled.Classes[0].Dice, 2*3./14)
	if got := []string{r.Cases[2].ID, r.Groups[0].ID, r.Groups[1].ID}; !cmp.Equal(got, []string{"a2", "a", "b1"}) {
		t.Errorf("order %v", got)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"cases":[{"id":"a1","group":"a","classes":[{"index":1,"name":"cell","dice":1,"iou":1,`,
		`"groups":[{"id":"a","cases":2,"classes":[{"index":1,`, `"mean":{"classes":[{`, `"group_mean":{"classes":[{`, `"pooled":{"classes":[{`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("report lacks %s:\n%s", want, b)
		}
	}
	var text strings.Builder
	if err := r.WriteText(&text, 2); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "0.5000 [0.0000, 0.7500]") || !strings.Contains(text.String(), "b1") || strings.Contains(text.String(), "a1") {
		t.Errorf("table:\n%s", text.String())
	}
}

func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	var a Accumulator
	r := a.Report()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"cases":[],"groups":[],"mean":{"classes":[]},"group_mean":{"classes":[]},"pooled":{"classes":[]}}`; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
}
