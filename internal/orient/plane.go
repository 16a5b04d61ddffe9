// Package orient knows how the voxels of a volume lie in the patient: which
// anatomical plane its frames show, how to turn it to another plane, and
// whether two volumes have the same voxels.
//
//	turn := orient.ToPlane(segd.Grid{Size: size, Affine: affine}, wanted)
//	planes, err := orient.Reslice(turn, 0, 1, 1, read)      // the first turned plane
//	back, err := orient.Reslice(turn.Inverse(), 0, 1, 1, …) // the first stored frame
//
// A turn permutes and flips the axes of a volume, in one of 48 ways. It moves
// voxels and never mixes them, so that a turn and its inverse give back every
// value.
package orient

import (
	"fmt"
	"math"

	"segd"
)

// letters are the directions against and along each axis of the patient, as
// DICOM has them: left, posterior and superior rise.
var letters = [3][2]string{{"R", "L"}, {"A", "P"}, {"I", "S"}}

// names are the planes by the axis that they lie across.
var names = [3]string{"sagittal", "coronal", "axial"}

// direction is an axis of the patient, 0 to 2, and whether it is gone along or
// against.
type direction struct {
	axis    int
	against bool
}

func (d direction) String() string {
	if d.against {
		return letters[d.axis][0]
	}
	return letters[d.axis][1]
}

func parse(letter string) (direction, bool) {
	for axis, pair := range letters {
		for i, l := range pair {
			if l == letter {
				return direction{axis, i == 0}, true
			}
		}
	}
	return direction{}, false
}

// Validate returns segd.ErrFormat for a plane that is none.
func Validate(p segd.Plane) error {
	right, ok := parse(p.Right)
	down, also := parse(p.Down)
	if !ok || !also || right.axis == down.axis {
		return fmt.Errorf("orient: %w: plane with columns to %.8q and rows to %.8q, want two of R or L, A or P, S or I", segd.ErrFormat, p.Right, p.Down)
	}
	if want := names[3-right.axis-down.axis]; p.Name != want {
		return fmt.Errorf("orient: %w: plane %.20q with columns to %s and rows to %s, which is %s", segd.ErrFormat, p.Name, p.Right, p.Down, want)
	}
	return nil
}

// PlaneOf returns the plane of the images of a volume, by the axes of the
// patient that are nearest to its own, and how far the volume is turned away
// from them: the largest angle between the two, in degrees.
func PlaneOf(m segd.Affine) (p segd.Plane, degrees float64) {
	near, degrees := nearest(m)
	return segd.Plane{Name: names[near[2].axis], Right: near[0].String(), Down: near[1].String()}, degrees
}

// permutations are the orders of three axes.
var permutations = [6][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}

// nearest returns the direction in the patient of each axis of a volume. No two
// are along one axis: of all ways to share them out, the one is taken whose
// cosines have the largest sum.
func nearest(m segd.Affine) (near [3]direction, degrees float64) {
	var cosines [3][3]float64 // of the volume's axes, by axis of the patient
	for c := range 3 {
		length := m.SpacingMM(c)
		for r := range 3 {
			if length > 0 {
				cosines[c][r] = m[r][c] / length
			}
		}
	}
	best, most := permutations[0], -1.0
	for _, p := range permutations {
		var sum float64
		for c, r := range p {
			sum += math.Abs(cosines[c][r])
		}
		if sum > most+1e-9 { // ties go to the first, whatever the rounding
			best, most = p, sum
		}
	}
	for c, r := range best {
		near[c] = direction{r, cosines[c][r] < 0}
		degrees = max(degrees, math.Acos(min(1, math.Abs(cosines[c][r])))*180/math.Pi)
	}
	return near, degrees
}
