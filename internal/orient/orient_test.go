package orient

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"segd"
)

// turns are all 48 ways to store a volume, as turns of one of size n.
func turns(n [3]int) (list []Turn) {
	for _, p := range permutations {
		for bits := range 8 {
			list = append(list, Turn{Axis: p, Flip: [3]bool{bits&1 == 1, bits&2 == 2, bits&4 == 4}, Stored: n})
		}
	}
	return list
}

// stored is a volume of distinct values, plane by plane, of two channels.
func stored(n [3]int) [][]int {
	planes := make([][]int, n[2])
	for k := range planes {
		for i := range n[0] * n[1] {
			planes[k] = append(planes[k], 2*(k*n[0]*n[1]+i), 2*(k*n[0]*n[1]+i)+1)
		}
	}
	return planes
}

func reader(planes [][]int) func(int) ([]int, error) {
	return func(k int) ([]int, error) { return planes[k], nil }
}

// TestReslice turns a volume in all 48 ways: each voxel comes from where At says,
// a part of the planes is that part, and the inverse gives the volume back.
func TestReslice(t *testing.T) {
	t.Parallel()
	n := [3]int{4, 3, 5}
	src := stored(n)
	for _, turn := range turns(n) {
		size := turn.Size()
		got, err := Reslice(turn, 0, size[2], 2, reader(src))
		if err != nil {
			t.Fatal(err)
		}
		for z := range size[2] {
			for y := range size[1] {
				for x := range size[0] {
					v := turn.At([3]int{x, y, z})
					if want := src[v[2]][2*(v[1]*n[0]+v[0])+1]; got[z][2*(y*size[0]+x)+1] != want {
						t.Fatalf("%+v: voxel %d, %d, %d is %d, want %d", turn, x, y, z, got[z][2*(y*size[0]+x)+1], want)
					}
				}
			}
		}
		part, err := Reslice(turn, 1, 2, 2, reader(src))
		if err != nil || !slices.Equal(part[0], got[1]) || !slices.Equal(part[1], got[2]) {
			t.Errorf("%+v: planes 1 and 2 differ from those of the whole: %v", turn, err)
		}
		if turn.Inverse().Inverse() != turn {
			t.Errorf("%+v: the inverse of the inverse is %+v", turn, turn.Inverse().Inverse())
		}
		back, err := Reslice(turn.Inverse(), 0, n[2], 2, reader(got))
		if err != nil {
			t.Fatal(err)
		}
		for k := range src {
			if !slices.Equal(back[k], src[k]) {
				t.Errorf("%+v: turned and turned back, plane %d differs", turn, k)
			}
		}
		if turn.InPlane() != (turn.Axis[2] == 2) || turn.Identity() != (turn == Keep(n)) {
			t.Errorf("%+v", turn)
		}
	}
	broken := errors.New("broken")
	if _, err := Reslice(Keep(n), 0, 1, 1, func(int) ([]int, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := Reslice(Keep(n), 0, 1, 1, reader(src)); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("planes of two channels read as one: %v", err)
	}
}

// oblique is an affine turned by some degrees about two axes, with voxels of
// 0.5×0.75×3 mm.
func oblique(degrees float64) segd.Affine {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return segd.Affine{
		{0.5 * cos, -0.75 * sin, 0, 12.5},
		{0.5 * sin * cos, 0.75 * cos * cos, -3 * sin, -80},
		{0.5 * sin * sin, 0.75 * cos * sin, 3 * cos, 31},
	}
}

// TestToPlane turns one volume, stored in all 48 ways, to a plane: the same voxels
// come out in the same places of the planes, which lie as they should.
func TestToPlane(t *testing.T) {
	t.Parallel()
	n := [3]int{4, 3, 5}
	src := stored(n)
	for _, angle := range []float64{0, 10, 30} {
		want := segd.Plane{Name: "sagittal", Right: "A", Down: "I"}
		var reference map[string]bool
		for _, way := range turns(n) {
			planes, err := Reslice(way, 0, way.Size()[2], 2, reader(src))
			if err != nil {
				t.Fatal(err)
			}
			g := segd.Grid{Size: way.Size(), Affine: way.Affine(oblique(angle))}
			turn := ToPlane(g, want)
			got, degrees := PlaneOf(turn.Affine(g.Affine))
			if got != want {
				t.Errorf("%+v, %g degrees: turned to %v, want %v", way, angle, got, want)
			}
			if angle == 0 && degrees > 1e-4 || angle > 0 && degrees < angle {
				t.Errorf("%g degrees off, want about %g", degrees, angle)
			}
			turned, err := Reslice(turn, 0, turn.Size()[2], 2, reader(planes))
			if err != nil {
				t.Fatal(err)
			}
			set := map[string]bool{}
			for _, p := range turned {
				set[fmt.Sprint(p)] = true
			}
			if reference == nil {
				reference = set
			}
			for p := range set {
				if !reference[p] {
					t.Fatalf("%+v: other planes", way)
				}
			}
		}
	}
}

func TestPlaneOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		m    segd.Affine
		want segd.Plane
	}{
		{segd.Affine{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, segd.Plane{Name: "axial", Right: "L", Down: "P"}},
		{segd.Affine{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}.RAS(), segd.Plane{Name: "axial", Right: "R", Down: "A"}},
		{segd.Affine{{0, 0, 3}, {1, 0, 0}, {0, -1, 0}}, segd.Plane{Name: "sagittal", Right: "P", Down: "I"}},
		{segd.Affine{{1, 0, 0}, {0, 0, 3}, {0, -1, 0}}, segd.Plane{Name: "coronal", Right: "L", Down: "I"}},
		{segd.Affine{}, segd.Plane{Name: "axial", Right: "L", Down: "P"}}, // of no use, and no panic
	} {
		got, _ := PlaneOf(tt.m)
		if got != tt.want {
			t.Errorf("%v: %v, want %v", tt.m, got, tt.want)
		}
		if err := Validate(got); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []segd.Plane{{}, {Name: "axial", Right: "L", Down: "R"}, {Name: "axial", Right: "L", Down: "S"}, {Name: "axial", Right: "X", Down: "P"}, {Name: "", Right: "L", Down: "P"}} {
		if err := Validate(p); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// TestMatch finds the turn between two ways to store a volume, and tells volumes
// of other voxels by how far they lie away.
func TestMatch(t *testing.T) {
	t.Parallel()
	n := [3]int{40, 30, 20}
	for _, angle := range []float64{0, 25, 45} {
		g := segd.Grid{Size: n, Affine: oblique(angle)}
		for _, way := range turns(n) {
			other := segd.Grid{Size: way.Size(), Affine: way.Affine(g.Affine)}
			turn, err := Match(g, other)
			if err != nil {
				t.Fatalf("%+v at %g degrees: %v", way, angle, err)
			}
			if want := way.Inverse(); turn != want {
				t.Errorf("%+v at %g degrees: %+v, want %+v", way, angle, turn, want)
			}
		}
	}
	g := segd.Grid{Size: n, Affine: segd.Affine{{-1, 0, 0, 40}, {0, -1, 0, 30}, {0, 0, 3, -10}}}
	moved := func(size [3]int, change func(m *segd.Affine)) segd.Grid {
		m := g.Affine
		change(&m)
		return segd.Grid{Size: size, Affine: m}
	}
	for name, tt := range map[string]struct {
		other segd.Grid
		text  string // empty: taken
	}{
		"beside":        {moved(n, func(m *segd.Affine) { m[0][3] += 8 }), "8 mm away"},
		"half a voxel":  {moved(n, func(m *segd.Affine) { m[1][3] += 0.5 }), "0.5 mm away"},
		"a few digits":  {moved(n, func(m *segd.Affine) { m[1][3] += 0.01; m[0][1] = 2e-4 }), ""},
		"other spacing": {moved(n, func(m *segd.Affine) { m[2][2] = 3.1 }), "1.9 mm away"},
		"resampled":     {moved([3]int{80, 60, 20}, func(m *segd.Affine) { m[0][0], m[1][1] = -0.5, -0.5 }), "80×60×20 voxels for an image of 40×30×20"},
		"cropped":       {moved([3]int{40, 30, 10}, func(m *segd.Affine) { m[2][3] += 15 }), "40×30×10 voxels"},
		"flat":          {moved(n, func(m *segd.Affine) { m[2][2] = 0 }), "away"},
	} {
		_, err := Match(g, tt.other)
		if tt.text == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var match *MatchError
		if !errors.Is(err, segd.ErrFormat) || !errors.As(err, &match) || !(match.MM > 0) || !strings.Contains(fmt.Sprint(err), tt.text) {
			t.Errorf("%s: %v, want %q", name, err, tt.text)
		}
	}
	if d := Apart(n, g.Affine, g.Affine.RAS()); math.Abs(d-2*math.Hypot(40, 30)) > 1e-9 {
		t.Errorf("%g mm apart", d)
	}
}
