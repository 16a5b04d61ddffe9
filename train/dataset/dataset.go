// Package dataset reads labelled images: which files belong together, what their labels
// mean, and whose they are.
//
//	data, err := dataset.Open("nuclei/train")
//	sample, err := data.Cases[0].ReadClasses()
//
// A data set is a folder of images and one of labels, in one of several layouts (see
// Open). Its images are cases in groups, whose subjects a split keeps whole (Split).
// Predictions are files that were made before for the images of data sets.
package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/classes"
	"segd/internal/walk"
)

// Case is one labelled image of a data set: a file, or a frame of one.
type Case struct {
	ID     string   // path below images/ without extension, _0001 and so on for frames; with several data sets, the set's name before it
	Group  string   // of ids.csv (a subject, a slide) or BIDS, else the first image of the patient or study, else the file; the set's name before it as for ID
	Image  string   // file
	More   []string // files of its further channels
	Frame  int      // of the file, from 0
	Frames int      // that the file has
	Label  string   // file

	// Instances is the PNG in instances/ that numbers the objects of the label;
	// empty where there is none.
	Instances string

	Set     int    // of the data set, in the order they were given
	setName string // that IDs begin with; empty where there is one data set
	folder  string // of the images of the data set

	// subject is what is never on both sides of a split, see groups. It is not to
	// be shown.
	subject    string
	named      string           // group of ids.csv
	stem       string           // of the image, or of the files of its channels, below folder
	who        dicomio.Identity // of a DICOM image
	files      *files           // open ones
	ignore     uint8            // label value of pixels left open; 0: none
	renumber   *classes.Table   // of the label's classes, where other data number them otherwise
	calibrated bool             // the data set says that values are Hounsfield units

	channelNames []string // the channels that the data set has, as it names them
}

// Dataset lists labelled images. Nothing of their content is held.
type Dataset struct {
	Names    []string // of the data sets that were joined
	Cases    []Case   // sorted by ID within each data set
	Classes  []string // names of the foreground classes, index 1 first, where the data name them
	Warnings []string

	named classes.List // the same, with the data set that they come from
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
// volume, the DICOM files of a patient and the files of a BIDS subject are a
// group (see groups). An ids.csv whose ids are no images is segd.ErrFormat. Files of several folders
// are joined, ids then carry the name of their data set, which is the folder's
// name, or its parent's where the folder is called train or test. Classes are
// joined by name, in the order of the first data set that names them.
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
		cases, names, warnings, err := openOne(dir)
		if err != nil {
			return nil, err
		}
		if len(dirs) > 1 {
			for k := range cases {
				c := &cases[k]
				c.ID, c.setName = d.Names[i]+"/"+c.ID, d.Names[i]
			}
		}
		if err := d.Join(i, dir, cases, names); err != nil {
			return nil, err
		}
		d.Cases = append(d.Cases, cases...)
		d.Warnings = append(d.Warnings, warnings...)
	}
	all := make([]*Case, len(d.Cases))
	for i := range d.Cases {
		all[i] = &d.Cases[i]
	}
	for _, c := range Group(all) {
		d.Warnings = append(d.Warnings, dirs[c.Set]+": "+c.String())
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

func openOne(dir string) (list []Case, names, warnings []string, err error) {
	where, err := folders(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	stems, images, passed, err := stemsOf(where.images, imageFiles())
	if err != nil {
		return nil, nil, nil, err
	}
	if len(stems) == 0 {
		return nil, nil, nil, fmt.Errorf("train: %w: no image in %s%s", segd.ErrNotFound, where.images, inBrackets(passed))
	}
	_, masks, passedLabels, err := stemsOf(where.labels, labelFiles())
	if err != nil {
		return nil, nil, nil, err
	}
	ids, err := readIDs(filepath.Join(dir, "ids.csv"))
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
		return nil, nil, nil, fmt.Errorf("train: %w: no label in %s for %s (%d of %d images lack one)%s",
			segd.ErrNotFound, where.labels, first, missing, len(p.entries), inBrackets(passedLabels))
	}
	for i, passed := range []walk.Passed{passed, passedLabels} {
		if passed.Visible() > 0 {
			warnings = append(warnings, []string{where.images, where.labels}[i]+": "+passed.String())
		}
	}
	warning, err := p.nameGroups(ids)
	if err != nil {
		return nil, nil, nil, err
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}
	list = p.cases()
	for i := range list {
		list[i].Instances = instancesOf(dir, list[i].ID)
	}
	return list, p.classes, warnings, nil
}

// Folders finds the folders of images and labels of a data set.
func Folders(dir string) (images, labels string, err error) {
	where, err := folders(dir)
	return where.images, where.labels, err
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

// instancesOf is the file that numbers the objects of a case, a 16-bit PNG in
// instances/ beside the folder of its image; empty where there is none.
func instancesOf(dir, stem string) string {
	path := filepath.Join(dir, "instances", filepath.FromSlash(stem)+".png")
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}
