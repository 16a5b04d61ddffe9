package check

import (
	"errors"
	"image"
	"image/color"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
)

// Contradictory palettes within a set are a fault, which training and evaluation
// refuse.
func TestPalettes(t *testing.T) {
	pix := objectsOn(12, canvas, 6, 4)
	redGreen := color.Palette{opaqueBlack, red, green, azure}
	for name, tt := range map[string]struct {
		second func(pix []uint16) image.Image // together with redGreen
		cause  string                         // empty: fine
	}{
		"the same": {func(pix []uint16) image.Image { return paletted(pix, class, redGreen) }, ""},
		"other unused": {func(pix []uint16) image.Image {
			return paletted(pix, class, color.Palette{opaqueBlack, red, green, white})
		}, ""},
		"nearly the same": {func(pix []uint16) image.Image {
			return paletted(pix, class, color.Palette{opaqueBlack, color.NRGBA{250, 5, 5, 255}, green})
		}, ""},
		"half transparent": {func(pix []uint16) image.Image {
			return paletted(pix, class, color.Palette{clear, color.NRGBA{255, 0, 0, 128}, color.NRGBA{0, 255, 0, 128}})
		}, ""},
		"no palette": {func(pix []uint16) image.Image { return grey8(pix, class) }, ""},
		"greys": {func(pix []uint16) image.Image {
			return paletted(pix, class, color.Palette{color.Gray{Y: 0}, color.Gray{Y: 1}, color.Gray{Y: 2}})
		}, ""},
		"one colour for all": {func(pix []uint16) image.Image { return paletted(pix, class, color.Palette{opaqueBlack, azure, azure}) }, ""},
		"swapped":            {func(pix []uint16) image.Image { return paletted(pix, class, color.Palette{opaqueBlack, green, red}) }, "the same colours in a different order"},
		"background moved":   {func(pix []uint16) image.Image { return paletted(pix, class, color.Palette{red, opaqueBlack, green}) }, "the same colours in a different order"},
		"another colour":     {func(pix []uint16) image.Image { return paletted(pix, class, color.Palette{opaqueBlack, red, azure}) }, "show different colours"},
		"a colour at another index": {func(pix []uint16) image.Image {
			return paletted(pix, func(v uint16) uint8 { return 3 * min(1, uint8(v)) }, color.Palette{opaqueBlack, white, green, red})
		}, "show different colours"},
	} {
		dir := drawn(t, pix, func(k int, pix []uint16) image.Image {
			if k == 1 {
				return tt.second(pix)
			}
			return paletted(pix, class, redGreen)
		})
		var found []Finding
		for _, f := range check(t, dir).Findings {
			if f.Kind == KindPalette {
				found = append(found, f)
			}
		}
		if tt.cause == "" && len(found) > 0 || tt.cause != "" && (len(found) != 1 || !found[0].Fault || !strings.Contains(found[0].Cause, tt.cause) ||
			!strings.Contains(found[0].Cause, "1=#ff0000") || !strings.Contains(found[0].Cause, filepath.Join(dir, "labels", "im0.png")) || found[0].File != filepath.Join(dir, "labels", "im1.png")) {
			t.Errorf("%s: check: %+v", name, found)
		}
		d, err := dataset.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, trained := surveyed(d)
		_, evaluated := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: filepath.Join(dir, "labels")}, nil)
		for what, err := range map[string]error{"train": trained, "evaluate": evaluated} {
			if tt.cause == "" && err != nil || tt.cause != "" && (!errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), tt.cause) || !strings.Contains(err.Error(), "im0.png") || !strings.Contains(err.Error(), "im1.png")) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
}

// Palettes of two sets may differ: each set is read by its own indices.
func TestPalettesOfTwoSets(t *testing.T) {
	pix := objectsOn(12, canvas, 6, 4)
	a := drawn(t, pix, func(_ int, pix []uint16) image.Image {
		return paletted(pix, class, color.Palette{opaqueBlack, red, green})
	})
	b := drawn(t, pix, func(_ int, pix []uint16) image.Image {
		return paletted(pix, class, color.Palette{opaqueBlack, azure, white})
	})
	for _, f := range check(t, a, b).Findings {
		if f.Kind == KindPalette {
			t.Errorf("%+v", f)
		}
	}
}

