package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/engine"
	"segd/internal/phantom"
	"segd/train/dataset/datasettest"
)

// scans writes a folder of inputs: three images, one of them a DICOM in a
// folder of its own, one truncated PNG, and a file that is no image.
func scans(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range []string{"a.png", "b.png"} {
		img, _ := phantom.Discs(uint64(i), 50+i, 40)
		datasettest.WritePNG(t, filepath.Join(dir, name), img)
	}
	write(t, filepath.Join(dir, "sub", "c.dcm"), dicomtest.Write(dicomtest.Disc(48)))
	b, err := os.ReadFile(filepath.Join(dir, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bad.png"), b[:len(b)/2])
	write(t, filepath.Join(dir, "notes.txt"), []byte("not an image"))
	write(t, filepath.Join(dir, ".hidden", "d.png"), b)
	return dir
}

func TestSegmentFolder(t *testing.T) {
	in, out, model := scans(t), filepath.Join(t.TempDir(), "out"), brightModel(t)
	code, stdout, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask,overlay,json,csv", "--progress", "none")
	if code != exitPartial {
		t.Fatalf("exit %d, want %d: %s", code, exitPartial, stderr)
	}
	if stdout != "" {
		t.Errorf("standard output: %q", stdout)
	}
	if !strings.Contains(stderr, filepath.Join(in, "bad.png")) || !strings.Contains(stderr, "1 of 4 inputs failed") {
		t.Errorf("standard error: %q", stderr)
	}
	files := tree(t, out)
	want := []string{
		"json/a.json", "json/b.json", "json/sub/c.json", "mask/a.png", "mask/b.png", "mask/sub/c.png",
		"overlay/a.png", "overlay/b.png", "overlay/sub/c.png", "segd.csv",
	}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Fatal(diff)
	}

	mask, ok := readPNG(t, filepath.Join(out, "mask/b.png")).(*image.Paletted)
	if !ok {
		t.Fatal("the mask is not paletted")
	}
	_, label := phantom.Discs(1, 51, 40)
	if diff := cmp.Diff(label.Pix, mask.Pix); diff != "" || mask.Rect != label.Rect {
		t.Errorf("mask of %v, want that of %v: %s", mask.Rect, label.Rect, diff)
	}
	over := readPNG(t, filepath.Join(out, "overlay/sub/c.png"))
	if over.Bounds() != image.Rect(0, 0, 48, 48) {
		t.Errorf("overlay is %v, want 48×48", over.Bounds())
	}

	rows := readCSV(t, files["segd.csv"])
	var got []string
	for _, row := range rows {
		got = append(got, strings.Join([]string{row["file"], row["frame"], row["class"], row["name"], row["model"]}, " "))
		if row["file"] == "b.png" && row["pixels"] != fmt.Sprint(bytes.Count(label.Pix, []byte{1})) {
			t.Errorf("%s pixels, the label has %d", row["pixels"], bytes.Count(label.Pix, []byte{1}))
		}
		if dicom := row["file"] == "sub/c.dcm"; (row["area_mm2"] != "") != dicom {
			t.Errorf("row %v: an area where the spacing is known, and only there", row)
		}
	}
	wantRows := []string{"a.png 1 1 bright bright@1", "b.png 1 1 bright bright@1", "sub/c.dcm 1 1 bright bright@1"}
	if diff := cmp.Diff(wantRows, got); diff != "" {
		t.Error(diff)
	}

	var r engine.Result
	if err := json.Unmarshal([]byte(files["json/sub/c.json"]), &r); err != nil {
		t.Fatal(err)
	}
	if r.File != "sub/c.dcm" || r.Model != "bright" || r.Format != "dicom" || len(r.Frames) != 1 || r.Frames[0].Spacing.RowMM != 0.5 {
		t.Fatalf("JSON %+v", r)
	}
	// 0.5 mm between rows and 0.75 mm between columns.
	if k := r.Frames[0].Classes[0]; k.Pixels == 0 || *k.AreaMM2 != float64(k.Pixels)*0.375 || k.Components != 1 {
		t.Errorf("measured %+v", k)
	}
	for _, text := range append([]string{stderr, files["segd.csv"]}, files["json/sub/c.json"]) {
		for _, private := range dicomtest.Patient {
			if strings.Contains(text, private) {
				t.Errorf("patient data in %q", text)
			}
		}
	}
}

func TestSegmentThreads(t *testing.T) {
	in, model := scans(t), brightModel(t)
	var outs []map[string]string
	for _, threads := range []string{"1", "2", "5"} {
		out := t.TempDir()
		if code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--threads", threads); code != exitPartial {
			t.Fatalf("%s threads: exit %d: %s", threads, code, stderr)
		}
		outs = append(outs, tree(t, out))
	}
	for _, other := range outs[1:] {
		if diff := cmp.Diff(outs[0], other); diff != "" {
			t.Error(diff)
		}
	}
}

