// Package evaluate measures how well a model, or existing masks, agree with the
// labels of data sets.
//
//	report, err := evaluate.Run(ctx, evaluate.Options{
//		Datasets: []string{"nuclei/test"}, Model: model,
//	}, nil)
//
// Images are segmented exactly as the service does. Limits: masks are compared plane
// by plane.
package evaluate

import (
	"cmp"
	"context"
	"fmt"

	"segd"
	"segd/models"
	"segd/train/dataset"
	"segd/train/internal/parallel"
	"segd/train/metric"
	"segd/unet"
)

// Options says what to measure against which data. Set exactly one of Model and
// Predictions.
type Options struct {
	Datasets    []string // folders, see dataset.Open
	Model       *models.Model
	Predictions string     // folder of masks, in any format of labels; see Run
	Head        unet.Head  // content of Predictions, for Measure
	Pool        *unet.Pool // on which the network runs; nil: one thread
	TTA         bool       // see segment.Options
	// Tolerance is the distance up to which outlines count as equal in the normalised
	// surface distance, in pixels and, where the spacing is known, in mm. 0 means 2.
	Tolerance float64
	// ClassNames lists the foreground classes, index 1 first, with which the labels
	// are read. It may reorder or rename the classes of the data sets. Data sets
	// without class names are assumed to use these numbers.
	ClassNames []string
}

// Progress receives each finished case and the warnings, on the goroutine that
// started the evaluation. It may be nil.
type Progress func(done, cases int, warning string)

// one returns an error unless there is exactly one thing to measure.
func (o Options) one() error {
	if (o.Model == nil) == (o.Predictions == "") {
		return fmt.Errorf("train: %w: want exactly one of model and predictions", segd.ErrOption)
	}
	return nil
}

// A task is a running evaluation.
type task interface {
	// measure compares the result for case i with its label.
	measure(ctx context.Context, i int) error
}

// each measures the cases one after another.
func (p Progress) each(ctx context.Context, cases []dataset.Case, warnings []string, t task) error {
	if p == nil {
		p = func(int, int, string) {}
	}
	n := len(cases)
	for _, w := range warnings {
		p(0, n, w)
	}
	for i := range cases {
		if err := t.measure(ctx, i); err != nil {
			return err
		}
		p(i+1, n, "")
	}
	for _, f := range dataset.Remarks(cases) {
		p(n, n, f.String())
	}
	return nil
}

// defaultTolerance is roughly the distance between the outlines of two experts.
const defaultTolerance = 2

// Run segments the images of a data set as the service does, or reads existing masks,
// and compares the masks with the labels.
//
// A mask in Predictions has the path of its image below the folder of images. If one
// file does not hold all frames, _0001 and so on follow the stem. If data sets are
// joined, the path starts with the name of the set. All paths of a data set may begin
// with the last folders of the image folder's own path, lack folders that all images
// share, or end in the number of a channel, each with a warning. A DICOM Segmentation
// belongs to the images that it refers to, wherever it is stored. Nothing else counts
// as a prediction: a mask with the same name in another folder may belong to another
// patient.
//
// Classes are matched by name if both the data and the model or predictions name them
// (see internal/classes). DICOM Segmentations name them, and so may a dataset.json
// next to labels or predictions. The report uses the model's numbers.
//
// Labels and predictions that hold only 0 and 255 are read as 0 and 1. Next to other
// classes, a label of 255 excludes pixels. Images are read one after another, so
// memory doesn't grow with their number.
//
// The errors are those of dataset.Open and of the readers, segd.ErrNotFound if a
// prediction is missing, and segd.ErrFormat if sizes or classes don't agree, two
// predictions fit one case, or one prediction fits two cases.
func Run(ctx context.Context, o Options, report Progress) (*metric.Report, error) {
	if err := o.one(); err != nil {
		return nil, err
	}
	if o.Model != nil {
		if err := o.Model.MakesMasks(); err != nil {
			return nil, err
		}
	}
	if !(o.Tolerance >= 0 && o.Tolerance <= 1e6) {
		return nil, fmt.Errorf("train: %w: tolerance %v, want 0 to 1000000", segd.ErrOption, o.Tolerance)
	}
	o.Tolerance = cmp.Or(o.Tolerance, defaultTolerance)
	e, err := o.begin(ctx)
	if err != nil {
		return nil, err
	}
	e.sum = metric.Accumulator{Names: e.names, Tolerance: o.Tolerance}
	if err := report.each(ctx, e.cases, e.warnings, e); err != nil {
		return nil, err
	}
	r := e.sum.Report()
	return &r, nil
}

// evaluation is the state of a Run.
type evaluation struct {
	o         Options
	cases     []dataset.Case
	found     *dataset.Predictions // by case; nil with a model
	warnings  []string
	truth     dataset.Meaning // what the values of the labels mean
	predicted dataset.Meaning // likewise for the predictions
	classes   int             // background included
	names     []string        // of the classes, if known
	sum       metric.Accumulator
	frames    frames
}

