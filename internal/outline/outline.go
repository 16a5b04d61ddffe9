// Package outline traces the outlines of masks along the edges of their pixels,
// so that a polygon has exactly the area of its pixels.
//
//	for _, p := range outline.Trace(mask, 1) { … p.Outer … p.Holes … }
//
// Coordinates are in pixels from the upper left corner of the first pixel, x to
// the right and y downwards: the first pixel is the square from 0, 0 to 1, 1.
// Pixels that touch only at a corner belong to different polygons, so that an
// outline does not cross itself.
//
// Limits: masks have fewer than 2^31 pixels; tracing takes four bytes per
// pixel. Functions are safe for concurrent use.
package outline

import (
	"math"
	"slices"

	"segd"
)

// Point is a corner of an outline.
type Point struct{ X, Y float64 }

// Ring is a closed outline whose last point connects to its first. Points on a
// straight line are omitted.
type Ring []Point

// Area returns the area of the ring in pixels: positive if it runs clockwise on
// the screen, negative otherwise.
func (r Ring) Area() float64 {
	sum := 0.0
	for i, a := range r {
		b := r[(i+1)%len(r)]
		sum += a.X*b.Y - b.X*a.Y
	}
	return sum / 2
}

// Polygon is a connected set of pixels. Outer runs clockwise, and Holes run
// counterclockwise.
type Polygon struct {
	Outer Ring
	Holes []Ring
}

// Directions along the edges of pixels, clockwise.
const (
	east = iota
	south
	west
	north
)

var step = [4][2]int{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}

// Trace returns the polygons of a class, in the order of their first pixels.
func Trace(m *segd.Mask, class uint8) []Polygon {
	id, n := label(m, class)
	at := func(x, y int) int32 {
		if x < 0 || y < 0 || x >= m.Width || y >= m.Height {
			return 0
		}
		return id[y*m.Width+x]
	}
	// edges[v] has a bit for each direction in which an edge leaves corner v,
	// with the pixel on its right.
	w := m.Width + 1
	edges := make([]uint8, w*(m.Height+1))
	for y := range m.Height {
		for x := range m.Width {
			if at(x, y) == 0 {
				continue
			}
			if at(x, y-1) == 0 {
				edges[y*w+x] |= 1 << east
			}
			if at(x+1, y) == 0 {
				edges[y*w+x+1] |= 1 << south
			}
			if at(x, y+1) == 0 {
				edges[(y+1)*w+x+1] |= 1 << west
			}
			if at(x-1, y) == 0 {
				edges[(y+1)*w+x] |= 1 << north
			}
		}
	}
	polygons := make([]Polygon, n)
	for v := range edges {
		for edges[v]&(1<<east) != 0 {
			x, y := v%w, v/w
			k := at(x, y) - 1 // the pixel right of an edge to the east lies below it
			ring := follow(edges, w, x, y)
			if ring.Area() > 0 {
				polygons[k].Outer = ring
			} else {
				polygons[k].Holes = append(polygons[k].Holes, ring)
			}
		}
	}
	return polygons
}

// Edges counts the pixel edges on the outlines of a class. It allocates
// nothing, and bounds the memory of Trace.
func Edges(m *segd.Mask, class uint8) int {
	n := 0
	for y := range m.Height {
		row := m.Pix[y*m.Width : (y+1)*m.Width]
		for x, c := range row {
			if c != class {
				continue
			}
			if x == 0 || row[x-1] != class {
				n++
			}
			if x == m.Width-1 || row[x+1] != class {
				n++
			}
			if y == 0 || m.Pix[(y-1)*m.Width+x] != class {
				n++
			}
			if y == m.Height-1 || m.Pix[(y+1)*m.Width+x] != class {
				n++
			}
		}
	}
	return n
}

// follow removes the ring that leaves x, y to the east from edges and returns
// it. Every ring has an edge to the east.
func follow(edges []uint8, w, x, y int) Ring {
	var ring Ring
	startX, startY := x, y
	for d := east; ; {
		ring = append(ring, Point{float64(x), float64(y)})
		for {
			edges[y*w+x] &^= 1 << d
			x, y = x+step[d][0], y+step[d][1]
			if edges[y*w+x]&(1<<((d+1)%4)) != 0 || edges[y*w+x]&(1<<d) == 0 {
				break
			}
		}
		// Round the corner of the same pixel first, then straight, then left.
		out := edges[y*w+x]
		switch {
		case d == north && x == startX && y == startY:
			// The edge round the corner is the one that was taken first. What
			// leaves here still is of another ring, which touches the corner.
			return ring
		case out&(1<<((d+1)%4)) != 0:
			d = (d + 1) % 4
		case out&(1<<((d+3)%4)) != 0:
			d = (d + 3) % 4
		default:
			// Back at the start, whose edge is taken.
			if x != startX || y != startY {
				panic("outline: an open ring")
			}
			return ring
		}
	}
}

// label numbers the edge-connected sets of pixels of a class from 1 in the
// order of their first pixels; 0 is everything else.
func label(m *segd.Mask, class uint8) (id []int32, n int) {
	id = make([]int32, len(m.Pix))
	var stack []int32
	for start, c := range m.Pix {
		if c != class || id[start] != 0 {
			continue
		}
		n++
		id[start] = int32(n)
		stack = append(stack[:0], int32(start))
		for len(stack) > 0 {
			i := int(stack[len(stack)-1])
			stack = stack[:len(stack)-1]
			y, x := i/m.Width, i%m.Width
			for _, s := range step {
				nx, ny := x+s[0], y+s[1]
				if nx < 0 || ny < 0 || nx >= m.Width || ny >= m.Height {
					continue
				}
				if j := ny*m.Width + nx; m.Pix[j] == class && id[j] == 0 {
					id[j] = int32(n)
					stack = append(stack, int32(j))
				}
			}
		}
	}
	return id, n
}

// Keyhole returns p as one ring, for formats without holes (PS3.3 C.8.8.6.3).
// From each hole, a channel of zero width runs to the left, half a pixel below
// a corner, to the nearest edge.
func (p Polygon) Keyhole() Ring {
	ring := slices.Clone(p.Outer)
	holes := slices.Clone(p.Holes)
	slices.SortStableFunc(holes, func(a, b Ring) int {
		ax, _ := leftmost(a)
		bx, _ := leftmost(b)
		return int(ax - bx)
	})
	for _, h := range holes {
		x, i := leftmost(h)
		// A hole runs with its inside on the left: down its left side.
		y := math.Min(h[i].Y, h[(i+1)%len(h)].Y) + 0.5
		// The nearest edge to the left is the outer ring's or that of a hole
		// that begins further left, which is part of the ring already.
		best, bestX := -1, math.Inf(-1)
		for j, a := range ring {
			b := ring[(j+1)%len(ring)]
			if a.X == b.X && a.X < x && a.X > bestX && math.Min(a.Y, b.Y) < y && y < math.Max(a.Y, b.Y) {
				best, bestX = j, a.X
			}
		}
		gate := Point{bestX, y}
		detour := append(Ring{gate, {x, y}}, h[i+1:]...)
		detour = append(detour, h[:i+1]...)
		detour = append(detour, Point{x, y}, gate)
		ring = slices.Insert(ring, best+1, detour...)
	}
	return ring
}

// leftmost returns the left end of r and the index of the point where an edge
// down or up along it begins.
func leftmost(r Ring) (x float64, i int) {
	x = math.Inf(1)
	for j, a := range r {
		if b := r[(j+1)%len(r)]; a.X == b.X && a.X < x {
			x, i = a.X, j
		}
	}
	return x, i
}
