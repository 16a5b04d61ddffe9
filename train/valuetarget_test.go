package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/models"
	"segd/preprocess"
	"segd/train/augment"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/unet"
)

func tinyValues(dir, out string, steps int) Options {
	o := tiny(dir, out, steps)
	o.Network.Head = unet.HeadRegression
	return o
}

// A regression learns, its error decides which weights are kept, and the kept model
// gives values in the unit of the labels.
func TestRunValues(t *testing.T) {
	dir, out := datasettest.Ramps(t, 8, 32), filepath.Join(t.TempDir(), "m")
	pool := unet.NewPool(0)
	defer pool.Close()
	o := tinyValues(dir, out, 150)
	o.Pool, o.LearnRate = pool, 1e-2
	var events []Event
	r, err := Run(t.Context(), o, func(e Event) { events = append(events, e) })
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if m.Values == nil || *m.Values != (models.Values{Mean: r.Plan.Targets.Mean, Deviation: r.Plan.Targets.Deviation}) || m.Metrics[0].Name != "mean_mae" || m.Metrics[0].Value != r.ValMAE {
		t.Errorf("card: values %+v, figures %+v; plan %+v, val_mae %v", m.Values, m.Metrics, r.Plan.Targets, r.ValMAE)
	}
	if last := events[len(events)-1]; last.ValDice != nil || last.BestMAE == nil || *last.BestMAE != r.ValMAE || !strings.Contains(last.Message, "val_mae") {
		t.Errorf("ended with %+v", last)
	}
	// The same errors again, computed by hand from the stored model.
	sum, trivial, groups := 0.0, 0.0, 0
	data, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	least := math.Inf(1)
	for _, row := range r.History {
		least = min(least, (row.MAE+row.GroupMAE)/2)
	}
	for _, c := range data.Cases {
		if !strings.Contains(strings.Join(r.Plan.Validation, ","), c.ID) {
			continue
		}
		img, err := c.ReadImage()
		if err != nil {
			t.Fatal(err)
		}
		truth, err := c.ReadLabelValues(img.Width, img.Height)
		if err != nil {
			t.Fatal(err)
		}
		x, place, err := m.Recipe.Apply(img)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Predict(t.Context(), pool, x, false)
		if err != nil {
			t.Fatal(err)
		}
		if p, err = place.ToImage(p); err != nil {
			t.Fatal(err)
		}
		for i, v := range p.Data {
			sum += math.Abs(float64(v - truth[i]))
			trivial += math.Abs(r.Plan.Targets.Mean - float64(truth[i]))
		}
		groups += len(truth)
	}
	mae, constant := sum/float64(groups), trivial/float64(groups)
	if math.Abs(mae-r.ValMAE) > 1e-3*mae {
		t.Errorf("the model's error is %v, in training %v", mae, r.ValMAE)
	}
	if math.Abs((r.ValMAE+r.GroupMAE)/2-least) > 1e-9*least {
		t.Errorf("kept an error of %v, the smallest was %v", r.ValMAE, least)
	}
	if !datasettest.Race && mae > constant/2 {
		t.Errorf("error %v, of a constant %v", mae, constant)
	}
	csv, err := os.ReadFile(filepath.Join(out, "progress.csv"))
	if err != nil || !strings.HasPrefix(string(csv), "step,epoch,loss,lr,val_mae,val_group_mae,seconds\n") {
		t.Errorf("%v, %.80s", err, csv)
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil || strings.Contains(string(page), "Dice") || !strings.Contains(string(page), "mean absolute error") {
		t.Errorf("report.html mentions Dice, or no error: %v", err)
	}

	// Fine-tuning without an effective step changes nothing.
	again := tinyValues(dir, filepath.Join(t.TempDir(), "again"), 1)
	again.From, again.LearnRate, again.Network = m, 1e-9, unet.Config{}
	q, err := Run(t.Context(), again, nil)
	if err != nil {
		t.Fatal(err)
	}
	if q.ValMAE > 1.2*r.ValMAE+1 {
		t.Errorf("fine-tuning starts with an error of %v, the model has %v", q.ValMAE, r.ValMAE)
	}
	masks := tiny(datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "masks"), 1)
	if _, err := Run(t.Context(), masks, nil); err != nil {
		t.Fatal(err)
	}
	if again.From, err = models.Open(masks.Out); err != nil {
		t.Fatal(err)
	}
	again.Network.Head, again.Overwrite = unet.HeadRegression, true
	if _, err := Run(t.Context(), again, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("values from a model of classes: %v", err)
	}
}