// open opens the data sets and checks that their channels are those of the model.
func (o Options) open() (*dataset.Dataset, error) {
	data, err := dataset.Open(o.Datasets...)
	if err != nil || o.Model == nil {
		return data, err
	}
	warning, err := data.FitChannels(o.Model.Name, o.Model.Channels)
	if warning != "" {
		data.Warnings = append(data.Warnings, warning)
	}
	return data, err
}

// begin opens the data sets, finds the predictions, determines the classes and
// surveys all masks, because only then is it clear whether 255 is a class.
func (o Options) begin(ctx context.Context) (*evaluation, error) {
	data, err := o.open()
	if err != nil {
		return nil, err
	}
	if err := data.Rename(o.ClassNames); err != nil {
		return nil, err
	}
	e := &evaluation{o: o, cases: data.Cases}
	names := data.Classes
	if o.Model != nil {
		names = o.Model.ForegroundNames()
		if err := data.ToModel(o.Model.Name, names); err != nil {
			return nil, err
		}
	}
	known := 0
	if len(names) > 0 {
		known = len(names) + 1
		e.names = append([]string{"background"}, names...)
	}
	e.warnings = data.Warnings
	if err := e.surveyLabels(ctx, known); err != nil || o.Model != nil {
		return e, err
	}
	return e, e.surveyPredictions(ctx, known)
}

// surveyLabels surveys the labels. known is the number of classes including
// background, or 0 if not known.
func (e *evaluation) surveyLabels(ctx context.Context, known int) (err error) {
	seen := make([]dataset.Seen, len(e.cases))
	err = parallel.Do(ctx, len(e.cases), func(i int) error {
		m, err := e.cases[i].ReadMask()
		if err == nil {
			seen[i] = e.cases[i].See(m)
		}
		return err
	})
	if err != nil {
		return err
	}
	if e.truth, err = dataset.Survey(e.cases, seen, known); err != nil {
		return err
	}
	e.classes = cmp.Or(known, e.truth.Max+1)
	e.warnings = append(e.warnings, e.truth.Warnings...)
	return nil
}

// surveyPredictions finds and surveys the predictions.
func (e *evaluation) surveyPredictions(ctx context.Context, known int) error {
	f, err := dataset.FindPredictions(e.o.Predictions, e.cases)
	if err != nil {
		return err
	}
	if err := f.NameClasses(e.names[min(1, len(e.names)):]); err != nil {
		return err
	}
	e.found, e.warnings = f, append(e.warnings, f.Warnings...)
	if e.predicted, err = f.Survey(ctx, known); err != nil {
		return err
	}
	e.classes = max(2, e.classes, e.predicted.Max+1)
	return nil
}

// measure compares the masks of case i and adds the result to the sum.
func (e *evaluation) measure(ctx context.Context, i int) error {
	c := &e.cases[i]
	m := metric.Case{ID: c.ID, Group: c.Group}
	truth, err := c.ReadMask()
	if err != nil {
		return err
	}
	e.truth.Apply(truth)
	img, err := c.ReadImage() // for existing masks, because of its spacing
	if err != nil {
		return err
	}
	predicted, probabilities, source, err := e.predict(ctx, i)
	if err != nil {
		return err
	}
	if m.Counts, err = metric.Count(truth, predicted, e.classes); err == nil {
		m.Pixels, err = metric.Surfaces(truth, predicted, e.classes, 1, 1, e.o.Tolerance)
	}
	if s := img.Spacing; err == nil && s.Known() {
		m.MM, err = metric.Surfaces(truth, predicted, e.classes, s.RowMM, s.ColMM, e.o.Tolerance)
	}
	if err == nil && probabilities != nil {
		m.Expected = metric.ExpectedDice(predicted, probabilities)
		err = e.sum.Reliability.Add(truth, probabilities)
	}
	if err != nil {
		return fmt.Errorf("train: %s, label %s: %w", source, c.Where(c.Label), err)
	}
	e.sum.Add(m)
	return nil
}

// predict segments case i, or reads its existing mask, which has no probabilities.
// source describes the origin of the mask.
func (e *evaluation) predict(ctx context.Context, i int) (mask *segd.Mask, p *segd.Tensor, source string, err error) {
	if e.o.Model == nil {
		if mask, err = e.found.Mask(i); err == nil {
			e.predicted.Apply(mask)
		}
		return mask, nil, "prediction " + e.found.Path(i), err
	}
	source = "segmenting " + e.cases[i].Where(e.cases[i].Image)
	r, err := e.frames.segment(ctx, &e.o, &e.cases[i])
	if err != nil {
		return nil, nil, source, fmt.Errorf("train: %s: %w", source, err)
	}
	return r.Mask, r.Probabilities, source, nil
}
