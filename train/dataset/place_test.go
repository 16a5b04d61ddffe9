package dataset_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
	"segd/internal/orient"
	"segd/models"
	"segd/train"
	"segd/train/check"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
	"segd/unet"
)

// position (axes pointing right, anterior and superior) and size of the volumes in
// these tests.
var (
	standard = segd.Affine{{-1, 0, 0, 40}, {0, -1, 0, 30}, {0, 0, 3, -10}}
	extent   = [3]int{9, 8, 5}
)

// blob is an asymmetric structure.
func blob(v [3]int) int {
	if v[0] < 4 && v[1] < 3+v[2] && v[2] < 3 {
		return 1 + v[2]%2
	}
	return 0
}

// storedAs returns a NIfTI file with the voxels of a volume stored in orientation
// turn. change modifies its affine.
func storedAs(turn orient.Turn, at func(v [3]int) int, change func(m *segd.Affine)) []byte {
	size, m := turn.Size(), turn.Affine(standard)
	if change != nil {
		change(&m)
	}
	file := niftitest.Volume{Width: size[0], Height: size[1], Depth: size[2], Affine: m}
	for z := range size[2] {
		for y := range size[1] {
			for x := range size[0] {
				file.Values = append(file.Values, int16(at(turn.At([3]int{x, y, z}))))
			}
		}
	}
	return niftitest.Write(file)
}

// ways returns all 48 orientations in which a volume can be stored.
func ways() (list []orient.Turn) {
	for _, p := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for bits := range 8 {
			list = append(list, orient.Turn{Axis: p, Flip: [3]bool{bits&1 == 1, bits&2 == 2, bits&4 == 4}, Stored: extent})
		}
	}
	return list
}

func bright(v [3]int) int { return 20 + 100*blob(v) + v[0] }

