package dataset_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

func TestOpen(t *testing.T) {
	a := datasettest.Tree(t, filepath.Join(t.TempDir(), "heart", "train"), map[string]any{
		"images/a.png": datasettest.Pixels, "images/sub/b.png": datasettest.Pixels, "images/.hidden.png": datasettest.Pixels,
		"labels/a.png": datasettest.Pixels, "labels/sub/b.png": datasettest.Pixels, "labels/spare.png": datasettest.Pixels,
		"ids.csv": "\ufeffGroup,ID\ns1,a\ns1,sub/b\n",
	})
	b := datasettest.Tree(t, filepath.Join(t.TempDir(), "cells"), map[string]any{
		"imgs/a.png": datasettest.Pixels, "masks/a_mask.png": datasettest.Pixels, "imgs/c.png": datasettest.Pixels, "masks/c.png": datasettest.Pixels,
		"ids.csv": "id,group\nc,s1\n",
	})
	one, err := dataset.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Cases) != 2 || one.Cases[1].ID != "sub/b" || one.Cases[1].Group != "s1" || len(one.Warnings) != 0 {
		t.Errorf("one set: %+v", one)
	}
	both, err := dataset.Open(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range both.Cases {
		got = append(got, c.ID+" "+c.Group+" "+filepath.Base(c.Label))
	}
	want := []string{"heart/a heart/s1 a.png", "heart/sub/b heart/s1 b.png", "cells/a cells/a a_mask.png", "cells/c cells/s1 c.png"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(both.Warnings) != 1 || !strings.Contains(both.Warnings[0], "1 of 2 images") {
		t.Errorf("warnings %q", both.Warnings)
	}
	if d, err := dataset.Open(a, b, b); err != nil || !slices.Equal(d.Names, []string{"heart", "cells", "cells-2"}) {
		t.Errorf("names %q, %v", d.Names, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]any
		kind  error
		says  string
	}{
		"no folders":              {map[string]any{"x.txt": "x"}, segd.ErrNotFound, "images/ and labels/"},
		"one deeper":              {map[string]any{"train/images/a.png": datasettest.Pixels}, segd.ErrNotFound, "give "},
		"no image":                {map[string]any{"images/x.txt": "x", "labels/a.png": datasettest.Pixels}, segd.ErrNotFound, "no image"},
		"missing label":           {map[string]any{"images/a.png": datasettest.Pixels, "images/b.png": datasettest.Pixels, "labels/b.png": datasettest.Pixels}, segd.ErrNotFound, "a.png (1 of 2"},
		"two files with one stem": {map[string]any{"images/a.png": datasettest.Pixels, "images/a.jpg": "x", "labels/a.png": datasettest.Pixels}, segd.ErrFormat, "share the stem a"},
		"ids header":              {map[string]any{"images/a.png": datasettest.Pixels, "labels/a.png": datasettest.Pixels, "ids.csv": "name,group\n"}, segd.ErrFormat, "id and group"},
		"ids twice":               {map[string]any{"images/a.png": datasettest.Pixels, "labels/a.png": datasettest.Pixels, "ids.csv": "id,group\na,1\na,2\n"}, segd.ErrFormat, "line 3"},
		"ids ragged":              {map[string]any{"images/a.png": datasettest.Pixels, "labels/a.png": datasettest.Pixels, "ids.csv": "id,group\na\n"}, segd.ErrFormat, "ids.csv"},
		"ids empty":               {map[string]any{"images/a.png": datasettest.Pixels, "labels/a.png": datasettest.Pixels, "ids.csv": ""}, segd.ErrFormat, "ids.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dataset.Open(datasettest.Tree(t, t.TempDir(), tt.files))
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %v containing %q", err, tt.kind, tt.says)
			}
		})
	}
	if _, err := dataset.Open(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
}
