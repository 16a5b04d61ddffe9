package check

import (
	"fmt"
	"image/color"
	"slices"
	"strconv"
	"strings"

	"segd"
	"segd/train/dataset"
	"segd/train/internal/palette"
	"segd/train/metric"
)

// FixOptions answers questions that the data set leaves open. Labels with an open
// question are not written.
type FixOptions struct {
	// Background lists the colours (RRGGBB) and values (0 to 65535) that are
	// background.
	Background []string
	// Numbers says what the values or colours of masks distinguish: NumbersClasses or
	// NumbersInstances; empty: detect.
	Numbers string
	// Palette says what counts if palettes contradict each other: PaletteIndex or
	// PaletteColour; empty: the colour, provided that all palettes have the same
	// colours.
	Palette string
}

// Values of FixOptions.
const (
	NumbersClasses   = "classes"
	NumbersInstances = "instances"
	PaletteIndex     = "index"
	PaletteColour    = "colour"
)

// inks parses Background.
func (o FixOptions) inks() (list []ink, err error) {
	for _, s := range o.Background {
		if n, err := strconv.Atoi(s); err == nil && len(s) < 6 && n >= 0 && n <= 65535 {
			list = append(list, ink{value: n})
			continue
		}
		n, err := strconv.ParseUint(s, 16, 32)
		if err != nil || len(s) != 6 {
			return nil, fmt.Errorf("train: %w: background %q, want a colour RRGGBB or a value from 0 to 65535", segd.ErrOption, s)
		}
		list = append(list, ink{-1, wide(color.NRGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255})})
	}
	return list, nil
}

// action is what Fix does with a label.
type action int

const (
	actKeep      action = iota // its values are class indices
	actMap                     // each ink has a class
	actCut                     // a soft edge is cut at half
	actInstances               // each ink is an object of one class
	actRefuse
)

// verdict is what a label was found to be.
type verdict struct {
	act  action
	kind string // of the finding; empty: none
	// cause and fix are the finding's texts. asked reports whether fix answers an
	// open question.
	cause, fix string
	asked      bool

	warn      bool // the finding is not a fault: training accepts the label as usual
	byColour  bool // a palette's colours count, not its indices
	low, high ink  // of actCut
}

// meaning says what the inks of one data set mean.
type meaning struct {
	o          FixOptions
	background []ink           // as requested
	classes    map[ink]uint8   // of actMap
	legend     []string        // which ink became which class
	clash      *palette.Error  // of the set's palettes
	agree      bool            // if they nevertheless have the same colours
	values     []*checked      // labels of values, including palette indices
	colours    []*checked      // labels of colours
	byIndex    map[ink][]uint8 // the indices that palettes give a colour
	brush      bool            // colours on transparent ground, including black
}

// settle determines what the labels of a set mean, and stores a verdict in each
// readable one.
func settle(cases []*checked, o FixOptions) (*meaning, error) {
	m := &meaning{o: o, classes: map[ink]uint8{}, byIndex: map[ink][]uint8{}}
	var err error
	if m.background, err = o.inks(); err != nil {
		return nil, err
	}
	var drawn []*checked
	for _, k := range cases {
		if k.form != nil {
			k.verdict = verdict{}
			drawn = append(drawn, k)
		}
	}
	m.comparePalettes(drawn)
	for _, k := range drawn {
		switch {
		case k.verdict.act == actRefuse:
		case k.inked().coloured:
			m.colours = append(m.colours, k)
		default:
			m.values = append(m.values, k)
		}
	}
	if err := m.checkBackground(drawn); err != nil {
		return nil, err
	}
	m.values = m.cutSoft(m.values)
	m.colours = m.cutSoft(m.colours)
	m.settleValues()
	m.settleColours()
	m.settleSoft(drawn)
	return m, nil
}

