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

// FixOptions answers what a data set does not tell by itself. Nothing is written of
// labels whose question is open.
type FixOptions struct {
	// Background are the colours (RRGGBB) and values (0 to 65535) that are
	// background.
	Background []string
	// Numbers says what the values or colours of masks tell apart: NumbersClasses
	// or NumbersInstances; empty: as they look.
	Numbers string
	// Palette says what counts where palettes contradict each other: PaletteIndex
	// or PaletteColour; empty: the colour, where all palettes have the same ones.
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
	// cause and fix are the finding's texts; asked says that fix answers a question
	// that is open.
	cause, fix string
	asked      bool

	warn      bool // the finding is no fault: trainings take the label as usual
	byColour  bool // a palette's colours count and not its indices
	low, high ink  // of actCut
}

// meaning is what the inks of one data set mean.
type meaning struct {
	o          FixOptions
	background []ink           // as asked for
	classes    map[ink]uint8   // of actMap
	legend     []string        // what became which class
	clash      *palette.Error  // of the set's palettes
	agree      bool            // which have the same colours all the same
	values     []*checked      // labels of values, palettes' indices among them
	colours    []*checked      // labels of colours
	byIndex    map[ink][]uint8 // the indices that palettes give a colour
	brush      bool            // colours on transparent ground, where black is one
}

// settle finds out what the labels of a set mean, and leaves a verdict in each
// that could be read.
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

// settleSoft refuses soft masks, whose one class is 1, where other labels of the set
// tell more classes apart.
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
		refuse(cut, KindSmoothMask, "save all masks as class indices of one numbering, without antialiasing",
			"soft edges around one class, while the masks of the set have more (%s): which it is is not certain", names(slices.Concat(inks, others)))
	}
}

// inked is how the label is drawn, by index or by colour.
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
		// A grey is the same as a value and as a colour.
		if g := greyValue(b); g >= 0 && slices.ContainsFunc(drawn, func(k *checked) bool { return k.inked().has(ink{value: g}) }) {
			m.background[i] = ink{value: g}
			continue
		}
		return fmt.Errorf("train: %w: background %s, which no label has", segd.ErrOption, m.o.Background[i])
	}
	return nil
}

// greyValue is the value of 8 bits that a colour shows; -1: none.
func greyValue(k ink) int {
	if k.value >= 0 || k.colour.R != k.colour.G || k.colour.R != k.colour.B {
		return -1
	}
	return int(k.colour.R >> 8)
}

// is reports whether an ink was named as background.
func (m *meaning) is(k ink) bool { return slices.Contains(m.background, k) }

// cutSoft takes out the labels of soft edges. Where one of a set is soft, others
// of fewer inks may be.
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
			cause: fmt.Sprintf("%d different values, as antialiasing or lossy compression leave", f.inks),
			fix:   "save it without antialiasing and not as JPEG on the way: --fix OUT cuts at half"}
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

// high is the highest value of a label, and beyond all classes where it has
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
	k.verdict.cause = fmt.Sprintf("the background is not certain: the commonest along the border is %s", proposed)
	k.verdict.fix = "if that is the background: --fix OUT --background " + proposed.flag()
}

// refuse leaves labels out.
func refuse(list []*checked, kind, fix, cause string, args ...any) {
	for _, k := range list {
		k.verdict.act, k.verdict.kind, k.verdict.cause, k.verdict.fix = actRefuse, kind, fmt.Sprintf(cause, args...), fix
	}
}

// commonBorder is the ink that is commonest along the border of most labels.
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

// Objects are told from classes by these.
const (
	singleShare = 0.9 // of the inks that have one connected part
	fewInks     = 4   // fewer are classes
	fewFringe   = 8   // more without areas are shades
)

// objects says how far the inks of labels look like the numbers of objects, each
// one connected part: surely, where they are more than classes may be; perhaps,
// where they are as many as objects often are.
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

// fringe reports labels many of whose inks make no areas anywhere: soft edges
// between several classes, or of lines.
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
	case thin == n: // no areas at all, as lines of some classes have none
		return thin >= fewInks
	}
	return 2*thin >= n
}

// askFringe leaves out labels some of whose inks make no areas. Where they are few,
// they may be classes all the same, of lines.
func (m *meaning) askFringe(list []*checked, inks int) {
	fix := "save it with one flat value or colour for each class, without antialiasing"
	if inks < fewFringe {
		fix += "; if they are classes: --fix OUT --numbers " + NumbersClasses
	}
	refuse(list, KindSmoothMask, fix, "%d values or colours in the masks of the set, many of them along edges alone, as antialiasing leaves", inks)
	for _, k := range list {
		k.verdict.asked = inks < fewFringe
	}
}

// groundless reports a label that has several inks and none that is background,
// and whose border has an ink that no label with background has.
func groundless(k *checked, list []*checked, background func(ink) bool) bool {
	has := func(k *checked) bool {
		return slices.ContainsFunc(k.inked().strokes, func(s stroke) bool { return background(s.ink) })
	}
	if k.inked().inks == 1 || has(k) {
		return false
	}
	return !slices.ContainsFunc(list, func(other *checked) bool { return has(other) && other.inked().has(k.inked().border) })
}

// number gives the inks classes from 1 on.
func (m *meaning) number(inks []ink) {
	for i, k := range inks {
		m.classes[k] = uint8(i + 1)
	}
}

// say writes the legend of a kind of label: what became which class.
func (m *meaning) say(background string, inks []ink) {
	m.legend = append(m.legend, "0: "+background)
	inks = slices.Clone(inks)
	slices.SortStableFunc(inks, func(a, b ink) int { return int(m.classes[a]) - int(m.classes[b]) })
	for _, k := range inks {
		m.legend = append(m.legend, fmt.Sprintf("%d: %s", m.classes[k], k))
	}
}

// names lists inks in words.
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
