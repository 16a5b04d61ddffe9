package train

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"segd/internal/report"
	"segd/models"
	"segd/train/evaluate"
	"segd/train/internal/page"
)

// shownCases is how many validation images a training's page shows.
const shownCases = 6

// trainingPage lays out a finished training: its curves, its plan, and how the
// weights that are kept do on the validation images.
func (r *run) trainingPage(pictures []page.Picture) *report.Page {
	p := &report.Page{Title: "Training of " + cmp.Or(r.o.Title, cmp.Or(r.o.Name, filepath.Base(r.o.Out))), Lead: strings.ToUpper(r.ended()[:1]) + r.ended()[1:] + ". " + r.Plan.summary(), Foot: page.ResearchOnly}
	loss := report.Chart{Title: "Loss", X: "epoch", Y: r.Plan.Loss.String()}
	figure := report.Chart{Title: "Validation Dice", X: "epoch", Y: "Dice", YMax: 1, YMin: 1}
	if r.Plan.values() {
		loss.Y += ", of labels through their deviation"
		figure = report.Chart{Title: "Validation error", X: "epoch", Y: "mean absolute error"}
	}
	figure.Caption = fmt.Sprintf("Of the averaged weights. Those of step %d are kept: %s by image, %s by group.", r.BestStep, r.Plan.text(r.BestImage), r.Plan.text(r.BestGroup))
	var epochs, losses, images, groups []float64
	for _, h := range r.History {
		epochs = append(epochs, float64(h.Step)/r.Plan.EpochSteps)
		image, group := r.Plan.figuresOf(h)
		losses, images, groups = append(losses, h.Loss), append(images, image), append(groups, group)
	}
	single := len(epochs) == 1 // makes no line
	loss.Series = []report.Series{{X: epochs, Y: losses, Dots: single}}
	figure.Series = []report.Series{{Name: "by image", X: epochs, Y: images, Dots: single}, {Name: "by group", X: epochs, Y: groups, Dots: single, Dashed: true}}
	if r.Plan.all() {
		p.Add(report.Section{Title: "Curves", Charts: []report.Chart{loss}})
		return p
	}
	p.Add(report.Section{Title: "Curves", Charts: []report.Chart{loss, figure}})
	if r.best == nil { // it is of an earlier run that this one went on from
		return p
	}
	if r.Plan.values() {
		page.AddValues(p, r.best.values)
		return p
	}
	p.Add(page.Figures(r.best.masks))
	p.Add(report.Section{Title: "Validation images", Charts: page.DiceCharts(r.best.masks)})
	if len(pictures) > 0 {
		p.Add(page.Pictures("Validation images of the lowest Dice", r.best.masks, pictures))
	}
	p.Add(page.CaseTable(r.best.masks))
	return p
}

// writePage writes report.html beside the model.
func (r *run) writePage(ctx context.Context) error {
	var pictures []page.Picture
	if r.best != nil && !r.Plan.values() {
		m, err := models.Open(r.o.Out)
		if err != nil {
			return err
		}
		var ids []string
		for _, e := range r.best.masks.Worst(shownCases) {
			ids = append(ids, e.ID)
		}
		shown, err := evaluate.Show(ctx, evaluate.Options{Datasets: r.o.Datasets, Model: m, Pool: r.o.Pool, ClassNames: r.o.ClassNames}, ids)
		if err != nil {
			return err
		}
		for i := range shown {
			pictures = append(pictures, page.Picture{ID: shown[i].ID, Image: shown[i].Picture()})
		}
	}
	return writeFile(filepath.Join(r.o.Out, pageName), r.trainingPage(pictures).Write)
}
