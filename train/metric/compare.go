package metric

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"text/tabwriter"

	"segd"
	"segd/internal/classes"
)

// Difference is the difference in the Dice of one class between two sets of masks,
// averaged within each group.
type Difference struct {
	Index  int         `json:"index"`
	Name   string      `json:"name,omitempty"`
	Dice   float64     `json:"dice"`              // mean over groups; positive: the first is better
	DiceCI *[2]float64 `json:"dice_ci,omitempty"` // 95 % interval, bootstrap over groups
	Better int         `json:"better"`            // groups in which the first is better
	Worse  int         `json:"worse"`
	Equal  int         `json:"equal"`
	P      float64     `json:"p"` // two-sided, see wilcoxon
}

// Compare compares the reports of two sets of masks of the same cases, class by
// class. It compares groups rather than images, because images of one subject are not
// independent. Classes that both reports name are matched by name, ignoring case, and
// others by order. If the cases or classes differ, the error is segd.ErrFormat.
func Compare(first, second *Report) ([]Difference, error) {
	if len(first.Cases) != len(second.Cases) {
		return nil, fmt.Errorf("metric: %w: cannot compare %d cases with %d, want the same cases", segd.ErrFormat, len(first.Cases), len(second.Cases))
	}
	type sum struct {
		difference float64
		cases      int
	}
	var list []Difference
	counterpart, err := sameClasses(first.Mean.Classes, second.Mean.Classes)
	if err != nil {
		return nil, err
	}
	for k, s := range first.Mean.Classes {
		groups := map[string]*sum{}
		var order []*sum
		for i, a := range first.Cases {
			b := second.Cases[i]
			if a.ID != b.ID {
				return nil, fmt.Errorf("metric: %w: case %d differs between the two, want the same cases", segd.ErrFormat, i+1)
			}
			g := cmp.Or(a.Group, a.ID)
			if groups[g] == nil {
				groups[g] = &sum{}
				order = append(order, groups[g])
			}
			groups[g].difference += a.Classes[k].Dice - b.Classes[counterpart[k]].Dice
			groups[g].cases++
		}
		d := make([]float64, len(order))
		for i, g := range order {
			d[i] = g.difference / float64(g.cases)
		}
		list = append(list, difference(s.Index, s.Name, d))
	}
	return list, nil
}

// sameClasses returns the position of each class of first in second.
func sameClasses(first, second []Score) ([]int, error) {
	list := func(whose string, scores []Score) classes.List {
		l := classes.List{Whose: whose}
		for _, s := range scores {
			l.Names = append(l.Names, s.Name)
		}
		return l
	}
	a, b := list("one report", first), list("the other", second)
	table, err := classes.Match(a, b)
	if err == nil && len(first) != len(second) {
		err = fmt.Errorf("%w: cannot compare %d classes with %d", segd.ErrFormat, len(first), len(second))
	}
	if err != nil {
		return nil, fmt.Errorf("metric: %w", err)
	}
	at := make([]int, len(first))
	for k := range at {
		if at[k] = k; table != nil {
			at[k] = int(table[k+1]) - 1
		}
	}
	return at, nil
}

// difference summarises the differences of the groups.
func difference(index int, name string, d []float64) Difference {
	out := Difference{Index: index, Name: name, P: wilcoxon(d)}
	for _, v := range d {
		out.Dice += v / float64(len(d))
		switch {
		case v > 0:
			out.Better++
		case v < 0:
			out.Worse++
		default:
			out.Equal++
		}
	}
	if len(d) > 1 {
		rng := rand.New(rand.NewPCG(bootstrapSeed, uint64(index)))
		var v interval
		for range draws {
			var a average
			for range d {
				a.add(d[rng.IntN(len(d))])
			}
			a.to(&v)
		}
		out.DiceCI = v.bounds()
	}
	return out
}

// exactLimit is the largest number of differences for which the exact distribution is
// computed. Beyond it, the normal distribution is close.
const exactLimit = 60

// wilcoxon returns the two-sided p-value of the signed-rank test (Wilcoxon 1945) for
// the hypothesis that paired differences are symmetric about zero. Zeros are left
// out, and equal differences share their mean rank. The value is 1 if there are no
// differences.
func wilcoxon(d []float64) float64 {
	var v []float64
	for _, x := range d {
		if x != 0 {
			v = append(v, x)
		}
	}
	n := len(v)
	if n == 0 {
		return 1
	}
	slices.SortFunc(v, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	// Doubled ranks are integers, because a mean rank is a multiple of one half.
	ranks := make([]int, n)
	positive, total := 0, 0
	for i := 0; i < n; {
		j := i
		for j < n && math.Abs(v[j]) == math.Abs(v[i]) {
			j++
		}
		for k := i; k < j; k++ {
			ranks[k] = i + 1 + j
			total += ranks[k]
			if v[k] > 0 {
				positive += ranks[k]
			}
		}
		i = j
	}
	low := min(positive, total-positive)
	if n > exactLimit {
		return normalTail(low, total, ranks)
	}
	// ways[s] is the share of all sign combinations whose positive ranks sum to s.
	ways := make([]float64, total+1)
	ways[0] = 1
	for _, r := range ranks {
		for s := total; s >= 0; s-- {
			ways[s] /= 2
			if s >= r {
				ways[s] += ways[s-r] / 2
			}
		}
	}
	p := 0.0
	for s := range low + 1 {
		p += ways[s]
	}
	return min(1, 2*p)
}

// normalTail approximates twice the probability of a sum of at most low.
func normalTail(low, total int, ranks []int) float64 {
	variance := 0.0
	for _, r := range ranks {
		variance += float64(r*r) / 4
	}
	z := (float64(low) + 1 - float64(total)/2) / math.Sqrt(variance) // a step is 2 of these ranks
	return min(1, math.Erfc(-z/math.Sqrt2))
}

// WriteDifferences writes a comparison as a text table.
func WriteDifferences(w io.Writer, against string, list []Difference) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) } // tabwriter reports errors in Flush
	line("\nagainst %s\tdifference of Dice\tbetter\tworse\tequal\tp\n", against)
	for _, d := range list {
		name := cmp.Or(d.Name, fmt.Sprintf("class %d", d.Index))
		ci := ""
		if d.DiceCI != nil {
			ci = fmt.Sprintf(" [%+.4f, %+.4f]", d.DiceCI[0], d.DiceCI[1])
		}
		line("%s\t%+.4f%s\t%d\t%d\t%d\t%.3g\n", name, d.Dice, ci, d.Better, d.Worse, d.Equal, d.P)
	}
	line("\nby group; p: Wilcoxon signed-rank test, two-sided\n")
	if err := t.Flush(); err != nil {
		return fmt.Errorf("metric: writing the table: %w", err)
	}
	return nil
}
