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

// Inventory describes the folder of one data set, including faults that Open refuses.
// Package check goes on where Open stops.
type Inventory struct {
	Images, Labels Folder
	Entries        []Entry  // the images; none if a folder has an error
	Cases          []Case   // cases of the images that have a label and no fault
	Classes        []string // names of the foreground classes, if the data set has them
	Spare          []string // label files without an image
	NamesErr       error    // why the classes of outlines have no numbers; there are then no cases
	Outlines       string   // how many labels are outlines, and what they mean; empty: none
	Unpaired       error    // why no labels can be found for the images; nothing below the folders is then known

	Grouped   bool   // there is an ids.csv
	GroupsErr error  // its fault
	Ungrouped string // what it leaves open, as text
}

// Folder is the content of the folder of images or labels.
type Folder struct {
	Path   string
	Err    error        // why there is no list of its files
	Files  int          // files that are read
	Failed []Unreadable // files that cannot be opened
	Passed Passed
}

// Unreadable is a file that cannot be opened.
type Unreadable struct {
	Path string
	Err  error
}

// Passed lists the files of a folder that are not read.
type Passed struct {
	Other map[string][]string // files that are not images: names by lower-case extension
	Unfit map[string][]string // images of an unwanted kind: names by kind
	Rest  int                 // files that are skipped for other reasons
	Text  string              // the other reasons, as text
}

// Entry is an image of a data set.
type Entry struct {
	Image   string // file
	Grouped bool   // something other than its own name or ids.csv determines its group
	Label   bool   // it has one
	Passed  string // file among the labels that matches its name but is not read
	Err     error  // why it cannot be used
}

// Look lists the content of the folder of one data set, and goes on after each fault.
// The error is that of ctx, or segd.ErrNotFound if the folder is not a data set.
func Look(ctx context.Context, dir string) (*Inventory, error) {
	where, err := folders(dir)
	if err != nil {
		return nil, err
	}
	i := &Inventory{}
	images, labels := i.Images.list(where.images, imageFiles()), i.Labels.list(where.labels, labelFiles())
	if images == nil || labels == nil {
		return i, nil
	}
	ids, idsErr := readIDs(filepath.Join(dir, "ids.csv"))
	p, err := pair(ctx, where, images, labels, &files{})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if i.Unpaired = err; err != nil {
		return i, nil
	}
	spare, failed := p.outlines.spare()
	i.Labels.Failed = append(i.Labels.Failed, failed...)
	if i.NamesErr = p.namesErr; i.NamesErr == nil {
		i.Outlines = p.outlines.String()
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
	if i.NamesErr == nil {
		i.Cases, i.Classes = p.cases(), p.classes
	}
	for k := range i.Cases {
		i.Cases[k].Instances = instancesOf(dir, i.Cases[k].ID)
	}
	for _, stem := range labels.stems {
		if !p.used[stem] {
			i.Spare = append(i.Spare, labels.files[stem])
		}
	}
	i.Spare = append(i.Spare, spare...)
	return i, nil
}

// list lists the files of dir. It returns nil if that fails.
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
	f.Files, f.Passed.Other = len(l.stems)+len(l.drawn), p.Other
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

// stems returns the files that are not read, by the stem that they would have.
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

// Peek lists the cases of a data set that is not being checked itself. It returns
// none if the folder is not a data set.
func Peek(ctx context.Context, dir string) []Case {
	where, err := folders(dir)
	if err != nil {
		return nil
	}
	images, err := allFiles(where.images, imageFiles())
	if err != nil {
		return nil
	}
	labels, err := allFiles(where.labels, labelFiles())
	if err != nil {
		return nil
	}
	p, err := pair(ctx, where, images, labels, &files{})
	if err != nil {
		return nil
	}
	if ids, err := readIDs(filepath.Join(dir, "ids.csv")); err == nil {
		_, _ = p.nameGroups(ids) // a check of that set reports its faults
	}
	return p.cases()
}
