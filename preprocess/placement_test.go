package preprocess

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"segd"
)

// spaced returns a grey image of random smooth content and the given spacing.
func spaced(width, height int, rowMM, colMM float64, seed uint64) *segd.Image {
	r := rand.New(rand.NewPCG(seed, 1))
	a, b, c := 1+r.Float64(), 1+r.Float64(), 6*r.Float64()
	img := grey(width, height, make([]float32, width*height)...)
	for y := range height {
		for x := range width {
			u, v := (float64(y)+0.5)/float64(height), (float64(x)+0.5)/float64(width)
			img.Pix[y*width+x] = float32(math.Sin(3*a*u+c) + math.Cos(3*b*v))
		}
	}
	img.Spacing = segd.Spacing{RowMM: rowMM, ColMM: colMM}
	return img
}

// TestGrid checks the size of the grid, and that it is the image's own unless
// both the recipe and the image give a spacing.
func TestGrid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rowMM, colMM, to float64
		h, w             int
	}{
		{0, 0, 1, 40, 60}, {1, 2, 0, 40, 60}, {1, 1, 1, 40, 60},
		{2, 1, 1, 80, 60}, {1, 2, 1, 40, 120}, {0.5, 0.5, 1, 20, 30}, {0.01, 0.01, 10, 1, 1},
		{0.703125, 0.703125, 1, 28, 42},
	}
	for _, tt := range tests {
		x, p := apply(t, Recipe{Channels: 1, Normalise: ZScore, SpacingMM: tt.to}, spaced(60, 40, tt.rowMM, tt.colMM, 1))
		want := Placement{Width: 60, Height: 40, GridWidth: tt.w, GridHeight: tt.h}
		if p != want || x.H != tt.h || x.W != tt.w || x.N != 1 || x.C != 1 {
			t.Errorf("%g×%g mm to %g: placement %+v, tensor %d×%d; want %+v", tt.rowMM, tt.colMM, tt.to, p, x.H, x.W, want)
		}
	}
}

// TestLongSide scales both sides alike, up and down, whatever the spacing.
func TestLongSide(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ h, w, side, gridH, gridW int }{
		{40, 60, 60, 40, 60}, {40, 60, 30, 20, 30}, {60, 40, 30, 30, 20}, {40, 60, 100, 67, 100}, {1, 500, 100, 1, 100},
	} {
		x, p := apply(t, Recipe{Channels: 1, Normalise: ZScore, LongSide: tt.side}, spaced(tt.w, tt.h, 2, 1, 1))
		want := Placement{Width: tt.w, Height: tt.h, GridWidth: tt.gridW, GridHeight: tt.gridH}
		if p != want || x.H != tt.gridH || x.W != tt.gridW {
			t.Errorf("%d×%d to %d: placement %+v, tensor %d×%d; want %+v", tt.h, tt.w, tt.side, p, x.H, x.W, want)
		}
	}
}

// TestIdentity restores any mask exactly on the identity grid, and hands the
// probabilities through.
func TestIdentity(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		w, h := 1+r.IntN(70), 1+r.IntN(70)
		_, p := apply(t, Recipe{Channels: 1, Normalise: ZScore}, spaced(w, h, 0, 0, 2))
		m := segd.NewMask(w, h)
		for i := range m.Pix {
			m.Pix[i] = uint8(r.IntN(4))
		}
		want := slices.Clone(m.Pix)
		got, err := p.Mask(m)
		if err != nil {
			t.Fatal(err)
		}
		if got.Width != w || got.Height != h || !slices.Equal(got.Pix, want) {
			t.Fatalf("mask of %d×%d is not restored", h, w)
		}
		labels, err := p.Labels(m)
		if err != nil || !slices.Equal(labels.Pix, want) {
			t.Fatalf("labels of %d×%d are not kept: %v", h, w, err)
		}
		probabilities := segd.NewTensor(1, 2, h, w)
		if same, err := p.ToImage(probabilities); err != nil || same != probabilities {
			t.Fatalf("probabilities of %d×%d are not handed through: %v", h, w, err)
		}
	}
}

