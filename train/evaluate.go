package train

import (
	"context"
	"fmt"

	"segd"
	"segd/internal/metric"
	"segd/models"
	"segd/unet"
)

// EvaluateOptions says what to measure against which data: one of Model and
// Predictions.
type EvaluateOptions struct {
	Datasets    []string // folders, see Open
	Model       *models.Model
	Predictions string     // folder of masks, of any kind that labels have; see Evaluate
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

// defaultTolerance is about how far two experts' outlines lie apart.
const defaultTolerance = 2

// Evaluate segments the images of a data set as the service does, or reads
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
// report, which may be nil, hears of each case that is done, and is called
// from the calling goroutine. The errors are those of Open and of the
// readers, segd.ErrNotFound where a prediction is missing, and
// segd.ErrFormat where sizes or classes don't agree, two predictions fit a case
// or one fits two.
func Evaluate(ctx context.Context, o EvaluateOptions, report func(done, cases int, warning string)) (*metric.Report, error) {
	if (o.Model == nil) == (o.Predictions == "") {
		return nil, fmt.Errorf("train: %w: give one of model and predictions", segd.ErrOption)
	}
	if o.Model != nil {
		if err := o.Model.MakesMasks(); err != nil {
			return nil, err
		}
	}
	if !(o.Tolerance >= 0 && o.Tolerance <= 1e6) {
		return nil, fmt.Errorf("train: %w: tolerance %v, want 0 to 1000000", segd.ErrOption, o.Tolerance)
	}
	o.Tolerance = or(o.Tolerance, defaultTolerance)
	if report == nil {
		report = func(int, int, string) {}
	}
	e, err := o.begin(ctx)
	if err != nil {
		return nil, err
	}
	n := len(e.cases)
	for _, w := range e.warnings {
		report(0, n, w)
	}
	for _, f := range remarks(e.cases) {
		report(0, n, f.String())
	}
	e.sum = metric.Accumulator{Names: e.names, Tolerance: o.Tolerance}
	for i := range e.cases {
		if err := e.measure(ctx, i); err != nil {
			return nil, err
		}
		report(i+1, n, "")
	}
	r := e.sum.Report()
	return &r, nil
}

// evaluation is an Evaluate under way.
type evaluation struct {
	o         EvaluateOptions
	cases     []Case
	found     []prediction // by case
	warnings  []string
	truth     values   // how the values of the labels are meant
	predicted values   // likewise of the predictions
	classes   int      // background included
	names     []string // of the classes, where they are known
	sum       metric.Accumulator
	frames    frames
}

// open opens the data sets, whose channels must be those of the model.
func (o EvaluateOptions) open() (*Dataset, error) {
	data, err := Open(o.Datasets...)
	if err != nil || o.Model == nil {
		return data, err
	}
	warning, err := fitChannels(o.Model, data.Cases, false)
	if warning != "" {
		data.Warnings = append(data.Warnings, warning)
	}
	return data, err
}

// begin opens the data sets, finds the predictions, settles which classes there
// are and looks at all masks: whether 255 is a class shows only then.
func (o EvaluateOptions) begin(ctx context.Context) (*evaluation, error) {
	data, err := o.open()
	if err != nil {
		return nil, err
	}
	if err := data.rename(o.ClassNames); err != nil {
		return nil, err
	}
	e := &evaluation{o: o, cases: data.Cases}
	names := data.Classes
	if o.Model != nil {
		names = o.Model.ForegroundNames()
		if err := data.toModel(o.Model.Name, names); err != nil {
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

// surveyLabels looks at the labels, of which known says how many classes there
// are with background; 0: not known.
func (e *evaluation) surveyLabels(ctx context.Context, known int) (err error) {
	paths := make([]string, len(e.cases))
	for i := range e.cases {
		paths[i] = e.cases[i].where(e.cases[i].Label)
	}
	shown := make([]shown, len(e.cases))
	if e.truth, err = surveyFiles(ctx, paths, known, func(i int) (*segd.Mask, error) { return e.cases[i].maskShown(&shown[i]) }); err != nil {
		return err
	}
	if err := samePalettes(e.cases, shown); err != nil {
		return err
	}
	e.classes = or(known, e.truth.max+1)
	e.warnings = append(e.warnings, e.truth.warnings...)
	return nil
}

// surveyPredictions finds the predictions and looks at them.
func (e *evaluation) surveyPredictions(ctx context.Context, known int) error {
	f, err := findPredictions(e.o.Predictions, e.cases)
	if err != nil {
		return err
	}
	if err := f.nameClasses(e.names[min(1, len(e.names)):]); err != nil {
		return err
	}
	e.found, e.warnings = f.found, append(e.warnings, f.warnings...)
	paths := make([]string, len(e.cases))
	for i := range e.cases {
		paths[i] = e.cases[i].where(e.found[i].path)
	}
	if e.predicted, err = surveyFiles(ctx, paths, known, func(i int) (*segd.Mask, error) { return e.found[i].mask(&e.cases[i]) }); err != nil {
		return err
	}
	e.classes = max(2, e.classes, e.predicted.max+1)
	return nil
}

// surveyFiles looks at the values of masks without keeping them.
func surveyFiles(ctx context.Context, paths []string, known int, read func(i int) (*segd.Mask, error)) (values, error) {
	sets := make([]valueSet, len(paths))
	err := forEach(ctx, len(paths), func(i int) error {
		m, err := read(i)
		if err == nil {
			sets[i] = valuesOf(m)
		}
		return err
	})
	if err != nil {
		return values{}, err
	}
	return survey(sets, paths, known)
}

// measure compares the masks of case i and adds what it finds to the sum.
func (e *evaluation) measure(ctx context.Context, i int) error {
	c := &e.cases[i]
	m := metric.Case{ID: c.ID, Group: c.Group}
	truth, err := c.mask()
	if err != nil {
		return err
	}
	e.truth.apply(truth)
	img, err := c.image() // for masks made before, because of its spacing
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
		return fmt.Errorf("train: %s, label %s: %w", source, c.where(c.Label), err)
	}
	e.sum.Add(m)
	return nil
}

// predict segments case i, or reads the mask that was made before, which has
// no probabilities; source says in words where it comes from.
func (e *evaluation) predict(ctx context.Context, i int) (mask *segd.Mask, p *segd.Tensor, source string, err error) {
	if e.o.Model == nil {
		if mask, err = e.found[i].mask(&e.cases[i]); err == nil {
			e.predicted.apply(mask)
		}
		return mask, nil, "prediction " + e.found[i].path, err
	}
	source = "segmenting " + e.cases[i].where(e.cases[i].Image)
	r, err := e.frames.segment(ctx, &e.o, &e.cases[i])
	if err != nil {
		return nil, nil, source, fmt.Errorf("train: %s: %w", source, err)
	}
	return r.Mask, r.Probabilities, source, nil
}
