package check

import (
	"fmt"
	"slices"

	"segd/train/dataset"
	"segd/train/metric"
)

// settleValues determines what values mean in the set as a whole: class indices,
// which stay; 0 and 255; other values that stand for classes, which are numbered in
// order; or object numbers.
func (m *meaning) settleValues() {
	if len(m.values) == 0 {
		return
	}
	var binary, foreign []*checked
	for _, k := range m.values {
		switch {
		case k.form.binary():
			binary = append(binary, k)
		case k.form.beyond() > 0:
			foreign = append(foreign, k)
		}
	}
	zero := func(k ink) bool { return k.value == 0 }
	if len(m.background) == 0 && len(m.colours) == 0 && !slices.ContainsFunc(m.values, func(k *checked) bool { return k.form.has(ink{}) }) {
		m.askGround()
		return
	}
	ground := zero
	if len(m.background) > 0 {
		ground = m.is
	}
	switch surely, perhaps, inks, single := objects(m.values, ground); {
	case m.o.Numbers == NumbersInstances, m.o.Numbers == "" && surely && len(foreign) > 0:
		m.instances(m.values, zero, inks)
	case inks > dataset.MaxClass && len(foreign) > 0:
		refuse(m.values, KindScaledMask, "export class indices 0, 1, 2 …, or object numbers with one connected part each; if they are values, train with --head regression",
			"the masks of the set have %d values, and %.0f %% of them form one connected part: neither classes nor objects", inks, 100*single)
	case len(m.background) > 0 && (len(foreign) > 0 || len(binary) > 0 || slices.ContainsFunc(m.values, func(k *checked) bool { return m.startsAt(k) })):
		m.renumber(m.values, m.is)
	case len(foreign) == 0:
		m.binary(binary)
	case fringe(foreign, zero) && (m.o.Numbers == "" || inks >= fewFringe):
		m.askFringe(m.values, inks)
	case m.o.Numbers == "" && perhaps:
		refuse(m.values, KindInstances, "if they are classes: --fix OUT --numbers "+NumbersClasses+"; if they number objects: --fix OUT --numbers "+NumbersInstances,
			"%d values, each a single connected part in nearly all masks: they may be classes or number objects", inks)
		for _, k := range m.values {
			k.verdict.asked = true
		}
	default:
		m.numberValues(foreign, zero)
	}
}

// askGround asks for the background of labels without 0.
func (m *meaning) askGround() {
	b := commonBorder(m.values)
	for _, k := range m.values {
		m.ask(k, KindFullMask, b)
		k.verdict.cause = fmt.Sprintf("no mask (of %d) has background, value 0; the most common value along their borders is %d", len(m.values), b.value)
		k.verdict.fix += "; if every pixel has a class, give the most common the number 0"
	}
}

// startsAt reports whether a label holds indices and the named background.
func (m *meaning) startsAt(k *checked) bool {
	return slices.ContainsFunc(m.background, k.form.has) && !(len(m.background) == 1 && m.background[0].value == 0)
}

// numberValues numbers values that are not class indices, unless something
// contradicts this.
func (m *meaning) numberValues(foreign []*checked, zero func(ink) bool) {
	if b := commonBorder(m.values); !zero(b) {
		for _, k := range m.values {
			m.ask(k, KindScaledMask, b)
		}
		return
	}
	// Indices next to such values follow another numbering.
	strange := foreground(foreign, zero)
	var own []ink
	for _, k := range m.values {
		if k.form.beyond() > 0 || k.form.binary() {
			continue
		}
		for _, s := range k.form.strokes {
			if !zero(s.ink) && !slices.Contains(strange, s.ink) && !slices.Contains(own, s.ink) {
				own = append(own, s.ink)
			}
		}
	}
	if len(own) > 0 {
		refuse(foreign, KindScaledMask, "number the classes the same in all masks",
			"%s, while other masks hold class indices such as %d: it is unclear which classes they mean", names(strange), own[0].value)
		return
	}
	m.renumber(m.values, zero)
}

