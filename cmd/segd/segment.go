package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"segd/dicomio"
	"segd/internal/export"
	"segd/internal/kernel"
	"segd/internal/output"
	"segd/internal/overlay"
	"segd/internal/segment"
	"segd/internal/walk"
	"segd/models"
)

// Kinds of output, as --output names them.
const (
	kindMask    = "mask"    // paletted PNG whose index is the class
	kindOverlay = "overlay" // the image with its classes marked
	kindJSON    = "json"    // measurements of one input
	kindCSV     = "csv"     // measurements of all inputs, one file
)

// outputKinds are those, a volume, the kinds that values have, and the kinds of
// DICOM object.
var outputKinds = append([]string{kindMask, kindOverlay, kindJSON, kindCSV, export.NIfTI, export.Value, export.TIFF}, export.Kinds()...)

// valueKinds are those of a model of values.
var valueKinds = append([]string{kindJSON}, export.ValueKinds()...)

// autoModel asks for a model by each scan.
const autoModel = "auto"

// segmentSettings are the flags of segd segment.
type segmentSettings struct {
	inputs, kinds               []string
	out, model, modelsDir       string
	kindsGiven                  bool // --output is
	overwrite, dryRun, failFast bool
	deidentify, tta             bool
	alpha, threshold            float64
	minSize                     int
}

func newSegment(a *app) *cobra.Command {
	var s segmentSettings
	cmd := &cobra.Command{
		Use:   "segment -i PATH... -o DIR -m MODEL",
		Short: "Segment files and folders",
		Long: "Segment files and folders (to the bottom) of DICOM, NIfTI, PNG, JPEG and TIFF.\n\n" +
			"Files are told by their content, whatever their names; what was passed over is\n" +
			"counted. An input that cannot be read fails, and the others are done.\n\n" +
			"OUT/KIND/FOLDER/NAME.png holds the outputs of FOLDER/NAME.dcm; the frames of\n" +
			"a multi-frame file are NAME_0001 and so on. Two inputs of one name keep the\n" +
			"extension: a.png.png, a.dcm.png. The measurements of all inputs are in\n" +
			"OUT/segd.csv. The DICOM objects (seg, segprob, sc, sr, gsps, rtstruct) are made\n" +
			"of DICOM files alone. All but sc hold every frame, and those of the slices of a\n" +
			"series are one, named like the first of them. nifti is a .nii.gz of all frames\n" +
			"that lies where the scan does; the slices of a series are one volume, if they lie\n" +
			"at even distances, with a fourth axis where as many lie at each place. The planes\n" +
			"of a tilted gantry are moved to stand upright on each other. Frames that lie in\n" +
			"several stacks are NAME_1.nii.gz and so on.\n\n" +
			"One run at a time writes into OUT. OUT/segd.outputs lists what was written: these\n" +
			"files are no inputs of later runs, and --overwrite removes those that an earlier\n" +
			"run made of the same inputs, in the kinds that are asked for, and nothing else.\n\n" +
			"A file is written whole or not at all. An input that fails is named on standard\n" +
			"error with the reason, leaves no output, and the run goes on; the exit status is\n" +
			"then 3. So it is for an input that only one of the kinds of output cannot be\n" +
			"made of; the others are written.\n\n" +
			"A model of several channels, such as T1 and T2, takes the files NAME_0000,\n" +
			"NAME_0001 and so on as one input, NAME. They must all be there and lie on each\n" +
			"other; outputs lie, and DICOM objects refer to it, as the first does.\n\n" +
			"A model that gives values writes value, a PNG of 16 bits, values rounded and cut\n" +
			"off at 0 and 65535; tiff and nifti, which hold them as they are in float32, and\n" +
			"json.\n\n" +
			"--deidentify names outputs by a number: that of the input's line in --dry-run.",
		Example: "  segd segment -i scans -o out -m cardiac-lv\n  segd segment -i a.png b.png -o out -m nuclei --output mask,json",
		Args:    cobra.ArbitraryArgs, // more inputs: the shell expands -i *.png to them
	}
	f := cmd.Flags()
	f.StringArrayVarP(&s.inputs, "input", "i", nil, "file or folder; may be given again")
	f.StringVarP(&s.out, "out", "o", "", "folder for the outputs")
	f.StringVarP(&s.model, "model", "m", "", "a model's name or directory, or auto: by the kind of scan")
	f.StringVar(&s.modelsDir, "models", "", "directory with further models")
	f.StringSliceVar(&s.kinds, "output", []string{kindMask, kindOverlay, kindCSV}, "any of "+strings.Join(outputKinds, ", "))
	f.BoolVar(&s.overwrite, "overwrite", false, "replace outputs that are there, and remove those of an earlier run of the same inputs")
	f.BoolVar(&s.dryRun, "dry-run", false, "list the inputs and write nothing")
	f.BoolVar(&s.failFast, "fail-fast", false, "stop at the first input that fails")
	f.BoolVar(&s.deidentify, "deidentify", false, "take out of DICOM outputs who the patient is (PS3.15 Basic Profile)")
	f.Float64Var(&s.threshold, "threshold", 0, "probability from which a pixel is foreground (0: the likeliest class)")
	f.IntVar(&s.minSize, "min-size", 0, "leave out connected parts of fewer pixels")
	f.BoolVar(&s.tta, "tta", false, "average over the image and its mirror images: four times the work, a little better")
	f.Float64Var(&s.alpha, "alpha", overlay.DefaultAlpha, "opacity of the overlay's colours, 0 to 1")
	a.addThreads(cmd)
	a.addRounding(cmd)
	a.addProgress(cmd)
	for _, name := range []string{"input", "out", "model"} {
		_ = cmd.MarkFlagRequired(name) // fails for unknown names only
	}
	cmd.RunE = a.do(func(cmd *cobra.Command, args []string) error {
		s.inputs = append(s.inputs, args...)
		s.kindsGiven = cmd.Flags().Changed("output")
		return a.segment(cmd.Context(), s)
	})
	return cmd
}

