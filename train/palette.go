package train

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"segd"
)

// shown is the colours in which a label shows its values; nil where it has no
// palette, or one that says nothing: greys that are the values themselves, or one
// colour for several values.
type shown map[uint8]color.NRGBA

// palette is that of the case's label, by the values that mask returns; nil where
// it has none.
func (c *Case) palette() []color.NRGBA {
	o, err := c.opener().open(c.Label, asMask)
	switch {
	case err != nil:
		return nil
	case o.labels.Palette == nil, c.ignore == 0 && c.renumber == nil:
		return o.labels.Palette
	}
	values := make([]uint8, len(o.labels.Palette))
	for i := range values {
		values[i] = uint8(i)
	}
	c.meant(values)
	p := make([]color.NRGBA, 256)
	for i, v := range values {
		p[v] = o.labels.Palette[i]
	}
	return p
}

// shownBy are the colours of the values that the case's mask has, by its palette.
func (c *Case) shownBy(values *valueSet) shown {
	p := c.palette()
	if p == nil {
		return nil
	}
	return shownIn(p, values)
}

// maskShown is mask, and notes the colours that its values are shown in.
func (c *Case) maskShown(s *shown) (*segd.Mask, error) {
	m, err := c.mask()
	if err == nil {
		values := valuesOf(m)
		*s = c.shownBy(&values)
	}
	return m, err
}

func shownIn(palette []color.NRGBA, values *valueSet) shown {
	s := shown{}
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
		p.A = 255 // what is drawn half transparent is no other class
		seen[palette[v]], s[uint8(v)] = true, p
		greys = greys && p == color.NRGBA{uint8(v), uint8(v), uint8(v), 255}
	}
	if greys {
		return nil
	}
	return s
}

// alike is how far the levels of two colours may differ that mean the same: color
// management and rounding change them a little.
const alikeLevels = 16

func alikeColours(a, b color.NRGBA) bool {
	near := func(x, y uint8) bool { return max(x, y)-min(x, y) <= alikeLevels }
	return near(a.R, b.R) && near(a.G, b.G) && near(a.B, b.B)
}

// paletteError says that two labels of a set show their values in colours that
// contradict each other, so that an index does not mean the same in both.
type paletteError struct {
	files   [2]string
	shown   [2]shown
	ordered bool // the same colours in another order
}

func (e *paletteError) Unwrap() error { return segd.ErrFormat }

func (e *paletteError) Error() string {
	return fmt.Sprintf("train: label %s: %v: %s", e.files[1], segd.ErrFormat, e.cause())
}

// cause is the text without the file it is said of.
func (e *paletteError) cause() string {
	what := "the palettes show other colours"
	if e.ordered {
		what = "the palettes have the same colours in another order: indices must be remapped"
	}
	return fmt.Sprintf("its palette is %s, that of %s is %s; %s", e.shown[1], e.files[0], e.shown[0], what)
}

// String lists up to eight values and their colours.
func (s shown) String() string {
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

// palettes compares the palettes of the labels of one set.
type palettes struct {
	colourOf map[uint8]color.NRGBA
	valueOf  map[color.NRGBA]uint8
	first    map[uint8]int // the label that has a value first
	files    []string
	shown    []shown
}

// add compares a label with those before it.
func (p *palettes) add(file string, s shown) *paletteError {
	if s == nil {
		return nil
	}
	if p.colourOf == nil {
		p.colourOf, p.valueOf, p.first = map[uint8]color.NRGBA{}, map[color.NRGBA]uint8{}, map[uint8]int{}
	}
	at := len(p.files)
	p.files, p.shown = append(p.files, file), append(p.shown, s)
	clash := func(v uint8) *paletteError {
		other := p.first[v]
		e := &paletteError{files: [2]string{p.files[other], file}, shown: [2]shown{p.shown[other], s}}
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

// sameColours reports palettes that differ in their order alone.
func sameColours(a, b shown) bool {
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

// samePalettes refuses the labels of cases whose palettes contradict each other
// within a set.
func samePalettes(cases []Case, list []shown) error {
	sets := map[int]*palettes{}
	for i := range cases {
		p := sets[cases[i].set]
		if p == nil {
			p = &palettes{}
			sets[cases[i].set] = p
		}
		if err := p.add(cases[i].where(cases[i].Label), list[i]); err != nil {
			return fmt.Errorf("%w; segd check --fix OUT writes masks of one order", err)
		}
	}
	return nil
}
