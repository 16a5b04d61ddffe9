package main

import (
	"archive/zip"
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio/dicomtest"
)

// zipped is an archive of files by name, in the order of pairs.
func zipped(t *testing.T, pairs ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, err := z.Create(pairs[i].(string))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(pairs[i+1].([]byte)) // a buffer takes everything
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The files in an archive are inputs like those of a folder, named inside it, and a
// series among them is a volume.
func TestSegmentArchive(t *testing.T) {
	t.Parallel()
	in, out, model := t.TempDir(), t.TempDir(), brightModel(t)
	var slices [][]byte
	for i, z := range []float64{3, 0, 6} {
		slices = append(slices, dicomtest.Write(slice(1, i+1, z)))
	}
	study := filepath.Join(in, "study.zip")
	write(t, study, zipped(t, "DICOMDIR", []byte("x"), "s/1", slices[0], "s/2", slices[1], "s/3", slices[2], "notes.txt", []byte("text"),
		"__MACOSX/s/._1", []byte("x"), "bad.png", []byte("no picture"), "inner.zip", zipped(t, "s/4", slices[0])))
	code, _, stderr := command(t, "segment", "-i", study, "-o", out, "-m", model, "--output", "mask,nifti,csv", "--progress", "none")
	if code != exitPartial || !strings.Contains(stderr, "study.zip/bad.png") || !strings.Contains(stderr, "1 of 4 inputs failed") || !strings.Contains(stderr, ".zip 1") || !strings.Contains(stderr, "1 hidden") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	files := tree(t, out)
	if diff := cmp.Diff([]string{"mask/s/1.png", "mask/s/2.png", "mask/s/3.png", "nifti/s/1.nii.gz", "segd.csv"}, names(files)); diff != "" {
		t.Error(diff)
	}
	// As a folder of the same files.
	folder, same := t.TempDir(), t.TempDir()
	for i, b := range slices {
		write(t, filepath.Join(folder, "s", string(rune('1'+i))), b)
	}
	done(t, "segment", "-i", folder, "-o", same, "-m", model, "--output", "mask,nifti,csv", "--progress", "none")
	if diff := cmp.Diff(tree(t, same), files); diff != "" {
		t.Errorf("the archive gives other outputs than the folder: %s", diff)
	}
	// One that is no folder's is skipped there, and a bad one is refused.
	code, _, stderr = command(t, "segment", "-i", in, "-o", t.TempDir(), "-m", model)
	if code != exitFailed || !strings.Contains(stderr, "no image") || !strings.Contains(stderr, ".zip 1") {
		t.Errorf("in a folder: exit %d: %s", code, stderr)
	}
	for name, b := range map[string][]byte{"out.zip": zipped(t, "../a.png", slices[0]), "half.zip": zipped(t, "a", slices[0])[:500]} {
		write(t, filepath.Join(in, name), b)
		code, _, stderr = command(t, "segment", "-i", filepath.Join(in, name), "-o", t.TempDir(), "-m", model)
		if code != exitFailed || !strings.Contains(stderr, name+": archive: malformed") {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
}