// TestPlacedLabels reads labels and predictions stored in any of 48 orientations: the
// masks match the pixels of the image.
func TestPlacedLabels(t *testing.T) {
	dir, predictions := t.TempDir(), t.TempDir()
	keep := orient.Keep(extent)
	for i, way := range ways() {
		datasettest.Put(t, dir, fmt.Sprintf("images/v%02d.nii.gz", i), storedAs(keep, bright, nil))
		datasettest.Put(t, dir, fmt.Sprintf("labels/v%02d.nii.gz", i), storedAs(way, blob, nil))
		datasettest.Put(t, predictions, fmt.Sprintf("v%02d.nii.gz", i), storedAs(ways()[47-i], blob, nil))
	}
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Cases {
		c := &d.Cases[i]
		r, err := c.ReadClasses()
		if err != nil {
			t.Fatal(err)
		}
		values, err := c.ReadLabelValues(extent[0], extent[1])
		if err != nil {
			t.Fatal(err)
		}
		for k, got := range r.Mask.Pix {
			want := blob([3]int{k % extent[0], k / extent[0], c.Frame})
			if int(got) != want || values[k] != float32(want) {
				t.Fatalf("%s: pixel %d is %d, and %g as a value, want %d", c.ID, k, got, values[k], want)
			}
		}
	}
	r, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: predictions}, warnsNot(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Pooled.Classes {
		if c.Dice != 1 {
			t.Errorf("Dice %v, want 1", c.Dice)
		}
	}
	found, err := check.Run(t.Context(), check.Options{Datasets: []string{dir}, Overfit: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found.Findings {
		if f.Kind == check.KindPlace || f.Fault && f.Kind != check.KindDuplicate {
			t.Errorf("a sound set: %+v", f)
		}
	}
}

func warnsNot(t *testing.T) func(int, int, string) {
	return func(_, _ int, warning string) {
		if warning != "" {
			t.Errorf("warning %q", warning)
		}
	}
}

// TestMisplacedLabels: train, evaluate and check refuse labels that are shifted from
// their image or have other voxels, and state the distance.
func TestMisplacedLabels(t *testing.T) {
	keep := orient.Keep(extent)
	small := orient.Turn{Axis: keep.Axis, Stored: [3]int{9, 8, 3}}
	for name, tt := range map[string]struct {
		label []byte
		mm    string
		kind  string
	}{
		"8 mm away":       {storedAs(keep, blob, func(m *segd.Affine) { m[0][3] += 8 }), "8 mm", check.KindPlace},
		"a voxel":         {storedAs(keep, blob, func(m *segd.Affine) { m[1][3]++ }), "1 mm", check.KindPlace},
		"half a voxel":    {storedAs(keep, blob, func(m *segd.Affine) { m[0][3] += 0.5 }), "0.5 mm", check.KindPlace},
		"flipped, beside": {storedAs(ways()[3], blob, func(m *segd.Affine) { m[2][3] += 3 }), "3 mm", check.KindPlace},
		"other spacing":   {storedAs(keep, blob, func(m *segd.Affine) { m[2][2] = 2.5 }), "2 mm", check.KindPlace},
		"cropped":         {storedAs(small, blob, func(m *segd.Affine) { m[2][3] += 3 }), "9×8×3 voxels", check.KindSize},
	} {
		dir, predictions := t.TempDir(), t.TempDir()
		datasettest.Put(t, dir, "images/a.nii.gz", storedAs(keep, bright, nil))
		datasettest.Put(t, dir, "labels/a.nii.gz", storedAs(keep, blob, nil))
		datasettest.Put(t, predictions, "a.nii.gz", tt.label)
		_, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: predictions}, nil)
		misplaced(t, name+", prediction", tt.mm, err)
		datasettest.Put(t, dir, "labels/a.nii.gz", tt.label)
		_, err = train.Run(t.Context(), brief(dir, filepath.Join(t.TempDir(), "out"), 1), nil)
		misplaced(t, name+", train", tt.mm, err)
		o := brief(dir, filepath.Join(t.TempDir(), "out"), 1)
		o.Network.Head = unet.HeadRegression
		_, err = train.Run(t.Context(), o, nil)
		misplaced(t, name+", train on values", tt.mm, err)
		r, err := check.Run(t.Context(), check.Options{Datasets: []string{dir}, Overfit: -1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		faults := 0
		for _, f := range r.Findings {
			if f.Fault && f.Kind == tt.kind && strings.Contains(f.Cause, tt.mm) {
				faults++
			}
		}
		if faults != 1 {
			t.Errorf("%s: check says %+v, want one %s with %s", name, r.Findings, tt.kind, tt.mm)
		}
	}
}

func misplaced(t *testing.T, name, text string, err error) {
	t.Helper()
	var match *orient.MatchError
	if !errors.As(err, &match) || !errors.Is(err, segd.ErrFormat) || !strings.Contains(fmt.Sprint(err), text) {
		t.Errorf("%s: %v, want %q", name, err, text)
	}
}

// TestUnplacedLabels: planes are matched by number if one side has no position, with
// one warning; contradictory sform and qform are named too.
func TestUnplacedLabels(t *testing.T) {
	dir, predictions := t.TempDir(), t.TempDir()
	keep := orient.Keep(extent)
	for _, name := range []string{"a", "b"} {
		datasettest.Put(t, dir, "images/"+name+".nii.gz", storedAs(keep, bright, nil))
		datasettest.Put(t, dir, "labels/"+name+".nii.gz", storedAs(keep, blob, func(m *segd.Affine) { *m = segd.Affine{} }))
		datasettest.Put(t, predictions, name+".nii.gz", storedAs(keep, blob, nil))
	}
	var warnings []string
	r, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: predictions}, func(_, _ int, w string) {
		if w != "" {
			warnings = append(warnings, w)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Pooled.Classes[0].Dice != 1 {
		t.Errorf("Dice %v", r.Pooled.Classes[0].Dice)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "a.nii.gz and 1 more: ") || !strings.Contains(warnings[0], "by number") {
		t.Errorf("warnings %q", warnings)
	}
	two := niftitest.Volume{Width: 9, Height: 8, Depth: 5, Affine: standard, Qform: true, Distance: [3]float64{1, 1, 3}, Values: make([]int16, 9*8*5)}
	datasettest.Put(t, dir, "images/b.nii.gz", niftitest.Write(two))
	found, err := check.Run(t.Context(), check.Options{Datasets: []string{dir}, Overfit: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, f := range found.Findings {
		if f.Kind == check.KindPlace {
			places = append(places, f.Cause)
		}
	}
	if len(places) != 2 || !strings.Contains(strings.Join(places, "; "), "sform and the qform of the file place it up to 51") {
		t.Errorf("check says %q", places)
	}
}

// TestPlacedSegmentation matches DICOM Segmentations with images of both formats by
// position, and refuses those at another position.
func TestPlacedSegmentation(t *testing.T) {
	const size = 8
	at := func(k, x, y int) uint8 { return uint8(blob([3]int{x, y, k})) % 2 }
	at3 := func(v [3]int) int { return int(at(v[2], v[0], v[1])) }
	images := func(z float64, turned bool) (list [][]byte) {
		for k := range 3 {
			f := datasettest.Slice("9", k, size, z+float64(3*k), func(x, y int) int { return 100*x + y })
			if turned { // upside down, with the same pixels
				f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00200032, VR: "DS", Value: fmt.Sprintf(`0\7\%g`, z+float64(3*k))},
					dicomtest.Element{Tag: 0x00200037, VR: "DS", Value: `1\0\0\0\-1\0`})
			}
			list = append(list, dicomtest.Write(f))
		}
		return list
	}
	// A segmentation of NIfTI images stored in 48 orientations.
	volume := func(way orient.Turn, shift float64) []byte {
		way.Stored = [3]int{size, size, 3}
		n, m := way.Size(), way.Affine(segd.Affine{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}}).RAS()
		m[0][3] += shift
		return niftitest.Write(niftitest.Volume{Width: n[0], Height: n[1], Depth: n[2], Affine: m, Values: make([]int16, n[0]*n[1]*n[2])})
	}
	seg := datasettest.Segmentation(t, images(0, false), size, []string{"organ"}, at)
	for _, way := range ways() {
		dir := t.TempDir()
		datasettest.Put(t, dir, "images/a.nii.gz", volume(way, 0))
		datasettest.Put(t, dir, "labels/a.dcm", seg)
		d, err := dataset.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		way.Stored = [3]int{size, size, 3}
		for i := range d.Cases {
			m, err := d.Cases[i].ReadMask()
			if err != nil {
				t.Fatal(err)
			}
			for k, got := range m.Pix {
				if want := at3(way.At([3]int{k % m.Width, k / m.Width, i})); int(got) != want {
					t.Fatalf("%+v, frame %d: pixel %d is %d, want %d", way, i, k, got, want)
				}
			}
		}
		datasettest.Put(t, dir, "images/a.nii.gz", volume(way, 8))
		if d, err = dataset.Open(dir); err != nil {
			t.Fatal(err)
		}
		_, err = d.Cases[0].ReadMask()
		misplaced(t, "a volume next to it", "8 mm away", err)
	}
	// A segmentation of DICOM images that lie upside down or elsewhere.
	dir := t.TempDir()
	for k, b := range images(0, true) {
		datasettest.Put(t, dir, fmt.Sprintf("images/s/%d.dcm", k), b)
	}
	datasettest.Put(t, dir, "labels/s.dcm", seg)
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Cases {
		m, err := d.Cases[i].ReadMask()
		if err != nil {
			t.Fatal(err)
		}
		for k, got := range m.Pix {
			if want := at(i, k%size, size-1-k/size); got != want {
				t.Fatalf("upside down, frame %d: pixel %d is %d, want %d", i, k, got, want)
			}
		}
	}
	for k, b := range images(1, false) {
		datasettest.Put(t, dir, fmt.Sprintf("images/s/%d.dcm", k), b)
	}
	if d, err = dataset.Open(dir); err != nil {
		t.Fatal(err)
	}
	_, err = d.Cases[0].ReadMask()
	misplaced(t, "slices beside", "1 mm away", err)
	// A NIfTI label that does not cover its image.
	dir = t.TempDir()
	datasettest.Put(t, dir, "images/x.dcm", images(0, false)[0])
	datasettest.Put(t, dir, "labels/x.nii.gz", volume(orient.Keep(extent), 2))
	if d, err = dataset.Open(dir); err != nil {
		t.Fatal(err)
	}
	_, err = d.Cases[0].ReadMask()
	misplaced(t, "a label that is cut off", "1.5 mm beyond", err)
}

// TestPlanesAreRecorded trains on volumes stored in one orientation and in several:
// the model card records the orientation and asks for such planes.
func TestPlanesAreRecorded(t *testing.T) {
	for name, tt := range map[string]struct {
		ways  []orient.Turn
		want  *segd.Plane
		kinds int
		warns bool
	}{
		"alike":     {[]orient.Turn{ways()[0], ways()[0]}, &segd.Plane{Name: "axial", Right: "L", Down: "P"}, 1, false},
		"turned":    {[]orient.Turn{ways()[32], ways()[32]}, &segd.Plane{Name: "coronal", Right: "S", Down: "L"}, 1, false},
		"different": {[]orient.Turn{ways()[0], ways()[32]}, nil, 2, true},
	} {
		dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
		for i, way := range tt.ways {
			datasettest.Put(t, dir, fmt.Sprintf("images/v%d.nii.gz", i), storedAs(way, func(v [3]int) int { return bright(v) + i }, nil))
			datasettest.Put(t, dir, fmt.Sprintf("labels/v%d.nii.gz", i), storedAs(way, blob, nil))
		}
		o := brief(dir, out, 1)
		o.All = true
		var warnings []string
		if _, err := train.Run(t.Context(), o, func(e train.Event) {
			if e.Kind == train.EventWarning {
				warnings = append(warnings, e.Message)
			}
		}); err != nil {
			t.Fatal(err)
		}
		m, err := models.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		p := m.Planes
		if p == nil || len(p.Training) != tt.kinds || (p.Wants == nil) != (tt.want == nil) || tt.want != nil && *p.Wants != *tt.want {
			t.Errorf("%s: %+v", name, p)
		}
		if warned := slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, "orientations in the patient") }); warned != tt.warns {
			t.Errorf("%s: warnings %q", name, warnings)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := train.Run(t.Context(), brief(datasettest.Discs(t, 4, 24), out, 1), nil); err != nil {
		t.Fatal(err)
	}
	if m, err := models.Open(out); err != nil || m.Planes != nil {
		t.Errorf("of pictures: %+v, %v", m.Planes, err)
	}
}
