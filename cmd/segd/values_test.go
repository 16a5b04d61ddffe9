package main

import (
	"encoding/json"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio/dicomtest"
	"segd/internal/engine"
	"segd/internal/export"
	"segd/internal/scanio"
	"segd/models/modelstest"
	"segd/train/check"
	"segd/train/dataset/datasettest"
	"segd/train/metric"
)

// valueModel writes a model that gives 1000 times an image's brightness, of
// which the darkest pixel has 0 and the brightest 1.
func valueModel(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "thousand")
	if err := modelstest.SaveValues(dir, "thousand"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// greys is an image of 0, 50, 100 … 250 in columns, and its labels under the
// model: 0, 200 … 1000, each `off` too high in the last row.
func greys(off int) (img *image.Gray, label *image.Gray16) {
	img, label = image.NewGray(image.Rect(0, 0, 6, 6)), image.NewGray16(image.Rect(0, 0, 6, 6))
	for i := range 36 {
		img.SetGray(i%6, i/6, color.Gray{Y: uint8(50 * (i % 6))})
		v := 200 * (i % 6)
		if i >= 30 {
			v += off
		}
		label.SetGray16(i%6, i/6, color.Gray16{Y: uint16(v)})
	}
	return img, label
}

// Values are written, rounded, as a PNG of 16 bits, and nothing else is.
func TestSegmentValues(t *testing.T) {
	in, out, model := filepath.Join(t.TempDir(), "a.png"), filepath.Join(t.TempDir(), "out"), valueModel(t)
	img, label := greys(0)
	datasettest.WritePNG(t, in, img)
	done(t, "segment", "-i", in, "-o", out, "-m", model)
	if files := names(tree(t, out)); len(files) != 1 || files[0] != "value/a.png" {
		t.Errorf("wrote %v", files)
	}
	got, ok := readPNG(t, filepath.Join(out, "value", "a.png")).(*image.Gray16)
	if !ok {
		t.Fatal("no PNG of 16 bits of grey")
	}
	for i := range 36 {
		if g, w := got.Gray16At(i%6, i/6).Y, label.Gray16At(i%6, i/6).Y; g != w {
			t.Fatalf("pixel %d: %d, want %d", i, g, w)
		}
	}
	for _, kind := range export.Names(outputKinds) {
		code, _, stderr := command(t, "segment", "-i", in, "-o", filepath.Join(t.TempDir(), "x"), "-m", model, "--output", kind)
		if !slices.Contains([]string{"json", "nifti", "nrrd", "mha", "value", "tiff"}, kind) && (code != exitUsage || !strings.Contains(stderr, "predicts values")) {
			t.Errorf("--output %s: exit %d, %s", kind, code, stderr)
		}
	}
	for _, args := range [][]string{{"-m", model, "--threshold", "0.5"}, {"-m", model, "--min-size", "4"},
		{"-m", brightModel(t), "--output", "value"}, {"-m", "auto", "--output", "value"}, {"-m", brightModel(t), "--output", "tiff"}} {
		code, _, stderr := command(t, append([]string{"segment", "-i", in, "-o", filepath.Join(t.TempDir(), "x")}, args...)...)
		if code != exitUsage {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
}

// The other outputs hold values as they are: a label that one of them is read back
// as is what the model gave, in parts of a unit too.
func TestSegmentValuesFloat(t *testing.T) {
	dir, out, model := t.TempDir(), filepath.Join(t.TempDir(), "out"), valueModel(t)
	img, _ := greys(0)
	img.SetGray(1, 0, color.Gray{Y: 51}) // 204 of 1000
	img.SetGray(2, 0, color.Gray{Y: 1})  // 4
	datasettest.WritePNG(t, filepath.Join(dir, "a.png"), img)
	write(t, filepath.Join(dir, "b.dcm"), dicomtest.Write(dicomtest.Disc(16)))
	done(t, "segment", "-i", dir, "-o", out, "-m", model, "--output", "value,tiff,nifti,json", "--progress", "none")
	if diff := cmp.Diff([]string{"json/a.json", "json/b.json", "nifti/a.nii.gz", "nifti/b.nii.gz", "tiff/a.tiff", "tiff/b.tiff", "value/a.png", "value/b.png"}, names(tree(t, out))); diff != "" {
		t.Fatal(diff)
	}
	for _, name := range []string{"tiff/a.tiff", "nifti/a.nii.gz"} {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		scan, err := scanio.ReadValues(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := scan.Frame(0)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got.Pix {
			// 250 is the brightest: 1 in the network. The blocked sums round.
			if want := 1000 * float64(img.Pix[i]) / 250; math.Abs(float64(v)-want) > 1e-3 {
				t.Fatalf("%s pixel %d: %v, want %v", name, i, v, want)
			}
		}
	}
	var r engine.Result
	b, err := os.ReadFile(filepath.Join(out, "json", "a.json"))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil || len(r.Frames) != 1 || r.Frames[0].Values == nil || r.Frames[0].Values.Min != 0 || math.Abs(r.Frames[0].Values.Max-1000) > 1e-3 || strings.Contains(string(b), "classes") {
		t.Errorf("%v: %s", err, b)
	}
}

// Errors by hand: of two images of 36 pixels one has 6 that are 60 off.
func TestEvaluateValues(t *testing.T) {
	dir, model, path := t.TempDir(), valueModel(t), filepath.Join(t.TempDir(), "report.json")
	for i, name := range []string{"a.png", "b.png"} {
		img, label := greys(60 * i)
		datasettest.WritePNG(t, filepath.Join(dir, "images", name), img)
		datasettest.WritePNG(t, filepath.Join(dir, "labels", name), label)
	}
	text := done(t, "evaluate", "-d", dir, "-m", model, "--report", path, "--record", "test")
	if !strings.Contains(text, "MAE") || !strings.Contains(text, "all pixels") || strings.Contains(text, "Dice") {
		t.Errorf("printed %s", text)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r metric.ValueReport
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want float64 }{
		"a": {r.Cases[0].MAE, 0}, "b": {r.Cases[1].MAE, 10}, "b, rmse": {r.Cases[1].RMSE, math.Sqrt(600)},
		"mean": {r.Mean.MAE, 5}, "pooled": {r.Pooled.MAE, 5}, "pooled, rmse": {r.Pooled.RMSE, math.Sqrt(300)},
		"constant": {r.Cases[0].ConstantMAE, 300}, "groups": {r.GroupMean.MAE, 5},
	} {
		if math.Abs(c.got-c.want) > 1e-3 {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if card := done(t, "model", "show", model); !strings.Contains(card, "pooled_mae 5.0000") {
		t.Errorf("card without the figure:\n%s", card)
	}
	// What segment wrote before gives the same figures; the constant is the labels' mean.
	out := filepath.Join(t.TempDir(), "out")
	done(t, "segment", "-i", filepath.Join(dir, "images"), "-o", out, "-m", model, "--output", "tiff,value", "--progress", "none")
	for _, kind := range []string{"tiff", "value"} {
		done(t, "evaluate", "-d", dir, "--predictions", filepath.Join(out, kind), "--head", "regression", "--report", path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var of metric.ValueReport
		if err := json.Unmarshal(b, &of); err != nil {
			t.Fatal(err)
		}
		if math.Abs(of.Mean.MAE-r.Mean.MAE) > 1e-3 || math.Abs(of.Pooled.RMSE-r.Pooled.RMSE) > 1e-3 || math.Abs(of.Constant-505) > 1e-6 {
			t.Errorf("%s: %+v, want %+v", kind, of, r)
		}
	}
	for _, args := range [][]string{{"--against", brightModel(t)}, {"--html", "x.html"}, {"--head", "regression"}} {
		if code, _, stderr := command(t, append([]string{"evaluate", "-d", dir, "-m", model}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
	if code, _, stderr := command(t, "evaluate", "-d", discSet(t, 0, 2), "-m", brightModel(t), "--against", model); code != exitUsage {
		t.Errorf("masks against values: exit %d, %s", code, stderr)
	}
}

// Labels that are values are recognised, or named, and checked as such.
func TestCheckValues(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		img, label := image.NewGray(image.Rect(0, 0, 40, 40)), image.NewGray16(image.Rect(0, 0, 40, 40))
		for k := range 1600 {
			img.Pix[k] = uint8((k*(i+3) + k/40*7) % 251)
			label.SetGray16(k%40, k/40, color.Gray16{Y: uint16(30*(k%40) + 11*(k/40) + i)})
		}
		name := string(rune('a'+i)) + ".png"
		datasettest.WritePNG(t, filepath.Join(dir, "images", name), img)
		datasettest.WritePNG(t, filepath.Join(dir, "labels", name), label)
	}
	for _, args := range [][]string{nil, {"--head", "regression"}} {
		text := done(t, append([]string{"check", "-d", dir, "--overfit", "0"}, args...)...)
		if !strings.Contains(text, "4 images with labels, 4 groups; values from 0 to 1602") || strings.Contains(text, "fault") ||
			strings.Contains(text, "read as values") != (args == nil) {
			t.Errorf("%v: %s", args, text)
		}
	}
	var r check.Result
	if err := json.Unmarshal([]byte(done(t, "check", "-d", dir, "--overfit", "0", "--format", "json")), &r); err != nil || r.Values == nil || r.Values.Max != 1602 || r.Classes != nil {
		t.Errorf("%+v, %v", r, err)
	}
	for want, args := range map[string][]string{"neither classes nor objects": {"--head", "classes"}, "these labels hold values": {"--fix", filepath.Join(t.TempDir(), "fixed")}} {
		code, stdout, stderr := command(t, append([]string{"check", "-d", dir, "--overfit", "0"}, args...)...)
		if code == exitDone || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%v: exit %d, %s%s", args, code, stdout, stderr)
		}
	}
	code, _, stderr := command(t, "train", "-d", dir, "-o", filepath.Join(t.TempDir(), "m"), "--steps", "1")
	if code != exitFailed || !strings.Contains(stderr, "--head regression") {
		t.Errorf("trained as masks: exit %d, %s", code, stderr)
	}
}

// The command line trains values from end to end.
func TestTrainValues(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "m")
	for i := range 4 {
		img, label := greys(i)
		name := string(rune('a'+i)) + ".png"
		datasettest.WritePNG(t, filepath.Join(dir, "images", name), img)
		datasettest.WritePNG(t, filepath.Join(dir, "labels", name), label)
	}
	args := []string{"train", "-d", dir, "-o", out, "--head", "regression", "--steps", "2", "--width", "2", "--depth", "1", "--batch", "2"}
	if text := done(t, append(args, "--loss", "l2")...); !strings.Contains(text, "val_mae") {
		t.Errorf("printed %s", text)
	}
	done(t, "evaluate", "-d", dir, "-m", out)
	for _, loss := range []string{"ce", "ce+dice", "l1+l2"} {
		if code, _, stderr := command(t, append(args, "--loss", loss)...); code != exitUsage {
			t.Errorf("--loss %s: exit %d, %s", loss, code, stderr)
		}
	}
}

// A model of values goes to ONNX and safetensors and comes back as it was; of what
// another program wrote one says that it gives values.
func TestExchangeValues(t *testing.T) {
	model, dir := valueModel(t), t.TempDir()
	file, back, named := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "back"), filepath.Join(dir, "named")
	done(t, "model", "export", model, "--format", "onnx", "-o", file)
	done(t, "model", "import", file, "-o", back)
	done(t, "model", "import", filepath.Join(model, "weights.safetensors"), "-o", named, "--head", "regression", "--norm", "none")
	in := filepath.Join(dir, "a.png")
	img, _ := greys(0)
	datasettest.WritePNG(t, in, img)
	var want string
	for _, m := range []string{model, back, named} {
		out := filepath.Join(t.TempDir(), "out")
		done(t, "segment", "-i", in, "-o", out, "-m", m, "--output", "tiff", "--progress", "none")
		got := tree(t, out)["tiff/a.tiff"]
		if want == "" {
			want = got
		}
		if got == "" || got != want {
			t.Errorf("%s gives other values", filepath.Base(m))
		}
	}
	if code, _, stderr := command(t, "model", "import", filepath.Join(model, "weights.safetensors"), "-o", filepath.Join(dir, "x"), "--head", "regression", "--norm", "none", "--classes", "cell"); code != exitUsage {
		t.Errorf("classes of values: exit %d, %s", code, stderr)
	}
}
