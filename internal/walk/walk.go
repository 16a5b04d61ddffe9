// Package walk finds the images below a folder by what they hold, whatever their
// names are.
//
//	files, passed, err := walk.Walk("scans", walk.Options{})
//
// Segmentation, training, evaluation and checks all list their files with it,
// and so agree. A file is taken if its first bytes are those of a kind that
// scanio reads, or if its name has the extension of one, so that a damaged scan is
// a failure and not a gap. Hidden files, DICOMDIR, empty files without such a
// name, and what is not a regular file are skipped and counted; so are the
// outputs of earlier runs (package output). What systems leave in folders (Thumbs.db,
// desktop.ini, @eaDir, __MACOSX) counts as hidden. Files with the values of a volume whose
// header is a file of its own (.mhd, .nhdr, .hdr) belong to the header and are not listed.
//
// Links to files and to folders are followed; a folder is read once, and a link
// to a folder above is skipped.
package walk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"segd/internal/output"
	"segd/internal/scanio"
)

// Options says what Walk takes.
type Options struct {
	Want    func(scanio.Kind) bool // of the files that hold or name an image; nil: all
	Skip    string                 // folder that is not entered, where it is not the root; "": none
	Outputs bool                   // take outputs of earlier runs too
	Also    func(path string) bool // takes files that are no images too; nil: none
}

// File is a file that was found.
type File struct {
	Path string      // root and Name joined
	Name string      // below the root, with slashes
	Kind scanio.Kind // scanio.Unknown where only the name is that of an image
	Err  error       // why it, or the folder that it is, could not be read
	Dir  bool        // it is a folder, which could not be read
	Also bool        // Options.Also took it
}

// Walk lists the images below root, in the order of their names, and counts what
// it skipped. A file or folder that cannot be read is in the list with its
// error; so is root itself. The error is that of a root that is not there or no
// folder.
func Walk(root string, o Options) ([]File, Passed, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, Passed{}, err
	}
	if !info.IsDir() {
		return nil, Passed{}, &fs.PathError{Op: "walk", Path: root, Err: fmt.Errorf("not a folder")}
	}
	w := &walker{Options: o, skip: real(o.Skip), root: real(root), seen: map[string]bool{}}
	w.folder(root, "", real(root))
	for len(w.links) > 0 { // after all that is no link, which so keeps its own name
		l := w.links[0]
		w.links = w.links[1:]
		if to := real(l.Path); above(to, w.root) || above(to, real(filepath.Dir(l.Path))) {
			w.passed.Links++
		} else {
			w.folder(l.Path, l.Name, to)
		}
	}
	slices.SortFunc(w.list, func(a, b File) int { return slices.Compare(strings.Split(a.Name, "/"), strings.Split(b.Name, "/")) })
	return w.list, w.passed, nil
}

// walker is a Walk under way.
type walker struct {
	Options
	root, skip string          // without links
	seen       map[string]bool // folders, without links
	links      []File          // to folders
	list       []File
	passed     Passed
}

// folder lists a folder: path is where it lies, name its path below the root,
// place its path without links.
func (w *walker) folder(path, name, place string) {
	switch {
	case w.seen[place]:
		w.passed.Links++
		return
	case place == w.skip && place != w.root:
		w.passed.Outputs += count(path)
		return
	}
	w.seen[place] = true
	var record output.Record
	entries, err := os.ReadDir(path)
	if err == nil && !w.Outputs {
		record, err = output.ReadRecord(path)
	}
	if err != nil {
		w.fail(path, name, err, true)
	}
	known := outputs{record, record.Folders()}
	var regular []File
	for _, e := range entries { // those that were read, where not all were
		if base := e.Name(); base == output.RecordName || base == output.LockName {
			continue
		}
		if f, ok := w.entry(filepath.Join(path, e.Name()), join(name, e.Name()), place, e, known); ok {
			regular = append(regular, f)
		}
	}
	w.files(regular)
}

