package dataset

import (
	"context"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"segd/internal/scanio"
	"segd/internal/walk"
)

// Inventory is what the folder of one data set holds, with what Open refuses:
// package check goes on where Open ends.
type Inventory struct {
	Images, Labels Folder
	Entries        []Entry  // the images; none where a folder has an error
	Cases          []Case   // of the images that have a label and nothing wrong
	Classes        []string // names of the foreground classes, where the data set has them
	Spare          []string // label files without an image
	Unpaired       error    // why labels cannot be found for the images; nothing below the folders is known then

	Grouped   bool   // there is an ids.csv
	GroupsErr error  // what is wrong with it
	Ungrouped string // what it leaves open, in words
}

// Folder is what the folder of the images or of the labels holds.
type Folder struct {
	Path   string
	Err    error        // why there is no list of its files
	Files  int          // that are read
	Failed []Unreadable // files that cannot be opened
	Passed Passed
}

// Unreadable is a file that cannot be opened.
type Unreadable struct {
	Path string
	Err  error
}

// Passed are the files of a folder that are not read.
type Passed struct {
	Other map[string][]string // files that are no images: names by extension in lower case
	Unfit map[string][]string // images of a kind that was not wanted: names by kind
	Rest  int                 // files that are skipped for other reasons
	Text  string              // which, in words
}

// Entry is an image of a data set.
type Entry struct {
	Image   string // file
	Grouped bool   // anything but its own name says of which group it is, leaving ids.csv aside
	Label   bool   // it has one
	Passed  string // file among the labels that would be its own, and is not read
	Err     error  // why it is of no use
}

// Look lists what the folder of one data set holds, and goes on after each fault.
// The error is ctx's, or segd.ErrNotFound where it is no data set.
func Look(ctx context.Context, dir string) (*Inventory, error) {
	where, err := folders(dir)
	if err != nil {
		return nil, err
	}
	i := &Inventory{}
	images, masks := i.Images.list(where.images, imageFiles()), i.Labels.list(where.labels, labelFiles())
	if images == nil || masks == nil {
		return i, nil
	}
	ids, idsErr := readIDs(filepath.Join(dir, "ids.csv"))
	p, err := pair(ctx, where, images.stems, images.files, masks.files, &files{})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if i.Unpaired = err; err != nil {
		return i, nil
	}
	if i.GroupsErr = idsErr; idsErr == nil {
		i.Ungrouped, i.GroupsErr = p.nameGroups(ids)
	}
	i.Grouped = ids != nil || i.GroupsErr != nil
	passed := map[string]string{}
	for stem, file := range i.Labels.Passed.stems() {
		passed[withoutSuffix(stem)] = file
	}
	for _, e := range p.entries {
		k := Case{stem: e.stem, who: e.who, Frames: e.frames}
		i.Entries = append(i.Entries, Entry{Image: e.image, Grouped: k.Grouped(), Label: e.labels != nil, Passed: passed[e.stem], Err: e.err})
	}
	i.Cases, i.Classes = p.cases(), p.classes
	for k := range i.Cases {
		i.Cases[k].Instances = instancesOf(dir, i.Cases[k].ID)
	}
	for _, stem := range masks.stems {
		if !p.used[stem] {
			i.Spare = append(i.Spare, masks.files[stem])
		}
	}
	return i, nil
}

// list lists the files of dir; nil where that is not possible.
func (f *Folder) list(dir string, o walk.Options) *listing {
	f.Path = dir
	l, err := listFiles(dir, o)
	if f.Err = err; err != nil {
		return nil
	}
	for _, file := range l.failed {
		f.Failed = append(f.Failed, Unreadable{file.Path, file.Err})
	}
	p := l.passed
	f.Files, f.Passed.Other = len(l.stems), p.Other
	for kind, names := range p.Unfit {
		if f.Passed.Unfit == nil {
			f.Passed.Unfit = map[string][]string{}
		}
		f.Passed.Unfit[string(kind)] = names
	}
	p.Other, p.Unfit = nil, nil
	f.Passed.Rest, f.Passed.Text = p.Visible(), p.String()
	return l
}

// stems are the files that are not read, by the stem that they would have.
func (p Passed) stems() map[string]string {
	stems := map[string]string{}
	add := func(names []string) {
		for _, name := range names {
			stem := scanio.Stem(name)
			if stem == name {
				stem = strings.TrimSuffix(name, path.Ext(name))
			}
			stems[stem] = name
		}
	}
	for _, ext := range slices.Sorted(maps.Keys(p.Other)) {
		add(p.Other[ext])
	}
	for _, names := range p.Unfit { // more likely a label
		add(names)
	}
	return stems
}

// Peek lists the cases of a data set that is not looked at otherwise; none
// where it is no data set.
func Peek(ctx context.Context, dir string) []Case {
	where, err := folders(dir)
	if err != nil {
		return nil
	}
	stems, images, _, err := stemsOf(where.images, imageFiles())
	if err != nil {
		return nil
	}
	_, masks, _, err := stemsOf(where.labels, labelFiles())
	if err != nil {
		return nil
	}
	p, err := pair(ctx, where, stems, images, masks, &files{})
	if err != nil {
		return nil
	}
	if ids, err := readIDs(filepath.Join(dir, "ids.csv")); err == nil {
		_, _ = p.nameGroups(ids) // what is wrong with it is told where the set is checked
	}
	return p.cases()
}
