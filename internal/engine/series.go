package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"segd"
	"segd/internal/export"
	"segd/internal/segment"
	"segd/models"
	"segd/unet"
)

// series is a volume of several sources in the making.
type series struct {
	*pile
	turned *segment.Scan // where it is turned across its planes; else nil
	model  *models.Model // of turned

	volumes *export.Volumes // nil: none is asked for, or it failed
	by      *models.Model   // of volumes
	head    *Result         // of the first source, whose JSON waits for the volume
	frames  []*FrameResult  // by place
	err     error           // of joining
}

// turn settles whether the sources are turned across their planes. The error is ctx's;
// a volume that cannot be turned is segmented as stored.
func (u *unit) turn(ctx context.Context, v *series) error {
	frame := func(k int) (*segd.Scan, *segd.Image, error) {
		files, err := v.sources[k].load()
		if err != nil {
			return nil, nil, err
		}
		scan, err := v.sources[k].scan(files)
		if err != nil {
			return nil, nil, err
		}
		img, err := scan.Frame(0)
		return scan, img, err
	}
	if m := u.Model; m != nil && (m.Planes == nil || m.Planes.Wants == nil) {
		return ctx.Err() // whatever lies where
	}
	first, _, err := frame(0)
	if err != nil {
		return ctx.Err()
	}
	m, _, err := Choose(u.Models, u.Model, first)
	if err != nil {
		return ctx.Err()
	}
	volume := *first
	volume.Frames, volume.Affine, volume.Depth, volume.Times = len(v.sources), &v.stack.Affine, v.stack.Depth, v.stack.Times
	volume.Frame = func(k int) (*segd.Image, error) {
		_, img, err := frame(k)
		return img, err
	}
	pass, err := segment.NewScan(m, u.Pool, &volume, u.Options)
	if err != nil || !pass.Across() {
		return ctx.Err()
	}
	for k := range volume.Frames { // a slice that fails is the only one to fail
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := volume.Frame(k); err != nil {
			return nil
		}
	}
	v.turned, v.model = pass, m
	return nil
}

// open makes the volume for the first of its sources that is read, and tells each of
// them what is done to it.
func (u *unit) open(v *series, t *task) (steps, warnings []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if v.by == nil {
		v.by, v.frames = t.model, make([]*FrameResult, len(v.sources))
		if u.some(isVolume) || u.measures(t.model) && v.stack.Depth > 1 {
			v.volumes, v.err = export.NewStackVolumes(v.stack, t.scan.Width, t.scan.Height, t.model.Network.Head)
		}
	}
	if v.volumes == nil || !u.some(isVolume) {
		return nil, nil
	}
	return v.volumes.Steps, v.volumes.Warnings
}

func isVolume(k export.Kind) bool { return k.Volume }

// join adds a source to the volume; nil: it failed.
func (v *series) join(s *Source, t *task) {
	if t != nil && s == v.first {
		v.head = t.result
	}
	switch {
	case v.err != nil || v.volumes == nil && t != nil:
	case t == nil:
		v.err = errors.New("a slice is missing")
	case t.model != v.by:
		v.err = errors.New("its slices were segmented by different models; choose one with -m")
	default:
		v.frames[t.place] = t.result.Frames[0]
		v.err = v.volumes.Add(t.place, t.last)
	}
}

// finish writes what is made of the volume, and the JSON of its first source, with
// what was measured.
func (u *unit) finish(v *series) error {
	var failed []error
	if v.head != nil && u.measures(v.by) && v.stack.Depth > 1 {
		if err := u.measureSeries(v); err != nil {
			v.head.Warnings = append(v.head.Warnings, fmt.Sprintf("the series was not measured as a volume: %v", err))
		}
	}
	for _, k := range u.kinds {
		var err error
		switch {
		case k.Volume && v.err != nil:
			err = fmt.Errorf("no %s: %w", k.Name, v.err)
		case k.Volume && v.volumes != nil:
			err = u.sink.Write(v.output(k), func(w io.Writer) error { return v.volumes.Write(w, k.Name, 0) })
		case k.Name == export.JSON && v.head != nil:
			err = u.sink.Write(Output{Kind: k, Sources: []*Source{v.first}, stem: v.first.Stem}, v.head.writeJSON)
		}
		failed = append(failed, err)
	}
	return joined(failed)
}

// measureSeries measures a volume of several sources.
func (u *unit) measureSeries(v *series) (err error) {
	if v.err != nil {
		return v.err
	}
	depth := v.stack.Depth
	v.head.Volumes, err = measureVolume(v.volumes, 0, v.by.Classes, func(k int) *FrameResult { return v.frames[k] }, depth)
	return err
}

// measures reports whether volumes of what m gives are measured.
func (j *Job) measures(m *models.Model) bool {
	return m.Network.Head == unet.HeadClasses && (j.wants(export.JSON) || j.wants(export.CSV))
}

// measureVolume measures volume k, whose planes, through all times, are those of
// frames.
func measureVolume(volumes *export.Volumes, k int, classes []segd.Class, frame func(plane int) *FrameResult, depth int) ([]*VolumeResult, error) {
	list, err := volumes.Measure(k, classes)
	if err != nil {
		return nil, err
	}
	var results []*VolumeResult
	for time, m := range list {
		for c := range m.Classes {
			var pixels, sum float64
			for plane := range depth {
				if f := frame(time*depth + plane); f != nil && c < len(f.Classes) && f.Classes[c].MeanProbability != nil {
					n := float64(f.Classes[c].Pixels)
					pixels, sum = pixels+n, sum+n**f.Classes[c].MeanProbability
				}
			}
			if pixels > 0 {
				mean := sum / pixels
				m.Classes[c].MeanProbability = &mean
			}
		}
		results = append(results, &VolumeResult{Volume: k + 1, Measured: *m})
	}
	return results, nil
}
