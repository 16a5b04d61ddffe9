package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/internal/output"
)

// A CD has a DICOMDIR, reports and presentation states beside its images: they are
// passed over and counted, and nothing fails.
func TestSegmentDisc(t *testing.T) {
	t.Parallel()
	in, model := t.TempDir(), brightModel(t)
	for i, z := range []float64{0, 3, 6} {
		write(t, filepath.Join(in, "DICOM", "S1", "IM"+string(rune('1'+i))), dicomtest.Write(slice(1, i+1, z)))
	}
	objects := filepath.Join(in, "DICOM", "S2")
	done(t, "segment", "-i", in, "-o", objects, "-m", model, "--output", "seg,sr,gsps,rtstruct", "--progress", "none")
	if err := os.Remove(filepath.Join(objects, output.RecordName)); err != nil { // another program's
		t.Fatal(err)
	}
	write(t, filepath.Join(in, "DICOMDIR"), []byte("not read"))
	write(t, filepath.Join(in, "AUTORUN.INF"), []byte("[autorun]"))
	code, _, stderr := command(t, "segment", "-i", in, "-o", t.TempDir(), "-m", model, "--output", "mask,nifti", "--progress", "none")
	for _, want := range []string{"4 DICOM objects that are not images (presentation state 1, report 1, segmentation 1, structure set 1)", "1 DICOMDIR", ".inf 1"} {
		if code != exitDone || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, %q, want %q", code, stderr, want)
		}
	}
	if listed := done(t, "segment", "-i", in, "-o", t.TempDir(), "-m", model, "--dry-run"); strings.Count(listed, "\n") != 3 {
		t.Errorf("listed %q", listed)
	}
	// One that is named is tried, and fails with the reason.
	code, _, stderr = command(t, "segment", "-i", filepath.Join(objects, "sr", "DICOM", "S1", "IM1.dcm"), "-o", t.TempDir(), "-m", model)
	if code != exitPartial || !strings.Contains(stderr, "no pixel") {
		t.Errorf("a report by name: exit %d, %q", code, stderr)
	}
}
