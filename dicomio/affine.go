package dicomio

import "segd"

// Affine maps pixel (column, row, frame) of s to the patient. ok is false where
// it is not known where the frames lie, and where they are not planes of one
// grid in the order of the file: turned against each other, at uneven
// distances, or several at a position. A single frame is as thick as its slice.
// Stacks puts frames in order.
func (s *Source) Affine() (m segd.Affine, ok bool) {
	if len(s.located) == 0 {
		return m, false
	}
	planes := make([]*plane, len(s.located))
	for i := range planes {
		planes[i] = &s.located[i]
	}
	step, ok := stepOf(planes)
	if !ok {
		return m, false
	}
	return planes[0].affine(step), true
}

// normal is the direction that right and down have at their right hand.
func (p *plane) normal() [3]float64 {
	r, d := p.right, p.down
	return [3]float64{r[1]*d[2] - r[2]*d[1], r[2]*d[0] - r[0]*d[2], r[0]*d[1] - r[1]*d[0]}
}

// FramePlane returns where frame i, counted from 0, lies: the centre of its
// first pixel, and the ways to the next pixel along a row and along a column,
// in mm, left, posterior and superior rising. ok is false where s is not Placed.
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
