package dicomio

import (
	"bytes"
	"encoding/binary"
	"slices"

	"segd"
	"segd/dicomio/tag"
)

// Source is an image that objects are derived from: what they take over of its
// patient and study, and what they need to refer to it and to lie where it
// lies. It holds no pixels and does not change, and may be used from several
// goroutines.
type Source struct {
	patient, study dataset // copied whole
	image          dataset // imageTags
	class          string  // SOPClassUID
	instance       string  // SOPInstanceUID
	series         string  // SeriesInstanceUID
	rows, cols     int
	frames         int
	planes         []plane // where each frame lies; nil: not known, or not in which frame of reference
	located        []plane // where each frame lies, in whichever frame of reference; nil: not known
	lost           error   // why it is not known, where it is of some frames
	orphan         bool    // the file names no study
	assumed        bool    // it states no slice thickness
}

// OpenSource reads what objects take over from the DICOM image b, which is not
// kept. The whole file is walked first, as Read does; then only the attributes
// that modules.go lists are copied, sequences to the bottom, private elements
// left out. Values arrive byte for byte, the source's own faults included.
//
// The errors are those of Read, and segd.ErrUnprocessable for a file that
// names no SOP class or instance, since nothing could refer to it.
func OpenSource(b []byte) (*Source, error) {
	f, err := open(b)
	if err != nil {
		return nil, err
	}
	s := &Source{}
	if s.patient, err = f.copy(patientTags); err != nil {
		return nil, err
	}
	if s.study, err = f.copy(studyTags); err != nil {
		return nil, err
	}
	if s.image, err = f.copy(imageTags); err != nil {
		return nil, err
	}
	for _, id := range []struct {
		tag uint32
		to  *string
	}{{tag.SOPClassUID, &s.class}, {tag.SOPInstanceUID, &s.instance}} {
		if *id.to = s.image.text(id.tag); !isUID(*id.to) {
			return nil, unprocessable("no object can refer to a file without %s, a UID", name(id.tag))
		}
	}
	s.series = s.image.text(tag.SeriesInstanceUID)
	s.rows, s.cols = s.image.integer(tag.Rows), s.image.integer(tag.Columns)
	if s.rows < 1 || s.cols < 1 || s.rows > maxSide || s.cols > maxSide {
		return nil, unprocessable("%d rows and %d columns, want 1 to %d", s.rows, s.cols, maxSide)
	}
	if s.frames = max(1, s.image.integer(tag.NumberOfFrames)); s.frames > maxFrames {
		return nil, unprocessable("%d frames, limit %d", s.frames, maxFrames)
	}
	s.orphan = !isUID(s.study.text(tag.StudyInstanceUID))
	s.locate()
	return s, nil
}

// locate reads where the frames lie.
func (s *Source) locate() {
	s.located, s.lost = s.readPlanes()
	if isUID(s.image.text(tag.FrameOfReferenceUID)) {
		s.planes = s.located
	}
}

// Warnings says what a user should know about objects made of s.
func (s *Source) Warnings() []string {
	var out []string
	if s.orphan {
		out = append(out, "the file names no study (0020,000D): DICOM outputs get one of their own")
	}
	if s.series == "" {
		out = append(out, "the file names no series (0020,000E): DICOM outputs refer to it by one of their own")
	}
	if s.assumed && s.Placed() {
		out = append(out, "the file states no slice thickness (0018,0050): DICOM outputs take the distance between slices, or that between rows")
	}
	return out
}

// AssumesThickness reports whether s has the distance between slices or between
// rows for a slice thickness (0018,0050), which the file does not state.
func (s *Source) AssumesThickness() bool { return s.assumed }

// Placed reports whether it is known where in the patient the frames lie: there
// is a frame of reference, and each frame has a position, orientation and
// spacing.
func (s *Source) Placed() bool { return s.planes != nil }

// copy returns those of the elements that tags list.
func (f *file) copy(tags []uint32) (dataset, error) {
	d := dataset{}
	for _, e := range f.top {
		if !slices.Contains(tags, e.tag) {
			continue
		}
		v, ok, err := f.field(e)
		if err != nil {
			return nil, err
		}
		if ok {
			d[e.tag] = v
		}
	}
	return d, nil
}

