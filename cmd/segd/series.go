package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"segd/dicomio"
	"segd/internal/export"
)

// series are the inputs whose results go into one DICOM object of a kind: the
// slices of a DICOM series, or one file alone. It is named like the first of
// them.
//
// Results are joined in the order of the inputs as soon as those before are
// there, so that no more is held than the object itself and what as many
// workers as there are have ready.
type series struct {
	stem    string
	members []int // indexes of inputs

	mu    sync.Mutex
	parts map[int]*export.DICOM // by place in members; nil: nothing to add
	next  int                   // place whose part is to be joined
	whole *export.DICOM
	err   error // of joining
}

// planSeries groups the inputs, in the order of the first of each group. It
// reads every file once more than they are read later, but keeps of each no
// more than which series it is of. What cannot be read is left alone, and fails
// later.
func (b *batch) planSeries(ctx context.Context) error {
	b.series = make([]*series, len(b.inputs))
	b.order = b.order[:0]
	var groups []*series
	known := map[string]*series{}
	for i, in := range b.inputs {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := seriesOf(in.path)
		s := known[key]
		if s == nil {
			s = &series{stem: in.stem, parts: map[int]*export.DICOM{}}
			groups = append(groups, s)
			if key != "" {
				known[key] = s
			}
		}
		s.members = append(s.members, i)
		b.series[i] = s
	}
	for _, s := range groups { // so that few are open at a time
		b.order = append(b.order, s.members...)
	}
	return nil
}

// seriesOf names the series of a file that shares it; empty: it stands alone.
func seriesOf(path string) string {
	file, err := readInput(path)
	if err != nil || !dicomio.Is(file) {
		return ""
	}
	source, err := dicomio.OpenSource(file)
	if err != nil {
		return ""
	}
	return source.SeriesKey()
}

// add hands in what was found in input i, nil where it failed. With the last
// input of the series its objects are written, of those that did not fail.
func (b *batch) add(i int, part *export.DICOM) error {
	s := b.series[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	for place, member := range s.members {
		if member == i {
			s.parts[place] = part
		}
	}
	for ; s.next < len(s.members); s.next++ {
		part, ok := s.parts[s.next]
		if !ok {
			return nil // the input before is not done
		}
		delete(s.parts, s.next)
		switch {
		case part == nil || s.err != nil:
		case s.whole == nil:
			s.whole = part
		default:
			s.err = s.whole.Merge(part)
		}
	}
	err := s.err
	if err == nil && s.whole != nil {
		err = b.writeObjects(s)
	}
	s.whole = nil
	if err != nil && len(s.members) > 1 {
		err = fmt.Errorf("objects of its series of %d files: %w", len(s.members), err)
	}
	return err
}

// writeObjects writes the objects of a series; what one of them lacks does not
// keep the others back.
func (b *batch) writeObjects(s *series) error {
	var failed []error
	for _, kind := range s.whole.Kinds() {
		if kind == export.SC {
			continue // written frame by frame
		}
		if err := b.write(b.path(kind, s.stem), func(w io.Writer) error { return s.whole.Write(w, kind) }); err != nil {
			failed = append(failed, fmt.Errorf("no %s: %w", kind, err))
		}
	}
	return joined(failed)
}
