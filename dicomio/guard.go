package dicomio

import (
	"encoding/binary"
	"fmt"

	dictionary "github.com/suyashkumar/dicom/pkg/tag"

	"segd"
	"segd/dicomio/tag"
)

const (
	undefined  = 0xffffffff // the length of what ends with a delimiter
	itemHeader = 8          // bytes of tag and length
	longHeader = 12
)

// element is one top-level element of a data set. Its header begins at start,
// its value at value; the value is end-value bytes long.
type element struct {
	tag               uint32
	vr                string
	start, value, end int
	undefined         bool // undefined length; end is then after the delimiter
	unnamed           bool // in a sequence of VR UN: implicit VR little endian
}

// walker checks the structure of a data set: each length against the bytes left,
// the nesting, the number of elements, and the VRs. It allocates only the list
// of top-level elements.
type walker struct {
	b        []byte
	order    binary.ByteOrder
	implicit bool
	limit    int // elements
	count    int
	top      []element
}

// pixelTag reports whether t holds pixels, whose length may exceed that of an
// ordinary value.
func pixelTag(t uint32) bool {
	return t == tag.PixelData || t == tag.FloatPixelData || t == tag.DoubleFloatPixelData
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("dicomio: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}

// name formats a tag as the standard does.
func name(t uint32) string { return fmt.Sprintf("(%04X,%04X)", t>>16, t&0xffff) }

// walk checks the elements from p to end, or to delimiter if that is not 0, and
// returns the position after them.
func (w *walker) walk(p, end int, delimiter uint32, depth int) (int, error) {
	if depth > maxDepth {
		return p, fmt.Errorf("dicomio: %w: sequences nested deeper than %d", segd.ErrTooLarge, maxDepth)
	}
	for p < end {
		e, err := w.header(p, end)
		if err != nil {
			return p, err
		}
		if delimiter != 0 && e.tag == delimiter {
			return e.value, nil
		}
		if depth == 0 && e.tag == 0 && w.behindPixels() {
			return p, malformed("element %s after the pixels", name(e.tag)) // zeros that pad the file
		}
		if p, err = w.content(&e, end, depth); err != nil {
			return p, err
		}
		if depth == 0 {
			w.top = append(w.top, e)
		}
	}
	if delimiter != 0 {
		return p, malformed("an item has no end")
	}
	return p, nil
}

// behindPixels reports whether the last top-level element holds pixels.
func (w *walker) behindPixels() bool {
	return len(w.top) > 0 && pixelTag(w.top[len(w.top)-1].tag)
}

// header reads the tag, VR and length of the element at p. It sets end if the
// length is defined, without checking it.
func (w *walker) header(p, end int) (element, error) {
	if end-p < itemHeader {
		return element{}, malformed("truncated: %d bytes where an element should begin", end-p)
	}
	if err := w.tick(); err != nil {
		return element{}, err
	}
	e := element{tag: w.tag(p), start: p, value: p + itemHeader}
	length := w.order.Uint32(w.b[p+4:])
	switch {
	case e.tag>>16 == 0xfffe:
		// Items and delimiters never have a VR.
	case w.implicit:
		e.vr = dictionaryVR(e.tag)
	default:
		e.vr = string(w.b[p+4 : p+6])
		kind, known := vrs[e.vr]
		switch {
		case !known:
			return e, malformed("element %s has no valid VR", name(e.tag))
		case kind == shortVR:
			length = uint32(w.order.Uint16(w.b[p+6:]))
		case end-p < longHeader:
			return e, malformed("truncated in the header of element %s", name(e.tag))
		default:
			length = w.order.Uint32(w.b[p+8:])
			e.value = p + longHeader
		}
	}
	if length == undefined {
		e.undefined = true
		return e, nil
	}
	if int64(length) > int64(len(w.b)) {
		// Fits int on every platform; content refuses it.
		length = uint32(len(w.b)) + 1
	}
	e.end = e.value + int(length)
	return e, nil
}

// content checks the value of e, sets e.end if its length is undefined, and
// returns the position after it.
func (w *walker) content(e *element, end, depth int) (int, error) {
	var err error
	switch {
	case e.tag>>16 == 0xfffe:
		return e.value, malformed("item or delimiter %s outside a sequence", name(e.tag))
	case e.undefined && (e.vr == "OB" || e.vr == "OW"):
		// Encapsulated pixels, of the image or of an icon.
		e.end, err = w.fragments(e.value, end)
	case e.undefined && e.vr == "SQ":
		e.end, err = w.items(e.value, end, true, depth+1)
	case e.undefined && e.vr == "UN":
		e.end, err = w.unknown(e.value, end, depth+1)
	case e.undefined:
		return e.value, malformed("element %s of VR %s has an undefined length", name(e.tag), e.vr)
	case e.end > end:
		return e.value, malformed("truncated: element %s has %d bytes, only %d are left", name(e.tag), e.end-e.value, end-e.value)
	case e.vr == "SQ":
		_, err = w.items(e.value, e.end, false, depth+1)
	case e.end-e.value > maxValue && !pixelTag(e.tag):
		return e.value, fmt.Errorf("dicomio: %w: element %s has %d bytes, limit %d", segd.ErrTooLarge, name(e.tag), e.end-e.value, maxValue)
	}
	return e.end, err
}

// items checks the items of a sequence.
func (w *walker) items(p, end int, open bool, depth int) (int, error) {
	for p < end {
		if end-p < itemHeader {
			return p, malformed("truncated where an item should begin")
		}
		if err := w.tick(); err != nil {
			return p, err
		}
		t, length := w.tag(p), w.order.Uint32(w.b[p+4:])
		p += itemHeader
		if t == tag.SequenceDelimitationItem && open {
			return p, nil
		}
		if t != tag.Item {
			return p, malformed("element %s in place of an item", name(t))
		}
		var err error
		switch {
		case length == undefined:
			p, err = w.walk(p, end, tag.ItemDelimitationItem, depth)
		case int64(length) > int64(end-p):
			return p, malformed("truncated: an item has %d bytes, only %d are left", length, end-p)
		default:
			_, err = w.walk(p, p+int(length), 0, depth)
			p += int(length)
		}
		if err != nil {
			return p, err
		}
	}
	if open {
		return p, malformed("a sequence has no end")
	}
	return p, nil
}

// unknown checks a sequence of VR UN. Its items are in implicit VR little endian
// whatever the syntax (PS3.5 6.2.2), though some writers keep to the syntax of
// the file.
func (w *walker) unknown(p, end, depth int) (int, error) {
	order, implicit := w.order, w.implicit
	w.order, w.implicit = binary.LittleEndian, true
	q, err := w.items(p, end, true, depth)
	w.order, w.implicit = order, implicit
	if err != nil && !implicit && w.count < w.limit {
		return w.items(p, end, true, depth)
	}
	return q, err
}

// fragments checks encapsulated pixel data (PS3.5 A.4).
func (w *walker) fragments(p, end int) (int, error) {
	for {
		if end-p < itemHeader {
			return p, malformed("truncated: the fragments of %s have no end", name(tag.PixelData))
		}
		if err := w.tick(); err != nil {
			return p, err
		}
		t, length := w.tag(p), w.order.Uint32(w.b[p+4:])
		p += itemHeader
		switch {
		case t == tag.SequenceDelimitationItem:
			return p, nil
		case t != tag.Item:
			return p, malformed("element %s in place of a fragment", name(t))
		case int64(length) > int64(end-p):
			return p, malformed("truncated: a fragment has %d bytes, only %d are left", length, end-p)
		}
		p += int(length)
	}
}

func (w *walker) tick() error {
	if w.count++; w.count > w.limit {
		return fmt.Errorf("dicomio: %w: more than %d elements", segd.ErrTooLarge, w.limit)
	}
	return nil
}

func (w *walker) tag(p int) uint32 {
	return uint32(w.order.Uint16(w.b[p:]))<<16 | uint32(w.order.Uint16(w.b[p+2:]))
}

// Kinds of explicit VR: with a 16-bit length, or with two reserved bytes and a
// 32-bit length.
const (
	shortVR = iota
	longVR
)

// vrs are the value representations of PS3.5 6.2.
var vrs = map[string]int{
	"AE": shortVR, "AS": shortVR, "AT": shortVR, "CS": shortVR, "DA": shortVR, "DS": shortVR,
	"DT": shortVR, "FD": shortVR, "FL": shortVR, "IS": shortVR, "LO": shortVR, "LT": shortVR,
	"PN": shortVR, "SH": shortVR, "SL": shortVR, "SS": shortVR, "ST": shortVR, "TM": shortVR,
	"UI": shortVR, "UL": shortVR, "US": shortVR,
	"OB": longVR, "OD": longVR, "OF": longVR, "OL": longVR, "OV": longVR, "OW": longVR,
	"SQ": longVR, "SV": longVR, "UC": longVR, "UN": longVR, "UR": longVR, "UT": longVR, "UV": longVR,
}

// dictionaryVR returns the VR of a tag in an implicit syntax, or UN if the tag
// is private or unknown.
func dictionaryVR(t uint32) string {
	if t&0xffff == 0 {
		return "UL" // group length
	}
	if t>>16&1 == 1 {
		return "UN"
	}
	if i, ok := lookup(t); ok && len(i.VRs) > 0 {
		return i.VRs[0]
	}
	return "UN"
}

// lookup returns the entry of a tag in the dictionary (PS3.6).
func lookup(t uint32) (dictionary.Info, bool) {
	i, err := dictionary.Find(dictionary.Tag{Group: uint16(t >> 16), Element: uint16(t)})
	return i, err == nil
}
