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
	"segd/internal/nearest"
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
		Long: "Segment files and folders of DICOM, NIfTI, PNG, JPEG and TIFF. Folders are read\n" +
			"recursively.\n\n" +
			"The format is detected from the content, not the name. Files that are not images\n" +
			"are skipped and counted.\n\n" +
			"The outputs of FOLDER/NAME.dcm are OUT/KIND/FOLDER/NAME.png; the frames of a\n" +
			"multi-frame file are NAME_0001 and so on. Two inputs with the same name keep\n" +
			"their extensions: a.png.png, a.dcm.png. OUT/segd.csv holds the measurements of\n" +
			"all inputs.\n\n" +
			"The DICOM objects (seg, segprob, sc, sr, gsps, rtstruct) need DICOM input. An\n" +
			"object covers all frames of a file or all slices of a series and is named after\n" +
			"the first slice; only sc is one object per frame.\n\n" +
			"nifti is a .nii.gz of all frames, in the position of the scan. Evenly spaced\n" +
			"slices of a series become one volume; where several slices share each position,\n" +
			"the volume gets a fourth axis. The planes of a tilted gantry are shifted so that\n" +
			"they stack at right angles. Frames in several stacks become NAME_1.nii.gz and so\n" +
			"on.\n\n" +
			"Only one run at a time can write to OUT. OUT/segd.outputs lists the files that\n" +
			"segd wrote; later runs do not read them as inputs. --overwrite removes only what\n" +
			"an earlier run wrote for the same inputs in the requested kinds.\n\n" +
			"A file is written completely or not at all. If an input fails, segd reports it\n" +
			"on standard error with the reason, writes none of its outputs, and continues; the\n" +
			"exit status is then 3. If only some kinds of output cannot be made from an input,\n" +
			"segd writes the others and counts the input as failed.\n\n" +
			"A model with several channels, such as T1 and T2, reads the files NAME_0000,\n" +
			"NAME_0001 and so on as one input, NAME. All must exist and match in size and\n" +
			"position. The outputs take the position of the first; DICOM objects refer to it.\n\n" +
			"A regression model writes value, a 16-bit PNG with values rounded and clipped to\n" +
			"0 to 65535; tiff and nifti, with the exact values in float32; and json.\n\n" +
			"With --deidentify, outputs are named by the line number of their input in\n" +
			"--dry-run.",
		Example: "  segd segment -i scans -o out -m cardiac-lv\n  segd segment -i a.png b.png -o out -m nuclei --output mask,json",
		Args:    cobra.ArbitraryArgs, // more inputs: the shell expands -i *.png to them
	}
	f := cmd.Flags()
	f.StringArrayVarP(&s.inputs, "input", "i", nil, "file or folder; can be repeated")
	f.StringVarP(&s.out, "out", "o", "", "output folder")
	f.StringVarP(&s.model, "model", "m", "", "model name or directory, or auto to choose by the kind of scan")
	f.StringVar(&s.modelsDir, "models", "", "directory of additional models")
	f.StringSliceVar(&s.kinds, "output", []string{kindMask, kindOverlay, kindCSV}, "any of "+strings.Join(outputKinds, ", "))
	f.BoolVar(&s.overwrite, "overwrite", false, "replace existing outputs, and remove those that an earlier run wrote for the same inputs")
	f.BoolVar(&s.dryRun, "dry-run", false, "list the inputs without segmenting them")
	f.BoolVar(&s.failFast, "fail-fast", false, "stop at the first input that fails")
	f.BoolVar(&s.deidentify, "deidentify", false, "remove patient identity from DICOM outputs (PS3.15 Basic Profile)")
	f.Float64Var(&s.threshold, "threshold", 0, "minimum probability of a foreground pixel (0: take the most likely class)")
	f.IntVar(&s.minSize, "min-size", 0, "remove connected components of fewer pixels")
	f.BoolVar(&s.tta, "tta", false, "average over the image and its mirror images: four times the work, slightly better")
	f.Float64Var(&s.alpha, "alpha", overlay.DefaultAlpha, "opacity of the overlay, 0 to 1")
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
			return optionError("--output %s: %swant one or more of %s", k, nearest.Hint(k, outputKinds), strings.Join(outputKinds, ", "))
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
			return optionError("--output %s needs classes, but model %s predicts values: choose from %s", k, m.Name, strings.Join(valueKinds, ", "))
		case !values && (k == export.Value || k == export.TIFF):
			return optionError("--output %s needs a model that predicts values, but --model %s predicts classes", k, s.model)
		}
	}
	if values && (s.threshold != 0 || s.minSize != 0) {
		return optionError("--threshold and --min-size apply to classes, but model %s predicts values", m.Name)
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
	if s.model != autoModel {
		if b.model, err = b.catalogue.Resolve(s.model); err != nil {
			return err
		}
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
	b.pool = a.newPool()
	defer b.pool.Close()
	if b.model != nil {
		// Read and packed once, and before the first input is blamed for it.
		if err := b.model.Load(ctx, b.pool); err != nil {
			return err
		}
	}
	p := a.newProgress("image", len(b.inputs))
	if b.folder.Missing {
		p.warn(fmt.Sprintf("the file system of %s does not support locks: make sure that no other run writes there", s.out))
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
		return fmt.Errorf("%d of %d images were segmented: %w", p.done-p.failed, p.total, err)
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
