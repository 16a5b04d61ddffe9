package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"segd"
	"segd/dicomio"
	"segd/internal/export"
	"segd/internal/output"
	"segd/internal/overlay"
	"segd/internal/postprocess"
	"segd/internal/scanio"
	"segd/internal/segment"
	"segd/internal/walk"
	"segd/models"
	"segd/unet"
)

// maxInput is one byte more than scanio takes, so that it, and not memory,
// refuses what is larger.
const maxInput = 256<<20 + 1

// batch is one run of segd segment.
type batch struct {
	settings  segmentSettings
	options   segment.Options
	catalogue *models.Catalogue
	model     *models.Model // nil: by each scan, as Catalogue.Auto says
	inputs    []input
	stems     map[string]bool // of all inputs
	folder    *output.Folder  // where outputs go
	pool      *unet.Pool
	sources   map[string]bool // paths of the inputs, without links
	objects   *dicomio.Run    // what the DICOM objects have in common
	series    []*series       // by input; nil: no object of several frames is asked for
	order     []int           // of inputs, as they are done
}

// result is what is known of one input when it is done: JSON as it is written,
// and the source of its rows in the CSV. The keys are those of the server's
// JSON; times are left out, so that a run can be compared with another.
type result struct {
	File           string        `json:"file"`
	Model          string        `json:"model"`
	Version        string        `json:"model_version"`
	Format         string        `json:"format"`
	TransferSyntax string        `json:"transfer_syntax,omitempty"`
	Modality       string        `json:"modality,omitempty"`
	Width          int           `json:"width"`
	Height         int           `json:"height"`
	FrameCount     int           `json:"frame_count"`
	Steps          []string      `json:"steps"` // done to the pixels of all frames
	Warnings       []string      `json:"warnings"`
	Refused        string        `json:"refused,omitempty"` // outputs that cannot be made, and why
	Frames         []frameResult `json:"frames"`
}

type frameResult struct {
	Frame      int                       `json:"frame"` // from 1
	Width      int                       `json:"width"`
	Height     int                       `json:"height"`
	Spacing    *segd.Spacing             `json:"spacing,omitempty"`
	Confidence *float64                  `json:"confidence,omitempty"` // mean probability of the foreground
	Steps      []string                  `json:"steps"`                // done to the frame
	Warnings   []string                  `json:"warnings,omitempty"`
	Classes    []postprocess.Measurement `json:"classes,omitzero"`
	Values     *postprocess.ValueRange   `json:"values,omitempty"` // in place of classes: of a model of values
}

// one segments input i and writes its outputs. After an error without a result
// none is left; with one, all is written but what the error names.
func (b *batch) one(ctx context.Context, i int) (*result, error) {
	r, p, err := b.scan(ctx, i)
	if err != nil && errors.Is(err, ctx.Err()) {
		return nil, err // its series stays open, and is not written
	}
	failed := []error{err}
	if p.objects != nil {
		failed = append(failed, p.objects.Refused())
	}
	failed = append(failed, p.refused)
	if b.series != nil {
		if r == nil {
			p = nil
		}
		failed = append(failed, b.add(i, p))
	}
	return r, joined(failed)
}

// joined is errs on one line; nil where all of them are.
func joined(errs []error) (err error) {
	for _, e := range errs {
		switch {
		case e == nil:
		case err == nil:
			err = e
		default:
			err = fmt.Errorf("%w; %w", err, e)
		}
	}
	return err
}

