package dataset_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
)

// patients writes a data set of two patients whose slices have the same names but
// different masks.
func patients(t *testing.T) (dir string, masks map[string][]uint8) {
	t.Helper()
	masks = map[string][]uint8{}
	files := map[string]any{}
	for p := range 2 {
		for k := range 2 {
			m := []uint8{0, 0, 0, 0}
			m[2*p+k] = 1
			id := fmt.Sprintf("patient%d/slice%d", p+1, k)
			masks[id] = m
			files["ds/images/"+id+".png"], files["ds/labels/"+id+".png"] = datasettest.Pixels, m
		}
	}
	return filepath.Join(datasettest.Tree(t, t.TempDir(), files), "ds"), masks
}

// predicted writes the masks of ids under the names that path returns.
func predicted(t *testing.T, masks map[string][]uint8, path func(id string) string) string {
	t.Helper()
	files := map[string]any{"note.txt": ""}
	for id, m := range masks {
		if name := path(id); name != "" {
			files[name+".png"] = m
		}
	}
	return datasettest.Tree(t, t.TempDir(), files)
}

// TestPredictionsByPath: a mask counts only for the image with the same path, even if
// all paths differ by the same folders.
func TestPredictionsByPath(t *testing.T) {
	dir, masks := patients(t)
	for name, tt := range map[string]struct {
		path func(id string) string
		says string // part of the error; empty: Dice is 1
	}{
		"same":           {func(id string) string { return id }, ""},
		"folder above":   {func(id string) string { return "images/" + id }, ""},
		"two above":      {func(id string) string { return "ds/images/" + id }, ""},
		"missing":        {func(id string) string { return only(id, "patient2/") }, "case patient1/slice0"},
		"one missing":    {func(id string) string { return strings.TrimSuffix(id, "patient2/slice1") }, "case patient2/slice1"},
		"missing, above": {func(id string) string { return "images/" + only(id, "patient2/") }, "case patient1/slice0"},
		"too deep":       {func(id string) string { return "patient1/patient2/" + filepath.Base(id) }, "case patient1/slice0"},
		"swapped":        {func(id string) string { return "mask/" + id }, "give that folder"},
		"flat":           {func(id string) string { return strings.TrimPrefix(only(id, "patient1/"), "patient1/") }, "case patient1/slice0"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := evaluated(t, dir, predicted(t, masks, tt.path))
			switch {
			case tt.says == "" && (err != nil || r.Mean.Dice() != 1):
				t.Errorf("%v, %+v", err, r)
			case tt.says != "" && (!errors.Is(err, segd.ErrNotFound) || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}

// only returns id if it begins with prefix, else "".
func only(id, prefix string) string {
	if strings.HasPrefix(id, prefix) {
		return id
	}
	return ""
}

// TestPredictionsBelow: masks made from the one folder that holds all images lack its
// name, which causes a warning.
func TestPredictionsBelow(t *testing.T) {
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{"images/p/a.png": datasettest.Pixels, "images/p/b.png": datasettest.Pixels, "labels/p/a.png": datasettest.Pixels, "labels/p/b.png": datasettest.Pixels})
	var warned []string
	o := evaluate.Options{Datasets: []string{dir}, Predictions: datasettest.Tree(t, t.TempDir(), map[string]any{"a.png": datasettest.Pixels, "b.png": datasettest.Pixels})}
	r, err := evaluate.Run(t.Context(), o, func(_, _ int, w string) { warned = append(warned, w) })
	if err != nil || r.Mean.Dice() != 1 || !strings.Contains(strings.Join(warned, "\n"), "p/a") {
		t.Errorf("%v, %+v, %q", err, r, warned)
	}
	// Masks both above and below are ambiguous.
	o.Predictions = datasettest.Tree(t, t.TempDir(), map[string]any{"a.png": datasettest.Pixels, "b.png": datasettest.Pixels, "images/p/a.png": datasettest.Pixels, "images/p/b.png": datasettest.Pixels})
	if _, err := evaluate.Run(t.Context(), o, nil); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("two that fit: %v", err)
	}
}

// TestPredictionsOfSeveralSets: cases of two data sets never share a mask.
func TestPredictionsOfSeveralSets(t *testing.T) {
	root := datasettest.Tree(t, t.TempDir(), map[string]any{
		"A/images/a.png": datasettest.Pixels, "A/labels/a.png": []uint8{1, 0, 0, 0}, "B/images/a.png": datasettest.Pixels, "B/labels/a.png": []uint8{0, 1, 0, 0},
		"C/images/c.png": datasettest.Pixels, "C/labels/c.png": []uint8{0, 0, 1, 0},
	})
	set := func(name string) string { return filepath.Join(root, name) }
	evaluate := func(sets []string, files map[string]any) (float64, error) {
		r, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: sets, Predictions: datasettest.Tree(t, t.TempDir(), files)}, nil)
		if err != nil {
			return 0, err
		}
		return r.Mean.Dice(), nil
	}
	both := []string{set("A"), set("B")}
	a, b, c := []uint8{1, 0, 0, 0}, []uint8{0, 1, 0, 0}, []uint8{0, 0, 1, 0}
	for name, files := range map[string]map[string]any{
		"by set":   {"A/a.png": a, "B/a.png": b},
		"by paths": {"A/images/a.png": a, "B/images/a.png": b},
	} {
		if dice, err := evaluate(both, files); err != nil || dice != 1 {
			t.Errorf("%s: %v, %v", name, dice, err)
		}
	}
	if dice, err := evaluate([]string{set("A"), set("C")}, map[string]any{"a.png": a, "c.png": c}); err != nil || dice != 1 {
		t.Errorf("without names of sets: %v, %v", dice, err)
	}
	if _, err := evaluate(both, map[string]any{"a.png": a}); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "fits both case A/a and case B/a") {
		t.Errorf("a shared mask: %v", err)
	}
	if _, err := evaluate(both, map[string]any{"A/a.png": a}); !errors.Is(err, segd.ErrNotFound) || !strings.Contains(err.Error(), "case B/a") {
		t.Errorf("a missing mask: %v", err)
	}
}

