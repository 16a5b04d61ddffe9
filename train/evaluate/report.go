package evaluate

import (
	"context"
	"fmt"
	"io"

	"segd"
	"segd/models"
	"segd/train/metric"
	"segd/unet"
)

// Report is the result of an evaluation: a MaskReport or a ValueReport. Its JSON is
// that of the contained report.
type Report interface {
	// Metrics returns the figures in the form of a model card. data and split name
	// the data set.
	Metrics(data, split string) []models.Metric
	// WriteText writes the figures as text, with the worst cases.
	WriteText(w io.Writer, worst int) error
}

// MaskReport is the Report for masks.
type MaskReport struct {
	*metric.Report
	ClassNames []string `json:"-"` // of the foreground classes
}

// Metrics returns Dice and IoU of each class.
func (r MaskReport) Metrics(data, split string) []models.Metric {
	var list []models.Metric
	for k, s := range r.Mean.Classes {
		g, p := r.GroupMean.Classes[k], r.Pooled.Classes[k]
		add := func(name string, cases int, value float64, interval *[2]float64) {
			list = append(list, models.Metric{
				Data: data, Split: split, Name: name, Class: r.ClassNames[k], Cases: cases, Value: value, Interval: interval,
			})
		}
		add("mean_dice", len(r.Cases), s.Dice, s.DiceCI)
		add("mean_iou", len(r.Cases), s.IoU, s.IoUCI)
		add("group_dice", len(r.Groups), g.Dice, g.DiceCI)
		add("pooled_dice", len(r.Cases), p.Dice, p.DiceCI)
	}
	return list
}

// ValueReport is the Report for values.
type ValueReport struct{ *metric.ValueReport }

// Metrics returns the errors, and those of a constant prediction.
func (r ValueReport) Metrics(data, split string) []models.Metric {
	metricOf := func(name string, cases int, value float64) models.Metric {
		return models.Metric{Data: data, Split: split, Name: name, Cases: cases, Value: value}
	}
	n := len(r.Cases)
	return []models.Metric{
		metricOf("mean_mae", n, r.Mean.MAE), metricOf("mean_rmse", n, r.Mean.RMSE),
		metricOf("group_mae", len(r.Groups), r.GroupMean.MAE),
		metricOf("pooled_mae", n, r.Pooled.MAE), metricOf("pooled_rmse", n, r.Pooled.RMSE),
		metricOf("constant_mae", n, r.Mean.ConstantMAE),
	}
}

// runs maps each head to the function that evaluates its results.
var runs = map[unet.Head]func(context.Context, Options, Progress) (Report, error){
	unet.HeadClasses: func(ctx context.Context, o Options, report Progress) (Report, error) {
		r, err := Run(ctx, o, report)
		if err != nil {
			return nil, err
		}
		m := MaskReport{Report: r}
		if o.Model != nil {
			m.ClassNames = o.Model.ForegroundNames()
		}
		return m, nil
	},
	unet.HeadRegression: func(ctx context.Context, o Options, report Progress) (Report, error) {
		r, err := Values(ctx, o, report)
		return ValueReport{r}, err
	},
}

// Measure calls Run or Values, depending on the model or Head.
func Measure(ctx context.Context, o Options, report Progress) (Report, error) {
	run, ok := runs[o.head()]
	if !ok {
		return nil, fmt.Errorf("train: %w: head %q, want regression or none", segd.ErrOption, o.Head)
	}
	return run(ctx, o, report)
}

// Masks reports whether Measure will compare masks.
func (o Options) Masks() bool { return o.head() == unet.HeadClasses }

func (o Options) head() unet.Head {
	if o.Model != nil {
		return o.Model.Network.Head
	}
	return o.Head
}
