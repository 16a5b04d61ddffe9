package augment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"segd"
)

// ramp returns a sample in which pixel (y, x) has the value 1000·y + x in channel 0
// and twice that in channel 1. The label is 1 in a square.
func ramp(h, w int) *Sample {
	e := &Sample{X: segd.NewTensor(1, 2, h, w), Y: make([]uint8, h*w)}
	for y := range h {
		for x := range w {
			e.X.Plane(0, 0)[y*w+x] = float32(1000*y + x)
			e.X.Plane(0, 1)[y*w+x] = float32(2000*y + 2*x)
			if y >= h/2 && y < h/2+4 && x >= w/2 && x < w/2+4 {
				e.Y[y*w+x] = 1
			}
		}
	}
	e.Spots = Spots(e.Y, 2)
	return e
}

func newPatch(rng *rand.Rand, channels, h, w int) *Patch {
	return &Patch{RNG: rng, H: h, W: w, X: make([]float32, channels*h*w), Y: make([]uint8, h*w), tmp: make([]float32, h*w)}
}

// Without augmentation a patch is exactly a window of the image.
func TestPlainPatchIsAWindow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ h, w, ph, pw int }{{40, 50, 16, 24}, {16, 24, 16, 24}, {33, 17, 32, 16}} {
		e := ramp(tt.h, tt.w)
		for i := range 50 {
			p := newPatch(Source(1, uint64(i)), 2, tt.ph, tt.pw)
			p.Cut(e, &Settings{}, 0.5)
			top, left := int(p.X[0])/1000, int(p.X[0])%1000
			for k := range tt.ph * tt.pw {
				y, x := top+k/tt.pw, left+k%tt.pw
				if y >= tt.h || x >= tt.w || p.X[k] != float32(1000*y+x) || p.X[tt.ph*tt.pw+k] != 2*p.X[k] || p.Y[k] != e.Y[y*tt.w+x] {
					t.Fatalf("%+v sample %d pixel %d: %v label %d is not the image's at (%d, %d)", tt, i, k, p.X[k], p.Y[k], y, x)
				}
			}
		}
	}
}

func TestForegroundShare(t *testing.T) {
	t.Parallel()
	e := ramp(200, 200)
	count := func(share float64) int {
		n := 0
		for i := range 300 {
			p := newPatch(Source(5, uint64(i)), 2, 32, 32)
			p.Cut(e, &Settings{}, share)
			if slices.Contains(p.Y, 1) {
				n++
			}
		}
		return n
	}
	if never, always := count(0), count(1); always != 300 || never > 60 {
		t.Errorf("of 300 patches %d hold foreground with share 1 and %d with share 0", always, never)
	}
}

