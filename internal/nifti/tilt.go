package nifti

import (
	"fmt"
	"math"

	"segd"
)

// tilt is how the planes of a sheared grid move within themselves to stand
// upright on each other.
type tilt struct {
	right, down   float64 // pixels that a plane lies further than the one before
	left, top     int     // whole pixels that the file begins before the first plane, at most 0
	width, height int     // of the file
}

// Least drift, in pixels from the first plane to the last, from which planes are
// moved: whole pixels cannot follow less than a half.
const (
	maskDrift  = 0.5
	valueDrift = 0.05
)

// upright returns the grid of a file for g, whose axes are at right angles, and
// how planes come to lie in it, nil where they lie there already.
func (g Grid) upright(content Content) (Grid, *tilt, error) {
	if g.Affine != nil {
		u, v, err := g.axes()
		if err != nil {
			return g, nil, err
		}
		t, m := g.tilt(u, v)
		least := maskDrift
		if content == Values {
			least = valueDrift
		}
		if skew(g.Affine) > 1e-6 {
			g.Affine = m
		}
		if t.drift(g.Depth) >= least {
			t.enlarge(&g, content)
			if g.Width > segd.MaxSide || g.Height > segd.MaxSide || g.Width*g.Height > segd.MaxPixels {
				return g, nil, fmt.Errorf("nifti: %w: planes that are sheared so far that upright they are %d×%d pixels, limit %d a side", segd.ErrTooLarge, g.Width, g.Height, segd.MaxSide)
			}
			return g, t, g.fits()
		}
	}
	return g, nil, g.fits()
}

// fits returns segd.ErrTooLarge beyond what a header of version 1 can count.
func (g Grid) fits() error {
	for _, n := range []int{g.Width, g.Height, g.Depth, g.Times} {
		if n > math.MaxInt16 {
			return fmt.Errorf("nifti: %w: %d×%d pixels, %d planes and %d times, limit %d each", segd.ErrTooLarge,
				g.Width, g.Height, g.Depth, max(1, g.Times), math.MaxInt16)
		}
	}
	return nil
}

// axes returns the directions along a row and along a column of g, of length 1
// and at right angles. Directions that a file has in few digits are a little off
// them, and are turned by as much each.
func (g Grid) axes() (u, v [3]float64, err error) {
	u, v = unit(g.Affine.Column(0)), unit(g.Affine.Column(1))
	along := dot(u, v)
	if !(math.Abs(along) < 0.02) { // NaN too
		return u, v, fmt.Errorf("nifti: %w: rows and columns that are not at right angles: cosine %.3g, want 0", segd.ErrUnprocessable, along)
	}
	for range 3 { // each step squares what is left
		half := dot(u, v) / 2
		w := u
		for r := range 3 {
			u[r] -= half * v[r]
			v[r] -= half * w[r]
		}
		u, v = unit(u), unit(v)
	}
	n := cross(u, v)
	if c := math.Abs(dot(n, g.Affine.Column(2))); !(c > 1e-3*g.Affine.SpacingMM(2)) || math.IsInf(c, 0) {
		return u, v, fmt.Errorf("nifti: %w: planes that lie in each other, and make up no volume", segd.ErrUnprocessable)
	}
	return u, v, nil
}

// tilt returns how the planes of g lie along each other, and the affine that
// they have when they are moved to stand upright on the first one.
func (g Grid) tilt(u, v [3]float64) (*tilt, *segd.Affine) {
	step := g.Affine.Column(2)
	n := cross(u, v)
	up := dot(n, step)
	t := &tilt{right: dot(u, step) / g.Affine.SpacingMM(0), down: dot(v, step) / g.Affine.SpacingMM(1)}
	m := *g.Affine
	for r := range 3 {
		m[r][0], m[r][1], m[r][2] = u[r]*g.Affine.SpacingMM(0), v[r]*g.Affine.SpacingMM(1), n[r]*up
	}
	return t, &m
}

// drift is how far the last of n planes lies from where it would upright, in
// pixels along rows or columns.
func (t *tilt) drift(n int) float64 {
	return float64(n-1) * max(math.Abs(t.right), math.Abs(t.down))
}

