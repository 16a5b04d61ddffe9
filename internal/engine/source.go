package engine

import (
	"fmt"

	"segd"
	"segd/dicomio"
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
		return scanio.Read(files[0])
	}
	if s.Slices {
		return joinSlices(files)
	}
	list := make([]*scanio.Channel, len(files))
	for k, b := range files {
		var err error
		if list[k], err = scanio.ReadChannel(s.Files[k].Name, b); err != nil {
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

// joinSlices reads the slices of a series as one scan. Files of one instance count once.
func joinSlices(files [][]byte) (*segd.Scan, error) {
	var list []*segd.Scan
	var members []member
	for k, b := range files {
		if kind := scanio.KindOf(b[:min(len(b), scanio.HeadBytes)]); kind != scanio.DICOM {
			return nil, fmt.Errorf("engine: %w: file %d of %d is %s: several files are the slices of one DICOM series; send other images one by one", segd.ErrUnprocessable, k+1, len(files), scanio.Name(kind))
		}
		scan, err := scanio.Read(b)
		if err != nil {
			return nil, fmt.Errorf("file %d of %d: %w", k+1, len(files), err)
		}
		m := member{Source: &Source{Files: []File{Bytes("", b)}}, scan: scan}
		if source, err := dicomio.SourceOf(scan); err == nil {
			m.instance = source.Instance()
		}
		members = append(members, m)
	}
	in := &Input{}
	for _, m := range in.distinct(members) {
		list = append(list, m.scan)
	}
	if len(list) == 1 {
		list[0].Warnings = append(in.warnings, list[0].Warnings...)
		return list[0], nil
	}
	scan, _, err := dicomio.JoinSlices(list)
	if err != nil {
		return nil, err
	}
	scan.Warnings = append(in.warnings, scan.Warnings...)
	return scan, nil
}
