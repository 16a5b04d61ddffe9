package dataset_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
	"segd/train/check"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
)

// described lists the cases of a data set: id, group, and the first row of image and
// mask.
func described(t *testing.T, dir string) []string {
	t.Helper()
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i := range d.Cases {
		c := &d.Cases[i]
		r, err := c.ReadClasses()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %s %v %v", c.ID, c.Group, r.Image.Pix[:2*r.Image.Channels], r.Mask.Pix[:2]))
	}
	return list
}

func wantCases(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := described(t, dir); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestOpenVolumes(t *testing.T) {
	dir := t.TempDir()
	image := datasettest.Volume(2, 2, 2, 1, func(x, y, z int) int { return 100*z + x })
	datasettest.Put(t, dir, "images/a.nii.gz", image)
	datasettest.Put(t, dir, "labels/a.nii.gz", datasettest.Volume(2, 2, 2, 1, func(x, y, z int) int { return x * z }))
	datasettest.Put(t, dir, "images/b.nii.gz", image)
	datasettest.Tree(t, dir, map[string]any{"labels/b_0001.png": []uint8{1, 0, 0, 0}, "labels/b_0002.png": []uint8{0, 1, 0, 0}})
	wantCases(t, dir, "a_0001 a [0 1] [0 0]", "a_0002 a [100 101] [0 1]", "b_0001 b [0 1] [1 0]", "b_0002 b [100 101] [0 1]")
	datasettest.Put(t, dir, "ids.csv", []byte("id,group\na,p\nb_0001,p\nb_0002,q\n"))
	wantCases(t, dir, "a_0001 p [0 1] [0 0]", "a_0002 p [100 101] [0 1]", "b_0001 p [0 1] [1 0]", "b_0002 q [100 101] [0 1]")
	datasettest.Put(t, dir, "labels/a.nii.gz", datasettest.Volume(2, 2, 3, 1, func(x, y, z int) int { return 0 }))
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Cases[0].ReadClasses(); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "2×2×3 voxels") {
		t.Errorf("a label of another depth: %v", err)
	}
}

