package nifti

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"segd"
	"segd/internal/nifti/niftitest"
)

// randomAffine turns axes of random lengths and handedness at random.
func randomAffine(rng *rand.Rand) segd.Affine {
	var axes [3][3]float64
	for i := range axes {
		for r := range 3 {
			axes[i][r] = rng.NormFloat64()
		}
	}
	u := unit(axes[0])
	v := unit(cross(u, unit(axes[1])))
	n := cross(u, v)
	var m segd.Affine
	hand := float64(1 - 2*rng.IntN(2))
	a, b, c := 0.3+rng.Float64(), 0.3+rng.Float64(), hand*(0.5+5*rng.Float64())
	for r := range 3 {
		m[r] = [4]float64{u[r] * a, v[r] * b, n[r] * c, 400*rng.Float64() - 200}
	}
	return m
}

// written returns the file of the planes of g that mark holds.
func written(t *testing.T, g Grid, mark func(w *Writer, k int) error) []byte {
	t.Helper()
	w, err := NewWriter(g, Masks)
	if err != nil {
		t.Fatal(err)
	}
	for k := range g.Depth * max(1, g.Times) {
		if err := mark(w, k); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := w.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Whatever grid is written, each reader finds every pixel where it lies in the
// patient: exactly where the axes are at right angles, and within half a pixel
// of its plane where they are sheared.
func TestEveryReaderFindsEveryPixel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 11))
	for i := range 300 {
		m := randomAffine(rng)
		g := Grid{Width: 3 + rng.IntN(20), Height: 3 + rng.IntN(20), Depth: 1 + rng.IntN(12), Times: rng.IntN(4), Affine: &m}
		slack := 0.0
		if i%2 == 1 {
			tilt := [2]float64{rng.NormFloat64(), rng.NormFloat64()}
			if i%4 == 1 {
				tilt = [2]float64{0.02 * rng.NormFloat64(), 0} // hardly any
			}
			for r := range 3 {
				m[r][2] += tilt[0]*m[r][0] + tilt[1]*m[r][1]
			}
			slack = 0.5
		}
		marks := map[int][2]int{}
		file := written(t, g, func(w *Writer, k int) error {
			mask := segd.NewMask(g.Width, g.Height)
			x, y := rng.IntN(g.Width), rng.IntN(g.Height)
			mask.Pix[y*g.Width+x], marks[k] = uint8(1+k), [2]int{x, y}
			return w.Add(mask)
		})
		v := read(t, file)
		for _, reader := range niftitest.Readers() {
			place, err := reader.Place(file)
			if err != nil {
				t.Fatalf("grid %d, %s: %v", i, reader.Name, err)
			}
			inverse, ok := place.Inverse()
			if !ok {
				t.Fatalf("grid %d, %s: %v", i, reader.Name, place)
			}
			for k, at := range marks {
				p := m.Apply([3]float64{float64(at[0]), float64(at[1]), float64(k % g.Depth)})
				voxel := inverse.Apply(p)
				var near [3]int
				for r, limit := range []float64{slack, slack, 0} {
					near[r] = int(math.Round(voxel[r]))
					if d := math.Abs(voxel[r] - math.Round(voxel[r])); d > limit+2e-3 {
						t.Fatalf("grid %d, %s: pixel %v of plane %d lies at voxel %v", i, reader.Name, at, k, voxel)
					}
				}
				if !marked(v, k, near, slack > 0) {
					t.Fatalf("grid %d, %s: pixel %v of plane %d is not at voxel %v", i, reader.Name, at, k, voxel)
				}
			}
		}
	}
}

// marked reports whether the mark of plane k is at voxel near, or, where planes
// were moved by half a pixel, next to it.
func marked(v *Volume, k int, near [3]int, moved bool) bool {
	m, err := v.Labels(k/v.Depth*v.Depth + near[2])
	if err != nil {
		return false
	}
	beside := 0
	if moved {
		beside = 1
	}
	for y := near[1] - beside; y <= near[1]+beside; y++ {
		for x := near[0] - beside; x <= near[0]+beside; x++ {
			if x >= 0 && y >= 0 && x < m.Width && y < m.Height && m.Pix[y*m.Width+x] == uint8(1+k) {
				return true
			}
		}
	}
	return false
}

