package dataset

import (
	"cmp"
	"fmt"
	"slices"

	"segd/internal/classes"
)

// Join maps the class numbers of another data set onto those of the sets before it.
// The data set has index set and folder dir, and names lists its foreground classes.
// The error is segd.ErrFormat if only one side has a name; the cases then keep their
// own numbers.
func (d *Dataset) Join(set int, dir string, cases []Case, names []string) error {
	table, err := d.takeClasses(classes.List{Whose: dir, Names: names})
	for k := range cases {
		cases[k].Set, cases[k].renumber = set, table
	}
	return err
}

// takeClasses matches the classes in list, those of another data set, by name with
// the classes of the sets before it, and returns the table that renumbers its cases.
// A name that only one side has is segd.ErrFormat. If only one side names its
// classes, both are assumed to be numbered alike, with a warning.
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
		d.Warnings = append(d.Warnings, fmt.Sprintf("%s does not name its classes: they are assumed to be numbered as in %s, %q", without.Whose, with.Whose, with.Names))
		d.named = with
	}
	d.Classes = d.named.Names
	return table, nil
}

// Agree returns segd.ErrFormat if names, the foreground classes according to whose,
// differ from those of the data. If either side names no classes, they agree.
func (d *Dataset) Agree(whose string, names []string) error {
	_, err := classes.Match(d.named, classes.List{Whose: whose, Names: names})
	return err
}

// Rename names and numbers the classes as in names. A class that the data sets know
// by name gets the number that names gives it. If they know none of the names, the
// names apply in order, with a warning. If they know only some, the error is
// segd.ErrFormat. An empty list changes nothing, nor do placeholder names if the data
// sets name their classes.
func (d *Dataset) Rename(names []string) error {
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
		d.Warnings = append(d.Warnings, fmt.Sprintf("%s calls its classes %q: they are renamed to %q, in this order", d.named.Whose, d.Classes, names))
	}
	d.Classes, d.named.Names = names, names
	return nil
}

// renumber changes the class indices with which the labels of all cases are read.
func (d *Dataset) renumber(table *classes.Table) {
	for i := range d.Cases {
		d.Cases[i].renumber = d.Cases[i].renumber.Then(table)
	}
}

// ToModel makes labels use the class indices of a model.
func (d *Dataset) ToModel(name string, foreground []string) error {
	have := classes.List{Whose: cmp.Or(d.named.Whose, "the data"), Names: d.Classes}
	table, err := classes.Match(have, classes.List{Whose: "model " + name, Names: foreground})
	if err != nil {
		return fmt.Errorf("train: %w; use segd evaluate --classes to rename the classes of the data", err)
	}
	d.renumber(table)
	return nil
}
