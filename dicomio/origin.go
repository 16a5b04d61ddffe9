package dicomio

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"segd"
	"segd/dicomio/tag"
)

// Run holds what the objects of one run have in common. Only Time is required.
// It may be used by several goroutines and must not be copied.
type Run struct {
	Software string    // name and version of the program
	Time     time.Time // when the objects are made
	// Deidentify removes the patient's identity from every object, as PS3.15
	// specifies. It does not change the pixels of a Secondary Capture.
	Deidentify bool
	// Key, if set, makes every UID a function of the key, the source, the model
	// and the kind of object, so that a run can be repeated. Without a key UIDs
	// are new each time, and only those that must agree within the run do.
	Key []byte
	// Secret, if set, makes the UIDs and pseudonyms of de-identification agree
	// between the runs that share it, such as those of one server. It is random
	// otherwise.
	Secret []byte

	once   sync.Once
	secret []byte
}

// uid returns the UID of what parts name, the same throughout the run.
func (r *Run) uid(parts ...string) string {
	r.once.Do(func() {
		if r.secret = r.Key; r.secret == nil {
			r.secret = r.Secret
		}
		if r.secret == nil {
			r.secret = make([]byte, 32)
			_, _ = rand.Read(r.secret) // never fails (crypto/rand)
		}
	})
	return derivedUID(r.secret, parts...)
}

// instance returns a UID for a new object.
func (r *Run) instance(parts ...string) string {
	if r.Key == nil {
		return randomUID()
	}
	return r.uid(append(parts, "instance")...)
}

// Origin describes the sources of an object and the model that made it.
type Origin struct {
	Run *Run
	// Model and Version name the algorithm.
	Model, Version string
	// Classes are the classes of the masks, background first.
	Classes []segd.Class
	// Sources are the images, which must share study, size and frame of reference.
	Sources []*Source
}

// objectKind is a kind of object that is derived from an image.
type objectKind struct {
	name        string
	class       string // SOP class UID
	modality    string
	series      int // last two digits of the series number
	description string
}

// Kinds of objects, PS3.4 B.5.
var (
	kindSEG      = objectKind{"seg", "1.2.840.10008.5.1.4.1.1.66.4", "SEG", 1, "Segmentation"}
	kindSEGProb  = objectKind{"segprob", "1.2.840.10008.5.1.4.1.1.66.4", "SEG", 2, "Probabilities"}
	kindSC       = objectKind{"sc", "1.2.840.10008.5.1.4.1.1.7", "OT", 3, "Overlay"}
	kindSR       = objectKind{"sr", "1.2.840.10008.5.1.4.1.1.88.33", "SR", 4, "Measurements"}
	kindGSPS     = objectKind{"gsps", "1.2.840.10008.5.1.4.1.1.11.1", "PR", 5, "Outlines"}
	kindCSPS     = objectKind{"gsps", "1.2.840.10008.5.1.4.1.1.11.2", "PR", 5, "Outlines"}
	kindRTStruct = objectKind{"rtstruct", "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", 6, "Structures"}
)

const (
	// implementationUID identifies this writer in the file meta information. It is
	// a UUID.
	implementationUID  = "2.25.304359688997396285655776192010595588679"
	implementationName = "SEGD"

	manufacturer = "segd"
	timeLayout   = "150405"
	dateLayout   = "20060102"
)

// object is a data set before it is written. It keeps the elements copied from
// the source apart from those written here, which hold nothing about the patient
// except UIDs and times.
type object struct {
	dataset
	copied   dataset
	kind     objectKind
	uid      string
	run      *Run
	implicit bool
}

// instance returns a UID for an object of kind k; part distinguishes objects of
// one kind and source.
func (o *Origin) instance(k objectKind, part string) string {
	return o.Run.instance(k.name, o.Model, o.Version, o.Sources[0].instance, part)
}

