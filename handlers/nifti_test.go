package handlers

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"path/filepath"
	"strings"
	"testing"

	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
	"segd/internal/orient"
	"segd/models"
	"segd/models/modelstest"
)

// TestSegmentNIfTI sends a volume, and gets one back, or pictures of its planes.
func TestSegmentNIfTI(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment"
	v := niftitest.Volume{Width: side, Height: side, Depth: 2, Affine: [3][4]float64{{-0.5, 0, 0, 10}, {0, 0.75, 0, -20}, {0, 0, 3, 7}}}
	for i := range side * side * 2 {
		v.Values = append(v.Values, int16(i%side*10))
	}
	file := niftitest.Write(v)
	a := post(t, url+"?model=bright&output=nifti", file)
	wantOK(t, a, "application/gzip")
	got, err := nifti.Read(a.body)
	if err != nil {
		t.Fatal(err)
	}
	if got.Affine != v.Affine || got.Planes() != 2 || got.Width != side {
		t.Errorf("header %+v", got.Header)
	}
	m, err := got.Labels(1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Pix[0] != 0 || m.Pix[side-1] != 1 {
		t.Errorf("the dark pixel is of class %d, the bright one of %d", m.Pix[0], m.Pix[side-1])
	}
	wantOK(t, post(t, url+"?model=bright&output=mask", file), "application/zip")
	wantOK(t, post(t, url+"?model=bright&output=mask&frame=2", file), "image/png")
	if bad := post(t, url+"?model=bright&output=nifti&frame=2", file); bad.status != 400 {
		t.Errorf("one frame of a volume: status %d", bad.status)
	}
}

// TestSegmentTurns sends an axial volume to a model of sagittal planes: each kind of
// output has what is brighter than half of the range of a sagittal plane, in the
// planes as they are stored.
func TestSegmentTurns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "turning")
	man := modelstest.Manifest("turning")
	man.Planes = &models.Planes{Wants: &orient.Plane{Name: "sagittal", Right: "A", Down: "I"}}
	if err := models.Save(dir, man, modelstest.Params(), false); err != nil {
		t.Fatal(err)
	}
	url := start(t, newServer(t, func(c *Config) {
		if err := c.Models.AddDir(dir); err != nil {
			t.Fatal(err)
		}
	})) + "/v1/segment?model=turning&output="
	const depth = 3
	v := niftitest.Volume{Width: side, Height: side, Depth: depth, Affine: [3][4]float64{{-1, 0, 0, 10}, {0, 1, 0, -20}, {0, 0, 1, 7}}}
	value := func(x, y, z int) int { return (x + 1) * ((y + z) % side) }
	marked := func(y, z int) uint8 {
		if 2*((y+z)%side) > side-1 {
			return 1
		}
		return 0
	}
	for i := range side * side * depth {
		v.Values = append(v.Values, int16(value(i%side, i/side%side, i/side/side)))
	}
	file := niftitest.Write(v)
	a := post(t, url+"nifti", file)
	wantOK(t, a, "application/gzip")
	got, err := nifti.Read(a.body)
	if err != nil {
		t.Fatal(err)
	}
	for z := range depth {
		m, err := got.Labels(z)
		if err != nil {
			t.Fatal(err)
		}
		for i, class := range m.Pix {
			if want := marked(i/side, z); class != want {
				t.Fatalf("nifti, plane %d, pixel %d: class %d, want %d", z, i, class, want)
			}
		}
	}
	a = post(t, url+"mask&frame=3", file)
	wantOK(t, a, "image/png")
	picture, err := png.Decode(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	for i, class := range picture.(*image.Paletted).Pix {
		if want := marked(i/side, 2); class != want {
			t.Fatalf("frame 3, pixel %d: class %d, want %d", i, class, want)
		}
	}
	a = post(t, url+"json", file)
	wantOK(t, a, "application/json")
	var r scanResult
	if err := json.Unmarshal(a.body, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Frames) != depth || !strings.Contains(r.Frames[0].Steps[0], "turned from axial (columns to L, rows to A) to sagittal (columns to A, rows to I) planes") {
		t.Errorf("%d frames, steps %q", len(r.Frames), r.Frames[0].Steps)
	}
	wantOK(t, post(t, url+"zip", file), "application/zip")
	wantOK(t, post(t, url+"mask", file), "application/zip")
}