// A tilted gantry: no pixel is lost, the file is larger, and values are
// interpolated to the hundredth of a pixel.
func TestTilt(t *testing.T) {
	t.Parallel()
	m := segd.Affine{{1, 0, 0, -4}, {0, 1, 0.6, -5}, {0, 0, 3, 7}}
	g := Grid{Width: 8, Height: 10, Depth: 6, Affine: &m}
	file := written(t, g, func(w *Writer, k int) error {
		mask := segd.NewMask(8, 10)
		for i := range mask.Pix {
			mask.Pix[i] = uint8(k + 1)
		}
		return w.Add(mask)
	})
	v := read(t, file)
	if v.Width != 8 || v.Height != 13 || v.Depth != 6 {
		t.Fatalf("%d×%d×%d, want 8×13×6", v.Width, v.Height, v.Depth)
	}
	for k := range 6 {
		mask, _ := v.Labels(k)
		if n := bytes.Count(mask.Pix, []byte{uint8(k + 1)}); n != 80 {
			t.Errorf("plane %d has %d of 80 pixels", k, n)
		}
	}
	if text := g.Tilt(Masks); text == "" {
		t.Error("nothing is said of the tilt")
	}
	upright := m
	upright[1][2] = 0
	if text := (Grid{Width: 8, Height: 10, Depth: 6, Affine: &upright}).Tilt(Masks); text != "" {
		t.Errorf("an upright grid: %s", text)
	}

	// Values that rise along the patient's axis do so still.
	w, err := NewWriter(g, Values)
	if err != nil {
		t.Fatal(err)
	}
	for k := range 6 {
		values := make([]float32, 80)
		for i := range values {
			values[i] = float32(m.Apply([3]float64{float64(i % 8), float64(i / 8), float64(k)})[1])
		}
		if err := w.AddValues(values, 8, 10); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := w.Write(&out); err != nil {
		t.Fatal(err)
	}
	v = read(t, out.Bytes())
	place, err := niftitest.Readers()[1].Place(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	plane := make([]float32, v.Width*v.Height)
	for k := range 6 {
		v.Plane(k, plane)
		within := 0
		for i, got := range plane {
			want := place.Apply([3]float64{float64(i % v.Width), float64(i / v.Width), float64(k)})[1]
			// The outer half pixel is that of the edge.
			if first := m.Apply([3]float64{0, 0, float64(k)})[1]; want < first || want > first+9 {
				continue
			}
			if within++; math.Abs(float64(got)-want) > 1e-4 {
				t.Errorf("plane %d, voxel %d: %g, want %g", k, i, got, want)
			}
		}
		if within < 8*9 {
			t.Errorf("plane %d has %d pixels in it", k, within)
		}
	}
}

// What cannot be a volume is refused, and planes may come in any order.
func TestNewWriterRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		m    segd.Affine
		want error
	}{
		"flat":       {segd.Affine{{1, 0, 0, 0}, {0, 1, 1, 0}}, segd.ErrUnprocessable},
		"skew rows":  {segd.Affine{{1, 0.3, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}, segd.ErrUnprocessable},
		"nothing":    {segd.Affine{}, segd.ErrUnprocessable},
		"far aslant": {segd.Affine{{1, 0, 500, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}, segd.ErrTooLarge},
	} {
		if _, err := NewWriter(Grid{Width: 8, Height: 8, Depth: 100, Affine: &tt.m}, Masks); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := NewWriter(Grid{Width: 8, Height: 8, Depth: 40_000}, Masks); !errors.Is(err, segd.ErrTooLarge) {
		t.Errorf("40,000 planes: %v", err)
	}
	var files [2]bytes.Buffer
	for i, order := range [][]int{{0, 1, 2, 3}, {3, 1, 0, 2}} {
		w, err := NewWriter(Grid{Width: 2, Height: 1, Depth: 2, Times: 2}, Masks)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range order {
			mask := &segd.Mask{Width: 2, Height: 1, Pix: []uint8{uint8(k), 9}}
			if err := w.AddAt(k, mask); err != nil {
				t.Fatal(err)
			}
			if err := w.AddAt(k, mask); !errors.Is(err, segd.ErrUnprocessable) {
				t.Errorf("plane %d twice: %v", k, err)
			}
		}
		if err := w.Write(&files[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) {
		t.Error("the file depends on the order of the planes")
	}
}

// A header that readers do not agree on is told so.
func TestDisagreement(t *testing.T) {
	t.Parallel()
	agree := segd.Affine{{-1, 0, 0, 3}, {0, 2, 0, 4}, {0, 0, 3, 5}}
	header := func(edit func(b []byte)) *Header {
		b := (Grid{Width: 10, Height: 10, Depth: 10, Affine: &agree}).header(Masks)
		edit(b)
		h, err := parse(b)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for name, tt := range map[string]struct {
		edit func(b []byte)
		want bool
	}{
		"alike":            {func([]byte) {}, false},
		"no qform":         {func(b []byte) { b[252] = 0 }, false},
		"no sform":         {func(b []byte) { b[254] = 0 }, false},
		"neither":          {func(b []byte) { b[252], b[254] = 0, 0 }, true},
		"8 mm apart":       {func(b []byte) { copy(b[268:], []byte{0, 0, 0, 65}) }, true},
		"sheared, alone":   {func(b []byte) { b[252] = 0; copy(b[284:], []byte{0, 0, 0, 63}) }, true},
		"sheared, a qform": {func(b []byte) { copy(b[284:], []byte{0, 0, 0, 63}) }, true},
	} {
		if got := header(tt.edit).Disagreement(); len(got) > 0 != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
