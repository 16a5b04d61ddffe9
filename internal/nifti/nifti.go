// Package nifti reads and writes NIfTI files, which neuroimaging and most
// public data sets of volumes are made: .nii and .nii.gz, versions 1 and 2, in
// either byte order. It reads pairs of .hdr and .img files as well, and those of
// ANALYZE 7.5, whose orientation nobody knows.
//
//	v, err := nifti.Read(b)
//	plane := make([]float32, v.Width*v.Height*v.Channels)
//	v.Plane(0, plane)
//
// A volume is taken as stored, plane by plane across its third axis; a
// fourth axis follows as further planes. Row j, column i of plane k is voxel
// (i, j, k): nothing is flipped or turned, so that a mask of plane k is a mask
// of these voxels.
//
// Limits, checked on the header before memory is taken: 1 to 16384 rows and
// columns, 64 Mpixel a plane, 20,000 planes, 1 GiB of values. Not read, with
// segd.ErrUnsupported: complex, binary and 128-bit values, more than four axes.
//
// Source: nifti1.h (Cox et al. 2004) and nifti2.h (2011), nifti.nimh.nih.gov.
package nifti

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"segd"
	"segd/internal/gunzip"
)

// Limits besides those of the root package, which are checked before memory is taken.
const (
	maxPlanes = 20_000
	maxData   = 1 << 30
	maxOffset = 64 << 20 // of the values in the file: extensions lie before them

	// maxTrailing is what is read behind the values to find a damaged end.
	maxTrailing = 1 << 20
)

// Volume is a NIfTI file with its values. It does not change, and may be used
// from several goroutines.
type Volume struct {
	Header
	// NoNumbers is how many values are NaN or infinite.
	NoNumbers int

	data []byte // values, as they are stored
}

// Is reports whether b is, or sets out to be, a NIfTI file, compressed or not.
// It reads a few hundred bytes.
func Is(b []byte) bool {
	head, _, err := headOf(b)
	return err == nil && isHeader(head)
}

// Read reads the NIfTI file b, which is not kept. It is not for the header of a pair,
// which is segd.ErrUnsupported: see ReadPair.
//
// The errors are segd.ErrFormat (malformed or truncated), segd.ErrTooLarge and
// segd.ErrUnsupported.
func Read(b []byte) (*Volume, error) {
	head, rest, err := headOf(b)
	if err != nil {
		return nil, err
	}
	h, err := parse(head)
	if err != nil {
		return nil, err
	}
	if h.Pair {
		return nil, fmt.Errorf("nifti: %w: a header whose values are in another file", segd.ErrUnsupported)
	}
	return h.read(b, head, rest)
}

// read reads the values out of the file b, which begins with head and goes on with rest.
func (h *Header) read(b, head []byte, rest io.Reader) (*Volume, error) {
	size := h.size()
	if gunzip.Is(b) {
		if (h.offset+size)/gunzip.Ratio > int64(len(b)) {
			return nil, malformed("truncated: %d bytes of values in a compressed file of %d", size, len(b))
		}
	} else if h.offset+size > int64(len(b)) {
		return nil, malformed("truncated: %d bytes of values from byte %d on in a file of %d", size, h.offset, len(b))
	}
	if _, err := io.CopyN(io.Discard, rest, h.offset-int64(len(head))); err != nil {
		return nil, malformed("truncated or damaged before the values")
	}
	v := &Volume{Header: *h, data: make([]byte, size)}
	if _, err := io.ReadFull(rest, v.data); err != nil {
		return nil, malformed("truncated or damaged: fewer than %d bytes of values", size)
	}
	// Only at its end does a compressed file show whether it is whole.
	if _, err := io.CopyN(io.Discard, rest, maxTrailing); err != nil && !errors.Is(err, io.EOF) {
		return nil, malformed("the compressed file is damaged")
	}
	v.count()
	return v, nil
}

