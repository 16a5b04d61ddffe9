// Package mgh reads MGH and MGZ files, the volumes of FreeSurfer: a header of 284
// bytes, big endian, and the values behind it, of which MGZ is the gzip form.
//
//	v, err := mgh.Read(b)
//
// Limits are those of package nifti, whose Volume is the result.
//
// Source: surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat.
package mgh

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"segd"
	"segd/internal/gunzip"
	"segd/internal/nifti"
)

// Places in the header.
const (
	atSizes   = 4  // of columns, rows, planes and frames
	atType    = 20 // of the values
	atGood    = 28 // whether what follows counts
	atDelta   = 30 // distances of the voxels in mm
	atAxes    = 42 // directions of the axes: right, anterior, superior
	atCentre  = 78 // of the volume
	headBytes = 284
)

const (
	maxSize = 20_000 // along an axis, as package nifti has it
	maxData = 1 << 30

	// maxTrailing is what is read behind the values to find a damaged end.
	maxTrailing = 1 << 20
)

// types are the types of values, their size, and what package nifti calls them.
var types = map[uint32]struct {
	name  string
	bytes int
}{0: {"uint8", 1}, 1: {"int32", 4}, 3: {"float32", 4}, 4: {"int16", 2}, 10: {"uint16", 2}}

// Is reports whether b begins as an MGH or MGZ file does. The format has no magic: a
// version of 1, sizes, and a type that there is are taken for it.
func Is(b []byte) bool {
	head, _, err := open(b)
	if err != nil || len(head) < headBytes || binary.BigEndian.Uint32(head) != 1 {
		return false
	}
	for i := range 4 {
		if n := binary.BigEndian.Uint32(head[atSizes+4*i:]); n < 1 || n > maxSize {
			return false
		}
	}
	_, ok := types[binary.BigEndian.Uint32(head[atType:])]
	return ok && binary.BigEndian.Uint16(head[atGood:]) <= 1
}

// Read reads the MGH or MGZ file b, which is not kept.
//
// The errors are segd.ErrFormat (malformed or truncated), segd.ErrTooLarge and
// segd.ErrUnsupported.
func Read(b []byte) (*nifti.Volume, error) {
	head, rest, err := open(b)
	if err != nil {
		return nil, err
	}
	l, size, err := layout(head)
	if err != nil {
		return nil, err
	}
	if _, err := l.Header(); err != nil { // sizes, before memory is taken
		return nil, err
	}
	ratio := int64(1)
	if gunzip.Is(b) {
		ratio = gunzip.Ratio
	}
	switch {
	case size > maxData:
		return nil, fmt.Errorf("mgh: %w: %d bytes of values, limit %d", segd.ErrTooLarge, size, maxData)
	case size/ratio > int64(len(b)):
		return nil, malformed("truncated: %d bytes of values in a file of %d", size, len(b))
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(rest, data); err != nil {
		return nil, malformed("truncated or damaged: fewer than %d bytes of values", size)
	}
	// Only at its end does a compressed file show whether it is whole.
	if _, err := io.CopyN(io.Discard, rest, maxTrailing); err != nil && !errors.Is(err, io.EOF) {
		return nil, malformed("the compressed file is damaged")
	}
	return nifti.Make(l, data)
}

// ReadHeader reads the header alone. The errors are those of Read.
func ReadHeader(b []byte) (*nifti.Header, error) {
	head, _, err := open(b)
	if err != nil {
		return nil, err
	}
	l, _, err := layout(head)
	if err != nil {
		return nil, err
	}
	return l.Header()
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("mgh: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}

// open returns the header, or what there is of it, and a reader of what follows.
func open(b []byte) ([]byte, io.Reader, error) {
	var r io.Reader = bytes.NewReader(b)
	if gunzip.Is(b) {
		z, err := gunzip.NewReader(b)
		if err != nil {
			return nil, nil, malformed("damaged compression")
		}
		r = z
	}
	head := make([]byte, headBytes)
	n, err := io.ReadFull(r, head)
	if err != nil {
		return head[:n], r, malformed("a header of %d bytes, want %d", n, headBytes)
	}
	return head, r, nil
}

// layout reads the header, and returns the size of the values in bytes.
func layout(head []byte) (l nifti.Layout, size int64, err error) {
	be := binary.BigEndian
	kind, ok := types[be.Uint32(head[atType:])]
	if !ok {
		return l, 0, fmt.Errorf("mgh: %w: values of type %d", segd.ErrUnsupported, be.Uint32(head[atType:]))
	}
	l.Type, l.BigEndian, size = kind.name, true, int64(kind.bytes)
	for i, to := range []*int{&l.Width, &l.Height, &l.Depth, &l.Times} {
		n := be.Uint32(head[atSizes+4*i:])
		if n < 1 {
			return l, 0, malformed("%d voxels along axis %d", n, i+1)
		}
		if n > maxSize {
			return l, 0, fmt.Errorf("mgh: %w: %d voxels along axis %d, limit %d", segd.ErrTooLarge, n, i+1, maxSize)
		}
		*to, size = int(n), size*int64(n)
	}
	l.Affine, err = affine(head, l)
	return l, size, err
}

// affine is where the volume lies, in DICOM's axes. Where the header does not say so,
// FreeSurfer takes coronal planes of cubes of 1 mm; so much is not known of the
// patient, and the result is nil.
func affine(head []byte, l nifti.Layout) (*segd.Affine, error) {
	if binary.BigEndian.Uint16(head[atGood:]) != 1 {
		return nil, nil
	}
	float := func(at int) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(head[at:]))) }
	a := &segd.Affine{}
	for r := range 3 {
		a[r][3] = float(atCentre + 4*r)
		for axis, n := range []int{l.Width, l.Height, l.Depth} {
			a[r][axis] = float(atAxes+12*axis+4*r) * float(atDelta+4*axis)
			a[r][3] -= a[r][axis] * float64(n) / 2
		}
		for c := range 4 {
			if math.IsNaN(a[r][c]) || math.IsInf(a[r][c], 0) {
				return nil, malformed("a position that is not a number")
			}
			if r < 2 { // right and anterior rise, in DICOM left and posterior
				a[r][c] = -a[r][c]
			}
		}
	}
	return a, nil
}
