package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"segd"
	"segd/dicomio"
	"segd/internal/export"
	"segd/internal/nifti"
)

// series are the inputs whose results go into one DICOM object of a kind and, where
// they make up a volume, into one NIfTI file: the slices of a DICOM series, or one
// file alone. What is made is named like the first of them.
//
// Results are joined in the order of the members as soon as those before are
// there, so that no more is held than the objects themselves and what as many
// workers as there are have ready.
type series struct {
	stem    string
	members []int          // indexes of inputs, in the order of the stack if there is one
	stack   *dicomio.Stack // how they make up a volume; nil: they don't, or none is asked for
	noStack error          // why not, where one is asked for

	mu     sync.Mutex
	parts  map[int]*part // by place in members; nil: the input failed
	next   int           // place whose part is to be joined
	whole  *export.DICOM
	volume *nifti.Writer
	model  string                          // of the volume
	errs   struct{ objects, volume error } // of joining
}

// part is what one input has for its series. One of a stack has a mask or values.
type part struct {
	objects       *export.DICOM // nil: none is asked for
	refused       error         // why there is no volume of its own
	model         string        // and its version
	width, height int
	mask          *segd.Mask
	values        []float32
}

// planSeries groups the inputs, in the order of the first of each group. It
// reads every file once more than they are read later, but keeps of each no
// more than which series it is of and where it lies. What cannot be read is left
// alone, and fails later.
func (b *batch) planSeries(ctx context.Context) error {
	b.series = make([]*series, len(b.inputs))
	b.order = b.order[:0]
	var groups []*series
	known := map[string]*series{}
	places := map[*series][]dicomio.Slice{}
	for i, in := range b.inputs {
		if err := ctx.Err(); err != nil {
			return err
		}
		key, slice, isSlice := seriesOf(in.path)
		s := known[key]
		if s == nil {
			s = &series{stem: in.stem, parts: map[int]*part{}}
			groups = append(groups, s)
			if key != "" {
				known[key] = s
			}
		}
		s.members = append(s.members, i)
		if isSlice {
			places[s] = append(places[s], slice)
		}
		b.series[i] = s
	}
	for _, s := range groups { // so that few are open at a time
		if b.wants(export.NIfTI) && len(s.members) > 1 {
			s.pile(places[s])
		}
		b.order = append(b.order, s.members...)
	}
	return nil
}

// pile puts the members in the order of a volume, if they make one up.
func (s *series) pile(places []dicomio.Slice) {
	if len(places) < len(s.members) {
		s.noStack = errors.New("the series has multi-frame files")
		return
	}
	if s.stack, s.noStack = dicomio.NewStack(places); s.noStack != nil {
		return
	}
	members := make([]int, len(s.members))
	for place, i := range s.stack.Order {
		members[place] = s.members[i]
	}
	s.members = members
}

// seriesOf names the series of a file that shares it, and says where it lies among
// the others; an empty key: it stands alone.
func seriesOf(path string) (key string, slice dicomio.Slice, isSlice bool) {
	file, err := readInput(path)
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

// stacked reports whether input i is a slice of a volume of its series.
func (b *batch) stacked(i int) bool { return b.series != nil && b.series[i].stack != nil }

// add hands in what was found in input i, nil where it failed. With the last
// input of the series its objects are written, of those that did not fail, and its
// volume if none did.
func (b *batch) add(i int, p *part) error {
	s := b.series[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	for place, member := range s.members {
		if member == i {
			s.parts[place] = p
		}
	}
	for ; s.next < len(s.members); s.next++ {
		p, ok := s.parts[s.next]
		if !ok {
			return nil // the input before is not done
		}
		delete(s.parts, s.next)
		s.join(p)
	}
	failed := []error{s.errs.objects, s.errs.volume}
	if s.errs.objects == nil && s.whole != nil {
		failed = append(failed, b.writeObjects(s))
	}
	if s.errs.volume == nil && s.volume != nil {
		failed = append(failed, b.write(b.path(export.NIfTI, s.stem), s.volume.Write, b.namesOf(s)...))
	}
	s.whole, s.volume = nil, nil
	err := joined(failed)
	if err != nil && len(s.members) > 1 {
		err = fmt.Errorf("outputs of the series of %d files: %w", len(s.members), err)
	}
	return err
}

// join adds the next part to the objects and the volume.
func (s *series) join(p *part) {
	switch {
	case p == nil || p.objects == nil || s.errs.objects != nil:
	case s.whole == nil:
		s.whole = p.objects
	default:
		s.errs.objects = s.whole.Merge(p.objects)
	}
	if s.stack == nil || s.errs.volume != nil {
		return
	}
	if p == nil {
		s.errs.volume = fmt.Errorf("no %s: a slice is missing", export.NIfTI)
		return
	}
	var err error
	if s.volume == nil {
		content := nifti.Masks
		if p.values != nil {
			content = nifti.Values
		}
		s.volume, err = export.NewStackNIfTI(s.stack, p.width, p.height, content)
		s.model = p.model
	}
	switch {
	case err != nil:
	case p.model != s.model:
		err = errors.New("its slices were segmented by different models; choose one with -m")
	case p.values != nil:
		err = s.volume.AddValues(p.values, p.width, p.height)
	default:
		err = s.volume.Add(p.mask)
	}
	if err != nil {
		s.errs.volume = fmt.Errorf("no %s: %w", export.NIfTI, err)
	}
}

// writeObjects writes the objects of a series; what one of them lacks does not
// keep the others back.
func (b *batch) writeObjects(s *series) error {
	var failed []error
	for _, kind := range s.whole.Kinds() {
		if kind == export.SC {
			continue // written frame by frame
		}
		if err := b.write(b.path(kind, s.stem), func(w io.Writer) error { return s.whole.Write(w, kind) }, b.namesOf(s)...); err != nil {
			failed = append(failed, fmt.Errorf("no %s: %w", kind, err))
		}
	}
	return joined(failed)
}