// begin returns an object with the elements common to all kinds: the patient and
// study of the source, a series shared by the run's objects of this kind and
// source series, the equipment, and uid as its identity.
func (o *Origin) begin(k objectKind, uid string) (*object, error) {
	if err := checkSources(o.Sources); err != nil {
		return nil, err
	}
	s := o.Sources[0]
	d := &object{dataset: dataset{}, copied: dataset{}, kind: k, uid: uid, run: o.Run}
	for _, t := range requiredTags {
		d.copied.set(t)
	}
	d.copied.merge(s.patient)
	d.copied.merge(s.study)
	if s.orphan {
		d.copied.set(tag.StudyInstanceUID, o.Run.uid("study", s.instance))
	}
	if f, ok := s.image[tag.SpecificCharacterSet]; ok {
		d.copied[tag.SpecificCharacterSet] = f
	}
	d.set(tag.SOPClassUID, k.class)
	d.set(tag.SOPInstanceUID, d.uid)
	d.set(tag.Modality, k.modality)
	d.set(tag.SeriesInstanceUID, o.seriesUID(k))
	d.set(tag.SeriesNumber, seriesNumber(s.image.text(tag.SeriesNumber), k.series))
	d.set(tag.SeriesDescription, shorten(k.description+" by "+o.Model+" "+o.Version, 64))
	d.set(tag.Manufacturer, manufacturer)
	d.set(tag.ManufacturerModelName, manufacturer)
	d.set(tag.DeviceSerialNumber, "0")
	d.set(tag.SoftwareVersions, shorten(o.Run.software(), 64))
	return d, nil
}

// seriesUID returns the UID of the series of the run's objects of kind k.
func (o *Origin) seriesUID(k objectKind) string {
	return o.Run.uid("series", k.name, o.Model, o.Version, o.Sources[0].study.text(tag.StudyInstanceUID), o.Sources[0].series)
}

// number returns the instance number of an object: that of the source, so that
// the objects of a series keep its order.
func (o *Origin) number() int { return max(1, o.Sources[0].image.integer(tag.InstanceNumber)) }

// studyUID returns the UID of the study that the object belongs to.
func (d *object) studyUID() string { return d.copied.text(tag.StudyInstanceUID) }

func (r *Run) software() string {
	if r.Software == "" {
		return manufacturer
	}
	return r.Software
}

// seriesNumber derives a series number from the source's, so that it differs
// from those of other series of the study.
func seriesNumber(source string, kind int) string {
	if n, err := strconv.Atoi(source); err == nil && n > 0 && n < 1e6 {
		return strconv.Itoa(100*n + kind)
	}
	return strconv.Itoa(900 + kind)
}

// setContent sets the date and time at which the content was made.
func (d *object) setContent(date, time uint32) {
	d.set(date, d.run.Time.Format(dateLayout))
	d.set(time, d.run.Time.Format(timeLayout))
}

// setLabel sets the label, description and creator of the content (PS3.3 10.9).
func (d *object) setLabel(label, description string) {
	d.set(tag.ContentLabel, label)
	d.set(tag.ContentDescription, description)
	d.set(tag.ContentCreatorName)
}

// setSide says what part of the body, and which of a pair, the series shows, as
// far as the source does.
func (d *object) setSide(s *Source) {
	for _, t := range []uint32{tag.BodyPartExamined, tag.Laterality} {
		if f, ok := s.image[t]; ok {
			d.dataset[t] = f
		}
	}
	if _, ok := d.dataset[tag.Laterality]; !ok && s.image.has(tag.SharedFunctionalGroupsSequence) {
		d.set(tag.Laterality) // an enhanced image has one for each frame
	}
}

// setFrameOfReference copies the frame of reference of the source.
func (d *object) setFrameOfReference(s *Source) {
	d.set(tag.FrameOfReferenceUID, s.image.text(tag.FrameOfReferenceUID))
	d.set(tag.PositionReferenceIndicator, s.image.text(tag.PositionReferenceIndicator))
}

