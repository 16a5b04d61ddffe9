package train

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/tiff"

	"segd"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// The same values train the same weights, whatever their file format: 16-bit PNG and
// TIFF, float32 TIFF, NIfTI.
func TestFormatsOfValues(t *testing.T) {
	dir := datasettest.Ramps(t, 4, 32)
	weights := func() []byte {
		out := filepath.Join(t.TempDir(), "m")
		if _, err := Run(t.Context(), tinyValues(dir, out, 3), nil); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := weights()
	labels := map[string]*image.Gray16{}
	for _, name := range []string{"a", "b", "c", "d"} {
		b, err := os.ReadFile(filepath.Join(dir, "labels", name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		labels[name] = m.(*image.Gray16)
	}
	last := ".png"
	for _, f := range []struct {
		name, ending string
		encode       func(m *image.Gray16, values []float32) []byte
	}{
		{"16-bit TIFF", ".tif", func(m *image.Gray16, _ []float32) []byte {
			var b bytes.Buffer
			if err := tiff.Encode(&b, m, &tiff.Options{Compression: tiff.Deflate}); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}},
		{"float32 TIFF", ".tiff", func(_ *image.Gray16, values []float32) []byte { return datasettest.TIFF(t, values, 32) }},
		{"NIfTI", ".nii", func(_ *image.Gray16, values []float32) []byte { return datasettest.Floats(32, 32, 1, values) }},
	} {
		for name, m := range labels {
			values := make([]float32, 32*32)
			for i := range values {
				values[i] = float32(m.Gray16At(i%32, i/32).Y)
			}
			if err := os.Remove(filepath.Join(dir, "labels", name+last)); err != nil {
				t.Fatal(err)
			}
			datasettest.Put(t, dir, "labels/"+name+f.ending, f.encode(m, values))
		}
		last = f.ending
		if !bytes.Equal(weights(), want) {
			t.Errorf("%s: weights differ from those of PNG", f.name)
		}
	}
}

// Volumes of values match the image plane by plane. NaN means unknown. Infinite or
// huge values and volumes with other planes are refused.
func TestVolumesOfValues(t *testing.T) {
	dir := t.TempDir()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	datasettest.Put(t, dir, "images/v.nii", datasettest.Floats(2, 2, 2, []float32{1, 2, 3, 4, 5, 6, 7, 8}))
	datasettest.Put(t, dir, "labels/v.nii", datasettest.Floats(2, 2, 2, []float32{-1, -2, -3, -4, 0.5, nan, 7, 1e6}))
	read := func() ([]float32, error) {
		d, err := dataset.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Cases[1].ReadValues()
		return r.Values, err
	}
	v, err := read()
	if err != nil {
		t.Fatal(err)
	}
	if v[0] != 0.5 || v[1] == v[1] || v[2] != 7 || v[3] != 1e6 {
		t.Errorf("second plane is %v", v)
	}
	for name, c := range map[string]struct {
		b    []byte
		kind error
	}{
		"infinite": {datasettest.Floats(2, 2, 2, []float32{0, 0, 0, 0, inf, 0, 0, 0}), segd.ErrUnprocessable},
		"huge":     {datasettest.Floats(2, 2, 2, []float32{0, 0, 0, 0, -1e30, 0, 0, 0}), segd.ErrUnprocessable},
		"planes":   {datasettest.Floats(2, 2, 3, make([]float32, 12)), segd.ErrFormat},
		"size":     {datasettest.Floats(4, 2, 2, make([]float32, 16)), segd.ErrFormat},
		"cut":      {datasettest.Floats(2, 2, 2, make([]float32, 5)), segd.ErrFormat},
	} {
		datasettest.Put(t, dir, "labels/v.nii", c.b)
		if _, err := read(); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
}
