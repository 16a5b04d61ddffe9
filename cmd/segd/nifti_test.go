package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio/dicomtest"
	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
)

// TestSegmentNIfTI segments a volume plane by plane, and gets its masks back
// as PNGs and as a volume that lies where it does.
func TestSegmentNIfTI(t *testing.T) {
	const w, h, d = 20, 12, 3
	v := niftitest.Volume{Width: w, Height: h, Depth: d, Distance: [3]float64{0.5, 0.75, 3},
		Affine: [3][4]float64{{-0.5, 0, 0, 10}, {0, 0.75, 0, -20}, {0, 0, 3, 7}}}
	want := make([]uint8, w*h*d)
	for k := range d {
		for y := range h {
			for x := range w {
				value := int16(-1000)
				if x >= 3+k && x < 9 && y >= 2 && y < 5+k {
					value = 500
					want[(k*h+y)*w+x] = 1
				}
				v.Values = append(v.Values, value)
			}
		}
	}
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	write(t, filepath.Join(in, "sub", "vol.nii.gz"), niftitest.Write(v))
	write(t, filepath.Join(in, "one.dcm"), dicomtest.Write(dicomtest.Disc(32)))
	done(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "nifti,mask", "--progress", "none")
	files := tree(t, out)
	if diff := cmp.Diff([]string{
		"mask/one.png", "mask/sub/vol_0001.png", "mask/sub/vol_0002.png", "mask/sub/vol_0003.png", "nifti/one.nii.gz", "nifti/sub/vol.nii.gz",
	}, names(files)); diff != "" {
		t.Fatal(diff)
	}
	got, err := nifti.Read([]byte(files["nifti/sub/vol.nii.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	if got.Affine != v.Affine || got.Width != w || got.Height != h || got.Planes() != d {
		t.Errorf("header %+v", got.Header)
	}
	for k := range d {
		m, err := got.Labels(k)
		if err != nil || !bytes.Equal(m.Pix, want[k*w*h:(k+1)*w*h]) {
			t.Errorf("plane %d differs (%v)", k, err)
		}
	}
	if one, err := nifti.Read([]byte(files["nifti/one.nii.gz"])); err != nil || one.Width != 32 || one.Planes() != 1 {
		t.Errorf("of a DICOM file: %v", err)
	}
}
