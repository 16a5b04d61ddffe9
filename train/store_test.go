package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"

	"segd/train/dataset"
	"segd/train/evaluate"

	stdreflect "reflect"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/models"
	"segd/preprocess"
	"segd/train/dataset/datasettest"
	"segd/unet"
)

// TestStore reads back from the file what the store would have kept in memory.
func TestStore(t *testing.T) {
	dir := datasettest.Discs(t, 6, 32)
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := func(bytes int64) ([]*example, *store) {
		raws, _, err := load(t.Context(), d.Cases, classTarget{}, bytes)
		if err != nil {
			t.Fatal(err)
		}
		n := normaliser{target: classTarget{}, recipe: preprocess.Recipe{Channels: 1, Normalise: preprocess.ZScore, LongSide: 48}, classes: 2,
			loss: &unet.Loss{Terms: unet.LossBorder, BorderWeight: 10, BorderSigma: 5}, store: budget(bytes)}
		list, err := n.run(t.Context(), d.Cases, raws)
		if err != nil {
			t.Fatal(err)
		}
		var out []*example
		for i := range list {
			e, err := list[i].whole()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e)
		}
		return out, n.store
	}
	want, memory := all(1 << 30)
	got, file := all(20_000) // one example, not two
	if memory.count != 0 || file.count < 4 {
		t.Fatalf("%d and %d examples in the file", memory.count, file.count)
	}
	for i := range want {
		w, g := *want[i], *got[i]
		w.record, g.record = nil, nil
		if !stdreflect.DeepEqual(w, g) {
			t.Errorf("example %d differs", i)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "segd-train-*")); len(left) > 0 {
		t.Errorf("a file is left behind: %v", left)
	}
	if err := file.close(); err != nil {
		t.Error(err)
	}
	if err := file.keep(want[0]); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("a file that cannot be written: %v", err)
	}
}

// TestMemoryDoesNotMatter trains with memory for all images and for none: the weights
// are the same.
func TestMemoryDoesNotMatter(t *testing.T) {
	if testing.Short() {
		t.Skip("two trainings")
	}
	dir := datasettest.Discs(t, 16, 64)
	weights := func(memory int64) []byte {
		out := filepath.Join(t.TempDir(), "m")
		told := false
		o := Options{Datasets: []string{dir}, Out: out, Steps: 12, Seed: 3, Network: unet.Config{Width: 4, Depth: 2}, Batch: 2, MaxMemory: memory}
		if _, err := Run(t.Context(), o, func(e Event) { told = told || strings.Contains(e.Message, "temporary file") }); err != nil {
			t.Fatal(err)
		}
		if want := memory > 0; told != want {
			t.Errorf("memory %d: mentions a file: %t", memory, told)
		}
		b, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	// The memory of the plan plus about 40 kB, enough for two of the sixteen images.
	// The plan then recomputes activations, which gives bit-identical results.
	p := Plan{Network: unet.Config{Channels: 1, Classes: 2, Width: 4, Depth: 2}.WithDefaults(), Batch: 2, PatchHeight: 64, PatchWidth: 64, Recompute: true,
		Data: Fingerprint{MaxWidth: 64, MaxHeight: 64}}
	taken, err := p.memory()
	if err != nil {
		t.Fatal(err)
	}
	if string(weights(0)) != string(weights(taken+40_000)) {
		t.Error("the weights differ")
	}
	o := Options{Datasets: []string{dir}, Out: t.TempDir(), Steps: 2, MaxMemory: 64 << 20}
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("64 MiB: %v", err)
	}
}