// enlarge makes room in g for all planes.
func (t *tilt) enlarge(g *Grid, content Content) {
	low, high := math.Round, math.Round
	if content == Values {
		low, high = math.Floor, math.Ceil
	}
	last := float64(g.Depth - 1)
	limit := func(v float64) int { return int(max(-1e6, min(1e6, v))) }
	t.left, t.top = limit(low(min(0, last*t.right))), limit(low(min(0, last*t.down)))
	g.Width += limit(high(max(0, last*t.right))) - t.left
	g.Height += limit(high(max(0, last*t.down))) - t.top
	t.width, t.height = g.Width, g.Height
	m := *g.Affine
	for r := range 3 {
		m[r][3] += m[r][0]*float64(t.left) + m[r][1]*float64(t.top)
	}
	g.Affine = &m
}

// mask moves plane k by whole pixels, the nearest.
func (t *tilt) mask(k int, m *segd.Mask) []uint8 {
	out := make([]uint8, t.width*t.height)
	x := int(math.Round(float64(k)*t.right)) - t.left
	y := int(math.Round(float64(k)*t.down)) - t.top
	for row := range m.Height {
		copy(out[(y+row)*t.width+x:], m.Pix[row*m.Width:(row+1)*m.Width])
	}
	return out
}

// values moves plane k, of width×height pixels, by linear interpolation.
// What lies beyond the edge of its outer pixels is 0.
func (t *tilt) values(k int, values []float32, width, height int) []float32 {
	out := make([]float32, t.width*t.height)
	columns := taps(t.width, width, float64(t.left)-float64(k)*t.right)
	rows := taps(t.height, height, float64(t.top)-float64(k)*t.down)
	for y, q := range rows {
		for x, p := range columns {
			if !p.in || !q.in {
				continue
			}
			upper, lower := values[q.first*width:], values[q.second*width:]
			out[y*t.width+x] = mix(mix(upper[p.first], upper[p.second], p.weight), mix(lower[p.first], lower[p.second], p.weight), q.weight)
		}
	}
	return out
}

// mix is a where the weight of b is 0, whatever b is.
func mix(a, b, weight float32) float32 {
	if weight == 0 {
		return a
	}
	return a + weight*(b-a)
}

// tap is the place of a pixel between two others.
type tap struct {
	first, second int
	weight        float32 // of the second
	in            bool    // not beyond the edge of the outer ones
}

// taps returns where each of n pixels, the first at start, lies among length.
func taps(n, length int, start float64) []tap {
	out := make([]tap, n)
	for i := range out {
		at := start + float64(i)
		if at < -0.5 || at > float64(length)-0.5 {
			continue
		}
		at = max(0, min(float64(length-1), at))
		first := int(at)
		out[i] = tap{first: first, second: min(first+1, length-1), weight: float32(at - float64(first)), in: true}
	}
	return out
}

// Tilt says in words what a Writer of content does to planes of g that are
// sheared; it is empty where nothing is moved.
func (g Grid) Tilt(content Content) string {
	out, t, err := g.upright(content)
	if err != nil || t == nil {
		return ""
	}
	lateral := math.Hypot(t.right*g.Affine.SpacingMM(0), t.down*g.Affine.SpacingMM(1))
	angle := math.Asin(min(1, lateral/g.Affine.SpacingMM(2))) * 180 / math.Pi
	how := "to the nearest pixel"
	if content == Values {
		how = "with linear interpolation"
	}
	return fmt.Sprintf("the slices do not lie along their normal, but tilted by %.1f degrees (a tilted gantry): those of the nifti were moved %s by up to %.1f pixels to stand upright on each other, in planes of %d×%d pixels instead of %d×%d",
		angle, how, t.drift(g.Depth), out.Width, out.Height, g.Width, g.Height)
}

// skew is the largest deviation of the axes of m from right angles, as a cosine.
func skew(m *segd.Affine) float64 {
	_, cosine := m.Sheared()
	return cosine
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func unit(a [3]float64) [3]float64 {
	l := math.Sqrt(dot(a, a))
	return [3]float64{a[0] / l, a[1] / l, a[2] / l}
}
