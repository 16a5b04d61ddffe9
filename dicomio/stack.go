package dicomio

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"segd"
	"segd/dicomio/tag"
)

// Slice is the position of a single-frame image in its series, or of a frame in
// its file. It holds nothing else of the image.
type Slice struct {
	plane  plane
	number int // InstanceNumber, or that of the frame
	phase  phase
}

// Slice returns the position of s. ok is false if s is not Placed or has several
// frames.
func (s *Source) Slice() (slice Slice, ok bool) {
	if len(s.planes) != 1 {
		return Slice{}, false
	}
	return Slice{s.planes[0], s.image.integer(tag.InstanceNumber), s.phaseOf(0)}, true
}

// Stack describes how slices form a volume.
type Stack struct {
	Order        []int       // indexes of the slices: for each time, its planes along their normal
	Depth, Times int         // planes, and slices at each, such as the phases of a heart cycle
	Affine       segd.Affine // of (column, row, plane); sheared where the gantry was tilted
	// OffMM is how far a plane lies, at most, from where Affine has it along the normal.
	OffMM float64
}

// evenSlack is the share of a step by which planes may lie off a regular grid along
// their normal, and the share of a pixel by which they may within themselves.
// Scanners round positions: to tenths of a millimetre, which is 8 % of a step of
// 0.625 mm. A slice that is missing moves its neighbours by half a step or more.
// quietSlack is what isn't worth a warning.
const (
	evenSlack  = 0.1
	quietSlack = 0.01
)

// Warning says that the planes lie unevenly, but near enough to a regular grid to
// count as even; it is empty if they don't.
func (s *Stack) Warning() string {
	step := s.Affine.SpacingMM(2)
	if s.OffMM <= quietSlack*step+samePlaceMM {
		return ""
	}
	return fmt.Sprintf("the slices lie up to %s mm (%.0f %% of a step) off even steps of %s mm: they count as even",
		millimetres(s.OffMM), 100*s.OffMM/step, millimetres(step))
}

// NewStack arranges slices as one volume, with planes in order along their
// normal. If every position has the same number of slices, those of a position
// are ordered by temporal position, echo time and diffusion weighting, if any,
// and then by instance number.
//
// segd.ErrUnprocessable says why slices form no volume: their orientations or
// spacings differ, their distances are uneven, they lie beside each other,
// positions have different numbers of slices, or nothing distinguishes those of
// a position.
func NewStack(list []Slice) (*Stack, error) {
	groups := parallelSlices(list)
	if len(groups) > 1 {
		return nil, unprocessable("the slices have %d orientations or spacings, with %s slices", len(groups), counts(groups))
	}
	return newStack(list, groups[0])
}

// NewStacks arranges slices as volumes like NewStack. Slices of different
// orientation or spacing form separate stacks. So do those of different stack
// IDs, acquisitions, echo times, diffusion weightings or kinds, such as
// magnitude and phase, where together they form no volume. Stacks are in the
// order of their first slices.
//
// lost are the slices, in groups, that form no volume, with the reason for each.
func NewStacks(list []Slice) (stacks []*Stack, lost []Lost) {
	for _, group := range parallelSlices(list) {
		parts, err := split(list, group)
		if err != nil {
			lost = append(lost, Lost{group, err})
		}
		stacks = append(stacks, parts...)
	}
	slices.SortStableFunc(stacks, func(a, b *Stack) int { return cmp.Compare(slices.Min(a.Order), slices.Min(b.Order)) })
	return stacks, lost
}

// Lost are slices that form no volume.
type Lost struct {
	Slices []int // indexes
	Err    error // why; segd.ErrUnprocessable
}

// Stacks arranges the frames of s, counted from 0, as volumes, as NewStacks
// does. The result is nil if the positions of the frames are unknown.
// segd.ErrUnprocessable says why some frames form no volume.
func (s *Source) Stacks() ([]*Stack, error) {
	if s.located == nil {
		return nil, s.lost
	}
	list := make([]Slice, len(s.located))
	for i := range list {
		list[i] = Slice{s.located[i], i + 1, s.phaseOf(i)}
	}
	stacks, lost := NewStacks(list)
	if len(lost) > 0 {
		return nil, lost[0].Err
	}
	return stacks, nil
}

// split arranges parallel slices as one stack or, where they form none, as one for
// each value of the first attribute that lets them. The error is that of one stack.
func split(list []Slice, group []int) ([]*Stack, error) {
	whole, err := newStack(list, group)
	if err == nil {
		return []*Stack{whole}, nil
	}
next:
	for _, same := range splitters {
		parts := partition(group, func(i, j int) bool { return same(&list[i].phase, &list[j].phase) })
		if len(parts) == 1 {
			continue
		}
		var stacks []*Stack
		for _, part := range parts {
			stack, err := newStack(list, part)
			if err != nil || len(part) == 1 {
				continue next
			}
			stacks = append(stacks, stack)
		}
		return stacks, nil
	}
	return nil, err
}

// parallelSlices groups the indexes of list by orientation and spacing. It
// returns at least one group, which may be empty.
func parallelSlices(list []Slice) [][]int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return partition(all, func(i, j int) bool { return list[i].plane.parallel(&list[j].plane) })
}

