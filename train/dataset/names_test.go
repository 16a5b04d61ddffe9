package dataset_test

import (
	"errors"
	"strings"
	"testing"

	"segd"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// TestLabelNames pairs images with labels under the names in common use.
func TestLabelNames(t *testing.T) {
	files := map[string]any{}
	for image, label := range map[string]string{
		"a": "a_mask", "b": "b_MASKS", "c": "c_Seg", "d": "d-labels", "e/f": "e/f_Label", "g": "g_segmentation",
		"h":             "h",                 // next to an image with a longer name
		"h_seg":         "h_seg",             // whose label is not that of h
		"caf\u00e9":     "cafe\u0301",        // composed, and decomposed
		"na\u0308mlich": "n\u00e4mlich_mask", // and with a suffix
	} {
		files["images/"+image+".png"], files["labels/"+label+".png"] = datasettest.Pixels, datasettest.Pixels
	}
	d, err := dataset.Open(datasettest.Tree(t, t.TempDir(), files))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Cases) != 10 {
		t.Fatalf("%d cases, want 10", len(d.Cases))
	}
	for _, c := range d.Cases {
		if c.ID == "h" && !strings.HasSuffix(c.Label, "h.png") || c.ID == "a" && !strings.HasSuffix(c.Label, "a_mask.png") {
			t.Errorf("case %s has label %s", c.ID, c.Label)
		}
	}
}

// TestTwoLabels refuses an image with two labels named after it, and takes no label
// from another image.
func TestTwoLabels(t *testing.T) {
	two := map[string]any{"images/a.png": datasettest.Pixels, "labels/a_mask.png": datasettest.Pixels, "labels/a-seg.png": datasettest.Pixels}
	if _, err := dataset.Open(datasettest.Tree(t, t.TempDir(), two)); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "a-seg.png") || !strings.Contains(err.Error(), "a_mask.png") {
		t.Errorf("got %v, want both names", err)
	}
	alone := map[string]any{"images/a.png": datasettest.Pixels, "images/a_seg.png": datasettest.Pixels, "labels/a_seg.png": datasettest.Pixels}
	if _, err := dataset.Open(datasettest.Tree(t, t.TempDir(), alone)); err == nil {
		t.Error("the label of a_seg was used for a")
	}
}
