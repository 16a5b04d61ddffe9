package metric

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"segd"
)

// Errors accumulates the errors of predicted values. The zero value has no pixels.
type Errors struct {
	Pixels            int64 // with a known value
	absolute, squared float64
}

// CountErrors compares the predicted values of an image with truth. A NaN in truth
// means unknown and is left out. Different lengths and predicted values that are not
// finite are segd.ErrFormat.
func CountErrors(truth, predicted []float32) (Errors, error) {
	if len(truth) != len(predicted) {
		return Errors{}, fmt.Errorf("metric: %w: %d predicted values for %d labels", segd.ErrFormat, len(predicted), len(truth))
	}
	var e Errors
	for i, t := range truth {
		p := float64(predicted[i])
		if math.IsNaN(p) || math.IsInf(p, 0) {
			return Errors{}, fmt.Errorf("metric: %w: value %d is not finite", segd.ErrFormat, i)
		}
		if t != t {
			continue
		}
		d := p - float64(t)
		e.Pixels++
		e.absolute += math.Abs(d)
		e.squared += d * d
	}
	return e, nil
}

// Plus returns the sum of both.
func (e Errors) Plus(o Errors) Errors {
	return Errors{e.Pixels + o.Pixels, e.absolute + o.absolute, e.squared + o.squared}
}

// MAE returns the mean absolute error, or 0 without pixels.
func (e Errors) MAE() float64 { return e.absolute / float64(max(1, e.Pixels)) }

// RMSE returns the root mean squared error, or 0 without pixels.
func (e Errors) RMSE() float64 { return math.Sqrt(e.squared / float64(max(1, e.Pixels))) }

// ValueCase holds the measurements of one image. Constant holds the errors of the
// trivial prediction, one value for every pixel.
type ValueCase struct {
	ID, Group string // empty: a separate group
	Errors    Errors
	Constant  Errors
}

// ValueEntry is one case, one group with the pixels of its images pooled, or one
// summary, in the unit of the labels.
type ValueEntry struct {
	ID           string  `json:"id,omitempty"`
	Group        string  `json:"group,omitempty"`  // of a case, if ids.csv names one
	Cases        int     `json:"cases,omitempty"`  // in a group
	Pixels       int64   `json:"pixels,omitempty"` // with a known value; absent from a mean
	MAE          float64 `json:"mae"`
	RMSE         float64 `json:"rmse"`
	ConstantMAE  float64 `json:"constant_mae"`
	ConstantRMSE float64 `json:"constant_rmse"`
}

// ValueReport is what `segd evaluate --report` writes for a model of values. The
// means exclude cases and groups without a known value.
type ValueReport struct {
	Cases     []ValueEntry `json:"cases"`
	Groups    []ValueEntry `json:"groups"`
	Mean      ValueEntry   `json:"mean"`       // over cases
	GroupMean ValueEntry   `json:"group_mean"` // over groups
	Pooled    ValueEntry   `json:"pooled"`     // all pixels together
	Constant  float64      `json:"constant"`   // the trivial prediction: the mean of the training labels
}

// ReportValues summarises cases, with groups in the order of their first case.
// constant is the value to which the cases' Constant refers.
func ReportValues(cases []ValueCase, constant float64) *ValueReport {
	r := &ValueReport{Cases: []ValueEntry{}, Groups: []ValueEntry{}, Constant: constant}
	var sums []ValueCase
	var members []int
	var all ValueCase
	index := map[string]int{}
	for _, c := range cases {
		r.Cases = append(r.Cases, c.entry())
		id := cmp.Or(c.Group, c.ID)
		g, seen := index[id]
		if !seen {
			g = len(sums)
			index[id] = g
			sums, members = append(sums, ValueCase{ID: id}), append(members, 0)
		}
		sums[g], all = sums[g].plus(c), all.plus(c)
		members[g]++
	}
	for g, s := range sums {
		e := s.entry()
		e.Cases = members[g]
		r.Groups = append(r.Groups, e)
	}
	r.Mean, r.GroupMean, r.Pooled = meanValues(r.Cases), meanValues(r.Groups), all.entry()
	return r
}

func (c ValueCase) plus(o ValueCase) ValueCase {
	c.Errors, c.Constant = c.Errors.Plus(o.Errors), c.Constant.Plus(o.Constant)
	return c
}

func (c ValueCase) entry() ValueEntry {
	return ValueEntry{ID: c.ID, Group: c.Group, Pixels: c.Errors.Pixels, MAE: c.Errors.MAE(), RMSE: c.Errors.RMSE(),
		ConstantMAE: c.Constant.MAE(), ConstantRMSE: c.Constant.RMSE()}
}

// meanValues averages the entries that have pixels.
func meanValues(list []ValueEntry) (m ValueEntry) {
	n := 0.0
	for _, e := range list {
		if e.Pixels == 0 {
			continue
		}
		n++
		m.MAE, m.RMSE = m.MAE+e.MAE, m.RMSE+e.RMSE
		m.ConstantMAE, m.ConstantRMSE = m.ConstantMAE+e.ConstantMAE, m.ConstantRMSE+e.ConstantRMSE
	}
	n = max(1, n)
	m.MAE, m.RMSE, m.ConstantMAE, m.ConstantRMSE = m.MAE/n, m.RMSE/n, m.ConstantMAE/n, m.ConstantRMSE/n
	return m
}

// WriteText writes the report as a text table: the errors next to those of the
// constant, and the `worst` cases with the largest mean absolute error.
func (r *ValueReport) WriteText(w io.Writer, worst int) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) } // tabwriter reports errors in Flush
	line("over\tMAE\tRMSE\tMAE of the constant %.4g\tits RMSE\n", r.Constant)
	row := func(name string, e ValueEntry) {
		line("%s\t%.4g\t%.4g\t%.4g\t%.4g\n", name, e.MAE, e.RMSE, e.ConstantMAE, e.ConstantRMSE)
	}
	row(fmt.Sprintf("mean of %d cases", len(r.Cases)), r.Mean)
	row(fmt.Sprintf("mean of %d groups", len(r.Groups)), r.GroupMean)
	row("all pixels", r.Pooled)
	list := r.Worst(worst)
	if len(list) > 0 {
		line("\nlargest error\tMAE\tRMSE\n")
	}
	for _, e := range list {
		line("%s\t%.4g\t%.4g\n", e.ID, e.MAE, e.RMSE)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("metric: writing the table: %w", err)
	}
	return nil
}

// Worst lists up to n cases in descending order of mean absolute error.
func (r *ValueReport) Worst(n int) []ValueEntry {
	list := slices.Clone(r.Cases)
	slices.SortStableFunc(list, func(a, b ValueEntry) int { return cmp.Compare(b.MAE, a.MAE) })
	return list[:max(0, min(n, len(list)))]
}

// CompareValues compares the predictions for a case, and the constant, with its
// labels. Slices of different lengths are segd.ErrFormat. Pixels whose label is NaN
// are left out.
func CompareValues(id, group string, truth, predicted []float32, constant float64) (ValueCase, error) {
	c := ValueCase{ID: id, Group: group}
	var err error
	if c.Errors, err = CountErrors(truth, predicted); err != nil {
		return c, err
	}
	same := make([]float32, len(truth))
	for i := range same {
		same[i] = float32(constant)
	}
	c.Constant, err = CountErrors(truth, same)
	return c, err
}
