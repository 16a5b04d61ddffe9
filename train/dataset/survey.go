package dataset

import (
	"fmt"

	"segd"
	"segd/train/internal/palette"
)

// valueSet says which values a mask holds.
type valueSet = [256]bool

func valuesOf(m *segd.Mask) valueSet {
	var s valueSet
	for _, v := range m.Pix {
		s[v] = true
	}
	return s
}

// Meaning says what the values of a data set's masks mean.
type Meaning struct {
	Scaled   bool // 0 and 255: 255 means class 1
	Max      int  // highest class index
	Warnings []string
}

// survey distinguishes class indices from 0/255 masks. Next to other classes, 255
// marks ignored pixels, like metric.Ignore. paths names the file of each mask. known
// is the number of classes including background, or 0 if not known.
func survey(masks []valueSet, paths []string, known int) (Meaning, error) {
	var present valueSet
	for i := range masks {
		for v := range masks[i] {
			present[v] = present[v] || masks[i][v]
		}
	}
	var l Meaning
	for v := 254; v > 0 && l.Max == 0; v-- {
		if present[v] {
			l.Max = v
		}
	}
	limit := MaxClass
	if known > 0 {
		limit = known - 1
	}
	if l.Max > limit {
		for i := range masks {
			if masks[i][l.Max] {
				return l, fmt.Errorf("train: mask %s: %w: value %d, highest class index %d; %s", paths[i], segd.ErrFormat, l.Max, limit,
					"a mask holds class indices 0, 1, 2 …: convert scaled or antialiased values into indices first")
			}
		}
	}
	if len(masks) > 0 && !present[0] {
		l.Warnings = append(l.Warnings, "no pixel of any mask is background, index 0: classes should begin at 1, after background; segd check says more")
	}
	if present[255] && l.Max == 0 {
		l.Scaled, l.Max = true, 1
		l.Warnings = append(l.Warnings, "the masks hold 0 and 255 only: 255 is read as class 1")
	} else if present[255] {
		l.Warnings = append(l.Warnings, "masks hold 255 as well as class indices: training and all counts ignore such pixels")
	}
	for v := 1; v < l.Max; v++ {
		if !present[v] {
			l.Warnings = append(l.Warnings, fmt.Sprintf("no pixel of any mask has class %d, though class %d occurs", v, l.Max))
		}
	}
	return l, nil
}

// Seen is what Survey needs from a mask: its values and, if it has a palette, their
// colours.
type Seen struct {
	values valueSet
	shown  palette.Shown
}

// See records a mask of the case as returned by ReadMask.
func (c *Case) See(m *segd.Mask) Seen {
	s := Seen{values: valuesOf(m)}
	s.shown = c.shownBy(&s.values)
	return s
}

// Survey determines what the values in the labels of cases mean, considering all
// labels together. known is the number of classes including background, or 0 if not
// known. A value beyond the classes is segd.ErrFormat, as are two labels of a data
// set with contradictory palettes.
func Survey(cases []Case, seen []Seen, known int) (Meaning, error) {
	sets, paths, colours := make([]valueSet, len(seen)), make([]string, len(seen)), make([]palette.Shown, len(seen))
	for i := range seen {
		sets[i], paths[i], colours[i] = seen[i].values, cases[i].Where(cases[i].Label), seen[i].shown
	}
	if err := samePalettes(cases, colours); err != nil {
		return Meaning{}, err
	}
	return survey(sets, paths, known)
}

// Apply turns 255 into class 1 in a mask of 0 and 255.
func (l *Meaning) Apply(m *segd.Mask) {
	if !l.Scaled {
		return
	}
	for i, v := range m.Pix {
		if v == 255 {
			m.Pix[i] = 1
		}
	}
}

// MaxClass is the highest value accepted as a class index. A higher value more likely
// comes from a scaled or antialiased mask than from so many classes.
const MaxClass = 63
