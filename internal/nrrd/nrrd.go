// Package nrrd reads NRRD files, which 3D Slicer and many tools of research write: .nrrd,
// a header in text and the values behind it, and .nhdr, a header whose values are in
// other files.
//
//	v, err := nrrd.Read(b)
//
// Volumes of two to four axes are read: columns, rows, planes, and times or the three
// components of a colour. Values are raw, gzip, bzip2, text or hexadecimal digits.
// Limits are those of package nifti, whose Volume is the result. Not read, with
// segd.ErrUnsupported: values in another folder, other spaces than those of a patient,
// vectors other than colours of 8 bits.
//
// Source: teem.sourceforge.net/nrrd/format.html, version 5.
package nrrd

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"segd"
	"segd/internal/beside"
	"segd/internal/nifti"
)

// maxHeader bounds the header, in bytes.
const maxHeader = 1 << 20

// Is reports whether b begins as an NRRD file does.
func Is(b []byte) bool {
	return len(b) >= 8 && bytes.HasPrefix(b, []byte("NRRD000")) && b[7] >= '1' && b[7] <= '9'
}

// Read is ReadBeside of a file that has its values in itself.
func Read(b []byte) (*nifti.Volume, error) { return ReadBeside(b, beside.Files{}) }

// ReadBeside reads the NRRD file b, which is not kept, and where its values are in other
// files, those that lie beside it.
//
// The errors are segd.ErrFormat (malformed or truncated), segd.ErrTooLarge,
// segd.ErrUnsupported and those of files.
func ReadBeside(b []byte, files beside.Files) (*nifti.Volume, error) {
	h, err := open(b)
	if err != nil {
		return nil, err
	}
	data, err := h.decode(files)
	if err != nil {
		return nil, err
	}
	return nifti.Make(h.layout, data)
}

// ReadHeader reads the header alone. The errors are those of Read.
func ReadHeader(b []byte) (*nifti.Header, error) {
	h, err := open(b)
	if err != nil {
		return nil, err
	}
	return h.layout.Header()
}

// Files returns the names of the files that have the values of the header b, as it has
// them; nil: they lie behind it. The errors are those of Read.
func Files(b []byte) ([]string, error) {
	h, err := open(b)
	if err != nil || !h.detached() {
		return nil, err
	}
	return h.files()
}

// header is what the fields say.
type header struct {
	fields   map[string]string
	list     []string // names of files with values that the header has behind its fields
	layout   nifti.Layout
	encoding string
	colour   bool
	size     int64 // of the values, in bytes
	bytes    int   // of a value
	signed   bool
	rest     []byte // behind the header
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("nrrd: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("nrrd: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, args...))
}

// open reads and checks the header.
func open(b []byte) (*header, error) {
	h := &header{fields: map[string]string{}}
	text := b[:min(len(b), maxHeader)]
	for first := true; ; first = false {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		// A header alone may end with its file, and so may its last line.
		if !ok && (len(b) > maxHeader || len(line) == 0 && !h.detached()) {
			return nil, malformed("the header has no end within %d bytes", min(len(b), maxHeader))
		}
		text, line = rest, bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if h.list != nil { // it goes to the end
			h.list = append(h.list, strings.TrimSpace(string(line)))
			continue
		}
		if first || line[0] == '#' || bytes.Contains(line, []byte(":=")) {
			continue // the magic, a comment, and what users add
		}
		key, value, ok := strings.Cut(string(line), ":")
		if !ok {
			return nil, malformed("a line of the header is not a field")
		}
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		if h.fields[key] = value; isDataFile(key) && isList(value) {
			h.list = []string{}
		}
	}
	h.rest = b[min(len(b), maxHeader)-len(text):]
	return h, h.settle()
}

// get returns a field by any of its names.
func (h *header) get(names ...string) string {
	for _, n := range names {
		if v := h.fields[n]; v != "" {
			return v
		}
	}
	return ""
}

