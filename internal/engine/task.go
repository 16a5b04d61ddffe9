package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/export"
	"segd/internal/scanio"
	"segd/internal/segment"
	"segd/internal/turns"
	"segd/models"
)

// task is a source on its way through a Run.
type task struct {
	*unit
	source *Source
	series *series // volume of several sources that it is part of; nil: none
	place  int     // there

	scan    *segd.Scan
	turned  bool // scan is upright, though its file is not
	model   *models.Model
	result  *Result
	pass    *segment.Scan   // how the frames are segmented
	first   int             // frame that is asked for, from 0
	objects *export.DICOM   // nil: none is asked for
	volumes *export.Volumes // of this source alone; nil: none
	refused error           // why there are none, where they are asked for
	nothing bool            // all that is asked for is refused
	last    *segment.Result // of the last frame

	size    scanio.Size  // as the headers of the files have it
	spacing segd.Spacing // of the frame before, where it is known
}

// run makes the outputs of a source, except those of all sources of its input. After
// an error none of them is left.
func (t *task) run(ctx context.Context) (err error) {
	if err := t.read(ctx); err != nil || t.nothing {
		return err
	}
	defer func() {
		if err != nil {
			t.sink.Discard(t.source)
		}
	}()
	if err := t.sink.Begin(t.source, t.result); err != nil {
		return err
	}
	for i := range t.result.Asked {
		if err := t.frame(ctx, t.first+i); err != nil {
			if t.scan.Frames > 1 && !errors.Is(err, ctx.Err()) {
				err = fmt.Errorf("frame %d: %w", t.first+i+1, err)
			}
			return err
		}
	}
	if t.volumes != nil {
		if err := t.writeVolumes(); err != nil {
			return err
		}
	}
	if t.wants(export.JSON) && (t.series == nil || t.source != t.series.first) {
		if t.Times {
			ms := t.result.InNetwork()
			t.result.NetworkMS = &ms
		}
		return t.sink.Write(t.output(export.JSON, 0), t.result.writeJSON)
	}
	return nil
}

// inTurn calls f when it is the turn of what ctx stands for, or gives up with ctx.
func inTurn(ctx context.Context, f func() error) error {
	waited := true
	err := turns.Take(ctx, func() error {
		waited = false
		return f()
	})
	if err != nil && waited {
		return fmt.Errorf("engine: waiting for other requests: %w", err)
	}
	return err
}

// prepare chooses the model, settles what can be made of the scan, and says what is known before the first frame.
func (t *task) prepare(ctx context.Context) error {
	first, last, err := t.frames(t.scan)
	if err != nil {
		return err
	}
	m, warnings, err := Choose(t.Models, t.Model, t.scan)
	if err != nil {
		return err
	}
	t.model, t.first = m, first
	turns.Expect(ctx, segment.Length(m, t.scan.Width, t.scan.Height, last-first+1, t.Options))
	t.result = &Result{
		File: validText(t.source.Name), Model: m.Name, Version: m.Version,
		Format: t.scan.Format, TransferSyntax: t.scan.TransferSyntax, Modality: t.scan.Modality,
		Width: t.scan.Width, Height: t.scan.Height, FrameCount: t.scan.Frames, Asked: last - first + 1,
		// Neither is nil: in JSON they are lists, of nothing too.
		Steps:    append([]string{}, t.scan.Steps...),
		Warnings: append([]string{}, slices.Concat(t.source.Notes, t.scan.Warnings, warnings, t.in.warnings)...),
	}
	if t.Deidentify && t.scan.Format == "dicom" && !t.scan.Clean && t.some(func(k export.Kind) bool { return k.Pixels }) {
		t.result.Warnings = append(t.result.Warnings, export.BurnedInWarning)
	}
	if err := t.prepareOutputs(); err != nil || t.nothing {
		return err
	}
	if err := m.Load(ctx, t.Pool); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return &FaultError{err} // whatever is wrong with its weights
	}
	if v := t.series; v != nil && v.turned != nil && v.model == m {
		t.pass = v.turned
	} else {
		if t.pass, err = segment.NewScan(m, t.Pool, t.scan, t.Options); err != nil {
			return err
		}
	}
	turns.AtLeast(ctx, t.pass.Length())
	return nil
}

// prepareOutputs opens what collects results, and says in the result what cannot be
// made.
func (t *task) prepareOutputs() error {
	r := t.result
	objects := export.Kinds(func(k export.Kind) bool { return k.DICOM && t.wants(k.Name) })
	made := len(t.kinds)
	var refused []string
	if len(objects) > 0 {
		t.objects = export.NewDICOM(t.unit.run, t.scan, t.model.Manifest, export.Names(objects))
		r.Warnings = append(r.Warnings, t.objects.Warnings()...)
		if err := t.objects.Refused(); err != nil {
			made -= len(objects) - len(t.objects.Kinds())
			refused = append(refused, err.Error())
		}
	}
	if err := t.prepareVolumes(); err != nil {
		return err
	}
	if t.refused != nil {
		made -= len(export.Kinds(t.makesVolume))
		refused = append(refused, t.refused.Error())
	}
	r.Refused, t.nothing = strings.Join(refused, "; "), made == 0
	return nil
}

// makesVolume reports whether a kind is a volume that is asked for.
func (j *Job) makesVolume(k export.Kind) bool { return k.Volume && j.wants(k.Name) }

