package dicomio

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"segd"
	"segd/dicomio/tag"
)

// plane is the position of a frame in the patient (PS3.3 C.7.6.2.1.1). Text is
// as in the source.
type plane struct {
	position, orientation, spacing string // ImagePositionPatient, ImageOrientationPatient, PixelSpacing
	thickness, between             string // SliceThickness, SpacingBetweenSlices; the latter empty if unknown
	guessed                        bool   // thickness is the distance between rows, as nothing better is known

	origin       [3]float64 // centre of the first pixel, mm
	right, down  [3]float64 // unit vectors along a row and along a column
	colMM, rowMM float64    // between columns and between rows
}

// at returns the point, in mm, at column x and row y, counted from the centre of
// the first pixel.
func (p *plane) at(x, y float64) [3]float64 {
	var v [3]float64
	for i := range v {
		v[i] = p.origin[i] + p.right[i]*p.colMM*x + p.down[i]*p.rowMM*y
	}
	return v
}

// depth returns the position of the plane along its normal, in mm.
func (p *plane) depth() float64 {
	n, o := p.normal(), p.origin
	return n[0]*o[0] + n[1]*o[1] + n[2]*o[2]
}

// readPlanes reads the plane of each frame, from the image itself or the
// functional groups of an enhanced one. It returns nil unless all are known,
// with an error if only some are.
func (s *Source) readPlanes() ([]plane, error) {
	shared, each := s.image.first(tag.SharedFunctionalGroupsSequence), s.image[tag.PerFrameFunctionalGroupsSequence].items
	if shared == nil && each == nil && s.frames > 1 {
		// The position at the top level is not that of every frame.
		return nil, nil
	}
	if each != nil && len(each) != s.frames {
		return nil, unprocessable("functional groups (5200,9230) for %d frames, want %d", len(each), s.frames)
	}
	planes := make([]plane, s.frames)
	known, unknown := 0, 0
	for i := range planes {
		sets := []dataset{shared, s.image}
		if each != nil {
			sets = []dataset{each[i], shared, s.image}
		}
		p, ok := readPlane(sets)
		if ok {
			known++
		} else if unknown == 0 {
			unknown = i + 1
		}
		planes[i] = p
	}
	switch {
	case known == 0:
		return nil, nil
	case known < s.frames:
		return nil, unprocessable("%d of %d frames lack a position, orientation or spacing, first frame %d", s.frames-known, s.frames, unknown)
	}
	s.assumeThickness(planes)
	return planes, nil
}

// assumeThickness sets a missing slice thickness to the distance to the next
// plane, as stated by the file or derived from positions, or else to the
// distance between rows. Other programs cannot read a segmentation without one.
func (s *Source) assumeThickness(planes []plane) {
	all := make([]*plane, len(planes))
	for i := range planes {
		all[i] = &planes[i]
	}
	near := distance(all)
	for i := range planes {
		p := &planes[i]
		if p.thickness != "" {
			continue
		}
		s.assumed = true
		switch {
		case p.between != "":
			p.thickness = p.between
		case near > 0:
			p.thickness = millimetres(near)
		default:
			p.thickness, p.guessed = decimal(p.rowMM), true
		}
	}
}

// distance returns the least distance, in mm, between successive parallel planes
// at different positions; 0 if there is none.
func distance(planes []*plane) float64 {
	near := math.Inf(1)
	for i := 1; i < len(planes); i++ {
		p, q := planes[i-1], planes[i]
		if p.orientation != q.orientation {
			continue
		}
		if d := math.Abs(p.depth() - q.depth()); d > 1e-3 {
			near = min(near, d)
		}
	}
	if math.IsInf(near, 0) {
		return 0
	}
	return near
}

// settleThickness replaces guesses by the distance between slices, once the
// slices of several files are together. It changes copies.
func settleThickness(planes []*plane) {
	near := distance(planes)
	for i, p := range planes {
		if p.guessed && near > 0 {
			q := *p
			q.thickness = millimetres(near)
			planes[i] = &q
		}
	}
}

// readPlane takes each attribute from the innermost of sets that has it.
func readPlane(sets []dataset) (plane, bool) {
	find := func(group, t uint32) (string, []float64) {
		in := find(sets, group, t)
		return in.text(t), in.numbers(t)
	}
	var p plane
	var position, orientation, spacing, thickness, between []float64
	p.position, position = find(tag.PlanePositionSequence, tag.ImagePositionPatient)
	p.orientation, orientation = find(tag.PlaneOrientationSequence, tag.ImageOrientationPatient)
	p.spacing, spacing = find(tag.PixelMeasuresSequence, tag.PixelSpacing)
	p.thickness, thickness = find(tag.PixelMeasuresSequence, tag.SliceThickness)
	p.between, between = find(tag.PixelMeasuresSequence, tag.SpacingBetweenSlices)
	if len(position) != 3 || len(orientation) != 6 || len(spacing) != 2 || !(spacing[0] > 0 && spacing[1] > 0) {
		return p, false
	}
	if len(thickness) != 1 || thickness[0] <= 0 {
		p.thickness = ""
	}
	if len(between) != 1 || between[0] <= 0 {
		p.between = ""
	}
	p.origin = [3]float64(position)
	p.right, p.down = [3]float64(orientation[:3]), [3]float64(orientation[3:])
	p.rowMM, p.colMM = spacing[0], spacing[1]
	const slack = 0.01 // files write cosines with few digits
	ok := math.Abs(dot(p.right, p.right)-1) < slack && math.Abs(dot(p.down, p.down)-1) < slack && math.Abs(dot(p.right, p.down)) < slack
	return p, ok
}

// positionIndexes numbers the distinct positions of planes from 1, along their
// common normal if there is one. repeat counts, for each plane, the planes at
// its position so far, such as the phases of a heart cycle.
func positionIndexes(planes []*plane) (position, repeat []int) {
	order := make([]int, len(planes))
	for i := range order {
		order[i] = i
	}
	if slices.IndexFunc(planes, func(p *plane) bool { return p.orientation != planes[0].orientation }) < 0 {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(planes[a].depth(), planes[b].depth()) })
	}
	position, repeat = make([]int, len(planes)), make([]int, len(planes))
	number, seen := map[string]int{}, map[string]int{}
	for _, i := range order {
		key := planes[i].position
		if number[key] == 0 {
			number[key] = len(number) + 1
		}
		position[i] = number[key]
	}
	for i, p := range planes {
		seen[p.position]++
		repeat[i] = seen[p.position]
	}
	return position, repeat
}

// measures returns the item of PixelMeasuresSequence (PS3.3 C.7.6.16.2.1).
func (p *plane) measures() dataset {
	d := dataset{}
	d.set(tag.PixelSpacing, strings.Split(p.spacing, `\`)...)
	d.set(tag.SliceThickness, p.thickness)
	if p.between != "" {
		d.set(tag.SpacingBetweenSlices, p.between)
	}
	return d
}

func fmtNotFound(frame, frames int) error {
	return fmt.Errorf("dicomio: %w: frame %d of %d", segd.ErrNotFound, frame+1, frames)
}
