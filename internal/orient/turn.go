package orient

import (
	"fmt"

	"segd"
)

// Turn leads from a turned volume to the stored volume. Its zero value
// is not a turn.
type Turn struct {
	// Axis is the stored axis that each axis of the turned volume runs along,
	// and Flip says that it runs against it.
	Axis [3]int
	Flip [3]bool
	// Stored is the size of the stored volume.
	Stored [3]int
}

// Keep is the turn that changes nothing.
func Keep(size [3]int) Turn { return Turn{Axis: [3]int{0, 1, 2}, Stored: size} }

// ToPlane returns the turn to planes of an orientation, which must be valid.
// Planes follow each other as they are stored, or as the axis does that they are
// cut across.
func ToPlane(g segd.Grid, want segd.Plane) Turn {
	near, _ := nearest(g.Affine)
	right, _ := parse(want.Right)
	down, _ := parse(want.Down)
	t := Turn{Stored: g.Size}
	for i, d := range []direction{right, down, {axis: 3 - right.axis - down.axis}} {
		for c, n := range near {
			if n.axis == d.axis {
				t.Axis[i], t.Flip[i] = c, n.against != d.against
			}
		}
	}
	t.Flip[2] = false
	return t
}

// Size is the size of the turned volume.
func (t Turn) Size() (n [3]int) {
	for i, a := range t.Axis {
		n[i] = t.Stored[a]
	}
	return n
}

// At returns where a voxel of the turned volume is stored.
func (t Turn) At(v [3]int) (stored [3]int) {
	for i, a := range t.Axis {
		stored[a] = v[i]
		if t.Flip[i] {
			stored[a] = t.Stored[a] - 1 - v[i]
		}
	}
	return stored
}

// Inverse returns the turn that undoes t: what it turns to is the volume as it
// is stored.
func (t Turn) Inverse() Turn {
	inverse := Turn{Stored: t.Size()}
	for i, a := range t.Axis {
		inverse.Axis[a], inverse.Flip[a] = i, t.Flip[i]
	}
	return inverse
}

// Identity reports whether t changes nothing.
func (t Turn) Identity() bool { return t == Keep(t.Stored) }

// InPlane reports whether each turned plane has the pixels of one stored plane.
func (t Turn) InPlane() bool { return t.Axis[2] == 2 }

// Affine returns where the turned volume lies, given where the stored one does.
// It is the same place in the patient.
func (t Turn) Affine(stored segd.Affine) (m segd.Affine) {
	first := t.At([3]int{})
	origin := stored.Apply([3]float64{float64(first[0]), float64(first[1]), float64(first[2])})
	for r := range 3 {
		for i, a := range t.Axis {
			m[r][i] = stored[r][a]
			if t.Flip[i] {
				m[r][i] = -m[r][i]
			}
		}
		m[r][3] = origin[r]
	}
	return m
}

// Reslice returns n turned planes, from number first on: each row by row, with
// the channels of a pixel side by side. read returns a stored plane in the same
// layout, which is not kept or changed; it is called once for each plane that is
// needed, in their order. Errors are those of read, and segd.ErrUnprocessable
// for a plane of another size.
func Reslice[T any](t Turn, first, n, channels int, read func(stored int) ([]T, error)) ([][]T, error) {
	size := t.Size()
	planes := make([][]T, n)
	for k := range planes {
		planes[k] = make([]T, size[0]*size[1]*channels)
	}
	across := 0 // the turned axis that goes from stored plane to stored plane
	for i, a := range t.Axis {
		if a == 2 {
			across = i
		}
	}
	for s := range t.Stored[2] {
		from, to := [3]int{0, 0, first}, [3]int{size[0], size[1], first + n}
		at := s // along across
		if t.Flip[across] {
			at = t.Stored[2] - 1 - s
		}
		if at < from[across] || at >= to[across] {
			continue
		}
		from[across], to[across] = at, at+1
		src, err := read(s)
		if err != nil {
			return nil, err
		}
		if want := t.Stored[0] * t.Stored[1] * channels; len(src) != want {
			return nil, fmt.Errorf("orient: %w: plane %d of %d values, want %d", segd.ErrUnprocessable, s+1, len(src), want)
		}
		origin, stride := t.steps(channels)
		for k := from[2]; k < to[2]; k++ {
			for y := from[1]; y < to[1]; y++ {
				for x := from[0]; x < to[0]; x++ {
					i := origin + x*stride[0] + y*stride[1] + k*stride[2]
					copy(planes[k-first][(y*size[0]+x)*channels:][:channels], src[i:])
				}
			}
		}
	}
	return planes, nil
}

// steps returns where in its stored plane the first turned voxel lies, and how
// far the next one along each turned axis lies from it.
func (t Turn) steps(channels int) (origin int, stride [3]int) {
	row := [3]int{channels, t.Stored[0] * channels, 0} // by stored axis
	for i, v := range t.At([3]int{}) {
		origin += v * row[i]
	}
	for i, a := range t.Axis {
		stride[i] = row[a]
		if t.Flip[i] {
			stride[i] = -row[a]
		}
	}
	return origin, stride
}
