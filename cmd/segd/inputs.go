package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"segd"
	"segd/internal/scanio"
)

// input is one file to segment, or the files of one image's channels.
type input struct {
	path string // where it lies
	name string // relative to the folder it was found in, with slashes
	stem string // name of its outputs: name without extension, but see nameOutputs

	channels []channel // in their order; path is the first; nil: one file
	refused  error     // why these are not the channels of the model
}

// collectInputs lists what paths hold, in the order of paths and, within a
// folder, of names. Folders are walked to the bottom for files named like a
// scan; hidden folders and the folder out are left out. A file named on the command line is always taken. What is named twice
// is done once.
func collectInputs(paths []string, out string) ([]input, error) {
	var list []input
	seen := map[string]bool{}
	add := func(p, name string) {
		if abs := absolute(p); !seen[abs] {
			seen[abs] = true
			list = append(list, input{path: p, name: filepath.ToSlash(name)})
		}
	}
	skip := absolute(out)
	for _, root := range paths {
		info, err := os.Stat(root)
		if err != nil {
			return nil, notThere(err)
		}
		if !info.IsDir() {
			add(root, filepath.Base(root))
			continue
		}
		err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && p != root && (hidden(d.Name()) || absolute(p) == skip):
				return fs.SkipDir
			case d.IsDir() || !scanio.IsScan(d.Name()):
				return nil
			}
			name, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			add(p, name)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no image in %s", segd.ErrNotFound, strings.Join(paths, ", "))
	}
	return list, nameOutputs(list)
}

// nameOutputs gives each input the name of its outputs: its own without the
// extension. Inputs that would share one (a.png, a.dcm) keep the extension
// (a.png.png, a.dcm.png), so the name does not depend on which came first. If
// that does not tell them apart, nothing is done: segd.ErrOption.
func nameOutputs(list []input) error {
	users := map[string]int{}
	for i := range list {
		list[i].stem = scanio.Stem(list[i].name)
		users[list[i].stem]++
	}
	taken := map[string]string{}
	for i := range list {
		if users[list[i].stem] > 1 {
			list[i].stem = list[i].name
		}
		if other, ok := taken[list[i].stem]; ok {
			return optionError("%s and %s would write the same outputs, %s: segment them into two folders, or name the folder above both",
				other, list[i].path, list[i].stem)
		}
		taken[list[i].stem] = list[i].path
	}
	return nil
}

// anonymise names input i, counted from 0, and its outputs by a number, since
// file names of scans often hold the patient's.
func (in *input) anonymise(i int) {
	in.stem = fmt.Sprintf("%06d", i+1)
	in.name = in.stem
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") && name != "." && name != ".." }

// absolute makes paths comparable; one that cannot be resolved stays as it is.
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

// notThere turns the error of a path that does not exist into segd.ErrNotFound.
func notThere(err error) error {
	var p *fs.PathError
	if errors.Is(err, fs.ErrNotExist) && errors.As(err, &p) {
		return fmt.Errorf("%w: %s", segd.ErrNotFound, p.Path)
	}
	return err
}
