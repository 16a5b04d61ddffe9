package dicomio

import "math"

// Affine maps pixel (column, row, frame) of s to a point in mm in the patient,
// left, posterior and superior rising (PS3.3 C.7.6.2.1.1): coordinate r is
// m[r][0]·column + m[r][1]·row + m[r][2]·frame + m[r][3]. ok is false where s is
// not Placed, and where its frames are not planes of one grid: turned against
// each other, at uneven distances, or several at a position. A single frame is
// as thick as its slice.
func (s *Source) Affine() (m [3][4]float64, ok bool) {
	if len(s.planes) == 0 {
		return m, false
	}
	first := &s.planes[0]
	step, ok := s.step()
	if !ok {
		return m, false
	}
	for r := range 3 {
		m[r] = [4]float64{first.right[r] * first.colMM, first.down[r] * first.rowMM, step[r], first.origin[r]}
	}
	return m, true
}

// step is the way from one frame to the next.
func (s *Source) step() (step [3]float64, ok bool) {
	first := &s.planes[0]
	n := len(s.planes)
	if n == 1 {
		normal := first.normal()
		thickness := dataset{tagPosition: {vr: "DS", b: []byte(first.thickness)}}.numbers(tagPosition)
		if len(thickness) != 1 || thickness[0] <= 0 {
			return step, false
		}
		for r := range 3 {
			step[r] = normal[r] * thickness[0]
		}
		return step, true
	}
	for r := range 3 {
		step[r] = (s.planes[n-1].origin[r] - first.origin[r]) / float64(n-1)
	}
	length := math.Sqrt(step[0]*step[0] + step[1]*step[1] + step[2]*step[2])
	if length < 1e-3 {
		return step, false
	}
	for i := range s.planes {
		p := &s.planes[i]
		if p.orientation != first.orientation || p.rowMM != first.rowMM || p.colMM != first.colMM {
			return step, false
		}
		for r := range 3 {
			// Positions are written with a few digits: a hundredth of a step.
			if math.Abs(first.origin[r]+float64(i)*step[r]-p.origin[r]) > 0.01*length+1e-3 {
				return step, false
			}
		}
	}
	return step, true
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
