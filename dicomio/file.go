package dicomio

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"segd"
	"segd/dicomio/tag"
)

const preamble = 128

// file locates the elements of a DICOM file.
type file struct {
	walker
	syntax   string // transfer syntax UID
	inflated bool   // walker.b is a copy
	warnings []string
}

// Is reports whether b is, or looks like, a DICOM file: it has the prefix DICM
// after the preamble, or it begins with an element that only a DICOM data set
// begins with. Is reads at most 132 bytes.
func Is(b []byte) bool {
	if len(b) >= preamble+4 && string(b[preamble:preamble+4]) == "DICM" {
		return true
	}
	_, ok := sniff(b)
	return ok
}

// open checks the structure of b and lists its top-level elements.
func open(b []byte) (*file, error) {
	if len(b) == 0 {
		return nil, malformed("empty file")
	}
	if len(b) > segd.MaxFile {
		return nil, fmt.Errorf("dicomio: %w: %d bytes, limit %d", segd.ErrTooLarge, len(b), segd.MaxFile)
	}
	f := &file{}
	p, preambled := start(b)
	if !preambled {
		if _, ok := sniff(b); !ok {
			return nil, malformed("neither a DICOM prefix nor a data set without one")
		}
		f.warnings = append(f.warnings, "the file lacks the DICOM preamble")
	}
	p, err := f.meta(b, p)
	if err != nil {
		return nil, err
	}
	if err := f.choose(b[p:]); err != nil {
		return nil, err
	}
	f.b, f.limit = b[p:], maxElements
	if f.syntax == deflatedLE {
		if f.b, err = inflate(b[p:]); err != nil {
			return nil, err
		}
		f.inflated = true
	}
	if len(f.b) == 0 {
		return nil, malformed("truncated: no data set after the file meta information")
	}
	_, err = f.walk(0, len(f.b), 0, 0)
	if errors.Is(err, segd.ErrFormat) && f.behindPixels() {
		// An image needs nothing after its pixels, as elements are in the order of
		// their tags (PS3.5 7.1). Some writers and media leave stray bytes there.
		f.warnings = append(f.warnings, "the bytes after the pixel data are not a data set and are ignored")
		err = nil
	}
	return f, err
}

// meta reads the file meta information (PS3.10 7.1), always in explicit VR
// little endian, and returns the position after it. It ignores the group length:
// the group ends where another begins.
func (f *file) meta(b []byte, p int) (int, error) {
	m := walker{b: b, order: binary.LittleEndian, limit: 256}
	for len(b)-p >= itemHeader && m.tag(p)>>16 == 2 {
		m.implicit = vrs2(b[p+4:p+6]) == ""
		e, err := m.header(p, len(b))
		if err != nil {
			return p, err
		}
		if p, err = m.content(&e, len(b), 0); err != nil {
			return p, err
		}
		if e.tag == tag.TransferSyntaxUID && f.syntax == "" { // if the group is repeated, the first one counts
			f.syntax = strings.TrimRight(string(b[e.value:e.end]), " \x00")
			if !isUID(f.syntax) {
				return p, malformed("element %s is not a UID", name(e.tag))
			}
		}
	}
	return p, nil
}

// choose determines the encoding of the data set b from the transfer syntax. If
// the file names none, or the wrong one of the two plain ones, as some writers
// do, it examines b.
func (f *file) choose(b []byte) error {
	seen, ok := sniff(b)
	switch f.syntax {
	case "":
		if !ok {
			return malformed("no transfer syntax (0002,0010), and the data set does not reveal one")
		}
		f.syntax = seen
		f.warnings = append(f.warnings, "the file names no transfer syntax; it is detected from the data set")
	case implicitLE, explicitLE:
		if ok && seen != f.syntax && seen != explicitBE {
			f.syntax = seen
			f.warnings = append(f.warnings, "the data set is not in the transfer syntax that the file names; it is read in the one that is detected")
		}
	case explicitBE, deflatedLE:
	default:
		if _, known := encapsulations[f.syntax]; !known {
			return fmt.Errorf("dicomio: %w: transfer syntax %s%s", segd.ErrUnsupported, f.syntax, refused(f.syntax))
		}
		if f.implicit = ok && seen == implicitLE; f.implicit {
			f.warnings = append(f.warnings, "the data set is in implicit VR, which the transfer syntax does not allow; it is read as implicit VR")
		}
	}
	f.order = binary.LittleEndian
	if f.syntax == explicitBE {
		f.order = binary.BigEndian
	}
	f.implicit = f.implicit || f.syntax == implicitLE
	return nil
}

// sniff detects the encoding of a data set, or of file meta information without
// a preamble, from its first element. The element must be in group 2 or 8, and
// have the VR of the dictionary or, in implicit VR, be in the dictionary and fit
// the bytes.
func sniff(b []byte) (syntax string, ok bool) {
	if len(b) < itemHeader {
		return "", false
	}
	little, big := binary.LittleEndian, binary.BigEndian
	first := uint32(little.Uint16(b))<<16 | uint32(little.Uint16(b[2:]))
	vr := vrs2(b[4:6])
	if g := first >> 16; g == 2 || g == 8 {
		known := dictionaryVR(first)
		if vr != "" && (vr == known || vr == "UN" || known == "UN") {
			return explicitLE, true
		}
		length := int64(little.Uint32(b[4:]))
		if known != "UN" && (length <= int64(len(b)-itemHeader) && length < 1<<16 || known == "SQ" && length == undefined) {
			return implicitLE, true
		}
	}
	first = uint32(big.Uint16(b))<<16 | uint32(big.Uint16(b[2:]))
	if first>>16 == 8 && vr != "" && vr == dictionaryVR(first) {
		return explicitBE, true
	}
	return "", false
}

// vrs2 returns the VR that two bytes spell, or the empty string.
func vrs2(b []byte) string {
	if _, ok := vrs[string(b)]; ok {
		return string(b)
	}
	return ""
}

// isUID reports whether s has the form of a UID (PS3.5 chapter 9): numbers
// separated by dots, the first of them 0, 1 or 2. Leading zeros are accepted
// because they occur. Something that merely resembles a number, such as a date,
// is not a UID.
func isUID(s string) bool {
	if len(s) > 64 || strings.Count(s, ".") < 2 || s[0] > '2' {
		return false
	}
	for i, arc := range strings.Split(s, ".") {
		if arc == "" || strings.Trim(arc, "0123456789") != "" || i == 0 && len(arc) != 1 {
			return false
		}
	}
	return true
}

// inflate expands a deflated data set (PS3.5 A.5). It measures the size before
// allocating, so that a deflate bomb costs a little time and no memory.
func inflate(b []byte) ([]byte, error) {
	size, err := inflatedSize(b)
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(b)), out); err != nil {
		return nil, malformed("the deflated data set is damaged or truncated")
	}
	return out, nil
}
