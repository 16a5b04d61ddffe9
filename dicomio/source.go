package dicomio

import (
	"bytes"
	"encoding/binary"
	"slices"

	"segd"
	"segd/dicomio/tag"
)

// Source is an image that objects are derived from. It holds the attributes that
// they copy or refer to, and no pixels. It does not change and may be used by
// several goroutines.
type Source struct {
	patient, study dataset // copied whole
	image          dataset // imageTags
	class          string  // SOPClassUID
	instance       string  // SOPInstanceUID
	series         string  // SeriesInstanceUID
	rows, cols     int
	frames         int
	planes         []plane // of each frame; nil if unknown or without a frame of reference
	located        []plane // of each frame, with or without a frame of reference; nil if unknown
	lost           error   // why planes are unknown, if only some are
	orphan         bool    // the file names no study
	assumed        bool    // the file states no slice thickness
}

// OpenSource reads what objects need from the DICOM image b, which is not kept.
// Like Read, it walks the whole file first. It then copies only the attributes
// listed in modules.go, at every level of nesting but without private elements,
// byte for byte and with any faults of the source.
//
// The errors are those of Read, and segd.ErrUnprocessable for a file without a
// SOP class or instance UID, to which nothing could refer.
func OpenSource(b []byte) (*Source, error) {
	f, err := open(b)
	if err != nil {
		return nil, err
	}
	return f.source()
}

// SourceOf returns the Source of a scan that Read returned. The errors are those of
// OpenSource, and segd.ErrUnprocessable for a scan that is no DICOM file.
func SourceOf(scan *segd.Scan) (*Source, error) {
	if scan.Format == "dicom" && scan.Source != nil {
		source, err := scan.Source()
		if err != nil {
			return nil, err
		}
		if s, ok := source.(*Source); ok {
			return s, nil
		}
	}
	return nil, unprocessable("a DICOM object is filed under the patient and study of its image, and a %s file names none", scan.Format)
}

// source copies what objects need from the file.
func (f *file) source() (*Source, error) {
	s := &Source{}
	var err error
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
			return nil, unprocessable("element %s is not a UID, so no object can refer to the file", name(id.tag))
		}
	}
	s.series = s.image.text(tag.SeriesInstanceUID)
	s.rows, s.cols = s.image.integer(tag.Rows), s.image.integer(tag.Columns)
	if s.rows < 1 || s.cols < 1 || s.rows > segd.MaxSide || s.cols > segd.MaxSide {
		return nil, unprocessable("%d rows and %d columns, want 1 to %d", s.rows, s.cols, segd.MaxSide)
	}
	if s.frames = max(1, s.image.integer(tag.NumberOfFrames)); s.frames > maxFrames {
		return nil, unprocessable("%d frames, limit %d", s.frames, maxFrames)
	}
	s.orphan = !isUID(s.study.text(tag.StudyInstanceUID))
	s.locate()
	return s, nil
}

// locate reads the positions of the frames.
func (s *Source) locate() {
	s.located, s.lost = s.readPlanes()
	if isUID(s.image.text(tag.FrameOfReferenceUID)) {
		s.planes = s.located
	}
}

// Warnings returns what a user should know about objects made from s.
func (s *Source) Warnings() []string {
	var out []string
	if s.orphan {
		out = append(out, "the file names no study (0020,000D): DICOM outputs get a new one")
	}
	if s.series == "" {
		out = append(out, "the file names no series (0020,000E): DICOM outputs refer to it by a new one")
	}
	if s.assumed && s.Placed() {
		out = append(out, "the file states no slice thickness (0018,0050): DICOM outputs use the distance between slices, or between rows")
	}
	return out
}

// AssumesThickness reports whether the file states no slice thickness
// (0018,0050), so that s uses the distance between slices or rows.
func (s *Source) AssumesThickness() bool { return s.assumed }

// Placed reports whether s has a frame of reference and every frame a position,
// orientation and spacing.
func (s *Source) Placed() bool { return s.planes != nil }

// copy returns the elements that tags list.
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

// field returns the value of e in little endian. ok is false if it cannot be
// copied because its VR, and so the byte order of its numbers, is unknown.
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

// wordBytes is the size of the numbers in a binary VR, to which the byte order
// applies (PS3.5 7.3).
var wordBytes = map[string]int{
	"US": 2, "SS": 2, "OW": 2, "AT": 2,
	"UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4,
	"FD": 8, "OD": 8, "SV": 8, "UV": 8, "OV": 8,
}

// checkSources returns segd.ErrUnprocessable if sources cannot share an object
// because their studies, sizes or frames of reference differ.
func checkSources(sources []*Source) error {
	if len(sources) == 0 {
		return unprocessable("no source image")
	}
	a := sources[0]
	for _, b := range sources[1:] {
		switch {
		case a.study.text(tag.StudyInstanceUID) != b.study.text(tag.StudyInstanceUID) || a.orphan:
			return unprocessable("the source images belong to different studies (0020,000D)")
		case !a.Identity().SamePatient(b.Identity()):
			return unprocessable("the source images have different PatientIDs (0010,0020)")
		case a.rows != b.rows || a.cols != b.cols:
			return unprocessable("the source images differ in size: %d×%d and %d×%d pixels", a.rows, a.cols, b.rows, b.cols)
		case a.image.text(tag.FrameOfReferenceUID) != b.image.text(tag.FrameOfReferenceUID):
			return unprocessable("the source images have different frames of reference (0020,0052)")
		}
	}
	return nil
}

// fits returns segd.ErrNotFound if s does not have the frame, and
// segd.ErrUnprocessable if its size differs.
func (s *Source) fits(frame, width, height int) error {
	if frame < 0 || frame >= s.frames {
		return fmtNotFound(frame, s.frames)
	}
	if width != s.cols || height != s.rows {
		return unprocessable("a mask of %d×%d pixels for a source of %d×%d", width, height, s.cols, s.rows)
	}
	return nil
}

// reference refers to s as a whole, or to its frame i if i is not -1 and the SOP
// class has frames. Some files of single-frame classes have several.
func (s *Source) reference(i int) dataset {
	d := dataset{}
	d.set(tag.ReferencedSOPClassUID, s.class)
	d.set(tag.ReferencedSOPInstanceUID, s.instance)
	if i >= 0 && s.frames > 1 && !singleFrame[s.class] {
		d.setInts(tag.ReferencedFrameNumber, i+1)
	}
	return d
}

// singleFrame lists SOP classes whose instances have one frame (PS3.4 B.5).
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

// Instance returns the UID of the instance. It may be empty. Use it to group
// files and never show it: it leads to the patient.
func (s *Source) Instance() string { return s.instance }

// Series returns the UID of the series; see Instance.
func (s *Source) Series() string { return s.series }

// Study returns the UID of the study; see Instance.
func (s *Source) Study() string { return s.study.text(tag.StudyInstanceUID) }
