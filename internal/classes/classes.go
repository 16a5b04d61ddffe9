// Package classes matches the classes of models, data sets and masks by their
// names, since two of them may number the same classes differently:
//
//	table, err := classes.Match(classes.List{Whose: "the data", Names: a}, classes.List{Whose: "the model", Names: b})
//	table.Apply(mask.Pix)
//
// A number for a name, as in "class 2" or "foreground", is no name: where one
// side has no names, numbers count.
package classes

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"segd"
)

// List are the names of foreground classes, index 1 first.
type List struct {
	Whose string // for errors: "model liver"
	Names []string
}

// numbered are names that say no more than a number.
var numbered = regexp.MustCompile(`(?i)^(?:foreground|class|label|segment|region)?[ _-]*([0-9]*)$`)

// generic reports whether name says of class number no more than that.
func generic(name string, number int) bool {
	m := numbered.FindStringSubmatch(strings.TrimSpace(name))
	if m == nil {
		return false
	}
	n, err := strconv.Atoi(m[1])
	return m[1] == "" || err == nil && n == number
}

// Known reports whether any class has a name that is more than its number.
func (l List) Known() bool {
	for i, name := range l.Names {
		if !generic(name, i+1) {
			return true
		}
	}
	return false
}

// Has reports whether a class has the name, in upper or lower case.
func (l List) Has(name string) bool {
	n, _ := l.find(name)
	return n > 0
}

// find returns the number of the class of a name: of the very name, else of the
// one that differs in case alone. twice says that several do.
func (l List) find(name string) (number int, twice bool) {
	for i, other := range l.Names {
		switch {
		case strings.TrimSpace(other) == strings.TrimSpace(name):
			return i + 1, false
		case strings.EqualFold(strings.TrimSpace(other), strings.TrimSpace(name)):
			number, twice = i+1, number > 0
		}
	}
	return number, twice
}

// Number returns the number that l gives the class that others call name and
// number. A name that l does not have, or has twice, is segd.ErrFormat, unless
// one of the two is just that number.
func (l List) Number(name string, number int) (int, error) {
	n, twice := l.find(name)
	switch {
	case n > 0 && !twice:
		return n, nil
	case number >= 1 && number <= len(l.Names) && (generic(name, number) || generic(l.Names[number-1], number)):
		return number, nil
	}
	return 0, fmt.Errorf("%w: class %d is named %q, but %s has %q", segd.ErrFormat, number, name, l.Whose, l.Names)
}

// Table gives each class index another one. nil leaves all as they are.
type Table [256]uint8

// Apply renumbers the class indices of a mask.
func (t *Table) Apply(pix []uint8) {
	if t == nil {
		return
	}
	for i, v := range pix {
		pix[i] = t[v]
	}
}

// Then returns the table that does what t and then u do.
func (t *Table) Then(u *Table) *Table {
	switch {
	case t == nil:
		return u
	case u == nil:
		return t
	}
	out := *t
	u.Apply(out[:])
	return &out
}

// Set has class from become class to; t is made where it is nil and they differ.
func (t *Table) Set(from, to int) *Table {
	if t == nil {
		if from == to {
			return nil
		}
		t = &Table{}
		for i := range t {
			t[i] = uint8(i)
		}
	}
	t[from] = uint8(to)
	return t
}

// Match returns the table that gives the classes of have the numbers that want
// gives them, by name; nil where they are the same or where one side has no
// names. Names that only one side has, and numbers of classes that differ, are
// segd.ErrFormat, with both lists.
func Match(have, want List) (*Table, error) {
	if len(have.Names) == 0 || len(want.Names) == 0 {
		return nil, nil
	}
	clash := fmt.Errorf("%w: %s has the classes %q, but %s has %q: classes are matched by name, so both must have the same", segd.ErrFormat,
		have.Whose, have.Names, want.Whose, want.Names)
	if len(have.Names) != len(want.Names) {
		return nil, clash
	}
	if !have.Known() || !want.Known() || slices.Equal(have.Names, want.Names) {
		return nil, nil
	}
	var t *Table
	taken := make([]bool, len(want.Names)+1)
	left := map[int]string{} // of have
	for i, name := range have.Names {
		n, twice := want.find(name)
		if n == 0 || twice || taken[n] {
			left[i+1] = name
			continue
		}
		taken[n] = true
		t = t.Set(i+1, n)
	}
	for number, name := range left {
		if taken[number] || !generic(name, number) && !generic(want.Names[number-1], number) {
			return nil, clash
		}
		taken[number] = true
	}
	return t, nil
}