// settleSoft refuses soft masks, whose only class is 1, if other labels of the set
// have more classes.
func (m *meaning) settleSoft(drawn []*checked) {
	cut := slices.DeleteFunc(slices.Clone(drawn), func(k *checked) bool { return k.verdict.act != actCut })
	var inks []ink // of the class, as colours
	for _, k := range cut {
		if k.inked().coloured && !slices.Contains(inks, k.verdict.high) {
			inks = append(inks, k.verdict.high)
		}
	}
	settled := slices.DeleteFunc(slices.Clone(m.colours), func(k *checked) bool { return k.verdict.act == actRefuse })
	for _, k := range foreground(settled, m.isGround) {
		if len(cut) > 0 && !slices.Contains(inks, k) {
			inks = append(inks, k)
		}
	}
	others := foreground(m.values, func(k ink) bool { return k.value == 0 || k.value == 1 || k.value == metric.Ignore })
	if len(inks) > 1 || len(others) > 0 {
		refuse(cut, KindSmoothMask, "save all masks as class indices with the same numbering, without antialiasing",
			"soft edges around one class, while the masks of the set have more (%s): it is unclear which class it is", names(slices.Concat(inks, others)))
	}
}

// inked returns how the label is drawn, by index or by colour.
func (c *checked) inked() *labelForm {
	if c.verdict.byColour {
		return c.tinted
	}
	return c.form
}

// checkBackground refuses a background that no label has.
func (m *meaning) checkBackground(drawn []*checked) error {
	for i, b := range m.background {
		found := false
		for _, k := range drawn {
			found = found || k.inked().has(b)
		}
		if found || len(drawn) == 0 {
			continue
		}
		// A grey matches both as a value and as a colour.
		if g := greyValue(b); g >= 0 && slices.ContainsFunc(drawn, func(k *checked) bool { return k.inked().has(ink{value: g}) }) {
			m.background[i] = ink{value: g}
			continue
		}
		return fmt.Errorf("train: %w: no label has the background %s", segd.ErrOption, m.o.Background[i])
	}
	return nil
}

// greyValue returns the 8-bit value that a colour shows, or -1 if there is none.
func greyValue(k ink) int {
	if k.value >= 0 || k.colour.R != k.colour.G || k.colour.R != k.colour.B {
		return -1
	}
	return int(k.colour.R >> 8)
}

// is reports whether an ink was named as background.
func (m *meaning) is(k ink) bool { return slices.Contains(m.background, k) }

// cutSoft picks out the labels with soft edges. If one label of a set is soft, others
// with fewer inks may be soft too.
func (m *meaning) cutSoft(list []*checked) (rest []*checked) {
	inks := 5
	if slices.ContainsFunc(list, func(k *checked) bool {
		_, _, ok := k.inked().soft(inks)
		return ok && k.inked().high() > dataset.MaxClass
	}) {
		inks = 3
	}
	for _, k := range list {
		f := k.inked()
		low, high, ok := f.soft(inks)
		if !ok || f.high() <= dataset.MaxClass {
			rest = append(rest, k)
			continue
		}
		k.verdict = verdict{act: actCut, kind: KindSmoothMask, low: low, high: high, byColour: k.verdict.byColour,
			cause: fmt.Sprintf("%d different values, which suggests antialiasing or lossy compression", f.inks),
			fix:   "save it without antialiasing and never as JPEG in between, or let --fix OUT cut the edges at half"}
		ground := low
		if f.border == high && low != transparent {
			ground = high
		}
		switch {
		case m.is(high):
			k.verdict.low, k.verdict.high = high, low
		case m.is(low), ground == low && (low == transparent || low.value == 0 || low == black):
		default:
			m.ask(k, KindSmoothMask, ground)
		}
	}
	return rest
}

// high returns the highest value of a label, or a value beyond all classes if it has
// colours.
func (f *labelForm) high() (high int) {
	if f.coloured {
		return dataset.MaxClass + 1
	}
	for _, s := range f.strokes {
		high = max(high, s.value)
	}
	return high
}

// ask leaves a label out until its background is known, and proposes one.
func (m *meaning) ask(k *checked, kind string, proposed ink) {
	k.verdict.act, k.verdict.kind, k.verdict.asked = actRefuse, kind, true
	k.verdict.cause = fmt.Sprintf("the background is uncertain: the most common ink along the border is %s", proposed)
	k.verdict.fix = "if that is the background: --fix OUT --background " + proposed.flag()
}

// refuse leaves labels out.
func refuse(list []*checked, kind, fix, cause string, args ...any) {
	for _, k := range list {
		k.verdict.act, k.verdict.kind, k.verdict.cause, k.verdict.fix = actRefuse, kind, fmt.Sprintf(cause, args...), fix
	}
}

// commonBorder returns the most common border ink of most labels.
func commonBorder(list []*checked) ink {
	count := map[ink]int{}
	var best ink
	for i, k := range list {
		b := k.inked().border
		count[b]++
		if i == 0 || count[b] > count[best] {
			best = b
		}
	}
	return best
}

