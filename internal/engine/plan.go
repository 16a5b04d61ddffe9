package engine

import (
	"context"
	"errors"

	"segd/dicomio"
	"segd/internal/export"
)

// Input is the unit of work: a source, or those that are the slices of a series.
type Input struct {
	// Sources are in the order of the volume that is made of them, if one is.
	Sources []*Source
	stem    string         // of outputs of all sources: that of the first, as they came
	stack   *dicomio.Stack // how the sources are one volume; nil: they are not
	noStack error          // why not, where there are several
	stacked []*Source      // in the order of the stack
}

// Plan makes inputs of sources, in the order of the first source of each. The files of
// a DICOM series are one input where one of its outputs, or the plane that the model
// wants, depends on all of them. For that every file is read once more than it is read
// by Run; of each is kept which series it is of and where it lies. What cannot be read
// is an input of its own, which fails in its turn. The error is ctx's.
func (j *Job) Plan(ctx context.Context, sources []*Source) ([]*Input, error) {
	var inputs []*Input
	known := map[string]*Input{}
	places := map[*Input][]dicomio.Slice{}
	look := j.joins() && len(sources) > 1
	for _, s := range sources {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var key string
		var slice dicomio.Slice
		var isSlice bool
		if look {
			key, slice, isSlice = seriesOf(s)
		}
		in := known[key]
		if in == nil {
			in = &Input{stem: s.Stem}
			inputs = append(inputs, in)
			if key != "" {
				known[key] = in
			}
		}
		in.Sources = append(in.Sources, s)
		if isSlice {
			places[in] = append(places[in], slice)
		}
	}
	for _, in := range inputs {
		if len(in.Sources) > 1 {
			in.pile(places[in])
			if in.stack != nil && j.wants(export.NIfTI) {
				in.Sources = in.stacked
			}
		}
	}
	return inputs, nil
}

// joins reports whether anything depends on the files of a series being together.
func (j *Job) joins() bool {
	return j.some(func(k export.Kind) bool { return k.Object() || k.Name == export.NIfTI }) ||
		j.Model == nil || j.Model.Planes != nil && j.Model.Planes.Wants != nil
}

// pile finds out whether the sources make up a volume.
func (in *Input) pile(places []dicomio.Slice) {
	if len(places) < len(in.Sources) {
		in.noStack = errors.New("the series has multi-frame files")
		return
	}
	if in.stack, in.noStack = dicomio.NewStack(places); in.noStack != nil {
		return
	}
	for _, i := range in.stack.Order {
		in.stacked = append(in.stacked, in.Sources[i])
	}
}

// seriesOf names the series of a source that shares it, and says where it lies among
// the others; an empty key: it stands alone.
func seriesOf(s *Source) (key string, slice dicomio.Slice, isSlice bool) {
	if s.Err != nil {
		return "", slice, false
	}
	file, err := s.Files[0].Read()
	if err != nil || !dicomio.Is(file) {
		return "", slice, false
	}
	source, err := dicomio.OpenSource(file)
	if err != nil {
		return "", slice, false
	}
	slice, isSlice = source.Slice()
	return source.SeriesKey(), slice, isSlice
}

// Planned lists the outputs of inputs, of sources as if each had one frame: kind by
// kind as they were asked for, and in the order of sources. Those of all inputs are
// not among them.
func (j *Job) Planned(inputs []*Input, sources []*Source) []Output {
	of := map[*Source]*Input{}
	for _, in := range inputs {
		for _, s := range in.Sources {
			of[s] = in
		}
	}
	var list []Output
	for _, name := range j.Outputs {
		k, _ := export.KindOf(name)
		if k.Scope == export.Run {
			continue
		}
		for _, s := range sources {
			in := of[s]
			switch whole := in.joined(k); {
			case s.NoOutputs:
			case !whole:
				list = append(list, Output{Kind: k, Sources: []*Source{s}, stem: s.Stem})
			case in.Sources[0] == s:
				list = append(list, Output{Kind: k, Sources: in.Sources, stem: in.stem})
			}
		}
	}
	return list
}

// joined reports whether a kind is one file of all sources.
func (in *Input) joined(k export.Kind) bool {
	return k.Object() || k.Name == export.NIfTI && in.stack != nil
}
