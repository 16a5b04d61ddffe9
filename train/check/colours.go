package check

import (
	"fmt"
	"image/color"
	"slices"

	"segd/train/dataset"
	"segd/train/internal/palette"
	"segd/train/metric"
)

// comparePalettes looks for contradictory palettes, and decides whether the colours
// of their labels count.
func (m *meaning) comparePalettes(drawn []*checked) {
	var compared palette.Set
	var with []*checked
	for _, k := range drawn {
		if k.form.palette == nil {
			continue
		}
		with = append(with, k)
		if e := compared.Add(k.Where(k.Label), k.form.shown()); e != nil && m.clash == nil {
			m.clash = e
		}
	}
	if m.clash == nil || m.o.Palette == PaletteIndex {
		m.byColour(with, func(k *checked) bool { return k.form.beyond() > 0 && k.form.shown() != nil })
		return
	}
	agree := true
	for _, k := range with {
		for _, other := range with {
			for _, c := range other.form.shown() {
				agree = agree && k.form.declares(ink{-1, wide(c)})
			}
		}
		if !agree {
			break
		}
	}
	if m.agree = agree; m.o.Palette == PaletteColour || agree {
		m.byColour(with, func(*checked) bool { return true })
		for _, k := range with {
			k.verdict.kind, k.verdict.cause, k.verdict.fix = KindPalette, m.clash.Cause(), m.clashFix()
		}
		return
	}
	refuse(with, KindPalette, m.clashFix(), "%s", m.clash.Cause())
	for _, k := range with {
		k.verdict.asked = true
	}
}

// clashFix returns the remedy for contradictory palettes.
func (m *meaning) clashFix() string {
	index := "if the indices are the classes, regardless of colour: --fix OUT --palette " + PaletteIndex
	if m.agree {
		return "--fix OUT numbers the classes by colour; " + index
	}
	return "if the colours are the classes: --fix OUT --palette " + PaletteColour + "; " + index
}

// byColour makes the colours of labels count.
func (m *meaning) byColour(list []*checked, want func(*checked) bool) {
	for _, k := range list {
		if want(k) {
			k.verdict.byColour = true
			for v, c := range k.form.shown() {
				i := ink{-1, wide(c)}
				m.byIndex[i] = append(m.byIndex[i], v)
			}
		}
	}
}

// shown returns the colours of a label's indices.
func (f *labelForm) shown() palette.Shown {
	if f.palette == nil {
		return nil
	}
	var values [256]bool
	for _, s := range f.strokes {
		if s.value > metric.Ignore {
			return nil
		}
		values[s.value] = true
	}
	return palette.Of(f.palette, &values)
}

// declares reports whether the palette has a colour.
func (f *labelForm) declares(k ink) bool {
	return slices.ContainsFunc(f.palette, func(c color.NRGBA) bool {
		c.A = 255
		return ink{-1, wide(c)} == k
	})
}

// settleColours determines what colours mean. They are either classes, numbered in
// the order of red, green and blue or by the indices that most palettes give them, or
// objects.
func (m *meaning) settleColours() {
	list := m.colours
	if len(list) == 0 || !m.groundOfColours() {
		return
	}
	list = slices.DeleteFunc(slices.Clone(list), func(k *checked) bool { return k.verdict.act == actRefuse })
	inks := foreground(list, m.isGround)
	surely, perhaps, _, single := objects(list, m.isGround)
	switch {
	case m.o.Numbers == NumbersInstances, m.o.Numbers == "" && surely && areas(list) >= singleShare:
		for _, k := range list {
			k.verdict.act, k.verdict.kind = actInstances, KindInstances
			k.verdict.cause = fmt.Sprintf("%d of its %d colours form one connected part each, with %d colours in the set: they number objects and are not classes", k.inked().single, k.inked().inks, len(inks))
			k.verdict.fix = "--fix OUT writes a mask of one class, and numbers to instances/"
		}
		return
	case len(inks) > dataset.MaxClass:
		refuse(list, KindColourMask, "save it with one flat colour for each class, without antialiasing and without saving it as JPEG in between",
			"the masks of the set have %d colours, and %.0f %% of them form one connected part: neither classes nor objects", len(inks), 100*single)
		return
	case fringe(list, m.isGround) && (m.o.Numbers == "" || len(inks) >= fewFringe):
		m.askFringe(list, len(inks))
		return
	case m.o.Numbers == "" && perhaps:
		refuse(list, KindInstances, "if they are classes: --fix OUT --numbers "+NumbersClasses+"; if they number objects: --fix OUT --numbers "+NumbersInstances,
			"%d colours, each a single connected part in nearly all masks: they may be classes or number objects", len(inks))
		for _, k := range list {
			k.verdict.asked = true
		}
		return
	}
	m.numberColours(list, inks)
}

