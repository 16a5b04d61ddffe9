package evaluate

import (
	"segd/models"
	"segd/train/metric"
)

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

// ValueFigures are what a report says of a model of values, as Figures are of
// one of classes.
func ValueFigures(report *metric.ValueReport, data, split string) []models.Metric {
	metricOf := func(name string, cases int, value float64) models.Metric {
		return models.Metric{Data: data, Split: split, Name: name, Cases: cases, Value: value}
	}
	n := len(report.Cases)
	return []models.Metric{
		metricOf("mean_mae", n, report.Mean.MAE), metricOf("mean_rmse", n, report.Mean.RMSE),
		metricOf("group_mae", len(report.Groups), report.GroupMean.MAE),
		metricOf("pooled_mae", n, report.Pooled.MAE), metricOf("pooled_rmse", n, report.Pooled.RMSE),
		metricOf("constant_mae", n, report.Mean.ConstantMAE),
	}
}
