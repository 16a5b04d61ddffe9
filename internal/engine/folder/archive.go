package folder

import (
	"io"
	"os"
	"path"

	"segd/dicomio"
	"segd/internal/archive"
	"segd/internal/beside"
	"segd/internal/engine"
	"segd/internal/scanio"
	"segd/internal/walk"
)

// isArchive reports whether the file at path is a zip archive.
func isArchive(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false // reading it says why
	}
	defer func() { _ = f.Close() }() // read only
	head := make([]byte, 4)
	n, _ := io.ReadFull(f, head) // a short one ends early
	return archive.Is(head[:n])
}

// unpack lists the images in the archive at file, which are read when their turn comes,
// and counts what it skipped. An archive inside it is skipped too.
func unpack(file string, passed *walk.Passed) ([]*engine.Source, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return nil, withoutPath(err)
	}
	members, err := archive.Open(f, info.Size())
	if err != nil {
		return nil, err
	}
	var list []*engine.Source
	values := archive.Values(f, members, scanio.Parts)
	for _, m := range members {
		if m.Hidden() {
			passed.Hidden++
			continue
		}
		if values[m.Name] {
			continue
		}
		head, err := m.Head(f, scanio.HeadBytes)
		head = scanio.Head(head)
		kind := scanio.KindOf(head)
		switch what := dicomio.NotImage(head); {
		case err != nil: // it fails in its turn
		case kind == scanio.DICOMDIR:
			passed.DICOMDIR++
			continue
		case kind == scanio.DICOM && what != "":
			passed.Object(what, m.Name)
			continue
		case !kind.IsScan() && !scanio.Named(path.Base(m.Name)):
			passed.NoImage(m.Name)
			continue
		}
		list = append(list, &engine.Source{
			Origin: file + "/" + m.Name, Name: m.Name, Folder: absolute(file) + "/" + path.Dir(m.Name), Err: err,
			Files: []engine.File{{Name: path.Base(m.Name), Kind: kind, Read: func() ([]byte, error) { return readImage(file, m) }, Beside: besideMember(file, members, m)}},
		})
	}
	return list, nil
}

// readMember reads a file of the archive at path.
func readMember(path string, m archive.Member) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }() // read only
	return m.Read(f)
}

// readImage is readMember of an image, out of gzip.
func readImage(path string, m archive.Member) ([]byte, error) {
	b, err := readMember(path, m)
	if err != nil {
		return nil, err
	}
	return scanio.Inflate(b)
}

// besideMember are the members of the archive at file in the folder of m.
func besideMember(file string, members []archive.Member, m archive.Member) beside.Files {
	return beside.Files{Name: path.Base(m.Name), Open: func(name string) ([]byte, error) {
		for _, other := range members {
			if other.Name == path.Join(path.Dir(m.Name), name) {
				return readMember(file, other)
			}
		}
		return nil, noValues(name)
	}}
}