// types are the names of types, and what package nifti calls them.
var types = map[string]string{
	"signed char": "int8", "int8": "int8", "int8_t": "int8",
	"uchar": "uint8", "unsigned char": "uint8", "uint8": "uint8", "uint8_t": "uint8",
	"short": "int16", "short int": "int16", "signed short": "int16", "signed short int": "int16", "int16": "int16", "int16_t": "int16",
	"ushort": "uint16", "unsigned short": "uint16", "unsigned short int": "uint16", "uint16": "uint16", "uint16_t": "uint16",
	"int": "int32", "signed int": "int32", "int32": "int32", "int32_t": "int32",
	"uint": "uint32", "unsigned int": "uint32", "uint32": "uint32", "uint32_t": "uint32",
	"longlong": "int64", "long long": "int64", "long long int": "int64", "signed long long": "int64", "signed long long int": "int64", "int64": "int64", "int64_t": "int64",
	"ulonglong": "uint64", "unsigned long long": "uint64", "unsigned long long int": "uint64", "uint64": "uint64", "uint64_t": "uint64",
	"float": "float32", "double": "float64",
}

// settle makes the layout of the fields.
func (h *header) settle() error {
	kind, ok := types[strings.ToLower(h.get("type"))]
	if !ok {
		return unsupported("values of type %.40q", h.get("type"))
	}
	bits, _ := strconv.Atoi(strings.TrimLeftFunc(kind, unicode.IsLetter))
	h.bytes, h.signed = bits/8, kind[0] == 'i'
	h.layout.Type = kind
	if h.encoding = strings.ToLower(h.get("encoding")); h.encoding == "" {
		return malformed("no encoding")
	}
	switch e := strings.ToLower(h.get("endian")); {
	case e == "big":
		h.layout.BigEndian = true
	case e != "" && e != "little", e == "" && h.bytes > 1 && (h.encoding == "raw" || strings.HasPrefix(h.encoding, "gz") || strings.HasPrefix(h.encoding, "bz")):
		return malformed("endian %.20q, want little or big", e)
	}
	sizes, err := h.sizes()
	if err != nil {
		return err
	}
	sizes, directions, err := h.axes(sizes)
	if err != nil {
		return err
	}
	for len(sizes) < 3 {
		sizes = append(sizes, 1)
	}
	l := &h.layout
	l.Width, l.Height, l.Depth, l.Times = sizes[0], sizes[1], sizes[2], 1
	if len(sizes) > 3 {
		l.Times = sizes[3]
	}
	if h.colour {
		l.Type = "RGB"
	}
	return h.place(directions)
}

// sizes reads the numbers of samples along the axes, the fastest first.
func (h *header) sizes() ([]int, error) {
	n, err := strconv.Atoi(h.get("dimension"))
	if err != nil || n < 1 {
		return nil, malformed("dimension %.20q", h.get("dimension"))
	}
	list := strings.Fields(h.get("sizes"))
	if len(list) != n {
		return nil, malformed("%d sizes for %d axes", len(list), n)
	}
	if n < 2 || n > 4 {
		return nil, unsupported("%d axes, want 2 to 4", n)
	}
	var sizes []int
	h.size = int64(h.bytes)
	for _, s := range list {
		v, err := strconv.Atoi(s)
		if err != nil || v < 1 {
			return nil, malformed("size %.20q", s)
		}
		if v > math.MaxInt32 || h.size > math.MaxInt64/int64(v) {
			return nil, fmt.Errorf("nrrd: %w: %d samples along an axis", segd.ErrTooLarge, v)
		}
		sizes, h.size = append(sizes, v), h.size*int64(v)
	}
	return sizes, nil
}