// partition groups members that are like the first of a group.
func partition(members []int, like func(i, j int) bool) [][]int {
	groups := [][]int{nil}
next:
	for _, i := range members {
		for g, group := range groups {
			if len(group) == 0 || like(i, group[0]) {
				groups[g] = append(group, i)
				continue next
			}
		}
		groups = append(groups, []int{i})
	}
	return groups
}

// counts lists the sizes of the first few groups.
func counts(groups [][]int) (text string) {
	for g, group := range groups {
		if g == 5 {
			return text + " …"
		}
		if g > 0 {
			text += ", "
		}
		text += fmt.Sprint(len(group))
	}
	return text
}

// newStack makes a stack of the slices of list in group, which must be parallel.
func newStack(list []Slice, group []int) (*Stack, error) {
	if len(group) == 0 {
		return nil, unprocessable("no slices")
	}
	places, err := placesOf(list, group)
	if err != nil {
		return nil, err
	}
	s := &Stack{Depth: len(places), Times: len(places[0])}
	planes := make([]*plane, s.Depth)
	for k, at := range places {
		planes[k] = &list[at[0]].plane
	}
	step, off, ok := stepOf(planes)
	if !ok {
		return nil, uneven(list, places)
	}
	s.OffMM = off
	for t := range s.Times {
		for _, at := range places {
			s.Order = append(s.Order, at[t])
		}
	}
	s.Affine = planes[0].affine(step)
	return s, nil
}

// placesOf sorts slices by position along their normal, and those of a position
// by phase.
func placesOf(list []Slice, group []int) ([][]int, error) {
	order := slices.Clone(group)
	depth := func(i int) float64 { return list[i].plane.depth() }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(depth(a), depth(b)) })
	var places [][]int
	for k, i := range order {
		if k == 0 || depth(i)-depth(order[k-1]) > samePlaceMM {
			places = append(places, nil)
		}
		last := &places[len(places)-1]
		*last = append(*last, i)
		if d := list[i].plane.beside(&list[(*last)[0]].plane); d > 0 {
			return nil, unprocessable("two slices lie beside each other in one plane, %s mm along its normal: their positions (0020,0032) differ by %s mm within it",
				millimetres(depth(i)), millimetres(d))
		}
	}
	for _, at := range places {
		slices.SortStableFunc(at, func(a, b int) int { return list[a].compare(&list[b]) })
	}
	return places, checkPhases(list, places)
}

// samePlaceMM is the distance up to which slices share a position.
const samePlaceMM = 1e-3

// beside returns the distance of q from p within the plane of p, in mm; 0 up to
// a fiftieth of a pixel.
func (p *plane) beside(q *plane) float64 {
	var right, down float64
	for r := range 3 {
		d := q.origin[r] - p.origin[r]
		right += d * p.right[r]
		down += d * p.down[r]
	}
	if math.Abs(right) <= p.colMM/50+samePlaceMM && math.Abs(down) <= p.rowMM/50+samePlaceMM {
		return 0
	}
	return math.Hypot(right, down)
}

// parallel reports whether two planes have the same orientation and spacing, up
// to rounding in files.
func (p *plane) parallel(q *plane) bool {
	const slack = 1e-4
	for r := range 3 {
		if math.Abs(p.right[r]-q.right[r]) > slack || math.Abs(p.down[r]-q.down[r]) > slack {
			return false
		}
	}
	return math.Abs(p.rowMM-q.rowMM) <= slack*q.rowMM && math.Abs(p.colMM-q.colMM) <= slack*q.colMM
}

// affine maps the column, row and index of planes that lie a step apart.
func (p *plane) affine(step [3]float64) (m segd.Affine) {
	for r := range 3 {
		m[r] = [4]float64{p.right[r] * p.colMM, p.down[r] * p.rowMM, step[r], p.origin[r]}
	}
	return m
}

// stepOf returns the step from one of planes, in order, to the next, and how far in
// mm a plane lies, at most, from where the steps lead along the normal. ok is false if they do not
// form a regular grid.
func stepOf(planes []*plane) (step [3]float64, off float64, ok bool) {
	first, n := planes[0], len(planes)
	if n == 1 {
		normal := first.normal()
		thickness := dataset{tag.ImagePositionPatient: {vr: "DS", b: []byte(first.thickness)}}.numbers(tag.ImagePositionPatient)
		if len(thickness) != 1 || thickness[0] <= 0 {
			return step, 0, false
		}
		for r := range 3 {
			step[r] = normal[r] * thickness[0]
		}
		return step, 0, true
	}
	for r := range 3 {
		step[r] = (planes[n-1].origin[r] - first.origin[r]) / float64(n-1)
	}
	length := math.Sqrt(step[0]*step[0] + step[1]*step[1] + step[2]*step[2])
	if length < samePlaceMM {
		return step, 0, false
	}
	normal, beside := first.normal(), 0.0
	for i, p := range planes {
		if !p.parallel(first) {
			return step, 0, false
		}
		var d [3]float64
		for r := range 3 {
			d[r] = p.origin[r] - float64(i)*step[r] - first.origin[r]
		}
		off = max(off, math.Abs(dot(d, normal)))
		beside = max(beside, math.Abs(dot(d, first.right)), math.Abs(dot(d, first.down)))
	}
	pixel := max(evenSlack*min(first.rowMM, first.colMM), quietSlack*length)
	return step, off, off <= evenSlack*length+samePlaceMM && beside <= pixel+samePlaceMM
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
