// Package niftitest writes small NIfTI files for tests.
package niftitest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
)

// Volume is a file of int16 values, the first axis fastest.
type Volume struct {
	Width, Height, Depth int
	// Affine is the sform; the zero value leaves it out.
	Affine [3][4]float64
	// Qform adds one without a turn: axes along right, anterior and superior, and
	// voxel (0, 0, 0) at the origin.
	Qform bool
	// Distance between voxels in mm along each axis; where it is 0 that of Affine, or 1.
	Distance [3]float64
	Values   []int16
}

// Write returns v as a compressed file of version 1, little endian.
func Write(v Volume) []byte {
	b := make([]byte, 352)
	le := binary.LittleEndian
	float := func(at int, x float64) { le.PutUint32(b[at:], math.Float32bits(float32(x))) }
	le.PutUint32(b, 348)
	for i, n := range []int{3, v.Width, v.Height, v.Depth, 1, 1, 1, 1} {
		le.PutUint16(b[40+2*i:], uint16(n))
	}
	le.PutUint16(b[70:], 4) // int16
	le.PutUint16(b[72:], 16)
	float(76, 1)
	for i, d := range v.Distance {
		if a := v.Affine; d == 0 {
			d = math.Hypot(math.Hypot(a[0][i], a[1][i]), a[2][i])
		}
		if d == 0 {
			d = 1
		}
		float(80+4*i, d)
	}
	float(108, 352)
	b[123] = 2 // mm
	if v.Affine != ([3][4]float64{}) {
		le.PutUint16(b[254:], 1)
		for r := range 3 {
			for c := range 4 {
				float(280+16*r+4*c, v.Affine[r][c])
			}
		}
	}
	if v.Qform {
		le.PutUint16(b[252:], 1)
	}
	copy(b[344:], "n+1\x00")
	for _, x := range v.Values {
		b = le.AppendUint16(b, uint16(x))
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b) // a buffer takes everything
	_ = z.Close()
	return out.Bytes()
}