func (s segmentSettings) validate() error {
	for _, k := range s.kinds {
		if !slices.Contains(outputKinds, k) {
			return optionError("--output %s, want any of %s", k, strings.Join(outputKinds, ", "))
		}
	}
	switch {
	case len(s.kinds) == 0:
		return optionError("--output is empty")
	case !(s.alpha >= 0 && s.alpha <= 1):
		return optionError("--alpha %v, want 0 to 1", s.alpha)
	case s.out == "":
		return optionError("--out is empty")
	}
	return segment.Options{Threshold: s.threshold, MinSize: s.minSize}.Validate()
}

// fit gives a model of values the output that it has, and refuses outputs that the
// model cannot make; m is nil for models that each scan chooses, all of classes.
func (s *segmentSettings) fit(m *models.Model) error {
	values := m != nil && m.Values != nil
	if values && !s.kindsGiven {
		s.kinds = []string{export.Value}
	}
	for _, k := range s.kinds {
		switch {
		case values && !slices.Contains(valueKinds, k):
			return optionError("--output %s is made of classes, model %s gives values: want any of %s", k, m.Name, strings.Join(valueKinds, ", "))
		case !values && (k == export.Value || k == export.TIFF):
			return optionError("--output %s is of a model that gives values, which --model %s does not", k, s.model)
		}
	}
	if values && (s.threshold != 0 || s.minSize != 0) {
		return optionError("--threshold and --min-size are about classes, model %s gives values", m.Name)
	}
	return nil
}

