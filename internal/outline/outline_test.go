package outline

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

// draw makes a mask of rows of digits; a dot is background.
func draw(rows ...string) *segd.Mask {
	m := segd.NewMask(len(rows[0]), len(rows))
	for y, row := range rows {
		for x, c := range row {
			if c != '.' {
				m.Pix[y*m.Width+x] = uint8(c - '0')
			}
		}
	}
	return m
}

func TestTrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		mask *segd.Mask
		want []Polygon
	}{
		{"none", draw("...", ".2."), []Polygon{}},
		{"pixel", draw("...", ".1.", "..."), []Polygon{{Outer: Ring{{1, 1}, {2, 1}, {2, 2}, {1, 2}}}}},
		{"whole", draw("11", "11"), []Polygon{{Outer: Ring{{0, 0}, {2, 0}, {2, 2}, {0, 2}}}}},
		{"corner", draw("1.", ".1"), []Polygon{{Outer: Ring{{0, 0}, {1, 0}, {1, 1}, {0, 1}}}, {Outer: Ring{{1, 1}, {2, 1}, {2, 2}, {1, 2}}}}},
		{"el", draw("1.", "11"), []Polygon{{Outer: Ring{{0, 0}, {1, 0}, {1, 1}, {2, 1}, {2, 2}, {0, 2}}}}},
		{"hole", draw("111", "121", "111"), []Polygon{{Outer: Ring{{0, 0}, {3, 0}, {3, 3}, {0, 3}},
			Holes: []Ring{{{1, 2}, {2, 2}, {2, 1}, {1, 1}}}}}},
		{"corner of a hole", draw("1111", "1.11", "1..1", "1111"), []Polygon{{Outer: Ring{{0, 0}, {4, 0}, {4, 4}, {0, 4}},
			Holes: []Ring{{{1, 3}, {3, 3}, {3, 2}, {2, 2}, {2, 1}, {1, 1}}}}}},
		// The part inside begins where it touches the hole around it.
		{"within a hole", draw("111111", "11...1", "1.11.1", "1....1", "111111"), []Polygon{
			{Outer: Ring{{0, 0}, {6, 0}, {6, 5}, {0, 5}}, Holes: []Ring{{{1, 4}, {5, 4}, {5, 1}, {2, 1}, {2, 2}, {1, 2}}}},
			{Outer: Ring{{2, 2}, {4, 2}, {4, 3}, {2, 3}}}}},
	} {
		if diff := cmp.Diff(c.want, Trace(c.mask, 1)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// inside reports whether the middle of a pixel lies within a ring, by the rule
// of even and odd.
func inside(r Ring, x, y float64) bool {
	in := false
	for i, a := range r {
		b := r[(i+1)%len(r)]
		if (a.Y > y) != (b.Y > y) && x < (b.X-a.X)*(y-a.Y)/(b.Y-a.Y)+a.X {
			in = !in
		}
	}
	return in
}

// On random masks the polygons, and the single rings made of them, cover just
// the pixels of the class.
func TestCover(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		m := segd.NewMask(1+rng.IntN(16), 1+rng.IntN(16))
		pixels, density := 0.0, rng.Float64()
		for i := range m.Pix {
			if rng.Float64() < density {
				m.Pix[i] = 1
				pixels++
			} else {
				m.Pix[i] = uint8(2 * rng.IntN(2))
			}
		}
		list := Trace(m, 1)
		area, keyholes, length := 0.0, 0.0, 0.0
		var rings []Ring
		for _, p := range list {
			if !(p.Outer.Area() > 0) || slices.ContainsFunc(p.Holes, func(h Ring) bool { return !(h.Area() < 0) }) {
				t.Fatalf("a part with an outline of area %v and holes %v: %v", p.Outer.Area(), p.Holes, m)
			}
			for _, r := range append([]Ring{p.Outer}, p.Holes...) {
				area += r.Area()
				for i, a := range r {
					b := r[(i+1)%len(r)]
					length += math.Abs(b.X-a.X) + math.Abs(b.Y-a.Y)
				}
			}
			rings = append(rings, p.Keyhole())
			keyholes += rings[len(rings)-1].Area()
		}
		if area != pixels || keyholes != pixels {
			t.Fatalf("area %v and, with keyholes, %v, want %v: %v", area, keyholes, pixels, m)
		}
		if n := Edges(m, 1); float64(n) != length {
			t.Fatalf("%d edges, the outlines are %v long", n, length)
		}
		for i, c := range m.Pix {
			// Off the middle, where the channels of keyholes run.
			x, y := float64(i%m.Width)+0.5, float64(i/m.Width)+0.4
			n := 0
			for _, r := range rings {
				if inside(r, x, y) {
					n++
				}
			}
			if (n == 1) != (c == 1) || n > 1 {
				t.Fatalf("pixel %d, of class %d, lies in %d rings: %v", i, c, n, m)
			}
		}
	}
}

func BenchmarkTrace(b *testing.B) {
	m := segd.NewMask(512, 512)
	for i := range m.Pix {
		x, y := i%512-256, i/512-256
		if r := x*x + y*y; r < 200*200 && r > 50*50 {
			m.Pix[i] = 1
		}
	}
	for b.Loop() {
		Trace(m, 1)
	}
}
