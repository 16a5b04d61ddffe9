package train

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"segd/internal/report"
	"segd/train/internal/page"
)

// shownCases is the number of validation images on a training's page.
const shownCases = 6

// trainingPage lays out a finished training: its curves and its plan.
func (r *run) trainingPage() *report.Page {
	p := &report.Page{Title: "Training of " + cmp.Or(r.o.Title, cmp.Or(r.o.Name, filepath.Base(r.o.Out))), Lead: strings.ToUpper(r.ended()[:1]) + r.ended()[1:] + ". " + r.Plan.summary(), Foot: page.ResearchOnly}
	t := r.Plan.target()
	loss, figure := report.Chart{Title: "Loss", X: "epoch", Y: r.Plan.Loss.String()}, report.Chart{X: "epoch"}
	t.charts(&loss, &figure)
	figure.Caption = fmt.Sprintf("Curves of the averaged weights. Those of step %d are kept: %s by image, %s by group.", r.BestStep, t.text(r.BestImage), t.text(r.BestGroup))
	var epochs, losses, images, groups []float64
	for i := range r.History {
		h := &r.History[i]
		epochs = append(epochs, float64(h.Step)/r.Plan.EpochSteps)
		image, group := t.ofRow(h)
		losses, images, groups = append(losses, h.Loss), append(images, *image), append(groups, *group)
	}
	single := len(epochs) == 1 // breaks the line
	loss.Series = []report.Series{{X: epochs, Y: losses, Dots: single}}
	figure.Series = []report.Series{{Name: "by image", X: epochs, Y: images, Dots: single}, {Name: "by group", X: epochs, Y: groups, Dots: single, Dashed: true}}
	charts := []report.Chart{loss}
	if !r.Plan.all() {
		charts = append(charts, figure)
	}
	p.Add(report.Section{Title: "Curves", Charts: charts})
	return p
}

// writePage writes report.html next to the model: the training and, if this run
// validated them, the results of the kept weights on the validation images.
func (r *run) writePage(ctx context.Context) error {
	p := r.trainingPage()
	if r.best != nil {
		if err := r.Plan.target().show(ctx, r, p); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(r.o.Out, pageName), p.Write)
}
