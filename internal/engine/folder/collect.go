// Package folder joins the engine to files: it lists the images below folders as
// sources, and writes outputs into a folder that one run has at a time.
//
//	sources, passed, err := folder.Collect(paths, out)
//	f, err := folder.Open(out)
//	defer f.Close()
//	err = f.Plan(job, inputs, sources, overwrite) // refuses what would be overwritten
//	err = job.Run(ctx, in, sink)                  // whose Write and Discard are f's
package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/engine"
	"segd/internal/scanio"
	"segd/internal/walk"
)

// Collect lists what paths hold, in the order of paths and, within a folder, of
// names, and counts what it skipped. Folders are walked to the bottom (package
// walk) without the folder out, outputs of earlier runs, and DICOM objects that are
// no images, as they lie beside them on a CD. A file that is named is always taken, unless
// it has the values of a volume whose header is named as well. What is named twice is done
// once. Errors are segd.ErrNotFound for a path that is not there, and where there is no
// image at all. The files in a zip archive that is named are sources like those of a
// folder; the errors of package archive are those of the archive as a whole.
func Collect(paths []string, out string) ([]*engine.Source, walk.Passed, error) {
	var list []*engine.Source
	var passed walk.Passed
	seen := map[string]bool{}
	values := valuesOf(paths)
	add := func(path, name string, kind scanio.Kind, err error, dir bool) {
		abs := absolute(path)
		if seen[abs] {
			passed.Repeated++
			return
		}
		seen[abs] = true
		list = append(list, &engine.Source{
			Origin: path, Name: name, Folder: absolute(filepath.Dir(path)), Err: err, NoOutputs: dir,
			Files: []engine.File{{Name: filepath.Base(path), Kind: kind, Read: func() ([]byte, error) { return Read(path) }, Beside: Beside(path)}},
		})
	}
	for _, root := range paths {
		info, err := os.Stat(root)
		switch {
		case err != nil:
			return nil, passed, NotThere(err)
		case !info.IsDir():
			if !info.Mode().IsRegular() {
				err = fmt.Errorf("%w: a pipe, socket or device, want a regular file", segd.ErrUnsupported)
			} else if isArchive(root) {
				members, err := unpack(root, &passed)
				if err != nil {
					return nil, passed, fmt.Errorf("%s: %w", root, err)
				}
				if seen[absolute(root)] {
					passed.Repeated++
					continue
				}
				seen[absolute(root)] = true
				list = append(list, members...)
				continue
			}
			if values[absolute(root)] {
				continue // it belongs to a header that is named too
			}
			if err == nil {
				err = NeedsHeader(root)
			}
			add(root, filepath.Base(root), scanio.Unknown, err, false)
			continue
		}
		files, p, err := walk.Walk(root, walk.Options{Skip: out})
		if err != nil {
			return nil, passed, err
		}
		passed.Add(p)
		for _, f := range files {
			if what := object(f); what != "" {
				passed.Object(what, f.Name)
				continue
			}
			add(f.Path, f.Name, f.Kind, f.Err, f.Dir)
		}
	}
	if len(list) == 0 {
		why := ""
		if text := passed.String(); text != "" {
			why = " (" + text + ")"
		}
		return nil, passed, fmt.Errorf("%w: no image in %s%s", segd.ErrNotFound, strings.Join(paths, ", "), why)
	}
	return list, passed, nil
}

// object says what a file of a folder is that is a DICOM object and no image.
func object(f walk.File) string {
	if f.Kind != scanio.DICOM || f.Err != nil {
		return ""
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return "" // reading it says why
	}
	defer func() { _ = file.Close() }() // read only
	head := make([]byte, scanio.HeadBytes)
	n, _ := io.ReadFull(file, head) // a short one ends early
	return dicomio.NotImage(scanio.Head(head[:n]))
}

// Read reads the bytes of the file at path, and no more of them than show that it is
// too large. A gzip file of an image is unpacked. Its errors do not repeat the path, which whoever reports them puts
// before.
func Read(path string) ([]byte, error) {
	b, err := readStored(path)
	if err != nil {
		return nil, err
	}
	return scanio.Inflate(b)
}

// readStored is Read of a file as it is.
func readStored(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() { // a pipe might have no other end
		return nil, fmt.Errorf("%w: not a regular file", segd.ErrUnsupported)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }() // read only
	b, err := io.ReadAll(io.LimitReader(f, segd.MaxFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	return b, nil
}

// withoutPath is the reason in an error of the file system.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// NotThere turns the error of a path that does not exist into segd.ErrNotFound.
func NotThere(err error) error {
	var p *fs.PathError
	if errors.Is(err, fs.ErrNotExist) && errors.As(err, &p) {
		return fmt.Errorf("%w: %s", segd.ErrNotFound, p.Path)
	}
	return err
}

// absolute makes paths comparable; one that cannot be resolved stays unchanged.
func absolute(p string) string {
	if p == "" {
		return ""
	}
	if abs, err := filepath.Abs(p); err == nil {
		p = abs
	}
	if real, err := filepath.EvalSymlinks(p); err == nil {
		p = real
	}
	return p
}
