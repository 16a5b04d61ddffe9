package shapes

import (
	"math"
	"slices"
)

// pillowPolygon is a polygon through pixels as Pillow fills it (ImageDraw.polygon,
// version 13): pixels on the outline are in.
type pillowPolygon []pixel

// slant is an edge that is not level.
type slant struct {
	x0, y0    float32 // where it begins
	dx        float32 // columns a row
	low, high int     // its rows, both included
}

// at returns the column at a row.
func (s *slant) at(row int) float32 { return float32((float32(row)-s.y0)*s.dx) + s.x0 }

// draw marks, row by row, the pixels between pairs of crossings, each rounded to the
// nearest pixel, and level edges. Single precision and the order of the edges matter:
// they decide which pixel a crossing is rounded to.
func (p pillowPolygon) draw(c *canvas) error {
	slants, err := p.slants(c)
	if err != nil || len(slants) == 0 {
		return err
	}
	low, high := slants[0].low, slants[0].high
	for _, q := range p {
		low, high = min(low, q.y), max(high, q.y)
	}
	first, last := max(low, 0), min(high, c.mask.Height)
	// The slants that begin in a row, in their order; active ones keep it too.
	begins := make(map[int][]int32, len(slants))
	for i := range slants {
		if s := &slants[i]; s.high >= first && s.low <= last {
			row := max(s.low, first)
			begins[row] = append(begins[row], int32(i))
		}
	}
	var active []int32
	var crossings []float32
	for y := first; y <= last; y++ {
		active = slices.DeleteFunc(active, func(i int32) bool { return slants[i].high < y })
		if more := begins[y]; len(more) > 0 {
			active = append(active, more...)
			slices.Sort(active)
		}
		if err := c.spend(len(active)); err != nil {
			return err
		}
		if crossings, err = cross(c, slants, active, y, y < last, crossings[:0]); err != nil {
			return err
		}
		slices.Sort(crossings)
		for i := 1; i < len(crossings); i += 2 {
			if err := c.span(y, roundAway(crossings[i-1], c.mask.Width), roundNear(crossings[i], c.mask.Width)+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// slants lists the slanted edges, and marks the level ones. The polygon is closed.
func (p pillowPolygon) slants(c *canvas) ([]slant, error) {
	var list []slant
	for i, a := range p {
		b := p[(i+1)%len(p)]
		if a.y == b.y {
			if i == len(p)-1 && a == b {
				break // the polygon was closed already
			}
			if err := c.span(a.y, min(a.x, b.x), max(a.x, b.x)+1); err != nil {
				return nil, err
			}
			continue
		}
		list = append(list, slant{x0: float32(a.x), y0: float32(a.y), dx: float32(b.x-a.x) / float32(b.y-a.y), low: min(a.y, b.y), high: max(a.y, b.y)})
	}
	return list, nil
}

// cross appends the crossings of the active slants with a row. One that ends there
// counts twice, unless nothing of the polygon is below: where another begins, the row
// then has an odd number of them at the corner, and both sides keep it. more says that
// there are rows below.
func cross(c *canvas, slants []slant, active []int32, y int, more bool, list []float32) ([]float32, error) {
	for n, i := range active {
		s := &slants[i]
		list = append(list, s.at(y))
		switch {
		case y == s.high && more:
			list = append(list, list[len(list)-1])
		case (y == s.low || y == s.high) && s.dx != 0:
			if err := c.spend(n); err != nil {
				return nil, err
			}
			list[len(list)-1] = meet(slants, active[:n], s, y)
		}
	}
	return list, nil
}

// meet returns where a slant that begins or ends in a row crosses it. Where it forms a
// flat corner with an earlier one, the crossing moves next to the pixels that the two
// have in the neighbouring row, so that the corner stays connected.
func meet(slants []slant, before []int32, s *slant, y int) float32 {
	x := s.at(y)
	next := y + 1
	if y == s.high {
		next = y - 1
	}
	for _, k := range before {
		o := &slants[k]
		if y != o.low && y != o.high || o.dx == 0 || round(x) != round(o.at(y)) || next < o.low || next > o.high {
			continue
		}
		a, b := s.at(next), o.at(next)
		switch {
		case x > a+1 && x > b+1:
			return round(max(a, b)) + 1
		case x < a-1 && x < b-1:
			return round(min(a, b)) - 1
		}
		return x
	}
	return x
}

// round rounds halves away from zero.
func round(v float32) float32 { return float32(math.Round(float64(v))) }

// roundAway rounds to a column, halves away from zero.
func roundAway(v float32, width int) int { return within(math.Round(float64(v)), width) }

// roundNear rounds to a column, halves towards zero.
func roundNear(v float32, width int) int {
	f := float64(v)
	if f < 0 {
		return within(-math.Ceil(-f-0.5), width)
	}
	return within(math.Ceil(f-0.5), width)
}

// within converts a column, at most one outside the image.
func within(f float64, width int) int { return int(min(max(f, -1), float64(width))) }

// disc is the ellipse that Pillow fills in the box between two pixels, both included
// (ImageDraw.ellipse).
type disc struct{ from, to pixel }

// draw walks a quarter of the outline, in steps of two half pixels, along the points
// that are nearest to the ellipse.
func (d disc) draw(c *canvas) error {
	a, b := d.to.x-d.from.x, d.to.y-d.from.y
	const most = 1 << 15 // the fourth power is a whole number of 60 bits; images have half of it
	if a > most || b > most {
		return tooLarge("a circle of %d×%d pixels", a+1, b+1)
	}
	off := func(x, y int) int {
		v := a*a*y*y + b*b*x*x - a*a*b*b
		return max(v, -v)
	}
	row := -1
	for x, y := a, b%2; ; {
		if y != row { // the first point of a row is the outermost one
			row = y
			left, right := d.from.x+(a-x)/2, d.from.x+(a+x)/2
			for _, at := range []int{d.from.y + (b-y)/2, d.from.y + (b+y)/2} {
				if err := c.span(at, left, right+1); err != nil {
					return err
				}
			}
		}
		if err := c.spend(1); err != nil {
			return err
		}
		if x == a%2 && y == b {
			return nil
		}
		nx, ny := x, y+2
		best := off(nx, ny)
		if nx > 1 {
			if v := off(x-2, y+2); v < best {
				nx, ny, best = x-2, y+2, v
			}
			if v := off(x-2, y); v < best {
				nx, ny = x-2, y
			}
		}
		x, y = nx, ny
	}
}