// setLossy records whether the source was ever compressed with loss.
func (d *object) setLossy(s *Source) {
	if s.image.text(tag.LossyImageCompression) != "01" {
		d.set(tag.LossyImageCompression, "00")
		return
	}
	for _, t := range []uint32{tag.LossyImageCompression, tag.LossyImageCompressionRatio, tag.LossyImageCompressionMethod} {
		if s.image.has(t) {
			d.dataset[t] = s.image[t]
		}
	}
}

// sourceSeries returns the UID of the series of s. A file without one violates
// the standard, but the lists of references (PS3.3 C.12.2) must name a series,
// so it gets a UID that stays the same throughout the run.
func (o *Origin) sourceSeries(s *Source) string {
	if s.series == "" {
		return o.Run.uid("source series", s.instance)
	}
	return s.series
}

// referenceSeries lists all sources by series (PS3.3 C.12.2).
func (o *Origin) referenceSeries() []dataset {
	var series []dataset
	at := map[string]int{}
	for _, s := range o.Sources {
		uid := o.sourceSeries(s)
		i, ok := at[uid]
		if !ok {
			i = len(series)
			at[uid] = i
			d := dataset{}
			d.set(tag.SeriesInstanceUID, uid)
			series = append(series, d)
		}
		list := series[i]
		items := append(list[tag.ReferencedInstanceSequence].items, s.reference(-1))
		list.setItems(tag.ReferencedInstanceSequence, items...)
	}
	return series
}

// charset sets the character set: that of the source, whose text is copied byte
// for byte. If the text of this package needs more, the set becomes UTF-8 where
// the text of the source allows it; otherwise question marks replace the
// characters.
func (d *object) charset() {
	if d.dataset.ascii() {
		return
	}
	utf8 := d.copied.text(tag.SpecificCharacterSet) == "ISO_IR 192"
	if utf8 || d.copied.ascii() {
		d.copied.set(tag.SpecificCharacterSet, "ISO_IR 192")
		return
	}
	d.fold()
}

// write writes the object as a DICOM file. pixels, if not nil, writes the size
// bytes of its pixels.
func (d *object) write(w io.Writer, size int64, pixels func(io.Writer) error) error {
	if size >= undefined-1 {
		return fmt.Errorf("dicomio: %w: an object with %d bytes of pixels, limit %d", segd.ErrTooLarge, size, undefined-2)
	}
	syntax := explicitLE
	if d.implicit {
		syntax = implicitLE
	}
	if d.run.Deidentify {
		d.deidentify()
	}
	d.charset()
	all := dataset{}
	all.merge(d.copied)
	all.merge(d.dataset)
	meta := dataset{}
	meta[tag.FileMetaInformationVersion] = field{vr: "OB", b: []byte{0, 1}}
	meta.set(tag.MediaStorageSOPClassUID, d.kind.class)
	meta.set(tag.MediaStorageSOPInstanceUID, all.text(tag.SOPInstanceUID))
	meta.set(tag.TransferSyntaxUID, syntax)
	meta.set(tag.ImplementationClassUID, implementationUID)
	meta.set(tag.ImplementationVersionName, implementationName)
	group := meta.appendTo(nil, false)

	b := append(make([]byte, preamble), "DICM"...)
	b = appendHeader(b, tag.FileMetaInformationGroupLength, "UL", 4, false)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(group)))
	b = append(b, group...)
	b = all.appendTo(b, d.implicit)
	if pixels != nil {
		b = appendHeader(b, tag.PixelData, "OB", int(size+size&1), d.implicit)
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	if pixels == nil {
		return nil
	}
	if err := pixels(w); err != nil {
		return err
	}
	if size&1 == 1 {
		_, err := w.Write([]byte{0})
		return err
	}
	return nil
}

// title returns the algorithm's name as one line of text.
func (o *Origin) title() string { return strings.TrimSpace(shorten(o.Model, 64)) }
