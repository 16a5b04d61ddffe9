package engine

import (
	"fmt"

	"segd"
	"segd/dicomio"
	"segd/internal/beside"
	"segd/internal/scanio"
)

// Source is one image, or a stack of frames: a file, or the files of its channels.
type Source struct {
	Origin string // where it lies, for messages; empty: nobody asks
	Name   string // as results call it, a path with slashes; empty: results have none
	Stem   string // of the names of its outputs: see NameOutputs
	// Folder tells folders apart: the files of one may be channels of one image.
	Folder string
	Files  []File // one, or one for each channel in their order
	Err    error  // why it cannot be read: it fails with that
	// Slices says that the files are the slices of a series and not channels. Their order
	// does not matter.
	Slices bool
	frames []int    // numbers of the slices by frame, once they are read
	Notes  []string // what a user should know of where it comes from
	// NoOutputs says that it is no image that could have any, but a folder that cannot be
	// read, say.
	NoOutputs bool
}

// File is a file of a source.
type File struct {
	Name string // in errors, where there are several
	Read func() ([]byte, error)
	Kind scanio.Kind // where it is known
	// Beside are the other files of its folder: a header may have its values in them.
	Beside beside.Files
	// Number is that of a slice among the files that were sent, from 1; 0: nobody asks.
	Number int
	// Of a channel of an image: its number, and where it lies.
	channel int
	origin  string
}

// Bytes is a file that is there.
func Bytes(name string, b []byte) File {
	return File{Name: name, Read: func() ([]byte, error) { return b, nil }}
}

// load reads the files of a source.
func (s *Source) load() ([][]byte, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	files := make([][]byte, len(s.Files))
	for k, f := range s.Files {
		var err error
		if files[k], err = f.Read(); err != nil {
			return nil, s.of(k, err)
		}
	}
	return files, nil
}

// of names the file that an error is of, where there are several.
func (s *Source) of(k int, err error) error {
	if len(s.Files) == 1 {
		return err
	}
	return fmt.Errorf("%s: %w", s.Files[k].Name, err)
}

// scan reads what the files hold: one scan, or its channels.
func (s *Source) scan(files [][]byte) (*segd.Scan, error) {
	if len(files) == 1 {
		return scanio.ReadWith(files[0], scanio.Options{Beside: s.Files[0].Beside})
	}
	if s.Slices {
		return s.join(files)
	}
	list := make([]*scanio.Channel, len(files))
	for k, b := range files {
		var err error
		if list[k], err = scanio.ReadChannel(s.Files[k].Name, b, scanio.Options{Beside: s.Files[k].Beside}); err != nil {
			return nil, s.of(k, err)
		}
	}
	return scanio.JoinChannels(list)
}

// sliceBytes is about what a slice of a series takes beside its file: what is known of
// it.
const sliceBytes = 64 << 10

// measure adds up what reading the files takes, as their headers have it.
func (s *Source) measure(files [][]byte) (all scanio.Size, err error) {
	for k, b := range files {
		size, err := scanio.Measure(b)
		if err != nil {
			return all, s.of(k, err)
		}
		if k == 0 {
			all = size
			continue
		}
		all.Read += size.Read
		all.Kept += size.Kept
		if s.Slices {
			all.Kept += sliceBytes
			all.Frames += size.Frames
			continue
		}
		all.Channels = len(files)
	}
	return all, nil
}

// join reads the slices of a series as one scan. Files of one instance count once.
func (s *Source) join(files [][]byte) (*segd.Scan, error) {
	var members []member
	for k, b := range files {
		n := s.Files[k].Number
		if kind := scanio.KindOf(b[:min(len(b), scanio.HeadBytes)]); kind != scanio.DICOM {
			return nil, fmt.Errorf("engine: %w: file %d is %s: several files are the slices of one DICOM series; send other images one by one", segd.ErrUnprocessable, n, scanio.Name(kind))
		}
		scan, err := scanio.Read(b)
		if err != nil {
			return nil, fmt.Errorf("file %d: %w", n, err)
		}
		m := member{Source: &Source{Files: []File{Bytes("", b)}}, scan: scan, number: n}
		if source, err := dicomio.SourceOf(scan); err == nil {
			m.identity = source.Identity()
		}
		members = append(members, m)
	}
	in := &Input{}
	var list []*segd.Scan
	var numbers []int
	for _, m := range in.distinct(members) {
		list, numbers = append(list, m.scan), append(numbers, m.number)
	}
	if len(list) == 1 {
		s.frames = nil // of the one file
		list[0].Warnings = append(in.warnings, list[0].Warnings...)
		return list[0], nil
	}
	scan, order, err := dicomio.JoinSlices(list, numbers)
	if err != nil {
		return nil, err
	}
	s.frames = make([]int, len(order))
	for k, i := range order {
		s.frames[k] = numbers[i]
	}
	scan.Warnings = append(in.warnings, scan.Warnings...)
	return scan, nil
}

// slice is the number of the file that frame i is, of a series; else 0.
func (s *Source) slice(i int) int {
	if i < len(s.frames) {
		return s.frames[i]
	}
	return 0
}
