package train

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"segd"
	"segd/internal/scanio"
)

// Case is one labelled image of a data set.
type Case struct {
	ID    string // path below images/ without extension; with several data sets, the set's name before it
	Group string // of ids.csv (a subject, a slide), else ID; the set's name before it as for ID
	Image string // file
	Label string // file

	// Instances is the PNG in instances/ that numbers the objects of the label;
	// empty where there is none.
	Instances string

	set int // of the data set, in the order they were given

	// subject is the group without the name of the data set: one subject in
	// two sets must not end up on both sides of a split.
	subject string
}

// Dataset lists labelled images. Nothing of their content is held.
type Dataset struct {
	Names    []string // of the data sets that were joined
	Cases    []Case   // sorted by ID within each data set
	Warnings []string
}

// Open lists the cases of one or more data sets.
//
// A data set is a folder with images/ and labels/ (or imgs/ and masks/):
// images of any kind that segd reads, and for each one a label PNG of the
// same stem (or stem_mask) whose pixel values are class indices. Where
// ids.csv (header id,group) lies beside them, it names the group of each
// image: a subject, a slide, whatever must not be split. Files of several
// folders are joined, ids then carry the name of their data set, which is the
// folder's name, or its parent's where the folder is called train or test.
//
// The errors are segd.ErrNotFound for a missing folder or label, and
// segd.ErrFormat for two images of one stem and for a malformed ids.csv.
func Open(dirs ...string) (*Dataset, error) {
	if len(dirs) == 0 {
		return nil, fmt.Errorf("train: %w: no data set given", segd.ErrOption)
	}
	d := &Dataset{Names: setNames(dirs)}
	for i, dir := range dirs {
		cases, warnings, err := openOne(dir)
		if err != nil {
			return nil, err
		}
		for k := range cases {
			cases[k].set = i
		}
		if len(dirs) > 1 {
			for k := range cases {
				cases[k].ID = d.Names[i] + "/" + cases[k].ID
				cases[k].Group = d.Names[i] + "/" + cases[k].Group
			}
		}
		d.Cases = append(d.Cases, cases...)
		d.Warnings = append(d.Warnings, warnings...)
	}
	return d, nil
}

// setNames makes short names for data sets that differ from each other.
func setNames(dirs []string) []string {
	names := make([]string, len(dirs))
	used := map[string]int{}
	for i, dir := range dirs {
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
		base := filepath.Base(dir)
		switch strings.ToLower(base) {
		case "train", "training", "test", "testing", "val", "validation", "data":
			if parent := filepath.Base(filepath.Dir(dir)); parent != "/" && parent != "." {
				base = parent
			}
		}
		used[base]++
		if n := used[base]; n > 1 {
			base = fmt.Sprintf("%s-%d", base, n)
		}
		names[i] = base
	}
	return names
}

func openOne(dir string) ([]Case, []string, error) {
	images, labels, err := folders(dir)
	if err != nil {
		return nil, nil, err
	}
	stems, files, err := stemsOf(images, scanio.IsScan)
	if err != nil {
		return nil, nil, err
	}
	if len(stems) == 0 {
		return nil, nil, fmt.Errorf("train: %w: no image in %s", segd.ErrNotFound, images)
	}
	isLabel := func(name string) bool { return strings.EqualFold(filepath.Ext(name), ".png") }
	_, masks, err := stemsOf(labels, isLabel)
	if err != nil {
		return nil, nil, err
	}
	groups, err := readGroups(filepath.Join(dir, "ids.csv"))
	if err != nil {
		return nil, nil, err
	}
	var cases []Case
	var missing, ungrouped int
	var first string
	for _, stem := range stems {
		label, ok := masks[stem]
		if !ok {
			label, ok = masks[stem+"_mask"]
		}
		if !ok {
			if missing++; missing == 1 {
				first = files[stem]
			}
			continue
		}
		group, ok := groups[stem]
		if !ok {
			group = stem
			ungrouped++
		}
		cases = append(cases, Case{ID: stem, Group: group, Image: files[stem], Label: label, Instances: instancesOf(dir, stem), subject: group})
	}
	if missing > 0 {
		return nil, nil, fmt.Errorf("train: %w: no label PNG in %s for %s (%d of %d images lack one)",
			segd.ErrNotFound, labels, first, missing, len(stems))
	}
	var warnings []string
	if groups != nil && ungrouped > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d images of %s are not in its ids.csv: each is a group of its own",
			ungrouped, len(stems), dir))
	}
	return cases, warnings, nil
}

// folders finds the image and the label folder of a data set.
func folders(dir string) (images, labels string, err error) {
	isDir := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	}
	if !isDir(dir) {
		return "", "", fmt.Errorf("train: %w: data set %s is not a folder", segd.ErrNotFound, dir)
	}
	for _, pair := range [][2]string{{"images", "labels"}, {"imgs", "masks"}, {"images", "masks"}} {
		images, labels = filepath.Join(dir, pair[0]), filepath.Join(dir, pair[1])
		if isDir(images) && isDir(labels) {
			return images, labels, nil
		}
	}
	hint := ""
	if isDir(filepath.Join(dir, "train", "images")) {
		hint = "; it has train/images: give " + filepath.Join(dir, "train")
	}
	return "", "", fmt.Errorf("train: %w: data set %s has no folders images/ and labels/ (or imgs/ and masks/)%s",
		segd.ErrNotFound, dir, hint)
}

// stemsOf maps the files below dir to their paths by stem, which is the path
// below dir, with slashes, without the extension; stems are sorted.
func stemsOf(dir string, want func(name string) bool) ([]string, map[string]string, error) {
	files := map[string]string{}
	var stems []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if path != dir && strings.HasPrefix(e.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !want(e.Name()) || strings.HasPrefix(e.Name(), ".") {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		stem := filepath.ToSlash(strings.TrimSuffix(rel, filepath.Ext(rel)))
		if other, twice := files[stem]; twice {
			return fmt.Errorf("%w: %s and %s share the stem %s", segd.ErrFormat, other, path, stem)
		}
		files[stem] = path
		stems = append(stems, stem)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("train: reading %s: %w", dir, err)
	}
	sort.Strings(stems)
	return stems, files, nil
}

// readGroups reads ids.csv; a missing file gives a nil map.
func readGroups(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	r := csv.NewReader(io.LimitReader(f, 64<<20))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("train: %w: %s: %v", segd.ErrFormat, path, err)
	}
	id, group := -1, -1
	for i, name := range header {
		switch strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))) {
		case "id":
			id = i
		case "group":
			group = i
		}
	}
	if id < 0 || group < 0 {
		return nil, fmt.Errorf("train: %w: %s has no header with id and group", segd.ErrFormat, path)
	}
	groups := map[string]string{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return groups, nil
		}
		if err != nil {
			return nil, fmt.Errorf("train: %w: %s: %v", segd.ErrFormat, path, err)
		}
		if _, twice := groups[row[id]]; twice {
			line, _ := r.FieldPos(id)
			return nil, fmt.Errorf("train: %w: %s line %d: an id for the second time", segd.ErrFormat, path, line)
		}
		if row[group] != "" {
			groups[row[id]] = row[group]
		}
	}
}
