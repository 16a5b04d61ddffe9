package dicomio

import (
	"cmp"
	"math"
	"slices"
)

// Slice says where an image of one frame lies among those of its series, and holds
// nothing else of it.
type Slice struct {
	plane  plane
	number int // InstanceNumber
}

// Slice returns where s lies; ok is false where it is not Placed or has several
// frames.
func (s *Source) Slice() (slice Slice, ok bool) {
	if len(s.planes) != 1 {
		return Slice{}, false
	}
	return Slice{s.planes[0], s.image.integer(tagInstanceNumber)}, true
}

// Stack is how the slices of a series make up a volume.
type Stack struct {
	Order        []int         // indexes of the slices: the planes, along their normal, of each time
	Depth, Times int           // planes, and slices at the place of each, such as the phases of a heart cycle
	Affine       [3][4]float64 // as Source.Affine
}

// NewStack puts slices in the order of a volume, along their normal and, where as
// many lie at each place, by instance number. segd.ErrUnprocessable says why they
// are no volume: turned against each other, of other spacing, at uneven distances,
// or not as many at each place.
func NewStack(list []Slice) (*Stack, error) {
	if len(list) == 0 {
		return nil, unprocessable("no slice")
	}
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
		if !list[i].plane.parallel(&list[0].plane) {
			return nil, unprocessable("slices of a series that differ in orientation or spacing")
		}
	}
	depth := func(i int) float64 { return list[i].plane.depth() }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(depth(a), depth(b)) })
	var places [][]int // slices by place
	for k, i := range order {
		if k == 0 || depth(i)-depth(order[k-1]) > samePlaceMM {
			places = append(places, nil)
		}
		places[len(places)-1] = append(places[len(places)-1], i)
	}
	s := &Stack{Depth: len(places), Times: len(places[0])}
	planes := make([]*plane, s.Depth)
	for k, at := range places {
		if len(at) != s.Times {
			return nil, unprocessable("slices of a series: %d at one place and %d at another", s.Times, len(at))
		}
		slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(list[a].number, list[b].number) })
		planes[k] = &list[at[0]].plane
	}
	step, ok := stepOf(planes)
	if !ok {
		return nil, unprocessable("slices of a series that do not lie at even distances on a line")
	}
	for t := range s.Times {
		for _, at := range places {
			s.Order = append(s.Order, at[t])
		}
	}
	s.Affine = planes[0].affine(step)
	return s, nil
}

// samePlaceMM is how near slices lie at one place.
const samePlaceMM = 1e-3

// parallel reports whether two planes have one orientation and spacing, but for the
// last digits that files write.
func (p *plane) parallel(q *plane) bool {
	const slack = 1e-4
	for r := range 3 {
		if math.Abs(p.right[r]-q.right[r]) > slack || math.Abs(p.down[r]-q.down[r]) > slack {
			return false
		}
	}
	return math.Abs(p.rowMM-q.rowMM) <= slack*q.rowMM && math.Abs(p.colMM-q.colMM) <= slack*q.colMM
}

// affine maps column, row and number of planes that lie a step apart; see
// Source.Affine.
func (p *plane) affine(step [3]float64) (m [3][4]float64) {
	for r := range 3 {
		m[r] = [4]float64{p.right[r] * p.colMM, p.down[r] * p.rowMM, step[r], p.origin[r]}
	}
	return m
}

// stepOf is the way from one of planes, in their order, to the next; ok is false
// where they are not planes of one grid.
func stepOf(planes []*plane) (step [3]float64, ok bool) {
	first, n := planes[0], len(planes)
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
		step[r] = (planes[n-1].origin[r] - first.origin[r]) / float64(n-1)
	}
	length := math.Sqrt(step[0]*step[0] + step[1]*step[1] + step[2]*step[2])
	if length < samePlaceMM {
		return step, false
	}
	for i, p := range planes {
		if !p.parallel(first) {
			return step, false
		}
		for r := range 3 {
			// Positions are written with a few digits: a hundredth of a step.
			if math.Abs(first.origin[r]+float64(i)*step[r]-p.origin[r]) > 0.01*length+samePlaceMM {
				return step, false
			}
		}
	}
	return step, true
}
