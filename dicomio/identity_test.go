package dicomio

import (
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// An identity tells patients apart and does not hold what is written of them.
func TestReadIdentity(t *testing.T) {
	read := func(id, issuer string) Identity {
		f := dicomtest.File{Rows: 1, Columns: 1, Pixels: []byte{0, 0}, Elements: []dicomtest.Element{
			{Tag: tag.PatientID, VR: "LO", Value: id}, {Tag: tag.IssuerOfPatientID, VR: "LO", Value: issuer}, {Tag: tag.SeriesInstanceUID, VR: "UI", Value: "1.2.3"}}}
		i, err := ReadIdentity(dicomtest.Write(f))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	a := read("SECRET-1", "")
	if a.Patient == "" || strings.Contains(a.Patient, "SECRET") || a.Issuer != "" || a.Series != "1.2.3" || a.Instance == "" {
		t.Errorf("%+v", a)
	}
	if a != read(" SECRET-1 ", "") || a.Patient == read("SECRET-2", "").Patient {
		t.Error("padding tells patients apart, or IDs do not")
	}
	if b, c := read("SECRET-1", "H1"), read("SECRET-1", "H2"); b.Patient != a.Patient || b.Issuer == c.Issuer || b.Issuer == "" {
		t.Errorf("%+v, %+v", b, c)
	}
	for _, id := range []string{"", "ANON", "Anonymized", "000", "XXXX", "n/a", "-", "unknown"} {
		if got := read(id, "H1"); got.Patient != "" {
			t.Errorf("%q counts as an ID", id)
		}
	}
	if _, err := ReadIdentity([]byte("no DICOM")); err == nil {
		t.Error("no error for another file")
	}
}
