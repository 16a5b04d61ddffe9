package scanio

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
)

// Measure says what Read will have and keep, by the header alone.
func TestMeasure(t *testing.T) {
	r := image.Rect(0, 0, 40, 30)
	palette := image.NewPaletted(r, color.Palette{color.Gray{1}, color.RGBA{9, 8, 7, 255}})
	volume := niftitest.Write(niftitest.Volume{Width: 4, Height: 5, Depth: 6, Values: make([]int16, 120)})
	const n = 40 * 30
	for _, tt := range []struct {
		name     string
		b        []byte
		kept     int64
		channels int
	}{
		{"png grey", encodePNG(t, image.NewGray(r)), n, 1},
		{"png grey 16", encodePNG(t, image.NewGray16(r)), 2 * n, 1},
		{"png colour", encodePNG(t, image.NewNRGBA(r)), 4 * n, 3},
		{"png colour 16", encodePNG(t, image.NewNRGBA64(r)), 8 * n, 3},
		{"png palette", encodePNG(t, palette), n, 3},
		{"jpeg grey", encodeJPEG(t, image.NewGray(r)), 55 * 45, 1},
		{"jpeg colour", encodeJPEG(t, image.NewRGBA(r)), 4 * 55 * 45, 3},
		{"tiff grey", encodeTIFF(t, image.NewGray(r)), n, 1},
		{"tiff colour 16", encodeTIFF(t, image.NewRGBA64(r)), 8 * n, 3},
		{"tiff stack", writeTIFF(spec(40, 30, make([]byte, n), nil), spec(40, 30, make([]byte, n), nil)), 9 * n, 1},
		{"nifti", volume, 240, 1},
		{"dicom", dicomtest.Write(dicomtest.Disc(40)), 0, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Measure(tt.b)
			if err != nil {
				t.Fatal(err)
			}
			if s.Kept != tt.kept || s.Read < s.Kept || s.Channels != tt.channels {
				t.Errorf("got %+v, want %d bytes kept of %d channels", s, tt.kept, tt.channels)
			}
			scan, err := Read(tt.b)
			if err != nil {
				t.Fatal(err)
			}
			if s.Width > 0 && fmt.Sprint(s.Width, s.Height, s.Frames) != fmt.Sprint(scan.Width, scan.Height, scan.Frames) {
				t.Errorf("got %d×%d, %d frames, Read gives %d×%d, %d", s.Width, s.Height, s.Frames, scan.Width, scan.Height, scan.Frames)
			}
		})
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "text": []byte("no image at all"), "half a PNG header": encodePNG(t, image.NewGray(r))[:20],
		"half a JPEG header": encodeJPEG(t, image.NewGray(r))[:20],
	} {
		_, err := Measure(b)
		_, want := Read(b)
		if err == nil || errors.Is(err, segd.ErrFormat) != errors.Is(want, segd.ErrFormat) {
			t.Errorf("%s: got %v, Read says %v", name, err, want)
		}
	}
}