// prepareVolumes opens what collects the masks or values of all frames, where they are
// written or measured as a volume.
func (t *task) prepareVolumes() error {
	r := t.result
	if t.series != nil {
		steps, warnings := t.open(t.series, t)
		r.Steps, r.Warnings = append(r.Steps, steps...), append(r.Warnings, warnings...)
		return nil
	}
	kinds := export.Names(export.Kinds(t.makesVolume))
	none := t.warnOfStacks(len(kinds) == 0)
	switch {
	case len(kinds) == 0 && (none || r.Asked < t.scan.Frames || !t.measures(t.model) || !export.Planes(t.scan)):
		return nil
	case len(kinds) > 0 && t.in.loose != "":
		r.Warnings = append(r.Warnings, fmt.Sprintf("wrote a %s for each file instead of one for the series: %s", strings.Join(kinds, " and "), t.in.loose))
	}
	v, err := export.NewVolumes(t.scan, t.model.Network.Head, kinds)
	var no *export.NoVolumeError
	switch {
	case errors.As(err, &no) && len(kinds) == 0:
		r.Warnings = append(r.Warnings, fmt.Sprintf("the frames were not measured as a volume: %v", reason(no.Unwrap())))
		return nil
	case errors.As(err, &no):
		t.refused = fmt.Errorf("no %s: %w", strings.Join(kinds, ", "), err)
		return nil
	case err != nil:
		return err
	}
	if n := v.Len(); n > 1 && t.OneFile && len(kinds) > 0 {
		return fmt.Errorf("engine: %w: the frames are %d stacks that lie differently, and one %s holds one: output=seg holds all of them, output=mask&frame=N one frame, and segd segment writes a file for each", segd.ErrUnprocessable, n, kinds[0])
	}
	t.volumes = v
	if len(kinds) > 0 {
		r.Steps, r.Warnings = append(r.Steps, v.Steps...), append(r.Warnings, v.Warnings...)
	}
	return nil
}

// warnOfStacks says, of the frames of a DICOM file that have positions, that they lie
// unevenly and, where no volume is written, which would be refused, why they make up
// none; then it is true.
func (t *task) warnOfStacks(also bool) (none bool) {
	if t.scan.Format != "dicom" || t.scan.Frames < 2 {
		return false
	}
	if _, err := dicomio.SourcesOf(t.scan); err != nil {
		return false
	}
	stacks, err := dicomio.StacksOf(t.scan)
	if err != nil && also {
		t.result.Warnings = append(t.result.Warnings, "the frames make up no volume: "+reason(err))
	}
	for _, s := range stacks {
		if text := s.Warning(); text != "" {
			t.result.Warnings = append(t.result.Warnings, text)
		}
	}
	return err != nil
}

// output is a file of this source: of a frame, counted from 1, or of all of them.
func (t *task) output(kind string, frame int) Output {
	k, _ := export.KindOf(kind)
	return Output{Kind: k, Sources: []*Source{t.source}, stem: t.source.Stem, Frame: frame, several: frame > 0 && t.scan.Frames > 1}
}

// segment segments frame i, which is img, and makes its files.
func (t *task) segment(ctx context.Context, i int, img *segd.Image) error {
	k := i
	if t.series != nil && t.pass == t.series.turned {
		k = t.place
	}
	r, err := t.pass.Image(ctx, k, img)
	if err != nil {
		return err
	}
	f := &FrameResult{Frame: i + 1, FileNumber: t.source.slice(i), Width: img.Width, Height: img.Height, Confidence: r.Confidence, Steps: r.Steps}
	if img.Spacing.Known() {
		f.Spacing = &img.Spacing
	}
	if t.Times {
		f.NetworkMS = milliseconds(r.Network)
	}
	files := &export.FrameFiles{Result: r, Index: i, Classes: t.model.Classes, Alpha: t.Alpha, Orientation: t.scan.Orientation, DICOM: t.objects}
	for _, kind := range t.kinds {
		if kind.Scope != export.Frame || kind.DICOM && !t.objects.Makes(kind.Name) {
			continue
		}
		if err := turns.Next(ctx); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		if err := t.sink.Write(t.output(kind.Name, i+1), func(w io.Writer) error { return files.Write(w, kind.Name) }); err != nil {
			return err
		}
	}
	if t.wants(export.JSON) || t.wants(export.CSV) || t.wants(export.SR) {
		f.Measured = r.Measure(t.model)
	}
	if t.objects != nil {
		if err := t.objects.Add(i, r, f.Classes); err != nil {
			return err
		}
	}
	if t.volumes != nil {
		if err := t.volumes.Add(i, r); err != nil {
			return err
		}
	}
	f.Warnings = append(r.Warnings, files.Warnings...)
	if t.series != nil {
		t.last = r
	}
	t.result.Network += r.Network
	t.result.Frames = append(t.result.Frames, f)
	return nil
}

// writeVolumes writes and measures the volumes of this source.
func (t *task) writeVolumes() error {
	n := t.volumes.Len()
	for k := range n {
		for _, kind := range export.Kinds(t.makesVolume) {
			o := t.output(kind.Name, 0)
			if n > 1 {
				o.number = k + 1
			}
			if err := t.sink.Write(o, func(w io.Writer) error { return t.volumes.Write(w, kind.Name, k) }); err != nil {
				return err
			}
		}
		if t.measures(t.model) && export.Planes(t.scan) {
			planes := t.volumes.Frames(k)
			frame := func(plane int) *FrameResult { return t.result.Frames[planes[plane]] }
			list, err := measureVolume(t.volumes, k, t.model.Classes, frame, t.volumes.Depth(k))
			if err != nil {
				return err
			}
			t.result.Volumes = append(t.result.Volumes, list...)
		}
	}
	return nil
}
