package check

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// outlines is a file of LabelMe for an image of 5×5 pixels, with boxes of classes.
func outlines(size string, shapes ...string) string {
	return `{"shapes": [` + strings.Join(shapes, ",") + `], "imagePath": "a.png", "imageWidth": ` + size + `, "imageHeight": ` + size + `}`
}

func boxOf(class string) string {
	return `{"label": "` + class + `", "shape_type": "rectangle", "points": [[1, 1], [2, 3]]}`
}

// TestCheckOutlines explains labels that are outlines, each case in a line.
func TestCheckOutlines(t *testing.T) {
	picture := datasettest.Grey(5, 5, 9)
	picture.Pix[7] = 3
	mask := string(datasettest.Encode(t, datasettest.Grey(5, 5, 1)))
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string // findings: kind, ! for a fault, and part of the text
	}{
		"fine":          {map[string]string{"labels/a.json": outlines("5", boxOf("cell"))}, []string{"outlines (LabelMe)", "classes: 1 cell"}},
		"another size":  {map[string]string{"labels/a.json": outlines("6", boxOf("cell"))}, []string{"size! drawn on an image of 6×6 pixels"}},
		"no class":      {map[string]string{"labels/a.json": outlines("5", boxOf("cell"), boxOf(""))}, []string{"class-names! a shape has no class"}},
		"beside a mask": {map[string]string{"labels/a.json": outlines("5"), "labels/a.png": mask}, []string{"place outlines beside a mask"}},
		"damaged":       {map[string]string{"labels/a.json": outlines("5", boxOf("cell"))[:70]}, []string{"unreadable! JSON is damaged or truncated"}},
		"no image":      {map[string]string{"labels/a.json": outlines("5", boxOf("cell")), "labels/z.json": outlines("5")}, []string{"no-image no image"}},
		"a line":        {map[string]string{"labels/a.json": outlines("5", boxOf("cell"), `{"label": "cell", "shape_type": "line", "points": []}`)}, []string{"place shapes without an area"}},
		"overlap":       {map[string]string{"labels/a.json": outlines("5", boxOf("cell"), boxOf("other"))}, []string{"place outlines of different classes overlap"}},
	} {
		dir := t.TempDir()
		datasettest.WritePNG(t, filepath.Join(dir, "images", "a.png"), picture)
		for file, content := range tt.files {
			datasettest.Put(t, dir, file, []byte(content))
		}
		var got []string
		for _, f := range check(t, dir).Findings {
			mark := " "
			if f.Fault {
				mark = "! "
			}
			got = append(got, f.Kind+mark+f.Cause)
			if f.Fix == "" {
				t.Errorf("%s: no remedy for %q", name, f.Cause)
			}
		}
		for _, want := range tt.want {
			if !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, want) }) {
				t.Errorf("%s: no finding %q among %q", name, want, got)
			}
		}
	}
}

// TestFixOutlines writes outlines as masks of class indices.
func TestFixOutlines(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	datasettest.WritePNG(t, filepath.Join(dir, "images", "a.png"), datasettest.Grey(5, 5, 9))
	datasettest.Put(t, dir, "labels/a.json", []byte(outlines("5", boxOf("cell"))))
	f, err := Fix(t.Context(), dir, out, FixOptions{})
	if err != nil || f.Cases != 1 {
		t.Fatalf("%+v, %v", f, err)
	}
	d, err := dataset.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Cases[0].ReadClasses()
	if want := []uint8{0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0}; err != nil || !slices.Equal(s.Mask.Pix, want) {
		t.Errorf("%v, %v", s.Mask, err)
	}
}