// ReadHeader reads the header of the NIfTI file b alone. The errors are those
// of Read.
func ReadHeader(b []byte) (*Header, error) {
	head, _, err := headOf(b)
	if err != nil {
		return nil, err
	}
	return parse(head)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("nifti: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}

// startOf returns a reader of the values file b; nothing of it is read yet.
func startOf(b []byte) (head []byte, rest io.Reader, err error) {
	if !gunzip.Is(b) {
		return nil, bytes.NewReader(b), nil
	}
	rest, err = gunzip.NewReader(b)
	if err != nil {
		err = malformed("damaged compression")
	}
	return nil, rest, err
}

// headOf returns the first bytes of b, as many as a header has or fewer, and
// a reader of what follows them.
func headOf(b []byte) ([]byte, io.Reader, error) {
	_, r, err := startOf(b)
	if err != nil {
		return nil, nil, err
	}
	head := make([]byte, size1)
	n, err := io.ReadFull(r, head)
	if err != nil {
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return nil, nil, malformed("damaged compression")
		}
		return head[:n], r, nil
	}
	if order := orderOf(head); order != nil && order.Uint32(head) == size2 {
		head = append(head, make([]byte, size2-size1)...)
		if n, err = io.ReadFull(r, head[size1:]); err != nil {
			return head[:size1+n], r, nil
		}
	}
	return head, r, nil
}

// Plane writes the values of plane k, counted from 0, scaled by the header's
// slope and intercept, to dst: Width·Height·Channels of them, row by row.
func (v *Volume) Plane(k int, dst []float32) {
	src := v.plane(k)
	n := v.Width * v.Height
	if v.kind.channels > 1 {
		for i := range n {
			for c := range v.Channels {
				dst[i*v.Channels+c] = float32(src[i*v.kind.bytes+c])
			}
		}
		return
	}
	at := v.kind.value
	if v.Slope == 1 && v.Intercept == 0 {
		for i := range n {
			dst[i] = float32(at(v.order, src[i*v.kind.bytes:]))
		}
		return
	}
	for i := range n {
		dst[i] = float32(at(v.order, src[i*v.kind.bytes:])*v.Slope + v.Intercept)
	}
}

// Labels returns the class indices of plane k. Values within a thousandth of a whole
// number are that number, as where programs computed with them. Others, numbers that are
// not from 0 to 255, and colour are segd.ErrUnprocessable.
func (v *Volume) Labels(k int) (*segd.Mask, error) {
	if v.kind.channels > 1 {
		return nil, fmt.Errorf("nifti: %w: labels in colour, want class indices", segd.ErrUnprocessable)
	}
	src := v.plane(k)
	m := segd.NewMask(v.Width, v.Height)
	for i := range m.Pix {
		x := v.kind.value(v.order, src[i*v.kind.bytes:])*v.Slope + v.Intercept
		whole := math.Round(x)
		if !(whole >= 0 && whole <= 255) || math.Abs(x-whole) > labelSlack {
			return nil, fmt.Errorf("nifti: %w: label value %g, want class indices 0 to 255", segd.ErrUnprocessable, x)
		}
		m.Pix[i] = uint8(whole)
	}
	return m, nil
}

// labelSlack is how far a label may lie from a whole number.
const labelSlack = 1e-3

func (v *Volume) plane(k int) []byte {
	n := v.Width * v.Height * v.kind.bytes
	return v.data[k*n : (k+1)*n]
}

// kind is a type of value.
type kind struct {
	name     string
	bytes    int // of a voxel
	channels int
	value    func(binary.ByteOrder, []byte) float64 // of one channel
}

// kinds are the data types that are read, by their code.
var kinds = map[int]kind{
	2:    {"uint8", 1, 1, func(_ binary.ByteOrder, b []byte) float64 { return float64(b[0]) }},
	4:    {"int16", 2, 1, func(o binary.ByteOrder, b []byte) float64 { return float64(int16(o.Uint16(b))) }},
	8:    {"int32", 4, 1, func(o binary.ByteOrder, b []byte) float64 { return float64(int32(o.Uint32(b))) }},
	16:   {"float32", 4, 1, func(o binary.ByteOrder, b []byte) float64 { return float64(math.Float32frombits(o.Uint32(b))) }},
	64:   {"float64", 8, 1, func(o binary.ByteOrder, b []byte) float64 { return math.Float64frombits(o.Uint64(b)) }},
	128:  {name: "RGB", bytes: 3, channels: 3},
	256:  {"int8", 1, 1, func(_ binary.ByteOrder, b []byte) float64 { return float64(int8(b[0])) }},
	512:  {"uint16", 2, 1, func(o binary.ByteOrder, b []byte) float64 { return float64(o.Uint16(b)) }},
	768:  {"uint32", 4, 1, func(o binary.ByteOrder, b []byte) float64 { return float64(o.Uint32(b)) }},
	1024: {"int64", 8, 1, func(o binary.ByteOrder, b []byte) float64 { return float64(int64(o.Uint64(b))) }},
	1280: {"uint64", 8, 1, func(o binary.ByteOrder, b []byte) float64 { return float64(o.Uint64(b)) }},
	2304: {name: "RGBA", bytes: 4, channels: 4},
}

// Beyond returns how far an image, which lies as in LabelsAt, reaches beyond the
// voxels of the volume, in mm; 0 where the volume covers all pixels.
func (v *Volume) Beyond(width, height int, origin, right, down [3]float64) (mm float64) {
	inverse, ok := v.Affine.Inverse()
	if !ok {
		return 0
	}
	size := [3]int{v.Width, v.Height, v.Depth}
	for corner := range 4 {
		var p [3]float64
		for r := range 3 {
			p[r] = origin[r] + right[r]*float64(corner&1*(width-1)) + down[r]*float64(corner>>1*(height-1))
		}
		for r, at := range inverse.Apply(p) {
			mm = max(mm, (-0.5-at)*v.distance(r), (at-float64(size[r])+0.5)*v.distance(r))
		}
	}
	return mm
}

// LabelsAt returns the class indices at the pixels of an image that lies
// anywhere in the volume: of each pixel those of the voxel that its centre is
// in, 0 outside. origin is the centre of the first pixel and right and down are
// the ways to the next one along a row and along a column, in mm, right,
// anterior and superior rising. The errors are those of Labels, and
// segd.ErrUnprocessable for a volume that is not placed or has several times.
func (v *Volume) LabelsAt(width, height int, origin, right, down [3]float64) (*segd.Mask, error) {
	inverse, ok := v.Affine.Inverse()
	if !ok || !v.Placed() || v.Times > 1 {
		return nil, fmt.Errorf("nifti: %w: labels without a place in the patient (sform or qform), or of several times", segd.ErrUnprocessable)
	}
	planes := make([]*segd.Mask, v.Depth) // read when needed
	m := segd.NewMask(width, height)
	size := [3]int{v.Width, v.Height, v.Depth}
	for i := range m.Pix {
		x, y := float64(i%width), float64(i/width)
		var point [3]float64
		for r := range 3 {
			point[r] = origin[r] + right[r]*x + down[r]*y
		}
		var at [3]int
		inside := true
		for r, p := range inverse.Apply(point) {
			p = math.Floor(p + 0.5)
			inside = inside && p >= 0 && p < float64(size[r])
			if inside {
				at[r] = int(p)
			}
		}
		if !inside {
			continue
		}
		if planes[at[2]] == nil {
			plane, err := v.Labels(at[2])
			if err != nil {
				return nil, err
			}
			planes[at[2]] = plane
		}
		m.Pix[i] = planes[at[2]].Pix[at[1]*v.Width+at[0]]
	}
	return m, nil
}
