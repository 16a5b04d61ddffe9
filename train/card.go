package train

import (
	"fmt"

	"segd/models"
	"segd/train/metric"
)

// saveModel writes the averaged weights, which are the best so far, as a
// model directory in fp32. v is nil where nothing is validated.
func (r *run) saveModel(v *validation) error {
	return models.Save(r.o.Out, r.manifest(v), r.keptWeights(), false)
}

// manifest is the model card of the weights that are kept.
func (r *run) manifest(v *validation) models.Manifest {
	p := &r.Plan
	m := models.Manifest{
		Name: or(r.o.Name, models.NameFrom(r.o.Out)), Version: or(r.o.Version, "1"), Title: r.o.Title,
		Description: r.o.Description, Network: p.Network, Recipe: p.Recipe, Channels: r.channels, Planes: r.inPatient,
		Data: r.o.Data,
		Training: &models.Training{
			Seconds: r.Seconds, Steps: p.Steps, BestStep: r.BestStep, Epochs: float64(r.BestStep) / p.EpochSteps, Seed: p.Seed,
			Cases: len(p.Training), Validation: len(p.Validation), Batch: p.Batch, PatchHeight: p.PatchHeight, PatchWidth: p.PatchWidth,
			LearnRate: p.LearnRate, Loss: p.Loss.String(), Kernels: p.Kernels, From: p.From, NoFlip: !p.Augment.Flip,
		},
	}
	if t := p.Targets; t != nil {
		m.Values = &models.Values{Mean: t.Mean, Deviation: t.Deviation}
	} else {
		m.Classes, m.Regions = models.ClassList(r.classNames()...), p.Regions
	}
	if m.Data == nil {
		for _, name := range r.names {
			m.Data = append(m.Data, models.DataCard{Name: name})
		}
	}
	switch {
	case v == nil:
	case p.values():
		m.Metrics = ValueFigures(v.values, joined(r.names), "validation")
	default:
		m.Metrics = Figures(v.masks, joined(r.names), "validation", r.classNames())
	}
	return m
}

// Figures are what a report says of a model, in the words of its card: data
// and split name the data set, classes the foreground classes.
func Figures(report *metric.Report, data, split string, classes []string) []models.Metric {
	var list []models.Metric
	for k, s := range report.Mean.Classes {
		g, p := report.GroupMean.Classes[k], report.Pooled.Classes[k]
		add := func(name string, cases int, value float64, interval *[2]float64) {
			list = append(list, models.Metric{
				Data: data, Split: split, Name: name, Class: classes[k], Cases: cases, Value: value, Interval: interval,
			})
		}
		add("mean_dice", len(report.Cases), s.Dice, s.DiceCI)
		add("mean_iou", len(report.Cases), s.IoU, s.IoUCI)
		add("group_dice", len(report.Groups), g.Dice, g.DiceCI)
		add("pooled_dice", len(report.Cases), p.Dice, p.DiceCI)
	}
	return list
}

// classNames names the foreground classes.
func (r *run) classNames() []string {
	if len(r.o.ClassNames) > 0 {
		return r.o.ClassNames
	}
	if r.Plan.Network.Classes == 2 {
		return []string{"foreground"}
	}
	names := make([]string, r.Plan.Network.Classes-1)
	for i := range names {
		names[i] = fmt.Sprintf("class %d", i+1)
	}
	return names
}

// joined names several data sets in one word.
func joined(names []string) string {
	s := ""
	for i, n := range names {
		if i > 0 {
			s += " + "
		}
		s += n
	}
	return s
}
