package evaluate_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/internal/overlay"
	"segd/internal/segment"
	"segd/models"
	"segd/train"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
	"segd/train/metric"
	"segd/unet"
)

func evaluateMasks(t *testing.T, dir, predictions string) (*metric.Report, error) {
	t.Helper()
	return evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: predictions}, nil)
}

// Two cases of one subject and one of another, computed by hand: Dice 1 and 0.5,
// pooled 2·2/3+3 = 4/6; the other has Dice 0.
func TestEvaluatePredictions(t *testing.T) {
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{
		"images/a.png": datasettest.Pixels, "images/b.png": datasettest.Pixels, "images/c.png": datasettest.Pixels,
		"labels/a.png": []uint8{1, 0, 0, 0}, "labels/b.png": []uint8{1, 1, 0, 0}, "labels/c.png": []uint8{0, 0, 0, 1},
		"ids.csv": "id,group\na,s\nb,s\nc,r\n",
	})
	for name, files := range map[string]map[string]any{
		"indices": {"a.png": []uint8{1, 0, 0, 0}, "b.png": []uint8{1, 0, 1, 0}, "c.png": []uint8{0, 0, 0, 0}},
		"0/255":   {"a.png": []uint8{255, 0, 0, 0}, "b.png": []uint8{255, 0, 255, 0}, "c.png": []uint8{0, 0, 0, 0}},
		"folders": {"images/a.png": []uint8{1, 0, 0, 0}, "other/a.png": []uint8{0, 0, 0, 0}, "images/b.png": []uint8{1, 0, 1, 0}, "images/c.png": []uint8{0, 0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := evaluateMasks(t, dir, datasettest.Tree(t, t.TempDir(), files))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				what      string
				got, want float64
			}{
				{"mean", r.Mean.Dice(), 0.5}, {"case b", r.Cases[1].Dice(), 0.5}, {"subject s", r.Groups[0].Dice(), 4. / 6},
				{"group mean", r.GroupMean.Dice(), 2. / 6}, {"pooled", r.Pooled.Dice(), 4. / 7}, {"iou", r.Mean.Classes[0].IoU, (1 + 1./3 + 0) / 3},
			} {
				if math.Abs(c.got-c.want) > 1e-12 {
					t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
				}
			}
		})
	}
}

func TestEvaluateRefuses(t *testing.T) {
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{"images/a.png": datasettest.Pixels, "images/b.png": datasettest.Pixels, "labels/a.png": datasettest.Pixels, "labels/b.png": datasettest.Pixels})
	for name, tt := range map[string]struct {
		files map[string]any
		kind  error
		says  string
	}{
		"missing":   {map[string]any{"a.png": datasettest.Pixels}, segd.ErrNotFound, "case b"},
		"size":      {map[string]any{"a.png": datasettest.Pixels, "b.png": []uint8{0, 0}}, segd.ErrFormat, "b.png"},
		"elsewhere": {map[string]any{"a.png": datasettest.Pixels, "x/b.png": datasettest.Pixels}, segd.ErrNotFound, "case b"},
		"scaled":    {map[string]any{"a.png": datasettest.Pixels, "b.png": []uint8{0, 100, 200, 0}}, segd.ErrFormat, "value 200"},
	} {
		if _, err := evaluateMasks(t, dir, datasettest.Tree(t, t.TempDir(), tt.files)); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %v containing %q", name, err, tt.kind, tt.says)
		}
	}
	if _, err := evaluateMasks(t, dir, filepath.Join(dir, "nowhere")); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}}, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("neither model nor predictions: %v", err)
	}
}

// A model measured on the validation cases yields the figures of its card, and so do
// the masks it makes.
func TestEvaluateAgreesWithTraining(t *testing.T) {
	dir, out := datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m")
	res, err := train.Run(t.Context(), train.Options{Datasets: []string{dir}, Out: out, Steps: 10, Network: unet.Config{Width: 4, Depth: 2}, Patch: 32, Batch: 2, Seed: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	held := t.TempDir()
	files := map[string]any{"images/x.txt": "", "labels/x.txt": ""}
	masks := datasettest.Tree(t, filepath.Join(t.TempDir(), "masks"), map[string]any{"x.txt": ""})
	datasettest.Tree(t, held, files)
	for _, id := range res.Plan.Validation {
		for _, sub := range []string{"images", "labels"} {
			b, err := os.ReadFile(filepath.Join(dir, sub, id+".png"))
			if err != nil {
				t.Fatal(err)
			}
			datasettest.Tree(t, held, map[string]any{sub + "/" + id + ".png": string(b)})
		}
		img, err := imageOf(filepath.Join(dir, "images", id+".png"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := segment.Frame(t.Context(), m, nil, img, segment.Options{})
		if err != nil {
			t.Fatal(err)
		}
		datasettest.WritePNG(t, filepath.Join(masks, id+".png"), overlay.MaskImage(r.Mask, m.Classes))
	}
	heard := 0
	fromModel, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{held}, Model: m}, func(done, cases int, _ string) { heard = done })
	if err != nil {
		t.Fatal(err)
	}
	fromMasks, err := evaluateMasks(t, held, masks)
	if err != nil {
		t.Fatal(err)
	}
	if got := fromModel.Mean.Dice(); math.Abs(got-res.ValDice) > 1e-12 || m.Metrics[0].Name != "mean_dice" || m.Metrics[0].Value != res.ValDice {
		t.Errorf("evaluate %v, training %v, card %+v", got, res.ValDice, m.Metrics[0])
	}
	if fromMasks.Mean.Dice() != fromModel.Mean.Dice() || fromMasks.Pooled.Classes[0].IoU != fromModel.Pooled.Classes[0].IoU {
		t.Errorf("masks %+v, model %+v", fromMasks.Mean, fromModel.Mean)
	}
	if heard != len(res.Plan.Validation) {
		t.Errorf("%d of %d cases reported", heard, len(res.Plan.Validation))
	}
	other := datasettest.Tree(t, t.TempDir(), map[string]any{"images/a.png": datasettest.Pixels, "labels/a.png": []uint8{0, 2, 1, 0}})
	if _, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{other}, Model: m}, nil); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("a class that the model does not have: %v", err)
	}
}

// imageOf reads an image file as the image of a case.
func imageOf(path string) (*segd.Image, error) { return (&dataset.Case{Image: path}).ReadImage() }
