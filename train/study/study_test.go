package study

import (
	"context"
	"encoding/csv"
	"errors"
	"image"
	"image/color"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/train"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
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

// A study leaves one page that loads nothing, with its plots and every kind of
// block and long skip, and tables that agree with it.
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
	// Loss and Dice of three families, a profile each, four traces, four landscapes.
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

// A study that was interrupted goes on, does not repeat what is done, and
// comes to the same figures.
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
		t.Errorf("what was done was done again: %v", err)
	}
	a, b := readCSV(t, filepath.Join(whole.Out, "results.csv")), readCSV(t, filepath.Join(part.Out, "results.csv"))
	for i := range a {
		for k, name := range a[0] {
			if !strings.HasSuffix(name, "_ms") && name != "seconds" && a[i][k] != b[i][k] {
				t.Errorf("row %d %s: %s, went on to %s", i, name, a[i][k], b[i][k])
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
		t.Errorf("another seed beside: %v", err)
	}
}

// Trainings made by several commands come together in one study: more variants,
// more seeds and a sweep, and folders of trainings that were made elsewhere. Each
// is trained once, and the page is that of a study made at once.
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

// The sweep says where networks without skips stop and those with skips go on.
func TestSweepFindings(t *testing.T) {
	s := &study{o: Options{Sweep: true, SweepDepths: []int{2, 3}, SweepConvs: []int{2}, SweepRepeats: 2}}
	for seed := range uint64(2) {
		for kind, ends := range map[string][2]float64{"plain-none": {0.4, 1.9}, "residual-none": {0.4, 0.5 + float64(seed)*1.4}, reference: {0.2, 0.6}} {
			for i, depth := range s.o.SweepDepths {
				v := variants(t, sweepName(kind, depth, 2))[0]
				tr := made(v, seed, 0.8, 1, ends[i])
				tr.Sweep = true
				s.runs = append(s.runs, tr)
			}
		}
	}
	got := strings.Join(s.sweepFindings(), "\n")
	for _, want := range []string{
		"reaches 1.400 at the end of its 10 steps: a third of the way from 2.000, the average at the start, to 0.200, the best at the end (plain-concat, 2 levels of 2)",
		"plain-none stops training at 1 of 2 sizes: 3 levels of 2 (0 of 2 seeds train, to 1.90).",
		"residual-none stops training at 1 of 2 sizes: 3 levels of 2 (1 of 2 seeds train, to 1.20 [0.50, 1.90]).",
		"plain-concat trains at every size of the sweep.",
		"Where plain-none stops training with every seed, residual-none trains with every seed at no size; the reverse holds at no size.",
		"Where plain-none stops training with every seed, plain-concat trains with every seed at 3 levels of 2; the reverse holds at no size.",
		"3 levels of 2 convolutions without long skips",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
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
			t.Errorf("%s is no default", k.name)
		}
	}
}

// made is a training with a gradient that falls by a factor from the decoder's
// last block to the encoder's first.
func made(v Variant, seed uint64, score, factor, end float64) *training {
	tr := &training{Name: v.Name, Variant: v, Seed: seed}
	tr.Plan.Network = v.Network.WithDefaults()
	tr.Plan.Network.Depth, tr.Plan.Steps = 1, 10
	tr.Dice = score
	for i := range 10 {
		tr.Losses = append(tr.Losses, 2+(end-2)*float64(i)/9)
		tr.Trace = append(tr.Trace, train.Trace{Step: i, Layers: []train.Layer{
			{Name: "enc.0.conv1.weight", Gradient: factor}, {Name: "enc.0.conv2.weight", Gradient: factor},
			{Name: "bottleneck.conv1.weight", Gradient: 0.5}, {Name: "up.0.weight", Gradient: 1},
			{Name: "dec.0.conv1.weight", Gradient: 1}, {Name: "head.weight", Gradient: 3}}})
	}
	return tr
}

// Sentences are made of the numbers: of opposite numbers, opposite ones.
func TestFindingsFollowTheNumbers(t *testing.T) {
	list := variants(t, "plain-concat", "plain-none-convs6", "residual-none-convs6", "dense-concat")
	look := func(vanished, cured, dense float64) string {
		s := &study{o: Options{Variants: list, Repeats: 2}}
		for seed := range uint64(2) {
			s.runs = append(s.runs, made(list[0], seed, 0.8, 1, 0.2), made(list[1], seed, 0.5, vanished, 1.9),
				made(list[2], seed, 0.7, cured, 0.5), made(list[3], seed, 0.8+dense*(float64(seed)-0.4), 1, 0.2))
		}
		return strings.Join(append(s.diceFindings(), s.gradientFindings()...), "\n")
	}
	got := look(0.01, 0.9, 0.1)
	for _, want := range []string{
		"plain-none-convs6: the first block's gradient is 0.01 times the last block's in the first tenth of the steps, and 0.01 times over all: at the start it vanishes.",
		"residual-none-convs6: the first block's gradient is 0.9 times the last block's in the first tenth of the steps, and 0.9 times over all: at the start it neither vanishes nor explodes.",
		"(short skips): from 0.01 to 0.9 times: the skips cure the vanishing gradient.",
		"plain-none-convs6: Dice 0.500, -0.300 compared with plain-concat: worse with each of the 2 seeds.",
		"dense-concat: Dice 0.810 [0.760, 0.860], +0.010 [-0.040, +0.060] compared with plain-concat: better with one seed and worse with another, so no difference is shown.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := look(0.9, 0.8, 0.1); strings.Contains(got, "it vanishes") || !strings.Contains(got, "the data does not show an effect") {
		t.Errorf("nothing vanishes, but\n%s", got)
	}
	if got := look(0.9, 0.2, 0.1); !strings.Contains(got, "the data does not show what the papers claim") {
		t.Errorf("the skips do harm, but\n%s", got)
	}
	if got := look(40, 0.8, 0.1); !strings.Contains(got, "cure the exploding gradient; it did not vanish") {
		t.Errorf("it explodes, but\n%s", got)
	}
}

