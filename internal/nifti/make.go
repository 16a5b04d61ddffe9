package nifti

import (
	"encoding/binary"
	"fmt"
	"slices"

	"segd"
)

// Layout describes a volume of another format, such as NRRD, for Make.
type Layout struct {
	Grid
	Type      string // of the values: uint8 … uint64, int8 … int64, float32, float64, or RGB
	BigEndian bool
}

// Header returns the header that a NIfTI file of the volume would have. The errors are
// those of Read.
func (l Layout) Header() (*Header, error) {
	code := 0
	for c, k := range kinds {
		if k.name == l.Type {
			code = c
		}
	}
	if code == 0 {
		return nil, fmt.Errorf("nifti: %w: values of type %s", segd.ErrUnsupported, l.Type)
	}
	times := max(1, l.Times)
	for _, n := range []int{l.Width, l.Height, l.Depth, times} {
		switch {
		case n < 1:
			return nil, malformed("a volume of %d×%d×%d voxels", l.Width, l.Height, l.Depth)
		case n > maxPlanes:
			return nil, fmt.Errorf("nifti: %w: %d voxels along an axis, limit %d", segd.ErrTooLarge, n, maxPlanes)
		}
	}
	g := l.Grid
	if g.Affine != nil {
		if _, ok := g.Affine.Inverse(); !ok {
			g.Affine = nil // it flattens space, and so says nothing of where the volume lies
		}
	}
	b := g.header(Masks)
	le := binary.LittleEndian
	le.PutUint16(b[70:], uint16(code))
	le.PutUint16(b[72:], uint16(8*kinds[code].bytes))
	if g.Affine != nil && skew(g.Affine) > itkSkew {
		le.PutUint16(b[252:], 0) // a qform cannot hold a shear
	}
	h, err := parse(b)
	if err != nil {
		return nil, err
	}
	if g.Affine != nil {
		h.Affine = g.Affine.RAS() // as precise as the other format has it
	}
	return h, nil
}

// Make returns the volume whose values are data, which it keeps and may change. The
// errors are those of Read.
func Make(l Layout, data []byte) (*Volume, error) {
	h, err := l.Header()
	if err != nil {
		return nil, err
	}
	if int64(len(data)) < h.size() {
		return nil, malformed("truncated: %d of %d bytes of values", len(data), h.size())
	}
	v := &Volume{Header: *h, data: data[:h.size()]}
	if n := h.kind.bytes / h.kind.channels; l.BigEndian && n > 1 {
		for i := 0; i+n <= len(v.data); i += n {
			slices.Reverse(v.data[i : i+n])
		}
	}
	v.count()
	return v, nil
}

// HeaderOf returns the header of a scan that is a volume file, nil of any other.
func HeaderOf(scan *segd.Scan) *Header {
	if scan.Source == nil || scan.Format == "dicom" {
		return nil
	}
	source, err := scan.Source()
	if err != nil {
		return nil
	}
	h, _ := source.(*Header)
	return h
}
