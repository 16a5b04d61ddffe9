package models

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"segd/internal/nearest"
)

// besides suggests, as the end of a message, which entries of its parent
// directory a missing path was probably meant to name. It returns "" if none is
// near.
func besides(missing string, fits func(dir string) bool) string {
	parent, name := filepath.Split(filepath.Clean(missing))
	near := nearest.Names(name, subdirectories(parent, fits))
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + filepath.Join(parent, near[0]) + "?"
}

// within says, as the end of a message, what a directory without a model should
// hold, or which of its subdirectories are models.
func within(dir string) string {
	list := subdirectories(dir, isModel)
	if len(list) == 0 {
		return "; a model is a directory of " + manifestFile + " and " + weightsFile
	}
	for i, name := range list {
		list[i] = filepath.Join(dir, name)
	}
	return "; the models in it are " + nearest.List("", list)
}

// subdirectories returns the visible subdirectories of dir that fit, sorted.
func subdirectories(dir string, fits func(string) bool) []string {
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // the message omits them
	}
	var list []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && fits(filepath.Join(dir, e.Name())) {
			list = append(list, e.Name())
		}
	}
	slices.Sort(list)
	return list
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isStore(path string) bool {
	p, err := readPointer(os.DirFS(path))
	return err == nil && p != nil
}

func isModel(path string) bool { return isDir(path) && holdsModel(os.DirFS(path)) }
