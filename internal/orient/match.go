package orient

import (
	"fmt"
	"math"

	"segd"
)

// slack is how far apart the same voxel of two volumes may lie, as a share of the
// shortest side of a voxel. Headers are written with few digits: a quaternion of
// float32, cosines of four decimals and positions of two move the far corner of
// a volume by some hundredths of a voxel. A label that lies so near has the same
// nearest voxels by a wide margin; half a voxel would be the next one.
const slack = 0.05

// MatchError says that two volumes that belong together do not have the same
// voxels. It is of kind segd.ErrFormat.
type MatchError struct {
	// MM is how far apart they lie: the largest distance between places that
	// belong together.
	MM float64
	// Sizes says that they differ in size.
	Sizes bool
	// Cause says what was found, with the distance.
	Cause string
}

func (e *MatchError) Error() string {
	return "orient: " + segd.ErrFormat.Error() + ": " + e.Cause + ": " + remedy
}

// Unwrap returns the kind of error.
func (e *MatchError) Unwrap() error { return segd.ErrFormat }

// Match returns the turn that leads from the voxels of one volume to those of
// another where both have the same voxels, however each stores its axes: voxel v
// of grid lies where voxel Match.At(v) of other does.
//
// Volumes of other voxels are a MatchError: of another size, or farther apart
// than a twentieth of a voxel.
func Match(grid, other segd.Grid) (Turn, error) {
	t := turnBetween(grid, other)
	mm := apart(grid, other, t)
	if size := t.Size(); size != grid.Size {
		return t, &MatchError{MM: mm, Sizes: true, Cause: fmt.Sprintf("a volume of %s voxels for an image of %s, with corners up to %.3g mm apart",
			times(size), times(grid.Size), mm)}
	}
	if !(mm <= min(Slack(grid), Slack(other))) {
		e := &MatchError{MM: mm, Cause: fmt.Sprintf("the volume is up to %.3g mm away from its image", mm)}
		if a, b := spacing(other, t), spacing(grid, Keep(grid.Size)); a != b {
			e.Cause += fmt.Sprintf(", with voxels of %s mm instead of %s mm", a, b)
		}
		return t, e
	}
	return t, nil
}

// Slack is how far, in mm, a voxel of g may lie from where it should.
func Slack(g segd.Grid) float64 {
	shortest := math.Inf(1)
	for c := range 3 {
		if d := g.Affine.SpacingMM(c); d > 0 {
			shortest = min(shortest, d)
		}
	}
	return slack * shortest
}

// remedy is what to do about volumes that do not match.
const remedy = "resample it onto the image's grid (nearest neighbour for labels), or correct its header"

// turnBetween is the turn to the axes of grid that are nearest to those of other.
func turnBetween(grid, other segd.Grid) Turn {
	t := Turn{Stored: other.Size}
	inverse, ok := other.Affine.Inverse()
	if !ok {
		return Keep(other.Size)
	}
	// The axes of grid in voxels of other, which makes oblique volumes as plain as
	// upright ones.
	var m segd.Affine
	for i := range 3 {
		way := grid.Affine.Column(i)
		for r := range 3 {
			m[r][i] = (inverse[r][0]*way[0] + inverse[r][1]*way[1] + inverse[r][2]*way[2]) * other.Affine.SpacingMM(r)
		}
	}
	near, _ := nearest(m)
	for i, d := range near {
		t.Axis[i], t.Flip[i] = d.axis, d.against
	}
	return t
}

// apart is the largest distance in mm between corners of grid and the corners of
// other that the turn makes of them.
func apart(grid, other segd.Grid, t Turn) (mm float64) {
	turned := t.Affine(other.Affine)
	size := t.Size()
	for corner := range 8 {
		var a, b [3]float64
		for i := range 3 {
			if corner>>i&1 == 1 {
				a[i], b[i] = float64(grid.Size[i]-1), float64(size[i]-1)
			}
		}
		p, q := grid.Affine.Apply(a), turned.Apply(b)
		mm = max(mm, math.Sqrt((p[0]-q[0])*(p[0]-q[0])+(p[1]-q[1])*(p[1]-q[1])+(p[2]-q[2])*(p[2]-q[2])))
	}
	return mm
}

// Apart returns how far two places of one volume lie apart: the largest distance
// in mm between its corners by one and by the other.
func Apart(size [3]int, a, b segd.Affine) float64 {
	return apart(segd.Grid{Size: size, Affine: a}, segd.Grid{Size: size, Affine: b}, Keep(size))
}

func times(n [3]int) string { return fmt.Sprintf("%d×%d×%d", n[0], n[1], n[2]) }

// spacing is that of g in words, in the order of the turned axes.
func spacing(g segd.Grid, t Turn) string {
	m := t.Affine(g.Affine)
	return fmt.Sprintf("%.4g×%.4g×%.4g", m.SpacingMM(0), m.SpacingMM(1), m.SpacingMM(2))
}
