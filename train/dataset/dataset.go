// Package dataset reads labelled images. It finds out which files belong together,
// what the labels mean and which subject each image shows.
//
//	data, err := dataset.Open("nuclei/train")
//	sample, err := data.Cases[0].ReadClasses()
//
// A data set is a folder of images and a folder of labels, in one of several layouts
// (see Open). Each image is a case and belongs to a group. Split never divides a
// subject. Predictions are existing files of masks or values for the images of data
// sets.
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

// Case is one labelled image of a data set: a file or one frame of a file.
type Case struct {
	ID     string   // path below images/ without extension, with _0001 and so on for frames; with several data sets, prefixed with the name of the set
	Group  string   // of ids.csv (a subject, a slide) or BIDS, else the first image of the patient or study, else the file; the set's name before it as for ID
	Image  string   // file
	More   []string // files of its further channels
	Frame  int      // of the file, from 0
	Frames int      // that the file has
	Label  string   // file

	// Instances is the PNG in instances/ that numbers the objects of the label;
	// empty where there is none.
	Instances string

	Set     int    // of the data set, in the order given
	setName string // prefix of IDs; empty if there is only one data set
	folder  string // of the images of the data set

	// subject is the key that a split never divides, see groups. It must not be
	// shown.
	subject    string
	named      string           // group of ids.csv
	stem       string           // of the image, or of the files of its channels, below folder
	who        dicomio.Identity // of a DICOM image
	files      *files           // open ones
	ignore     uint8            // label value of ignored pixels; 0: none
	renumber   *classes.Table   // maps the label's classes to the numbers of other data
	calibrated bool             // the data set declares values to be Hounsfield units

	channelNames []string // the channels of the data set, as it names them
	picture      int      // in a label of outlines
	outlines     *naming  // the classes of outlines; nil: the data set has none
}

// Dataset lists labelled images. It holds none of their content.
type Dataset struct {
	Names    []string // folders of the joined data sets
	Cases    []Case   // sorted by ID within each data set
	Classes  []string // names of the foreground classes, index 1 first, if the data name them
	Warnings []string

	named classes.List // the same, with the data set they come from
}

// Open lists the cases of one or more data sets.
//
// A data set is a folder with images/ and labels/ (or imgs/ and masks/), or nnU-Net's
// layout: dataset.json, imagesTr/ and labelsTr/. An image may have any format that
// segd reads, and each frame of a file is a case. A label is a PNG or TIFF of class
// indices, a DICOM Segmentation or a NIfTI volume with the same stem (or stem_mask),
// a segmentation or RT Structure Set that refers to the image, or a file of outlines
// (package shapes) with the stem or, of COCO, one that lists the image. If the folder has an ids.csv (header
// id,group), it names the group of each image: a subject, a slide or anything else
// that must not be split. Without it, the frames of a volume, the DICOM files of a
// patient and the files of a BIDS subject form a group (see groups). The error is
// segd.ErrFormat if no id in ids.csv matches an image. If several folders are given,
// they are joined, and each ID starts with the name of its data set. That is the name
// of the folder, or of its parent if the folder is called train or test. Classes are
// joined by name, in the order of the first data set that names them.
//
// The errors are segd.ErrNotFound for a missing folder or label, and segd.ErrFormat
// for two images with the same stem, a malformed ids.csv or dataset.json, or
// contradictory class names. Open reads the headers of volumes and DICOM files, so it
// also returns the errors of scanio.Read.
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

// setNames gives data sets short, distinct names.
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
	images, err := allFiles(where.images, imageFiles())
	if err != nil {
		return nil, nil, nil, err
	}
	if len(images.stems) == 0 {
		return nil, nil, nil, fmt.Errorf("train: %w: no image in %s%s", segd.ErrNotFound, where.images, inBrackets(images.passed))
	}
	labels, err := allFiles(where.labels, labelFiles())
	if err != nil {
		return nil, nil, nil, err
	}
	ids, err := readIDs(filepath.Join(dir, "ids.csv"))
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := pair(context.Background(), where, images, labels, &files{})
	if err != nil {
		return nil, nil, nil, err
	}
	if p.namesErr != nil {
		return nil, nil, nil, p.namesErr
	}
	if _, failed := p.outlines.spare(); len(failed) > 0 {
		return nil, nil, nil, failed[0].Err
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
			segd.ErrNotFound, where.labels, first, missing, len(p.entries), inBrackets(labels.passed))
	}
	for i, passed := range []walk.Passed{images.passed, labels.passed} {
		if passed.Visible() > 0 {
			warnings = append(warnings, []string{where.images, where.labels}[i]+": "+passed.String())
		}
	}
	if text := p.outlines.String(); text != "" {
		warnings = append(warnings, where.labels+": "+text)
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
	for _, pair := range [][2]string{{"images", "labels"}, {"imgs", "masks"}, {"images", "masks"}, {"images", "annotations"}, {"imagesTr", "labelsTr"}} {
		p := place{dir: dir, images: filepath.Join(dir, pair[0]), labels: filepath.Join(dir, pair[1])}
		if !isDir(p.images) || !isDir(p.labels) {
			continue
		}
		var err error
		if pair[0] == "imagesTr" {
			if p.spec, err = readSpec(dir); err == nil && p.spec == nil {
				err = fmt.Errorf("train: %w: no dataset.json next to imagesTr/ in %s", segd.ErrNotFound, dir)
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

// instancesOf returns the file that numbers the objects of a case: a 16-bit PNG in
// instances/ next to the folder of its image. It returns "" if there is none.
func instancesOf(dir, stem string) string {
	path := filepath.Join(dir, "instances", filepath.FromSlash(stem)+".png")
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}
