package dicomio

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"segd"
	"segd/dicomio/tag"
	"segd/internal/orient"
)

// StructureSet is an RT Structure Set (PS3.3 A.19) that was read: regions of interest,
// each with contours in the patient. It does not change and may be used by several
// goroutines.
type StructureSet struct {
	Regions []Region // in the order of the file
	Open    int      // contours that enclose no area, such as points and open lines

	frame  string          // frame of reference
	series map[string]bool // UIDs that it refers to
	images map[string]bool
}

// Region is a region of interest.
type Region struct {
	Number int
	Name   string

	contours []contour
}

// contour is a closed planar contour, in mm.
type contour struct {
	points [][3]float64
	images []FrameReference
}

// Section is where a frame lies in the patient, in mm: the centre of its first pixel,
// and the ways to the next one along a row and along a column.
type Section struct{ Origin, Right, Down [3]float64 }

// RegionOutline holds the outlines of a region in a frame, in pixels from the corner of
// its first pixel. They are filled by the even-odd rule, so that a contour inside
// another one is a hole.
type RegionOutline struct {
	Region int            // index in Regions
	Rings  [][][2]float64 // x and y of each point
	// Centres says that all points are centres of pixels, as where a program traced
	// the outermost pixels: these belong to the region.
	Centres bool
}

const (
	rtStructClass = "1.2.840.10008.5.1.4.1.1.481.3"
	// maxContourNumbers limits the coordinates of all contours.
	maxContourNumbers = 3 * maxEdges
)

// structureTags are the attributes read from a structure set.
var structureTags = []uint32{
	tag.SOPClassUID, tag.FrameOfReferenceUID, tag.ReferencedFrameOfReferenceSequence,
	tag.StructureSetROISequence, tag.ROIContourSequence,
}

