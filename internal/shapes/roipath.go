package shapes

import "math"

// Segments of the path of a composite ROI, with the numbers that follow each.
const (
	pathMove  = 0
	pathLine  = 1
	pathQuad  = 2
	pathCubic = 3
	pathClose = 4
)

// pathNumbers is how many numbers follow each segment.
var pathNumbers = [...]int{pathMove: 2, pathLine: 2, pathQuad: 4, pathCubic: 6, pathClose: 0}

// path reads the path of a composite ROI: size numbers, whose rings are filled by the
// even-odd rule.
func (b roi) path(size int) (area, error) {
	if size > (len(b)-roiCoordinates)/4 {
		return nil, malformed("a ROI whose path has %d numbers, in %d bytes", size, len(b))
	}
	var all rings
	var ring []Point
	drawn := 0
	for i := 0; i < size; {
		kind := b.f32(roiCoordinates + 4*i)
		if !(kind >= 0 && kind < float64(len(pathNumbers))) || kind != math.Trunc(kind) {
			return nil, malformed("a segment of an unknown kind in the path of a ROI")
		}
		n := pathNumbers[int(kind)]
		if i++; n > size-i {
			return nil, malformed("a ROI whose path ends in a segment")
		}
		var points [3]Point
		for k := range n / 2 {
			points[k] = Point{X: b.f32(roiCoordinates + 4*(i+2*k)), Y: b.f32(roiCoordinates + 4*(i+2*k+1))}
			if !finite(points[k].X, points[k].Y) {
				return nil, malformed("a point of a ROI far outside any image")
			}
		}
		i += n
		if len(ring) == 0 && kind != pathMove && kind != pathClose {
			return nil, malformed("a ROI whose path does not begin at a point")
		}
		if drawn++; kind == pathQuad || kind == pathCubic {
			drawn += curveSteps
		}
		if drawn > maxNumbers {
			return nil, tooLarge("a ROI whose path has more than %d points", maxNumbers)
		}
		switch int(kind) {
		case pathMove:
			all, ring = append(all, ring), []Point{points[0]}
		case pathLine:
			ring = append(ring, points[0])
		case pathQuad:
			a := ring[len(ring)-1]
			ring = bend(ring, a, between(a, points[0], 2./3), between(points[1], points[0], 2./3), points[1])
		case pathCubic:
			ring = bend(ring, ring[len(ring)-1], points[0], points[1], points[2])
		}
	}
	return append(all, ring), nil
}

// between returns the point on the way from a to b.
func between(a, b Point, t float64) Point { return Point{X: a.X + (b.X-a.X)*t, Y: a.Y + (b.Y-a.Y)*t} }

// curveSteps is the number of straight pieces in place of a curve.
const curveSteps = 32

// bend appends a Bézier curve from a to d.
func bend(ring []Point, a, b, c, d Point) []Point {
	for k := 1; k <= curveSteps; k++ {
		t := float64(k) / curveSteps
		ab, bc, cd := between(a, b, t), between(b, c, t), between(c, d, t)
		ring = append(ring, between(between(ab, bc, t), between(bc, cd, t), t))
	}
	return ring
}
