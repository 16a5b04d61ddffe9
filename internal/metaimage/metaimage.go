// Package metaimage reads MetaImage files, which ITK and its programs write: .mha, a
// header in text and the values behind it, and .mhd, a header whose values are in other
// files.
//
//	v, err := metaimage.Read(b)
//
// Volumes of two to four axes are read: columns, rows, planes and times. Limits are
// those of package nifti, whose Volume is the result. Not read, with
// segd.ErrUnsupported: values in another folder, text, several components other
// than colours of 8 bits.
//
// Source: itk.org/Wiki/ITK/MetaIO/Documentation.
package metaimage

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"segd"
	"segd/internal/beside"
	"segd/internal/nifti"
)

const (
	maxHeader = 1 << 20
	maxData   = 1 << 30
)

// Is reports whether b begins as a MetaImage header does: with a field of its own.
func Is(b []byte) bool {
	line, _, ok := bytes.Cut(b[:min(len(b), 256)], []byte("\n"))
	if !ok {
		return false
	}
	key, value, ok := strings.Cut(string(line), "=")
	if !ok {
		return false
	}
	switch strings.TrimSpace(key) {
	case "ObjectType":
		return strings.TrimSpace(value) == "Image"
	case "NDims":
		return true
	}
	return false
}

// Read is ReadBeside of a file that has its values in itself.
func Read(b []byte) (*nifti.Volume, error) { return ReadBeside(b, beside.Files{}) }

// ReadBeside reads the MetaImage file b, which is not kept, and where its values are in
// other files, those that lie beside it.
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
	if err != nil || h.local() {
		return nil, err
	}
	return h.files()
}

// header is what the fields say.
type header struct {
	fields map[string]string
	layout nifti.Layout
	axes   int
	size   int64 // of the values, in bytes
	rest   []byte
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("metaimage: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("metaimage: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, args...))
}

// open reads and checks the header, whose last field is ElementDataFile.
func open(b []byte) (*header, error) {
	h := &header{fields: map[string]string{}}
	text := b[:min(len(b), maxHeader)]
	for h.fields["ElementDataFile"] == "" {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			return nil, malformed("no ElementDataFile within %d bytes", len(text))
		}
		key, value, ok := strings.Cut(string(line), "=")
		if !ok {
			return nil, malformed("a line of the header is not a field")
		}
		h.fields[strings.TrimSpace(key)], text = strings.TrimSpace(value), rest
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

func (h *header) yes(names ...string) bool {
	v := strings.ToLower(h.get(names...))
	return v == "true" || v == "1" || v == "t"
}

// numbers reads a list of n numbers, nil where the field is missing.
func (h *header) numbers(n int, names ...string) ([]float64, error) {
	text := h.get(names...)
	if text == "" {
		return nil, nil
	}
	list := strings.Fields(text)
	if len(list) < n {
		return nil, malformed("%s of %d numbers, want %d", names[0], len(list), n)
	}
	out := make([]float64, n)
	for i := range out {
		v, err := strconv.ParseFloat(list[i], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, malformed("%s %.20q", names[0], list[i])
		}
		out[i] = v
	}
	return out, nil
}

// types are the types of elements, their size, and what package nifti calls them.
var types = map[string]struct {
	name  string
	bytes int
}{
	"MET_CHAR": {"int8", 1}, "MET_UCHAR": {"uint8", 1}, "MET_SHORT": {"int16", 2}, "MET_USHORT": {"uint16", 2},
	"MET_INT": {"int32", 4}, "MET_UINT": {"uint32", 4}, "MET_LONG": {"int32", 4}, "MET_ULONG": {"uint32", 4},
	"MET_LONG_LONG": {"int64", 8}, "MET_ULONG_LONG": {"uint64", 8}, "MET_FLOAT": {"float32", 4}, "MET_DOUBLE": {"float64", 8},
}

// settle makes the layout of the fields.
func (h *header) settle() error {
	kind, ok := types[h.get("ElementType")]
	switch {
	case !ok:
		return unsupported("values of type %.40q", h.get("ElementType"))
	case h.get("BinaryData") != "" && !h.yes("BinaryData"):
		return unsupported("values in text")
	}
	l := &h.layout
	l.Type, l.BigEndian = kind.name, h.yes("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
	h.size = int64(kind.bytes)
	switch n := h.get("ElementNumberOfChannels"); {
	case n == "" || n == "1":
	case n == "3" && kind.name == "uint8":
		l.Type, h.size = "RGB", 3
	default:
		return unsupported("%.20q components of %s a voxel, want one, or the three of a colour in 8 bits", n, kind.name)
	}
	var err error
	if h.axes, err = strconv.Atoi(h.get("NDims")); err != nil || h.axes < 1 {
		return malformed("NDims %.20q", h.get("NDims"))
	}
	if h.axes < 2 || h.axes > 4 {
		return unsupported("%d axes, want 2 to 4", h.axes)
	}
	sizes, err := h.numbers(h.axes, "DimSize")
	if err != nil {
		return err
	}
	if sizes == nil {
		return malformed("no DimSize")
	}
	for _, s := range sizes {
		switch {
		case s < 1 || s != math.Trunc(s):
			return malformed("%g voxels along an axis", s)
		case s > math.MaxInt32 || h.size > math.MaxInt64/int64(s):
			return fmt.Errorf("metaimage: %w: %g voxels along an axis", segd.ErrTooLarge, s)
		}
		h.size *= int64(s)
	}
	for len(sizes) < 4 {
		sizes = append(sizes, 1)
	}
	l.Width, l.Height, l.Depth, l.Times = int(sizes[0]), int(sizes[1]), int(sizes[2]), int(sizes[3])
	return h.place()
}

// place says where the volume lies, in DICOM's axes, which are MetaImage's. The rows of
// TransformMatrix are the directions of the axes. Two axes have distances alone.
func (h *header) place() error {
	spacing, err := h.numbers(h.axes, "ElementSpacing", "ElementSize")
	if err != nil {
		return err
	}
	if spacing == nil {
		spacing = []float64{1, 1, 1, 1}
	}
	if h.axes == 2 {
		h.layout.Spacing = segd.Spacing{ColMM: max(0, spacing[0]), RowMM: max(0, spacing[1])}
		return nil
	}
	offset, err := h.numbers(h.axes, "Offset", "Position", "Origin")
	if err != nil {
		return err
	}
	matrix, err := h.numbers(h.axes*h.axes, "TransformMatrix", "Rotation", "Orientation")
	if err != nil {
		return err
	}
	if offset == nil && matrix == nil && h.get("ElementSpacing", "ElementSize") == "" {
		return nil // nothing says where it lies
	}
	a := &segd.Affine{}
	for axis := range 3 {
		for r := range 3 {
			direction := 0.0
			if matrix != nil {
				direction = matrix[axis*h.axes+r]
			} else if r == axis {
				direction = 1
			}
			a[r][axis] = direction * spacing[axis]
		}
	}
	for r := range 3 {
		if offset != nil {
			a[r][3] = offset[r]
		}
	}
	h.layout.Affine = a
	return nil
}
