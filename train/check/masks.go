package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"segd"
	"segd/internal/orient"
	"segd/internal/scanio"
	"segd/train/dataset"
)

// Below these limits a class is rare: it hardly affects a loss or a figure.
const (
	rareShare  = 0.001 // of all pixels
	rareImages = 3
)

func (c *checked) readMask() {
	mask, err := c.ReadMask()
	if err != nil {
		c.labelErr = err
		if errors.Is(err, segd.ErrUnprocessable) {
			if d, err := drawing(&c.Case); err == nil {
				c.draw(d)
			}
		}
		return
	}
	d := drawingOf(mask)
	d.Palette = c.Palette()
	for i, s := range d.Shades {
		if s.Value < len(d.Palette) {
			d.Shades[i].Colour = wide(d.Palette[s.Value])
		}
	}
	c.draw(d)
	for _, v := range mask.Pix {
		c.counts[v]++
	}
	for v, n := range c.counts {
		c.values[v] = n > 0
	}
}

// draw records how the label is drawn.
func (c *checked) draw(d *scanio.Drawing) {
	c.mw, c.mh = d.Width, d.Height
	c.form = formOf(d, false)
	if d.Palette != nil {
		c.tinted = formOf(d, true)
	}
}

// clear reports whether the values of a label are class indices.
func (c *checked) clear() bool { return c.verdict.kind == "" || c.verdict.warn }

// images reports images that cannot be read or have a single value.
func (c *checker) images() {
	for _, k := range c.cases {
		switch {
		case c.misplaced(k.Image, k.imageErr):
		case k.imageErr != nil:
			c.fault(KindUnreadable, k.Where(k.Image), "export it again, or remove it and its label", "%s", cause(k.imageErr))
		case k.low == k.high && k.Frames <= 1: // the ends of a volume are often empty
			c.warn(KindConstant, k.Where(k.Image), 1, "look at it: there is nothing to learn from it", "all pixels are %g", k.low)
		}
	}
}

// sizes reports masks that cannot be read or do not fit their image.
func (c *checker) sizes() {
	for _, k := range c.cases {
		switch {
		case c.misplaced(k.Label, k.labelErr):
		case k.form != nil && k.imageErr == nil && (k.width != k.mw || k.height != k.mh):
			c.fault(KindSize, k.Where(k.Label), "export the label at the size of its image, nearest neighbour", "%d×%d pixels, its image has %d×%d", k.mw, k.mh, k.width, k.height)
		case k.form != nil: // see masks
		case isA[*dataset.CountError](k.labelErr):
			if k.Frame == 0 { // the file's other frames have the same fault
				c.fault(KindSize, k.Label, "write a mask for each frame of its image", "%s", cause(k.labelErr))
			}
		case isA[*dataset.SizeError](k.labelErr):
			c.fault(KindSize, k.Where(k.Label), "draw outlines on the image as it is stored", "%s", cause(k.labelErr))
		case errors.Is(k.labelErr, segd.ErrUnprocessable):
			c.fault(KindScaledMask, k.Where(k.Label), "a mask holds class indices 0, 1, 2 …: export it again without scaling or interpolation", "%s", cause(k.labelErr))
		case k.labelErr != nil:
			c.fault(KindUnreadable, k.Where(k.Label), "labels are masks of class indices ("+scanio.ReadableLabels()+"), or outlines of COCO, LabelMe, QuPath, ImageJ or an RT Structure Set: export it again", "%s", cause(k.labelErr))
		}
	}
}

// masks reports, by set, label values that are not class indices.
func (c *checker) masks() error {
	for set := range c.sets {
		var cases []*checked
		for _, k := range c.cases {
			if k.Set == set {
				cases = append(cases, k)
			}
		}
		m, err := settle(cases, c.options)
		if err != nil {
			return err
		}
		if c.meaning = m; m.clash != nil {
			c.fault(KindPalette, m.clash.Files[1], m.clashFix(), "%s", m.clash.Cause())
		}
		c.verdicts(cases)
		c.grounds(cases)
	}
	return nil
}

// verdicts reports what labels turned out to be.
func (c *checker) verdicts(cases []*checked) {
	var scaled, open []*checked
	full := 0
	for _, k := range cases {
		if k.form == nil {
			continue
		}
		v := &k.verdict
		if v.kind == "" && k.labelErr != nil { // fine except for its format
			v.kind, v.cause, v.fix = KindColourMask, cause(k.labelErr), "save it as class indices: --fix OUT does this"
		}
		switch {
		case v.kind == KindPalette: // once for all of them
		case v.kind == KindFullMask:
			if full++; full == 1 { // the others have the same fault
				c.fault(v.kind, k.Where(k.Label), v.fix, "%s", v.cause)
			}
		case v.warn:
			c.warn(v.kind, k.Where(k.Label), 1, v.fix, "%s", v.cause)
		case v.kind != "":
			c.fault(v.kind, k.Where(k.Label), v.fix, "%s", v.cause)
		case k.form.binary():
			scaled = append(scaled, k)
		case k.values[255]:
			open = append(open, k)
		}
	}
	if len(scaled) > 0 {
		c.warn(KindScaledMask, scaled[0].Label, len(scaled), "no action needed; --fix OUT writes them as 0 and 1 for other programs", "%d masks hold 0 and 255 only: 255 is read as class 1", len(scaled))
	}
	if len(open) > 0 {
		c.warn(KindOpenPixels, open[0].Label, len(open), "check that 255 means ignore", "%d masks hold 255 as well as class indices: such pixels are ignored", len(open))
	}
	c.numbered(cases)
}