// foreground lists the inks of labels that are not background, in order.
func foreground(list []*checked, background func(ink) bool) (inks []ink) {
	seen := map[ink]bool{}
	for _, k := range list {
		for _, s := range k.inked().strokes {
			if !seen[s.ink] && !background(s.ink) {
				seen[s.ink] = true
				inks = append(inks, s.ink)
			}
		}
	}
	slices.SortFunc(inks, compareInk)
	return inks
}

// Limits that distinguish objects from classes.
const (
	singleShare = 0.9 // share of inks with one connected part
	fewInks     = 4   // fewer inks are classes
	fewFringe   = 8   // more inks without areas are shades
)

// objects says how closely the inks of labels resemble object numbers, which each
// have one connected part. It is certain if there are more inks than classes may
// have, and possible if there are as many as objects often have.
func objects(list []*checked, background func(ink) bool) (surely, perhaps bool, inks int, single float64) {
	seen, all, one := map[ink]bool{}, 0, 0
	many := false
	for _, k := range list {
		f := k.inked()
		many = many || f.inks > len(f.strokes)
		for _, s := range f.strokes {
			if background(s.ink) {
				continue
			}
			seen[s.ink] = true
			if all++; s.parts == 1 {
				one++
			}
		}
	}
	inks, single = len(seen), float64(one)/float64(max(1, all))
	surely = (inks > dataset.MaxClass || many) && single >= singleShare
	return surely, inks >= fewInks && single >= singleShare, inks, single
}

// fringe reports labels in which many inks form no areas anywhere: soft edges between
// several classes, or of lines.
func fringe(list []*checked, background func(ink) bool) bool {
	pixels, squares := map[ink]int{}, map[ink]int{}
	for _, k := range list {
		for _, s := range k.inked().strokes {
			if !background(s.ink) {
				pixels[s.ink] += s.pixels
				squares[s.ink] += s.squares
			}
		}
	}
	n, thin := len(pixels), 0
	for k := range pixels {
		if float64(squares[k]) < plateau*float64(pixels[k]) {
			thin++
		}
	}
	switch {
	case thin == 0:
		return false
	case thin == n: // no areas at all, as for thin lines of some classes
		return thin >= fewInks
	}
	return 2*thin >= n
}

// askFringe leaves out labels in which some inks form no areas. If there are few such
// inks, they may still be classes, made of lines.
func (m *meaning) askFringe(list []*checked, inks int) {
	fix := "save it with one flat value or colour for each class, without antialiasing"
	if inks < fewFringe {
		fix += "; if they are classes: --fix OUT --numbers " + NumbersClasses
	}
	refuse(list, KindSmoothMask, fix, "the masks of the set have %d values or colours, many of them only along edges, which suggests antialiasing", inks)
	for _, k := range list {
		k.verdict.asked = inks < fewFringe
	}
}

// groundless reports whether a label has several inks but no background, and a border
// ink that occurs in no label with background.
func groundless(k *checked, list []*checked, background func(ink) bool) bool {
	has := func(k *checked) bool {
		return slices.ContainsFunc(k.inked().strokes, func(s stroke) bool { return background(s.ink) })
	}
	if k.inked().inks == 1 || has(k) {
		return false
	}
	return !slices.ContainsFunc(list, func(other *checked) bool { return has(other) && other.inked().has(k.inked().border) })
}

// number gives the inks class numbers, starting at 1.
func (m *meaning) number(inks []ink) {
	for i, k := range inks {
		m.classes[k] = uint8(i + 1)
	}
}

// say returns the legend of a kind of label: which ink became which class.
func (m *meaning) say(background string, inks []ink) {
	m.legend = append(m.legend, "0: "+background)
	inks = slices.Clone(inks)
	slices.SortStableFunc(inks, func(a, b ink) int { return int(m.classes[a]) - int(m.classes[b]) })
	for _, k := range inks {
		m.legend = append(m.legend, fmt.Sprintf("%d: %s", m.classes[k], k))
	}
}

// names lists inks as text.
func names(inks []ink) string {
	var list []string
	for i, k := range inks {
		if i == 6 {
			list = append(list, "…")
			break
		}
		list = append(list, k.String())
	}
	return strings.Join(list, ", ")
}
