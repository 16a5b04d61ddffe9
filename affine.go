package segd

import "math"

// Affine maps a voxel (column, row, plane), counted from 0, to the centre of
// that voxel in the patient, in mm, with left, posterior and superior rising as
// in DICOM (PS3.3 C.7.6.2.1.1): coordinate r is m[r][0]·column + m[r][1]·row +
// m[r][2]·plane + m[r][3]. NIfTI has right and anterior rising: see RAS.
type Affine [3][4]float64

// Apply returns the point of a voxel, which may lie between the centres.
func (m Affine) Apply(v [3]float64) (p [3]float64) {
	for r := range 3 {
		p[r] = m[r][0]*v[0] + m[r][1]*v[1] + m[r][2]*v[2] + m[r][3]
	}
	return p
}

// Column returns the way from a voxel to the next one along axis c: 0 along a
// row, 1 along a column, 2 from plane to plane. Column 3 is the centre of the
// first voxel.
func (m Affine) Column(c int) [3]float64 { return [3]float64{m[0][c], m[1][c], m[2][c]} }

// SpacingMM returns the distance between voxels along axis c, in mm.
func (m Affine) SpacingMM(c int) float64 {
	v := m.Column(c)
	return math.Sqrt(v[0]*v[0] + v[1]*v[1] + v[2]*v[2])
}

// RAS returns the same map with right and anterior rising, as NIfTI has it. It
// is its own inverse.
func (m Affine) RAS() Affine {
	for c := range 4 {
		m[0][c], m[1][c] = -m[0][c], -m[1][c]
	}
	return m
}

// VoxelMM3 returns the volume of a voxel in mm³; 0 where m flattens space or is not
// finite.
func (m Affine) VoxelMM3() float64 {
	v := math.Abs(m.determinant())
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// Inverse returns the map from points to voxels. ok is false where m flattens
// space or is not finite.
func (m Affine) Inverse() (inverse Affine, ok bool) {
	d := m.determinant()
	if d == 0 || math.IsNaN(d) || math.IsInf(d, 0) || math.IsInf(1/d, 0) {
		return inverse, false
	}
	for r := range 3 {
		for c := range 3 {
			// The cofactor of the transpose: rows and columns are taken
			// cyclically, which gives the signs.
			r1, r2, c1, c2 := (c+1)%3, (c+2)%3, (r+1)%3, (r+2)%3
			inverse[r][c] = (m[r1][c1]*m[r2][c2] - m[r1][c2]*m[r2][c1]) / d
		}
		for c := range 3 {
			inverse[r][3] -= inverse[r][c] * m[c][3]
		}
	}
	return inverse, true
}

// determinant is the volume of a voxel in mm³, negative where the axes are
// left-handed.
func (m Affine) determinant() float64 {
	return m[0][0]*(m[1][1]*m[2][2]-m[1][2]*m[2][1]) -
		m[0][1]*(m[1][0]*m[2][2]-m[1][2]*m[2][0]) +
		m[0][2]*(m[1][0]*m[2][1]-m[1][1]*m[2][0])
}

// Sheared reports whether the axes are not at right angles to each other, by
// more than the last digits that files write: the planes of a tilted gantry.
// The second result is the largest deviation, as the cosine of the angle.
func (m Affine) Sheared() (sheared bool, cosine float64) {
	for a := range 3 {
		u, lu := m.Column(a), m.SpacingMM(a)
		v, lv := m.Column((a+1)%3), m.SpacingMM((a+1)%3)
		if lu > 0 && lv > 0 {
			cosine = max(cosine, math.Abs(u[0]*v[0]+u[1]*v[1]+u[2]*v[2])/(lu*lv))
		}
	}
	return cosine > 1e-3, cosine
}

// Grid is the voxels of a volume: how many there are along a row, along a
// column and from plane to plane, and where they lie.
type Grid struct {
	Size   [3]int
	Affine Affine
}
