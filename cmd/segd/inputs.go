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
	"segd/internal/walk"
)

// input is one file to segment, or the files of one image's channels.
type input struct {
	path string // where it lies
	name string // relative to the folder it was found in, with slashes
	stem string // name of its outputs: name without extension, but see nameOutputs
	err  error  // why it cannot be read: it fails with that; of channels, why they are not those of the model
	dir  bool   // it is a folder, which cannot be read

	channels []channel // in their order; path is the first; nil: one file
}

// collectInputs lists what paths hold, in the order of paths and, within a
// folder, of names, and counts what it passed over. Folders are walked to the
// bottom (package walk) without the folder out and outputs of earlier runs. A file
// named on the command line is always taken. What is named twice is done once.
func collectInputs(paths []string, out string) ([]input, walk.Passed, error) {
	var list []input
	var passed walk.Passed
	seen := map[string]bool{}
	add := func(in input) {
		if abs := absolute(in.path); !seen[abs] {
			seen[abs] = true
			list = append(list, in)
		} else {
			passed.Repeated++
		}
	}
	for _, root := range paths {
		info, err := os.Stat(root)
		switch {
		case err != nil:
			return nil, passed, notThere(err)
		case !info.IsDir():
			in := input{path: root, name: filepath.Base(root)}
			if !info.Mode().IsRegular() {
				in.err = fmt.Errorf("%w: a pipe, socket or device, want a regular file", segd.ErrUnsupported)
			}
			add(in)
			continue
		}
		files, p, err := walk.Walk(root, walk.Options{Skip: out})
		if err != nil {
			return nil, passed, err
		}
		passed.Add(p)
		for _, f := range files {
			add(input{path: f.Path, name: f.Name, err: f.Err, dir: f.Dir})
		}
	}
	if len(list) == 0 {
		why := ""
		if text := passed.String(); text != "" {
			why = " (" + text + ")"
		}
		return nil, passed, fmt.Errorf("%w: no image in %s%s", segd.ErrNotFound, strings.Join(paths, ", "), why)
	}
	return list, passed, nameOutputs(list)
}

// nameOutputs gives each input the name of its outputs: its own without the
// extension. Inputs that would share one (a.png, a.dcm) keep the extension
// (a.png.png, a.dcm.png), so the name does not depend on which came first. If
// that does not tell them apart, nothing is done: segd.ErrOption.
func nameOutputs(list []input) error {
	users := map[string]int{}
	for i := range list {
		if list[i].dir {
			continue // it will have none
		}
		list[i].stem = scanio.Stem(list[i].name)
		users[list[i].stem]++
	}
	taken := map[string]string{}
	for i := range list {
		if list[i].dir {
			continue
		}
		if users[list[i].stem] > 1 {
			list[i].stem = list[i].name
		}
		if other, ok := taken[list[i].stem]; ok {
			return optionError("%s and %s would write the same outputs, %s: use two output folders, or give -i the folder that contains both",
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