func TestOpenNNUNet(t *testing.T) {
	dir := t.TempDir()
	plane := func(v int) []byte { return datasettest.Volume(2, 1, 1, 1, func(x, _, _ int) int { return v + x }) }
	for k := range 3 {
		datasettest.Put(t, dir, fmt.Sprintf("imagesTr/a_000%d.nii.gz", k), plane(10*k))
	}
	datasettest.Put(t, dir, "labelsTr/a.nii.gz", datasettest.Volume(2, 1, 1, 1, func(x, _, _ int) int { return 2 + x }))
	spec := func(text string) { datasettest.Put(t, dir, "dataset.json", []byte(text)) }
	spec(`{"channel_names": {"0": "T1", "1": "T2", "2": "FLAIR"}, "labels": {"background": 0, "edema": 1, "core": 2, "ignore": 3}, "numTraining": 1, "file_ending": ".nii.gz"}`)
	wantCases(t, dir, "a a [0 10 20 1 11 21] [2 255]")
	if d, _ := dataset.Open(dir); !slices.Equal(d.Classes, []string{"edema", "core"}) {
		t.Errorf("classes %q", d.Classes)
	}
	spec(`{"modality": {"0": "a", "1": "b"}, "labels": {"0": "background", "1": "x"}}`)
	if _, err := dataset.Open(dir); !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), "a_0002 is beyond") {
		t.Errorf("a channel too many: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "imagesTr", "a_0002.nii.gz")); err != nil {
		t.Fatal(err)
	}
	if _, err := dataset.Open(dir); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("two channels: %v", err)
	}
	spec(`{"labels": {"background": 0, "whole": [1, 2]}}`)
	if _, err := dataset.Open(dir); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("regions: %v", err)
	}
	for _, bad := range []string{`{`, `{"labels": {"a": 1, "b": 1}}`, `{"labels": {"a": 2}}`, `{"labels": {"a": "b"}}`, `{"channel_names": {"1": "T1"}}`} {
		spec(bad)
		if _, err := dataset.Open(dir); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestOpenDecathlon opens a set whose files have no channel suffixes.
func TestOpenDecathlon(t *testing.T) {
	dir := t.TempDir()
	datasettest.Put(t, dir, "imagesTr/hippo_0001.nii.gz", datasettest.Volume(2, 1, 2, 1, func(x, _, z int) int { return 5*z + x }))
	datasettest.Put(t, dir, "labelsTr/hippo_0001.nii.gz", datasettest.Volume(2, 1, 2, 1, func(x, _, z int) int { return z }))
	datasettest.Put(t, dir, "dataset.json", []byte(`{"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "anterior"}}`))
	wantCases(t, dir, "hippo_0001_0001 hippo_0001 [0 1] [0 0]", "hippo_0001_0002 hippo_0001 [5 6] [1 1]")
}

// TestOpenSeries labels the files of a DICOM series with segmentations that refer to
// them, whatever their names, and with a volume at the same position.
func TestOpenSeries(t *testing.T) {
	dir := t.TempDir()
	const size = 4
	var first [][]byte
	for i := range 3 {
		b := dicomtest.Write(datasettest.Slice("7", i, size, float64(3*i), func(x, y int) int { return 1024 + 10*i + x }))
		datasettest.Put(t, dir, fmt.Sprintf("images/one/IM%d", i), b)
		first = append(first, b)
		datasettest.Put(t, dir, fmt.Sprintf("images/two/IM%d", i), dicomtest.Write(datasettest.Slice("8", i, size, float64(3*i), func(x, y int) int { return 1024 + x })))
	}
	// The second slice is omitted because nothing is marked there.
	datasettest.Put(t, dir, "labels/any.dcm", datasettest.Segmentation(t, [][]byte{first[0], first[2]}, size, []string{"liver"}, func(i, x, y int) uint8 {
		if x == i {
			return 1
		}
		return 0
	}))
	// The volume's affine flips both in-plane axes: they point right and anterior.
	flipped := niftitest.Volume{Width: size, Height: size, Depth: 3, Affine: [3][4]float64{{1, 0, 0, -3}, {0, 1, 0, -3}, {0, 0, 3, 0}}}
	for z := range 3 {
		for y := range size {
			for x := range size {
				v := int16(0)
				if x == size-1 && y == size-1 && z == 1 {
					v = 1 // the first pixel of the second slice
				}
				flipped.Values = append(flipped.Values, v)
			}
		}
	}
	datasettest.Put(t, dir, "labels/two.nii.gz", niftitest.Write(flipped))
	wantCases(t, dir,
		"one/IM0 one/IM0 [0 1] [1 0]", "one/IM1 one/IM0 [10 11] [0 0]", "one/IM2 one/IM0 [20 21] [0 1]",
		"two/IM0 two/IM0 [0 1] [0 0]", "two/IM1 two/IM0 [0 1] [1 0]", "two/IM2 two/IM0 [0 1] [0 0]")
	d, err := dataset.Open(dir)
	if err != nil || !slices.Equal(d.Classes, []string{"liver"}) {
		t.Errorf("classes %q, %v", d.Classes, err)
	}
	training, validation, warning, err := dataset.Split(d.Cases, 1, 0.5, 0, 0)
	if err != nil || warning != "" || len(training) != 3 || len(validation) != 3 {
		t.Errorf("a series is split: %v %v %q %v", training, validation, warning, err)
	}
	datasettest.Put(t, dir, "images/three/IM0", dicomtest.Write(datasettest.Slice("9", 0, size, 0, func(x, y int) int { return 0 })))
	datasettest.Put(t, dir, "labels/three.dcm", datasettest.Segmentation(t, [][]byte{dicomtest.Write(datasettest.Slice("9", 0, size, 0, func(x, y int) int { return 0 }))}, size,
		[]string{"spleen"}, func(i, x, y int) uint8 { return 1 }))
	if _, err := dataset.Open(dir); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "spleen") {
		t.Errorf("segment 1 with two names: %v", err)
	}
}