// scan segments input i and writes its outputs, but for those of its series. What
// these need is returned, never nil; its objects also where there is nothing else to
// do because none can be made.
func (b *batch) scan(ctx context.Context, i int) (r *result, p *part, err error) {
	in, p := b.inputs[i], &part{}
	scan, file, err := in.read()
	if err != nil {
		return nil, p, err
	}
	m := b.model
	if m == nil {
		if m, err = b.catalogue.Auto(scan); err != nil {
			return nil, p, err
		}
	}
	p.model = m.Name + " " + m.Version
	r = &result{
		File: validText(in.name), Model: m.Name, Version: m.Version,
		Format: scan.Format, TransferSyntax: scan.TransferSyntax, Modality: scan.Modality,
		Width: scan.Width, Height: scan.Height, FrameCount: scan.Frames,
		Steps: append([]string{}, scan.Steps...), Warnings: append(append([]string{}, scan.Warnings...), m.Warnings(scan, b.model == nil)...),
	}
	if b.settings.deidentify && scan.Format == "dicom" && !scan.Clean && (b.wants(kindOverlay) || b.wants(export.SC)) {
		r.Warnings = append(r.Warnings, export.BurnedInWarning)
	}
	if kinds := b.objectKinds(); kinds != nil {
		p.objects = export.NewDICOM(b.objects, file, scan, m.Manifest, kinds)
		r.Warnings = append(r.Warnings, p.objects.Warnings()...)
		if err := p.objects.Refused(); err != nil {
			if len(p.objects.Kinds()) == 0 && len(kinds) == len(b.settings.kinds) {
				return nil, p, nil
			}
			r.Refused = err.Error()
		}
	}
	var written []string
	defer func() {
		if err != nil {
			for _, path := range written {
				_ = os.Remove(path)
			}
		}
	}()
	var volume *export.Volumes
	if b.wants(export.NIfTI) {
		if volume, err = b.volumes(i, file, scan, m, r, p); err != nil {
			return nil, p, err
		}
		if p.refused != nil && len(b.settings.kinds) == 1 {
			return nil, p, nil
		}
	}
	frames, err := segment.NewScan(m, b.pool, scan, b.options)
	if err != nil {
		return nil, p, err
	}
	for k := range scan.Frames {
		f, paths, err := b.frame(ctx, in, m, frames, k, scan.Frames, p, volume)
		written = append(written, paths...)
		if err != nil {
			if scan.Frames > 1 {
				err = fmt.Errorf("frame %d: %w", k+1, err)
			}
			return nil, p, err
		}
		r.Frames = append(r.Frames, *f)
	}
	if volume != nil {
		paths, err := b.writeVolumes(in, volume)
		written = append(written, paths...)
		if err != nil {
			return nil, p, err
		}
	}
	if b.wants(kindJSON) {
		path := b.path(kindJSON, in.stem)
		if err := b.write(path, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(r)
		}, in.name); err != nil {
			return nil, p, err
		}
		written = append(written, path)
	}
	return r, p, nil
}

// validText is a file name as JSON can hold it.
func validText(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return walk.Printable(name)
}

