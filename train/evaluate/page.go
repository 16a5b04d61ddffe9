package evaluate

import (
	"fmt"
	"io"

	"segd/internal/report"
	"segd/train/internal/page"
	"segd/train/metric"
)

// WritePage writes an evaluation as one HTML file: figures, charts, the shown cases
// with the agreement of their masks, and every case. If compared is not nil, the page
// also compares the model with another one, whose name is against.
func WritePage(w io.Writer, title string, r *metric.Report, shown []Shown, against string, compared []metric.Difference) error {
	return evaluationPage(title, r, shown, against, compared).Write(w)
}

func evaluationPage(title string, r *metric.Report, shown []Shown, against string, compared []metric.Difference) *report.Page {
	p := &report.Page{Title: title, Foot: page.ResearchOnly,
		Lead: fmt.Sprintf("%d images of %d groups.", len(r.Cases), len(r.Groups))}
	p.Add(page.Figures(r))
	if compared != nil {
		p.Add(page.Comparison(against, compared))
	}
	p.Add(report.Section{Title: "Cases and calibration", Charts: append(page.DiceCharts(r), page.CalibrationCharts(r)...)})
	if len(shown) > 0 {
		var pictures []page.Picture
		for i := range shown {
			pictures = append(pictures, page.Picture{ID: shown[i].ID, Image: shown[i].Picture()})
		}
		p.Add(page.Pictures("Lowest Dice first", r, pictures))
	}
	p.Add(page.CaseTable(r))
	return p
}
