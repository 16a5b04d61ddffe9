package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd/internal/phantom"
	"segd/models"
	"segd/train"
	"segd/train/dataset/datasettest"
	"segd/train/metric"
)

// discSet writes a data set of n images of discs and returns its folder.
func discSet(t *testing.T, first, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		img, label := phantom.Discs(uint64(first+i), 48, 48)
		name := fmt.Sprintf("disc%02d.png", i)
		datasettest.WritePNG(t, filepath.Join(dir, "images", name), img)
		datasettest.WritePNG(t, filepath.Join(dir, "labels", name), label)
	}
	return dir
}

// A model is trained, serves at once, its masks are written and measured, and
// both ways to evaluate agree.
func TestTrainSegmentEvaluate(t *testing.T) {
	training, test := discSet(t, 0, 12), discSet(t, 100, 4)
	dir := filepath.Join(t.TempDir(), "discs")
	card := filepath.Join(t.TempDir(), "card.json")
	write(t, card, []byte(`{"title": "Discs", "data": [{"name": "discs", "license": "CC0"}],
		"classes": [{"index":0,"name":"background"},{"index":1,"name":"disc","color":[255,0,0]}]}`))
	steps, enough := "120", 0.8 // bright discs on noise are easy
	if testing.Short() {
		steps, enough = "6", 0 // the way, not the quality: the race detector makes a step a second
	}
	args := []string{"train", "-d", training, "-o", dir, "--steps", steps, "--seed", "3", "--width", "4", "--depth", "2",
		"--patch", "48", "--batch", "4", "--lr", "0.01", "--card", card, "--progress", "json"}
	code, stdout, stderr := command(t, args...)
	if code != exitDone || !strings.Contains(stdout, "val_dice") {
		t.Fatalf("exit %d, %q: %s", code, stdout, stderr)
	}
	best := 0.0
	for line := range strings.Lines(stderr) {
		var e struct {
			Event   string   `json:"event"`
			ValDice *float64 `json:"val_dice"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event == "" {
			t.Fatalf("progress line %q: %v", line, err)
		}
		if e.ValDice != nil {
			best = max(best, *e.ValDice)
		}
	}
	if best < enough {
		t.Errorf("best val_dice %.3f, want %.1f", best, enough)
	}
	m, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "discs" || m.Title != "Discs" || m.Classes[1].Name != "disc" || len(m.Data) != 1 || m.Data[0].Licence != "CC0" {
		t.Errorf("manifest %+v", m.Manifest)
	}

	out := t.TempDir()
	done(t, "segment", "-i", filepath.Join(test, "images"), "-o", out, "-m", dir, "--output", "mask")
	fromMasks, fromModel := filepath.Join(out, "masks.json"), filepath.Join(out, "model.json")
	table := done(t, "evaluate", "-d", test, "--predictions", filepath.Join(out, "mask"), "--report", fromMasks)
	if !strings.Contains(table, "Dice") || !strings.Contains(table, "disc") {
		t.Errorf("table: %q", table)
	}
	// The masks that a model made are as good as the model.
	table = done(t, "evaluate", "-d", test, "--predictions", filepath.Join(out, "mask"), "--against", dir, "--report", fromModel)
	if c := readReport(t, fromModel).Comparison; c == nil || c.Classes[0].Equal != 4 || c.Classes[0].P != 1 || !strings.Contains(table, "against "+dir) {
		t.Errorf("comparison %+v, table %q", c, table)
	}
	html := filepath.Join(out, "page.html")
	done(t, "evaluate", "-d", test, "-m", dir, "--report", fromModel, "--html", html, "--worst", "2")
	if page := tree(t, out)["page.html"]; strings.Count(page, "<svg") != 3 || strings.Count(page, "data:image/png") != 2 || !strings.Contains(page, "disc") {
		t.Errorf("page of %d bytes with %d charts and %d pictures, want 3 and 2", len(page), strings.Count(page, "<svg"), strings.Count(page, "data:image/png"))
	}
	for range 2 { // the second time in the place of the first
		done(t, "evaluate", "-d", test, "-m", dir, "--record", "test")
	}
	a, b := readReport(t, fromMasks), readReport(t, fromModel)
	recorded(t, dir, b.Mean.Classes[0])
	if len(a.Cases) != 4 || a.Mean.Classes[0].Dice < enough {
		t.Errorf("%d cases, mean Dice %.3f; want 4 and %.1f", len(a.Cases), a.Mean.Classes[0].Dice, enough)
	}
	if m := b.Mean.Classes[0]; b.Calibration == nil || a.Calibration != nil || m.Expected == nil || m.NSD == nil || m.DiceCI == nil {
		t.Errorf("the report lacks figures: %+v", m)
	}
	if a.Mean.Classes[0].Dice != b.Mean.Classes[0].Dice || a.Pooled.Classes[0].IoU != b.Pooled.Classes[0].IoU {
		t.Errorf("masks %+v, model %+v", a.Mean, b.Mean)
	}
}

// recorded checks that the card of the model in dir has the figures of a test
// set, once, beside those of its validation.
func recorded(t *testing.T, dir string, want metric.Score) {
	t.Helper()
	m, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	splits := map[string]int{}
	for _, v := range m.Metrics {
		splits[v.Split]++
		if v.Split == "test" && v.Name == "mean_dice" && (v.Value != want.Dice || v.Cases != 4 || v.Interval == nil || v.Class != "disc") {
			t.Errorf("recorded %+v, want a Dice of %v", v, want.Dice)
		}
	}
	if splits["test"] != 4 || splits["validation"] != 4 {
		t.Errorf("figures by split: %v, want 4 of test and 4 of validation", splits)
	}
}

func readReport(t *testing.T, path string) (r evaluation) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Every flag of the recipe arrives in the plan.
func TestTrainRecipe(t *testing.T) {
	data, start, tuned := discSet(t, 0, 6), filepath.Join(t.TempDir(), "start"), filepath.Join(t.TempDir(), "tuned")
	small := []string{"--steps", "2", "--patch", "32", "--batch", "2", "--progress", "none"}
	done(t, append([]string{"train", "-d", data, "-o", start, "--width", "4", "--depth", "2", "--loss", "focal+tversky", "--focal-gamma", "1.5",
		"--tversky-alpha", "0.4", "--tversky-beta", "0.6", "--class-weights", "1,2", "--solver", "sgd", "--momentum", "0.9", "--schedule", "poly",
		"--deep-supervision", "--patience", "7", "--classes", "disc"}, small...)...)
	plan := func(dir string) (p train.Plan) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, "plan.json"))
		if err == nil {
			err = json.Unmarshal(b, &p)
		}
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := plan(start)
	if l := p.Loss; l.Terms != "focal+tversky" || l.Gamma != 1.5 || l.Alpha != 0.4 || l.Beta != 0.6 || len(l.Classes) != 2 || l.Classes[1] != 2 {
		t.Errorf("loss %+v", l)
	}
	if p.Solver != "sgd" || p.Momentum != 0.9 || p.Schedule != "poly" || !p.Deep || p.Patience != 7 {
		t.Errorf("plan %+v", p)
	}
	done(t, append([]string{"train", "-d", data, "-d", data, "-o", tuned, "--from", start, "--freeze", "encoder", "--repeat", "1,3", "--class-weights", "balanced"}, small...)...)
	p = plan(tuned)
	if p.Network.Width != 4 || !p.FreezeEncoder || !strings.HasPrefix(p.From, "start 1") || len(p.Loss.Classes) != 2 || p.EpochSteps*2 != float64(4*len(p.Training)/2) {
		t.Errorf("plan %+v", p)
	}
	all := filepath.Join(t.TempDir(), "all")
	if out := done(t, append([]string{"train", "-d", data, "-o", all, "--val", "0", "--width", "4", "--depth", "2"}, small...)...); !strings.Contains(out, "not validated") {
		t.Errorf("--val 0 says %q", out)
	}
	if p = plan(all); len(p.Training) != 6 || len(p.Validation) != 0 {
		t.Errorf("--val 0: %d images train, %d validate", len(p.Training), len(p.Validation))
	}
	for _, args := range [][]string{{"--loss", "ce+focal"}, {"--class-weights", "1,x"}, {"--freeze", "encoder"}, {"--momentum", "0.5"}, {"--repeat", "1,2"}} {
		args = append(append([]string{"train", "-d", data, "-o", t.TempDir()}, small...), args...)
		if code, _, stderr := command(t, args...); code != exitUsage {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
}

func TestTrainInterrupted(t *testing.T) {
	code, stderr := cancelled(t, "train", "-d", discSet(t, 0, 4), "-o", t.TempDir(), "--steps", "5", "--width", "2", "--depth", "1")
	if code != exitFailed || !strings.Contains(stderr, "interrupted") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

func TestTrainBadData(t *testing.T) {
	empty := t.TempDir()
	if code, _, stderr := command(t, "train", "-d", empty, "-o", t.TempDir(), "--steps", "1"); code != exitFailed || !strings.Contains(stderr, "images/") {
		t.Errorf("exit %d, %q; want %d and what a data set holds", code, stderr, exitFailed)
	}
}

func TestEvaluateUsage(t *testing.T) {
	d := discSet(t, 0, 1)
	for _, args := range [][]string{
		{"evaluate", "-d", d},
		{"evaluate", "-d", d, "-m", brightModel(t), "--predictions", d},
		{"evaluate", "-d", d, "--predictions", d, "--record", "test"},
	} {
		if code, _, stderr := command(t, args...); code != exitUsage || !strings.Contains(stderr, "predictions") {
			t.Errorf("%v: exit %d, %q", args, code, stderr)
		}
	}
}
