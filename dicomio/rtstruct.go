package dicomio

import (
	"io"
	"strconv"
	"strings"

	"segd/internal/outline"
)

// RTStruct is an RT Structure Set (PS3.3 A.19) in the making: a region of
// interest for each class, with an outline for each connected part in each
// frame. Outlines follow the edges of pixels; a hole is joined to the outline
// around it by a channel without width (PS3.3 C.8.8.6.3). It is not safe for
// concurrent use.
type RTStruct struct{ contours }

// NewRTStruct returns a structure set without outlines; AddMask adds them. The
// error is segd.ErrUnprocessable unless all sources of o are Placed: outlines
// are points of the patient.
func NewRTStruct(o Origin) (*RTStruct, error) {
	c, err := newContours(o)
	if err != nil {
		return nil, err
	}
	for _, s := range o.Sources {
		if !s.Placed() {
			return nil, unprocessable("a structure set of an image that has no frame of reference %s, or no place in it", name(tagFrameOfReference))
		}
	}
	return &RTStruct{c}, nil
}

// Write writes the object as a DICOM file, in implicit VR little endian, since
// an outline may be longer than explicit VR allows. Errors are those of w.
func (r *RTStruct) Write(w io.Writer) error {
	o := r.origin
	d, err := o.begin(kindRTStruct, o.instance(kindRTStruct, ""))
	if err != nil {
		return err
	}
	d.implicit = true
	first := o.Sources[0]
	frame := first.image.text(tagFrameOfReference)
	d.setInts(0x00200013, o.number())      // InstanceNumber
	d.set(0x00081070)                      // OperatorsName
	d.set(0x30060002, "SEGD")              // StructureSetLabel
	d.set(0x30060004, d.text(0x0008103e))  // StructureSetName
	d.setContent(0x30060008, 0x30060009)   // StructureSetDate, StructureSetTime
	d.setFrameOfReference(first)           // of the whole object
	d.setItems(0x30060010, r.reference(d)) // ReferencedFrameOfReferenceSequence
	d.set(0x300e0002, "UNAPPROVED")        // ApprovalStatus
	var regions, outlines, observations []dataset
	for k, c := range o.Classes[1:] {
		number := strconv.Itoa(c.Index)
		region := dataset{}
		region.set(0x30060022, number)              // ROINumber
		region.set(0x30060024, frame)               // ReferencedFrameOfReferenceUID
		region.set(0x30060026, shorten(c.Name, 64)) // ROIName
		region.set(0x30060036, "AUTOMATIC")         // ROIGenerationAlgorithm
		regions = append(regions, region)

		drawn := dataset{}
		drawn.set(0x30060084, number) // ReferencedROINumber
		drawn.setInts(0x3006002a, int(c.Color[0]), int(c.Color[1]), int(c.Color[2]))
		if items := r.drawn(k); items != nil {
			drawn.setItems(0x30060040, items...) // ContourSequence
		}
		outlines = append(outlines, drawn)

		observation := dataset{}
		_, kind := property(c)
		observation.set(0x30060082, number)   // ObservationNumber
		observation.set(0x30060084, number)   // ReferencedROINumber
		observation.setCode(0x30060086, kind) // RTROIIdentificationCodeSequence
		observation.set(0x300600a4)           // RTROIInterpretedType
		observation.set(0x300600a6)           // ROIInterpreter
		observations = append(observations, observation)
	}
	d.setItems(0x30060020, regions...)      // StructureSetROISequence
	d.setItems(0x30060039, outlines...)     // ROIContourSequence
	d.setItems(0x30060080, observations...) // RTROIObservationsSequence
	return d.write(w, 0, nil)
}

// drawn is the contour sequence of class k+1.
func (r *RTStruct) drawn(k int) []dataset {
	var items []dataset
	for _, f := range r.frames {
		s := r.origin.Sources[f.source]
		for _, p := range f.polygons[k] {
			ring := p.Keyhole()
			c := dataset{}
			c.setItems(0x30060016, s.reference(f.frame)) // ContourImageSequence
			c.set(0x30060042, "CLOSED_PLANAR")           // ContourGeometricType
			c.setInts(0x30060046, len(ring))             // NumberOfContourPoints
			c.set(0x30060050, points(ring, &s.planes[f.frame]))
			items = append(items, c)
		}
	}
	return items
}

// points writes a ring as contour data: x, y and z of each point in mm. The
// middle of the first pixel is half a pixel from its corner.
func points(ring outline.Ring, p *plane) string {
	var b strings.Builder
	for i, q := range ring {
		if i > 0 {
			b.WriteByte('\\')
		}
		v := p.at(q.X-0.5, q.Y-0.5)
		b.WriteString(millimetres(v[0]) + `\` + millimetres(v[1]) + `\` + millimetres(v[2]))
	}
	return b.String()
}

// millimetres writes v to a ten-thousandth, far below any pixel.
func millimetres(v float64) string {
	s := strings.TrimRight(strconv.FormatFloat(v, 'f', 4, 64), "0")
	if s = strings.TrimSuffix(s, "."); s == "-0" || len(s) > 16 {
		return decimal(v + 0)
	}
	return s
}

// reference lists the images that were drawn on, by study and series.
func (r *RTStruct) reference(d *object) dataset {
	var series []dataset
	for _, s := range r.origin.referenceSeries() {
		x := dataset{}
		x[tagSeriesUID] = s[tagSeriesUID]
		x.setItems(0x30060016, s[0x0008114a].items...) // ContourImageSequence
		series = append(series, x)
	}
	study := dataset{}
	study.set(tagRefClassUID, "1.2.840.10008.3.1.2.3.1") // Detached Study Management
	study.set(tagRefInstanceUID, d.studyUID())
	study.setItems(0x30060014, series...) // RTReferencedSeriesSequence
	out := dataset{}
	out.set(tagFrameOfReference, r.origin.Sources[0].image.text(tagFrameOfReference))
	out.setItems(0x30060012, study) // RTReferencedStudySequence
	return out
}