// files lists the regular files of a folder that are or should be images. Those that have
// the values of a volume, whose header is another one, belong to that.
func (w *walker) files(list []File) {
	empty := map[string]bool{}
	values := map[string]bool{}
	for i := range list {
		f := &list[i]
		f.Kind, empty[f.Path], f.Err = scanio.KindOfFile(f.Path)
		if f.Kind.IsVolume() {
			for _, name := range scanio.PartsOfFile(f.Path) {
				values[filepath.Join(filepath.Dir(f.Path), name)] = true
			}
		}
	}
	for _, f := range list {
		if !values[f.Path] {
			w.file(f, empty[f.Path])
		}
	}
}

// hidden reports names that are not meant to be seen: those that begin with a dot
// (.DS_Store, .ipynb_checkpoints), the files that Windows hides in folders, Synology's
// folders of thumbnails and of what was deleted, and macOS's in archives.
func hidden(name string) bool {
	for _, n := range []string{"Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "__MACOSX"} {
		if strings.EqualFold(name, n) {
			return true
		}
	}
	return strings.HasPrefix(name, ".")
}

// outputs are what segd wrote into a folder.
type outputs struct {
	record  output.Record
	folders map[string]bool
}

// entry lists one entry of a folder, and what lies in it. A regular file is returned.
func (w *walker) entry(path, name, place string, e fs.DirEntry, known outputs) (f File, regular bool) {
	if hidden(e.Name()) {
		w.passed.Hidden++
		return f, false
	}
	mode, link := e.Type(), false
	if link = mode&fs.ModeSymlink != 0; link {
		info, err := os.Stat(path)
		if err != nil {
			w.fail(path, name, err, false)
			return f, false
		}
		mode = info.Mode()
	}
	_, ours := known.record[e.Name()]
	switch {
	case mode.IsDir() && known.folders[e.Name()]:
		w.passed.Outputs += count(path)
	case mode.IsDir() && link:
		w.links = append(w.links, File{Path: path, Name: name})
	case mode.IsDir():
		w.folder(path, name, filepath.Join(place, e.Name()))
	case !mode.IsRegular():
		w.passed.Special++
	case ours:
		w.passed.Outputs++
	default:
		return File{Path: path, Name: name}, true
	}
	return f, false
}

// file lists a regular file, if it is or should be an image.
func (w *walker) file(f File, empty bool) {
	name, kind, base := f.Name, f.Kind, filepath.Base(f.Path)
	switch {
	case f.Err != nil:
		w.fail(f.Path, name, f.Err, false)
	case kind == scanio.DICOMDIR || strings.EqualFold(base, "DICOMDIR"):
		w.passed.DICOMDIR++
	case kind == scanio.Unknown && !scanio.Named(base) && !empty && w.Also != nil && w.Also(f.Path):
		w.list = append(w.list, File{Path: f.Path, Name: name, Also: true})
	case !kind.IsScan() && !scanio.Named(base):
		if empty {
			w.passed.Empty++
		} else {
			w.passed.NoImage(name)
		}
	case w.Want != nil && !w.Want(kind):
		w.passed.Unwanted(kind, name)
	default:
		w.list = append(w.list, f)
	}
}

// fail lists what cannot be read.
func (w *walker) fail(path, name string, err error, dir bool) {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	if dir {
		err = fmt.Errorf("cannot read the folder: %w", err)
	}
	w.list = append(w.list, File{Path: path, Name: name, Err: err, Dir: dir})
}

// join joins a path below the root and a name.
func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// above reports whether folder a is folder b or lies above it.
func above(a, b string) bool {
	rel, err := filepath.Rel(a, b)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// real is a path without links, for comparing; one that cannot be resolved stays
// as it is.
func real(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	return path
}

// count counts the files in a folder of outputs.
func count(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
			n++
		}
		return nil // what cannot be read is not counted
	})
	return n
}