// Background missing from all masks is a fault; from some it is a warning.
func TestCheckFullMasks(t *testing.T) {
	pix := objectsOn(12, canvas, 6, 4)
	from1 := func(v uint16) uint8 { return 1 + class(v) }
	full := func(uint16) uint8 { return 1 }
	for name, tt := range map[string]struct {
		draw  func(k int) func(uint16) uint8
		fault bool
		fix   string
	}{
		"classes from 1": {func(int) func(uint16) uint8 { return from1 }, true, "--background 1"},
		"all full":       {func(int) func(uint16) uint8 { return full }, true, "--background 1"},
		"all 255":        {func(int) func(uint16) uint8 { return func(uint16) uint8 { return 255 } }, true, "--background 255"},
		"one full": {func(k int) func(uint16) uint8 {
			if k == 1 {
				return full
			}
			return class
		}, false, "fills the image"},
	} {
		dir := drawn(t, pix, func(k int, pix []uint16) image.Image { return grey8(pix, tt.draw(k)) })
		var found []Finding
		for _, f := range check(t, dir).Findings {
			if f.Kind == KindFullMask {
				found = append(found, f)
			}
		}
		if len(found) != 1 || found[0].Fault != tt.fault || !strings.Contains(found[0].Fix, tt.fix) {
			t.Errorf("%s: %+v", name, found)
		}
		if tt.fault {
			d, err := dataset.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if meant, err := surveyed(d); err != nil || !strings.Contains(strings.Join(meant.Warnings, ";"), "is background") {
				t.Errorf("%s: training warns %q, %v", name, meant.Warnings, err)
			}
		}
	}
}

// Skipped files of other formats are named, whatever their names.
func TestCheckPassedOver(t *testing.T) {
	const webp, jpeg = "RIFF\x00\x00\x00\x00WEBPVP8L", "\xff\xd8\xff\xe0"
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{
		"images/a.png": datasettest.Pixels, "images/b.png": []uint8{1, 2, 3, 4}, "images/c/d.tga": "BM", "images/Thumbs.db": "x", "images/e.png": []uint8{4, 3, 2, 1}, "images/f.png": datasettest.Pixels,
		"labels/a.png": datasettest.Pixels, "labels/a.json": "{}", "labels/b.tga": "BM", "labels/c.tga": "BM", "labels/e_mask.webp": webp, "labels/f.png": webp, "labels/a.jpg": jpeg,
		"labels/desktop.ini": "x", "labels/.hidden": "x",
	})
	want := []Finding{
		{Kind: KindPassed, File: "images", Cause: "c/d.tga is skipped: a format that is not read", Fix: "save them as PNG or TIFF", Count: 1},
		{Kind: KindPassed, File: "labels", Cause: "a.jpg is skipped: a mask of another format has the same name", Fix: "remove them if they are only pictures of the masks", Count: 1},
		{Kind: KindPassed, File: "labels", Cause: "2 files (webp) are skipped, e_mask.webp first: WebP changes the values of a mask",
			Fix: "export the masks as PNG from the program that drew them", Count: 2},
		{Kind: KindPassed, File: "labels", Cause: "a.json is skipped: neither masks nor outlines of COCO, LabelMe, QuPath or ImageJ",
			Fix: "if they hold the labels, export them from the program that drew them in one of these formats, or as PNG masks", Count: 1},
		{Kind: KindPassed, File: "labels", Cause: "2 files (.tga) are skipped, b.tga first: a format that is not read",
			Fix: "save them as PNG, which keeps every value", Count: 2},
	}
	var got []Finding
	unlabelled := map[string]string{}
	for _, f := range check(t, dir).Findings {
		f.File = filepath.Base(f.File)
		switch f.Kind {
		case KindPassed:
			got = append(got, f)
		case KindNoLabel:
			unlabelled[f.File] = f.Cause
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{
		"b.png": "no readable label: b.tga is skipped", "e.png": "no readable label: e_mask.webp is skipped", "f.png": "no readable label: f.png is skipped",
	}, unlabelled); diff != "" {
		t.Error(diff)
	}
}
