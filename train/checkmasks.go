package train

import (
	"errors"

	"segd"
)

// What is rare: below these a class hardly shows in a loss or in a figure.
const (
	rareShare  = 0.001 // of all pixels
	rareImages = 3
)

// images reports images that cannot be read or are of one value.
func (c *checker) images() {
	for _, k := range c.cases {
		switch {
		case k.imageErr != nil:
			c.fault(KindUnreadable, k.where(k.Image), "export it again, or take it and its label out", "%s", cause(k.imageErr))
		case k.low == k.high && k.Frames <= 1: // the ends of a volume are often empty
			c.warn(KindConstant, k.where(k.Image), 1, "look at it: there is nothing to learn from", "all pixels are %g", k.low)
		}
	}
}

// sizes reports masks that cannot be read or do not fit their image.
func (c *checker) sizes() {
	for _, k := range c.cases {
		switch {
		case k.labelErr == nil && k.imageErr == nil && !k.ok():
			c.fault(KindSize, k.where(k.Label), "export the label at the size of its image, nearest neighbour", "%d×%d pixels, its image has %d×%d", k.mw, k.mh, k.width, k.height)
		case isA[*countError](k.labelErr):
			if k.Frame == 0 { // the file's other frames have the same to say
				c.fault(KindSize, k.Label, "write a mask for each frame of its image", "%s", cause(k.labelErr))
			}
		case errors.Is(k.labelErr, segd.ErrUnprocessable) && !k.coloured():
			c.fault(KindScaledMask, k.where(k.Label), "a mask holds class indices 0, 1, 2 …: export it again without scaling or interpolation", "%s", cause(k.labelErr))
		case k.coloured():
			c.fault(KindColourMask, k.where(k.Label), "save it as class indices: --fix OUT does, a class for each colour", "%s", cause(k.labelErr))
		case k.labelErr != nil:
			c.fault(KindUnreadable, k.where(k.Label), "labels are PNG or NIfTI files of class indices, or DICOM Segmentations: export it again", "%s", cause(k.labelErr))
		}
	}
}

// masks reports label values that are no class indices.
func (c *checker) masks() {
	indices := false // some mask holds a class index
	for _, k := range c.cases {
		for v := 1; v <= maxClass; v++ {
			indices = indices || k.labelErr == nil && k.values[v] && !k.ramp()
		}
	}
	var scaled, open, empty []*checked
	masks := 0
	for _, k := range c.cases {
		if k.labelErr != nil {
			continue
		}
		masks++
		switch {
		case k.ramp():
			k.smooth = true
			c.fault(KindSmoothMask, k.where(k.Label), "save it without antialiasing and not as JPEG on the way: --fix OUT cuts at half", "%d different values, as antialiasing or lossy compression leave", k.distinct())
		case k.binary():
			k.scaled = true
			scaled = append(scaled, k)
		case k.beyond() > 0:
			k.foreign = true
			c.fault(KindScaledMask, k.where(k.Label), "a mask holds class indices 0, 1, 2 …: --fix OUT numbers the values in order", "value %d, highest class index %d", k.beyond(), maxClass)
		case k.values[255]:
			open = append(open, k)
		case k.distinct() == 1 && k.values[0]:
			empty = append(empty, k)
		}
	}
	for _, k := range scaled {
		if indices {
			c.fault(KindScaledMask, k.where(k.Label), "255 should be 1: --fix OUT does it", "values 0 and 255, while other masks hold class indices: 255 would count as left open")
		}
	}
	if len(scaled) > 0 && !indices {
		c.warn(KindScaledMask, scaled[0].Label, len(scaled), "none needed; --fix OUT writes them as 0 and 1 for other programs", "%d masks hold 0 and 255 only: 255 is read as class 1", len(scaled))
	}
	if len(open) > 0 {
		c.warn(KindOpenPixels, open[0].Label, len(open), "make sure that 255 means left open", "%d masks hold 255 beside class indices: such pixels take no part", len(open))
	}
	switch {
	case masks > 0 && len(empty) == masks:
		c.fault(KindEmptyMask, empty[0].Label, "look at how the masks were exported", "none of %d masks has foreground", masks)
	case len(empty) > 0:
		c.warn(KindEmptyMask, empty[0].Label, len(empty), "right if there is nothing to see in them; else label them or take them out", "%d of %d masks have no foreground", len(empty), masks)
	}
}

// distinct is the number of different values of the mask.
func (c *checked) distinct() (n int) {
	for _, there := range c.values {
		if there {
			n++
		}
	}
	return n
}

// binary reports a mask of 0 and 255 only.
func (c *checked) binary() bool {
	return c.values[255] && c.distinct() <= 2 && (c.values[0] || c.distinct() == 1)
}

// beyond is the highest value that is neither a class index nor 255.
func (c *checked) beyond() int {
	for v := 254; v > maxClass; v-- {
		if c.values[v] {
			return v
		}
	}
	return 0
}

// ramp reports a mask of two levels with many in between that few pixels have:
// the edge of an antialiased or lossily compressed drawing.
func (c *checked) ramp() bool {
	if c.beyond() == 0 || c.distinct() < 5 {
		return false
	}
	var all, most, second int64
	for _, n := range c.counts {
		all += n
		switch {
		case n > most:
			most, second = n, most
		case n > second:
			second = n
		}
	}
	return most+second > all/2
}

// classes reports classes that are missing or rare.
func (c *checker) classes() {
	var pixels, images [256]int64
	var all int64
	highest, scaled := 0, true
	for _, k := range c.cases {
		if !k.ok() || k.smooth || k.foreign {
			continue
		}
		for v, n := range k.counts {
			all += n
			pixels[v] += n
			if n > 0 {
				images[v]++
			}
			if n > 0 && v > 0 && v != 255 {
				highest, scaled = max(highest, v), false
			}
		}
	}
	if scaled {
		pixels[1], images[1], highest = pixels[255], images[255], 1
	}
	for v := 1; v <= highest && all > 0; v++ {
		share := float64(pixels[v]) / float64(all)
		switch {
		case pixels[v] == 0 && !scaled:
			c.warn(KindImbalance, "", 0, "number the classes without a gap", "class %d does not occur, though class %d does", v, highest)
		case pixels[v] > 0 && images[v] < rareImages:
			c.warn(KindImbalance, "", 0, "label more images that show it", "class %d occurs in %d images only", v, images[v])
		case pixels[v] > 0 && share < rareShare:
			c.warn(KindImbalance, "", 0, "none needed: patches are drawn around foreground; expect less of this class", "class %d has %.3g %% of the pixels", v, 100*share)
		}
	}
}

// subjects reports too few groups.
func (c *checker) subjects() {
	groups := map[string]bool{}
	for _, k := range c.cases {
		if k.ok() && !k.smooth && !k.foreign {
			groups[k.subject] = true
		}
	}
	if n := len(groups); n > 0 && n < 4 {
		c.warn(KindFewSubjects, "", n, "label images of more subjects", "%d groups in all: a fifth of them, at least one, validates, and says little about others", n)
	}
}
