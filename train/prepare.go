package train

import (
	"context"
	"fmt"
	"slices"

	"segd/train/dataset"
)

// prepare reads the data and makes the plan, or takes it from a checkpoint.
func prepare(ctx context.Context, o Options, saved *progress, report func(Event)) (*run, error) {
	warn := func(messages ...string) {
		for _, m := range messages {
			report(Event{Kind: EventWarning, Message: m})
		}
	}
	data, channels, err := o.openData(saved, warn)
	if err != nil {
		return nil, err
	}
	t := o.target()
	raws, list, err := load(ctx, data.Cases, t, o.Memory()/2)
	if err != nil {
		return nil, err
	}
	for _, f := range dataset.Remarks(data.Cases) {
		warn(f.String())
	}
	meant, classes, err := t.survey(&o, data.Cases, list)
	if err != nil {
		return nil, err
	}
	warn(meant.Warnings...)
	f := fingerprint(data.Cases, list, meant, classes)
	r := &run{o: o, report: report, names: data.Names, channels: channels}
	if err := r.take(saved, data.Cases, f, warn); err != nil {
		return nil, err
	}
	if saved == nil {
		if r.Plan.Targets, err = t.measure(data.Cases, list, r.Plan.Training); err != nil {
			return nil, err
		}
	}
	var warnings []string
	r.inPatient, warnings = r.planes(data.Cases, list)
	warn(warnings...)
	if saved == nil && o.Balance {
		r.Plan.Loss.Classes = balance(data.Cases, list, meant, r.Plan.Training, classes)
	}
	taken, err := r.Plan.memory()
	if err != nil {
		return nil, err
	}
	r.store = budget(o.Memory() - taken)
	n := normaliser{recipe: r.Plan.Recipe, meant: meant, classes: classes, loss: &r.Plan.Loss, held: r.Plan.Validation, target: t, targets: r.Plan.Targets, store: r.store}
	examples, err := n.run(ctx, data.Cases, raws)
	if err != nil {
		return r, err
	}
	if k := r.store.count; k > 0 {
		warn(fmt.Sprintf("%d MiB of memory hold %d of %d images: the others are read from a temporary file of %d MiB",
			o.Memory()>>20, len(examples)-k, len(examples), r.store.size>>20))
	}
	r.divide(examples)
	if saved == nil {
		r.Plan.EpochSteps = float64(len(r.training)) / float64(r.Plan.Batch)
	}
	return r, nil
}

// take continues a saved training, or plans a new one.
func (r *run) take(saved *progress, cases []dataset.Case, f Fingerprint, warn func(...string)) error {
	if saved == nil {
		return r.plan(cases, f, warn)
	}
	if err := saved.matches(r.o, f); err != nil {
		return err
	}
	r.progress = *saved
	if set := r.o.Pool.Kernels().Name(); set != saved.Plan.Kernels {
		warn(fmt.Sprintf("the checkpoint was made with %s kernels, this run uses %s: weights will differ in the last digits", saved.Plan.Kernels, set))
	}
	return nil
}

// openData opens the data sets and determines the names of their classes and
// channels.
func (o *Options) openData(saved *progress, warn func(...string)) (*dataset.Dataset, []string, error) {
	data, err := dataset.Open(o.Datasets...)
	if err != nil {
		return nil, nil, err
	}
	if err := o.target().name(o, data, saved); err != nil {
		return nil, nil, err
	}
	warn(data.Warnings...)
	channels, err := data.Channels()
	if err != nil {
		return nil, nil, err
	}
	if o.From != nil && len(o.From.Channels) > 0 { // a model of single images may start a training on several channels
		warning, err := data.FitChannels(o.From.Name, o.From.Channels)
		if err != nil {
			return nil, nil, err
		}
		if warning != "" {
			warn(warning)
		}
	}
	return data, channels, nil
}

// divide assigns each example to training or validation. It repeats training examples
// as often as the plan says for their data set.
func (r *run) divide(examples []example) {
	for _, e := range examples {
		if slices.Contains(r.Plan.Validation, e.ID) {
			r.validation = append(r.validation, e)
		} else {
			r.training = append(r.training, e)
		}
	}
	if repeat := r.Plan.Repeat; len(repeat) > 0 {
		for i, n := 0, len(r.training); i < n; i++ {
			for range repeat[r.training[i].Set] - 1 {
				r.training = append(r.training, r.training[i])
			}
		}
	}
}