func TestSegmentFrames(t *testing.T) {
	dir, out, model := t.TempDir(), t.TempDir(), brightModel(t)
	f := dicomtest.Disc(32)
	f.Frames = 3
	one := f.Pixels
	f.Pixels = append(append(append([]byte{}, one...), one[len(one)/2:]...), one[:len(one)/2]...)
	f.Pixels = append(f.Pixels, one...)
	write(t, filepath.Join(dir, "cine"), dicomtest.Write(f)) // no extension: DICOM media have none
	done(t, "segment", "-i", dir, "-o", out, "-m", model, "--output", "mask,csv,json")
	files := tree(t, out)
	want := []string{"json/cine.json", "mask/cine_0001.png", "mask/cine_0002.png", "mask/cine_0003.png", "segd.csv"}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Fatal(diff)
	}
	if files["mask/cine_0001.png"] != files["mask/cine_0003.png"] || files["mask/cine_0001.png"] == files["mask/cine_0002.png"] {
		t.Error("frames 1 and 3 are the same image and frame 2 is another; the masks are not so")
	}
	if got := len(readCSV(t, files["segd.csv"])); got != 3 {
		t.Errorf("%d rows, want one for each of three frames", got)
	}

	// A frame's output must not take the place of another input's.
	img, _ := phantom.Discs(1, 32, 32)
	datasettest.WritePNG(t, filepath.Join(dir, "cine_0002.png"), img)
	out = t.TempDir()
	code, _, stderr := command(t, "segment", "-i", dir, "-o", out, "-m", model, "--output", "mask")
	if code != exitPartial || !strings.Contains(stderr, "frame 2") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if diff := cmp.Diff([]string{"mask/cine_0002.png"}, names(tree(t, out))); diff != "" {
		t.Error(diff)
	}
}

func TestSegmentSameNames(t *testing.T) {
	dir, other, model := t.TempDir(), t.TempDir(), brightModel(t)
	img, _ := phantom.Discs(1, 32, 32)
	datasettest.WritePNG(t, filepath.Join(dir, "a.png"), img)
	write(t, filepath.Join(dir, "a.dcm"), dicomtest.Write(dicomtest.Disc(32)))
	datasettest.WritePNG(t, filepath.Join(dir, "b.png"), img)
	out := t.TempDir()
	// What is named twice is done once.
	done(t, "segment", "-i", dir, filepath.Join(dir, "b.png"), "-o", out, "-m", model, "--output", "mask")
	if diff := cmp.Diff([]string{"mask/a.dcm.png", "mask/a.png.png", "mask/b.png"}, names(tree(t, out))); diff != "" {
		t.Error(diff)
	}

	datasettest.WritePNG(t, filepath.Join(other, "b.png"), img)
	out = filepath.Join(t.TempDir(), "out")
	code, _, stderr := command(t, "segment", "-i", dir, "-i", other, "-o", out, "-m", model)
	if code != exitUsage || !strings.Contains(stderr, filepath.Join(other, "b.png")) {
		t.Errorf("exit %d, %q; want %d and the file", code, stderr, exitUsage)
	}
	if exists(out) {
		t.Error("something was written")
	}
}

