package train

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/train/dataset/datasettest"
)

// Errors about the content of files name the file and the cause.
func TestRunRefusesBadFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]any
		kind  error
		says  []string
	}{
		"size":       {map[string]any{"labels/a.png": []uint8{0, 1}}, segd.ErrFormat, []string{"labels/a.png", "2×1 pixels", "2×2"}},
		"text image": {map[string]any{"images/a.png": "hello"}, segd.ErrUnsupported, []string{"images/a.png"}},
		"text label": {map[string]any{"labels/a.png": "hello"}, nil, []string{"labels/a.png"}},
		"scaled":     {map[string]any{"labels/b.png": []uint8{0, 128, 255, 0}}, segd.ErrFormat, []string{"labels/b.png", "value 128", "class indices"}},
		"empty":      {map[string]any{"labels/a.png": []uint8{0, 0, 0, 0}, "labels/b.png": []uint8{0, 0, 0, 0}}, segd.ErrUnprocessable, []string{"every label is background"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := datasettest.Tree(t, t.TempDir(), map[string]any{
				"images/a.png": datasettest.Pixels, "images/b.png": datasettest.Pixels, "labels/a.png": datasettest.Pixels, "labels/b.png": datasettest.Pixels,
			})
			out := filepath.Join(t.TempDir(), "m")
			_, err := Run(t.Context(), Options{Datasets: []string{datasettest.Tree(t, dir, tt.files)}, Out: out, Steps: 1}, nil)
			if err == nil || (tt.kind != nil && !errors.Is(err, tt.kind)) {
				t.Fatalf("error %v, want %v", err, tt.kind)
			}
			for _, s := range tt.says {
				if !strings.Contains(filepath.ToSlash(err.Error()), s) {
					t.Errorf("error %q does not contain %q", err, s)
				}
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("the output directory was created unnecessarily")
			}
		})
	}
}

// Colour images lead to a network with three channels, JPEG is read, and training
// accepts 0/255 masks with a warning.
func TestRunOnColourAnd255(t *testing.T) {
	dir := t.TempDir()
	datasettest.Tree(t, dir, map[string]any{"images/x.txt": "", "labels/x.txt": ""})
	for i := range 4 {
		img := image.NewRGBA(image.Rect(0, 0, 32, 32))
		label := datasettest.Grey(32, 32, 0)
		for y := range 32 {
			for x := range 32 {
				img.Set(x, y, color.RGBA{R: uint8(8 * x), G: 20, B: 200, A: 255})
				if x > 16 {
					label.SetGray(x, y, color.Gray{Y: 255})
				}
			}
		}
		f, err := os.Create(filepath.Join(dir, "images", fmt.Sprintf("%d.jpg", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(f, img, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		datasettest.WritePNG(t, filepath.Join(dir, "labels", fmt.Sprintf("%d.png", i)), label)
	}
	var warnings []string
	res, err := Run(t.Context(), tiny(dir, filepath.Join(t.TempDir(), "m"), 2), func(e Event) {
		if e.Kind == EventWarning {
			warnings = append(warnings, e.Message)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Plan.Network.Channels != 3 || res.Plan.Recipe.Channels != 3 || res.Plan.Network.Classes != 2 {
		t.Errorf("plan %+v", res.Plan)
	}
	if len(warnings) != 3 || !strings.Contains(warnings[0], "1 empty file") || !strings.Contains(warnings[2], "255 is read as class 1") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestRunBoundsMemory(t *testing.T) {
	o := tiny(datasettest.Discs(t, 4, 32), filepath.Join(t.TempDir(), "m"), 1)
	o.MaxMemory = 10000
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("error %v, want segd.ErrOption", err)
	}
}