// Stopped, resumed, read back from a file, trained by its plan: the weights are
// bit-identical.
func TestValuesAreDeterministic(t *testing.T) {
	dir := datasettest.Ramps(t, 8, 32)
	whole := tinyValues(dir, filepath.Join(t.TempDir(), "whole"), 14)
	whole.Loss.Terms = unet.LossL2
	if _, err := Run(t.Context(), whole, nil); err != nil {
		t.Fatal(err)
	}
	part := tinyValues(dir, filepath.Join(t.TempDir(), "part"), 14)
	part.Loss.Terms = unet.LossL2
	ctx, stop := context.WithCancel(t.Context())
	part.afterStep = func(r *run) {
		if r.Step == 5 {
			stop()
		}
	}
	if _, err := Run(ctx, part, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	part.afterStep, part.Resume = nil, true
	wrong := part
	wrong.Loss.Terms = unet.LossL1
	if _, err := Run(t.Context(), wrong, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("resumed with another loss: %v", err)
	}
	part.Network.Head, part.Loss.Terms = "", "" // the checkpoint's
	if _, err := Run(t.Context(), part, nil); err != nil {
		t.Fatal(err)
	}
	planned := Options{Datasets: []string{dir}, Out: filepath.Join(t.TempDir(), "planned"), PlanFile: filepath.Join(whole.Out, "plan.json")}
	if _, err := Run(t.Context(), planned, nil); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"resumed": part.Out, "by its plan": planned.Out} {
		if !bytes.Equal(weightsOf(t, whole.Out), weightsOf(t, out)) {
			t.Errorf("%s: other weights", name)
		}
	}
}

