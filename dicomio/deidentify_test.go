package dicomio

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// TestDeidentify marks every attribute that is copied of a patient and study,
// in sequences too, and looks for the marks and the source's UIDs in every kind
// of object.
func TestDeidentify(t *testing.T) {
	f := identified("1.2.840.10008.5.1.4.1.1.2", "CT", 1, placed(4)...)
	var marks []string
	for i, id := range slices.Concat(patientTags, studyTags) {
		mark := fmt.Sprintf("MARK%03d", i)
		switch vr := dictionaryVR(id); vr {
		case "SQ":
			f.Elements = append(f.Elements, sequence(id, dicomtest.Item{text(tag.CodeMeaning, "Meaning"), text(tag.PatientComments, mark)}))
		case "UI", "UN", "US", "UL", "FD":
			continue
		default:
			f.Elements = append(f.Elements, text(id, mark))
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
		if d.text(tag.PatientIdentityRemoved) != "YES" || d.first(tag.DeidentificationMethodCodeSequence).text(tag.CodeValue) != "113100" || d.text(tag.SOPClassUID)[:14] != "1.2.840.10008." {
			t.Errorf("%s: %q, class %s", name, d.text(tag.PatientIdentityRemoved), d.text(tag.SOPClassUID))
		}
	}
	d := parse(t, objectsOf(t, s, true)["seg"])
	for id, want := range map[uint32]bool{
		tag.ProcedureCodeSequence: true, tag.PatientSizeCodeSequence: true, // a procedure's code, that of a group of patients
		tag.PatientAge: false, tag.ReferencedPatientSequence: false, tag.StudyDescription: false, tag.PatientComments: false, // age, references, texts
		tag.PatientSpeciesDescription: false, // text that the profile does not name
	} {
		if _, ok := d[id]; ok != want {
			t.Errorf("%s is there: %t, want %t", name(id), ok, want)
		}
	}
	if d.first(tag.ProcedureCodeSequence).text(tag.CodeMeaning) != "Meaning" || len(d[tag.PatientSex].b) != 0 || d.text(tag.ClinicalTrialSponsorName) != "REMOVED" {
		t.Errorf("procedure %q, sex %q, sponsor %q", d.first(tag.ProcedureCodeSequence).text(tag.CodeMeaning), d[tag.PatientSex].b, d.text(tag.ClinicalTrialSponsorName))
	}
	// UIDs agree throughout a run.
	o.Run = &Run{Time: noon, Deidentify: true}
	one, _ := writeSEG(t, o)
	two, _ := writeSEG(t, o)
	a, b := parse(t, one), parse(t, two)
	for _, id := range []uint32{tag.StudyInstanceUID, tag.SeriesInstanceUID, tag.FrameOfReferenceUID, tag.PatientID} {
		if a.text(id) != b.text(id) || !a.has(id) {
			t.Errorf("%s is %s and %s", name(id), a.text(id), b.text(id))
		}
	}
}

// TestActions runs the profile over one attribute of each action, inside a
// sequence too.
func TestActions(t *testing.T) {
	of := func() dataset {
		d := dataset{}
		d.set(tag.StudyDescription, "removed")             // StudyDescription, X
		d.set(tag.AccessionNumber, "emptied")              // AccessionNumber, Z
		d.set(tag.ClinicalTrialSubjectID, "a dummy")       // ClinicalTrialSubjectID, D
		d.set(tag.FrameOfReferenceUID, root+"6", root+"7") // U, several
		d.set(tag.URNCodeValue, "text of no code")
		d.set(tag.SOPClassUID, "1.2.840.10008.5.1.4.1.1.2")
		d.set(tag.CodingSchemeDesignator, "DCM")
		d.set(tag.ContentDate, "20250203")
		d[0x00091010] = field{vr: "LO", b: []byte("private")}
		d[tag.CurveDescription] = field{vr: "LO", b: []byte("curve")}
		return d
	}
	r := &Run{Time: noon}
	want := dataset{}
	want.set(tag.AccessionNumber)
	want.set(tag.ClinicalTrialSubjectID, "REMOVED")
	want.set(tag.FrameOfReferenceUID, r.uid("deidentify", root+"6"), r.uid("deidentify", root+"7"))
	want.set(tag.SOPClassUID, "1.2.840.10008.5.1.4.1.1.2")
	want.set(tag.CodingSchemeDesignator, "DCM")
	want.set(tag.ContentDate)
	want[tag.AccessionNumber], want[tag.ContentDate] = field{vr: "SH"}, field{vr: "DA"}
	d := of()
	d.setItems(tag.ReferencedImageSequence, of())
	clean(d)
	r.replace(d)
	got := d.first(tag.ReferencedImageSequence)
	delete(d, tag.ReferencedImageSequence)
	for name, d := range map[string]dataset{"top": d, "item": got} {
		if diff := cmp.Diff(want, d, cmp.AllowUnexported(field{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
