package dataset_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/internal/scanio/tifftest"
	"segd/train/check"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
)

// Each page of a TIFF is a frame, and pairs with the same page of its label.
func TestTIFFStacks(t *testing.T) {
	images := [][]uint8{{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}
	masks := [][]uint8{{0, 1, 0, 0}, {0, 0, 1, 0}, {1, 1, 0, 0}}
	image := string(tifftest.Stack(2, 2, images...))
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{"images/a.tif": image, "labels/a.tif": string(tifftest.Stack(2, 2, masks...))})
	d, err := dataset.Open(dir)
	if err != nil || len(d.Cases) != 3 {
		t.Fatalf("%+v, %v", d, err)
	}
	for i := range d.Cases {
		c := &d.Cases[i]
		img, err := c.ReadImage()
		if err != nil || img.Pix[0] != float32(images[i][0]) {
			t.Errorf("image %s: %v, %v", c.ID, img, err)
		}
		if m, err := c.ReadMask(); err != nil || !slices.Equal(m.Pix, masks[i]) || c.Group != "a" {
			t.Errorf("label %s of %s: %v, %v", c.ID, c.Group, m, err)
		}
		if v, err := c.ReadLabelValues(2, 2); err != nil || v[1] != float32(masks[i][1]) {
			t.Errorf("values %s: %v, %v", c.ID, v, err)
		}
	}
	if r := checkedOf(t, dir); r.Cases != 3 || r.Groups != 1 || r.Faults() != 0 {
		t.Errorf("%+v", r)
	}
	predictions := datasettest.Tree(t, t.TempDir(), map[string]any{"a.tif": string(tifftest.Stack(2, 2, masks[0], masks[1], masks[0]))})
	r, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: predictions}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1, 1, 2. / 3} {
		if got := r.Cases[i].Classes[0].Dice; got != want {
			t.Errorf("page %d: Dice %v, want %v", i+1, got, want)
		}
	}
	out := filepath.Join(t.TempDir(), "mended")
	if f, err := check.Fix(t.Context(), dir, out, check.FixOptions{}); err != nil || f.Cases != 3 {
		t.Errorf("%+v, %v", f, err)
	}
	if d, err := dataset.Open(out); err != nil || len(d.Cases) != 3 {
		t.Errorf("%+v, %v", d, err)
	}
}

// All commands refuse labels without exactly one mask for each frame.
func TestTIFFStacksThatDiffer(t *testing.T) {
	page := []uint8{0, 1, 0, 0}
	image := string(tifftest.Stack(2, 2, page, page, page))
	for name, files := range map[string]map[string]any{
		"a page too few":     {"images/a.tif": image, "labels/a.tif": string(tifftest.Stack(2, 2, page, page))},
		"a page for a stack": {"images/a.tif": image, "labels/a.tif": string(tifftest.Stack(2, 2, page))},
		"a PNG for a stack":  {"images/a.tif": image, "labels/a.png": []uint8{0, 1}},
		"a stack for a page": {"images/a.tif": string(tifftest.Stack(2, 2, page)), "labels/a.tif": string(tifftest.Stack(2, 2, page, page))},
		"a stack for a PNG":  {"images/a.png": []uint8{0, 1, 2, 3}, "labels/a.tif": string(tifftest.Stack(2, 2, page, page))},
		"a stack for each frame": {"images/a.tif": image, "labels/a_0001.tif": string(tifftest.Stack(2, 2, page, page)),
			"labels/a_0002.tif": string(tifftest.Stack(2, 2, page)), "labels/a_0003.tif": string(tifftest.Stack(2, 2, page))},
	} {
		dir := datasettest.Tree(t, t.TempDir(), files)
		r := checkedOf(t, dir)
		n := 0
		for _, f := range r.Findings {
			if f.Fault && f.Kind == check.KindSize {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: %+v", name, r.Findings)
		}
		d, err := dataset.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Cases[0].ReadMask(); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "mask") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One file per frame is accepted.
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{"images/a.tif": image, "labels/a_0001.png": page, "labels/a_0002.png": page, "labels/a_0003.png": page})
	if r := checkedOf(t, dir); r.Faults() != 0 || r.Cases != 3 {
		t.Errorf("%+v", r)
	}
}
