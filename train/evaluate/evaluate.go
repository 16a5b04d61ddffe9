// Package evaluate measures how well a model, or masks that were made before, agree
// with the labels of data sets.
//
//	report, err := evaluate.Run(ctx, evaluate.Options{
//		Datasets: []string{"nuclei/test"}, Model: model,
//	}, nil)
//
// Images are segmented as the service segments them. Limits: masks are compared plane
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

// Options says what to measure against which data: one of Model and
// Predictions.
type Options struct {
	Datasets    []string // folders, see dataset.Open
	Model       *models.Model
	Predictions string     // folder of masks, of any kind that labels have; see Run
	Head        unet.Head  // what Predictions hold, for Measure
	Pool        *unet.Pool // the network runs on; nil: one thread
	TTA         bool       // see segment.Options
	// Tolerance is how far outlines may lie apart and count as one in the
	// normalised surface distance: in pixels and, where the spacing is known,
	// in mm. 0: 2.
	Tolerance float64
	// ClassNames are the foreground classes, index 1 first, by which the labels
	// are read: those of the data sets in another order, or other names for them.
	// Data sets that name no classes are taken to number theirs so.
	ClassNames []string
}

// Progress hears of each case that is done and of warnings, from the goroutine that
// called for the evaluation. Where it is nil, nobody hears.
type Progress func(done, cases int, warning string)

// one returns an error unless there is one thing to measure.
func (o Options) one() error {
	if (o.Model == nil) == (o.Predictions == "") {
		return fmt.Errorf("train: %w: give one of model and predictions", segd.ErrOption)
	}
	return nil
}

// A task is an evaluation under way.
type task interface {
	// measure compares what was found for case i with its label.
	measure(ctx context.Context, i int) error
}

// each measures the cases one after the other.
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

// defaultTolerance is about how far two experts' outlines lie apart.
const defaultTolerance = 2

// Run segments the images of a data set as the service does, or reads
// masks that were made before, and compares them with the labels.
//
// A mask of Predictions lies at the path that its image has below the folder of
// images, with _0001 and so on behind the stem for each of several frames, if
// one file is not for all; where data sets are joined, below the names of the
// sets. All paths of a data set may begin with the last folders of the image
// folder's own path, lack folders that all images share, or end in the number of
// a channel, which is a warning. A DICOM Segmentation belongs to the images that
// it refers to, wherever it lies. Nothing else is taken for a prediction: a mask
// of the same name in another folder may be another patient's.
//
// Classes are matched by name where data and model, or data and predictions, name
// them (see internal/classes): DICOM Segmentations do, and a dataset.json may,
// beside labels and beside predictions. The report has the model's numbers.
//
// Labels and predictions of 0 and 255 only are read as 0 and 1; a label of 255
// beside classes leaves pixels out. Images are read one after the other, so
// memory doesn't grow with their number.
//
// The errors are those of dataset.Open and of the
// readers, segd.ErrNotFound where a prediction is missing, and
// segd.ErrFormat where sizes or classes don't agree, two predictions fit a case
// or one fits two.
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

// evaluation is a Run under way.
type evaluation struct {
	o         Options
	cases     []dataset.Case
	found     *dataset.Predictions // by case; nil with a model
	warnings  []string
	truth     dataset.Meaning // how the values of the labels are meant
	predicted dataset.Meaning // likewise of the predictions
	classes   int             // background included
	names     []string        // of the classes, where they are known
	sum       metric.Accumulator
	frames    frames
}

// open opens the data sets, whose channels must be those of the model.
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

// begin opens the data sets, finds the predictions, settles which classes there
// are and looks at all masks: whether 255 is a class shows only then.
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

// surveyLabels looks at the labels; known says how many classes there
// are with background; 0: not known.
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

// surveyPredictions finds the predictions and looks at them.
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

// measure compares the masks of case i and adds what it finds to the sum.
func (e *evaluation) measure(ctx context.Context, i int) error {
	c := &e.cases[i]
	m := metric.Case{ID: c.ID, Group: c.Group}
	truth, err := c.ReadMask()
	if err != nil {
		return err
	}
	e.truth.Apply(truth)
	img, err := c.ReadImage() // for masks made before, because of its spacing
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

// predict segments case i, or reads the mask that was made before, which has
// no probabilities; source says in words where it comes from.
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
