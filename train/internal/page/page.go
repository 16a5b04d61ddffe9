// Package page lays out figures of masks and values for training and evaluation
// pages.
package page

import (
	"cmp"
	"fmt"
	"image"
	"slices"
	"strings"

	"segd/internal/report"
	"segd/train/metric"
)

// ResearchOnly is the notice at the foot of each page.
const ResearchOnly = "segd is research software, not a medical device. Do not use it for diagnosis, treatment or any other clinical decision."

// agreementColours explains what Picture draws.
const agreementColours = "green: both masks have the same class; orange: only the label has it (missed); purple: only the prediction has it, or it has another class than the label"

// maxRows limits the table of cases on a page. The JSON report has all cases.
const maxRows = 1000

// AddValues lays out the distance of values from the labels.
func AddValues(p *report.Page, r *metric.ValueReport) {
	t := report.Table{Head: []string{"", "mean absolute error", "root mean square error", "mean absolute error of the constant", "its root mean square error"}}
	row := func(name string, e metric.ValueEntry) {
		t.Rows = append(t.Rows, []string{name, fmt.Sprintf("%.4g", e.MAE), fmt.Sprintf("%.4g", e.RMSE), fmt.Sprintf("%.4g", e.ConstantMAE), fmt.Sprintf("%.4g", e.ConstantRMSE)})
	}
	row("mean over images", r.Mean)
	row("mean over groups, pixels pooled", r.GroupMean)
	row("all pixels pooled", r.Pooled)
	p.Add(report.Section{Title: "Figures", Table: t, Text: []string{
		fmt.Sprintf("In the unit of the labels. The constant predicts the mean of the training labels, %.4g, for every pixel.", r.Constant)}})
	cases := report.Table{Head: []string{"case", "group", "mean absolute error", "root mean square error"}}
	for _, e := range r.Worst(maxRows) {
		cases.Rows = append(cases.Rows, []string{e.ID, e.Group, fmt.Sprintf("%.4g", e.MAE), fmt.Sprintf("%.4g", e.RMSE)})
	}
	p.Add(report.Section{Title: "Cases, largest error first", Table: cases})
}

func className(s metric.Score) string { return cmp.Or(s.Name, fmt.Sprintf("class %d", s.Index)) }

// Figures adds the table of summaries.
func Figures(r *metric.Report) report.Section {
	t := report.Table{Head: []string{"class", "mean Dice", "by group", "pooled", "mean IoU", "HD95", "NSD", "expected Dice"}}
	measured := len(r.Mean.Classes) > 0 && r.Mean.Classes[0].NSD != nil
	if !measured {
		t.Head = t.Head[:5]
	}
	for k, s := range r.Mean.Classes {
		row := []string{className(s), interval(s.Dice, s.DiceCI), interval(r.GroupMean.Classes[k].Dice, r.GroupMean.Classes[k].DiceCI),
			interval(r.Pooled.Classes[k].Dice, r.Pooled.Classes[k].DiceCI), interval(s.IoU, s.IoUCI), known("%.2f px", s.HD95), known("%.3f", s.NSD), known("%.3f", s.Expected)}
		t.Rows = append(t.Rows, row[:len(t.Head)])
	}
	text := "Brackets show 95 % intervals by bootstrap over groups. By group: the pixels of each group's images are pooled."
	if measured {
		text += fmt.Sprintf(" HD95: 95 %% Hausdorff distance. NSD: share of the outlines within %g px of each other. Expected: the Dice that the network itself expects.", r.NSDTolerance)
	}
	return report.Section{Title: "Figures", Table: t, Text: []string{text}}
}

func interval(v float64, ci *[2]float64) string {
	if ci == nil {
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f]", v, ci[0], ci[1])
}

func known(format string, v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf(format, *v)
}

// Comparison compares a model with another one, named against.
func Comparison(against string, list []metric.Difference) report.Section {
	t := report.Table{Head: []string{"class", "difference of Dice", "groups better", "worse", "equal", "p"}}
	for _, d := range list {
		ci := ""
		if d.DiceCI != nil {
			ci = fmt.Sprintf(" [%+.4f, %+.4f]", d.DiceCI[0], d.DiceCI[1])
		}
		t.Rows = append(t.Rows, []string{cmp.Or(d.Name, fmt.Sprintf("class %d", d.Index)), fmt.Sprintf("%+.4f%s", d.Dice, ci),
			fmt.Sprint(d.Better), fmt.Sprint(d.Worse), fmt.Sprint(d.Equal), fmt.Sprintf("%.3g", d.P)})
	}
	return report.Section{Title: "Against " + against, Table: t,
		Text: []string{"By group. p: two-sided Wilcoxon signed-rank test."}}
}

