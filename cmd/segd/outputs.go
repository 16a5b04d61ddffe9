package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"segd/internal/export"
)

// checkFree refuses to begin where outputs of an earlier run would be mixed
// with those of this one, and, whatever the flags, where an output would take the
// place of an input. What a multi-frame file writes is checked when its number of
// frames is known.
func (b *batch) checkFree() error {
	b.sources = map[string]bool{}
	for _, in := range b.inputs {
		b.sources[absolute(in.path)] = true
	}
	var first string
	n := 0
	for _, path := range b.planned {
		if b.sources[absolute(path)] {
			return optionError("%s is an input, and an output would overwrite it: choose another folder with -o", path)
		}
		if exists(path) {
			if n++; n == 1 {
				first = path
			}
		}
	}
	if n > 0 && !b.settings.overwrite {
		return fmt.Errorf("%d outputs already exist, the first is %s: replace them with --overwrite or choose another folder with -o", n, first)
	}
	return b.checkCase()
}

// checkCase refuses inputs whose outputs are one file where the file system takes
// A for a.
func (b *batch) checkCase() error {
	if !b.folder.FoldsCase() {
		return nil
	}
	folded := map[string]string{}
	for _, in := range b.inputs {
		key := strings.ToLower(in.stem)
		if other, ok := folded[key]; ok && !in.dir {
			return optionError("%s and %s would write the same outputs, because %s ignores case: choose a folder on another file system with -o",
				other, in.path, b.settings.out)
		}
		folded[key] = in.path
	}
	return nil
}

// planned is an iterator over the paths of the outputs, of images as if each had
// one frame, with the input that each is of, -1 for all.
func (b *batch) planned(yield func(i int, path string) bool) {
	for _, kind := range b.settings.kinds {
		if kind == kindCSV {
			if !yield(-1, b.csvPath()) {
				return
			}
			continue
		}
		for i, in := range b.inputs {
			stem := in.stem
			if b.series != nil && slices.Contains(export.Kinds(), kind) && kind != export.SC || kind == export.NIfTI && b.stacked(i) {
				if b.series[i].members[0] != i {
					continue
				}
				stem = b.series[i].stem
			}
			if !in.dir && !yield(i, b.path(kind, stem)) {
				return
			}
		}
	}
}

// clear removes what an earlier run made of these inputs in the kinds that are
// asked for: frames that are no more, and masks of what now fails, would look like
// results of this run. Only --overwrite lets it find any. It warns of outputs
// that stay and that the new table does not list.
func (b *batch) clear(warn func(text string)) error {
	if !b.settings.overwrite {
		return nil
	}
	ours := map[string]bool{}
	for _, in := range b.inputs {
		ours[in.name] = true
	}
	var stale []string
	others := map[string]bool{}
	for name, of := range b.folder.Outputs {
		kind, _, deep := strings.Cut(name, "/")
		mine := slices.ContainsFunc(of, func(in string) bool { return ours[in] })
		switch {
		case mine && b.wants(kind) || !deep && b.wants(kindCSV):
			stale = append(stale, name)
		case deep && !mine:
			for _, in := range of {
				others[in] = true
			}
		}
	}
	for _, name := range stale {
		if b.sources[absolute(filepath.Join(b.settings.out, filepath.FromSlash(name)))] {
			continue
		}
		if err := b.folder.Remove(name); err != nil {
			return err
		}
	}
	if n := len(others); n > 0 && b.wants(kindCSV) {
		warn(fmt.Sprintf("%s also holds outputs of %d inputs of earlier runs, which segd.csv no longer lists", b.settings.out, n))
	}
	return nil
}

// left warns of files that lie where outputs of inputs that failed would: no record
// says that segd wrote them, so clear left them.
func (b *batch) left(results []*result, warn func(text string)) {
	var first string
	n := 0
	for i, path := range b.planned {
		if i >= 0 && results[i] == nil && exists(path) {
			if n++; n == 1 {
				first = path
			}
		}
	}
	if n > 0 {
		warn(fmt.Sprintf("%d files remain from before this run, because their inputs failed; the first is %s", n, first))
	}
}

// nameOf is the path of an output below the folder, with slashes.
func (b *batch) nameOf(path string) string {
	rel, err := filepath.Rel(b.settings.out, path)
	if err != nil {
		return filepath.ToSlash(path) // it was joined from the folder
	}
	return filepath.ToSlash(rel)
}

// namesOf are the names of the inputs of a series.
func (b *batch) namesOf(s *series) []string {
	var names []string
	for _, i := range s.members {
		names = append(names, b.inputs[i].name)
	}
	return names
}
