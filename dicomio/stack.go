package dicomio

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"segd"
	"segd/dicomio/tag"
)

// Slice says where an image of one frame lies among those of its series, or a
// frame among those of its file, and holds nothing else of it.
type Slice struct {
	plane  plane
	number int // InstanceNumber, or that of the frame
	phase  phase
}

// Slice returns where s lies; ok is false where it is not Placed or has several
// frames.
func (s *Source) Slice() (slice Slice, ok bool) {
	if len(s.planes) != 1 {
		return Slice{}, false
	}
	return Slice{s.planes[0], s.image.integer(tag.InstanceNumber), s.phaseOf(0)}, true
}

// Stack is how slices make up a volume.
type Stack struct {
	Order        []int       // indexes of the slices: the planes, along their normal, of each time
	Depth, Times int         // planes, and slices at the place of each, such as the phases of a heart cycle
	Affine       segd.Affine // of (column, row, plane); sheared where the gantry was tilted
}

// NewStack puts slices in the order of one volume. The planes follow each other
// along their normal. Where as many lie at each place, those of a place are in
// the order of their temporal position, echo time and diffusion weighting, as
// far as they have any, and then of their instance number.
//
// segd.ErrUnprocessable says why they are no volume: turned against each other,
// of other spacing, at uneven distances, beside each other, not as many at each
// place, or several that nothing tells apart.
func NewStack(list []Slice) (*Stack, error) {
	groups := parallelSlices(list)
	if len(groups) > 1 {
		return nil, unprocessable("slices of %d orientations or spacings: %s of each", len(groups), counts(groups))
	}
	return newStack(list, groups[0])
}

// Stacks arranges the frames of s as volumes, each as NewStack has it, with
// indexes of frames, counted from 0. Frames that are turned against each other
// or have other spacings are stacks of their own, and so are those of each
// StackID where together they are no volume. The result is nil where nothing
// says where the frames lie. segd.ErrUnprocessable says why some make up no
// volume.
func (s *Source) Stacks() ([]*Stack, error) {
	if s.located == nil {
		return nil, s.lost
	}
	list := make([]Slice, len(s.located))
	for i := range list {
		list[i] = Slice{s.located[i], i + 1, s.phaseOf(i)}
	}
	var stacks []*Stack
	for _, group := range parallelSlices(list) {
		stack, err := newStack(list, group)
		if err == nil {
			stacks = append(stacks, stack)
			continue
		}
		parts := partition(group, func(i, j int) bool { return list[i].phase.stack == list[j].phase.stack })
		if len(parts) == 1 {
			return nil, err
		}
		for _, part := range parts {
			if stack, err = newStack(list, part); err != nil {
				return nil, err
			}
			stacks = append(stacks, stack)
		}
	}
	slices.SortStableFunc(stacks, func(a, b *Stack) int { return cmp.Compare(slices.Min(a.Order), slices.Min(b.Order)) })
	return stacks, nil
}

// parallelSlices parts the indexes of list by orientation and spacing; there is
// a group, if an empty one, at least.
func parallelSlices(list []Slice) [][]int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return partition(all, func(i, j int) bool { return list[i].plane.parallel(&list[j].plane) })
}

// partition parts members by being like the first of a group.
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

// counts lists how many are in each group, of the first few.
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

// newStack makes a stack of those slices of list, which are parallel, that group
// names.
func newStack(list []Slice, group []int) (*Stack, error) {
	if len(group) == 0 {
		return nil, unprocessable("no slice")
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
	step, ok := stepOf(planes)
	if !ok {
		return nil, uneven(planes)
	}
	for t := range s.Times {
		for _, at := range places {
			s.Order = append(s.Order, at[t])
		}
	}
	s.Affine = planes[0].affine(step)
	return s, nil
}

// placesOf sorts slices by place along their normal, those of a place by phase.
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
			return nil, unprocessable("slices that lie beside each other in one plane, %s mm along its normal: their positions (0020,0032) differ by %s mm within it",
				millimetres(depth(i)), millimetres(d))
		}
	}
	for _, at := range places {
		slices.SortStableFunc(at, func(a, b int) int { return list[a].compare(&list[b]) })
	}
	return places, checkPhases(list, places)
}

// samePlaceMM is how near slices lie at one place.
const samePlaceMM = 1e-3

// beside is how far q lies from p within the plane of p, in mm; 0 where that is
// a fiftieth of a pixel or less.
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

// parallel reports whether two planes have one orientation and spacing, except
// for the last digits that files write.
func (p *plane) parallel(q *plane) bool {
	const slack = 1e-4
	for r := range 3 {
		if math.Abs(p.right[r]-q.right[r]) > slack || math.Abs(p.down[r]-q.down[r]) > slack {
			return false
		}
	}
	return math.Abs(p.rowMM-q.rowMM) <= slack*q.rowMM && math.Abs(p.colMM-q.colMM) <= slack*q.colMM
}

// affine maps column, row and number of planes that lie a step apart.
func (p *plane) affine(step [3]float64) (m segd.Affine) {
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
		thickness := dataset{tag.ImagePositionPatient: {vr: "DS", b: []byte(first.thickness)}}.numbers(tag.ImagePositionPatient)
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

// uneven is the error of planes, in order along their normal, that are no grid:
// it names the gap that a missing slice leaves, or the distances.
func uneven(planes []*plane) error {
	gaps := make([]float64, len(planes)-1)
	for i := range gaps {
		gaps[i] = planes[i+1].depth() - planes[i].depth()
	}
	if len(gaps) == 0 {
		return unprocessable("a slice without a thickness (0018,0050)")
	}
	usual := slices.Sorted(slices.Values(gaps))[(len(gaps)-1)/2]
	least, most := slices.Min(gaps), slices.Max(gaps)
	if most-least <= 0.02*usual+2*samePlaceMM {
		return unprocessable("slices that do not lie on a line, though %s mm apart along their normal: positions (0020,0032) move to and fro within the plane", millimetres(usual))
	}
	missing, first := 0, -1
	for i, gap := range gaps {
		n := math.Round(gap / usual)
		if math.Abs(gap-n*usual) > 0.02*usual+2*samePlaceMM || n < 1 {
			missing, first = 0, -1
			break
		}
		if n > 1 {
			missing += int(n) - 1
			if first < 0 {
				first = i
			}
		}
	}
	if first >= 0 {
		return unprocessable("slices that do not lie at even distances: %d missing, the first %s mm along their normal, between the slices at %s and %s mm; the others lie %s mm apart", missing,
			millimetres(planes[first].depth()+usual), millimetres(planes[first].depth()), millimetres(planes[first+1].depth()), millimetres(usual))
	}
	return unprocessable("slices that do not lie at even distances: from %s to %s mm along their normal", millimetres(least), millimetres(most))
}