// TestPredictionsOfChannels: finds the masks that segd segment makes of CASE_0000,
// and those of nnU-Net, which are called CASE.
func TestPredictionsOfChannels(t *testing.T) {
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{
		"imagesTr/x_0000.png": datasettest.Pixels, "imagesTr/y_0000.png": datasettest.Pixels, "labelsTr/x.png": datasettest.Pixels, "labelsTr/y.png": datasettest.Pixels,
		"dataset.json": `{"channel_names": {"0": "grey"}, "labels": {"background": 0, "disc": 1}}`,
	})
	for _, files := range []map[string]any{{"x.png": datasettest.Pixels, "y.png": datasettest.Pixels}, {"x_0000.png": datasettest.Pixels, "y_0000.png": datasettest.Pixels}, {"imagesTr/x_0000.png": datasettest.Pixels, "imagesTr/y_0000.png": datasettest.Pixels}} {
		if r, err := evaluated(t, dir, datasettest.Tree(t, t.TempDir(), files)); err != nil || r.Mean.Dice() != 1 {
			t.Errorf("%v: %v", files, err)
		}
	}
	if _, err := evaluated(t, dir, datasettest.Tree(t, t.TempDir(), map[string]any{"x.png": datasettest.Pixels, "y_0000.png": datasettest.Pixels})); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("an ending on one file only: %v", err)
	}
}

// TestPredictionFrames: either one file has as many masks as its image has frames, or
// each frame has a file.
func TestPredictionFrames(t *testing.T) {
	dir := t.TempDir()
	datasettest.Put(t, dir, "images/v.nii.gz", datasettest.Volume(2, 2, 2, 1, func(x, y, z int) int { return x }))
	datasettest.Put(t, dir, "labels/v.nii.gz", datasettest.Volume(2, 2, 2, 1, func(x, y, z int) int { return x }))
	for name, tt := range map[string]struct {
		file    string
		content []byte
		kind    error
	}{
		"volume":       {"v.nii.gz", datasettest.Volume(2, 2, 2, 1, func(x, y, z int) int { return x }), nil},
		"three planes": {"v.nii.gz", datasettest.Volume(2, 2, 3, 1, func(x, y, z int) int { return x }), segd.ErrFormat},
		"one plane":    {"v.nii.gz", datasettest.Volume(2, 2, 1, 1, func(x, y, z int) int { return x }), segd.ErrFormat},
		"one frame":    {"v_0001.nii.gz", datasettest.Volume(2, 2, 2, 1, func(x, y, z int) int { return x }), segd.ErrNotFound},
	} {
		p := t.TempDir()
		datasettest.Put(t, p, tt.file, tt.content)
		if _, err := evaluated(t, dir, p); !errors.Is(err, tt.kind) {
			t.Errorf("%s: %v, want %v", name, err, tt.kind)
		}
	}
	if _, err := evaluated(t, dir, datasettest.Tree(t, t.TempDir(), map[string]any{"v.png": []uint8{0, 1, 0, 1}})); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("one picture for two frames: %v", err)
	}
}

