package main

import (
	"encoding/json"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd/internal/metric"
	"segd/models/modelstest"
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
	writePNG(t, in, img)
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
	for _, kind := range outputKinds {
		code, _, stderr := command(t, "segment", "-i", in, "-o", filepath.Join(t.TempDir(), "x"), "-m", model, "--output", kind)
		if kind != kindValue && (code != exitUsage || !strings.Contains(stderr, "gives values")) {
			t.Errorf("--output %s: exit %d, %s", kind, code, stderr)
		}
	}
	for _, args := range [][]string{{"-m", model, "--threshold", "0.5"}, {"-m", model, "--min-size", "4"},
		{"-m", brightModel(t), "--output", "value"}, {"-m", "auto", "--output", "value"}} {
		code, _, stderr := command(t, append([]string{"segment", "-i", in, "-o", filepath.Join(t.TempDir(), "x")}, args...)...)
		if code != exitUsage {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
}

// What lies beyond 16 bits is cut off and counted.
func TestValueImage(t *testing.T) {
	m, cut := valueImage([]float32{-0.4, -3, 1.5, 65535.4, 70000, float32(math.NaN())}, 3, 2)
	var got []uint16
	for i := range 6 {
		got = append(got, m.Gray16At(i%3, i/3).Y)
	}
	want := []uint16{0, 0, 2, 65535, 65535, 0}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
			break
		}
	}
	if cut != 3 {
		t.Errorf("%d cut off, want 3", cut)
	}
}

// Errors by hand: of two images of 36 pixels one has 6 that are 60 off.
func TestEvaluateValues(t *testing.T) {
	dir, model, path := t.TempDir(), valueModel(t), filepath.Join(t.TempDir(), "report.json")
	for i, name := range []string{"a.png", "b.png"} {
		img, label := greys(60 * i)
		writePNG(t, filepath.Join(dir, "images", name), img)
		writePNG(t, filepath.Join(dir, "labels", name), label)
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
	for _, args := range [][]string{{"--against", brightModel(t)}, {"--html", "x.html"}} {
		if code, _, stderr := command(t, append([]string{"evaluate", "-d", dir, "-m", model}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
	if code, _, stderr := command(t, "evaluate", "-d", dataset(t, 0, 2), "-m", brightModel(t), "--against", model); code != exitUsage {
		t.Errorf("masks against values: exit %d, %s", code, stderr)
	}
}

// The command line trains values from end to end.
func TestTrainValues(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "m")
	for i := range 4 {
		img, label := greys(i)
		name := string(rune('a'+i)) + ".png"
		writePNG(t, filepath.Join(dir, "images", name), img)
		writePNG(t, filepath.Join(dir, "labels", name), label)
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
