package dicomio

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"segd/dicomio/tag"
)

// dataset holds the elements of an object or of an item of a sequence, by tag.
// Values are kept as encoded in little endian, so that those copied from a
// source stay the same bytes whatever their character set.
type dataset map[uint32]field

// field is the value of one element: bytes or, for SQ, items.
type field struct {
	vr    string
	b     []byte
	items []dataset
}

// set sets a text element. Several values are joined by backslashes; without
// values the element is empty. All setters take the VR from the dictionary.
func (d dataset) set(t uint32, values ...string) {
	d[t] = field{vr: dictionaryVR(t), b: []byte(strings.Join(values, `\`))}
}

// setInts sets integers: as text for IS and DS, otherwise in binary. An AT value
// is one integer with the group in its upper half.
func (d dataset) setInts(t uint32, values ...int) {
	f := field{vr: dictionaryVR(t)}
	var text []string
	for _, v := range values {
		switch f.vr {
		case "US", "SS":
			f.b = binary.LittleEndian.AppendUint16(f.b, uint16(v))
		case "UL", "SL":
			f.b = binary.LittleEndian.AppendUint32(f.b, uint32(v))
		case "AT":
			f.b = binary.LittleEndian.AppendUint16(f.b, uint16(v>>16))
			f.b = binary.LittleEndian.AppendUint16(f.b, uint16(v))
		default:
			text = append(text, strconv.Itoa(v))
		}
	}
	if text != nil {
		f.b = []byte(strings.Join(text, `\`))
	}
	d[t] = f
}

// setFloats sets decimal numbers: as text for DS, otherwise in binary.
func (d dataset) setFloats(t uint32, values ...float64) {
	f := field{vr: dictionaryVR(t)}
	var text []string
	for _, v := range values {
		switch f.vr {
		case "FL":
			f.b = binary.LittleEndian.AppendUint32(f.b, math.Float32bits(float32(v)))
		case "FD":
			f.b = binary.LittleEndian.AppendUint64(f.b, math.Float64bits(v))
		default:
			text = append(text, decimal(v))
		}
	}
	if text != nil {
		f.b = []byte(strings.Join(text, `\`))
	}
	d[t] = f
}

// setItems sets a sequence.
func (d dataset) setItems(t uint32, items ...dataset) {
	d[t] = field{vr: "SQ", items: items}
}

// setCode sets a code sequence with one item (PS3.3 8.8). A value too long for
// SH becomes a Long Code Value.
func (d dataset) setCode(t uint32, c code) {
	item := dataset{}
	if len(c.Value) > 16 {
		item.set(tag.LongCodeValue, c.Value)
	} else {
		item.set(tag.CodeValue, c.Value)
	}
	item.set(tag.CodingSchemeDesignator, c.Scheme)
	item.set(tag.CodeMeaning, shorten(c.Meaning, 64))
	d.setItems(t, item)
}

// text returns the value of a text element without padding.
func (d dataset) text(t uint32) string { return strings.Trim(string(d[t].b), " \x00") }

// has reports whether d has a value for tag.
func (d dataset) has(t uint32) bool { return d.text(t) != "" || len(d[t].items) > 0 }

// first returns the first item of a sequence, or an empty data set.
func (d dataset) first(t uint32) dataset {
	if items := d[t].items; len(items) > 0 {
		return items[0]
	}
	return nil
}

// numbers returns the values of a DS or IS element; nil if it is absent or any
// value is not a finite number.
func (d dataset) numbers(t uint32) []float64 {
	text := d.text(t)
	if text == "" {
		return nil
	}
	var out []float64
	for s := range strings.SplitSeq(text, `\`) {
		v, err := strconv.ParseFloat(strings.Trim(s, " \x00"), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// integer returns the first value of a US, UL or IS element, or 0.
func (d dataset) integer(t uint32) int {
	switch f := d[t]; {
	case f.vr == "US" && len(f.b) >= 2:
		return int(binary.LittleEndian.Uint16(f.b))
	case f.vr == "UL" && len(f.b) >= 4:
		return int(binary.LittleEndian.Uint32(f.b))
	case f.vr == "IS":
		n, _ := strconv.Atoi(d.text(t)) // 0 if it is not a number
		return n
	}
	return 0
}

// merge adds the elements of other, which replace those of d.
func (d dataset) merge(other dataset) {
	for t, f := range other {
		d[t] = f
	}
}

// ascii reports whether all text in d and its items is plain ASCII, without
// escape sequences.
func (d dataset) ascii() bool {
	for _, f := range d {
		for _, item := range f.items {
			if !item.ascii() {
				return false
			}
		}
		if !hasCharacters[f.vr] {
			continue
		}
		for _, c := range f.b {
			if c >= 0x80 || c == 0x1b {
				return false
			}
		}
	}
	return true
}

// hasCharacters lists the VRs that SpecificCharacterSet applies to (PS3.5
// 6.1.2.3).
var hasCharacters = map[string]bool{
	"SH": true, "LO": true, "UC": true, "ST": true, "LT": true, "UT": true, "PN": true,
}

// tags returns the tags of d in ascending order.
func (d dataset) tags() []uint32 { return slices.Sorted(maps.Keys(d)) }

// appendTo appends the encoding of d in little endian to b, with elements in
// order and sequences and items of defined length.
func (d dataset) appendTo(b []byte, implicit bool) []byte {
	for _, t := range d.tags() {
		f := d[t]
		if f.vr != "SQ" {
			pad := len(f.b) & 1
			b = appendHeader(b, t, f.vr, len(f.b)+pad, implicit)
			b = append(b, f.b...)
			if pad == 1 {
				b = append(b, padding(f.vr))
			}
			continue
		}
		b = appendHeader(b, t, "SQ", 0, implicit)
		sequence := len(b)
		for _, item := range f.items {
			b = appendHeader(b, tag.Item, "", 0, true)
			start := len(b)
			b = item.appendTo(b, implicit)
			binary.LittleEndian.PutUint32(b[start-4:], uint32(len(b)-start))
		}
		binary.LittleEndian.PutUint32(b[sequence-4:], uint32(len(b)-sequence))
	}
	return b
}

// appendHeader appends a tag, VR and length. A value too long for a VR with a
// 16-bit length is written as UN (PS3.5 6.2.2).
func appendHeader(b []byte, t uint32, vr string, length int, implicit bool) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(t>>16))
	b = binary.LittleEndian.AppendUint16(b, uint16(t))
	if implicit {
		return binary.LittleEndian.AppendUint32(b, uint32(length))
	}
	if vrs[vr] == shortVR {
		if length <= math.MaxUint16 {
			return binary.LittleEndian.AppendUint16(append(b, vr...), uint16(length))
		}
		vr = "UN"
	}
	return binary.LittleEndian.AppendUint32(append(b, vr[0], vr[1], 0, 0), uint32(length))
}

// padding is the byte that pads a value to an even length (PS3.5 6.2).
func padding(vr string) byte {
	switch vr {
	case "UI", "OB", "UN":
		return 0
	}
	return ' '
}

// decimal formats v as a decimal string of at most 16 bytes (PS3.5 6.2), with as
// many digits as fit.
func decimal(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if len(s) <= 16 {
		return s
	}
	for digits := 15; digits > 0; digits-- {
		if s = strconv.FormatFloat(v, 'g', digits, 64); len(s) <= 16 {
			break
		}
	}
	return s
}

// shorten cuts s to n characters and replaces those that one line of text may
// not hold: control characters, and the backslash, which separates values.
func shorten(s string, n int) string {
	out := make([]rune, 0, n)
	for _, r := range s {
		if len(out) == n {
			break
		}
		if r < ' ' || r == 0x7f || r == '\\' {
			r = '_'
		}
		out = append(out, r)
	}
	return strings.TrimSpace(string(out))
}

// fold replaces non-ASCII characters in the text of d and its items by question
// marks.
func (d dataset) fold() {
	for t, f := range d {
		for _, item := range f.items {
			item.fold()
		}
		if hasCharacters[f.vr] {
			f.b = []byte(strings.Map(func(r rune) rune {
				if r > '~' {
					return '?'
				}
				return r
			}, string(f.b)))
			d[t] = f
		}
	}
}
