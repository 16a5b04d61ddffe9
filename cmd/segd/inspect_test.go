package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/internal/phantom"
	"segd/train/dataset/datasettest"
)

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	f := dicomtest.Disc(24)
	scan, png, bad := filepath.Join(dir, "scan.dcm"), filepath.Join(dir, "a.png"), filepath.Join(dir, "bad.dcm")
	write(t, scan, dicomtest.Write(f))
	write(t, bad, dicomtest.Write(f)[:300])
	img, _ := phantom.Discs(1, 40, 40)
	datasettest.WritePNG(t, png, img)

	text := done(t, "inspect", scan, png)
	for _, want := range []string{scan, png, "dicom CT, 24×24 pixels, frames: 1", "rescale slope 1 intercept -1024", "spacing 0.5 × 0.75 mm", "png, 40×40"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	code, stdout, stderr := command(t, "inspect", "--json", scan, bad)
	if code != exitPartial || !strings.Contains(stderr, "1 of 2") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	d := json.NewDecoder(strings.NewReader(stdout))
	var one, two inspection
	if d.Decode(&one) != nil || d.Decode(&two) != nil || one.Modality != "CT" || one.Error != "" || two.Error == "" {
		t.Errorf("JSON %s", stdout)
	}
	for _, private := range dicomtest.Patient {
		if strings.Contains(text+stdout+stderr, private) {
			t.Errorf("patient data in %s%s%s", text, stdout, stderr)
		}
	}

	with := done(t, "inspect", "-m", brightModel(t), "--patient", scan, png)
	for _, want := range append([]string{"normalised", "model bright 1", "most likely class", "(0010,0010) PatientName: "}, dicomtest.Patient[:2]...) {
		if !strings.Contains(with, want) {
			t.Errorf("%q is not in\n%s", want, with)
		}
	}
	if code, _, stderr := command(t, "inspect", "-m", "absent", scan); code != exitFailed || !strings.Contains(stderr, "absent") {
		t.Errorf("a model that is not there: exit %d: %s", code, stderr)
	}

	if got := done(t, "inspect", "--raw", scan); !bytes.Equal([]byte(got), f.Pixels) {
		t.Errorf("%d bytes of stored values, want %d", len(got), len(f.Pixels))
	}
	for _, args := range [][]string{{"inspect", "--raw", png}, {"inspect", "--raw", bad}} {
		if code, stdout, _ := command(t, args...); code != exitFailed || stdout != "" {
			t.Errorf("%v: exit %d, %d bytes", args, code, len(stdout))
		}
	}
	if code, _, _ := command(t, "inspect", "--raw", scan, scan); code != exitUsage {
		t.Errorf("two files: exit %d", code)
	}
}