// renumber numbers all values of the set except background, in ascending order.
func (m *meaning) renumber(list []*checked, background func(ink) bool) {
	// 255 next to class indices marks ignored pixels.
	foreign := slices.ContainsFunc(list, func(k *checked) bool { return k.form.beyond() > 0 })
	open := func(k ink) bool { return !foreign && k.value == metric.Ignore }
	if len(m.background) > 0 {
		rest := list[:0:0]
		for _, k := range list {
			if groundless(k, list, background) {
				m.ask(k, KindScaledMask, k.form.border)
			} else {
				rest = append(rest, k)
			}
		}
		list = rest
	}
	inks := foreground(list, func(k ink) bool { return background(k) || open(k) })
	if len(inks) == 0 { // 255 is the only value
		inks = foreground(list, background)
	}
	m.number(inks)
	for _, k := range list {
		for _, s := range k.form.strokes {
			if background(s.ink) {
				m.classes[s.ink] = 0
			} else if open(s.ink) && m.classes[s.ink] == 0 {
				m.classes[s.ink] = metric.Ignore
			}
		}
		k.verdict.act, k.verdict.kind = actMap, KindScaledMask
		k.verdict.cause = fmt.Sprintf("value %d, highest class index %d", k.form.beyond(), dataset.MaxClass)
		k.verdict.fix = "a mask holds class indices 0, 1, 2 …: --fix OUT numbers the values in order"
		if k.form.beyond() == 0 {
			k.verdict.kind = ""
		}
	}
	name := "value 0"
	if len(m.background) > 0 {
		name = names(m.background)
	}
	m.say(name, inks)
}

// binary settles masks of 0 and 255 among masks of class indices.
func (m *meaning) binary(list []*checked) {
	if len(list) == 0 {
		return
	}
	indices := foreground(m.values, func(k ink) bool { return k.value == 0 || k.value >= metric.Ignore })
	top := ink{value: list[0].form.high()}
	if b := commonBorder(list); len(m.background) == 0 && b.value > 0 && len(indices) == 0 {
		for _, k := range list {
			m.ask(k, KindScaledMask, b)
			k.verdict.warn = true
			k.verdict.cause = fmt.Sprintf("values 0 and %d, and most masks have %d along their border: it may be the background", b.value, b.value)
			k.verdict.fix += "; if 0 is: --fix OUT --background 0"
		}
		return
	}
	switch {
	case len(indices) > 1 || len(indices) == 1 && indices[0].value != 1:
		refuse(list, KindScaledMask, "write the index of its class instead of 255, or remove the mask",
			"values 0 and %d, while other masks hold %s: it may be any of these classes, or mark ignored pixels", top.value, names(indices))
		return
	case len(indices) == 1:
		for _, k := range list {
			k.verdict.kind = KindScaledMask
			k.verdict.cause = fmt.Sprintf("values 0 and %d, while other masks hold class indices: %d would count as ignored", top.value, top.value)
			k.verdict.fix = fmt.Sprintf("%d should be 1: --fix OUT changes it", top.value)
		}
	}
	for _, k := range list {
		k.verdict.act = actMap
		for _, s := range k.form.strokes {
			if m.classes[s.ink] = 0; s.value > 0 {
				m.classes[s.ink] = 1
			}
		}
	}
}

// instances settles labels whose inks number objects.
func (m *meaning) instances(list []*checked, usual func(ink) bool, inks int) {
	border := commonBorder(list)
	for _, k := range list {
		if len(m.background) == 0 && !usual(border) {
			m.ask(k, KindInstances, border)
			continue
		}
		k.verdict.act, k.verdict.kind = actInstances, KindInstances
		k.verdict.cause = fmt.Sprintf("%d of its %d values form one connected part each, with %d values in the set: they number objects and are not classes", k.inked().single, k.inked().inks, inks)
		k.verdict.fix = "--fix OUT writes a mask of one class, and the numbers to instances/"
	}
}

// binary reports whether a mask holds only 0 and the highest value of its format.
func (f *labelForm) binary() bool {
	if f.coloured || f.inks > 2 {
		return false
	}
	top := f.high()
	if top != 255 && top != 65535 {
		return false
	}
	return f.inks == 1 || f.has(ink{})
}

// beyond returns the highest value that is neither a class index nor 255, or 0 if
// there is none.
func (f *labelForm) beyond() (high int) {
	for _, s := range f.strokes {
		if s.value > dataset.MaxClass && s.value != metric.Ignore {
			high = max(high, s.value)
		}
	}
	return high
}
