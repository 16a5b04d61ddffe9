package handlers

import (
	"testing"

	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
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
