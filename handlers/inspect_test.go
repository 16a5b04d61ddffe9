package handlers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/internal/inspect"
)

func TestInspect(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/inspect"
	file := dicomtest.Write(dicomtest.Disc(side))
	for _, tt := range []struct {
		query string
		steps []string
		model string
	}{
		{"", []string{"rescale slope 1 intercept -1024"}, ""},
		{"?model=bright", []string{"rescale slope 1 intercept -1024", "normalised", "most likely class"}, "bright"},
	} {
		a := post(t, url+tt.query, file)
		wantOK(t, a, "application/json")
		var i inspect.Inspection
		if err := json.Unmarshal(a.body, &i); err != nil {
			t.Fatal(err)
		}
		if i.Format != "dicom" || i.Modality != "CT" || i.Width != side || i.FrameCount != 1 || i.Spacing == nil || i.Spacing.ColMM != 0.75 || i.Model != tt.model {
			t.Errorf("%s: %+v", tt.query, i)
		}
		for _, want := range tt.steps {
			if !strings.Contains(strings.Join(i.Steps, "\n"), want) {
				t.Errorf("%s: %q is not in %q", tt.query, want, i.Steps)
			}
		}
		wantNoPatient(t, string(a.body))
	}
	wantOK(t, do(t, form(t, url, "file", file, "model", "bright")), "application/json")
	wantOK(t, post(t, url, disc(t, side)), "application/json")
	wantProblem(t, post(t, url+"?model=absent", file), http.StatusNotFound, "absent")
	wantProblem(t, post(t, url+"?model=..%2Fbright", file), http.StatusNotFound, "bright")
	wantProblem(t, post(t, url+"?patient=1", file), http.StatusBadRequest, "there is no option")
	wantProblem(t, post(t, url, file[:len(file)/2]), http.StatusBadRequest, "truncated")
	wantProblem(t, post(t, url, []byte("no scan")), http.StatusUnsupportedMediaType, "not DICOM")
}

func wantNoPatient(t *testing.T, text string) {
	t.Helper()
	for _, private := range dicomtest.Patient {
		if strings.Contains(text, private) {
			t.Errorf("patient data in %q", text)
		}
	}
}

// TestDeidentify asks for objects without the patient, twice: both have the
// same study.
func TestDeidentify(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment?model=bright&deidentify=1&output="
	f := dicomtest.Disc(side)
	f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x0020000d, VR: "UI", Value: "1.2.826.0.1.3680043.10.543.7"})
	var studies [][]byte
	for _, output := range []string{"seg", "sc", "sr"} {
		a := post(t, url+output, dicomtest.Write(f))
		wantOK(t, a, "application/dicom")
		wantNoPatient(t, string(a.body))
		if bytes.Contains(a.body, []byte("3680043")) || !bytes.Contains(a.body, []byte("113100")) {
			t.Errorf("%s holds a UID of the source, or not how it was de-identified", output)
		}
		if got := strings.Contains(a.header.Get(warningsHeader), "(0028,0301)"); got != (output == "sc") {
			t.Errorf("%s: warnings %q", output, a.header.Get(warningsHeader))
		}
		at := bytes.Index(a.body, []byte("\x20\x00\x0d\x00UI")) // StudyInstanceUID
		studies = append(studies, a.body[at:at+40])
	}
	if !bytes.Equal(studies[0], studies[1]) || !bytes.Equal(studies[0], studies[2]) {
		t.Errorf("studies %q", studies)
	}
	wantProblem(t, post(t, strings.Replace(url, "deidentify=1", "deidentify=yes", 1)+"seg", dicomtest.Write(f)), http.StatusBadRequest, "want 0 or 1")
}
