package dicomio

import "segd"

// Affine maps pixel (column, row, frame) of s to patient coordinates. ok is
// false if the positions of the frames are unknown, or if the frames, in the
// order of the file, do not form one regular grid: their orientations differ,
// their distances are uneven, or several share a position. A single frame is as
// thick as its slice. Use Stacks to put frames in order.
func (s *Source) Affine() (m segd.Affine, ok bool) {
	if len(s.located) == 0 {
		return m, false
	}
	planes := make([]*plane, len(s.located))
	for i := range planes {
		planes[i] = &s.located[i]
	}
	step, _, ok := stepOf(planes)
	if !ok {
		return m, false
	}
	return planes[0].affine(step), true
}

// normal returns the cross product of right and down.
func (p *plane) normal() [3]float64 {
	r, d := p.right, p.down
	return [3]float64{r[1]*d[2] - r[2]*d[1], r[2]*d[0] - r[0]*d[2], r[0]*d[1] - r[1]*d[0]}
}

// FramePlane returns the position of frame i, counted from 0: the centre of its
// first pixel and the steps to the next pixel along a row and along a column, in
// mm. Axes point left, posterior and superior. ok is false if s is not Placed.
func (s *Source) FramePlane(i int) (origin, right, down [3]float64, ok bool) {
	if i < 0 || i >= len(s.planes) {
		return origin, right, down, false
	}
	p := &s.planes[i]
	for r := range 3 {
		right[r], down[r] = p.right[r]*p.colMM, p.down[r]*p.rowMM
	}
	return p.origin, right, down, true
}
