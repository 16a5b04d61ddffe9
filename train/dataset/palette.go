package dataset

import (
	"fmt"
	"image/color"

	"segd/train/internal/palette"
)

// Palette returns the palette of the case's label, indexed by the values that
// ReadMask returns. It is nil if the label has none.
func (c *Case) Palette() []color.NRGBA {
	o, err := c.opener().open(c.Label, asMask)
	switch {
	case err != nil:
		return nil
	case o.labels == nil:
		return nil
	case o.labels.Palette == nil, c.ignore == 0 && c.renumber == nil:
		return o.labels.Palette
	}
	values := make([]uint8, len(o.labels.Palette))
	for i := range values {
		values[i] = uint8(i)
	}
	c.Meant(values)
	p := make([]color.NRGBA, 256)
	for i, v := range values {
		p[v] = o.labels.Palette[i]
	}
	return p
}

// shownBy returns the palette's colours for the values in the case's mask.
func (c *Case) shownBy(values *valueSet) palette.Shown {
	p := c.Palette()
	if p == nil {
		return nil
	}
	return palette.Of(p, values)
}

// samePalettes returns an error if the label palettes of a data set contradict each
// other.
func samePalettes(cases []Case, list []palette.Shown) error {
	sets := map[int]*palette.Set{}
	for i := range cases {
		p := sets[cases[i].Set]
		if p == nil {
			p = &palette.Set{}
			sets[cases[i].Set] = p
		}
		if err := p.Add(cases[i].Where(cases[i].Label), list[i]); err != nil {
			return fmt.Errorf("%w; segd check --fix OUT writes masks in one order", err)
		}
	}
	return nil
}
