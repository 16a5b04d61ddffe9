package main

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio/dicomtest"
	"segd/internal/output"
	"segd/internal/phantom"
	"segd/train/dataset/datasettest"
)

// cine is a DICOM file of so many frames.
func cine(frames int) []byte {
	f := dicomtest.Disc(32)
	one := f.Pixels
	f.Frames, f.Pixels = frames, nil
	for range frames {
		f.Pixels = append(f.Pixels, one...)
	}
	return dicomtest.Write(f)
}

// With --overwrite nothing of an earlier run of the same inputs is left that
// looks like a result of this one, and nothing else is touched.
func TestOverwriteLeavesNothingStale(t *testing.T) {
	in, out, model := t.TempDir(), t.TempDir(), brightModel(t)
	img, _ := phantom.Discs(1, 32, 32)
	write(t, filepath.Join(in, "cine.dcm"), cine(5))
	datasettest.WritePNG(t, filepath.Join(in, "fails.png"), img)
	datasettest.WritePNG(t, filepath.Join(in, "other.png"), img)
	args := []string{"segment", "-i", in, "-o", out, "-m", model, "--output", "mask,overlay,csv"}
	done(t, args...)
	write(t, filepath.Join(out, "mask", "cine_0004_corrected.png"), []byte("mine"))
	write(t, filepath.Join(out, "mask", "notes.txt"), []byte("mine"))

	write(t, filepath.Join(in, "cine.dcm"), cine(3))
	write(t, filepath.Join(in, "fails.png"), []byte("\x89PNG\r\n\x1a\nno more"))
	if err := os.Remove(filepath.Join(in, "other.png")); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask,csv", "--overwrite")
	if code != exitPartial || !strings.Contains(stderr, "outputs of 1 inputs of earlier runs") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	want := []string{
		"mask/cine_0001.png", "mask/cine_0002.png", "mask/cine_0003.png", "mask/cine_0004_corrected.png", "mask/notes.txt", "mask/other.png",
		"overlay/cine_0001.png", "overlay/cine_0002.png", "overlay/cine_0003.png", "overlay/cine_0004.png", "overlay/cine_0005.png", // not asked for
		"overlay/fails.png", "overlay/other.png", "segd.csv",
	}
	if diff := cmp.Diff(want, names(tree(t, out))); diff != "" {
		t.Error(diff)
	}

	// A file that no record names is not removed, but named.
	if err := os.Remove(filepath.Join(out, output.RecordName)); err != nil {
		t.Fatal(err)
	}
	code, _, stderr = command(t, append(args, "--overwrite")...)
	if code != exitPartial || !strings.Contains(stderr, "from before this run") || !strings.Contains(stderr, filepath.Join("overlay", "fails.png")) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// One object of a series is stale when one of its slices is done again alone.
func TestOverwriteSeries(t *testing.T) {
	in, out, model := t.TempDir(), t.TempDir(), brightModel(t)
	for i := range 3 {
		write(t, filepath.Join(in, fmt.Sprintf("1.2.840.%d", i+101)), dicomtest.Write(slice(1, i+1, float64(3*i))))
	}
	args := []string{"segment", "-i", in, "-o", out, "-m", model, "--output", "seg"}
	done(t, args...)
	if diff := cmp.Diff([]string{"seg/1.2.840.101.dcm"}, names(tree(t, out))); diff != "" {
		t.Fatal(diff)
	}
	if err := os.Remove(filepath.Join(in, "1.2.840.101")); err != nil {
		t.Fatal(err)
	}
	done(t, append(args, "--overwrite")...)
	if diff := cmp.Diff([]string{"seg/1.2.840.102.dcm"}, names(tree(t, out))); diff != "" {
		t.Error(diff)
	}
}

// Outputs of an earlier run are no inputs: where the folder is its own output
// folder, where it lies below, and by whatever path it is named.
func TestOutputsAreNoInputs(t *testing.T) {
	in, model := t.TempDir(), brightModel(t)
	img, _ := phantom.Discs(1, 32, 32)
	datasettest.WritePNG(t, filepath.Join(in, "a.png"), img)
	datasettest.WritePNG(t, filepath.Join(in, "b.png"), img)
	if err := os.Symlink(in, filepath.Join(t.TempDir(), "link")); err != nil {
		t.Skip(err)
	}
	for _, out := range []string{in, filepath.Join(in, "out"), filepath.Join(in, "deep", "out")} {
		done(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask,csv")
	}
	t.Chdir(in)
	other := filepath.Join(t.TempDir(), "elsewhere")
	for _, args := range [][]string{
		{"-i", in, "-o", other}, {"-i", ".", "-o", "out"}, {"-i", "./deep/..", "-o", "deep/out"}, {"-i", in, "-o", in}, {"-i", filepath.Join(in, "out", ".."), "-o", "."},
	} {
		code, stdout, stderr := command(t, append([]string{"segment", "-m", model, "--dry-run"}, args...)...)
		if code != exitDone || strings.Count(stdout, "\n") != 2 || !strings.Contains(stderr, "outputs of segd") {
			t.Errorf("%v: exit %d, %q, %q", args, code, stdout, stderr)
		}
	}
	done(t, "segment", "-i", in, "-o", in, "-m", model, "--output", "mask,csv", "--overwrite")
	if exists(filepath.Join(in, "mask", "mask")) {
		t.Error("masks of masks")
	}
}

// An output never takes the place of an input, --overwrite or not.
func TestOutputOverInput(t *testing.T) {
	in, model := t.TempDir(), brightModel(t)
	img, _ := phantom.Discs(1, 32, 32)
	datasettest.WritePNG(t, filepath.Join(in, "a.png"), img)
	datasettest.WritePNG(t, filepath.Join(in, "mask", "a.png"), img)
	before := tree(t, in)
	for _, from := range []string{in, filepath.Join(in, "mask")} {
		code, _, stderr := command(t, "segment", "-i", from, "-o", in, "-m", model, "--overwrite")
		if code != exitUsage || !strings.Contains(stderr, filepath.Join("mask", "a.png")+" is an input") {
			t.Errorf("exit %d: %s", code, stderr)
		}
	}
	if diff := cmp.Diff(before, tree(t, in)); diff != "" {
		t.Error(diff)
	}
}

// Two runs into one folder at once: the second is refused, and changes nothing.
func TestFolderInUse(t *testing.T) {
	out, model, data := t.TempDir(), brightModel(t), discSet(t, 0, 4)
	lock, err := output.Take(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"segment", "-i", filepath.Join(data, "images"), "-o", out, "-m", model, "--overwrite"},
		{"train", "-d", data, "-o", out, "--steps", "1", "--overwrite"},
		{"study", "skips", "-d", data, "-o", out, "--steps", "1"},
		{"model", "export", model, "-o", out, "--overwrite"},
		{"model", "import", filepath.Join(model, "weights.safetensors"), "-o", out, "--overwrite"},
		{"model", "ensemble", model, model, "-o", out, "--overwrite"},
		{"model", "promote", model, "--models", filepath.Dir(out), "--name", filepath.Base(out)},
		{"check", "-d", data, "--overfit", "0", "--fix", out},
	} {
		code, _, stderr := command(t, args...)
		if code != exitFailed || !strings.Contains(stderr, "another run of segd") || !strings.Contains(stderr, out) {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
	if got := names(tree(t, out)); len(got) != 1 {
		t.Errorf("written: %q", got)
	}
	lock.Release()
	done(t, "segment", "-i", filepath.Join(data, "images"), "-o", out, "-m", model)
	code, _, stderr := command(t, "segment", "-i", filepath.Join(discSet(t, 50, 2), "labels"), "-o", out, "-m", model, "--output", "json,csv")
	if code != exitFailed || !strings.Contains(stderr, "segd.csv") {
		t.Errorf("another run's table: exit %d, %s", code, stderr)
	}
}

// A model is never replaced unless it is said, by no command.
func TestModelIsKept(t *testing.T) {
	model, data := brightModel(t), discSet(t, 0, 4)
	held := func() map[string]string { return tree(t, model) }
	before := held()
	file := filepath.Join(t.TempDir(), "file.onnx")
	done(t, "model", "export", model, "-o", file, "--format", "onnx")
	for _, args := range [][]string{
		{"train", "-d", data, "-o", model, "--steps", "1"},
		{"train", "-d", data, "-o", model, "--steps", "1", "--resume"},
		{"train", "-d", data, "-o", model, "--steps", "1", "--from", model},
		{"model", "export", "nuclei", "-o", model},
		{"model", "import", file, "-o", model},
		{"model", "ensemble", model, model, "-o", model},
		{"model", "export", "nuclei", "--format", "onnx", "-o", file},
		{"evaluate", "-d", data, "-m", model, "--report", filepath.Join(model, "model.json")},
		{"evaluate", "-d", data, "-m", model, "--html", filepath.Join(model, "model.json")},
	} {
		code, _, stderr := command(t, args...)
		if code != exitFailed || !strings.Contains(stderr, "--overwrite") {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
	if diff := cmp.Diff(before, held()); diff != "" {
		t.Error(diff)
	}
	// A store of versions is not replaced at all.
	store := t.TempDir()
	done(t, "model", "promote", model, "--models", store, "--name", "kept")
	code, _, stderr := command(t, "model", "export", "nuclei", "-o", filepath.Join(store, "kept"), "--overwrite")
	if code != exitFailed || !strings.Contains(stderr, "promote") {
		t.Errorf("over a store: exit %d, %s", code, stderr)
	}
	// A report replaces a report.
	report, page := filepath.Join(t.TempDir(), "r.json"), filepath.Join(t.TempDir(), "r.html")
	for range 2 {
		done(t, "evaluate", "-d", data, "-m", model, "--report", report, "--html", page)
	}
	// And a training replaces a training where it is said.
	args := []string{"train", "-d", data, "-o", filepath.Join(t.TempDir(), "m"), "--steps", "1", "--width", "2", "--depth", "1"}
	done(t, args...)
	if code, _, stderr := command(t, args...); code != exitFailed || !strings.Contains(stderr, "--resume") {
		t.Errorf("again: exit %d, %s", code, stderr)
	}
	done(t, append(args, "--resume")...)
	done(t, append(args, "--overwrite")...)
}

// One part of a folder that cannot be read fails; the rest is done, whatever the
// names are, and what was skipped is counted.
func TestSegmentMessyFolder(t *testing.T) {
	in, out, model := t.TempDir(), t.TempDir(), brightModel(t)
	img, _ := phantom.Discs(1, 32, 32)
	scan := dicomtest.Write(dicomtest.Disc(32))
	for _, name := range []string{"1.2.840.113619.101", "1.2.840.113619.102", "s.IMA", "s.DC3"} {
		write(t, filepath.Join(in, name), scan)
	}
	datasettest.WritePNG(t, filepath.Join(in, "new\nline.png"), img)
	datasettest.WritePNG(t, filepath.Join(in, "caf\xe9.png"), img)
	write(t, filepath.Join(in, "notes.txt"), []byte("text"))
	write(t, filepath.Join(in, "zero"), nil)
	if err := os.Symlink("absent", filepath.Join(in, "gone")); err != nil {
		t.Skip(err)
	}
	if err := syscall.Mkfifo(filepath.Join(in, "pipe.dcm"), 0o644); err != nil {
		t.Skip(err)
	}
	code, _, stderr := command(t, "segment", "-i", in, "-i", filepath.Join(in, "pipe.dcm"), "-o", out, "-m", model, "--output", "mask,json,csv", "--progress", "none")
	if code != exitPartial || !strings.Contains(stderr, "2 of 8 inputs failed") || !strings.Contains(stderr, filepath.Join(in, "gone")) {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if !strings.Contains(stderr, "skipped: 1 file that is not DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP or PNM (.txt 1), 1 empty file, 1 pipe") {
		t.Errorf("not counted: %s", stderr)
	}
	want := []string{"1.2.840.113619.101.png", "1.2.840.113619.102.png", "caf\xe9.png", "new\nline.png", "s.DC3.png", "s.IMA.png"}
	if diff := cmp.Diff(want, names(tree(t, filepath.Join(out, "mask")))); diff != "" {
		t.Error(diff)
	}
	stdout := done(t, "segment", "-i", in, "-o", out, "-m", model, "--dry-run")
	if strings.Count(stdout, "\n") != 7 || !strings.Contains(stdout, `new\nline.png`) || !strings.Contains(stdout, `caf\xe9.png`) {
		t.Errorf("dry run: %q", stdout)
	}
}

// Files of a data set that no extension tells apart are found by content, and
// keep their whole names.
func TestDatasetByContent(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		name := fmt.Sprintf("1.2.840.%d", 101+i)
		f := dicomtest.Disc(32)
		f.Pixels[0] = byte(i)
		write(t, filepath.Join(dir, "images", name), dicomtest.Write(f))
		label := image.NewGray(image.Rect(0, 0, 32, 32))
		copy(label.Pix[320:], bytes.Repeat([]byte{1}, 64))
		datasettest.WritePNG(t, filepath.Join(dir, "labels", name+".png"), label)
	}
	out := done(t, "check", "-d", dir, "--overfit", "0")
	if !strings.Contains(out, "4 images with labels") {
		t.Error(out)
	}
	masks := filepath.Join(t.TempDir(), "out")
	done(t, "segment", "-i", filepath.Join(dir, "images"), "-o", masks, "-m", brightModel(t))
	done(t, "evaluate", "-d", dir, "--predictions", filepath.Join(masks, "mask"))

	// Through links to the folders, and with a file that cannot be read.
	linked := t.TempDir()
	for _, name := range []string{"images", "labels"} {
		if err := os.Symlink(filepath.Join(dir, name), filepath.Join(linked, name)); err != nil {
			t.Skip(err)
		}
	}
	write(t, filepath.Join(dir, "labels", "notes.txt"), []byte("text"))
	if out := done(t, "check", "-d", linked, "--overfit", "0"); !strings.Contains(out, "4 images with labels") || !strings.Contains(out, "notes.txt is skipped") {
		t.Error(out)
	}
	gone := filepath.Join(linked, "images", "gone")
	if err := os.Symlink("absent", gone); err != nil {
		t.Fatal(err)
	}
	code, out, _ := command(t, "check", "-d", linked, "--overfit", "0")
	if code != exitPartial || !strings.Contains(out, "fault: "+gone) || !strings.Contains(out, "4 images with labels") {
		t.Errorf("exit %d, %s", code, out)
	}
	if code, _, stderr := command(t, "train", "-d", linked, "-o", filepath.Join(t.TempDir(), "m"), "--steps", "1"); code != exitFailed || !strings.Contains(stderr, gone) {
		t.Errorf("trained: exit %d, %s", code, stderr)
	}
}