func TestSegmentKeepsOutputs(t *testing.T) {
	dir, out, model := t.TempDir(), t.TempDir(), brightModel(t)
	img, _ := phantom.Discs(1, 32, 32)
	datasettest.WritePNG(t, filepath.Join(dir, "a.png"), img)
	write(t, filepath.Join(out, "mask", "a.png"), []byte("mine"))
	args := []string{"segment", "-i", dir, "-o", out, "-m", model, "--output", "mask"}
	code, _, stderr := command(t, args...)
	if code != exitFailed || !strings.Contains(stderr, "--overwrite") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if got := tree(t, out)["mask/a.png"]; got != "mine" {
		t.Error("the file was replaced")
	}
	done(t, append(args, "--overwrite")...)
	readPNG(t, filepath.Join(out, "mask", "a.png"))
}

func TestSegmentDryRun(t *testing.T) {
	in, out := scans(t), filepath.Join(t.TempDir(), "out")
	got := done(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--dry-run")
	want := ""
	for _, name := range []string{"a.png", "b.png", "bad.png", "sub/c.dcm"} {
		want += filepath.Join(in, filepath.FromSlash(name)) + "\n"
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if exists(out) {
		t.Error("a dry run wrote something")
	}
}

func TestSegmentFailFast(t *testing.T) {
	dir, model := t.TempDir(), brightModel(t)
	write(t, filepath.Join(dir, "0.png"), []byte("\x89PNG\r\n\x1a\nno more"))
	img, _ := phantom.Discs(1, 32, 32)
	for i := 1; i < 6; i++ {
		datasettest.WritePNG(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), img)
	}
	out := t.TempDir()
	code, _, stderr := command(t, "segment", "-i", dir, "-o", out, "-m", model, "--output", "mask", "--fail-fast", "--threads", "1")
	if code != exitPartial || !strings.Contains(stderr, "stopped") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	// The one that was waiting in line may still be done.
	if n := len(tree(t, out)); n > 1 {
		t.Errorf("%d outputs after the failure", n)
	}
}

func TestSegmentInterrupted(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	code, stderr := cancelled(t, "segment", "-i", scans(t), "-o", out, "-m", brightModel(t), "--output", "mask,overlay")
	if code != exitFailed || !strings.Contains(stderr, "interrupted") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if exists(out) && len(tree(t, out)) > 0 {
		t.Errorf("left behind: %v", names(tree(t, out)))
	}
}

func TestSegmentNoInput(t *testing.T) {
	empty, model := t.TempDir(), brightModel(t)
	for _, path := range []string{empty, filepath.Join(empty, "absent")} {
		code, _, stderr := command(t, "segment", "-i", path, "-o", t.TempDir(), "-m", model)
		if code != exitFailed || !strings.Contains(stderr, path) {
			t.Errorf("exit %d, %q; want %d and the path", code, stderr, exitFailed)
		}
	}
}

// Outputs inside the folder that is read are no inputs of the next run.
func TestSegmentIntoInput(t *testing.T) {
	dir, model := t.TempDir(), brightModel(t)
	img, _ := phantom.Discs(1, 32, 32)
	datasettest.WritePNG(t, filepath.Join(dir, "a.png"), img)
	args := []string{"segment", "-i", dir, "-o", filepath.Join(dir, "out"), "-m", model}
	done(t, args...)
	if got := done(t, append(args, "--dry-run")...); strings.Count(got, "\n") != 1 {
		t.Errorf("inputs of the second run: %s", got)
	}
}

func TestSegmentProgressJSON(t *testing.T) {
	code, _, stderr := command(t, "segment", "-i", scans(t), "-o", t.TempDir(), "-m", brightModel(t), "--progress", "json")
	if code != exitPartial {
		t.Fatalf("exit %d", code)
	}
	kinds := map[string]int{}
	for line := range strings.Lines(stderr) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds[e.Event]++
		if e.Event == "error" && e.File != "" && filepath.Base(e.File) != "bad.png" {
			t.Errorf("error of %s", e.File)
		}
	}
	// Two errors: the file's, and that of the run as a whole.
	if diff := cmp.Diff(map[string]int{"progress": 4, "error": 2, "done": 1, "note": 1}, kinds); diff != "" {
		t.Error(diff)
	}
}

