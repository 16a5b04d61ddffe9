package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"segd/internal/engine"
	"segd/internal/engine/folder"
	"segd/internal/export"
	"segd/internal/overlay"
	"segd/internal/segment"
	"segd/internal/walk"
)

// outputKinds are the kinds of output that segd segment makes.
var outputKinds = export.Kinds(export.CommandLine)

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
	orient                      string
}

// segmentLong is the help of segd segment.
const segmentLong = "Segment files and folders of DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF,\n" +
	"JPEG 2000, BMP, GIF, WebP and PNM. Folders are read recursively; the files in a zip\n" +
	"archive that is named are read like those of a folder.\n\n" +
	"The format is detected from the content, not the name, in gzip too. Files that are\n" +
	"not images are skipped and counted. Headers of volumes (.mhd, .nhdr, .hdr) find\n" +
	"their values in the files beside them.\n\n" +
	"The outputs of FOLDER/NAME.dcm are OUT/KIND/FOLDER/NAME.png; the frames of a\n" +
	"multi-frame file are NAME_0001 and so on. Two inputs with the same name keep\n" +
	"their extensions: a.png.png, a.dcm.png. OUT/segd.csv holds the measurements of\n" +
	"all inputs.\n\n" +
	"The DICOM objects (seg, segprob, sc, sr, gsps, rtstruct) need DICOM input. An\n" +
	"object covers all frames of a file or all slices of a series and is named after\n" +
	"the first slice; only sc is one object per frame.\n\n" +
	"nifti, nrrd and mha hold all frames as one volume, in the position of the scan.\n" +
	"Evenly spaced slices of a series become one volume, named after the first; where\n" +
	"several slices share each position, it gets a fourth axis. The planes of a tilted\n" +
	"gantry are shifted so that they stack at right angles. Frames in several stacks\n" +
	"become NAME_1.nii.gz and so on. csv and json also measure volumes, in mm³.\n\n" +
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
	"0 to 65535; tiff and volumes, with the exact values in float32; and json.\n\n" +
	"With --deidentify, outputs are named by the line number of their input in\n" +
	"--dry-run."

