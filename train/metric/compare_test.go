package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"segd"
)

// TestWilcoxon compares with scipy.stats.wilcoxon(d, method="exact") of SciPy 1.17.1,
// and, for samples with ties, with its permutation method over all signs.
func TestWilcoxon(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4, 5}, 0.0625},
		{[]float64{1, -2, 3, -4, 5, 6}, 0.4375},
		{[]float64{0.5, 0.5, -0.5, 0.5}, 0.625},
		{[]float64{0, 0, 1, 2}, 0.5},
		{[]float64{0, 0}, 1},
		{nil, 1},
	} {
		if got := wilcoxon(c.d); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", c.d, got, c.want)
		}
	}
}

// TestWilcoxonCountsOut compares with all 2ⁿ sign combinations.
func TestWilcoxonCountsOut(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for range 50 {
		n := 1 + rng.IntN(9)
		d := make([]float64, n)
		for i := range d {
			d[i] = float64(rng.IntN(9) - 4)
		}
		rank := func(i int) float64 { // mean rank among the nonzero differences
			below, same := 0, 0
			for _, v := range d {
				switch {
				case v == 0:
				case math.Abs(v) < math.Abs(d[i]):
					below++
				case math.Abs(v) == math.Abs(d[i]):
					same++
				}
			}
			return float64(below) + float64(same+1)/2
		}
		var ranks []float64
		total, positive := 0.0, 0.0
		for i, v := range d {
			if v != 0 {
				ranks = append(ranks, rank(i))
				total += rank(i)
				if v > 0 {
					positive += rank(i)
				}
			}
		}
		off := math.Abs(positive - total/2)
		extreme := 0
		for signs := range 1 << len(ranks) {
			sum := 0.0
			for i, r := range ranks {
				if signs>>i&1 == 1 {
					sum += r
				}
			}
			if math.Abs(sum-total/2) >= off-1e-9 {
				extreme++
			}
		}
		want := float64(extreme) / float64(int(1)<<len(ranks))
		if got := wilcoxon(d); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v: %v, want %v", d, got, want)
		}
	}
}

// TestWilcoxonNormal compares the approximation with the exact distribution where
// both are available. At 60 they agree to a few thousandths.
func TestWilcoxonNormal(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(6, 5))
	for range 20 {
		d := make([]float64, exactLimit)
		for i := range d {
			d[i] = rng.NormFloat64() + 0.2
		}
		exact := wilcoxon(d)
		low, total, ranks := 0, 0, make([]int, len(d))
		for i := range d {
			r := 1
			for _, v := range d {
				if math.Abs(v) < math.Abs(d[i]) {
					r++
				}
			}
			ranks[i] = 2 * r
			total += ranks[i]
			if d[i] > 0 {
				low += ranks[i]
			}
		}
		if got := normalTail(min(low, total-low), total, ranks); math.Abs(got-exact) > 0.004 {
			t.Errorf("%v, exact %v", got, exact)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	report := func(both ...int64) *Report {
		var a Accumulator
		for i, n := range both {
			a.Add(Case{ID: string(rune('a' + i)), Group: []string{"g", "g", "h", ""}[i], Counts: []Counts{{}, {Both: n, Truth: 10, Predicted: 10}}})
		}
		r := a.Report()
		return &r
	}
	list, err := Compare(report(9, 7, 5, 5), report(5, 5, 6, 5))
	if err != nil {
		t.Fatal(err)
	}
	// Groups: g (0.4+0.2)/2, h -0.1, d 0.
	d := list[0]
	if math.Abs(d.Dice-(0.3-0.1+0)/3) > 1e-12 || d.Better != 1 || d.Worse != 1 || d.Equal != 1 || d.P != 1 {
		t.Errorf("%+v", d)
	}
	var text strings.Builder
	if err := WriteDifferences(&text, "other", list); err != nil || !strings.Contains(text.String(), "against other") {
		t.Errorf("%s, %v", text.String(), err)
	}
	if _, err := Compare(report(1, 2), report(1)); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("other cases: %v", err)
	}
}

// TestCompareByName: two models may number the same classes differently.
func TestCompareByName(t *testing.T) {
	t.Parallel()
	report := func(names []string, dice ...float64) *Report {
		r := &Report{}
		for _, id := range []string{"a", "b"} {
			e := Entry{ID: id}
			for i, name := range names {
				e.Classes = append(e.Classes, Score{Index: i + 1, Name: name, Dice: dice[i]})
			}
			r.Cases, r.Mean = append(r.Cases, e), e
		}
		return r
	}
	d, err := Compare(report([]string{"disc", "square"}, 0.9, 0.5), report([]string{"Square", "disc"}, 0.4, 0.9))
	if err != nil || len(d) != 2 || d[0].Name != "disc" || d[0].Dice != 0 || math.Abs(d[1].Dice-0.1) > 1e-12 {
		t.Errorf("%+v, %v", d, err)
	}
	for _, names := range [][]string{{"disc", "ring"}, {"disc", "square", "ring"}, {"", "", ""}} {
		if _, err := Compare(report([]string{"disc", "square"}, 1, 1), report(names, 1, 1, 1)); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%q: %v", names, err)
		}
	}
}
