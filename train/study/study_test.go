package study

import (
	"context"
	"encoding/csv"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/train"
	"segd/train/dataset/datasettest"
	"segd/unet"
)

// variants parses names.
func variants(t *testing.T, names ...string) []Variant {
	t.Helper()
	var list []Variant
	for _, name := range names {
		v, err := ParseVariant(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func tiny(t *testing.T, dir string) Options {
	return Options{Datasets: []string{dir}, Out: filepath.Join(t.TempDir(), "skips"), Steps: 12, Repeats: 2, Width: 2, Depth: 1, Patch: 16, Batch: 2, Landscape: 3,
		Variants: variants(t, "plain-concat", "residual-concat", "plain-none", "residual-none-convs4")}
}

// htmlFiles lists the pages below a folder.
func htmlFiles(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".html") {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A study writes one self-contained page, with its plots and every kind of block and
// long skip, and tables that agree with it.
func TestRun(t *testing.T) {
	o := tiny(t, datasettest.Discs(t, 8, 24))
	var last Event
	if err := Run(t.Context(), o, func(e Event) { last = e }); err != nil {
		t.Fatal(err)
	}
	if last.Done != 8 || last.Trainings != 8 {
		t.Errorf("ended with %+v", last)
	}
	if got := htmlFiles(t, o.Out); len(got) != 1 || got[0] != filepath.Join(o.Out, PageName) {
		t.Fatalf("pages %v, want one", got)
	}
	b, err := os.ReadFile(filepath.Join(o.Out, PageName))
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{"plain", "residual", "preact", "dense", "concat", "add", "none", "nested", "residual-none-convs4",
		"Findings", "Loss landscapes", "Gradient norm by block", "Fine detail", "the first block&#39;s gradient is", "disc_"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// Loss and Dice of three families, one profile each, four traces, four
	// landscapes.
	if got := strings.Count(page, "<svg"); got != 6+3+4+4 {
		t.Errorf("%d plots, want 17", got)
	}
	for _, bad := range []string{"<script", "src=\"http", "href=", "@import", "url(", "NaN", "%!"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	rows := readCSV(t, filepath.Join(o.Out, "results.csv"))
	if len(rows) != 9 || rows[1][0] != "plain-concat" || !strings.Contains(rows[8][0], "convs4") {
		t.Errorf("results %v", rows)
	}
	for name, want := range map[string]int{"gradients.csv": 0, "curves.csv": 0, "landscapes.csv": 1 + 4*9} {
		if got := len(readCSV(t, filepath.Join(o.Out, name))); got < 50 && want == 0 || want > 0 && got != want {
			t.Errorf("%s has %d rows", name, got)
		}
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// An interrupted study resumes, does not repeat finished trainings, and reaches the
// same figures.
func TestRunGoesOn(t *testing.T) {
	dir := datasettest.Discs(t, 8, 24)
	whole := tiny(t, dir)
	whole.Variants, whole.Landscape, whole.Repeats = whole.Variants[:2], -1, 1
	if err := Run(t.Context(), whole, nil); err != nil {
		t.Fatal(err)
	}
	part := whole
	part.Out = filepath.Join(t.TempDir(), "part")
	ctx, stop := context.WithCancel(t.Context())
	err := Run(ctx, part, func(e Event) {
		if e.Done == 1 && e.Train.Kind == train.EventValidation {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if got := htmlFiles(t, part.Out); len(got) != 0 {
		t.Errorf("pages %v of half a study", got)
	}
	first := filepath.Join(part.Out, runsDir, "plain-concat-seed0", recordName)
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), part, nil); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(first); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("finished trainings were repeated: %v", err)
	}
	a, b := readCSV(t, filepath.Join(whole.Out, "results.csv")), readCSV(t, filepath.Join(part.Out, "results.csv"))
	for i := range a {
		for k, name := range a[0] {
			if !strings.HasSuffix(name, "_ms") && name != "seconds" && a[i][k] != b[i][k] {
				t.Errorf("row %d %s: %s, resumed to %s", i, name, a[i][k], b[i][k])
			}
		}
	}
	other := part
	other.Steps = 13
	if err := Run(t.Context(), other, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("other steps in the same folder: %v", err)
	}
	other = part
	other.Datasets = []string{datasettest.Discs(t, 6, 24)}
	other.Seed = 1
	if err := Run(t.Context(), other, nil); err != nil {
		t.Errorf("another seed in the same folder: %v", err)
	}
}

// Several commands contribute to one study: more variants, more seeds and a sweep,
// and training folders made elsewhere. Each training runs once, and the page is the
// same as for a study made in one go.
func TestRunMerges(t *testing.T) {
	if testing.Short() {
		t.Skip("trains many networks")
	}
	dir := datasettest.Discs(t, 8, 24)
	all := tiny(t, dir)
	all.Variants, all.Steps, all.Landscape = all.Variants[:2], 4, -1
	all.Sweep, all.SweepDepths, all.SweepConvs, all.SweepRepeats, all.SweepSteps, all.SweepPatch = true, []int{1, 2}, []int{2}, 2, 4, 8
	if err := Run(t.Context(), all, nil); err != nil {
		t.Fatal(err)
	}
	first, second := all, all
	first.Out, first.Repeats, first.Variants, first.Sweep = filepath.Join(t.TempDir(), "first"), 1, all.Variants[:1], false
	second.Out, second.Repeats, second.Variants = filepath.Join(t.TempDir(), "second"), 1, all.Variants[1:]
	for _, o := range []Options{first, second} {
		if err := Run(t.Context(), o, nil); err != nil {
			t.Fatal(err)
		}
	}
	merged := all
	merged.Out = first.Out
	for _, run := range names(t, filepath.Join(second.Out, runsDir)) {
		if err := os.Rename(filepath.Join(second.Out, runsDir, run), filepath.Join(merged.Out, runsDir, run)); err != nil {
			t.Fatal(err)
		}
	}
	trained := map[string]bool{}
	if err := Run(t.Context(), merged, func(e Event) {
		if e.Train.Steps > 0 {
			trained[e.Training] = true
		}
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"plain-concat-seed1": true, "residual-concat-seed1": true}
	if !maps.Equal(trained, want) {
		t.Errorf("trained %v, want %v", trained, want)
	}
	for name, n := range map[string]int{"results.csv": 1 + 2*2, "sweep.csv": 1 + 3*2*2} {
		a, b := readCSV(t, filepath.Join(all.Out, name)), readCSV(t, filepath.Join(merged.Out, name))
		if len(a) != n || len(b) != n {
			t.Fatalf("%s has %d rows, merged %d, want %d", name, len(a), len(b), n)
		}
		for i := range a {
			for k, column := range a[0] {
				if !strings.HasSuffix(column, "_ms") && column != "seconds" && a[i][k] != b[i][k] {
					t.Errorf("%s row %d %s: %s, merged %s", name, i, column, a[i][k], b[i][k])
				}
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(merged.Out, PageName))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"on patches of 8×8", "with 2 seeds. Each cell", "plain-none", "Where plain-none stops training with every seed, residual-none trains"} {
		if !strings.Contains(string(page), text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

// names lists a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestParseVariant(t *testing.T) {
	for name, want := range map[string]unet.Config{
		"plain-concat":                  {Block: unet.BlockPlain, Skip: unet.SkipConcat},
		"residual-none-convs6-depth5":   {Block: unet.BlockResidual, Skip: unet.SkipNone, Convs: 6, Depth: 5},
		"dense-growth4-add-attention":   {Block: unet.BlockDense, Growth: 4, Skip: unet.SkipAdd, Attention: true},
		"nested-preact-bilinear-nonorm": {Block: unet.BlockPreact, Skip: unet.SkipNested, Up: unet.UpBilinear, Norm: unet.NormNone},
	} {
		v, err := ParseVariant(name)
		if err != nil || v.Network != want || v.Name != name {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	for _, name := range []string{"", "plane", "residual-convs3", "none-attention", "plain-growth4", "convs", "convs0", "convs-2", "depth9"} {
		if _, err := ParseVariant(name); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%q: %v", name, err)
		}
	}
	kinds := ""
	for _, v := range DefaultVariants() {
		kinds += " " + v.Name
	}
	for _, k := range append(append([]kind{}, blockKinds...), skipKinds...) {
		if !strings.Contains(kinds, k.name) {
			t.Errorf("%s is not a default", k.name)
		}
	}
}

func TestOptions(t *testing.T) {
	ok := Options{Datasets: []string{"d"}, Out: "o"}
	if o, err := ok.withDefaults(); err != nil || o.Steps != defaultSteps || len(o.Variants) != 11 {
		t.Fatalf("%+v, %v", o, err)
	}
	for name, change := range map[string]func(*Options){
		"no data": func(o *Options) { o.Datasets = nil }, "two budgets": func(o *Options) { o.Steps, o.Epochs = 1, 1 },
		"even landscape": func(o *Options) { o.Landscape = 4 }, "repeats": func(o *Options) { o.Repeats = -1 },
		"sweep repeats":   func(o *Options) { o.SweepRepeats = -1 },
		"a falling sweep": func(o *Options) { o.Sweep, o.SweepDepths = true, []int{3, 2} },
		"an empty sweep":  func(o *Options) { o.Sweep, o.SweepConvs = true, []int{} },
		"odd residuals":   func(o *Options) { o.Sweep, o.SweepConvs = true, []int{3} },
		"twice":           func(o *Options) { o.Variants = append(DefaultVariants(), DefaultVariants()...) },
	} {
		o := ok
		change(&o)
		if _, err := o.withDefaults(); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
