package metric

import (
	"fmt"
	"io"
	"math"
	"sort"
	"text/tabwriter"
)

// Score holds the agreement of one class. In a mean over cases or groups the
// pixel numbers are absent.
type Score struct {
	Index           int     `json:"index"`
	Name            string  `json:"name,omitempty"`
	Dice            float64 `json:"dice"`
	IoU             float64 `json:"iou"`
	DiceSD          float64 `json:"dice_sd,omitempty"` // sample standard deviation over what a mean was taken of
	TruthPixels     int64   `json:"truth_pixels,omitempty"`
	PredictedPixels int64   `json:"predicted_pixels,omitempty"`
}

// Entry is one case (an image), one group (the pixels of its images pooled)
// or one summary: a score for each foreground class, by rising index.
type Entry struct {
	ID      string  `json:"id,omitempty"`
	Group   string  `json:"group,omitempty"` // of a case, where ids.csv names one
	Cases   int     `json:"cases,omitempty"` // in a group
	Classes []Score `json:"classes"`
}

// Dice is the mean over the foreground classes.
func (e Entry) Dice() float64 {
	var s float64
	for _, c := range e.Classes {
		s += c.Dice
	}
	return s / float64(max(1, len(e.Classes)))
}

// Report is what `segd evaluate --report` writes, background left out.
type Report struct {
	Cases     []Entry `json:"cases"`
	Groups    []Entry `json:"groups"`
	Mean      Entry   `json:"mean"`       // over cases
	GroupMean Entry   `json:"group_mean"` // over groups
	Pooled    Entry   `json:"pooled"`     // all pixels together
}

// Accumulator collects the counts of cases. The zero value is ready; Names,
// by class index with background first, may be set before Report. It is not
// safe for concurrent use.
type Accumulator struct {
	Names []string

	ids, groups []string
	counts      [][]Counts
}

// Add takes the counts of one case as Count returned them. An empty group
// makes the case a group of its own.
func (a *Accumulator) Add(id, group string, counts []Counts) {
	a.ids = append(a.ids, id)
	a.groups = append(a.groups, group)
	a.counts = append(a.counts, counts)
}

// Report sums up what was added: cases in the order of Add, groups in the
// order of their first case.
func (a *Accumulator) Report() Report {
	r := Report{Cases: []Entry{}, Groups: []Entry{}}
	index := map[string]int{}
	var sums [][]Counts
	var all []Counts
	for i, counts := range a.counts {
		r.Cases = append(r.Cases, Entry{ID: a.ids[i], Group: a.groups[i], Classes: a.scores(counts)})
		group := a.groups[i]
		if group == "" {
			group = a.ids[i]
		}
		g, seen := index[group]
		if !seen {
			g = len(sums)
			index[group] = g
			sums = append(sums, nil)
			r.Groups = append(r.Groups, Entry{ID: group})
		}
		sums[g] = plus(sums[g], counts)
		r.Groups[g].Cases++
		all = plus(all, counts)
	}
	for g, s := range sums {
		r.Groups[g].Classes = a.scores(s)
	}
	r.Mean = mean(r.Cases)
	r.GroupMean = mean(r.Groups)
	r.Pooled = Entry{Classes: a.scores(all)}
	return r
}

func (a *Accumulator) scores(counts []Counts) []Score {
	s := []Score{}
	for i := 1; i < len(counts); i++ {
		c := counts[i]
		score := Score{Index: i, Dice: c.Dice(), IoU: c.IoU(), TruthPixels: c.Truth, PredictedPixels: c.Predicted}
		if i < len(a.Names) {
			score.Name = a.Names[i]
		}
		s = append(s, score)
	}
	return s
}

func plus(sum, c []Counts) []Counts {
	for len(sum) < len(c) {
		sum = append(sum, Counts{})
	}
	for i := range c {
		sum[i] = sum[i].Plus(c[i])
	}
	return sum
}

// mean averages the scores of the entries class by class.
func mean(entries []Entry) Entry {
	m := Entry{Classes: []Score{}}
	if len(entries) == 0 {
		return m
	}
	n := float64(len(entries))
	for k := range entries[0].Classes {
		s := Score{Index: entries[0].Classes[k].Index, Name: entries[0].Classes[k].Name}
		for _, e := range entries {
			s.Dice += e.Classes[k].Dice / n
			s.IoU += e.Classes[k].IoU / n
		}
		var sq float64
		for _, e := range entries {
			d := e.Classes[k].Dice - s.Dice
			sq += d * d
		}
		if len(entries) > 1 {
			s.DiceSD = math.Sqrt(sq / (n - 1))
		}
		m.Classes = append(m.Classes, s)
	}
	return m
}

// WriteText writes the report as a table for people: the means, and the
// `worst` cases with the lowest Dice.
func (r Report) WriteText(w io.Writer, worst int) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) } // tabwriter keeps errors for Flush
	line("class\tmean Dice (%d cases)\tmean Dice (%d groups)\tpooled Dice\tmean IoU\n", len(r.Cases), len(r.Groups))
	for k, s := range r.Mean.Classes {
		name := s.Name
		if name == "" {
			name = fmt.Sprintf("class %d", s.Index)
		}
		g := r.GroupMean.Classes[k]
		line("%s\t%.4f ± %.4f\t%.4f ± %.4f\t%.4f\t%.4f\n", name, s.Dice, s.DiceSD, g.Dice, g.DiceSD, r.Pooled.Classes[k].Dice, s.IoU)
	}
	order := make([]int, len(r.Cases))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return r.Cases[order[i]].Dice() < r.Cases[order[j]].Dice() })
	if worst = min(worst, len(order)); worst > 0 {
		line("\nlowest\tDice\t\n")
	}
	for _, i := range order[:max(worst, 0)] {
		line("%s\t%.4f\t\n", r.Cases[i].ID, r.Cases[i].Dice())
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("metric: writing the table: %w", err)
	}
	return nil
}
