package dicomio

import "strings"

// deidentify takes out of d who the patient is, by the Basic Application Level
// Confidentiality Profile (PS3.15 E.2) and further: of what is copied of the
// patient and study, all goes but what an object must have, which is left
// empty. What is written here holds UIDs and times of the source's, and these
// are replaced: UIDs by others that are the same throughout the run. Private
// elements are never copied.
func (d *object) deidentify() {
	patient := d.copied.text(0x00100020) + "\x00" + d.copied.text(0x00100010)
	study := d.studyUID()
	if patient == "\x00" {
		patient = study
	}
	digits := strings.TrimPrefix(d.run.uid("patient", patient), "2.25.")
	pseudonym := "SEGD-" + digits[:12]
	d.copied = dataset{}
	for _, t := range requiredTags {
		d.copied.set(t)
	}
	d.copied.set(0x00100010, "SEGD^"+digits[:12]) // PatientName: so that patients stay apart
	d.copied.set(0x00100020, pseudonym)           // PatientID
	d.copied.set(tagStudyUID, study)
	d.copied.set(0x00120062, "YES")                                                            // PatientIdentityRemoved
	d.copied.set(0x00120063, "PS3.15 Basic Profile; all patient and study attributes removed") // DeidentificationMethod
	d.copied.setCode(0x00120064, code{Value: "113100", Scheme: "DCM", Meaning: "Basic Application Confidentiality Profile"})
	d.copied.set(0x00280303, "REMOVED") // LongitudinalTemporalInformationModified
	d.run.replace(d.copied)
	d.run.replace(d.dataset)
}

// replace puts other UIDs and times in the place of those in d and below.
func (r *Run) replace(d dataset) {
	for t, f := range d {
		for _, item := range f.items {
			r.replace(item)
		}
		switch {
		case f.vr == "UI" && !strings.HasPrefix(d.text(t), "1.2.840.10008.") && d.has(t):
			d.set(t, r.uid("deidentify", d.text(t))) // not one of the standard's own, such as SOP classes
		case f.vr == "DA" && d.has(t):
			d.set(t, "19000101")
		case f.vr == "TM" && d.has(t):
			d.set(t, "000000")
		case t == 0x00283003: // LUTExplanation, the one free text of an image that is copied
			delete(d, t)
		}
	}
}
