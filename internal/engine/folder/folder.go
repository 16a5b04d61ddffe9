package folder

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"segd"
	"segd/internal/engine"
	"segd/internal/export"
	"segd/internal/output"
)

// TableName is the file of the output csv.
const TableName = "segd.csv"

// Folder is the folder that the outputs of a run go to: OUT/KIND/NAME.EXT, and the
// table. Its methods may be called from several goroutines.
type Folder struct {
	*output.Folder
	dir       string
	overwrite bool
	kinds     []string                  // that are asked for, csv among them
	sources   map[string]bool           // their paths, without links
	names     map[string]bool           // of the sources
	stems     map[string]*engine.Source // by the stem of their outputs
	planned   []engine.Output

	mu      sync.Mutex
	written map[*engine.Source][]string // paths of outputs of a source alone
}

// Open locks dir for one run, as output.Open does.
func Open(dir string) (*Folder, error) {
	f, err := output.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{Folder: f, dir: dir, sources: map[string]bool{}, names: map[string]bool{}, stems: map[string]*engine.Source{}, written: map[*engine.Source][]string{}}, nil
}

// Plan refuses to begin where outputs of an earlier run would be mixed with those of
// this one, unless they may be replaced, and, in any case, where an output would take
// the place of an input, segd.ErrOption. What a multi-frame file writes is checked when
// its number of frames is known.
func (f *Folder) Plan(job *engine.Job, inputs []*engine.Input, sources []*engine.Source, overwrite bool) error {
	f.overwrite, f.kinds, f.planned = overwrite, job.Outputs, job.Planned(inputs, sources)
	for _, s := range sources {
		for _, origin := range s.Origins() {
			f.sources[absolute(origin)] = true
		}
		f.names[s.Name] = true
		if !s.NoOutputs {
			f.stems[s.Stem] = s
		}
	}
	paths := make([]string, len(f.planned))
	for i, o := range f.planned {
		paths[i] = f.path(o)
	}
	if f.wants(export.CSV) {
		paths = append(paths, filepath.Join(f.dir, TableName))
	}
	first, n := "", 0
	for _, path := range paths {
		if f.sources[absolute(path)] {
			return fmt.Errorf("%w: %s is an input, and an output would overwrite it: choose another folder with -o", segd.ErrOption, path)
		}
		if exists(path) {
			if n++; n == 1 {
				first = path
			}
		}
	}
	if n > 0 && !overwrite {
		return fmt.Errorf("%d outputs already exist, the first is %s: replace them with --overwrite or choose another folder with -o", n, first)
	}
	return f.checkCase(sources)
}

// checkCase refuses sources whose outputs are one file where the file system takes A
// for a.
func (f *Folder) checkCase(sources []*engine.Source) error {
	if !f.FoldsCase() {
		return nil
	}
	folded := map[string]string{}
	for _, s := range sources {
		key := strings.ToLower(s.Stem)
		if other, ok := folded[key]; ok && !s.NoOutputs {
			return fmt.Errorf("%w: %s and %s would write the same outputs, because %s ignores case: choose a folder on another file system with -o",
				segd.ErrOption, other, s.Origin, f.dir)
		}
		folded[key] = s.Origin
	}
	return nil
}

// Clear removes what an earlier run made of these sources in the kinds that are asked
// for: frames that are no more, and masks of what now fails, would look like results
// of this run. Only where outputs may be replaced is there any. others is how many
// sources of earlier runs have outputs that stay and that the new table does not list.
func (f *Folder) Clear() (others int, err error) {
	if !f.overwrite {
		return 0, nil
	}
	var stale []string
	stay := map[string]bool{}
	for name, of := range f.Outputs {
		kind, _, deep := strings.Cut(name, "/")
		mine := slices.ContainsFunc(of, func(in string) bool { return f.names[in] })
		switch {
		case mine && f.wants(kind) || !deep && f.wants(export.CSV):
			stale = append(stale, name)
		case deep && !mine:
			for _, in := range of {
				stay[in] = true
			}
		}
	}
	for _, name := range stale {
		if f.sources[absolute(filepath.Join(f.dir, filepath.FromSlash(name)))] {
			continue
		}
		if err := f.Remove(name); err != nil {
			return 0, err
		}
	}
	if !f.wants(export.CSV) {
		return 0, nil
	}
	return len(stay), nil
}

// Left counts the files that lie where outputs of sources that failed would: no record
// says that segd wrote them, so Clear left them. first is one of them.
func (f *Folder) Left(failed func(*engine.Source) bool) (n int, first string) {
	for _, o := range f.planned {
		if path := f.path(o); failed(o.Sources[0]) && exists(path) {
			if n++; n == 1 {
				first = path
			}
		}
	}
	return n, first
}

// Write is that of engine.Sink. A file that appeared since Plan is only replaced where
// it may be.
func (f *Folder) Write(o engine.Output, write func(io.Writer) error) error {
	if s := f.stems[o.Stem()]; s != nil && !slices.Contains(o.Sources, s) {
		return fmt.Errorf("%w: its output %s is also the output of another input: rename one of them", segd.ErrUnprocessable, o.Stem())
	}
	var names []string
	for _, s := range o.Sources {
		names = append(names, s.Name)
	}
	path := f.path(o)
	if err := f.write(path, o.Path(), write, names); err != nil {
		return err
	}
	if len(o.Sources) == 1 && !o.Kind.Object() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.written[o.Sources[0]] = append(f.written[o.Sources[0]], path)
	}
	return nil
}

func (f *Folder) write(path, name string, write func(io.Writer) error, of []string) error {
	if !f.overwrite && exists(path) {
		return fmt.Errorf("%s already exists: replace it with --overwrite", path)
	}
	if f.sources[absolute(path)] {
		return fmt.Errorf("%s is an input of this run: choose another folder with -o", path)
	}
	if err := f.Add(name, of...); err != nil {
		return err
	}
	return output.WriteFile(path, write)
}

// Discard is that of engine.Sink.
func (f *Folder) Discard(s *engine.Source) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range f.written[s] {
		_ = os.Remove(path)
	}
	delete(f.written, s)
}

// Keep forgets what Discard would take back.
func (f *Folder) Keep(s *engine.Source) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.written, s)
}

// WriteTable writes the output csv, if it is asked for.
func (f *Folder) WriteTable(results []*engine.Result) error {
	if !f.wants(export.CSV) {
		return nil
	}
	return f.write(filepath.Join(f.dir, TableName), TableName, func(w io.Writer) error { return engine.WriteTable(w, results) }, nil)
}

func (f *Folder) wants(kind string) bool { return slices.Contains(f.kinds, kind) }

func (f *Folder) path(o engine.Output) string {
	return filepath.Join(f.dir, filepath.FromSlash(o.Path()))
}

// exists reports whether path is there.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