// field returns the value of e in little endian; ok is false for what cannot
// be copied: numbers whose VR is not known, and so not their byte order.
func (f *file) field(e element) (v field, ok bool, err error) {
	v.vr = e.vr
	if known := dictionaryVR(e.tag); v.vr == "UN" {
		v.vr = known
	}
	if v.vr == "SQ" || e.undefined && e.vr == "UN" {
		items, err := f.itemsOf(e)
		if err != nil {
			return v, false, err
		}
		v.vr = "SQ"
		for _, item := range items {
			d := dataset{}
			for _, inner := range item {
				if inner.tag>>16&1 == 1 || inner.tag&0xffff == 0 {
					continue // private, group length
				}
				w, ok, err := f.field(inner)
				if err != nil {
					return v, false, err
				}
				if ok {
					d[inner.tag] = w
				}
			}
			v.items = append(v.items, d)
		}
		return v, true, nil
	}
	if e.undefined {
		return v, false, nil // encapsulated pixels of an icon
	}
	v.b = bytes.Clone(f.b[e.value:e.end])
	n := wordBytes[v.vr]
	if f.order == binary.BigEndian && !e.unnamed && n > 1 {
		if e.vr == "UN" || len(v.b)%n != 0 {
			return v, false, nil
		}
		for i := 0; i < len(v.b); i += n {
			slices.Reverse(v.b[i : i+n])
		}
	}
	return v, v.vr != "UN", nil
}

// wordBytes is the size of the numbers that a binary VR consists of, which the
// byte order applies to (PS3.5 7.3).
var wordBytes = map[string]int{
	"US": 2, "SS": 2, "OW": 2, "AT": 2,
	"UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4,
	"FD": 8, "OD": 8, "SV": 8, "UV": 8, "OV": 8,
}

// checkSources returns segd.ErrUnprocessable where objects cannot be made of sources
// together: of different studies, sizes or frames of reference.
func checkSources(sources []*Source) error {
	if len(sources) == 0 {
		return unprocessable("no source image")
	}
	a := sources[0]
	for _, b := range sources[1:] {
		switch {
		case a.study.text(tag.StudyInstanceUID) != b.study.text(tag.StudyInstanceUID) || a.orphan:
			return unprocessable("source images of different studies (0020,000D)")
		case a.rows != b.rows || a.cols != b.cols:
			return unprocessable("source images of %d×%d and %d×%d pixels", a.rows, a.cols, b.rows, b.cols)
		case a.image.text(tag.FrameOfReferenceUID) != b.image.text(tag.FrameOfReferenceUID):
			return unprocessable("source images of different frames of reference (0020,0052)")
		}
	}
	return nil
}

// fits returns segd.ErrNotFound or segd.ErrUnprocessable unless s has the frame
// and the mask or picture is as large as it.
func (s *Source) fits(frame, width, height int) error {
	if frame < 0 || frame >= s.frames {
		return fmtNotFound(frame, s.frames)
	}
	if width != s.cols || height != s.rows {
		return unprocessable("a mask of %d×%d pixels on a source of %d×%d", width, height, s.cols, s.rows)
	}
	return nil
}

// reference refers to s as a whole, or to its frame i where that is not -1 and
// its SOP class has frames. Files that have several all the same occur.
func (s *Source) reference(i int) dataset {
	d := dataset{}
	d.set(tag.ReferencedSOPClassUID, s.class)
	d.set(tag.ReferencedSOPInstanceUID, s.instance)
	if i >= 0 && s.frames > 1 && !singleFrame[s.class] {
		d.setInts(tag.ReferencedFrameNumber, i+1)
	}
	return d
}

// singleFrame are SOP classes whose instances have one frame (PS3.4 B.5).
var singleFrame = map[string]bool{
	"1.2.840.10008.5.1.4.1.1.1":     true, // CR
	"1.2.840.10008.5.1.4.1.1.1.1":   true, // DX for presentation
	"1.2.840.10008.5.1.4.1.1.1.1.1": true, // DX for processing
	"1.2.840.10008.5.1.4.1.1.1.2":   true, // MG for presentation
	"1.2.840.10008.5.1.4.1.1.1.2.1": true, // MG for processing
	"1.2.840.10008.5.1.4.1.1.2":     true, // CT
	"1.2.840.10008.5.1.4.1.1.4":     true, // MR
	"1.2.840.10008.5.1.4.1.1.6.1":   true, // US
	"1.2.840.10008.5.1.4.1.1.7":     true, // Secondary Capture
	"1.2.840.10008.5.1.4.1.1.128":   true, // PET
}

type code = segd.Code

// Instance, Series and Study return the UIDs of s, to tell files apart that
// belong together. They may be empty, and must not be shown: they lead to the
// patient.
func (s *Source) Instance() string { return s.instance }

// Series returns the UID of the series; see Instance.
func (s *Source) Series() string { return s.series }

// Study returns the UID of the study; see Instance.
func (s *Source) Study() string { return s.study.text(tag.StudyInstanceUID) }
