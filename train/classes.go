package train

import (
	"fmt"
	"slices"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/classes"
	"segd/unet"
)

// takeClasses gives the cases of a further data set, which has the classes of
// list, the numbers that the ones before have, by name, and returns the table
// for its cases. Names that only one side has are segd.ErrFormat. Where only one
// side has names its numbers are taken to be the other's too, which is a warning.
func (d *Dataset) takeClasses(list classes.List) (*classes.Table, error) {
	if d.named.Whose == "" { // the first set
		d.named = list
		d.Classes = list.Names
		return nil, nil
	}
	table, err := classes.Match(list, d.named)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if len(d.named.Names) == 0 && !list.Known() {
		d.named = list
	}
	if known := list.Known(); known != d.named.Known() {
		with, without := d.named, list
		if known {
			with, without = list, d.named
		}
		d.Warnings = append(d.Warnings, fmt.Sprintf("%s does not name its classes: they are taken to be numbered as in %s, %q", without.Whose, with.Whose, with.Names))
		d.named = with
	}
	d.Classes = d.named.Names
	return table, nil
}

// joinClasses is takeClasses for a checker.
func (c *checker) joinClasses(dir string, names []string) *classes.Table {
	table, err := c.joined.takeClasses(classes.List{Whose: dir, Names: names})
	if err != nil {
		c.fault(KindClassNames, dir, "name and label the same classes in all data sets", "%s", cause(err))
	}
	for _, w := range c.joined.Warnings {
		c.warn(KindClassNames, dir, 0, "make sure of it, or name the classes in both", "%s", w)
	}
	c.joined.Warnings = nil
	return table
}

// rename has the classes called and numbered like names: a class that the data
// sets know by its name gets its number from there; where they know none of the
// names, these count in order, which is a warning. Names of which the data sets
// know some only are segd.ErrFormat. names without meaning change nothing.
func (d *Dataset) rename(names []string) error {
	want := classes.List{Whose: "the list given", Names: names}
	switch {
	case len(names) == 0:
		return nil
	case len(d.Classes) == 0:
		d.Classes, d.named.Names = names, names
		return nil
	case !want.Known():
		_, err := classes.Match(d.named, want) // their number
		return err
	}
	if slices.ContainsFunc(d.Classes, want.Has) || len(d.Classes) != len(names) || !d.named.Known() {
		table, err := classes.Match(d.named, want)
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
		d.renumber(table)
	} else {
		d.Warnings = append(d.Warnings, fmt.Sprintf("%s calls its classes %q: they are called %q, in this order", d.named.Whose, d.Classes, names))
	}
	d.Classes, d.named.Names = names, names
	return nil
}

// nameClasses settles what the classes of the data are called, and so how they
// are numbered: as the options say, or the checkpoint, or the plan to train by if
// it is of the same classes, or the data themselves.
func (o *Options) nameClasses(data *Dataset, saved *progress) error {
	if o.Network.Head != unet.HeadClasses {
		return nil
	}
	planned := classes.List{Whose: "the checkpoint"}
	switch {
	case saved != nil:
		planned.Names = saved.Plan.ClassNames
	case o.PlanFile != "":
		p, err := readPlan(o.PlanFile)
		if err != nil {
			return err
		}
		planned = classes.List{Whose: "plan " + o.PlanFile, Names: p.ClassNames}
	}
	given := data.named
	if len(o.ClassNames) > 0 {
		given = classes.List{Whose: "the list given", Names: o.ClassNames}
	}
	_, err := classes.Match(given, planned)
	switch {
	case err != nil && saved != nil:
		return fmt.Errorf("train: %w; train without resume", err)
	case err != nil || len(planned.Names) == 0: // a plan of other classes
	case len(o.ClassNames) == 0:
		o.ClassNames = planned.Names
	case !slices.EqualFunc(planned.Names, o.ClassNames, strings.EqualFold):
		return fmt.Errorf("train: %w: classes %q, %s has them in the order %q", segd.ErrOption, o.ClassNames, planned.Whose, planned.Names)
	}
	if err := data.rename(o.ClassNames); err != nil {
		return err
	}
	o.ClassNames = data.Classes
	return nil
}

// renumber has the labels of all cases read with other class indices.
func (d *Dataset) renumber(table *classes.Table) {
	for i := range d.Cases {
		d.Cases[i].renumber = d.Cases[i].renumber.Then(table)
	}
}

// toModel has the labels read with the class indices of a model.
func (d *Dataset) toModel(name string, foreground []string) error {
	have := classes.List{Whose: or(d.named.Whose, "the data"), Names: d.Classes}
	table, err := classes.Match(have, classes.List{Whose: "model " + name, Names: foreground})
	if err != nil {
		return fmt.Errorf("train: %w; segd evaluate --classes gives those of the data other names", err)
	}
	d.renumber(table)
	return nil
}

// matchSegments numbers the segments of the prediction at path as the data do:
// by their labels, where the data have names. Several segments may be of one
// class. A label that the data do not have is segd.ErrFormat.
func matchSegments(path string, segments []dicomio.Segment, names []string) (*classes.Table, error) {
	want := classes.List{Whose: "the data", Names: names}
	if !want.Known() {
		return nil, nil
	}
	var table *classes.Table
	for _, s := range segments {
		if s.Number < 1 || s.Number > 255 {
			continue // background of a label map; others are refused when read
		}
		n, err := want.Number(s.Label, s.Number)
		if err != nil {
			return nil, fmt.Errorf("train: prediction %s: %w", path, err)
		}
		table = table.Set(s.Number, n)
	}
	return table, nil
}

// nameClasses settles how the classes of the predictions are numbered, and what
// they are called. Segmentations say so themselves, and a dataset.json in the
// folder, as nnU-Net writes one, says so of the other files.
func (f *finder) nameClasses(names []string) error {
	spec, err := readSpec(f.dir)
	if err != nil {
		return err
	}
	var others *classes.Table
	if spec != nil {
		others, err = classes.Match(classes.List{Whose: "dataset.json of " + f.dir, Names: spec.classes}, classes.List{Whose: "the data", Names: names})
		if err != nil {
			return fmt.Errorf("train: predictions: %w", err)
		}
	}
	called, marked := map[int]string{}, [256]bool{}
	tables := map[string]*classes.Table{}
	for i := range f.found {
		p := &f.found[i]
		segments, isSEG := f.segments(p.stem)
		if !isSEG {
			p.renumber = others
			continue
		}
		table, seen := tables[p.stem]
		if !seen {
			if table, err = matchSegments(p.path, segments, names); err != nil {
				return err
			}
			for _, s := range segments {
				if other, ok := called[s.Number]; ok && len(names) == 0 && !strings.EqualFold(other, s.Label) {
					return fmt.Errorf("train: prediction %s: %w: segment %d is called %q here and %q in another file, and the data name no classes",
						p.path, segd.ErrFormat, s.Number, s.Label, other)
				}
				called[s.Number] = s.Label
				own := []uint8{uint8(min(max(0, s.Number), 255))}
				table.Apply(own)
				marked[own[0]] = true
			}
			tables[p.stem] = table
		}
		p.renumber = table
	}
	for i, name := range names {
		if len(called) > 0 && spec == nil && i < 255 && !marked[i+1] {
			f.warnings = append(f.warnings, fmt.Sprintf("no segmentation of %s has a segment %q: it counts as not found", f.dir, name))
		}
	}
	return nil
}

// segments returns the segments of a file, if it is a DICOM Segmentation.
func (f *finder) segments(stem string) ([]dicomio.Segment, bool) {
	list, ok := f.segmentations.segments[stem]
	return list, ok
}
