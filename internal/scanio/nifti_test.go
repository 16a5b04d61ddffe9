package scanio

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
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

func TestStem(t *testing.T) {
	for name, want := range map[string]string{
		"a.png": "a", "a.b.NII.GZ": "a.b", "d/a.nii": "d/a", ".nii.gz": ".nii.gz", "d/.png": "d/.png", "1.2.840.10008": "1.2.840.10008", "IM1": "IM1", "a.gz": "a.gz",
	} {
		if got := Stem(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