// TestOpenMultiFrame labels the frames of one DICOM file.
func TestOpenMultiFrame(t *testing.T) {
	dir := t.TempDir()
	const size = 4
	f := datasettest.Slice("5", 1, size, 0, func(x, y int) int { return 1024 + x })
	f.Frames, f.Pixels = 2, append(f.Pixels, f.Pixels...)
	b := dicomtest.Write(f)
	datasettest.Put(t, dir, "images/cine.dcm", b)
	source, err := dicomio.OpenSource(b)
	if err != nil {
		t.Fatal(err)
	}
	seg, err := dicomio.NewSEG(dicomio.Origin{Run: &dicomio.Run{}, Classes: []segd.Class{{}, {Index: 1, Name: "x"}}, Sources: []*dicomio.Source{source}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		m := segd.NewMask(size, size)
		m.Pix[i] = 1
		if err := seg.AddMask(0, i, m); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := seg.Write(&out); err != nil {
		t.Fatal(err)
	}
	datasettest.Put(t, dir, "labels/cine.dcm", out.Bytes())
	wantCases(t, dir, "cine_0001 cine [0 1] [1 0]", "cine_0002 cine [0 1] [0 1]")
}

// TestCheckFormats finds the same faults in volumes as in pictures.
func TestCheckFormats(t *testing.T) {
	dir := t.TempDir()
	disc := func(x, y, z int) int {
		if (x-8)*(x-8)+(y-8)*(y-8) < 9+6*z {
			return 1
		}
		return 0
	}
	for i, id := range []string{"a", "b", "c", "d"} {
		datasettest.Put(t, dir, "images/"+id+".nii.gz", datasettest.Volume(16, 16, 3, 1, func(x, y, z int) int { return 100*disc(x, y, z) + 7*i + x%3 }))
		datasettest.Put(t, dir, "labels/"+id+".nii.gz", datasettest.Volume(16, 16, 3, 1, disc))
	}
	r, err := check.Run(t.Context(), check.Options{Datasets: []string{dir}, Overfit: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) > 0 || r.Cases != 12 || r.Groups != 4 {
		t.Errorf("a sound set: %+v", r)
	}
	datasettest.Put(t, dir, "labels/a.nii.gz", datasettest.Volume(16, 16, 3, 1, func(x, y, z int) int { return 255 * disc(x, y, z) }))
	datasettest.Put(t, dir, "labels/b.nii.gz", datasettest.Volume(16, 16, 3, 1, func(x, y, z int) int { return 300 * disc(x, y, z) }))
	datasettest.Put(t, dir, "labels/c.nii.gz", datasettest.Volume(16, 12, 3, 1, func(x, y, z int) int { return 0 }))
	datasettest.Put(t, dir, "images/e.nii.gz", []byte("\x1f\x8b broken"))
	datasettest.Put(t, dir, "labels/e.nii.gz", datasettest.Volume(16, 16, 3, 1, disc))
	if r, err = check.Run(t.Context(), check.Options{Datasets: []string{dir}, Overfit: -1}, nil); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, f := range r.Findings {
		if f.Fault {
			kinds[f.Kind+" "+filepath.Base(strings.Split(f.File, ",")[0])]++
		}
	}
	for _, want := range []string{check.KindScaledMask + " a.nii.gz", check.KindScaledMask + " b.nii.gz", check.KindSize + " c.nii.gz", check.KindUnreadable + " e.nii.gz"} {
		if kinds[want] == 0 {
			t.Errorf("%s is missing: %v", want, kinds)
		}
	}
	out := filepath.Join(t.TempDir(), "mended")
	f, err := check.Fix(t.Context(), dir, out, check.FixOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Cases != 6 || f.Mended != 3 {
		t.Errorf("%+v", f)
	}
	mended, err := dataset.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range mended.Cases {
		if r, err := mended.Cases[i].ReadClasses(); err != nil || r.Mask.Pix[8*16+8] != 1 {
			t.Errorf("%s: %v", mended.Cases[i].ID, err)
		}
	}
}

// TestEvaluateFormats measures the masks that segd segment writes: a PNG for each
// frame, a volume, a segmentation.
func TestEvaluateFormats(t *testing.T) {
	dir := t.TempDir()
	half := func(x, y, z int) int { return x / 2 }
	datasettest.Put(t, dir, "images/sub/a.nii.gz", datasettest.Volume(4, 2, 2, 1, func(x, y, z int) int { return x }))
	datasettest.Put(t, dir, "labels/sub/a.nii.gz", datasettest.Volume(4, 2, 2, 1, half))
	png, nii := t.TempDir(), t.TempDir()
	datasettest.Put(t, nii, "sub/a.nii.gz", datasettest.Volume(4, 2, 2, 1, func(x, y, z int) int { return half(x, y, z) * z }))
	datasettest.Tree(t, png, map[string]any{"sub/a_0001.png": []uint8{0, 0, 0, 0}})
	for k, row := range [][]uint8{{0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 1, 1, 0, 0, 1, 1}} {
		m := datasettest.Grey(4, 2, 0)
		copy(m.Pix, row)
		datasettest.WritePNG(t, filepath.Join(png, "sub", fmt.Sprintf("a_%04d.png", k+1)), m)
	}
	for _, predictions := range []string{png, nii} {
		r, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: predictions}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Cases) != 2 || len(r.Groups) != 1 || r.Groups[0].ID != "sub/a" {
			t.Fatalf("%d cases, groups %+v", len(r.Cases), r.Groups)
		}
		if d := r.Cases[0].Classes[0].Dice; d != 0 {
			t.Errorf("first plane: Dice %v", d)
		}
		if d := r.Groups[0].Classes[0].Dice; d < 0.66 || d > 0.67 {
			t.Errorf("volume: Dice %v, want 2/3", d)
		}
	}
}