// seriesSet writes a data set of two slices of one series, marked in different
// places. It also returns the images.
func seriesSet(t *testing.T) (dir string, images [][]byte) {
	t.Helper()
	dir = t.TempDir()
	const size = 4
	for i := range 2 {
		b := dicomtest.Write(datasettest.Slice("7", i, size, float64(3*i), func(x, y int) int { return 1024 + 10*i + x }))
		datasettest.Put(t, dir, fmt.Sprintf("images/s/IM%d", i), b)
		m := datasettest.Grey(size, size, 0)
		m.Pix[i] = 1
		datasettest.Put(t, dir, fmt.Sprintf("labels/s/IM%d.png", i), datasettest.Encode(t, m))
		images = append(images, b)
	}
	return dir, images
}

// TestPredictionsByIdentity: a segmentation belongs to the images it refers to, and a
// contradicting path is refused.
func TestPredictionsByIdentity(t *testing.T) {
	const size = 4
	dir, images := seriesSet(t)
	seg := func(which ...int) []byte {
		var list [][]byte
		for _, i := range which {
			list = append(list, images[i])
		}
		return datasettest.Segmentation(t, list, size, []string{"spot"}, func(i, x, y int) uint8 {
			if y == 0 && x == which[i] {
				return 1
			}
			return 0
		})
	}
	for name, tt := range map[string]struct {
		files map[string][]byte
		kind  error
	}{
		"one of the series":            {map[string][]byte{"any.dcm": seg(0, 1)}, nil},
		"one each":                     {map[string][]byte{"x.dcm": seg(1), "y.dcm": seg(0)}, nil},
		"one is missing":               {map[string][]byte{"x.dcm": seg(1)}, segd.ErrNotFound},
		"swapped names":                {map[string][]byte{"s/IM0.dcm": seg(1), "s/IM1.dcm": seg(0)}, segd.ErrFormat},
		"one belongs to another image": {map[string][]byte{"s/IM0.dcm": seg(0), "s/IM1.dcm": otherSEG(t)}, segd.ErrFormat},
	} {
		p := t.TempDir()
		for file, b := range tt.files {
			datasettest.Put(t, p, file, b)
		}
		r, err := evaluated(t, dir, p)
		if !errors.Is(err, tt.kind) || err == nil && r.Mean.Dice() != 1 {
			t.Errorf("%s: %v, want %v", name, err, tt.kind)
		}
	}
	// A volume of the series, as segd segment writes it, covers both slices.
	for name, depth := range map[string]int{"s/IM0.nii.gz": 2, "s.nii.gz": 2} {
		p := t.TempDir()
		datasettest.Put(t, p, name, placedVolume(size, depth))
		if r, err := evaluated(t, dir, p); err != nil || r.Mean.Dice() != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := t.TempDir()
	datasettest.Put(t, p, "s/IM0.nii.gz", placedVolume(size, 1))
	if _, err := evaluated(t, dir, p); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("a volume of one of two slices: %v", err)
	}
}

// placedVolume returns a volume of masks at the position of seriesSet's slices.
func placedVolume(size, depth int) []byte {
	v := niftitest.Volume{Width: size, Height: size, Depth: depth, Affine: [3][4]float64{{-1, 0, 0, 0}, {0, -1, 0, 0}, {0, 0, 3, 0}}}
	v.Values = make([]int16, size*size*depth)
	for k := range depth {
		v.Values[k*size*size+k] = 1
	}
	return niftitest.Write(v)
}

// TestLabelOfAnotherImage: a label segmentation named like one image but referring to
// another is refused.
func TestLabelOfAnotherImage(t *testing.T) {
	dir := t.TempDir()
	datasettest.Put(t, dir, "images/a.dcm", dicomtest.Write(datasettest.Slice("7", 0, 4, 0, func(x, y int) int { return 1024 + x })))
	datasettest.Put(t, dir, "labels/a.dcm", otherSEG(t))
	if _, err := dataset.Open(dir); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "refers to other images") {
		t.Errorf("got %v", err)
	}
}

// otherSEG returns a segmentation of a slice at the position of the first slice of
// series 7, but in another series.
func otherSEG(t *testing.T) []byte {
	b := dicomtest.Write(datasettest.Slice("9", 0, 4, 0, func(x, y int) int { return 1024 + x }))
	return datasettest.Segmentation(t, [][]byte{b}, 4, []string{"spot"}, func(i, x, y int) uint8 { return 1 })
}
