package niftitest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"segd"
)

// Reader says where a file's voxels lie, as some program has it, with left and
// posterior rising. It decides by the header alone and knows nothing of package
// nifti.
type Reader struct {
	Name  string
	Place func(file []byte) (segd.Affine, error)
}

// Readers are the rules by which programs place a volume: nibabel, FSL and SPM
// take the sform if its code is set; ITK up to 5.1 takes the qform first
// (itkNiftiImageIO.cxx, SetImageIOOrientationFromNIfTI); ITK since 5.2 takes the
// sform where it is at right angles and of code 1 or like the qform, else the
// qform, and refuses what then has none. ITK makes lengths of pixdim alone.
func Readers() []Reader {
	return []Reader{{"sform first", sformFirst}, {"ITK 4", qformFirst}, {"ITK 5", itk5}}
}

// Unzip returns the bytes of a file that may be compressed.
func Unzip(file []byte) ([]byte, error) {
	if len(file) < 2 || file[0] != 0x1f || file[1] != 0x8b {
		return file, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// head is what a header of version 1 says of its place, with right and anterior
// rising.
type head struct {
	qcode, scode int
	q, s         segd.Affine
	pixdim       [3]float64
}

var errNoPlace = errors.New("niftitest: no place")

func readHead(file []byte) (h head, err error) {
	b, err := Unzip(file)
	if err != nil {
		return h, err
	}
	if len(b) < 348 {
		return h, io.ErrUnexpectedEOF
	}
	var o binary.ByteOrder = binary.LittleEndian
	if o.Uint32(b) != 348 {
		o = binary.BigEndian
	}
	float := func(at int) float64 { return float64(math.Float32frombits(o.Uint32(b[at:]))) }
	h.qcode, h.scode = int(int16(o.Uint16(b[252:]))), int(int16(o.Uint16(b[254:])))
	for r := range 3 {
		h.pixdim[r] = float(80 + 4*r)
		for c := range 4 {
			h.s[r][c] = float(280 + 16*r + 4*c)
		}
		h.q[r][3] = float(268 + 4*r)
	}
	// The rotation by the quaternion turns each axis: v + 2a(u×v) + 2u×(u×v).
	u := [3]float64{float(256), float(260), float(264)}
	a := math.Sqrt(max(0, 1-u[0]*u[0]-u[1]*u[1]-u[2]*u[2]))
	cross := func(x, y [3]float64) [3]float64 {
		return [3]float64{x[1]*y[2] - x[2]*y[1], x[2]*y[0] - x[0]*y[2], x[0]*y[1] - x[1]*y[0]}
	}
	for c := range 3 {
		var axis [3]float64
		axis[c] = 1
		once := cross(u, axis)
		twice := cross(u, once)
		length := h.pixdim[c]
		if c == 2 && float(76) < 0 {
			length = -length
		}
		for r := range 3 {
			h.q[r][c] = length * (axis[r] + 2*a*once[r] + 2*twice[r])
		}
	}
	return h, nil
}

func sformFirst(file []byte) (segd.Affine, error) {
	h, err := readHead(file)
	switch {
	case err != nil:
		return h.s, err
	case h.scode > 0:
		return h.s.RAS(), nil
	case h.qcode > 0:
		return h.q.RAS(), nil
	}
	return h.s, errNoPlace
}

func qformFirst(file []byte) (segd.Affine, error) {
	h, err := readHead(file)
	switch {
	case err != nil:
		return h.s, err
	case h.qcode > 0:
		return h.itk(h.q), nil
	case h.scode > 0:
		return h.itk(h.s), nil
	}
	return h.s, errNoPlace
}

func itk5(file []byte) (segd.Affine, error) {
	h, err := readHead(file)
	if err != nil {
		return h.s, err
	}
	alike := true
	for r := range 3 {
		for c := range 4 {
			alike = alike && math.Abs(h.s[r][c]-h.q[r][c]) <= 1e-4
		}
	}
	switch {
	case h.scode > 0 && h.upright() && (h.qcode <= 0 || h.scode == 1 || alike):
		return h.itk(h.s), nil
	case h.qcode > 0:
		return h.itk(h.q), nil
	case h.scode > 0:
		return h.s, errors.New("niftitest: ITK only supports orthonormal direction cosines")
	}
	return h.s, errNoPlace
}

// upright reports whether the directions of the sform are a rotation, to 1e-4 in
// each element of R·Rᵀ.
func (h *head) upright() bool {
	m := h.s
	for i := range 3 {
		for j := range 3 {
			var sum float64
			for c := range 3 {
				sum += m[i][c] * m[j][c] / (m.SpacingMM(c) * m.SpacingMM(c))
			}
			if i == j {
				sum--
			}
			if !(math.Abs(sum) <= 1e-4) {
				return false
			}
		}
	}
	return true
}

// itk takes directions of m and lengths of pixdim.
func (h *head) itk(m segd.Affine) segd.Affine {
	for c := range 3 {
		length := m.SpacingMM(c)
		for r := range 3 {
			m[r][c] *= math.Abs(h.pixdim[c]) / length
		}
	}
	return m.RAS()
}
