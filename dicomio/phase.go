package dicomio

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"segd/dicomio/tag"
)

// phase distinguishes an image from others at its position: phases of a heart
// cycle, echoes, contrasts.
type phase struct {
	stack    string // StackID
	instance string // SOPInstanceUID, of an image of one frame
	// distinct holds the values of distinctAttributes, which are the same at each
	// position. loose holds values that order the images of a position but may
	// vary between positions. NaN means that the file has no value.
	distinct []float64
	loose    []float64
	kind     string  // magnitude, phase, water, fat and so on
	taken    float64 // AcquisitionNumber
}

// attribute is one that distinguishes images at a position. Enhanced files have
// it in a functional group.
type attribute struct {
	group, tag uint32
	name       string
}

// distinctAttributes are those shared by all images of one time, slowest first
// (PS3.3 C.7.6.16.2.2, C.8.13.5 and C.8.3.1). All but the last order the images:
// diffusion keeps the order of acquisition.
var distinctAttributes = []attribute{
	{tag.FrameContentSequence, tag.TemporalPositionIndex, "temporal position (0020,9128)"},
	{0, tag.TemporalPositionIdentifier, "temporal position (0020,0100)"},
	{tag.MREchoSequence, tag.EffectiveEchoTime, "echo time (0018,9082)"},
	{0, tag.EchoTime, "echo time (0018,0081)"},
	{tag.MRDiffusionSequence, tag.DiffusionBValue, "diffusion b (0018,9087)"},
}

// looseAttributes may differ from position to position.
var looseAttributes = []attribute{
	{tag.TemporalPositionSequence, tag.TemporalPositionTimeOffset, ""},
	{tag.CardiacSynchronizationSequence, tag.NominalCardiacTriggerDelayTime, ""},
}

// lateAttributes order images with the same instance number.
var lateAttributes = []attribute{
	{0, tag.AcquisitionNumber, ""},
	{0, tag.TriggerTime, ""},
	{0, tag.AcquisitionTime, ""},
	{0, tag.ContentTime, ""},
}

// splitters tell slices apart that form no volume together. A time that lacks slices is
// a fault instead: what lies at one position at several times is one volume.
var splitters = []func(p, q *phase) bool{
	func(p, q *phase) bool { return p.stack == q.stack },
	func(p, q *phase) bool { return equal(p.taken, q.taken) },
	func(p, q *phase) bool { return p.kind == q.kind },
	func(p, q *phase) bool { return alike(p.distinct, q.distinct, 2, 5) }, // echoes, diffusion
	func(p, q *phase) bool {
		return equal(p.taken, q.taken) && p.kind == q.kind && alike(p.distinct, q.distinct, 2, 5)
	},
}

// alike compares some of distinctAttributes.
func alike(p, q []float64, from, to int) bool {
	for a := from; a < min(to, len(p), len(q)); a++ {
		if !equal(p[a], q[a]) {
			return false
		}
	}
	return true
}

// equal compares values, which may both be absent. Echo times are measured, so that
// their last digits vary.
func equal(v, w float64) bool {
	return math.IsNaN(v) && math.IsNaN(w) || v == w || math.Trunc(v) != v && math.Abs(v-w) <= 1e-3*math.Abs(v)
}

