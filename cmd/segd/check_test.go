package main

import (
	"encoding/json"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd/train/check"
	"segd/train/dataset/datasettest"
)

func TestCheck(t *testing.T) {
	sound := discSet(t, 0, 6)
	if out := done(t, "check", "-d", sound, "--overfit", "0"); !strings.Contains(out, "6 images with labels") {
		t.Errorf("sound set: %q", out)
	}
	write(t, filepath.Join(sound, "labels", "spare.png"), []byte("not a png"))
	write(t, filepath.Join(sound, "images", "broken.png"), []byte("not a png"))
	write(t, filepath.Join(sound, "labels", "broken.png"), []byte("not a png"))
	code, out, stderr := command(t, "check", "-d", sound)
	if code != exitPartial || !strings.Contains(out, "fault: "+filepath.Join(sound, "images", "broken.png")) || !strings.Contains(stderr, "2 faults") {
		t.Errorf("exit %d, %q, %q", code, out, stderr)
	}
	mended := filepath.Join(t.TempDir(), "mended")
	code, out, _ = command(t, "check", "-d", sound, "--fix", mended, "--format", "json")
	var r struct {
		check.Result
		Fixed *check.Fixed `json:"fixed"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitPartial {
		t.Fatalf("exit %d, %v: %q", code, err, out)
	}
	if r.Faults() != 2 || r.Fixed == nil || r.Fixed.Cases != 6 {
		t.Errorf("%+v", r)
	}
	done(t, "check", "-d", mended, "--overfit", "0")
}

func TestCheckUsage(t *testing.T) {
	for _, args := range [][]string{{"check"}, {"check", "-d", "a", "-d", "b", "--fix", "out"}, {"check", "-d", "a", "--overfit", "-1s"}} {
		if code, _, _ := command(t, args...); code != exitUsage {
			t.Errorf("%v: exit %d, want %d", args, code, exitUsage)
		}
	}
}

// A background that is not certain is asked for by a command, which mends the set.
func TestCheckAsksForBackground(t *testing.T) {
	dir := discSet(t, 0, 4)
	for name := range tree(t, filepath.Join(dir, "labels")) {
		path := filepath.Join(dir, "labels", name)
		label := readPNG(t, path)
		m := image.NewNRGBA(label.Bounds())
		for y := range m.Rect.Dy() {
			for x := range m.Rect.Dx() {
				c := color.NRGBA{255, 255, 255, 255}
				if color.GrayModel.Convert(label.At(x, y)).(color.Gray).Y > 0 {
					c = color.NRGBA{200, 0, 0, 255}
				}
				m.SetNRGBA(x, y, c)
			}
		}
		datasettest.WritePNG(t, path, m)
	}
	out := filepath.Join(t.TempDir(), "mended")
	code, text, _ := command(t, "check", "-d", dir, "--fix", out)
	want := "segd check -d " + dir + " --fix " + out + " --background ffffff"
	if code != exitPartial || !strings.Contains(text, want) {
		t.Fatalf("exit %d: %s", code, text)
	}
	if _, err := os.Stat(out); err == nil {
		t.Fatal("something was written")
	}
	if code, text, _ := command(t, strings.Fields(want)[1:]...); code != exitPartial || !strings.Contains(text, "wrote 4 of 4 cases, corrected 4 masks") {
		t.Fatalf("exit %d: %s", code, text)
	}
	done(t, "check", "-d", out, "--overfit", "0")
	if code, _, _ := command(t, "check", "-d", dir, "--background", "ffffff"); code != exitUsage {
		t.Errorf("--background without --fix: exit %d", code)
	}
}
