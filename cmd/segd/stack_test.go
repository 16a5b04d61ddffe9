package main

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/internal/phantom"
	"segd/internal/scanio/tifftest"
)

// The pages of a TIFF are segmented one by one, as if each were a file.
func TestSegmentTIFFStack(t *testing.T) {
	in, out, model := t.TempDir(), filepath.Join(t.TempDir(), "out"), brightModel(t)
	first, _ := phantom.Discs(1, 40, 40)
	second, _ := phantom.Discs(2, 40, 40)
	write(t, filepath.Join(in, "stack.tif"), tifftest.Stack(40, 40, first.Pix, second.Pix))
	write(t, filepath.Join(in, "two.tif"), tifftest.Stack(40, 40, second.Pix))
	done(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask", "--progress", "none")
	files := tree(t, out)
	if diff := cmp.Diff([]string{"mask/stack_0001.png", "mask/stack_0002.png", "mask/two.png"}, names(files)); diff != "" {
		t.Fatal(diff)
	}
	if files["mask/stack_0002.png"] != files["mask/two.png"] || files["mask/stack_0001.png"] == files["mask/two.png"] {
		t.Error("page 2 of the stack has another mask than the same picture alone")
	}
}
