package check

import (
	"errors"
	"image"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"segd"
	"segd/train"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// found lists "kind file" for each finding, with an exclamation mark for faults.
func found(r *Result, dir string) (list []string) {
	for _, f := range r.Findings {
		rel, err := filepath.Rel(dir, f.File)
		if err != nil {
			rel = f.File
		}
		mark := ""
		if f.Fault {
			mark = "!"
		}
		list = append(list, f.Kind+mark+" "+filepath.ToSlash(rel))
	}
	slices.Sort(list)
	return list
}

func check(t *testing.T, dirs ...string) *Result {
	t.Helper()
	r, err := Run(t.Context(), Options{Datasets: dirs, Overfit: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ramped returns a mask with a soft edge: two levels and values between them.
func ramped() *image.Gray {
	m := image.NewGray(image.Rect(0, 0, 20, 20))
	for i := range m.Pix {
		switch x := i % 20; {
		case x > 12:
			m.Pix[i] = 255
		case x > 8:
			m.Pix[i] = uint8(50 * (x - 8))
		}
	}
	return m
}

// coloured returns a mask of two colours on black.
func coloured() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	m.SetNRGBA(0, 0, color.NRGBA{A: 255})
	m.SetNRGBA(1, 0, color.NRGBA{R: 255, A: 255})
	m.SetNRGBA(0, 1, color.NRGBA{G: 255, A: 255})
	m.SetNRGBA(1, 1, color.NRGBA{A: 255})
	return m
}

// messy writes a data set with one sound case and one example of each fault.
func messy(t *testing.T) string {
	t.Helper()
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{
		"images/sound.png": []uint8{1, 2, 3, 4}, "labels/sound.png": datasettest.Pixels,
		"images/scaled.png": []uint8{1, 2, 3, 5}, "labels/scaled.png": []uint8{0, 255, 0, 0},
		"images/size.png": []uint8{1, 2, 3, 6}, "labels/size.png": []uint8{0, 1},
		"images/alone.png":  []uint8{1, 2, 3, 7},
		"labels/orphan.png": datasettest.Pixels,
		"images/empty.png":  []uint8{1, 2, 3, 8}, "labels/empty.png": []uint8{0, 0, 0, 0},
		"images/broken.png": "not a png", "labels/broken.png": datasettest.Pixels,
		"images/text.png": []uint8{1, 2, 3, 9}, "labels/text.png": "not a png",
		"images/twice.png": []uint8{1, 2, 3, 4}, "labels/twice.png": datasettest.Pixels,
		"images/flat.png": []uint8{7, 7, 7, 7}, "labels/flat.png": datasettest.Pixels,
		"images/colour.png": []uint8{1, 2, 4, 4},
	})
	datasettest.WritePNG(t, filepath.Join(dir, "labels", "colour.png"), coloured())
	datasettest.WritePNG(t, filepath.Join(dir, "images", "soft.png"), datasettest.Grey(20, 20, 9))
	datasettest.WritePNG(t, filepath.Join(dir, "labels", "soft.png"), ramped())
	return dir
}

func TestCheckFindsFaults(t *testing.T) {
	dir := messy(t)
	r := check(t, dir)
	want := []string{
		"colour-mask! labels/colour.png", "constant images/flat.png", "constant images/soft.png",
		"duplicate! images/twice.png", "empty-mask labels/empty.png", "no-image labels/orphan.png",
		"no-label! images/alone.png", "scaled-mask! labels/scaled.png", "size! labels/size.png",
		"smooth-mask! labels/soft.png", "ungrouped .", "unreadable! images/broken.png", "unreadable! labels/text.png",
	}
	if got := found(r, dir); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for i, f := range r.Findings {
		if f.Cause == "" || f.Fix == "" {
			t.Errorf("finding without cause or fix: %+v", f)
		}
		if i > 0 && f.Fault && !r.Findings[i-1].Fault {
			t.Error("a fault after a warning")
		}
	}
	if r.Overfit != nil {
		t.Error("overfit test ran despite faults")
	}
}

func TestCheckAllScaledIsFine(t *testing.T) {
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{
		"images/a.png": []uint8{1, 2}, "images/b.png": []uint8{2, 3}, "images/c.png": []uint8{3, 4}, "images/d.png": []uint8{4, 5},
		"labels/a.png": []uint8{0, 255}, "labels/b.png": []uint8{0, 255}, "labels/c.png": []uint8{255, 0}, "labels/d.png": []uint8{0, 0},
		"ids.csv": "id,group\na,1\nb,2\nc,3\nd,4\n",
	})
	r := check(t, dir)
	want := []string{"empty-mask labels/d.png", "scaled-mask labels/a.png"}
	if got := found(r, dir); !slices.Equal(got, want) || r.Faults() != 0 {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCheckSplits(t *testing.T) {
	root := datasettest.Tree(t, t.TempDir(), map[string]any{
		"train/images/a.png": []uint8{1, 2}, "train/labels/a.png": []uint8{0, 1},
		"train/images/b.png": []uint8{2, 3}, "train/labels/b.png": []uint8{0, 1}, "train/ids.csv": "id,group\na,subject_one\nb,subject_two\n",
		"test/images/c.png": []uint8{3, 4}, "test/labels/c.png": []uint8{0, 1}, "test/ids.csv": "id,group\nc,subject_one\nd,subject_three\n",
		"test/images/d.png": []uint8{2, 3}, "test/labels/d.png": []uint8{0, 1},
	})
	count := func(r *Result) (n int) {
		for _, f := range r.Findings {
			if f.Kind == KindLeakage {
				n++
			}
			if strings.Contains(f.Cause, "subject_one") {
				t.Errorf("the group is named: %q", f.Cause)
			}
		}
		return n
	}
	// The group subject_one, and image b, which is identical to d.
	if got := count(check(t, filepath.Join(root, "train"), filepath.Join(root, "test"))); got != 2 {
		t.Errorf("both sides given: %d leaks, want 2", got)
	}
	if got := count(check(t, filepath.Join(root, "train"))); got != 1 {
		t.Errorf("one side given, the other next to it: %d leaks, want 1", got)
	}
}

func TestCheckNoDataSet(t *testing.T) {
	if r := check(t, t.TempDir()); r.Faults() != 1 || r.Findings[0].Kind != KindFolder {
		t.Errorf("%+v", r.Findings)
	}
	if _, err := Run(t.Context(), Options{}, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("no folder given: %v", err)
	}
}

// TestOverfit memorises discs, and cannot learn mismatched masks in almost no time.
func TestOverfit(t *testing.T) {
	dir := datasettest.Discs(t, 6, 32)
	r, err := Run(t.Context(), Options{Datasets: []string{dir}, Overfit: time.Minute}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o := r.Overfit; o == nil || o.Dice < 0.95 || o.Cases != train.OverfitCases || len(r.Findings) != 1 { // three groups are few
		t.Errorf("%+v, %+v", o, r.Findings)
	}
	r, err = Run(t.Context(), Options{Datasets: []string{dir}, Overfit: time.Nanosecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Findings; f[len(f)-1].Kind != KindOverfit || r.Faults() != 0 {
		t.Errorf("no time at all: %+v", f)
	}
}

func TestFix(t *testing.T) {
	dir, out := messy(t), filepath.Join(t.TempDir(), "mended")
	f, err := Fix(t.Context(), dir, out, FixOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// alone has no label; size, broken and text cannot be corrected; and next to
	// indices it is uncertain which classes the colours mean.
	if f.Mended != 2 || len(f.Left) != 5 || f.Cases != 6 {
		t.Errorf("%+v", f)
	}
	r := check(t, out)
	for _, finding := range r.Findings {
		if finding.Fault && finding.Kind != KindDuplicate {
			t.Errorf("still there: %+v", finding)
		}
	}
	for name, want := range map[string][]uint8{
		"scaled.png": {0, 1, 0, 0}, "sound.png": datasettest.Pixels,
	} {
		m, err := maskOf(filepath.Join(out, "labels", name))
		if err != nil || !slices.Equal(m.Pix, want) {
			t.Errorf("%s: %v, %v, want %v", name, m, err, want)
		}
	}
	soft, err := maskOf(filepath.Join(out, "labels", "soft.png"))
	if err != nil || soft.Pix[10] != 0 || soft.Pix[11] != 1 { // 100 and 150
		t.Errorf("%v, %v", soft, err)
	}
	if _, err := Fix(t.Context(), dir, out, FixOptions{}); !errors.Is(err, segd.ErrOption) {
		t.Errorf("a second time: %v", err)
	}
}

// TestFixNumbersValues: values that are not indices are numbered consistently across
// all masks, even in one that lacks some.
func TestFixNumbersValues(t *testing.T) {
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{
		"images/a.png": []uint8{1, 2, 3, 4}, "labels/a.png": []uint8{0, 100, 200, 255},
		"images/b.png": []uint8{1, 2, 3, 5}, "labels/b.png": []uint8{0, 255, 0, 0},
	})
	out := filepath.Join(t.TempDir(), "mended")
	f, err := Fix(t.Context(), dir, out, FixOptions{})
	if err != nil || len(f.Classes) != 4 {
		t.Fatalf("%+v, %v", f, err)
	}
	for name, want := range map[string][]uint8{"a.png": {0, 1, 2, 3}, "b.png": {0, 3, 0, 0}} {
		m, err := maskOf(filepath.Join(out, "labels", name))
		if err != nil || !slices.Equal(m.Pix, want) {
			t.Errorf("%s: %v, %v, want %v", name, m, err, want)
		}
	}
}

// maskOf reads a label file as the label of a case.
func maskOf(path string) (*segd.Mask, error) { return (&dataset.Case{Label: path}).ReadMask() }

// surveyed reads the labels of a data set as training does.
func surveyed(d *dataset.Dataset) (m dataset.Meaning, err error) {
	seen := make([]dataset.Seen, len(d.Cases))
	for i := range d.Cases {
		mask, err := d.Cases[i].ReadMask()
		if err != nil {
			return m, err
		}
		seen[i] = d.Cases[i].See(mask)
	}
	return dataset.Survey(d.Cases, seen, 0)
}