func (a *app) segment(ctx context.Context, s segmentSettings) error {
	if err := s.validate(); err != nil {
		return err
	}
	b := &batch{settings: s, options: segment.Options{Threshold: s.threshold, MinSize: s.minSize, TTA: s.tta}, stems: map[string]bool{},
		objects: &dicomio.Run{Software: "segd " + versionText(), Time: time.Now(), Deidentify: s.deidentify}}
	var err error
	if b.catalogue, err = a.openCatalogue(s.modelsDir); err != nil {
		return err
	}
	a.setRounding(b.catalogue.List()...)
	if s.model != autoModel {
		if b.model, err = b.catalogue.Resolve(s.model); err != nil {
			return err
		}
		a.setRounding(b.model)
	}
	if err := b.settings.fit(b.model); err != nil {
		return err
	}
	var passed walk.Passed
	if b.inputs, passed, err = collectInputs(s.inputs, s.out); err != nil {
		return err
	}
	if b.inputs, err = joinChannels(b.inputs, b.model); err != nil {
		return err
	}
	apart := channelWarning(b.inputs) // by names, which --deidentify takes away
	if s.dryRun {
		return a.listInputs(b.inputs, passed)
	}
	for i := range b.inputs {
		if s.deidentify {
			b.inputs[i].anonymise(i)
		}
		b.stems[b.inputs[i].stem] = true
		b.order = append(b.order, i)
	}
	if b.folder, err = output.Open(s.out); err != nil {
		return err
	}
	defer func() {
		if err := b.folder.Close(); err != nil {
			say(a.stderr, "segd: warning: %v\n", err)
		}
	}()
	if b.wants(export.NIfTI) || slices.ContainsFunc(b.objectKinds(), func(k string) bool { return k != export.SC }) {
		if err := b.planSeries(ctx); err != nil {
			return err
		}
	}
	if err := b.checkFree(); err != nil {
		return err
	}
	b.pool = kernel.NewPool(a.threadCount())
	defer b.pool.Close()
	if b.model != nil {
		// Read and packed once, and before the first input is blamed for it.
		if err := b.model.Load(b.pool); err != nil {
			return err
		}
	}
	p := a.newProgress("image", len(b.inputs))
	if b.folder.Missing {
		p.warn(fmt.Sprintf("the file system of %s has no locks: no other run must write there", s.out))
	}
	if err := b.clear(p.warn); err != nil {
		return err
	}
	results, stopped := b.run(ctx, p)
	for _, text := range warnings(b.inputs, results) {
		p.warn(text)
	}
	if ctx.Err() == nil && !stopped {
		b.left(results, p.warn)
	}
	if text := passed.String(); text != "" {
		p.note(text)
	}
	if apart != "" {
		p.warn(apart)
	}
	p.finish()
	if b.wants(kindCSV) {
		if err := b.writeCSV(results); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%d of %d images done: %w", p.done-p.failed, p.total, err)
	}
	if p.failed > 0 {
		return &partialError{failed: p.failed, total: p.total, stopped: stopped}
	}
	return nil
}

// listInputs is a dry run: a line for each input on standard output, and what was
// passed over on standard error.
func (a *app) listInputs(inputs []input, passed walk.Passed) error {
	for _, in := range inputs {
		if _, err := fmt.Fprintln(a.stdout, in.files()); err != nil {
			return err
		}
	}
	p := a.newProgress("image", len(inputs))
	for _, in := range inputs {
		if in.err != nil {
			p.warn(fmt.Sprintf("%s: %v", in.path, in.err))
		}
	}
	if text := passed.String(); text != "" {
		p.note(text)
	}
	return nil
}

// run segments all inputs, as many at once as there are threads: while one
// waits for its file or is encoded, another has the cores. What is written
// does not depend on how many. The results stand at the index of their input,
// nil for those that left nothing or were not begun; stopped says that --fail-fast
// left some.
func (b *batch) run(ctx context.Context, p *progress) (results []*result, stopped bool) {
	results = make([]*result, len(b.inputs))
	pending := make(chan int)
	failed := make(chan struct{})
	var once sync.Once
	var workers sync.WaitGroup
	for range min(b.pool.Threads(), len(b.inputs)) {
		workers.Go(func() {
			for i := range pending {
				r, err := b.one(ctx, i)
				if err != nil && errors.Is(err, ctx.Err()) {
					continue // the interrupt is the reason, not the input
				}
				results[i] = r
				p.add(b.inputs[i].path, err)
				if err != nil && b.settings.failFast {
					once.Do(func() { close(failed) })
				}
			}
		})
	}
	defer workers.Wait()
	defer close(pending)
	for _, i := range b.order {
		select {
		case <-failed:
			return results, true
		case <-ctx.Done():
			return results, false
		case pending <- i:
		}
	}
	return results, false
}

// warnings lists what the results warn of, each once, with how many inputs it is
// of and the first of them.
func warnings(inputs []input, results []*result) []string {
	var texts []string
	count, first := map[string]int{}, map[string]string{}
	for i, r := range results {
		if r == nil {
			continue
		}
		all := slices.Clone(r.Warnings)
		for _, f := range r.Frames {
			all = append(all, f.Warnings...)
		}
		slices.Sort(all)
		for _, w := range slices.Compact(all) {
			if count[w]++; count[w] == 1 {
				texts, first[w] = append(texts, w), inputs[i].path
			}
		}
	}
	for i, w := range texts {
		if n := count[w]; n > 1 {
			texts[i] = fmt.Sprintf("%s and %d more: %s", first[w], n-1, w)
		} else {
			texts[i] = first[w] + ": " + w
		}
	}
	return texts
}
