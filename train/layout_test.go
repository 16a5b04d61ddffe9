package train

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
	"segd/unet"
)

// put writes a file of a data set.
func put(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// volume is a NIfTI file of w×h×d voxels, whose values are those of at.
func volume(w, h, d int, spacing float64, at func(x, y, z int) int) []byte {
	v := niftitest.Volume{Width: w, Height: h, Depth: d, Affine: [3][4]float64{{-spacing, 0, 0, 0}, {0, -spacing, 0, 0}, {0, 0, 3, 0}}}
	for z := range d {
		for y := range h {
			for x := range w {
				v.Values = append(v.Values, int16(at(x, y, z)))
			}
		}
	}
	return niftitest.Write(v)
}

// slice is a DICOM image of a series, z mm up, whose stored values are those of
// at. Without series it names none and lies nowhere.
func slice(series string, number, size int, z float64, at func(x, y int) int) dicomtest.File {
	f := dicomtest.File{Rows: size, Columns: size, Modality: "CT", Stored: 12, Pixels: make([]byte, 2*size*size)}
	for y := range size {
		for x := range size {
			v := at(x, y)
			f.Pixels[2*(y*size+x)], f.Pixels[2*(y*size+x)+1] = byte(v), byte(v>>8)
		}
	}
	uid := "1.2.826.0.1.3680043.10.543."
	f.Elements = []dicomtest.Element{
		{Tag: 0x00080016, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.2"}, {Tag: 0x00080018, VR: "UI", Value: fmt.Sprintf("%s%s.%d", uid, series, number)},
		{Tag: 0x00100020, VR: "LO", Value: "patient " + series}, {Tag: 0x0020000d, VR: "UI", Value: uid + "1." + series}, {Tag: 0x0020000e, VR: "UI", Value: uid + "2." + series},
		{Tag: 0x00281053, VR: "DS", Value: "1"}, {Tag: 0x00281052, VR: "DS", Value: "-1024"},
		{Tag: 0x00200052, VR: "UI", Value: uid + "3." + series}, {Tag: 0x00200032, VR: "DS", Value: fmt.Sprintf(`0\0\%g`, z)},
		{Tag: 0x00200037, VR: "DS", Value: `1\0\0\0\1\0`}, {Tag: 0x00280030, VR: "DS", Value: `1\1`}, {Tag: 0x00180050, VR: "DS", Value: "3"},
	}
	return f
}

// segmentation is a DICOM Segmentation of images, which marks where of each.
func segmentation(t testing.TB, images [][]byte, size int, names []string, where func(i, x, y int) uint8) []byte {
	t.Helper()
	o := dicomio.Origin{Run: &dicomio.Run{Software: "test"}, Model: "test", Version: "1", Classes: []segd.Class{{Name: "background"}}}
	for i, name := range names {
		o.Classes = append(o.Classes, segd.Class{Index: i + 1, Name: name})
	}
	for _, b := range images {
		s, err := dicomio.OpenSource(b)
		if err != nil {
			t.Fatal(err)
		}
		o.Sources = append(o.Sources, s)
	}
	seg, err := dicomio.NewSEG(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range images {
		m := segd.NewMask(size, size)
		for k := range m.Pix {
			m.Pix[k] = where(i, k%size, k/size)
		}
		if err := seg.AddMask(i, 0, m); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := seg.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// described lists the cases of a data set: id, group, and what the first row of
// image and mask holds.
func described(t *testing.T, dir string) []string {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i := range d.Cases {
		c := &d.Cases[i]
		r, err := readCase(c, unet.HeadClasses)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %s %v %v", c.ID, c.Group, r.image.Pix[:2*r.image.Channels], r.mask.Pix[:2]))
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
	image := volume(2, 2, 2, 1, func(x, y, z int) int { return 100*z + x })
	put(t, dir, "images/a.nii.gz", image)
	put(t, dir, "labels/a.nii.gz", volume(2, 2, 2, 1, func(x, y, z int) int { return x * z }))
	put(t, dir, "images/b.nii.gz", image)
	tree(t, dir, map[string]any{"labels/b_0001.png": []uint8{1, 0, 0, 0}, "labels/b_0002.png": []uint8{0, 1, 0, 0}})
	wantCases(t, dir, "a_0001 a [0 1] [0 0]", "a_0002 a [100 101] [0 1]", "b_0001 b [0 1] [1 0]", "b_0002 b [100 101] [0 1]")
	put(t, dir, "ids.csv", []byte("id,group\na,p\nb_0001,p\nb_0002,q\n"))
	wantCases(t, dir, "a_0001 p [0 1] [0 0]", "a_0002 p [100 101] [0 1]", "b_0001 p [0 1] [1 0]", "b_0002 q [100 101] [0 1]")
	put(t, dir, "labels/a.nii.gz", volume(2, 2, 3, 1, func(x, y, z int) int { return 0 }))
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readCase(&d.Cases[0], unet.HeadClasses); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "2×2×3 voxels") {
		t.Errorf("a label of another depth: %v", err)
	}
}

func TestOpenNNUNet(t *testing.T) {
	dir := t.TempDir()
	plane := func(v int) []byte { return volume(2, 1, 1, 1, func(x, _, _ int) int { return v + x }) }
	for k := range 3 {
		put(t, dir, fmt.Sprintf("imagesTr/a_000%d.nii.gz", k), plane(10*k))
	}
	put(t, dir, "labelsTr/a.nii.gz", volume(2, 1, 1, 1, func(x, _, _ int) int { return 2 + x }))
	spec := func(text string) { put(t, dir, "dataset.json", []byte(text)) }
	spec(`{"channel_names": {"0": "T1", "1": "T2", "2": "FLAIR"}, "labels": {"background": 0, "edema": 1, "core": 2, "ignore": 3}, "numTraining": 1, "file_ending": ".nii.gz"}`)
	wantCases(t, dir, "a a [0 10 20 1 11 21] [2 255]")
	if d, _ := Open(dir); !slices.Equal(d.Classes, []string{"edema", "core"}) {
		t.Errorf("classes %q", d.Classes)
	}
	spec(`{"modality": {"0": "a", "1": "b"}, "labels": {"0": "background", "1": "x"}}`)
	if _, err := Open(dir); !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), "a_0002 is beyond") {
		t.Errorf("a channel too many: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "imagesTr", "a_0002.nii.gz")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("two channels: %v", err)
	}
	spec(`{"labels": {"background": 0, "whole": [1, 2]}}`)
	if _, err := Open(dir); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("regions: %v", err)
	}
	for _, bad := range []string{`{`, `{"labels": {"a": 1, "b": 1}}`, `{"labels": {"a": 2}}`, `{"labels": {"a": "b"}}`, `{"channel_names": {"1": "T1"}}`} {
		spec(bad)
		if _, err := Open(dir); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestOpenDecathlon has no suffixes of channels.
func TestOpenDecathlon(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "imagesTr/hippo_0001.nii.gz", volume(2, 1, 2, 1, func(x, _, z int) int { return 5*z + x }))
	put(t, dir, "labelsTr/hippo_0001.nii.gz", volume(2, 1, 2, 1, func(x, _, z int) int { return z }))
	put(t, dir, "dataset.json", []byte(`{"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "anterior"}}`))
	wantCases(t, dir, "hippo_0001_0001 hippo_0001 [0 1] [0 0]", "hippo_0001_0002 hippo_0001 [5 6] [1 1]")
}

// TestOpenSeries labels the files of DICOM series by segmentations that refer
// to them, whatever they are called, and by a volume that lies where they do.
func TestOpenSeries(t *testing.T) {
	dir := t.TempDir()
	const size = 4
	var first [][]byte
	for i := range 3 {
		b := dicomtest.Write(slice("7", i, size, float64(3*i), func(x, y int) int { return 1024 + 10*i + x }))
		put(t, dir, fmt.Sprintf("images/one/IM%d", i), b)
		first = append(first, b)
		put(t, dir, fmt.Sprintf("images/two/IM%d", i), dicomtest.Write(slice("8", i, size, float64(3*i), func(x, y int) int { return 1024 + x })))
	}
	// The second slice is left out: nothing is marked there.
	put(t, dir, "labels/any.dcm", segmentation(t, [][]byte{first[0], first[2]}, size, []string{"liver"}, func(i, x, y int) uint8 {
		if x == i {
			return 1
		}
		return 0
	}))
	// The volume's affine turns both axes in the plane: right and anterior rise.
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
	put(t, dir, "labels/two.nii.gz", niftitest.Write(flipped))
	wantCases(t, dir,
		"one/IM0 one/IM0 [0 1] [1 0]", "one/IM1 one/IM0 [10 11] [0 0]", "one/IM2 one/IM0 [20 21] [0 1]",
		"two/IM0 two/IM0 [0 1] [0 0]", "two/IM1 two/IM0 [0 1] [1 0]", "two/IM2 two/IM0 [0 1] [0 0]")
	d, err := Open(dir)
	if err != nil || !slices.Equal(d.Classes, []string{"liver"}) {
		t.Errorf("classes %q, %v", d.Classes, err)
	}
	training, validation, warning, err := split(d.Cases, 1, 0.5, 0, 0)
	if err != nil || warning != "" || len(training) != 3 || len(validation) != 3 {
		t.Errorf("a series is split: %v %v %q %v", training, validation, warning, err)
	}
	put(t, dir, "images/three/IM0", dicomtest.Write(slice("9", 0, size, 0, func(x, y int) int { return 0 })))
	put(t, dir, "labels/three.dcm", segmentation(t, [][]byte{dicomtest.Write(slice("9", 0, size, 0, func(x, y int) int { return 0 }))}, size,
		[]string{"spleen"}, func(i, x, y int) uint8 { return 1 }))
	if _, err := Open(dir); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "spleen") {
		t.Errorf("segment 1 with two names: %v", err)
	}
}

// TestOpenMultiFrame labels the frames of one DICOM file.
func TestOpenMultiFrame(t *testing.T) {
	dir := t.TempDir()
	const size = 4
	f := slice("5", 1, size, 0, func(x, y int) int { return 1024 + x })
	f.Frames, f.Pixels = 2, append(f.Pixels, f.Pixels...)
	b := dicomtest.Write(f)
	put(t, dir, "images/cine.dcm", b)
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
	put(t, dir, "labels/cine.dcm", out.Bytes())
	wantCases(t, dir, "cine_0001 cine [0 1] [1 0]", "cine_0002 cine [0 1] [0 1]")
}

// TestCheckFormats finds in volumes what it finds in pictures.
func TestCheckFormats(t *testing.T) {
	dir := t.TempDir()
	disc := func(x, y, z int) int {
		if (x-8)*(x-8)+(y-8)*(y-8) < 9+6*z {
			return 1
		}
		return 0
	}
	for i, id := range []string{"a", "b", "c", "d"} {
		put(t, dir, "images/"+id+".nii.gz", volume(16, 16, 3, 1, func(x, y, z int) int { return 100*disc(x, y, z) + 7*i + x%3 }))
		put(t, dir, "labels/"+id+".nii.gz", volume(16, 16, 3, 1, disc))
	}
	r, err := Check(t.Context(), CheckOptions{Datasets: []string{dir}, Overfit: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) > 0 || r.Cases != 12 || r.Groups != 4 {
		t.Errorf("a sound set: %+v", r)
	}
	put(t, dir, "labels/a.nii.gz", volume(16, 16, 3, 1, func(x, y, z int) int { return 255 * disc(x, y, z) }))
	put(t, dir, "labels/b.nii.gz", volume(16, 16, 3, 1, func(x, y, z int) int { return 300 * disc(x, y, z) }))
	put(t, dir, "labels/c.nii.gz", volume(16, 12, 3, 1, func(x, y, z int) int { return 0 }))
	put(t, dir, "images/e.nii.gz", []byte("\x1f\x8b broken"))
	put(t, dir, "labels/e.nii.gz", volume(16, 16, 3, 1, disc))
	if r, err = Check(t.Context(), CheckOptions{Datasets: []string{dir}, Overfit: -1}, nil); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, f := range r.Findings {
		if f.Fault {
			kinds[f.Kind+" "+filepath.Base(strings.Split(f.File, ",")[0])]++
		}
	}
	for _, want := range []string{KindScaledMask + " a.nii.gz", KindScaledMask + " b.nii.gz", KindSize + " c.nii.gz", KindUnreadable + " e.nii.gz"} {
		if kinds[want] == 0 {
			t.Errorf("%s is missing: %v", want, kinds)
		}
	}
	out := filepath.Join(t.TempDir(), "mended")
	f, err := Fix(t.Context(), dir, out, FixOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Cases != 6 || f.Mended != 3 {
		t.Errorf("%+v", f)
	}
	mended, err := Open(out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range mended.Cases {
		if r, err := readCase(&mended.Cases[i], unet.HeadClasses); err != nil || r.mask.Pix[8*16+8] != 1 {
			t.Errorf("%s: %v", mended.Cases[i].ID, err)
		}
	}
}

// TestEvaluateFormats measures masks as segd segment writes them: a PNG for
// each frame, a volume, a segmentation.
func TestEvaluateFormats(t *testing.T) {
	dir := t.TempDir()
	half := func(x, y, z int) int { return x / 2 }
	put(t, dir, "images/sub/a.nii.gz", volume(4, 2, 2, 1, func(x, y, z int) int { return x }))
	put(t, dir, "labels/sub/a.nii.gz", volume(4, 2, 2, 1, half))
	png, nii := t.TempDir(), t.TempDir()
	put(t, nii, "sub/a.nii.gz", volume(4, 2, 2, 1, func(x, y, z int) int { return half(x, y, z) * z }))
	tree(t, png, map[string]any{"sub/a_0001.png": []uint8{0, 0, 0, 0}})
	for k, row := range [][]uint8{{0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 1, 1, 0, 0, 1, 1}} {
		m := grey(4, 2, 0)
		copy(m.Pix, row)
		writePNG(t, filepath.Join(png, "sub", fmt.Sprintf("a_%04d.png", k+1)), m)
	}
	for _, predictions := range []string{png, nii} {
		r, err := Evaluate(t.Context(), EvaluateOptions{Datasets: []string{dir}, Predictions: predictions}, nil)
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
