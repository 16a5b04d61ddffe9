package dicomio

import (
	"fmt"
	"slices"

	"segd"
)

// joined is what a scan of several files has as its Source.
type joined struct {
	sources []*Source // by frame
	stacks  []*Stack
	lost    []Lost
}

// JoinSlices makes one scan of those of several files, each a slice of one series. Its
// frames are in the order of the volumes that the slices make up, which NewStacks
// finds, and slices that make up none come last. A single volume gives the scan its
// place; order lists the slices by frame. Errors call the slices by numbers.
//
// The errors are segd.ErrUnprocessable for scans that are not single images of one
// DICOM series, frame of reference and size, with what they are instead, and those of
// SourceOf.
func JoinSlices(list []*segd.Scan, numbers []int) (scan *segd.Scan, order []int, err error) {
	var sources []*Source
	var places []Slice
	for i, s := range list {
		if s.Format != "dicom" {
			return nil, nil, unprocessable("file %d is a %s file: want the slices of one DICOM series, or one file", numbers[i], s.Format)
		}
		if s.Frames != 1 {
			return nil, nil, unprocessable("file %d has %d frames: send it by itself, since only single slices make up a series", numbers[i], s.Frames)
		}
		source, err := SourceOf(s)
		if err != nil {
			return nil, nil, fmt.Errorf("file %d: %w", numbers[i], err)
		}
		if err := source.joins(sources); err != nil {
			return nil, nil, fmt.Errorf("file %d: %w", numbers[i], err)
		}
		slice, ok := source.Slice()
		if !ok {
			return nil, nil, unprocessable("file %d has no position, orientation, spacing or frame of reference: send it by itself", numbers[i])
		}
		sources, places = append(sources, source), append(places, slice)
	}
	j := &joined{}
	j.stacks, j.lost = NewStacks(places)
	frame := make([]int, len(list)) // by slice
	for _, s := range j.stacks {
		order = append(order, s.Order...)
	}
	for _, l := range j.lost {
		order = append(order, l.Slices...)
	}
	for k, i := range order {
		frame[i] = k
		j.sources = append(j.sources, sources[i])
	}
	for _, s := range j.stacks { // of frames from here on
		for k, i := range s.Order {
			s.Order[k] = frame[i]
		}
	}
	for l := range j.lost {
		for k, i := range j.lost[l].Slices {
			j.lost[l].Slices[k] = frame[i]
		}
	}
	return j.scan(list, order), order, nil
}

// joins returns an error if s belongs to another series than the first of others.
func (s *Source) joins(others []*Source) error {
	if s.SeriesKey() == "" {
		return unprocessable("an image that names no study, series or frame of reference stands alone: send it by itself")
	}
	if len(others) == 0 {
		return nil
	}
	switch first := others[0]; {
	case s.Study() != first.Study():
		return unprocessable("it belongs to another study (0020,000D) than the first one: send the slices of one series")
	case s.series != first.series:
		return unprocessable("it belongs to another series (0020,000E) than the first one: send the slices of one series")
	case !s.Identity().SamePatient(first.Identity()):
		return unprocessable("it has another PatientID (0010,0020) than the first one, in the same series: send the slices of one patient")
	case s.rows != first.rows || s.cols != first.cols:
		return unprocessable("it has %d×%d pixels, and the first one %d×%d: send slices of one size", s.cols, s.rows, first.cols, first.rows)
	case s.SeriesKey() != first.SeriesKey():
		return unprocessable("it has another frame of reference (0020,0052) than the first one")
	}
	return nil
}

// scan joins the scans in list, which have one frame each, in the given order.
func (j *joined) scan(list []*segd.Scan, order []int) *segd.Scan {
	scan := *list[order[0]]
	scan.Frames, scan.Affine, scan.Depth, scan.Times = len(list), nil, 0, 0
	scan.Steps, scan.Warnings = nil, nil
	for _, i := range order {
		for _, text := range list[i].Steps {
			if !slices.Contains(scan.Steps, text) {
				scan.Steps = append(scan.Steps, text)
			}
		}
		for _, text := range list[i].Warnings {
			if !slices.Contains(scan.Warnings, text) {
				scan.Warnings = append(scan.Warnings, text)
			}
		}
		scan.Clean = scan.Clean && list[i].Clean
	}
	if len(j.stacks) == 1 && len(j.lost) == 0 {
		s := j.stacks[0]
		scan.Affine, scan.Depth, scan.Times = &s.Affine, s.Depth, s.Times
	}
	scan.Frame = func(k int) (*segd.Image, error) {
		if k < 0 || k >= len(order) {
			return nil, fmtNotFound(k, len(order))
		}
		return list[order[k]].Frame(0)
	}
	scan.Source = func() (any, error) { return j, nil }
	return &scan
}

// SourcesOf returns the Source of a DICOM scan, or those of the slices that JoinSlices
// joined, by frame. The errors are those of SourceOf.
func SourcesOf(scan *segd.Scan) ([]*Source, error) {
	if j := joinedOf(scan); j != nil {
		return j.sources, nil
	}
	s, err := SourceOf(scan)
	if err != nil {
		return nil, err
	}
	return []*Source{s}, nil
}

func joinedOf(scan *segd.Scan) *joined {
	if scan.Source == nil {
		return nil
	}
	source, err := scan.Source()
	if err != nil {
		return nil
	}
	j, _ := source.(*joined)
	return j
}

// StacksOf arranges the frames of a DICOM scan as volumes, as Source.Stacks does, and
// those of one that JoinSlices made.
func StacksOf(scan *segd.Scan) ([]*Stack, error) {
	if j := joinedOf(scan); j != nil {
		if len(j.lost) > 0 {
			return nil, j.lost[0].Err
		}
		return j.stacks, nil
	}
	s, err := SourceOf(scan)
	if err != nil {
		return nil, err
	}
	return s.Stacks()
}