// An example of values is read back from the file bit for bit.
func TestStoreKeepsValues(t *testing.T) {
	d, err := dataset.Open(datasettest.Ramps(t, 2, 40))
	if err != nil {
		t.Fatal(err)
	}
	read := func(bytes int64) []example {
		raws, _, err := load(t.Context(), d.Cases, valueTarget{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		s := budget(bytes)
		t.Cleanup(func() { _ = s.close() })
		n := normaliser{target: valueTarget{}, recipe: preprocess.Recipe{Channels: 1, Normalise: preprocess.ZScore, LongSide: 24}, targets: &Targets{Mean: 9000, Deviation: 4000}, store: s}
		list, err := n.run(t.Context(), d.Cases, raws)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	memory, file := read(1<<30), read(0)
	for i := range memory {
		got, err := file[i].whole()
		if err != nil {
			t.Fatal(err)
		}
		if file[i].record == nil || hashValues(got.Targets) != hashValues(memory[i].Targets) || hashValues(got.values) != hashValues(memory[i].values) || len(got.Targets) != 24*24 || len(got.values) != 40*40 {
			t.Errorf("example %d: %d targets and %d values, or values differ from memory", i, len(got.Targets), len(got.values))
		}
	}
}

// Labels move with the image, with bilinear interpolation, and intensity changes do
// not affect them.
func TestPatchOfValues(t *testing.T) {
	side := 16
	e := &example{Sample: augment.Sample{X: segd.NewTensor(1, 1, side, side)}}
	for i := range e.X.Data {
		e.X.Data[i] = float32(i % side)
	}
	e.Targets = append(e.Targets, e.X.Data...)
	e.Targets[0] = float32(math.NaN())
	moved := false
	for seed := range uint64(20) {
		p := augment.Patch{RNG: augment.Source(seed, 0), H: 8, W: 8, X: make([]float32, 64), Targets: make([]float32, 64)}
		p.Cut(&e.Sample, &augment.Settings{Flip: true, Rotate: 1, RotateDegrees: 30}, 0)
		for i, v := range p.Targets {
			if v == v && v != p.X[i] {
				t.Fatalf("seed %d: target %v where the image has %v", seed, v, p.X[i])
			}
			moved = moved || v != float32(math.Round(float64(v)))
		}
		grey := augment.Patch{RNG: augment.Source(seed, 0), H: 8, W: 8, X: make([]float32, 64), Targets: make([]float32, 64)}
		grey.Cut(&e.Sample, &augment.Settings{Flip: true, Rotate: 1, RotateDegrees: 30, Brightness: 1, Noise: 1, Blur: 1}, 0)
		if hashValues(grey.Targets) != hashValues(p.Targets) || hashValues(grey.X) == hashValues(p.X) {
			t.Fatalf("seed %d: intensity changes affect the labels, or do not affect the image", seed)
		}
	}
	if !moved {
		t.Error("no value between two pixels")
	}
}

// Mean and deviation computed by hand over the training images only, without NaN.
func TestTargets(t *testing.T) {
	nan := float32(math.NaN())
	cases, list := []dataset.Case{{ID: "a"}, {ID: "b"}, {ID: "c"}}, make([]facts, 3)
	list[0].known.Add([]float32{1, nan, 3})
	list[1].known.Add([]float32{100, 200})
	list[2].known.Add([]float32{8})
	got, err := valueTarget{}.measure(cases, list, []string{"a", "c"})
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Sqrt((9 + 1 + 16) / 3.); got.Mean != 4 || math.Abs(got.Deviation-want) > 1e-12 {
		t.Errorf("%+v, want mean 4, deviation %v", got, want)
	}
	if n := got.normalise([]float32{4, nan}); n[0] != 0 || n[1] == n[1] {
		t.Errorf("normalised %v", n)
	}
	list[0].known, list[2].known = dataset.Spread{}, dataset.Spread{}
	if _, err := (valueTarget{}).measure(cases, list, []string{"a", "c"}); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("nothing known: %v", err)
	}
	list[0].known.Add([]float32{7, 7})
	if _, err := (valueTarget{}).measure(cases, list, []string{"a"}); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("all equal: %v", err)
	}
}

// Labels that are not values end a training with the right kind of error and the name
// of the file.
func TestValuesRefuse(t *testing.T) {
	grey := func(side int) image.Image { return image.NewGray16(image.Rect(0, 0, side, side)) }
	palette := image.NewPaletted(image.Rect(0, 0, 32, 32), color.Palette{color.Black, color.White})
	clear := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for name, c := range map[string]struct {
		label image.Image
		kind  error
	}{
		"another size": {grey(31), segd.ErrFormat}, "palette": {palette, segd.ErrUnsupported}, "alpha": {clear, segd.ErrUnsupported},
		"colour": {image.NewRGBA(image.Rect(0, 0, 32, 32)), segd.ErrUnsupported},
	} {
		dir := datasettest.Ramps(t, 3, 32)
		datasettest.WritePNG(t, filepath.Join(dir, "labels", "b.png"), c.label)
		out := filepath.Join(t.TempDir(), "m")
		if _, err := Run(t.Context(), tinyValues(dir, out, 1), nil); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), "b.png") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := datasettest.Ramps(t, 3, 32)
	if err := os.WriteFile(filepath.Join(dir, "labels", "b.png"), []byte("\x89PNG\r\n\x1a\nnothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), tinyValues(dir, filepath.Join(t.TempDir(), "m"), 1), nil); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("truncated: %v", err)
	}
	// A plan for classes, used with values.
	masks := tiny(datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m"), 1)
	if _, err := Run(t.Context(), masks, nil); err != nil {
		t.Fatal(err)
	}
	o := Options{Datasets: []string{dir}, Out: filepath.Join(t.TempDir(), "n"), PlanFile: filepath.Join(masks.Out, "plan.json")}
	o.Network.Head, o.Loss.Terms = unet.HeadRegression, unet.LossL1
	for _, name := range []string{"b.png"} {
		datasettest.WritePNG(t, filepath.Join(dir, "labels", name), grey(32))
	}
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("a plan of classes: %v", err)
	}
}

// The plan says how labels are normalised, and does not distort lengths.
func TestPlanOfValues(t *testing.T) {
	dir, out := datasettest.Ramps(t, 4, 32), filepath.Join(t.TempDir(), "m")
	r, err := Run(t.Context(), tinyValues(dir, out, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p Plan
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if p.Targets == nil || *p.Targets != *r.Plan.Targets || p.Loss.Terms != unet.LossL1 || p.Augment.Scale != 0 || p.Augment.Elastic != 0 || p.Foreground != 0 || p.Network.Classes != 1 {
		t.Errorf("plan %+v", p)
	}
}
