// Package palette compares the colours in which the labels of a data set show their
// values. If they contradict each other, an index does not mean the same in all
// labels.
package palette

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"segd"
)

// Shown holds the colours in which a label shows its values. It is nil if the label
// has no palette, or a meaningless one: greys equal to the values, or one colour for
// several values.
type Shown map[uint8]color.NRGBA

// Of returns the colours of the values in a mask.
func Of(palette []color.NRGBA, values *[256]bool) Shown {
	s := Shown{}
	greys := true
	seen := map[color.NRGBA]bool{}
	for v, there := range values {
		if !there {
			continue
		}
		if v >= len(palette) || seen[palette[v]] {
			return nil
		}
		p := palette[v]
		p.A = 255 // half-transparent drawing does not make a different class
		seen[palette[v]], s[uint8(v)] = true, p
		greys = greys && p == color.NRGBA{uint8(v), uint8(v), uint8(v), 255}
	}
	if greys {
		return nil
	}
	return s
}

// alike is the largest difference between the levels of two colours that mean the
// same. Colour management and rounding change colours a little.
const alikeLevels = 16

func alikeColours(a, b color.NRGBA) bool {
	near := func(x, y uint8) bool { return max(x, y)-min(x, y) <= alikeLevels }
	return near(a.R, b.R) && near(a.G, b.G) && near(a.B, b.B)
}

// Error reports that the colours of two labels of a set contradict each other, so
// that an index does not mean the same in both.
type Error struct {
	Files   [2]string
	shown   [2]Shown
	ordered bool // the same colours in a different order
}

func (e *Error) Unwrap() error { return segd.ErrFormat }

func (e *Error) Error() string {
	return fmt.Sprintf("train: label %s: %v: %s", e.Files[1], segd.ErrFormat, e.Cause())
}

// Cause returns the text without the name of the file.
func (e *Error) Cause() string {
	what := "the palettes show different colours"
	if e.ordered {
		what = "the palettes have the same colours in a different order: indices must be remapped"
	}
	return fmt.Sprintf("its palette is %s, that of %s is %s; %s", e.shown[1], e.Files[0], e.shown[0], what)
}

// String lists up to eight values and their colours.
func (s Shown) String() string {
	var values []int
	for v := range s {
		values = append(values, int(v))
	}
	slices.Sort(values)
	var b strings.Builder
	for i, v := range values {
		if i == 8 {
			b.WriteString(" …")
			break
		}
		c := s[uint8(v)]
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d=#%02x%02x%02x", v, c.R, c.G, c.B)
	}
	return b.String()
}

// Set compares the palettes of the labels of one set.
type Set struct {
	colourOf map[uint8]color.NRGBA
	valueOf  map[color.NRGBA]uint8
	first    map[uint8]int // the first label with a value
	files    []string
	shown    []Shown
}

// Add compares a label with those added before it.
func (p *Set) Add(file string, s Shown) *Error {
	if s == nil {
		return nil
	}
	if p.colourOf == nil {
		p.colourOf, p.valueOf, p.first = map[uint8]color.NRGBA{}, map[color.NRGBA]uint8{}, map[uint8]int{}
	}
	at := len(p.files)
	p.files, p.shown = append(p.files, file), append(p.shown, s)
	clash := func(v uint8) *Error {
		other := p.first[v]
		e := &Error{Files: [2]string{p.files[other], file}, shown: [2]Shown{p.shown[other], s}}
		e.ordered = sameColours(p.shown[other], s)
		return e
	}
	for v, c := range s {
		known, ok := p.colourOf[v]
		if ok && !alikeColours(known, c) {
			return clash(v)
		}
		if other, twice := p.valueOf[c]; twice && other != v {
			return clash(other)
		}
		if !ok {
			p.colourOf[v], p.valueOf[c], p.first[v] = c, v, at
		}
	}
	return nil
}

// sameColours reports whether palettes differ only in their order.
func sameColours(a, b Shown) bool {
	if len(a) != len(b) {
		return false
	}
	for _, c := range a {
		found := false
		for _, d := range b {
			found = found || c == d
		}
		if !found {
			return false
		}
	}
	return true
}
