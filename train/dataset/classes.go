package dataset

import (
	"cmp"
	"fmt"
	"slices"

	"segd/internal/classes"
)

// Join gives the cases of a further data set, the one of number set in dir, whose
// foreground classes have names, the class numbers of those before. The error is
// segd.ErrFormat for names that only one side has; the cases then keep their own
// numbers.
func (d *Dataset) Join(set int, dir string, cases []Case, names []string) error {
	table, err := d.takeClasses(classes.List{Whose: dir, Names: names})
	for k := range cases {
		cases[k].Set, cases[k].renumber = set, table
	}
	return err
}

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

// Agree refuses names of the foreground classes, which whose gives, that are not
// those of the data: segd.ErrFormat. Where one side names none they agree.
func (d *Dataset) Agree(whose string, names []string) error {
	_, err := classes.Match(d.named, classes.List{Whose: whose, Names: names})
	return err
}

// Rename has the classes called and numbered like names: a class that the data
// sets know by its name gets its number from there; where they know none of the
// names, these count in order, which is a warning. Names of which the data sets
// know some only are segd.ErrFormat. names without meaning change nothing.
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
		d.Warnings = append(d.Warnings, fmt.Sprintf("%s calls its classes %q: they are called %q, in this order", d.named.Whose, d.Classes, names))
	}
	d.Classes, d.named.Names = names, names
	return nil
}

// renumber has the labels of all cases read with other class indices.
func (d *Dataset) renumber(table *classes.Table) {
	for i := range d.Cases {
		d.Cases[i].renumber = d.Cases[i].renumber.Then(table)
	}
}

// ToModel has the labels read with the class indices of a model.
func (d *Dataset) ToModel(name string, foreground []string) error {
	have := classes.List{Whose: cmp.Or(d.named.Whose, "the data"), Names: d.Classes}
	table, err := classes.Match(have, classes.List{Whose: "model " + name, Names: foreground})
	if err != nil {
		return fmt.Errorf("train: %w; segd evaluate --classes gives those of the data other names", err)
	}
	d.renumber(table)
	return nil
}
