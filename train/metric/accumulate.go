package metric

import "math"

// Case holds the measurements of one image.
type Case struct {
	ID     string
	Group  string   // of the image; empty: a separate group
	Counts []Counts // by class, as returned by Count
	// Pixels and MM are the surface distances in pixels and, if the spacing is known,
	// in millimetres, as returned by Surfaces; nil: not measured.
	Pixels, MM []Surface
	// Expected is the Dice that the network expects, by class; nil: not known.
	Expected []float64
}

// Accumulator collects cases. The zero value is ready to use. Names, by class index
// with background first, and Tolerance, that of the surface distances, may be set
// before Report. Pixels may be added to Reliability. An Accumulator is not safe for
// concurrent use.
type Accumulator struct {
	Names       []string
	Tolerance   float64
	Reliability Reliability

	cases []Case
}

// Add adds one case and retains its slices.
func (a *Accumulator) Add(c Case) { a.cases = append(a.cases, c) }

// Report summarises the added cases, with cases in the order of Add and groups in the
// order of their first case.
func (a *Accumulator) Report() Report {
	r := Report{Cases: []Entry{}, Groups: []Entry{}, NSDTolerance: a.Tolerance, Calibration: a.Reliability.Calibration()}
	index := map[string]int{}
	var sums [][]Counts
	var members [][]int // cases of each group
	var all []Counts
	for i, c := range a.cases {
		e := Entry{ID: c.ID, Group: c.Group, Classes: a.scores(c.Counts)}
		e.addMeasures(c)
		r.Cases = append(r.Cases, e)
		group := c.Group
		if group == "" {
			group = c.ID
		}
		g, seen := index[group]
		if !seen {
			g = len(sums)
			index[group] = g
			sums, members = append(sums, nil), append(members, nil)
			r.Groups = append(r.Groups, Entry{ID: group})
		}
		sums[g], members[g] = plus(sums[g], c.Counts), append(members[g], i)
		r.Groups[g].Cases++
		all = plus(all, c.Counts)
	}
	for g, s := range sums {
		r.Groups[g].Classes = a.scores(s)
	}
	r.Mean = mean(r.Cases)
	r.GroupMean = mean(r.Groups)
	r.Pooled = Entry{Classes: a.scores(all)}
	if len(sums) > 1 {
		b := bootstrap{cases: r.Cases, groups: r.Groups, members: members, sums: sums}
		b.intervals(&r)
	}
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

// addMeasures copies the distances and expectations of a case into its scores.
func (e *Entry) addMeasures(c Case) {
	for i := range e.Classes {
		s := &e.Classes[i]
		if c.Pixels != nil {
			s.HD95, s.NSD = finite(c.Pixels[s.Index].HD95), finite(c.Pixels[s.Index].NSD)
		}
		if s.Index < len(c.Expected) {
			s.Expected = &c.Expected[s.Index]
		}
		if c.MM != nil {
			s.HD95MM, s.NSDMM = finite(c.MM[s.Index].HD95), finite(c.MM[s.Index].NSD)
		}
	}
}

// finite returns nil if v is not a number, which JSON cannot represent.
func finite(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
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

// mean averages the scores of the entries by class.
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
		s.HD95, s.Distances = meanOf(entries, func(e Entry) *float64 { return e.Classes[k].HD95 })
		s.Expected, _ = meanOf(entries, func(e Entry) *float64 { return e.Classes[k].Expected })
		s.NSD, _ = meanOf(entries, func(e Entry) *float64 { return e.Classes[k].NSD })
		// A mean in millimetres over some of the cases would look like one over all.
		if mm, n := meanOf(entries, func(e Entry) *float64 { return e.Classes[k].HD95MM }); n == s.Distances {
			s.HD95MM = mm
		}
		if mm, n := meanOf(entries, func(e Entry) *float64 { return e.Classes[k].NSDMM }); n == len(entries) {
			s.NSDMM = mm
		}
		m.Classes = append(m.Classes, s)
	}
	return m
}

// meanOf returns the mean of the values present, and their number. The mean is nil if
// there are none.
func meanOf(entries []Entry, of func(Entry) *float64) (*float64, int) {
	sum, n := 0.0, 0
	for _, e := range entries {
		if v := of(e); v != nil {
			sum += *v
			n++
		}
	}
	if n == 0 {
		return nil, 0
	}
	sum /= float64(n)
	return &sum, n
}
