package dicomio

import (
	"fmt"
	"math"
	"slices"

	"segd"
	"segd/internal/orient"
)

// Placed reports whether the position of each frame of s in the patient is
// known.
func (s *Segmentation) Placed() bool { return s.source.Placed() }

// MasksIn returns the mask of each plane of a volume, from frames in any
// position and orientation. The frames must have the voxels of the volume;
// voxels that they leave out are background. Classes are those of Mask.
//
// Frames with other voxels are an orient.MatchError with the distance. Other
// errors are those of Mask, and segd.ErrUnprocessable if s is not Placed.
func (s *Segmentation) MasksIn(g segd.Grid) ([]*segd.Mask, error) {
	if !s.Placed() {
		return nil, unprocessable("the segmentation does not say where its frames lie")
	}
	all := make([]int, len(s.Frames))
	for i := range all {
		all[i] = i
	}
	return s.placed(all, g)
}

// placed draws frames at their position in g, in the order of their segments.
func (s *Segmentation) placed(list []int, g segd.Grid) ([]*segd.Mask, error) {
	inverse, ok := g.Affine.Inverse()
	if !ok {
		return nil, unprocessable("the axes of the image do not span three dimensions")
	}
	masks := make([]*segd.Mask, g.Size[2])
	for k := range masks {
		masks[k] = segd.NewMask(g.Size[0], g.Size[1])
	}
	slices.SortStableFunc(list, func(a, b int) int { return s.Frames[a].Segment - s.Frames[b].Segment })
	for _, i := range list {
		way, err := s.lattice(&s.source.planes[i], g, inverse)
		if err != nil {
			return nil, err
		}
		frame := segd.NewMask(s.Cols, s.Rows)
		if err := s.mark(frame, i); err != nil {
			return nil, err
		}
		for p, class := range frame.Pix {
			if class != 0 {
				v := way.at(p%s.Cols, p/s.Cols)
				masks[v[2]].Pix[v[1]*g.Size[0]+v[0]] = class
			}
		}
	}
	return masks, nil
}

// voxels maps the pixels of a frame to the voxels of a volume.
type voxels struct{ origin, right, down [3]int }

func (w voxels) at(x, y int) (v [3]int) {
	for r := range 3 {
		v[r] = w.origin[r] + x*w.right[r] + y*w.down[r]
	}
	return v
}

// lattice returns the voxels of g that the pixels of a plane are; inverse
// inverts the affine of g. The error is an orient.MatchError if they are not
// voxels of g.
func (s *Segmentation) lattice(p *plane, g segd.Grid, inverse segd.Affine) (w voxels, err error) {
	rounded := func(x, y float64) (v [3]int) {
		for r, at := range inverse.Apply(p.at(x, y)) {
			// Keep positions far outside from overflowing.
			v[r] = int(math.Round(min(max(at, -1e6), 1e6)))
		}
		return v
	}
	w.origin = rounded(0, 0)
	for r := range 3 {
		w.right[r], w.down[r] = rounded(1, 0)[r]-w.origin[r], rounded(0, 1)[r]-w.origin[r]
	}
	var mm float64
	for corner := range 4 {
		x, y := corner&1*(s.Cols-1), corner>>1*(s.Rows-1)
		v, want := w.at(x, y), p.at(float64(x), float64(y))
		for r := range 3 { // the nearest voxel of g
			v[r] = min(max(v[r], 0), g.Size[r]-1)
		}
		got := g.Affine.Apply([3]float64{float64(v[0]), float64(v[1]), float64(v[2])})
		mm = max(mm, math.Sqrt((got[0]-want[0])*(got[0]-want[0])+(got[1]-want[1])*(got[1]-want[1])+(got[2]-want[2])*(got[2]-want[2])))
	}
	across := 0 // axes of g that the frame spans
	for r := range 3 {
		if (w.right[r] != 0 || w.down[r] != 0) && s.Cols*abs(w.right[r])+s.Rows*abs(w.down[r]) == g.Size[r] {
			across++
		}
	}
	if !(mm <= orient.Slack(g)) || across != 2 {
		return w, &orient.MatchError{MM: mm, Cause: fmt.Sprintf("the %d×%d pixels of the segmentation are not those of its image, up to %.3g mm away", s.Cols, s.Rows, mm)}
	}
	return w, nil
}

func abs(n int) int { return max(n, -n) }

// grid returns the voxels of frame i of a Placed image, as thick as they are
// wide.
func (s *Source) grid(i int) segd.Grid {
	p := &s.planes[i]
	step := p.normal()
	for r := range 3 {
		step[r] *= p.colMM
	}
	return segd.Grid{Size: [3]int{s.cols, s.rows, 1}, Affine: p.affine(step)}
}

// sharesPlane reports whether p lies anywhere in the plane of q, to a tenth of
// the distance between rows, since files round positions.
func (p *plane) sharesPlane(q *plane) bool {
	n, m := p.normal(), q.normal()
	cosine := n[0]*m[0] + n[1]*m[1] + n[2]*m[2]
	if math.Abs(cosine) < 1-1e-4 {
		return false
	}
	var d float64
	for r := range 3 {
		d += m[r] * (p.origin[r] - q.origin[r])
	}
	return math.Abs(d) <= 0.1*min(q.rowMM, q.colMM)
}
