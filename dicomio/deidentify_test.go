package dicomio

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio/dicomtest"
)

// TestDeidentify marks every attribute that is copied of a patient and study,
// in sequences too, and looks for the marks and the source's UIDs in every kind
// of object.
func TestDeidentify(t *testing.T) {
	f := identified("1.2.840.10008.5.1.4.1.1.2", "CT", 1, placed(4)...)
	var marks []string
	for i, tag := range slices.Concat(patientTags, studyTags) {
		mark := fmt.Sprintf("MARK%03d", i)
		switch vr := dictionaryVR(tag); vr {
		case "SQ":
			f.Elements = append(f.Elements, sequence(tag, dicomtest.Item{text(0x00080104, "Meaning"), text(0x00104000, mark)}))
		case "UI", "UN", "US", "UL", "FD":
			continue
		default:
			f.Elements = append(f.Elements, text(tag, mark))
		}
		marks = append(marks, mark)
	}
	s := openSource(t, f)
	o := origin(s)
	kept, _ := writeSEG(t, o)
	for _, mark := range marks {
		if !bytes.Contains(kept, []byte(mark)) {
			t.Errorf("%s is not copied: the test looks for nothing", mark)
		}
	}
	for name, b := range objectsOf(t, s, true) {
		for _, secret := range append(marks, root, "20250102", "20260304", dicomtest.Patient[0], dicomtest.Patient[1]) {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %s", name, secret)
			}
		}
		d := parse(t, b)
		if d.text(0x00120062) != "YES" || d.first(0x00120064).text(0x00080100) != "113100" || d.text(tagClassUID)[:14] != "1.2.840.10008." {
			t.Errorf("%s: %q, class %s", name, d.text(0x00120062), d.text(tagClassUID))
		}
	}
	d := parse(t, objectsOf(t, s, true)["seg"])
	for tag, want := range map[uint32]bool{
		0x00081032: true, 0x00101021: true, // a procedure's code, that of a group of patients
		0x00101010: false, 0x00081120: false, 0x00081030: false, 0x00104000: false, // age, references, texts
		0x00102201: false, // text that the profile does not name
	} {
		if _, ok := d[tag]; ok != want {
			t.Errorf("%s is there: %t, want %t", name(tag), ok, want)
		}
	}
	if d.first(0x00081032).text(0x00080104) != "Meaning" || len(d[0x00100040].b) != 0 || d.text(0x00120010) != "REMOVED" {
		t.Errorf("procedure %q, sex %q, sponsor %q", d.first(0x00081032).text(0x00080104), d[0x00100040].b, d.text(0x00120010))
	}
	// UIDs agree throughout a run.
	o.Run = &Run{Time: noon, Deidentify: true}
	one, _ := writeSEG(t, o)
	two, _ := writeSEG(t, o)
	a, b := parse(t, one), parse(t, two)
	for _, tag := range []uint32{tagStudyUID, tagSeriesUID, tagFrameOfReference, 0x00100020} {
		if a.text(tag) != b.text(tag) || !a.has(tag) {
			t.Errorf("%s is %s and %s", name(tag), a.text(tag), b.text(tag))
		}
	}
}

// TestActions runs the profile over one attribute of each action, inside a
// sequence too.
func TestActions(t *testing.T) {
	of := func() dataset {
		d := dataset{}
		d.set(0x00081030, "removed")                   // StudyDescription, X
		d.set(0x00080050, "emptied")                   // AccessionNumber, Z
		d.set(0x00120040, "a dummy")                   // ClinicalTrialSubjectID, D
		d.set(tagFrameOfReference, root+"6", root+"7") // U, several
		d.set(0x00080120, "text of no code")
		d.set(tagClassUID, "1.2.840.10008.5.1.4.1.1.2")
		d.set(0x00080102, "DCM")
		d.set(0x00080023, "20250203")
		d[0x00091010] = field{vr: "LO", b: []byte("private")}
		d[0x50000022] = field{vr: "LO", b: []byte("curve")}
		return d
	}
	r := &Run{Time: noon}
	want := dataset{}
	want.set(0x00080050)
	want.set(0x00120040, "REMOVED")
	want.set(tagFrameOfReference, r.uid("deidentify", root+"6"), r.uid("deidentify", root+"7"))
	want.set(tagClassUID, "1.2.840.10008.5.1.4.1.1.2")
	want.set(0x00080102, "DCM")
	want.set(0x00080023)
	want[0x00080050], want[0x00080023] = field{vr: "SH"}, field{vr: "DA"}
	d := of()
	d.setItems(0x00081140, of()) // ReferencedImageSequence
	clean(d)
	r.replace(d)
	got := d.first(0x00081140)
	delete(d, 0x00081140)
	for name, d := range map[string]dataset{"top": d, "item": got} {
		if diff := cmp.Diff(want, d, cmp.AllowUnexported(field{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