// With auto each scan gets the model that is meant for its kind; where there
// is none, the input fails.
func TestSegmentAuto(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	for _, modality := range []string{"CT", "ES"} {
		f := dicomtest.Disc(32)
		f.Modality = modality
		write(t, filepath.Join(in, modality+".dcm"), dicomtest.Write(f))
	}
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", "auto", "--models", brightModel(t), "--output", "csv")
	if code != exitPartial || !strings.Contains(stderr, "ES.dcm") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if rows := readCSV(t, tree(t, out)["segd.csv"]); len(rows) != 1 || rows[0]["file"] != "CT.dcm" || rows[0]["model"] != "bright@1" {
		t.Errorf("rows %v", rows)
	}
}

// TestSegmentDICOM writes every kind of DICOM object of a file of two frames;
// what is no DICOM file fails.
func TestSegmentDICOM(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	f := dicomtest.Disc(24)
	f.Frames, f.Pixels = 2, append(f.Pixels, f.Pixels...)
	f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x0020000e, VR: "UI", Value: "1.2.826.0.1.3680043.10.543.2"})
	write(t, filepath.Join(in, "two.dcm"), dicomtest.Write(f))
	img, _ := phantom.Discs(1, 40, 40)
	datasettest.WritePNG(t, filepath.Join(in, "a.png"), img)
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "seg,segprob,sc,sr,gsps")
	if code != exitPartial || !strings.Contains(stderr, "a png file names none") {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	files := tree(t, out)
	want := []string{"gsps/two.dcm", "sc/two_0001.dcm", "sc/two_0002.dcm", "seg/two.dcm", "segprob/two.dcm", "sr/two.dcm"}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Fatal(diff)
	}
	scan, err := dicomio.Read([]byte(files["seg/two.dcm"]))
	if err != nil || scan.Frames != 2 || scan.Modality != "SEG" || scan.Width != 24 {
		t.Fatalf("%+v: %v", scan, err)
	}
	for i := range scan.Frames {
		mask, err := scan.Frame(i)
		if err != nil {
			t.Fatal(err)
		}
		source, err := dicomio.Read(dicomtest.Write(f))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := source.Frame(i)
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range picture.Pix {
			if (v > 0) != (mask.Pix[j] == 1) {
				t.Fatalf("frame %d: pixel %d of %v HU is %v", i+1, j, v, mask.Pix[j])
			}
		}
	}
	code, _, stderr = command(t, "segment", "-i", filepath.Join(in, "two.dcm"), "-o", t.TempDir(), "-m", brightModel(t), "--output", "rtstruct")
	if code != exitPartial || !strings.Contains(stderr, "(0020,0052)") {
		t.Errorf("a structure set without a frame of reference: exit %d: %s", code, stderr)
	}
	for _, private := range dicomtest.Patient {
		if strings.Contains(stderr, private) {
			t.Errorf("patient data in %q", stderr)
		}
	}
}

// TestSegmentRefused asks for objects that some inputs cannot have: what else
// was asked for is written all the same.
func TestSegmentRefused(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	img, _ := phantom.Discs(1, 40, 40)
	datasettest.WritePNG(t, filepath.Join(in, "a.png"), img)
	write(t, filepath.Join(in, "b.dcm"), dicomtest.Write(dicomtest.Disc(24)))
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "mask,overlay,csv,json,seg,sc,rtstruct", "--progress", "none")
	if code != exitPartial || !strings.Contains(stderr, "a.png: no seg, sc, rtstruct: ") || !strings.Contains(stderr, "a png file names none") ||
		!strings.Contains(stderr, "b.dcm: no rtstruct: ") || !strings.Contains(stderr, "2 of 2 inputs failed") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	files := tree(t, out)
	want := []string{"json/a.json", "json/b.json", "mask/a.png", "mask/b.png", "overlay/a.png", "overlay/b.png", "sc/b.dcm", "seg/b.dcm", "segd.csv"}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Error(diff)
	}
	if n := len(readCSV(t, files["segd.csv"])); n != 2 {
		t.Errorf("%d rows, want those of both inputs", n)
	}
	if !strings.Contains(files["json/a.json"], `"refused": "no seg, sc, rtstruct: `) {
		t.Errorf("JSON without what is refused: %s", files["json/a.json"])
	}
}