// numbered warns of class indices that look like object numbers.
func (c *checker) numbered(cases []*checked) {
	var list []*checked
	for _, k := range cases {
		if k.form != nil && k.clear() && k.labelErr == nil && !k.form.binary() {
			list = append(list, k)
		}
	}
	_, _, inks, single := objects(list, func(k ink) bool { return k.value == 0 || k.value == 255 })
	if inks >= fewInks && single == 1 {
		c.warn(KindInstances, list[0].Where(list[0].Label), len(list), "fine if they are classes; if they number objects: --fix OUT --numbers "+NumbersInstances,
			"each of %d values is a single connected part wherever it occurs: they may number objects", inks)
	}
}

// grounds reports masks without foreground and masks without background.
func (c *checker) grounds(cases []*checked) {
	var empty, full []*checked
	masks := 0
	for _, k := range cases {
		if k.form == nil || !k.clear() || k.labelErr != nil {
			continue
		}
		masks++
		switch {
		case !k.values[0]:
			full = append(full, k)
		case k.distinct() == 1:
			empty = append(empty, k)
		}
	}
	switch {
	case masks > 0 && len(empty) == masks:
		c.fault(KindEmptyMask, empty[0].Label, "check how the masks were exported", "no mask (of %d) has foreground", masks)
	case len(empty) > 0:
		c.warn(KindEmptyMask, empty[0].Label, len(empty), "fine if there is nothing to see in them; otherwise label or remove them", "%d of %d masks have no foreground", len(empty), masks)
	}
	if len(full) > 0 {
		c.warn(KindFullMask, full[0].Label, len(full), "fine if its class fills the image; otherwise check how it was exported", "%d of %d masks have no background, value 0", len(full), masks)
	}
}

// distinct returns the number of different values in the mask.
func (c *checked) distinct() (n int) {
	for _, there := range c.values {
		if there {
			n++
		}
	}
	return n
}

// classes reports classes that are missing or rare.
func (c *checker) classes() {
	var pixels, images [256]int64
	var all int64
	highest, scaled := 0, true
	for _, k := range c.whole() {
		if !k.clear() {
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
	if missing := ranges(highest, func(v int) bool { return all > 0 && !scaled && pixels[v] == 0 }); missing != "" {
		c.warn(KindImbalance, "", 0, "number the classes without a gap", "no pixel has class %s, though class %d occurs", missing, highest)
	}
	for v := 1; v <= highest && all > 0; v++ {
		share := float64(pixels[v]) / float64(all)
		switch {
		case pixels[v] > 0 && images[v] < rareImages:
			c.warn(KindImbalance, "", 0, "label more images that show it", "class %d occurs in only %d images", v, images[v])
		case pixels[v] > 0 && share < rareShare:
			c.warn(KindImbalance, "", 0, "no action needed, since patches are drawn around foreground; expect less accuracy for this class", "class %d has %.3g %% of the pixels", v, 100*share)
		}
	}
}

// ranges lists the missing numbers from 1 to highest, as in 1, 3-7.
func ranges(highest int, missing func(int) bool) string {
	var list []string
	for v := 1; v <= highest; v++ {
		first := v
		for v <= highest && missing(v) {
			v++
		}
		switch {
		case v == first:
		case v == first+1:
			list = append(list, fmt.Sprint(first))
		default:
			list = append(list, fmt.Sprintf("%d-%d", first, v-1))
		}
	}
	return strings.Join(list, ", ")
}

// subjects reports too few groups.
func (c *checker) subjects() {
	groups := map[string]bool{}
	for _, k := range c.whole() {
		if k.clear() {
			groups[k.Subject()] = true
		}
	}
	if n := len(groups); n > 0 && n < 4 {
		c.warn(KindFewSubjects, "", n, "label images of more subjects", "only %d groups: a fifth of them (at least one) validates and says little about others", n)
	}
}

// misplaced reports, once for each file, that its position differs from that of its
// image, if err says so.
func (c *checker) misplaced(file string, err error) bool {
	match, ok := errors.AsType[*orient.MatchError](err)
	if !ok {
		return false
	}
	kind := KindPlace
	if match.Sizes {
		kind = KindSize
	}
	same := func(f Finding) bool { return f.Kind == kind && f.File == file }
	if !slices.ContainsFunc(c.findings, same) {
		c.fault(kind, file, "resample it onto the grid of its image (nearest neighbour for labels), or correct the wrong header", "%s", match.Cause)
	}
	return true
}

// remark reports the notes made while files were read.
func (c *checker) remark() {
	var cases []dataset.Case
	for _, k := range c.cases {
		cases = append(cases, k.Case)
	}
	for _, f := range dataset.Remarks(cases) {
		c.warn(KindPlace, f.File, f.Count, "look at a few labels over their images", "%s", f.Text)
	}
}
