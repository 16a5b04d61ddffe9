package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"segd/train"
)

func TestCheck(t *testing.T) {
	sound := dataset(t, 0, 6)
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
		train.CheckResult
		Fixed *train.Fixed `json:"fixed"`
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