// TestRoundTrip resamples a smooth image, of one to two waves across, to
// another grid and back. What is lost is the blur of two triangles, which grows
// with the square of the coarser pixel, and at the edge half a pixel's slope:
// 2 % of the range at 2 mm, less on finer grids. The bound is 3 %.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, to := range []float64{0.4, 0.7, 1, 1.3, 2} {
		img := spaced(96, 64, 1.1, 0.9, 3)
		x, p := apply(t, Recipe{Channels: 1, Normalise: MinMax, SpacingMM: to}, img)
		back, err := p.ToImage(x)
		if err != nil {
			t.Fatal(err)
		}
		native, _ := apply(t, Recipe{Channels: 1, Normalise: MinMax}, img)
		if back.H != native.H || back.W != native.W {
			t.Fatalf("%d×%d came back as %d×%d", native.H, native.W, back.H, back.W)
		}
		worst := 0.0
		for i, v := range back.Data {
			worst = max(worst, math.Abs(float64(v-native.Data[i])))
		}
		if worst > 0.03 {
			t.Errorf("to %g mm and back: off by %.4f of the range", to, worst)
		}
	}
}

// TestNeverFlipped sends a pattern without symmetry through and looks for it
// where it was.
func TestNeverFlipped(t *testing.T) {
	t.Parallel()
	const w, h = 60, 40
	img := grey(w, h, make([]float32, w*h)...)
	m := segd.NewMask(w, h)
	// A bright block at the upper left, a dimmer one a little to the right.
	block := func(y0, x0, dy, dx int, v float32, class uint8) {
		for y := y0; y < y0+dy; y++ {
			for x := x0; x < x0+dx; x++ {
				img.Pix[y*w+x], m.Pix[y*w+x] = v, class
			}
		}
	}
	block(4, 5, 8, 12, 100, 1)
	block(6, 30, 12, 6, 50, 2)
	img.Spacing = segd.Spacing{RowMM: 1, ColMM: 1}
	for _, to := range []float64{0.5, 0.8, 1, 1.5, 2} {
		x, p := apply(t, Recipe{Channels: 1, Normalise: MinMax, SpacingMM: to}, img)
		scaleY, scaleX := float64(x.H)/h, float64(x.W)/w
		at := func(y, xx float64) float32 {
			return x.Plane(0, 0)[int(y*scaleY)*x.W+int(xx*scaleX)]
		}
		if at(8, 11) < 0.99 || math.Abs(float64(at(12, 33))-0.5) > 0.01 || at(36, 11) > 0.01 || at(8, 55) > 0.01 {
			t.Errorf("to %g mm: %v %v %v %v", to, at(8, 11), at(12, 33), at(36, 11), at(8, 55))
		}
		labels, err := p.Labels(m)
		if err != nil {
			t.Fatal(err)
		}
		restored, err := p.Mask(labels)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range [][3]int{{8, 11, 1}, {12, 33, 2}, {36, 11, 0}, {8, 55, 0}, {30, 20, 0}} {
			if got := restored.Pix[q[0]*w+q[1]]; int(got) != q[2] {
				t.Errorf("to %g mm: class %d at %d,%d, want %d", to, got, q[0], q[1], q[2])
			}
		}
	}
}