// phaseOf returns the phase of frame i of s, counted from 0.
func (s *Source) phaseOf(i int) phase {
	sets := []dataset{s.image}
	if shared := s.image.first(tag.SharedFunctionalGroupsSequence); shared != nil {
		sets = []dataset{shared, s.image}
	}
	if each := s.image[tag.PerFrameFunctionalGroupsSequence].items; i < len(each) {
		sets = append([]dataset{each[i]}, sets...)
	}
	p := phase{stack: find(sets, tag.FrameContentSequence, tag.StackID).text(tag.StackID)}
	if s.frames == 1 {
		p.instance = s.instance
	}
	values := func(list []attribute) (out []float64) {
		for _, a := range list {
			out = append(out, find(sets, a.group, a.tag).real(a.tag))
		}
		return out
	}
	p.distinct = values(distinctAttributes)
	p.loose = append(values(looseAttributes), s.dimensions(sets)...)
	if s.frames == 1 {
		p.loose = append(p.loose, float64(s.image.integer(tag.InstanceNumber)))
		p.loose = append(p.loose, values(lateAttributes)...)
		if values := strings.Split(s.image.text(tag.ImageType), `\`); len(values) > 2 {
			p.kind = strings.Join(values[2:], `\`)
		}
	}
	p.taken = find(sets, 0, tag.AcquisitionNumber).real(tag.AcquisitionNumber)
	for _, t := range []uint32{tag.FrameType, tag.ComplexImageComponent} {
		p.kind += find(sets, tag.MRImageFrameTypeSequence, t).text(t)
	}
	return p
}

// dimensions returns the indexes of a frame in the dimensions of the file that
// are not spatial (PS3.3 C.7.6.17).
func (s *Source) dimensions(sets []dataset) (out []float64) {
	b := find(sets, tag.FrameContentSequence, tag.DimensionIndexValues)[tag.DimensionIndexValues].b
	for i, dimension := range s.image[tag.DimensionIndexSequence].items {
		pointer := dimension[tag.DimensionIndexPointer].b // an AT: group, element
		if len(pointer) < 4 || len(b) < 4*i+4 {
			return out
		}
		switch uint32(binary.LittleEndian.Uint16(pointer))<<16 | uint32(binary.LittleEndian.Uint16(pointer[2:])) {
		case tag.StackID, tag.InStackPositionNumber, tag.ImagePositionPatient, tag.ImageOrientationPatient:
		default:
			out = append(out, float64(binary.LittleEndian.Uint32(b[4*i:])))
		}
	}
	return out
}

// find returns the first of sets, or of their items of group, that has t, or an
// empty data set.
func find(sets []dataset, group, t uint32) dataset {
	for _, d := range sets {
		for _, in := range []dataset{d.first(group), d} {
			if f := in[t]; in.has(t) || wordBytes[f.vr] > 0 && len(f.b) > 0 {
				return in // a binary number may be 0
			}
		}
	}
	return nil
}

// real returns the first value of a number, text or binary, or of a time; NaN if
// there is none.
func (d dataset) real(t uint32) float64 {
	switch f := d[t]; {
	case f.vr == "FD" && len(f.b) >= 8:
		return math.Float64frombits(binary.LittleEndian.Uint64(f.b))
	case f.vr == "FL" && len(f.b) >= 4:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(f.b)))
	case (f.vr == "US" || f.vr == "UL") && len(f.b) >= 2:
		return float64(d.integer(t))
	}
	if v := d.numbers(t); len(v) > 0 {
		return v[0]
	}
	return math.NaN()
}

// compare orders images at one position.
func (s *Slice) compare(t *Slice) int {
	return cmp.Or(s.phase.compare(&t.phase), cmp.Compare(s.number, t.number))
}

func (p *phase) compare(q *phase) int {
	n := max(0, min(len(p.distinct), len(q.distinct))-1)
	return cmp.Or(slices.Compare(p.distinct[:n], q.distinct[:n]), strings.Compare(p.stack, q.stack),
		strings.Compare(p.kind, q.kind), slices.Compare(p.loose, q.loose))
}

// checkPhases returns segd.ErrUnprocessable unless every position has the same
// number of images, of the same times. The images of a position must be in
// order.
func checkPhases(list []Slice, places [][]int) error {
	few, most := slices.MinFunc(places, byLength), slices.MaxFunc(places, byLength)
	at := func(place []int) string { return millimetres(list[place[0]].plane.depth()) + " mm" }
	for _, place := range places {
		for k, i := range place[1:] {
			a, b := &list[place[k]], &list[i]
			if a.phase.instance != "" && a.phase.instance == b.phase.instance {
				return unprocessable("the same image (0008,0018) occurs twice, %s along the normal: leave one out", at(place))
			}
			if a.compare(b) == 0 {
				return unprocessable("two slices share a position, %s along the normal, and nothing says which comes first: they need a temporal position, echo time or instance number (0020,0013)", at(place))
			}
		}
	}
	if len(few) != len(most) {
		return unprocessable("%d slices at one position but %d at another, %s along the normal%s", len(most), len(few), at(few), lacking(list, few, most))
	}
	for _, place := range places[1:] {
		for t, i := range place {
			p, q := &list[i].phase, &list[places[0][t]].phase
			if a := differ(p, q); a >= 0 && len(place) > 1 {
				return unprocessable("the slices at each position are not of the same times: %s is %s at %s along the normal but %s at %s",
					distinctAttributes[a].name, figure(p.distinct[a]), at(place), figure(q.distinct[a]), at(places[0]))
			}
			if len(place) > 1 && p.kind != q.kind {
				return unprocessable("the slices at each position are not of the same kinds: image or frame types (0008,0008) (0008,9007) at %s along the normal differ from those at %s", at(place), at(places[0]))
			}
		}
	}
	return nil
}

func byLength(a, b []int) int { return cmp.Compare(len(a), len(b)) }

// lacking names the first image that most has and few lacks, if an attribute
// identifies it.
func lacking(list []Slice, few, most []int) string {
	for t, i := range most {
		if t < len(few) && differ(&list[i].phase, &list[few[t]].phase) < 0 {
			continue
		}
		near := most[0]
		if t == 0 {
			near = most[len(most)-1]
		}
		if a := differ(&list[i].phase, &list[near].phase); a >= 0 {
			return fmt.Sprintf(", where the one with %s %s is missing", distinctAttributes[a].name, figure(list[i].phase.distinct[a]))
		}
		break
	}
	return ""
}

// differ returns the index of the first of distinctAttributes that differs
// between p and q; -1 if they are of one time.
func differ(p, q *phase) int {
	for a, v := range p.distinct {
		if !equal(v, q.distinct[a]) {
			return a
		}
	}
	return -1
}

func figure(v float64) string {
	if math.IsNaN(v) {
		return "absent"
	}
	return millimetres(v)
}
