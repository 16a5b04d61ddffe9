package train

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"segd"
	"segd/internal/kernel"
	"segd/internal/metric"
	"segd/internal/segment"
	"segd/models"
)

// EvaluateOptions says what to measure against which data: one of Model and
// Predictions.
type EvaluateOptions struct {
	Datasets    []string // folders, see Open
	Model       *models.Model
	Predictions string       // folder of masks, of any kind that labels have; for each case the one of its stem
	Pool        *kernel.Pool // the network runs on; nil: one thread
	TTA         bool         // see segment.Options
	// Tolerance is how far outlines may lie apart and count as one in the
	// normalised surface distance: in pixels and, where the spacing is known,
	// in mm. 0: 2.
	Tolerance float64
}

// defaultTolerance is about how far two experts' outlines lie apart.
const defaultTolerance = 2

// Evaluate segments the images of a data set as the service does, or reads
// masks that were made before, and compares them with the labels.
//
// The masks of Predictions have the stem of their image, and _0001 and so on
// behind it for each of several frames, if one file is not for all; where they lie in
// folders of their own, below Predictions, the one is taken whose path ends
// like that of the image. Labels and predictions of 0 and 255 only are read
// as 0 and 1; a label of 255 beside classes leaves pixels out. Images are
// read one after the other, so memory doesn't grow with their number.
//
// report, which may be nil, hears of each case that is done, and is called
// from the calling goroutine. The errors are those of Open and of the
// readers, segd.ErrNotFound where a prediction is missing, and
// segd.ErrFormat where sizes or classes don't agree.
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
	cases, err := o.open(report)
	if err != nil {
		return nil, err
	}
	n := len(cases)
	e := evaluation{o: o, cases: cases}
	if err := e.survey(ctx); err != nil {
		return nil, err
	}
	for _, w := range e.truth.warnings {
		report(0, n, w)
	}
	e.sum = metric.Accumulator{Names: e.names, Tolerance: o.Tolerance}
	for i := range cases {
		if err := e.measure(ctx, i); err != nil {
			return nil, err
		}
		report(i+1, n, "")
	}
	r := e.sum.Report()
	return &r, nil
}

// open opens the data sets and passes on what they warn of.
func (o EvaluateOptions) open(report func(done, cases int, warning string)) ([]Case, error) {
	data, err := Open(o.Datasets...)
	if err != nil {
		return nil, err
	}
	for _, w := range data.Warnings {
		report(0, len(data.Cases), w)
	}
	return data.Cases, nil
}

// evaluation is an Evaluate under way.
type evaluation struct {
	o         EvaluateOptions
	cases     []Case
	paths     []string // of the predictions, by case
	truth     values   // how the values of the labels are meant
	predicted values   // likewise of the predictions
	classes   int      // background included
	names     []string // of the classes, where a model knows them
	sum       metric.Accumulator
}

// survey looks at all masks before the first is counted: whether 255 is a
// class shows only then.
func (e *evaluation) survey(ctx context.Context) error {
	known := 0
	if e.o.Model != nil {
		known = len(e.o.Model.Classes)
		for _, c := range e.o.Model.Classes {
			e.names = append(e.names, c.Name)
		}
	}
	labelPaths := make([]string, len(e.cases))
	for i := range e.cases {
		labelPaths[i] = e.cases[i].where(e.cases[i].Label)
	}
	var err error
	shown := make([]shown, len(e.cases))
	if e.truth, err = surveyFiles(ctx, labelPaths, known, func(i int) (*segd.Mask, error) { return e.cases[i].maskShown(&shown[i]) }); err != nil {
		return err
	}
	if err := samePalettes(e.cases, shown); err != nil {
		return err
	}
	e.classes = or(known, e.truth.max+1)
	if e.o.Model != nil {
		return nil
	}
	if e.paths, err = findPredictions(e.o.Predictions, e.cases); err != nil {
		return err
	}
	if e.predicted, err = surveyFiles(ctx, e.paths, 0, func(i int) (*segd.Mask, error) { return e.cases[i].maskOf(e.paths[i]) }); err != nil {
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
	predicted, probabilities, source, err := e.predict(ctx, i, img)
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
func (e *evaluation) predict(ctx context.Context, i int, img *segd.Image) (mask *segd.Mask, p *segd.Tensor, source string, err error) {
	if e.o.Model == nil {
		if mask, err = e.cases[i].maskOf(e.paths[i]); err == nil {
			e.predicted.apply(mask)
		}
		return mask, nil, "prediction " + e.paths[i], err
	}
	source = "segmenting " + e.cases[i].where(e.cases[i].Image)
	r, err := segment.Frame(ctx, e.o.Model, e.o.Pool, img, segment.Options{TTA: e.o.TTA})
	if err != nil {
		return nil, nil, source, fmt.Errorf("train: %s: %w", source, err)
	}
	return r.Mask, r.Probabilities, source, nil
}

// findPredictions finds the mask of each case below dir: a file of its own, or
// one of all frames of its image.
func findPredictions(dir string, cases []Case) ([]string, error) {
	stems, files, err := stemsOf(dir, isLabel)
	if err != nil {
		return nil, fmt.Errorf("train: %w: predictions: %v", segd.ErrNotFound, err)
	}
	byBase := map[string][]string{} // stems below dir by their last element
	for _, s := range stems {
		base := s[strings.LastIndexByte(s, '/')+1:]
		byBase[base] = append(byBase[base], s)
	}
	paths := make([]string, len(cases))
	for i := range cases {
		c := &cases[i]
		if f, ok := files[c.ID]; ok {
			paths[i] = f
			continue
		}
		if f, ok := files[c.stem]; ok {
			paths[i] = f
			continue
		}
		image := filepath.ToSlash(stemOf(c.Image))
		base := image[strings.LastIndexByte(image, '/')+1:]
		found := closest(frameID(image, c.Frame, c.Frames), byBase[frameID(base, c.Frame, c.Frames)])
		if len(found) == 0 {
			found = closest(image, byBase[base])
		}
		switch len(found) {
		case 0:
			return nil, fmt.Errorf("train: %w: no prediction in %s for case %s (a mask named %s.png)",
				segd.ErrNotFound, dir, c.ID, c.ID)
		case 1:
			paths[i] = files[found[0]]
		default:
			return nil, fmt.Errorf("train: %w: predictions %s and %s both fit case %s",
				segd.ErrFormat, files[found[0]], files[found[1]], c.ID)
		}
	}
	return paths, nil
}

// closest keeps the candidates that share the most path elements, counted
// from the end, with path.
func closest(path string, candidates []string) []string {
	var best []string
	most := 0
	want := strings.Split(path, "/")
	for _, c := range candidates {
		have := strings.Split(c, "/")
		n := 0
		for n < len(have) && n < len(want) && have[len(have)-1-n] == want[len(want)-1-n] {
			n++
		}
		if n > most {
			best, most = nil, n
		}
		if n == most && n > 0 {
			best = append(best, c)
		}
	}
	return best
}
