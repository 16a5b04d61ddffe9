package scanio

import (
	"fmt"
	"strings"

	"segd"
)

// Limits of the levels that a mask in JPEG may have.
const (
	levelGap    = 48 // values that no pixel has between two levels
	mostLevels  = 8
	levelSnap   = 8  // distance from 0 and from 255 at which a level is that value
	greyDiffers = 24 // most difference between red, green and blue that still is grey
)

// readJPEGLabels reads a mask that was saved as JPEG, which changes values, if its
// levels can still be told apart: each pixel lies within a quarter of the way from its
// level to the next one, and takes that level. Masks of 0 and 255 do at the usual
// qualities, class indices do not.
func readJPEGLabels(b []byte) (*Labels, error) {
	s, err := readJPEG(b)
	if err != nil {
		return nil, err
	}
	img, err := s.Frame(0)
	if err != nil {
		return nil, err
	}
	mask := segd.NewMask(img.Width, img.Height)
	var counts [256]int
	for i := range mask.Pix {
		p := img.Pix[i*img.Channels:][:img.Channels]
		low, high := p[0], p[0]
		for _, v := range p {
			low, high = min(low, v), max(high, v)
		}
		if high-low > greyDiffers {
			return nil, badJPEGLabel("it is in colour")
		}
		v := uint8((low + high) / 2)
		mask.Pix[i] = v
		counts[v]++
	}
	table, levels, err := levelsOf(&counts)
	if err != nil {
		return nil, err
	}
	if err := flatBlocks(mask, &table); err != nil {
		return nil, err
	}
	for i, v := range mask.Pix {
		mask.Pix[i] = table[v]
	}
	l := oneMask("jpeg", mask)
	l.Warnings = []string{"a mask in JPEG, which changes values: each pixel is read as the level that it lies near, " + strings.Join(levels, " or ")}
	return l, nil
}

func badJPEGLabel(format string, a ...any) error {
	return fmt.Errorf("scanio: %w: a mask in JPEG, which changes values: %s; export it as PNG from the program that drew it", segd.ErrUnprocessable, fmt.Sprintf(format, a...))
}

// flatBlocks refuses a mask with flat blocks of different values at one level: JPEG
// keeps what differs in flat blocks, such as class indices beside 255.
func flatBlocks(m *segd.Mask, table *[256]uint8) error {
	var at [256]int // value of the flat blocks of a level, plus one
	for y := 0; y < m.Height; y += 8 {
		for x := 0; x < m.Width; x += 8 {
			v := m.Pix[y*m.Width+x]
			flat := true
			for dy := y; dy < min(y+8, m.Height) && flat; dy++ {
				for _, w := range m.Pix[dy*m.Width+x : dy*m.Width+min(x+8, m.Width)] {
					flat = flat && w == v
				}
			}
			if !flat {
				continue
			}
			if other := at[table[v]]; other != 0 && other != int(v)+1 {
				return badJPEGLabel("it has areas of the values %d and %d, which are too close to tell apart", min(other-1, int(v)), max(other-1, int(v)))
			}
			at[table[v]] = int(v) + 1
		}
	}
	return nil
}

// levelsOf finds the levels in the counts of values, and the level of each value.
func levelsOf(counts *[256]int) (table [256]uint8, names []string, err error) {
	type level struct{ low, high, at int }
	var list []level
	for v, n := range counts {
		switch last := len(list) - 1; {
		case n == 0:
		case last < 0 || v-list[last].high > levelGap:
			list = append(list, level{v, v, v})
		default:
			list[last].high = v
			if n > counts[list[last].at] {
				list[last].at = v
			}
		}
	}
	switch {
	case len(list) == 1 && (list[0].low < list[0].high || list[0].low > levelSnap && list[0].low < 255-levelSnap):
		return table, nil, badJPEGLabel("its values from %d to %d form no separate levels", list[0].low, list[0].high)
	case len(list) > mostLevels:
		return table, nil, badJPEGLabel("it has %d levels, limit %d", len(list), mostLevels)
	}
	for i, l := range list {
		near := 255
		if i > 0 {
			near = l.at - list[i-1].at
		}
		if i+1 < len(list) {
			near = min(near, list[i+1].at-l.at)
		}
		if far := max(l.high-l.at, l.at-l.low); 4*far > near {
			return table, nil, badJPEGLabel("pixels lie up to %d from level %d, and the next level is %d away", far, l.at, near)
		}
		value := l.at
		if value <= levelSnap {
			value = 0
		}
		if value >= 255-levelSnap {
			value = 255
		}
		for v := l.low; v <= l.high; v++ {
			table[v] = uint8(value)
		}
		names = append(names, fmt.Sprint(value))
	}
	return table, names, nil
}