// Charts hold what can be compared: a grid of blocks and long skips falls into a
// chart of each.
func TestFamilies(t *testing.T) {
	s := &study{o: Options{Variants: variants(t, reference, "residual-concat", "dense-concat", "plain-none", "dense-none", "residual-add", "plain-none-convs6", "dense-none-growth4")}}
	want := map[string]string{
		"blocks": "plain-concat residual-concat dense-concat", "long skips": "plain-concat plain-none", "blocks, long skips none": "plain-none dense-none",
		"others": "residual-add plain-none-convs6 dense-none-growth4",
	}
	for _, f := range s.families() {
		var list []string
		for _, v := range f.list {
			list = append(list, v.Name)
		}
		if got := strings.Join(list, " "); got != want[f.title] {
			t.Errorf("%s: %q, want %q", f.title, got, want[f.title])
		}
		delete(want, f.title)
	}
	if len(want) > 0 {
		t.Errorf("no %v", want)
	}
}

// Pairs differ in one choice: a dense block has three convolutions where a plain one
// has two, and no other number stands for another.
func TestPairs(t *testing.T) {
	s := &study{o: Options{Variants: variants(t, "plain-none", "dense-none", "plain-none-convs6", "dense-none-convs6", "plain-concat", "residual-none-convs6")}}
	var got []string
	for _, p := range s.pairs() {
		got = append(got, p.without.Name+" "+p.with.Name)
	}
	want := []string{"plain-none dense-none", "plain-none plain-concat", "plain-none-convs6 dense-none-convs6", "plain-none-convs6 residual-none-convs6"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Ratios of several seeds have a geometric mean.
func TestRatios(t *testing.T) {
	v := variants(t, "plain-none")[0]
	list := []*training{made(v, 0, 0.8, 0.01, 0.2), made(v, 1, 0.8, 1, 0.2)}
	if got := overRatios(list, startReach); math.Abs(got.mean-0.1) > 1e-9 || math.Abs(got.low-0.01) > 1e-9 || math.Abs(got.high-1) > 1e-9 {
		t.Errorf("%+v", got)
	}
}

func TestStages(t *testing.T) {
	names := stageNames(2)
	for layer, want := range map[string]string{"enc.1.conv2.weight": "enc.1", "bottleneck.conv1.weight": "bottleneck", "up.1.weight": "dec.1",
		"dec.0.conv1.weight": "dec.0", "dec.1.1.conv2.weight": "dec.1", "att.0.psi.weight": "dec.0", "head.weight": "head"} {
		if got := names[stage(layer, 2)]; got != want {
			t.Errorf("%s is in %s, want %s", layer, got, want)
		}
	}
	if v := byStage([]train.Trace{{Layers: []train.Layer{{Name: "enc.0.a", Gradient: 4}, {Name: "enc.0.b", Gradient: 9}}}}, 1)[0]; math.Abs(v-6) > 1e-9 {
		t.Errorf("geometric mean %g, want 6", v)
	}
}

// The window is the one where the masks differ the most, and its picture has
// four parts.
func TestWindows(t *testing.T) {
	const side = 128
	shown := func(fill image.Rectangle) *evaluate.Shown {
		s := &evaluate.Shown{ID: "a", Image: &segd.Image{Width: side, Height: side, Channels: 1, Pix: make([]float32, side*side)},
			Truth: segd.NewMask(side, side), Predicted: segd.NewMask(side, side)}
		for i := range s.Truth.Pix {
			p := image.Pt(i%side, i/side)
			if p.In(image.Rect(80, 80, 100, 100)) {
				s.Truth.Pix[i] = 1
			}
			if p.In(fill) {
				s.Predicted.Pix[i] = 1
			}
		}
		return s
	}
	without, with := shown(image.Rect(0, 0, 4, 4)), shown(image.Rect(80, 80, 100, 100))
	top, bottom := windows(without, with)
	if top.gain != 400 || !image.Rect(80, 80, 100, 100).In(top.at) || bottom.gain != 0 {
		t.Errorf("best %+v, worst %+v", top, bottom)
	}
	m := strip(top.at, without, with)
	if got := m.Bounds().Size(); got != image.Pt(4*64+3*4, 64) {
		t.Errorf("picture of %v", got)
	}
	// What was missed is not the colour of what was found.
	x, y := 90-top.at.Min.X, 90-top.at.Min.Y
	if a, b := m.At(2*68+x, y), m.At(3*68+x, y); color.NRGBAModel.Convert(a) == color.NRGBAModel.Convert(b) {
		t.Errorf("missed and found are both %v", a)
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