// TestDiscArea takes the mask of a disc to another grid and back: its area is
// kept within 0.15 of a pixel along its outline, of the coarser grid's pixels.
func TestDiscArea(t *testing.T) {
	t.Parallel()
	const n, radius = 128, 30.0
	m := segd.NewMask(n, n)
	area := 0
	for y := range n {
		for x := range n {
			if math.Hypot(float64(y)-50.3, float64(x)-70.7) <= radius {
				m.Pix[y*n+x] = 1
				area++
			}
		}
	}
	img := spaced(n, n, 1, 1, 4)
	for _, to := range []float64{0.37, 0.5, 0.9, 1.2, 1.9, 2.5} {
		_, p := apply(t, Recipe{Channels: 1, Normalise: ZScore, SpacingMM: to}, img)
		labels, err := p.Labels(m)
		if err != nil {
			t.Fatal(err)
		}
		count := func(m *segd.Mask) (n int) {
			for _, v := range m.Pix {
				n += int(v)
			}
			return n
		}
		grid := float64(count(labels)) * float64(n*n) / float64(p.GridHeight*p.GridWidth)
		restored, err := p.Mask(labels)
		if err != nil {
			t.Fatal(err)
		}
		// 0.15 px · 2πr over πr² is 0.3/r.
		bound := 0.3 / radius * max(1, to)
		for name, got := range map[string]float64{"on the grid": grid, "restored": float64(count(restored))} {
			if off := math.Abs(got-float64(area)) / float64(area); off > bound {
				t.Errorf("to %g mm, %s: area %g of %d, off by %.2f %%, bound %.2f %%", to, name, got, area, 100*off, 100*bound)
			}
		}
		if to <= 0.5 && !slices.Equal(restored.Pix, m.Pix) {
			// A grid at least twice as fine has a pixel centre in each pixel
			// that leads back to it.
			t.Errorf("to %g mm: the mask is not restored", to)
		}
	}
}

// TestProbabilitiesSum keeps the sum over the classes at 1, and each between 0
// and 1, over any resampling.
func TestProbabilitiesSum(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 1))
	for range 30 {
		p := Placement{Width: 1 + r.IntN(50), Height: 1 + r.IntN(50), GridWidth: 1 + r.IntN(50), GridHeight: 1 + r.IntN(50)}
		x := segd.NewTensor(2, 3, p.GridHeight, p.GridWidth)
		for n := range x.N {
			for i := range p.GridHeight * p.GridWidth {
				a, b := r.Float32(), r.Float32()
				x.Plane(n, 0)[i], x.Plane(n, 1)[i], x.Plane(n, 2)[i] = a*b, a*(1-b), 1-a
			}
		}
		out, err := p.ToImage(x)
		if err != nil {
			t.Fatal(err)
		}
		for n := range out.N {
			for i := range p.Height * p.Width {
				a, b, c := out.Plane(n, 0)[i], out.Plane(n, 1)[i], out.Plane(n, 2)[i]
				if sum := a + b + c; math.Abs(float64(sum)-1) > 1e-5 || min(a, b, c) < 0 || max(a, b, c) > 1+1e-6 {
					t.Fatalf("%+v: %v + %v + %v = %v", p, a, b, c, sum)
				}
			}
		}
	}
}

// TestResampleValues pins the filter: half-pixel centres when growing, the
// triangle over two output pixels when shrinking.
func TestResampleValues(t *testing.T) {
	t.Parallel()
	line := func(v ...float32) *segd.Tensor { return &segd.Tensor{N: 1, C: 1, H: 1, W: len(v), Data: v} }
	near(t, resample(line(0, 4), 1, 4).Data, []float32{0, 1, 3, 4}, 1e-6)
	// Weights 1 3 3 1 around each pair; at the edge the outer one is left out.
	near(t, resample(line(0, 8, 0, 0, 0, 0, 0, 0), 1, 4).Data, []float32{24. / 7, 1, 0, 0}, 1e-6)
	near(t, resample(line(5, 5, 5, 5, 5), 3, 2).Data, []float32{5, 5, 5, 5, 5, 5}, 1e-6)
	near(t, resample(&segd.Tensor{N: 1, C: 1, H: 2, W: 1, Data: []float32{0, 4}}, 4, 1).Data, []float32{0, 1, 3, 4}, 1e-6)
}

func TestPlacementErrors(t *testing.T) {
	t.Parallel()
	p := Placement{Width: 4, Height: 3, GridWidth: 8, GridHeight: 6}
	if _, err := p.Mask(segd.NewMask(4, 3)); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("mask of the image: %v", err)
	}
	if _, err := p.Mask(nil); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("no mask: %v", err)
	}
	if _, err := p.Labels(segd.NewMask(8, 6)); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("labels of the grid: %v", err)
	}
	if _, err := p.ToImage(segd.NewTensor(1, 2, 3, 4)); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("probabilities of the image: %v", err)
	}
}
