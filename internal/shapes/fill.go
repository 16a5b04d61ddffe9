package shapes

import (
	"math"
	"slices"
)

// rings is the area inside closed outlines by the even-odd rule: of a point that an
// odd number of outlines surround.
type rings [][]Point

// draw marks the pixels whose centres are inside. A centre on an outline is out at the
// left and at the top, and in at the right and at the bottom, as in ImageJ.
func (r rings) draw(c *canvas) error {
	low, high := r.rows(c.mask.Height)
	if low >= high {
		return nil
	}
	// Where each row's crossings begin, and where the next one goes.
	at := make([]int, high-low+1)
	steps := 0
	r.edges(func(a, b Point) {
		first, last := rowsOf(a, b, low, high)
		for y := first; y < last && steps <= c.left; y++ {
			at[y-low+1]++
			steps++
		}
	})
	if err := c.spend(steps); err != nil {
		return err
	}
	if steps > maxCrossings {
		return tooLarge("an outline that crosses %d rows, limit %d", steps, maxCrossings)
	}
	for i := 1; i < len(at); i++ {
		at[i] += at[i-1]
	}
	next, crossings := slices.Clone(at), make([]float64, steps)
	r.edges(func(a, b Point) {
		slope := (b.X - a.X) / (b.Y - a.Y)
		first, last := rowsOf(a, b, low, high)
		for y := first; y < last; y++ {
			crossings[next[y-low]] = a.X + (float64(y)+0.5-a.Y)*slope
			next[y-low]++
		}
	})
	for y := low; y < high; y++ {
		row := crossings[at[y-low]:at[y-low+1]]
		slices.Sort(row)
		for i := 0; i+1 < len(row); i += 2 {
			if err := c.span(y, column(row[i], c.mask.Width), column(row[i+1], c.mask.Width)); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxCrossings bounds the memory for one area.
const maxCrossings = 8 << 20

// rows returns the rows of an image of that height that the rings may reach.
func (r rings) rows(height int) (low, high int) {
	least, most := math.Inf(1), math.Inf(-1)
	for _, ring := range r {
		for _, p := range ring {
			least, most = min(least, p.Y), max(most, p.Y)
		}
	}
	if !(least < most) {
		return 0, 0
	}
	return max(0, column(least, height)), min(height, column(most, height))
}

// edges calls f with each edge that is not level, its upper end first: an edge has the
// same crossings in both directions.
func (r rings) edges(f func(a, b Point)) {
	for _, ring := range r {
		for i, b := range ring {
			a := ring[(i+len(ring)-1)%len(ring)]
			switch {
			case a.Y < b.Y:
				f(a, b)
			case a.Y > b.Y:
				f(b, a)
			}
		}
	}
}

// rowsOf returns the rows, within low and high, whose centre lines an edge crosses.
// One at its upper end is not, one at its lower end is.
func rowsOf(a, b Point, low, high int) (first, last int) {
	return max(low, column(a.Y, high)), min(high, column(b.Y, high))
}

// column returns the first pixel whose centre lies behind v, from 0 to n.
func column(v float64, n int) int {
	switch f := math.Floor(v + 0.5); {
	case f <= 0:
		return 0
	case f >= float64(n):
		return n
	default:
		return int(f)
	}
}

// many is the area of several areas together.
type many []area

func (m many) draw(c *canvas) error {
	for _, a := range m {
		if err := a.draw(c); err != nil {
			return err
		}
	}
	return nil
}

// ellipse is the area of an ellipse along the axes, with its centre and half axes.
type ellipse struct{ x, y, a, b float64 }

func (e ellipse) draw(c *canvas) error {
	if !(e.a > 0 && e.b > 0) {
		return nil
	}
	for y := column(e.y-e.b-1, c.mask.Height); y < column(e.y+e.b+1, c.mask.Height); y++ {
		dy := (float64(y) + 0.5 - e.y) / e.b
		if dy*dy > 1 {
			continue
		}
		half := e.a * math.Sqrt(1-dy*dy)
		x0, x1 := column(e.x-half-1, c.mask.Width), column(e.x+half+1, c.mask.Width)
		for x0 < x1 && !e.has(x0, dy) {
			x0++
		}
		for x0 < x1 && !e.has(x1-1, dy) {
			x1--
		}
		if err := c.span(y, x0, x1); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether the centre of a column is inside, dy half axes above or below
// the centre.
func (e ellipse) has(x int, dy float64) bool {
	dx := (float64(x) + 0.5 - e.x) / e.a
	return dx*dx+dy*dy <= 1
}

// box is the pixels from x0, y0 up to but without x1, y1.
type box struct{ x0, y0, x1, y1 int }

func (b box) draw(c *canvas) error {
	for y := max(0, b.y0); y < min(b.y1, c.mask.Height); y++ {
		if err := c.span(y, b.x0, b.x1); err != nil {
			return err
		}
	}
	return nil
}