// objectKinds are the kinds of DICOM object that are asked for.
func (b *batch) objectKinds() []string {
	var kinds []string
	for _, k := range export.Kinds() {
		if b.wants(k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// frame segments frame i of n and writes its images, whose paths it returns. What
// was found goes into p and into volume, which may be nil.
func (b *batch) frame(ctx context.Context, in input, m *models.Model, frames *segment.Scan, i, n int, p *part, volume *export.Volumes) (*frameResult, []string, error) {
	stem, err := b.frameStem(in, i, n)
	if err != nil {
		return nil, nil, err
	}
	s, err := frames.Frame(ctx, i)
	if err != nil {
		return nil, nil, err
	}
	if m.Values != nil {
		return b.values(in, s, i, stem, p, volume)
	}
	img := s.Image
	var written []string
	if b.wants(kindMask) {
		path := b.path(kindMask, stem)
		if err := b.write(path, func(w io.Writer) error { return overlay.EncodePNG(w, overlay.MaskImage(s.Mask, m.Classes)) }, in.name); err != nil {
			return nil, written, err
		}
		written = append(written, path)
	}
	if b.wants(kindOverlay) {
		path := b.path(kindOverlay, stem)
		picture := overlay.Overlay(overlay.Render(img), s.Mask, m.Classes, b.settings.alpha)
		if err := b.write(path, func(w io.Writer) error { return overlay.EncodePNG(w, picture) }, in.name); err != nil {
			return nil, written, err
		}
		written = append(written, path)
	}
	p.width, p.height, p.mask = img.Width, img.Height, s.Mask
	objects := p.objects
	if objects != nil && slices.Contains(objects.Kinds(), export.SC) {
		path := b.path(export.SC, stem)
		if err := b.write(path, func(w io.Writer) error { return objects.WriteSC(w, i, s, b.settings.alpha) }, in.name); err != nil {
			return nil, written, err
		}
		written = append(written, path)
	}
	f := &frameResult{Frame: i + 1, Width: img.Width, Height: img.Height, Confidence: s.Confidence, Steps: s.Steps, Warnings: s.Warnings,
		Classes: postprocess.Measure(s.Mask, s.Probabilities, m.Classes, img.Spacing)}
	if img.Spacing.Known() {
		f.Spacing = &img.Spacing
	}
	if objects != nil {
		if err := objects.Add(i, s, f.Classes); err != nil {
			return nil, written, err
		}
	}
	if volume != nil {
		if err := volume.AddMask(i, s.Mask); err != nil {
			return nil, written, err
		}
	}
	return f, written, nil
}

// readScan reads the file at path, and returns its bytes too. Its errors do not
// repeat the path, which whoever reports them puts before.
func readScan(path string) (*segd.Scan, []byte, error) {
	b, err := readInput(path)
	if err != nil {
		return nil, nil, err
	}
	scan, err := scanio.Read(b)
	return scan, b, err
}

// readInput reads the bytes of the file at path, and no more of them than show
// that it is too large.
func readInput(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() { // a pipe might have no other end
		return nil, fmt.Errorf("%w: not a regular file", segd.ErrUnsupported)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }() // read only
	b, err := io.ReadAll(io.LimitReader(f, maxInput))
	if err != nil {
		return nil, withoutPath(err)
	}
	return b, nil
}

// withoutPath is the reason in an error of the file system.
func withoutPath(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}

// write writes an output of the inputs of those names. One that appeared since the
// run began is not replaced without --overwrite.
func (b *batch) write(path string, f func(io.Writer) error, of ...string) error {
	if !b.settings.overwrite && exists(path) {
		return fmt.Errorf("%s already exists: replace it with --overwrite", path)
	}
	if b.sources[absolute(path)] {
		return fmt.Errorf("%s is an input of this run: choose another folder with -o", path)
	}
	if err := b.folder.Add(b.nameOf(path), of...); err != nil {
		return err
	}
	return writeFile(path, f)
}

func (b *batch) wants(kind string) bool {
	for _, k := range b.settings.kinds {
		if k == kind {
			return true
		}
	}
	return false
}

// path is where an output of kind goes.
func (b *batch) path(kind, stem string) string {
	ext := ".png"
	switch {
	case kind == kindJSON:
		ext = ".json"
	case kind == export.NIfTI:
		ext = ".nii.gz"
	case kind == export.TIFF:
		ext = ".tiff"
	case slices.Contains(export.Kinds(), kind):
		ext = ".dcm"
	}
	return filepath.Join(b.settings.out, kind, filepath.FromSlash(stem)+ext)
}

func (b *batch) csvPath() string { return filepath.Join(b.settings.out, "segd.csv") }

// frameStem names the outputs of frame i, counted from 0.
func (b *batch) frameStem(in input, i, frames int) (string, error) {
	if frames == 1 {
		return in.stem, nil
	}
	stem := fmt.Sprintf("%s_%04d", in.stem, i+1)
	if b.stems[stem] {
		return "", fmt.Errorf("%w: its output %s is also the output of another input: rename one of them", segd.ErrUnprocessable, stem)
	}
	return stem, nil
}