// numberColours gives each colour of labels a class.
func (m *meaning) numberColours(list []*checked, inks []ink) {
	m.number(inks)
	m.byMostPalettes(inks)
	if others := foreground(m.values, func(k ink) bool { return k.value == 0 }); len(others) > 0 && !(len(others) == 1 && len(inks) <= 1) {
		if !m.byPalettes(inks) {
			refuse(list, KindColourMask, "save all masks as class indices with the same numbering",
				"%s, while other masks hold class indices: it is unclear which classes they mean", names(inks))
			return
		}
	}
	for _, k := range list {
		k.verdict.act = actMap
		if k.verdict.kind == "" {
			k.verdict.kind = KindColourMask
			k.verdict.cause = "label image is in colour or has alpha, want grey or paletted class indices"
			k.verdict.fix = "save it as class indices: --fix OUT does this, with a class for each colour"
		}
		for _, s := range k.inked().strokes {
			if m.isGround(s.ink) {
				m.classes[s.ink] = 0
			}
		}
	}
	var ground []ink
	for _, k := range list {
		for _, s := range k.inked().strokes {
			if m.isGround(s.ink) && !slices.Contains(ground, s.ink) {
				ground = append(ground, s.ink)
			}
		}
	}
	m.say(names(ground), inks)
}

// isGround reports whether a colour is background: it is transparent, or was named as
// background or, if no background was named, is black.
func (m *meaning) isGround(k ink) bool {
	return k == transparent || m.is(k) || len(m.background) == 0 && k == black && !m.brush
}

// groundOfColours asks for the background if it is unlikely to be black, and reports
// whether any label is left.
func (m *meaning) groundOfColours() bool {
	opaque := slices.DeleteFunc(slices.Clone(m.colours), func(k *checked) bool { return k.inked().has(transparent) })
	if len(opaque) == 0 && len(m.background) == 0 {
		return m.groundOfBrush()
	}
	dark := 0
	for _, k := range opaque {
		if k.inked().border == black {
			dark++
		}
	}
	left := len(m.colours)
	for _, k := range opaque {
		f := k.inked()
		switch {
		case 2*dark < len(opaque) && len(m.background) == 0:
			m.ask(k, KindColourMask, commonBorder(opaque))
		case groundless(k, m.colours, m.isGround):
			m.ask(k, KindColourMask, f.border)
		default:
			continue
		}
		left--
	}
	return left > 0
}

// groundOfBrush settles labels on transparent ground: opaque colours are foreground.
// Black is foreground too if there is no other colour.
func (m *meaning) groundOfBrush() bool {
	inks := foreground(m.colours, func(k ink) bool { return k == transparent })
	if !slices.Contains(inks, black) {
		return true
	}
	if len(inks) == 1 {
		m.brush = true
		return true
	}
	for _, k := range m.colours {
		m.ask(k, KindColourMask, black)
		k.verdict.cause = "black and other colours on transparent ground: black may be background or a class"
	}
	return false
}

// areas returns the share of pixels in labels whose ink forms areas.
func areas(list []*checked) float64 {
	flat, all := 0, 0
	for _, k := range list {
		for _, s := range k.inked().strokes {
			if all += s.pixels; float64(s.squares) > plateau*float64(s.pixels) {
				flat += s.pixels
			}
		}
	}
	return float64(flat) / float64(max(1, all))
}

// byMostPalettes numbers colours as most palettes of the set do, provided that each
// colour gets a distinct number.
func (m *meaning) byMostPalettes(inks []ink) {
	numbers, used := map[ink]uint8{}, map[uint8]bool{}
	for _, k := range inks {
		count := map[uint8]int{}
		best := uint8(0)
		for _, v := range m.byIndex[k] {
			if count[v]++; count[v] > count[best] || count[v] == count[best] && v < best {
				best = v
			}
		}
		if best == 0 || best > dataset.MaxClass || used[best] {
			return
		}
		numbers[k], used[best] = best, true
	}
	for k, v := range numbers {
		m.classes[k] = v
	}
}

// byPalettes numbers colours by the palettes of other labels of the set, and reports
// whether those contain them all.
func (m *meaning) byPalettes(inks []ink) bool {
	numbers := map[ink]uint8{}
	for _, k := range m.values {
		for v, c := range k.form.shown() {
			numbers[ink{-1, wide(c)}] = v
		}
	}
	for _, k := range inks {
		v, ok := numbers[k]
		if !ok || v == 0 {
			return false
		}
		m.classes[k] = v
	}
	return true
}
