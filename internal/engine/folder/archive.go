package folder

import (
	"io"
	"os"
	"path"

	"segd/dicomio"
	"segd/internal/archive"
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
	for _, m := range members {
		if m.Hidden() {
			passed.Hidden++
			continue
		}
		head, err := m.Head(f, scanio.HeadBytes)
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
			Files: []engine.File{{Name: path.Base(m.Name), Kind: kind, Read: func() ([]byte, error) { return readMember(file, m) }}},
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