func newSegment(a *app) *cobra.Command {
	var s segmentSettings
	cmd := &cobra.Command{
		Use:     "segment -i PATH... -o DIR -m MODEL",
		Short:   "Segment files and folders",
		Long:    segmentLong,
		Example: "  segd segment -i scans -o out -m cardiac-lv\n  segd segment -i a.png b.png -o out -m nuclei --output mask,json",
		Args:    cobra.ArbitraryArgs, // more inputs: the shell expands -i *.png to them
	}
	f := cmd.Flags()
	f.StringArrayVarP(&s.inputs, "input", "i", nil, "file, folder or zip archive; can be repeated")
	f.StringVarP(&s.out, "out", "o", "", "output folder")
	f.StringVarP(&s.model, "model", "m", "", "model name or directory, or auto to choose by the kind of scan")
	f.StringVar(&s.modelsDir, "models", "", "directory of additional models")
	f.StringSliceVar(&s.kinds, "output", []string{export.Mask, export.Overlay, export.CSV}, "any of "+strings.Join(export.Names(outputKinds), ", "))
	f.BoolVar(&s.overwrite, "overwrite", false, "replace existing outputs, and remove those that an earlier run wrote for the same inputs")
	f.BoolVar(&s.dryRun, "dry-run", false, "list the inputs without segmenting them")
	f.BoolVar(&s.failFast, "fail-fast", false, "stop at the first input that fails")
	f.BoolVar(&s.deidentify, "deidentify", false, "remove patient identity from DICOM outputs (PS3.15 Basic Profile)")
	f.Float64Var(&s.threshold, "threshold", 0, "minimum probability of a foreground pixel (0: take the most likely class)")
	f.IntVar(&s.minSize, "min-size", 0, "remove connected components of fewer pixels")
	f.BoolVar(&s.tta, "tta", false, "average over the image and its mirror images: four times the work, slightly better")
	f.Float64Var(&s.alpha, "alpha", overlay.DefaultAlpha, "opacity of the overlay, 0 to 1")
	f.StringVar(&s.orient, "orient", engine.Stored, "stored: masks have the pixels as a picture stores them; upright: as its orientation (Exif, TIFF) shows it, like overlays")
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

// request is what the settings ask for of each input. The model is chosen by each scan
// unless one is named.
func (a *app) request(e *engine.Engine, s segmentSettings) (*engine.Job, error) {
	if s.out == "" {
		return nil, optionError("--out is empty")
	}
	r := engine.Request{Outputs: s.kinds, Default: !s.kindsGiven, Alpha: s.alpha, Deidentify: s.deidentify, Orient: s.orient,
		Options: segment.Options{Threshold: s.threshold, MinSize: s.minSize, TTA: s.tta}}
	if err := r.Validate(e.Offers); err != nil {
		return nil, err
	}
	if s.model != autoModel {
		var err error
		if r.Model, err = e.Models.Resolve(s.model); err != nil {
			return nil, err
		}
	}
	return e.Job(r)
}

// flagError words an error of the engine's for the command line, whose options are
// flags.
func flagError(err error) error {
	bad, ok := errors.AsType[*engine.OptionError](err)
	if !ok {
		return err
	}
	flags := make([]string, len(bad.Options))
	for i, name := range bad.Options {
		flags[i] = "--" + strings.ReplaceAll(name, "_", "-")
	}
	return optionError("%s %s", strings.Join(flags, " and "), bad.Reason)
}

func (a *app) segment(ctx context.Context, s segmentSettings) error {
	catalogue, err := a.openCatalogue(s.modelsDir)
	if err != nil {
		return err
	}
	pool := a.newPool()
	defer pool.Close()
	e := engine.New(engine.Config{Models: catalogue, Pool: pool, Software: "segd " + versionText(), Offers: outputKinds, Parallel: pool.Threads()})
	job, err := a.request(e, s)
	if err != nil {
		return flagError(err)
	}
	sources, passed, err := folder.Collect(s.inputs, s.out)
	if err != nil {
		return err
	}
	sources = engine.JoinChannels(sources, job.Model)
	if err := engine.NameOutputs(sources); err != nil {
		return err
	}
	notes := []string{engine.ChannelWarning(sources)} // by names, which --deidentify takes away
	if s.dryRun {
		return a.listInputs(sources, passed)
	}
	if s.deidentify {
		engine.Anonymise(sources)
	}
	b := &batch{Job: job, sources: sources, failFast: s.failFast, results: make([]*engine.Result, len(sources)), index: map[*engine.Source]int{}}
	if b.Folder, err = folder.Open(s.out); err != nil {
		return err
	}
	defer func() {
		if err := b.Folder.Close(); err != nil {
			say(a.stderr, "segd: warning: %v\n", err)
		}
	}()
	if b.inputs, err = job.Plan(ctx, sources); err != nil {
		return err
	}
	if err := b.Folder.Plan(job, b.inputs, sources, s.overwrite); err != nil {
		return err
	}
	if job.Model != nil {
		// Read and packed once, and before the first input is blamed for it.
		if err := job.Model.Load(ctx, pool); err != nil {
			return err
		}
	}
	total := len(sources)
	for _, in := range b.inputs {
		total -= len(in.Copies)
	}
	b.progress = a.newProgress("image", total)
	if err := b.clear(s.out); err != nil {
		return err
	}
	b.run(ctx)
	b.report(ctx, passed, notes)
	if err := b.WriteTable(b.results); err != nil {
		return err
	}
	return b.outcome(ctx)
}

// listInputs is a dry run: a line for each input on standard output, and what was
// skipped on standard error.
func (a *app) listInputs(sources []*engine.Source, passed walk.Passed) error {
	for _, s := range sources {
		paths := s.Origins()
		for i := range paths {
			paths[i] = walk.Printable(paths[i])
		}
		if _, err := fmt.Fprintln(a.stdout, strings.Join(paths, "\t")); err != nil {
			return err
		}
	}
	p := a.newProgress("image", len(sources))
	for _, s := range sources {
		if s.Err != nil {
			p.warn(fmt.Sprintf("%s: %v", s.Origin, s.Err))
		}
	}
	if text := passed.String(); text != "" {
		p.note(text)
	}
	return nil
}
