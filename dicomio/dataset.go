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

// dataset is what an object or an item of a sequence holds, by tag. Values are
// kept as they lie in a file in little endian, so that what is copied out of a
// source arrives byte for byte, whatever its character set.
type dataset map[uint32]field

// field is the value of one element: bytes or, for SQ, items.
type field struct {
	vr    string
	b     []byte
	items []dataset
}

// set puts text, whose values are joined by backslashes; none at all is an
// element without a value. The VR is the dictionary's, here and below.
func (d dataset) set(t uint32, values ...string) {
	d[t] = field{vr: dictionaryVR(t), b: []byte(strings.Join(values, `\`))}
}

// setInts puts whole numbers: as text for IS and DS, else in binary. A tag, of
// VR AT, is one number with the group in its upper half.
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

// setFloats puts decimal numbers, as text for DS, else in binary.
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

// setItems puts a sequence.
func (d dataset) setItems(t uint32, items ...dataset) {
	d[t] = field{vr: "SQ", items: items}
}

// setCode puts a code sequence of one item (PS3.3 8.8). A value too long for
// SH goes into Long Code Value.
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

// first returns the first item of a sequence, empty where there is none.
func (d dataset) first(t uint32) dataset {
	if items := d[t].items; len(items) > 0 {
		return items[0]
	}
	return nil
}

// numbers returns the values of a DS or IS element; nil where it is absent or
// not made of finite numbers.
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
		n, _ := strconv.Atoi(d.text(t)) // 0 for what is no number
		return n
	}
	return 0
}

// merge adds the elements of other, which go before those of d.
func (d dataset) merge(other dataset) {
	for t, f := range other {
		d[t] = f
	}
}

// ascii reports whether all text below d is free of bytes that only a character
// set gives a meaning.
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

// hasCharacters are the VRs that SpecificCharacterSet applies to (PS3.5 6.1.2.3).
var hasCharacters = map[string]bool{
	"SH": true, "LO": true, "UC": true, "ST": true, "LT": true, "UT": true, "PN": true,
}

// tags lists the tags of d in order.
func (d dataset) tags() []uint32 { return slices.Sorted(maps.Keys(d)) }

// appendTo appends d to b in little endian, elements in order, sequences and
// items with their lengths.
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

// appendHeader appends tag, VR and length. A value that is too long for a VR
// with a length of 16 bits is written as UN (PS3.5 6.2.2).
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

// padding is the byte that makes a value of odd length even (PS3.5 6.2).
func padding(vr string) byte {
	switch vr {
	case "UI", "OB", "UN":
		return 0
	}
	return ' '
}

// decimal writes v as a decimal string of at most 16 bytes (PS3.5 6.2), with as
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

// shorten cuts s to n characters, and takes out what text of one line cannot
// hold: control characters and the backslash that parts values.
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

// fold writes characters outside ASCII, in the text of d and below, as question
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