// All four kinds of flip occur, and image and label move together.
func TestFlips(t *testing.T) {
	t.Parallel()
	e := ramp(16, 16)
	seen := map[[2]bool]int{}
	for i := range 200 {
		p := newPatch(Source(2, uint64(i)), 2, 16, 16)
		p.Cut(e, &Settings{Flip: true}, 0)
		seen[[2]bool{p.X[0] >= 15000, int(p.X[0])%1000 == 15}]++
		for k, v := range p.X[:256] {
			if y, x := int(v)/1000, int(v)%1000; p.Y[k] != e.Y[y*16+x] {
				t.Fatalf("sample %d: label and image differ at pixel %d", i, k)
			}
		}
	}
	for kind, n := range seen {
		if n < 25 {
			t.Errorf("flip %v: %d of 200", kind, n)
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d kinds of flip, want 4", len(seen))
	}
}

// After any geometric change, the value at a pixel shows where it came from, and the
// label must come from the same place.
func TestGeometryMovesLabelsWithImage(t *testing.T) {
	t.Parallel()
	a := Default(true)
	a.Brightness, a.Contrast, a.Gamma, a.Shade, a.Noise, a.Blur, a.Low = 0, 0, 0, 0, 0, 0, 0
	a.Rotate, a.Scale, a.Elastic, a.ElasticGrid = 1, 1, 1, 16
	const n = 96
	rows, columns := ramp(n, n), ramp(n, n)
	for i := range n * n {
		rows.X.Data[i], columns.X.Data[i] = float32(i/n), float32(i%n)
		v := uint8((i/n/8 + i%n/8) % 2)
		rows.Y[i], columns.Y[i] = v, v
	}
	off, total := 0, 0
	for i := range 30 {
		py, px := newPatch(Source(3, uint64(i)), 2, 64, 64), newPatch(Source(3, uint64(i)), 2, 64, 64)
		py.Cut(rows, &a, 0)
		px.Cut(columns, &a, 0)
		for k := range py.Y {
			y, x := int(math.Round(float64(py.X[k]))), int(math.Round(float64(px.X[k])))
			total++
			if py.Y[k] != rows.Y[y*n+x] {
				off++
			}
		}
	}
	// Mirrored pixels between the edge and its image round in the opposite direction.
	if float64(off) > 0.002*float64(total) {
		t.Errorf("%d of %d labels come from a different pixel than the value", off, total)
	}
}

func TestPatchIsItsNumbersAlone(t *testing.T) {
	t.Parallel()
	e, a := ramp(70, 90), Default(true)
	cut := func(i uint64) *Patch {
		p := newPatch(Source(9, i), 2, 48, 64)
		p.Cut(e, &a, 0.5)
		return p
	}
	one, again, other := cut(4), cut(4), cut(5)
	if !slices.Equal(one.X, again.X) || !slices.Equal(one.Y, again.Y) {
		t.Error("the same sample differs when made again")
	}
	if slices.Equal(one.X, other.X) {
		t.Error("another sample is identical")
	}
	for i := range uint64(200) {
		for _, v := range cut(i).X {
			if v != v || math.IsInf(float64(v), 0) {
				t.Fatalf("sample %d holds %v", i, v)
			}
		}
	}
}

func TestReflect(t *testing.T) {
	t.Parallel()
	var got []int
	for i := -5; i < 9; i++ {
		got = append(got, reflect(i, 4))
	}
	if want := []int{1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if reflect(-7, 1) != 0 {
		t.Error("a single pixel mirrors to itself")
	}
}

// Filters preserve a constant image, and a blur preserves the mean of a large one.
func TestFiltersKeepConstants(t *testing.T) {
	t.Parallel()
	p := newPatch(Source(1, 1), 1, 20, 30)
	for i := range p.X {
		p.X[i] = 3
	}
	p.blur(p.X, 1.2)
	p.coarsen(p.X, 0.6)
	p.gamma(p.X, 1.5, true)
	for i, v := range p.X {
		if math.Abs(float64(v)-3) > 1e-5 {
			t.Fatalf("pixel %d is %v, want 3", i, v)
		}
	}
	p.X[10*30+15] += 100
	p.blur(p.X, 1)
	if v := p.X[10*30+15] - 3; math.Abs(float64(v)-15.9) > 0.5 { // 100/(2π)
		t.Errorf("peak of a blurred point %v, want about 15.9", v)
	}
}

func TestGammaKeepsTheRange(t *testing.T) {
	t.Parallel()
	p := newPatch(Source(1, 1), 1, 10, 10)
	for i := range p.X {
		p.X[i] = float32(i) / 99
	}
	p.gamma(p.X, 2, false)
	for i, v := range p.X {
		if want := math.Pow(float64(i)/99, 2); math.Abs(float64(v)-want) > 1e-4 {
			t.Fatalf("value %d: %v, want %v", i, v, want)
		}
	}
}

func BenchmarkPatch256(b *testing.B) {
	e, a := ramp(400, 400), Default(true)
	p := newPatch(nil, 2, 256, 256)
	e.X = &segd.Tensor{N: 1, C: 1, H: 400, W: 400, Data: e.X.Data[:400*400]}
	i := uint64(0)
	for b.Loop() {
		p.RNG = Source(1, i)
		p.Cut(e, &a, 0.4)
		i++
	}
}

// A cover changes part of a patch, equally in all channels, and no labels.
func TestCover(t *testing.T) {
	t.Parallel()
	for i := range 50 {
		p := newPatch(Source(5, uint64(i)), 2, 64, 64)
		for k := range p.X {
			p.X[k] = 10
		}
		labels := slices.Clone(p.Y)
		p.cover(p.X)
		changed := 0
		for k, v := range p.X[:64*64] {
			if v != 10 {
				changed++
			}
			if v != p.X[64*64+k] {
				t.Fatalf("sample %d: channels differ at pixel %d", i, k)
			}
		}
		if share := float64(changed) / (64 * 64); share == 0 || share > 0.25 {
			t.Errorf("sample %d: %.3f of the patch is covered", i, share)
		}
		if !slices.Equal(labels, p.Y) {
			t.Errorf("sample %d: labels changed", i)
		}
	}
}

// Light is smooth, equal in all channels, and varies over the patch.
func TestShade(t *testing.T) {
	t.Parallel()
	const side = 48
	p := newPatch(Source(3, 1), 2, side, side)
	p.shade(p.X)
	low, high, step := p.X[0], p.X[0], float32(0)
	for i := range side * side {
		v := p.X[i]
		if v != p.X[side*side+i] {
			t.Fatalf("pixel %d: %v and %v in the other channel", i, v, p.X[side*side+i])
		}
		low, high = min(low, v), max(high, v)
		if i%side > 0 {
			d := v - p.X[i-1]
			step = max(step, d, -d)
		}
	}
	// Grid points are 24 pixels apart.
	if high-low < 0.05 || step > (high-low)/6 {
		t.Errorf("from %v to %v in steps of up to %v", low, high, step)
	}
}
