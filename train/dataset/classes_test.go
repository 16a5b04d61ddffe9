package dataset_test

import (
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/models"
	"segd/train"
	"segd/train/check"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
)

// shapes writes a data set of discs and squares in nnU-Net's format, with the given
// class indices. The images do not depend on the indices.
func shapes(t *testing.T, disc, square uint8, labels string) string {
	t.Helper()
	dir := t.TempDir()
	for k := range 4 {
		img, label := datasettest.Grey(32, 32, 60), datasettest.Grey(32, 32, 0)
		for y := range 32 {
			for x := range 32 {
				if (x-8-k)*(x-8-k)+(y-10)*(y-10) < 25 {
					img.Pix[32*y+x], label.Pix[32*y+x] = 150, disc
				}
				if x > 20 && x < 28 && y > 12+k && y < 20+k {
					img.Pix[32*y+x], label.Pix[32*y+x] = 220, square
				}
			}
		}
		for name, m := range map[string]*image.Gray{"imagesTr/c%d_0000.png": img, "labelsTr/c%d.png": label} {
			datasettest.Put(t, dir, fmt.Sprintf(name, k), datasettest.Encode(t, m))
		}
	}
	datasettest.Put(t, dir, "dataset.json", fmt.Appendf(nil, `{"channel_names": {"0": "grey"}, "labels": {"background": 0, %s}}`, labels))
	return dir
}

// TestEvaluateByName: a model scores full marks on a set that numbers its classes
// differently, and a set with other classes is refused.
func TestEvaluateByName(t *testing.T) {
	a := shapes(t, 1, 2, `"disc": 1, "square": 2`)
	b := shapes(t, 2, 1, `"Square": 1, "disc": 2`)
	out := filepath.Join(t.TempDir(), "m")
	o := brief(a, out, 120)
	o.LearnRate, o.NoPage, o.Network.Width = 1e-2, true, 8
	if _, err := train.Run(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	measured := func(o evaluate.Options) []float64 {
		o.Model = m
		r, err := evaluate.Run(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		return []float64{r.Mean.Classes[0].Dice, r.Mean.Classes[1].Dice}
	}
	want := measured(evaluate.Options{Datasets: []string{a}})
	if got := measured(evaluate.Options{Datasets: []string{b}}); !slices.Equal(got, want) || want[0]+want[1] == 0 {
		t.Errorf("%v, want %v as on the set it was trained on", got, want)
	}
	both := measured(evaluate.Options{Datasets: []string{b, a}})
	if math.Abs(both[0]-want[0]) > 1e-12 || math.Abs(both[1]-want[1]) > 1e-12 {
		t.Errorf("joined sets: %v, want %v", both, want)
	}
	other := shapes(t, 1, 2, `"disc": 1, "ring": 2`)
	_, err = evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{other}, Model: m}, nil)
	if !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), `["disc" "ring"]`) || !strings.Contains(err.Error(), `["disc" "square"]`) {
		t.Errorf("a clash: %v", err)
	}
	renamed := shapes(t, 1, 2, `"a": 1, "b": 2`)
	if got := measured(evaluate.Options{Datasets: []string{renamed}, ClassNames: []string{"disc", "square"}}); !slices.Equal(got, want) {
		t.Errorf("other names for the data's classes: %v, want %v", got, want)
	}
}

// labelsOf returns the labels of a data set's first image as read.
func labelsOf(t *testing.T, d *dataset.Dataset, set int) []uint8 {
	t.Helper()
	i := slices.IndexFunc(d.Cases, func(c dataset.Case) bool { return c.Set == set })
	m, err := d.Cases[i].ReadMask()
	if err != nil {
		t.Fatal(err)
	}
	return m.Pix
}

// TestJoinByName: data sets are joined by the names of their classes.
func TestJoinByName(t *testing.T) {
	a, b := shapes(t, 1, 2, `"disc": 1, "square": 2`), shapes(t, 2, 1, `"square": 1, "disc": 2`)
	d, err := dataset.Open(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Classes, []string{"disc", "square"}) || !slices.Equal(labelsOf(t, d, 0), labelsOf(t, d, 1)) {
		t.Errorf("classes %q, or labels that differ", d.Classes)
	}
	if err := d.Rename([]string{"square", "disc"}); err != nil {
		t.Fatal(err)
	}
	alone, err := dataset.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(labelsOf(t, d, 1), labelsOf(t, alone, 0)) || !slices.Equal(labelsOf(t, d, 0), labelsOf(t, d, 1)) {
		t.Error("labels do not follow the requested order")
	}
	more, fewer := shapes(t, 1, 2, `"disc": 1, "square": 2, "ring": 3`), shapes(t, 1, 0, `"disc": 1`)
	for _, other := range []string{more, fewer} {
		if _, err := dataset.Open(a, other); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), `["disc" "square"]`) {
			t.Errorf("other classes: %v", err)
		}
		if r := checkedOf(t, a, other); !slices.ContainsFunc(r.Findings, func(f check.Finding) bool { return f.Fault && f.Kind == check.KindClassNames }) {
			t.Errorf("check: %+v", r.Findings)
		}
	}
	unnamed := datasettest.Tree(t, t.TempDir(), map[string]any{"images/a.png": datasettest.Pixels, "labels/a.png": []uint8{0, 1, 2, 0}})
	if d, err = dataset.Open(unnamed, a); err != nil || !slices.Equal(d.Classes, []string{"disc", "square"}) || len(d.Warnings) != 1 {
		t.Errorf("%v, %+v", err, d)
	}
}