// DiceCharts shows the spread of the cases, and how well a network predicts its own
// Dice.
func DiceCharts(r *metric.Report) []report.Chart {
	sorted := report.Chart{Title: "Dice of the cases, in order", X: "share of the cases (%)", Y: "Dice", YMin: 0, YMax: 1, XMin: 0, XMax: 100}
	trust := report.Chart{Title: "Expected and measured Dice", X: "expected Dice", Y: "Dice", XMin: 0, XMax: 1, YMin: 0, YMax: 1,
		Caption: "Each point is one class of one case. On the dashed line, the network predicts its own Dice correctly."}
	for k, s := range r.Mean.Classes {
		name := className(s)
		if len(r.Mean.Classes) == 1 {
			name = "" // no legend for a single line
		}
		line := report.Series{Name: name}
		cloud := report.Series{Name: name, Dots: true}
		for _, c := range r.Cases {
			line.Y = append(line.Y, c.Classes[k].Dice)
			if e := c.Classes[k].Expected; e != nil {
				cloud.X, cloud.Y = append(cloud.X, *e), append(cloud.Y, c.Classes[k].Dice)
			}
		}
		slices.Sort(line.Y)
		for i := range line.Y {
			line.X = append(line.X, 100*(float64(i)+0.5)/float64(len(line.Y)))
		}
		sorted.Series = append(sorted.Series, line)
		if len(cloud.X) > 0 {
			trust.Series = append(trust.Series, cloud)
		}
	}
	if len(trust.Series) == 0 {
		return []report.Chart{sorted}
	}
	trust.Series = append(trust.Series, report.Series{X: []float64{0, 1}, Y: []float64{0, 1}, Dashed: true})
	return []report.Chart{sorted, trust}
}

// CalibrationCharts shows how well calibrated the probabilities are, if that was
// measured.
func CalibrationCharts(r *metric.Report) []report.Chart {
	if r.Calibration == nil {
		return nil
	}
	var curve report.Series
	for _, b := range r.Calibration.Bins {
		if b.Pixels > 0 {
			curve.X, curve.Y = append(curve.X, b.Probability), append(curve.Y, b.Share)
		}
	}
	return []report.Chart{{Title: "Reliability", X: "probability of foreground", Y: "observed share of foreground", XMin: 0, XMax: 1, YMin: 0, YMax: 1,
		Caption: fmt.Sprintf("On the dashed line, probabilities are perfectly calibrated. Expected calibration error: %.4f; for pixels with a probability of at least 0.1: %.4f.", r.Calibration.ECE, r.Calibration.Foreground),
		Series:  []report.Series{curve, {X: []float64{0, 1}, Y: []float64{0, 1}, Dashed: true}}}}
}

// Picture shows the agreement of a case's masks.
type Picture struct {
	ID    string
	Image image.Image
}

// Pictures shows cases with their Dice.
func Pictures(title string, r *metric.Report, shown []Picture) report.Section {
	s := report.Section{Title: title, Text: []string{strings.ToUpper(agreementColours[:1]) + agreementColours[1:] + "."}}
	for i := range shown {
		caption := shown[i].ID
		if j := slices.IndexFunc(r.Cases, func(e metric.Entry) bool { return e.ID == shown[i].ID }); j >= 0 {
			caption = fmt.Sprintf("%s: Dice %.3f", caption, r.Cases[j].Dice())
		}
		s.Pictures = append(s.Pictures, report.Picture{Image: shown[i].Image, Caption: caption})
	}
	return s
}

// CaseTable lists the cases, the lowest Dice first.
func CaseTable(r *metric.Report) report.Section {
	t := report.Table{Head: []string{"case", "group"}}
	for _, s := range r.Mean.Classes {
		t.Head = append(t.Head, className(s)+": Dice", "IoU", "HD95 px", "NSD")
	}
	for _, c := range r.Worst(maxRows) {
		row := []string{c.ID, c.Group}
		for _, s := range c.Classes {
			row = append(row, fmt.Sprintf("%.3f", s.Dice), fmt.Sprintf("%.3f", s.IoU), known("%.1f", s.HD95), known("%.3f", s.NSD))
		}
		t.Rows = append(t.Rows, row)
	}
	s := report.Section{Title: "All cases, lowest Dice first", Table: t}
	if n := len(r.Cases); n > maxRows {
		s.Text = []string{fmt.Sprintf("The first %d of %d.", maxRows, n)}
	}
	return s
}
