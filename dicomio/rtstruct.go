package dicomio

import (
	"io"
	"strconv"
	"strings"

	"segd/dicomio/tag"
	"segd/internal/outline"
)

// RTStruct builds an RT Structure Set (PS3.3 A.19): a region of interest for
// each class, with an outline for each connected part in each frame. Outlines
// follow the edges of pixels; a channel without width joins a hole to the
// outline around it (PS3.3 C.8.8.6.3). An RTStruct is not safe for concurrent
// use.
type RTStruct struct{ contours }

// NewRTStruct returns a structure set without outlines; AddMask adds them. The
// error is segd.ErrUnprocessable unless all sources of o are Placed, because
// outlines are in patient coordinates.
func NewRTStruct(o Origin) (*RTStruct, error) {
	c, err := newContours(o)
	if err != nil {
		return nil, err
	}
	for _, s := range o.Sources {
		if !s.Placed() {
			return nil, unprocessable("a structure set needs images with a frame of reference %s and a position, orientation and spacing", name(tag.FrameOfReferenceUID))
		}
	}
	return &RTStruct{c}, nil
}

// Write writes the object as a DICOM file in implicit VR little endian, since an
// outline may be longer than explicit VR allows. The errors are those of w.
func (r *RTStruct) Write(w io.Writer) error {
	o := r.origin
	d, err := o.begin(kindRTStruct, o.instance(kindRTStruct, ""))
	if err != nil {
		return err
	}
	d.implicit = true
	first := o.Sources[0]
	frame := first.image.text(tag.FrameOfReferenceUID)
	d.setInts(tag.InstanceNumber, o.number())
	d.set(tag.OperatorsName)
	d.set(tag.StructureSetLabel, "SEGD")
	d.set(tag.StructureSetName, d.text(tag.SeriesDescription))
	d.setContent(tag.StructureSetDate, tag.StructureSetTime)
	d.setFrameOfReference(first) // for the whole object
	d.setItems(tag.ReferencedFrameOfReferenceSequence, r.reference(d))
	d.set(tag.ApprovalStatus, "UNAPPROVED")
	var regions, outlines, observations []dataset
	for k, c := range o.Classes[1:] {
		number := strconv.Itoa(c.Index)
		region := dataset{}
		region.set(tag.ROINumber, number)
		region.set(tag.ReferencedFrameOfReferenceUID, frame)
		region.set(tag.ROIName, shorten(c.Name, 64))
		region.set(tag.ROIGenerationAlgorithm, "AUTOMATIC")
		regions = append(regions, region)

		drawn := dataset{}
		drawn.set(tag.ReferencedROINumber, number)
		drawn.setInts(tag.ROIDisplayColor, int(c.Color[0]), int(c.Color[1]), int(c.Color[2]))
		if items := r.drawn(k); items != nil {
			drawn.setItems(tag.ContourSequence, items...)
		}
		outlines = append(outlines, drawn)

		observation := dataset{}
		_, kind := property(c)
		observation.set(tag.ObservationNumber, number)
		observation.set(tag.ReferencedROINumber, number)
		observation.setCode(tag.RTROIIdentificationCodeSequence, kind)
		observation.set(tag.RTROIInterpretedType)
		observation.set(tag.ROIInterpreter)
		observations = append(observations, observation)
	}
	d.setItems(tag.StructureSetROISequence, regions...)
	d.setItems(tag.ROIContourSequence, outlines...)
	d.setItems(tag.RTROIObservationsSequence, observations...)
	return d.write(w, 0, nil)
}

// drawn returns the contour sequence of class k+1.
func (r *RTStruct) drawn(k int) []dataset {
	var items []dataset
	for _, f := range r.frames {
		s := r.origin.Sources[f.source]
		for _, p := range f.polygons[k] {
			ring := p.Keyhole()
			c := dataset{}
			c.setItems(tag.ContourImageSequence, s.reference(f.frame))
			c.set(tag.ContourGeometricType, "CLOSED_PLANAR")
			c.setInts(tag.NumberOfContourPoints, len(ring))
			c.set(tag.ContourData, points(ring, &s.planes[f.frame]))
			items = append(items, c)
		}
	}
	return items
}

// points formats a ring as contour data: x, y and z of each point in mm. The
// centre of the first pixel is half a pixel from its corner.
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

// millimetres formats v with four decimals, far finer than any pixel.
func millimetres(v float64) string {
	s := strings.TrimRight(strconv.FormatFloat(v, 'f', 4, 64), "0")
	if s = strings.TrimSuffix(s, "."); s == "-0" || len(s) > 16 {
		return decimal(v + 0)
	}
	return s
}

// reference lists the source images by study and series.
func (r *RTStruct) reference(d *object) dataset {
	var series []dataset
	for _, s := range r.origin.referenceSeries() {
		x := dataset{}
		x[tag.SeriesInstanceUID] = s[tag.SeriesInstanceUID]
		x.setItems(tag.ContourImageSequence, s[tag.ReferencedInstanceSequence].items...)
		series = append(series, x)
	}
	study := dataset{}
	study.set(tag.ReferencedSOPClassUID, "1.2.840.10008.3.1.2.3.1") // Detached Study Management
	study.set(tag.ReferencedSOPInstanceUID, d.studyUID())
	study.setItems(tag.RTReferencedSeriesSequence, series...)
	out := dataset{}
	out.set(tag.FrameOfReferenceUID, r.origin.Sources[0].image.text(tag.FrameOfReferenceUID))
	out.setItems(tag.RTReferencedStudySequence, study)
	return out
}
