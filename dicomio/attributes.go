package dicomio

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/suyashkumar/dicom"

	"segd"
)

// begin writes the head of the file for the library: file meta information that
// names an explicit syntax in the byte order of r.f.
func (r *reading) begin() {
	syntax := explicitLE
	if r.f.order == binary.BigEndian {
		syntax = explicitBE
	}
	syntax += "\x00" // both UIDs have an odd length
	r.out.Write(make([]byte, preamble))
	r.out.WriteString("DICM\x02\x00\x00\x00UL\x04\x00")
	r.out.Write(binary.LittleEndian.AppendUint32(nil, uint32(itemHeader+len(syntax))))
	r.out.WriteString("\x02\x00\x10\x00UI")
	r.out.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(syntax))))
	r.out.WriteString(syntax)
}

// add queues the wanted elements; decode stores their values in owner.
func (r *reading) add(elements []element, owner attributes) error {
	for _, e := range elements {
		allowed := wanted[e.tag]
		if allowed == "" || e.end == e.value {
			continue
		}
		vr := e.vr
		if vr == "UN" {
			vr = allowed[:2]
		}
		switch {
		case (e.vr == "UN" || e.unnamed) && r.f.order == binary.BigEndian:
			return unprocessable("element %s has VR UN in a big endian file: its byte order is unknown", name(e.tag))
		case !strings.Contains(allowed, vr):
			return malformed("element %s has VR %s, want %s", name(e.tag), vr, strings.ReplaceAll(allowed, " ", " or "))
		case e.undefined:
			return malformed("element %s has no length", name(e.tag))
		case e.end-e.value > math.MaxUint16 && vrs[vr] == shortVR:
			return malformed("element %s of VR %s has %d bytes", name(e.tag), vr, e.end-e.value)
		}
		r.write(e, vr)
		r.tags = append(r.tags, e.tag)
		r.owners = append(r.owners, owner)
	}
	return nil
}

func (r *reading) write(e element, vr string) {
	var head [longHeader]byte
	o := r.f.order
	o.PutUint16(head[0:], uint16(e.tag>>16))
	o.PutUint16(head[2:], uint16(e.tag))
	copy(head[4:], vr)
	n := itemHeader
	if vrs[vr] == longVR {
		n = longHeader
		o.PutUint32(head[8:], uint32(e.end-e.value))
	} else {
		o.PutUint16(head[6:], uint16(e.end-e.value))
	}
	r.out.Write(head[:n])
	r.out.Write(r.f.b[e.value:e.end])
}

// decode parses the queued elements with the library and stores the values with
// their owners. The library's errors and panics may quote values, so their text
// is dropped.
func (r *reading) decode() (err error) {
	defer func() {
		if recover() != nil {
			err = malformed("an element that describes the pixels is damaged")
		}
	}()
	set, parseErr := dicom.Parse(&r.out, int64(r.out.Len()), nil,
		dicom.SkipProcessingPixelDataValue(), dicom.AllowUnknownSpecificCharacterSet())
	const meta = 2 // elements of begin
	if n := len(set.Elements) - meta; parseErr != nil || n != len(r.tags) {
		if n >= 0 && n < len(r.tags) {
			return malformed("element %s is damaged", name(r.tags[n]))
		}
		return malformed("an element that describes the pixels is damaged")
	}
	for i, e := range set.Elements[meta:] {
		if _, twice := r.owners[i][r.tags[i]]; twice {
			return malformed("element %s occurs twice", name(r.tags[i]))
		}
		r.owners[i][r.tags[i]] = e.Value.GetValue()
	}
	return nil
}

// text returns the first value of a string element without its padding, or the
// empty string.
func (a attributes) text(t uint32) string {
	if s, ok := a[t].([]string); ok && len(s) > 0 {
		return strings.Trim(s[0], " \x00")
	}
	return ""
}

// ints returns the values of an integer element, binary or text; nil if it is
// absent or empty.
func (a attributes) ints(t uint32) ([]int, error) {
	switch v := a[t].(type) {
	case []int:
		return v, nil
	case []string:
		out := make([]int, 0, len(v))
		for _, s := range v {
			s = strings.Trim(s, " \x00")
			if s == "" {
				continue
			}
			n, err := strconv.Atoi(s)
			if err != nil {
				return nil, malformed("element %s is not a whole number", name(t))
			}
			out = append(out, n)
		}
		return out, nil
	}
	return nil, nil
}

// integer returns the first value of an integer element, or fallback.
func (a attributes) integer(t uint32, fallback int) (int, error) {
	v, err := a.ints(t)
	if err != nil || len(v) == 0 {
		return fallback, err
	}
	return v[0], nil
}

// floats returns the values of a decimal element, binary or text; nil if it is
// absent or empty.
func (a attributes) floats(t uint32) ([]float64, error) {
	var out []float64
	switch v := a[t].(type) {
	case []float64:
		out = v
	case []string:
		for _, s := range v {
			s = strings.Trim(s, " \x00")
			if s == "" {
				continue
			}
			x, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return nil, malformed("element %s is not a number", name(t))
			}
			out = append(out, x)
		}
	}
	for _, x := range out {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, malformed("element %s is not a finite number", name(t))
		}
	}
	return out, nil
}

// words returns the 16-bit values of a lookup table. The library leaves OW as
// bytes in little endian and gives other VRs as integers.
func (a attributes) words(t uint32) []int {
	switch v := a[t].(type) {
	case []int:
		return v
	case []byte:
		out := make([]int, len(v)/2)
		for i := range out {
			out[i] = int(v[2*i]) | int(v[2*i+1])<<8
		}
		return out
	}
	return nil
}

func unprocessable(format string, args ...any) error {
	return fmt.Errorf("dicomio: %w: %s", segd.ErrUnprocessable, fmt.Sprintf(format, args...))
}