// TestTrainByName: --classes sets the order of named classes. Unknown names cause a
// warning or an error.
func TestTrainByName(t *testing.T) {
	dir := shapes(t, 1, 2, `"disc": 1, "square": 2`)
	var warned []string
	run := func(names ...string) (*train.Result, error) {
		o := brief(dir, filepath.Join(t.TempDir(), "m"), 1)
		o.ClassNames, o.NoPage, warned = names, true, nil
		return train.Run(t.Context(), o, func(e train.Event) {
			if e.Kind == train.EventWarning {
				warned = append(warned, e.Message)
			}
		})
	}
	r, err := run("Square", "Disc")
	if err != nil || len(warned) != 0 || !slices.Equal(r.Plan.ClassNames, []string{"Square", "Disc"}) {
		t.Errorf("%v, %q", err, warned)
	}
	if _, err := run("rond", "carre"); err != nil || len(warned) != 1 || !strings.Contains(warned[0], `["rond" "carre"]`) {
		t.Errorf("other names: %v, %q", err, warned)
	}
	for _, names := range [][]string{{"disc", "ring"}, {"disc"}, {"ring"}} {
		if _, err := run(names...); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%q: %v", names, err)
		}
	}
	// A resumed training keeps its classes, however the data number them now.
	o := brief(dir, filepath.Join(t.TempDir(), "m"), 2)
	o.NoPage = true
	if _, err := train.Run(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	o.Resume = true
	datasettest.Put(t, dir, "dataset.json", []byte(`{"channel_names": {"0": "grey"}, "labels": {"background": 0, "ring": 1, "square": 2}}`))
	if _, err := train.Run(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), "ring") {
		t.Errorf("other names since the checkpoint: %v", err)
	}
}

// TestPredictionsByName: a dataset.json next to predictions, or the labels of their
// segments, say how the classes are numbered.
func TestPredictionsByName(t *testing.T) {
	dir := shapes(t, 1, 2, `"disc": 1, "square": 2`)
	other := shapes(t, 2, 1, `"square": 1, "disc": 2`)
	predictions := filepath.Join(other, "labelsTr")
	if r, err := evaluated(t, dir, predictions); err != nil || r.Mean.Dice() == 1 {
		t.Errorf("numbers alone: %v", err)
	}
	datasettest.Put(t, predictions, "dataset.json", []byte(`{"labels": {"background": 0, "square": 1, "disc": 2}}`))
	if r, err := evaluated(t, dir, predictions); err != nil || r.Mean.Dice() != 1 || r.Mean.Classes[0].Name != "disc" {
		t.Errorf("names: %v, %+v", err, r)
	}
	datasettest.Put(t, predictions, "dataset.json", []byte(`{"labels": {"background": 0, "square": 1, "ring": 2}}`))
	if _, err := evaluated(t, dir, predictions); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "ring") {
		t.Errorf("a clash: %v", err)
	}

	const size = 4
	dir = t.TempDir()
	b := dicomtest.Write(datasettest.Slice("7", 0, size, 0, func(x, y int) int { return 1024 + x }))
	datasettest.Put(t, dir, "images/a.dcm", b)
	halves := func(left, right uint8) func(_, x, _ int) uint8 {
		return func(_, x, _ int) uint8 {
			if x < size/2 {
				return left
			}
			return right
		}
	}
	datasettest.Put(t, dir, "labels/a.dcm", datasettest.Segmentation(t, [][]byte{b}, size, []string{"liver", "spleen"}, halves(1, 2)))
	for name, tt := range map[string]struct {
		names       []string
		left, right uint8
		kind        error
		dice        float64
	}{
		"same":        {[]string{"liver", "spleen"}, 1, 2, nil, 1},
		"other order": {[]string{"Spleen", "Liver"}, 2, 1, nil, 1},
		"one alone":   {[]string{"spleen"}, 0, 1, nil, 0.5},
		"unknown":     {[]string{"liver", "kidney"}, 1, 2, segd.ErrFormat, 0},
	} {
		p := t.TempDir()
		datasettest.Put(t, p, "a.dcm", datasettest.Segmentation(t, [][]byte{b}, size, tt.names, halves(tt.left, tt.right)))
		warned := 0
		r, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: p}, func(_, _ int, w string) {
			if strings.Contains(w, `"liver"`) {
				warned++
			}
		})
		if !errors.Is(err, tt.kind) || err == nil && r.Mean.Dice() != tt.dice || warned != map[bool]int{true: 1}[len(tt.names) == 1] {
			t.Errorf("%s: %v, %+v, %d warnings", name, err, r, warned)
		}
	}
}
