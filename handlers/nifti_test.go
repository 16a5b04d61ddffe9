package handlers

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/engine"
	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
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
	man.Planes = &models.Planes{Wants: &segd.Plane{Name: "sagittal", Right: "A", Down: "I"}}
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
	var r engine.Result
	if err := json.Unmarshal(a.body, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Frames) != depth || !strings.Contains(r.Frames[0].Steps[0], "turned from axial (columns to L, rows to A) to sagittal (columns to A, rows to I) planes") {
		t.Errorf("%d frames, steps %q", len(r.Frames), r.Frames[0].Steps)
	}
	wantOK(t, post(t, url+"zip", file), "application/zip")
	wantOK(t, post(t, url+"mask", file), "application/zip")
}

// A volume of frames is in the order of their places; what is no volume, or more
// than one, is 422 and says what to ask for instead.
func TestSegmentEnhancedNIfTI(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment?model=bright&output=nifti"
	at := func(z string) dicomtest.Frame { return dicomtest.Frame{Position: `-10\0\` + z} }
	turned := at("0")
	turned.Orientation = `1\0\0\0\0\-1`
	a := post(t, url, dicomtest.Write(dicomtest.Enhanced(16, []dicomtest.Frame{at("6"), at("3"), at("0")})))
	wantOK(t, a, "application/gzip")
	for _, reader := range niftitest.Readers() {
		place, err := reader.Place(a.body)
		if err != nil || place != (segd.Affine{{2, 0, 0, -10}, {0, 2, 0, 0}, {0, 0, 3, 0}}) {
			t.Errorf("%s: %v, %v", reader.Name, place, err)
		}
	}
	v, err := nifti.Read(a.body)
	if err != nil {
		t.Fatal(err)
	}
	// Frame i has its square i columns from the left.
	for k, first := range []int{2, 1, 0} {
		if m, err := v.Labels(k); err != nil || m.Pix[first] != 1 || m.Pix[first+4] != 0 || first > 0 && m.Pix[first-1] != 0 {
			t.Errorf("plane %d is not frame %d (%v)", k, first+1, err)
		}
	}
	for name, tt := range map[string]struct {
		frames []dicomtest.Frame
		want   []string
	}{
		"two orientations": {[]dicomtest.Frame{at("0"), at("3"), turned}, []string{"2 stacks", "output=seg"}},
		"uneven":           {[]dicomtest.Frame{at("0"), at("3"), at("9")}, []string{"1 slice is missing along the normal: between 2 and 3, at 6 mm", "other outputs"}},
	} {
		a := post(t, url, dicomtest.Write(dicomtest.Enhanced(16, tt.frames)))
		for _, want := range tt.want {
			if a.status != 422 || !strings.Contains(string(a.body), want) {
				t.Errorf("%s: status %d, %s; want %q", name, a.status, a.body, want)
			}
		}
	}
	tilted := []dicomtest.Frame{{Position: `0\0\0`}, {Position: `0\2\3`}, {Position: `0\4\6`}}
	a = post(t, url, dicomtest.Write(dicomtest.Enhanced(16, tilted)))
	wantOK(t, a, "application/gzip")
	if got := a.header.Get(warningsHeader); !strings.Contains(got, "a tilted gantry") {
		t.Errorf("warnings %q", got)
	}
}