// axes tells colours and times from the axes of space, and returns the sizes of the
// others with their directions, which are nil where there are none.
func (h *header) axes(sizes []int) ([]int, []string, error) {
	directions := vectors(h.get("space directions"))
	if len(directions) > 0 && len(directions) != len(sizes) {
		return nil, nil, malformed("%d space directions for %d axes", len(directions), len(sizes))
	}
	kinds := strings.Fields(strings.ToLower(h.get("kinds")))
	component := func(i int) bool {
		none := len(directions) > 0 && directions[i] == "none"
		return none || len(kinds) == len(sizes) && (strings.Contains(kinds[i], "color") || strings.Contains(kinds[i], "vector"))
	}
	if component(0) {
		if h.layout.Type != "uint8" || sizes[0] != 3 {
			return nil, nil, unsupported("%d components of %s a voxel, want one, or the three of a colour in 8 bits", sizes[0], h.layout.Type)
		}
		h.colour, sizes = true, sizes[1:]
		if len(directions) > 0 {
			directions = directions[1:]
		}
	}
	space := min(len(sizes), 3)
	if h.colour && len(sizes) < 2 {
		return nil, nil, unsupported("a line of colours")
	}
	if len(directions) > space { // times have none
		directions = directions[:space]
	}
	if slices.Contains(directions, "none") {
		return nil, nil, unsupported("an axis without a direction among those of space")
	}
	return sizes, directions, nil
}

// vectors splits "(1,0,0) none (0,1,0)".
func vectors(s string) []string {
	var list []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		end := strings.IndexAny(s, ") ")
		if strings.HasPrefix(s, "(") {
			end = strings.IndexByte(s, ')')
		}
		if end < 0 {
			return append(list, s)
		}
		if s[end] == ')' {
			end++
		}
		list, s = append(list, strings.TrimSpace(s[:end])), s[end:]
	}
	return list
}

// numbers reads "(1,0,0)".
func numbers(s string) ([]float64, error) {
	inner, opened := strings.CutPrefix(s, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !opened || !closed {
		return nil, malformed("%.40q is not a vector", s)
	}
	var list []float64
	for f := range strings.SplitSeq(inner, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, malformed("%.40q is not a vector of numbers", s)
		}
		list = append(list, v)
	}
	return list, nil
}

// spaces are the spaces of patients: the signs that turn their axes into DICOM's, left,
// posterior and superior.
var spaces = map[string][3]float64{
	"right-anterior-superior": {-1, -1, 1}, "ras": {-1, -1, 1},
	"left-anterior-superior": {1, -1, 1}, "las": {1, -1, 1},
	"left-posterior-superior": {1, 1, 1}, "lps": {1, 1, 1},
	"right-anterior-superior-time": {-1, -1, 1}, "rast": {-1, -1, 1},
	"left-anterior-superior-time": {1, -1, 1}, "last": {1, -1, 1},
	"left-posterior-superior-time": {1, 1, 1}, "lpst": {1, 1, 1},
}

// place says where the volume lies: in the patient where the header names a space, else
// only how far its voxels lie apart.
func (h *header) place(directions []string) error {
	l := &h.layout
	signs, known := spaces[strings.ToLower(h.get("space"))]
	if len(directions) == 3 && known {
		a := &segd.Affine{}
		for axis, text := range directions {
			v, err := numbers(text)
			if err != nil {
				return err
			}
			if len(v) < 3 {
				return malformed("a space direction of %d numbers", len(v))
			}
			for r := range 3 {
				a[r][axis] = signs[r] * v[r]
			}
		}
		if text := h.get("space origin"); text != "" {
			v, err := numbers(text)
			if err != nil || len(v) < 3 {
				return malformed("space origin %.60q", text)
			}
			for r := range 3 {
				a[r][3] = signs[r] * v[r]
			}
		}
		l.Affine = a
		return nil
	}
	distances := []float64{}
	for _, text := range strings.Fields(h.get("spacings")) {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return malformed("spacing %.20q", text)
		}
		distances = append(distances, v)
	}
	if h.colour && len(distances) > 0 {
		distances = distances[1:]
	}
	for _, text := range directions {
		v, err := numbers(text)
		if err != nil {
			return err
		}
		sum := 0.0
		for _, x := range v {
			sum += x * x
		}
		distances = append(distances, math.Sqrt(sum))
	}
	if len(distances) >= 2 && distances[0] > 0 && distances[1] > 0 {
		l.Spacing = segd.Spacing{ColMM: distances[0], RowMM: distances[1]}
	}
	return nil
}