// ReadRTStruct reads the RT Structure Set b, which is not kept. The errors are those of
// Read, and segd.ErrUnsupported for a DICOM file of another SOP class.
func ReadRTStruct(b []byte) (*StructureSet, error) {
	f, err := open(b)
	if err != nil {
		return nil, err
	}
	d, err := f.copy(structureTags)
	if err != nil {
		return nil, err
	}
	if d.text(tag.SOPClassUID) != rtStructClass {
		return nil, fmt.Errorf("dicomio: %w: not a structure set: %s names another SOP class", segd.ErrUnsupported, name(tag.SOPClassUID))
	}
	s := &StructureSet{series: map[string]bool{}, images: map[string]bool{}}
	s.readReferences(d)
	at := map[int]int{}
	for _, item := range d[tag.StructureSetROISequence].items {
		number := item.integer(tag.ROINumber)
		if _, twice := at[number]; twice {
			return nil, unprocessable("two regions with the number %d", number)
		}
		at[number] = len(s.Regions)
		s.Regions = append(s.Regions, Region{Number: number, Name: strings.ToValidUTF8(strings.TrimSpace(item.text(tag.ROIName)), "?")})
		s.frame = item.text(tag.ReferencedFrameOfReferenceUID)
	}
	left := maxContourNumbers
	for _, item := range d[tag.ROIContourSequence].items {
		number := item.integer(tag.ReferencedROINumber)
		i, ok := at[number]
		if !ok {
			return nil, unprocessable("contours of region %d, which the file does not list", number)
		}
		for _, c := range item[tag.ContourSequence].items {
			if err := s.readContour(&s.Regions[i], c, &left); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// readReferences reads which series and images the contours were drawn on.
func (s *StructureSet) readReferences(d dataset) {
	for _, frame := range d[tag.ReferencedFrameOfReferenceSequence].items {
		s.frame = frame.text(tag.FrameOfReferenceUID)
		for _, study := range frame[tag.RTReferencedStudySequence].items {
			for _, series := range study[tag.RTReferencedSeriesSequence].items {
				s.series[series.text(tag.SeriesInstanceUID)] = true
				for _, image := range series[tag.ContourImageSequence].items {
					s.images[image.text(tag.ReferencedSOPInstanceUID)] = true
				}
			}
		}
	}
	delete(s.series, "")
	delete(s.images, "")
}

// readContour adds a contour to a region; left counts the numbers that may follow.
func (s *StructureSet) readContour(r *Region, item dataset, left *int) error {
	switch kind := item.text(tag.ContourGeometricType); kind {
	case "CLOSED_PLANAR", "CLOSEDPLANAR_XOR":
	default:
		s.Open++
		return nil
	}
	if *left -= bytes.Count(item[tag.ContourData].b, []byte{'\\'}) + 1; *left < 0 {
		return fmt.Errorf("dicomio: %w: contours of more than %d points", segd.ErrTooLarge, maxContourNumbers/3)
	}
	values := item.numbers(tag.ContourData)
	if len(values) == 0 || len(values)%3 != 0 {
		return unprocessable("a contour %s of %d numbers, want three for each point", name(tag.ContourData), len(values))
	}
	var c contour
	for p := range slices.Chunk(values, 3) {
		if max(math.Abs(p[0]), math.Abs(p[1]), math.Abs(p[2])) > maxContourMM {
			return unprocessable("a contour with a point more than %g mm away", float64(maxContourMM))
		}
		c.points = append(c.points, [3]float64(p))
	}
	if len(c.points) < 3 {
		s.Open++
		return nil
	}
	for _, image := range item[tag.ContourImageSequence].items {
		ref := FrameReference{Instance: image.text(tag.ReferencedSOPInstanceUID)}
		for _, v := range image.numbers(tag.ReferencedFrameNumber) {
			ref.Frames = append(ref.Frames, int(v))
		}
		if ref.Instance != "" {
			c.images = append(c.images, ref)
			s.images[ref.Instance] = true
		}
	}
	r.contours = append(r.contours, c)
	return nil
}

// maxContourMM bounds coordinates, far beyond any patient.
const maxContourMM = 1e6

// Instances returns the UIDs of the images that the structure set refers to, in no
// particular order.
func (s *StructureSet) Instances() []string { return slices.Collect(maps.Keys(s.images)) }

// Series returns the UIDs of the series that the structure set refers to, in no
// particular order.
func (s *StructureSet) Series() []string { return slices.Collect(maps.Keys(s.series)) }

// Knows reports whether the structure set refers to image or its series or, if it
// refers to nothing, shares its frame of reference.
func (s *StructureSet) Knows(image *Source) bool {
	if s.images[image.instance] || s.series[image.series] {
		return true
	}
	return len(s.images)+len(s.series) == 0 && s.frame != "" && s.frame == image.image.text(tag.FrameOfReferenceUID)
}

// SectionOf returns where a frame of image, counted from 0, lies. ok is false if it is
// not known.
func (s *Source) SectionOf(frame int) (at Section, ok bool) {
	at.Origin, at.Right, at.Down, ok = s.FramePlane(frame)
	return at, ok
}

// Outlines returns the outlines that lie in a frame: those within a tenth of a pixel, or
// a tenth of a millimetre, of its plane. image and frame say what the section is; with
// image nil, all sections that the structure set knows are possible.
//
// A contour that refers to the frame but does not lie in its plane is an
// orient.MatchError.
func (s *StructureSet) Outlines(at Section, image *Source, frame int) ([]RegionOutline, error) {
	grid, ok := newRuler(at)
	if !ok {
		return nil, unprocessable("the axes of the image do not span a plane")
	}
	var list []RegionOutline
	for i := range s.Regions {
		o := RegionOutline{Region: i, Centres: true}
		for k := range s.Regions[i].contours {
			c := &s.Regions[i].contours[k]
			ring, mm := grid.place(c.points)
			switch refers := c.refersTo(image, frame); {
			case ring == nil && refers:
				return nil, &orient.MatchError{MM: mm, Cause: fmt.Sprintf("a contour of region %d refers to this frame, but lies up to %.3g mm off its plane", s.Regions[i].Number, mm)}
			case ring == nil:
				continue
			}
			// The same contour twice would cancel itself.
			if !slices.ContainsFunc(o.Rings, func(r [][2]float64) bool { return slices.Equal(r, ring) }) {
				o.Rings, o.Centres = append(o.Rings, ring), o.Centres && centred(ring)
			}
		}
		if len(o.Rings) > 0 {
			list = append(list, o)
		}
	}
	return list, nil
}

// refersTo reports whether the contour says that it was drawn on this frame.
func (c *contour) refersTo(image *Source, frame int) bool {
	return image != nil && slices.ContainsFunc(c.images, func(r FrameReference) bool {
		return r.Instance == image.instance && (image.frames == 1 || slices.Contains(r.Frames, frame+1))
	})
}

// ruler measures points in a frame.
type ruler struct {
	origin, right, down, normal [3]float64 // the axes divided by their squared lengths; normal of length 1
	slack                       float64    // mm
}

func newRuler(at Section) (*ruler, bool) {
	r := &ruler{origin: at.Origin}
	w, h := dot(at.Right, at.Right), dot(at.Down, at.Down)
	n := [3]float64{
		at.Right[1]*at.Down[2] - at.Right[2]*at.Down[1],
		at.Right[2]*at.Down[0] - at.Right[0]*at.Down[2],
		at.Right[0]*at.Down[1] - at.Right[1]*at.Down[0],
	}
	length := math.Sqrt(dot(n, n))
	if !(length > 0) {
		return nil, false
	}
	for i := range 3 {
		r.right[i], r.down[i], r.normal[i] = at.Right[i]/w, at.Down[i]/h, n[i]/length
	}
	r.slack = max(0.1, 0.1*math.Sqrt(min(w, h)))
	return r, true
}

// place returns points as pixels from the corner of the first one; nil if one of them
// lies off the plane. mm is how far off they lie.
func (r *ruler) place(points [][3]float64) (ring [][2]float64, mm float64) {
	for _, p := range points {
		d := [3]float64{p[0] - r.origin[0], p[1] - r.origin[1], p[2] - r.origin[2]}
		mm = max(mm, math.Abs(dot(r.normal, d)))
		ring = append(ring, [2]float64{dot(r.right, d) + 0.5, dot(r.down, d) + 0.5})
	}
	if mm > r.slack {
		return nil, mm
	}
	return ring, mm
}

// centred reports whether all points are centres of pixels, and rounds them to these.
func centred(ring [][2]float64) bool {
	const near = 0.01
	for _, p := range ring {
		if math.Abs(p[0]-math.Floor(p[0])-0.5) > near || math.Abs(p[1]-math.Floor(p[1])-0.5) > near {
			return false
		}
	}
	for i, p := range ring {
		ring[i] = [2]float64{math.Floor(p[0]) + 0.5, math.Floor(p[1]) + 0.5}
	}
	return true
}
