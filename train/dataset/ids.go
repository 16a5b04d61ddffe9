package dataset

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"segd"
	"segd/internal/scanio"
)

// idList is the content of an ids.csv: the group of each image.
type idList struct {
	path   string
	ids    []string       // as written
	groups []string       // of each id
	exact  map[string]int // index by id, with slashes
	stems  map[string]int // index by id without extension; -1: ambiguous, ids in different groups
	used   []bool         // whether the id matches an image
}

// maxIDs bounds ids.csv.
const maxIDs = 64 << 20

// readIDs reads ids.csv and returns nil if there is none. Columns are separated by
// commas, semicolons or tabs. An id that appears twice with different groups is
// segd.ErrFormat.
func readIDs(file string) (*idList, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	b, err := io.ReadAll(io.LimitReader(f, maxIDs))
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("train: %w: %s%s", segd.ErrFormat, file, fmt.Sprintf(format, args...))
	}
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return nil, bad(" is UTF-16, want UTF-8")
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	r := csv.NewReader(bytes.NewReader(b))
	if line, _, _ := bytes.Cut(b, []byte("\n")); !bytes.ContainsRune(line, ',') {
		for _, comma := range ";\t" {
			if bytes.ContainsRune(line, comma) {
				r.Comma = comma
			}
		}
	}
	header, err := r.Read()
	if err != nil {
		return nil, bad(": %v", err)
	}
	id, group := -1, -1
	for i, name := range header {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "id":
			id = i
		case "group":
			group = i
		}
	}
	if id < 0 || group < 0 {
		return nil, bad(" has no header with id and group")
	}
	l := &idList{path: file, exact: map[string]int{}, stems: map[string]int{}}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return nil, bad(": %v", err)
		}
		if !l.add(strings.TrimSpace(row[id]), strings.TrimSpace(row[group])) {
			line, _ := r.FieldPos(id)
			return nil, bad(" line %d: the id appears a second time, with another group", line)
		}
	}
}

// add adds a line. It returns false if the id already has another group.
func (l *idList) add(id, group string) bool {
	if group == "" || id == "" {
		return true
	}
	name := path.Clean(strings.ReplaceAll(id, `\`, "/"))
	if k, twice := l.exact[name]; twice {
		return l.groups[k] == group
	}
	n := len(l.ids)
	l.ids, l.groups, l.used = append(l.ids, id), append(l.groups, group), append(l.used, false)
	l.exact[name] = n
	stem := scanio.Stem(name)
	if k, twice := l.stems[stem]; twice && (k < 0 || l.groups[k] != group) {
		n = -1
	}
	l.stems[stem] = n
	return true
}

// find returns the group of the id that equals one of names or, failing that, of the
// id that equals one of them plus a file extension of scans.
func (l *idList) find(names ...string) (group string, err error) {
	for _, name := range names {
		if k, ok := l.exact[name]; ok {
			l.used[k] = true
			if group != "" && group != l.groups[k] {
				return "", fmt.Errorf("train: %w: %s has ids in two groups for image %s", segd.ErrFormat, l.path, names[0])
			}
			group = l.groups[k]
		}
	}
	if group != "" {
		return group, nil
	}
	for _, name := range names {
		switch k, ok := l.stems[name]; {
		case ok && k < 0:
			return "", fmt.Errorf("train: %w: %s has ids in two groups for image %s", segd.ErrFormat, l.path, names[0])
		case ok:
			l.used[k] = true
			return l.groups[k], nil
		}
	}
	return "", nil
}

// nameGroups looks up the group of each image, or of each of its frames. An id is the
// stem of an image or frame, or the path of its file below the data set or the folder
// of images, with or without extension. If no id matches an image, the error is
// segd.ErrFormat. The warning lists what has no counterpart.
func (p *pairing) nameGroups(ids *idList) (warning string, err error) {
	if ids == nil || len(p.entries) == 0 {
		return "", nil
	}
	missing, first := 0, ""
	for i := range p.entries {
		e := &p.entries[i]
		if e.groups, err = p.groupsOf(e, ids); err != nil {
			return "", err
		}
		if strings.Join(e.groups, "") == "" {
			if missing++; missing == 1 {
				first = e.stem
			}
		}
	}
	spare, example := 0, ""
	for k, used := range ids.used {
		if !used {
			if spare++; spare == 1 {
				example = ids.ids[k]
			}
		}
	}
	switch {
	case missing == len(p.entries):
		return "", fmt.Errorf("train: %w: no id in %s matches an image: its %d ids look like %q, the images like %q; an id is the path of an image below %s, with or without extension",
			segd.ErrFormat, ids.path, len(ids.ids), cmp.Or(example, "none"), first, p.images)
	case missing > 0:
		warning = fmt.Sprintf("%d of %d images are not in %s, such as %s: each counts as a separate subject unless its headers or BIDS name say otherwise", missing, len(p.entries), ids.path, first)
	}
	if spare > 0 {
		if warning != "" {
			warning += "; "
		}
		warning += fmt.Sprintf("%d of %d ids of %s match no image, such as %q", spare, len(ids.ids), ids.path, example)
	}
	return warning, nil
}

// groupsOf looks up the group of each frame of an image. A frame without one gets "".
func (p *pairing) groupsOf(e *entry, ids *idList) ([]string, error) {
	folder := filepath.Base(p.images) + "/"
	names := []string{e.stem}
	if rel, err := filepath.Rel(p.images, e.image); err == nil {
		file := filepath.ToSlash(rel)
		names = append(names, file, scanio.Stem(file), folder+e.stem, folder+file, folder+scanio.Stem(file))
	}
	whole, err := ids.find(names...)
	if err != nil {
		return nil, err
	}
	groups := make([]string, e.frames)
	for k := range groups {
		groups[k] = whole
		if e.frames == 1 {
			continue
		}
		frame := frameID(e.stem, k, e.frames)
		own, err := ids.find(frame, folder+frame)
		if err != nil {
			return nil, err
		}
		groups[k] = cmp.Or(own, whole)
	}
	return groups, nil
}
