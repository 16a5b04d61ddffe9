package dicomio

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

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
			f.Elements = append(f.Elements, sequence(tag, dicomtest.Item{text(0x00080104, mark)}))
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
