package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd/train/study"
)

func TestStudySkips(t *testing.T) {
	out := filepath.Join(t.TempDir(), "skips")
	args := []string{"study", "skips", "-d", discSet(t, 0, 8), "-o", out, "--epochs", "1", "--seed", "5", "--repeats", "1", "--width", "2", "--patch", "16",
		"--variants", "plain-concat,residual-none", "--landscape", "-1", "--threads", "1", "--progress", "json"}
	code, stdout, stderr := command(t, args...)
	if code != exitDone || strings.TrimSpace(stdout) != filepath.Join(out, "report.html") || !strings.Contains(stderr, `"training":"residual-none-seed5"`) {
		t.Fatalf("exit %d, %q, %q", code, stdout, stderr)
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil || !strings.Contains(string(page), "residual-none") {
		t.Errorf("the page: %v", err)
	}
	if want := "segd study skips -d " + study.Names(args[3:4])[0] + " -o skips --epochs 1 --landscape -1 --patch 16 --repeats 1 --seed 5 --threads 1 --variants plain-concat,residual-none --width 2"; !strings.Contains(string(page), want) {
		t.Errorf("the page does not have %q", want)
	}
	if strings.Contains(string(page), filepath.Dir(out)) {
		t.Error("the page says where it lay")
	}
	for want, bad := range map[string][]string{
		"plane":                     {"--variants", "plane"},
		"none of the others can be": {"--steps", "3", "--time", "1m"},
		"landscape of 4 points":     {"--landscape", "4"},
		"depthN":                    {"--variants", "plain-depth"},
		"needs --sweep":             {"--sweep-patch", "16"},
		"not in ascending order":    {"--sweep", "--sweep-depths", "3,2"},
		"residual-none-depth2":      {"--sweep", "--sweep-convs", "3"},
	} {
		code, _, stderr := command(t, append([]string{"study", "skips", "-d", discSet(t, 0, 2), "-o", filepath.Join(t.TempDir(), "o")}, bad...)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit %d, %q", bad, code, stderr)
		}
	}
}