// TestPlanFile trains by an edited plan, and refuses invalid values.
func TestPlanFile(t *testing.T) {
	dir := datasettest.Discs(t, 8, 32)
	out := filepath.Join(t.TempDir(), "first")
	o := Options{Datasets: []string{dir}, Out: out, Steps: 2, Seed: 3, Network: unet.Config{Width: 4, Depth: 2}, Batch: 2}
	first, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(from, to string) (*Result, error) {
		if !strings.Contains(string(text), from) {
			t.Fatalf("the plan has no %s", from)
		}
		path := datasettest.Put(t, t.TempDir(), "plan.json", []byte(strings.Replace(string(text), from, to, 1)))
		return Run(t.Context(), Options{Datasets: []string{dir}, Out: t.TempDir(), PlanFile: path}, nil)
	}
	again, err := edit(`"batch": 2`, `"batch": 2`)
	if err != nil {
		t.Fatal(err)
	}
	if !stdreflect.DeepEqual(again.Plan, first.Plan) || again.ValDice != first.ValDice {
		t.Errorf("the unchanged plan gives a different one:\n%+v\n%+v", again.Plan, first.Plan)
	}
	wide, err := edit(`"width": 4`, `"width": 6`)
	if err != nil || wide.Plan.Network.Width != 6 || wide.Steps != 2 {
		t.Errorf("width 6: %+v, %v", wide, err)
	}
	none, three := "\"regions\": [\n    0\n  ]", "\"regions\": [\n    3\n  ]"
	some, err := edit(none, three)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := models.Open(some.Model); err != nil || !slices.Equal(m.Regions, []int{3}) {
		t.Errorf("three regions: the model has %v, %v", m.Regions, err)
	}
	for _, e := range [][2]string{{none, strings.Replace(three, "3", "-1", 1)}, {none, strings.Replace(three, "3", "1, 1", 1)}, {`"batch": 2`, `"batch": 0`}, {`"batch": 2`, `"bach": 2`}, {`"patch_width": 32`, `"patch_width": 33`},
		{`"out_channels": 2`, `"out_channels": 3`}, {`"seed": 3`, `"seed": "x"`}} {
		if _, err := edit(e[0], e[1]); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%s: %v", e[1], err)
		}
	}
}

// TestAdapt uses the values of CT, and the median of differing spacings.
func TestAdapt(t *testing.T) {
	list := make([]facts, 10)
	for i := range list {
		list[i] = facts{width: 8, height: 8, channels: 1, calibrated: i > 0, spacing: segd.Spacing{RowMM: 1 + float64(i)/10, ColMM: 1 + float64(i)/10}}
		for v := range 1001 {
			list[i].foreground = append(list[i].foreground, float32(v))
		}
	}
	plan := func() Plan {
		p, err := newPlan(Options{}, fingerprint(make([]dataset.Case, len(list)), list, dataset.Meaning{}, 2), []string{"a"}, []string{"b"})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := plan()
	w := p.Recipe.Window
	if p.Recipe.Normalise != preprocess.Fixed || w.Low != 5 || w.High != 995 || math.Abs(w.Mean-500) > 1e-6 || math.Abs(w.Deviation-289) > 1 || p.Recipe.SpacingMM != 1.5 {
		t.Errorf("recipe %+v", p.Recipe)
	}
	list[1].calibrated = false // eight of ten
	list[3].spacing = segd.Spacing{}
	if p = plan(); p.Recipe.Normalise != preprocess.ZScore || p.Recipe.SpacingMM != 0 {
		t.Errorf("neither calibrated nor with known spacing: %+v", p.Recipe)
	}
	for i := range list {
		list[i].spacing = segd.Spacing{RowMM: 1, ColMM: 1.001 + float64(i)/1e4}
	}
	if p = plan(); p.Recipe.SpacingMM != 0 {
		t.Errorf("similar spacings: %+v", p.Recipe)
	}
}

// TestTrainsByItself trains on different kinds of data sets with no setting other
// than a length: colour photographs of three classes, CT crops as NIfTI volumes, and
// DICOM series with segmentations. A uniform mask reaches at most a third of the
// required Dice.
func TestTrainsByItself(t *testing.T) {
	if testing.Short() {
		t.Skip("three trainings")
	}
	for name, make := range map[string]func(testing.TB) string{"photographs": photographs, "CT as NIfTI": volumesCT, "CT as DICOM": seriesCT} {
		t.Run(name, func(t *testing.T) {
			dir, out := make(t), filepath.Join(t.TempDir(), "model")
			least := 0.7
			if name == "photographs" {
				least = 0.5 // three classes, for which a uniform mask reaches 0.1
			}
			r, err := Run(context.Background(), Options{Datasets: []string{dir}, Out: out, Steps: 80, Seed: 1, Network: unet.Config{Width: 8}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("val_dice %.3f, by group %.3f, recipe %+v", r.ValDice, r.ValGroup, r.Plan.Recipe)
			if r.ValDice < least {
				t.Errorf("val_dice %.3f after %d steps", r.ValDice, r.Steps)
			}
			if ct := strings.HasPrefix(name, "CT"); ct != (r.Plan.Recipe.Normalise == preprocess.Fixed) {
				t.Errorf("normalised by %s", r.Plan.Recipe.Normalise)
			}
			m, err := models.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			e, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Model: m}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if dice := e.Mean.Dice(); dice < least {
				t.Errorf("evaluated: Dice %.3f", dice)
			}
		})
	}
}
