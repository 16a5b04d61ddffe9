package train

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"segd"
	"segd/internal/scanio"
)

// Case is one labelled image of a data set: a file, or a frame of one.
type Case struct {
	ID     string   // path below images/ without extension, _0001 and so on for frames; with several data sets, the set's name before it
	Group  string   // of ids.csv (a subject, a slide), else the volume or series, else ID; the set's name before it as for ID
	Image  string   // file
	More   []string // files of its further channels
	Frame  int      // of the file, from 0
	Frames int      // that the file has
	Label  string   // file

	// Instances is the PNG in instances/ that numbers the objects of the label;
	// empty where there is none.
	Instances string

	set int // of the data set, in the order they were given

	// subject is the group without the name of the data set: one subject in
	// two sets must not end up on both sides of a split.
	subject    string
	stem       string // ID of the file
	files      *files // open ones
	ignore     uint8  // label value of pixels left open; 0: none
	calibrated bool   // the data set says that values are Hounsfield units
}

// Dataset lists labelled images. Nothing of their content is held.
type Dataset struct {
	Names    []string // of the data sets that were joined
	Cases    []Case   // sorted by ID within each data set
	Classes  []string // names of the foreground classes, index 1 first, where the data name them
	Warnings []string
}

// Open lists the cases of one or more data sets.
//
// A data set is a folder with images/ and labels/ (or imgs/ and masks/), or
// nnU-Net's: dataset.json, imagesTr/ and labelsTr/. Images are of any kind that
// segd reads; each frame of one with several is a case. A label is a PNG or
// TIFF of class indices, a DICOM Segmentation or a NIfTI volume of the same
// stem (or stem_mask), or a segmentation that refers to the image. Where ids.csv
// (header id,group) lies beside them, it names the group of each image: a
// subject, a slide, whatever must not be split; without it the frames of a
// volume and the files of a DICOM series are a group. Files of several folders
// are joined, ids then carry the name of their data set, which is the folder's
// name, or its parent's where the folder is called train or test.
//
// The errors are segd.ErrNotFound for a missing folder or label, and
// segd.ErrFormat for two images of one stem, for a malformed ids.csv or
// dataset.json and for class names that contradict each other; for volumes and
// DICOM files, whose headers are read, those of scanio.Read.
func Open(dirs ...string) (*Dataset, error) {
	if len(dirs) == 0 {
		return nil, fmt.Errorf("train: %w: no data set given", segd.ErrOption)
	}
	d := &Dataset{Names: setNames(dirs)}
	for i, dir := range dirs {
		cases, classes, warnings, err := openOne(dir)
		if err != nil {
			return nil, err
		}
		for k := range cases {
			cases[k].set = i
		}
		if len(dirs) > 1 {
			for k := range cases {
				c := &cases[k]
				c.ID, c.Group, c.stem = d.Names[i]+"/"+c.ID, d.Names[i]+"/"+c.Group, d.Names[i]+"/"+c.stem
			}
		}
		if i > 0 && !slices.Equal(d.Classes, classes) && len(classes) > 0 && len(d.Classes) > 0 {
			return nil, fmt.Errorf("train: %w: %s calls its classes %q, %s %q", segd.ErrFormat, dirs[0], d.Classes, dir, classes)
		}
		if len(d.Classes) == 0 {
			d.Classes = classes
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

func openOne(dir string) (list []Case, classes, warnings []string, err error) {
	where, err := folders(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	var notImages passed
	stems, images, err := stemsOf(where.images, notImages.take(scanio.IsScan))
	if err != nil {
		return nil, nil, nil, err
	}
	warnings = notImages.warnings(where.images)
	if len(stems) == 0 {
		return nil, nil, nil, fmt.Errorf("train: %w: no image in %s", segd.ErrNotFound, where.images)
	}
	_, masks, err := stemsOf(where.labels, isLabel)
	if err != nil {
		return nil, nil, nil, err
	}
	groups, err := readGroups(filepath.Join(dir, "ids.csv"))
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := pair(context.Background(), where, stems, images, masks, &files{})
	if err != nil {
		return nil, nil, nil, err
	}
	missing, first := 0, ""
	for _, e := range p.entries {
		if e.err != nil {
			return nil, nil, nil, e.err
		}
		if e.labels == nil {
			if missing++; missing == 1 {
				first = e.image
			}
		}
	}
	if missing > 0 {
		return nil, nil, nil, fmt.Errorf("train: %w: no label in %s for %s (%d of %d images lack one)",
			segd.ErrNotFound, where.labels, first, missing, len(p.entries))
	}
	list = p.cases(groups)
	for i := range list {
		list[i].Instances = instancesOf(dir, list[i].ID)
	}
	if n, _ := ungrouped(p.entries, groups); groups != nil && n > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d images of %s are not in its ids.csv: each is a group of its own",
			n, len(p.entries), dir))
	}
	return list, p.classes, warnings, nil
}

// ungrouped counts the images that groups do not name, and returns the file of
// the first.
func ungrouped(entries []entry, groups map[string]string) (n int, first string) {
	for _, e := range entries {
		_, ok := groups[e.stem]
		for k := 0; k < e.frames && !ok && e.frames > 1; k++ {
			_, ok = groups[frameID(e.stem, k, e.frames)]
		}
		if !ok {
			if n++; n == 1 {
				first = e.image
			}
		}
	}
	return n, first
}

// folders finds the image and the label folder of a data set.
func folders(dir string) (place, error) {
	isDir := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	}
	if !isDir(dir) {
		return place{}, fmt.Errorf("train: %w: data set %s is not a folder", segd.ErrNotFound, dir)
	}
	for _, pair := range [][2]string{{"images", "labels"}, {"imgs", "masks"}, {"images", "masks"}, {"imagesTr", "labelsTr"}} {
		p := place{images: filepath.Join(dir, pair[0]), labels: filepath.Join(dir, pair[1])}
		if !isDir(p.images) || !isDir(p.labels) {
			continue
		}
		var err error
		if pair[0] == "imagesTr" {
			if p.spec, err = readSpec(dir); err == nil && p.spec == nil {
				err = fmt.Errorf("train: %w: no dataset.json beside imagesTr/ in %s", segd.ErrNotFound, dir)
			}
		}
		return p, err
	}
	hint := ""
	if isDir(filepath.Join(dir, "train", "images")) {
		hint = "; it has train/images: give " + filepath.Join(dir, "train")
	}
	return place{}, fmt.Errorf("train: %w: data set %s has no folders images/ and labels/ (or imgs/ and masks/, or imagesTr/ and labelsTr/)%s",
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
		stem := filepath.ToSlash(stemOf(rel))
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

// stemOf cuts the extension off a path, whatever it is.
func stemOf(path string) string {
	if stem := scanio.Stem(path); stem != path {
		return stem
	}
	return strings.TrimSuffix(path, filepath.Ext(path))
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
