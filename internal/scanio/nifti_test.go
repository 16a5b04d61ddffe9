package scanio

import (
	"errors"
	"image"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
)

func TestReadNIfTI(t *testing.T) {
	v := niftitest.Volume{Width: 3, Height: 2, Depth: 2, Distance: [3]float64{0.5, 0.75, 4}}
	for i := range 12 {
		v.Values = append(v.Values, int16(i-2))
	}
	s, err := Read(niftitest.Write(v))
	if err != nil {
		t.Fatal(err)
	}
	if s.Format != "nifti" || s.Width != 3 || s.Height != 2 || s.Frames != 2 || len(s.Steps) == 0 || len(s.Warnings) > 0 {
		t.Errorf("scan: %+v", s)
	}
	img, err := s.Frame(1)
	if err != nil {
		t.Fatal(err)
	}
	want := &segd.Image{Width: 3, Height: 2, Channels: 1, Pix: []float32{4, 5, 6, 7, 8, 9},
		Spacing: segd.Spacing{RowMM: 0.75, ColMM: 0.5, Source: "pixdim"}}
	if diff := cmp.Diff(want, img); diff != "" {
		t.Errorf("frame 1 (-want +got):\n%s", diff)
	}
	for _, i := range []int{-1, 2} {
		if _, err := s.Frame(i); !errors.Is(err, segd.ErrNotFound) {
			t.Errorf("frame %d: %v", i, err)
		}
	}
}

// TestReadNIfTIPlace says where a volume lies, in DICOM's axes, and warns where the
// file says two things.
func TestReadNIfTIPlace(t *testing.T) {
	v := niftitest.Volume{Width: 3, Height: 2, Depth: 2, Affine: [3][4]float64{{-0.5, 0, 0, 10}, {0, 0.75, 0, -20}, {0, 0, 4, 5}}, Values: make([]int16, 12)}
	s, err := Read(niftitest.Write(v))
	if err != nil {
		t.Fatal(err)
	}
	want := &segd.Affine{{0.5, 0, 0, -10}, {0, -0.75, 0, 20}, {0, 0, 4, 5}}
	if diff := cmp.Diff(want, s.Affine); diff != "" || s.Depth != 2 || s.Times != 1 || len(s.Warnings) > 0 {
		t.Errorf("%d planes at %d times, warnings %q (-want +got):\n%s", s.Depth, s.Times, s.Warnings, diff)
	}
	// The qform puts the first voxel at the origin, the sform √(10²+20²+5²) mm away.
	v.Qform, v.Distance = true, [3]float64{0.5, 0.75, 4}
	if s, err = Read(niftitest.Write(v)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Affine); diff != "" || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "22.9 mm apart") {
		t.Errorf("warnings %q (-want +got):\n%s", s.Warnings, diff)
	}
	v.Affine = [3][4]float64{{0.5, 0, 0, 0}, {0, 0.75, 0, 0}, {0, 0, 4, 0}}
	if s, err = Read(niftitest.Write(v)); err != nil || len(s.Warnings) > 0 {
		t.Errorf("two forms that agree: %q, %v", s.Warnings, err)
	}
	v.Affine, v.Qform = [3][4]float64{}, false
	if s, err = Read(niftitest.Write(v)); err != nil || s.Affine != nil {
		t.Errorf("no form: %v, %v", s.Affine, err)
	}
}

func TestStem(t *testing.T) {
	for name, want := range map[string]string{
		"a.png": "a", "a.b.NII.GZ": "a.b", "d/a.nii": "d/a", ".nii.gz": ".nii.gz", "d/.png": "d/.png", "1.2.840.10008": "1.2.840.10008", "IM1": "IM1", "a.gz": "a", "a.dcm.gz": "a", "a.hdr": "a", "a.HDR.gz": "a", "a.img": "a.img", "b/a.nhdr": "b/a",
	} {
		if got := Stem(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestReadLabels reads the same mask out of every format that has one for an
// image of its own.
func TestReadLabels(t *testing.T) {
	want := []uint8{0, 1, 2, 0, 5, 1}
	grey := image.NewGray(image.Rect(0, 0, 3, 2))
	copy(grey.Pix, want)
	v := niftitest.Volume{Width: 3, Height: 2, Depth: 2}
	for _, c := range append(want, want...) {
		v.Values = append(v.Values, int16(c))
	}
	for format, b := range map[string][]byte{"png": encodePNG(t, grey), "tiff": encodeTIFF(t, grey), "nifti": niftitest.Write(v)} {
		l, err := ReadLabels(b)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		m, err := l.Mask(l.Frames - 1)
		if diff := cmp.Diff(&segd.Mask{Width: 3, Height: 2, Pix: want}, m); err != nil || diff != "" || l.Format != format || l.Width != 3 || l.Height != 2 {
			t.Errorf("%s: %v, %+v, %s", format, err, l, diff)
		}
		if _, err := l.Mask(l.Frames); !errors.Is(err, segd.ErrNotFound) {
			t.Errorf("%s, one mask too many: %v", format, err)
		}
	}
	v.Values[0] = 300
	l, err := ReadLabels(niftitest.Write(v))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Mask(0); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("label 300: %v", err)
	}
	if _, err := ReadLabels(dicomtest.Write(dicomtest.Disc(8))); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("a DICOM image: %v", err)
	}
	if _, err := ReadLabels(encodeTIFF(t, image.NewRGBA(image.Rect(0, 0, 2, 2)))); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("a TIFF in colour: %v", err)
	}
}
