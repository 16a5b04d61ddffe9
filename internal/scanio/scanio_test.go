package scanio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/image/tiff"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
)

func ExampleRead() {
	m := image.NewGray(image.Rect(0, 0, 3, 2))
	m.SetGray(2, 1, color.Gray{Y: 200})
	var buf bytes.Buffer
	if err := png.Encode(&buf, m); err != nil {
		fmt.Println(err)
		return
	}
	scan, err := Read(buf.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	img, err := scan.Frame(0)
	fmt.Println(scan.Format, img.Height, img.Width, img.Channels, img.At(1, 2, 0), err)
	// Output: png 2 3 1 200 <nil>
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, m); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func encodeTIFF(t testing.TB, m image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := tiff.Encode(&buf, m, &tiff.Options{Compression: tiff.Deflate}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// painted fills m with colours that differ from pixel to pixel.
func painted[M interface {
	image.Image
	Set(x, y int, c color.Color)
}](m M, at func(x, y int) color.Color) M {
	b := m.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			m.Set(x, y, at(x, y))
		}
	}
	return m
}

func TestRead(t *testing.T) {
	r := image.Rect(0, 0, 4, 3)
	grey8 := func(x, y int) color.Color { return color.Gray{Y: uint8(60*x + y)} }
	grey16 := func(x, y int) color.Color { return color.Gray16{Y: uint16(10000*x + 7*y)} }
	rgb8 := func(x, y int) color.Color { return color.NRGBA{R: uint8(10 * x), G: uint8(20 * y), B: 5, A: 255} }
	rgb16 := func(x, y int) color.Color {
		return color.NRGBA64{R: uint16(10000 * x), G: uint16(20000 * y), B: 5, A: 65535}
	}
	clear8 := func(x, y int) color.Color { return color.NRGBA{R: uint8(10 * x), G: 200, B: 5, A: uint8(100 + x)} }
	palette := color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{40, 50, 60, 255}, color.Gray{Y: 9}}
	indexed := image.NewPaletted(r, palette)
	indexed.Pix[5] = 1
	greys := image.NewPaletted(r, color.Palette{color.Gray{Y: 10}, color.Gray{Y: 200}})
	greys.Pix[5] = 1
	const bytes8 = 255
	tests := []struct {
		name     string
		b        []byte
		format   string
		channels int
		high     float32 // of the display; 0: open
		at       func(x, y, c int) float64
		warning  string
	}{
		{"png grey", encodePNG(t, painted(image.NewGray(r), grey8)), "png", 1, bytes8, func(x, y, c int) float64 { return float64(60*x + y) }, ""},
		{"png grey 16", encodePNG(t, painted(image.NewGray16(r), grey16)), "png", 1, 0, func(x, y, c int) float64 { return float64(10000*x + 7*y) }, ""},
		{"png rgb", encodePNG(t, painted(image.NewNRGBA(r), rgb8)), "png", 3, bytes8, func(x, y, c int) float64 { return []float64{float64(10 * x), float64(20 * y), 5}[c] }, ""},
		{"png rgb 16", encodePNG(t, painted(image.NewNRGBA64(r), rgb16)), "png", 3, 0, func(x, y, c int) float64 { return []float64{float64(10000 * x), float64(20000 * y), 5}[c] }, ""},
		{"png alpha", encodePNG(t, painted(image.NewNRGBA(r), clear8)), "png", 3, bytes8, func(x, y, c int) float64 { return []float64{float64(10 * x), 200, 5}[c] }, "alpha"},
		{"png rgb that is grey", encodePNG(t, painted(image.NewNRGBA(r), grey8)), "png", 1, bytes8, func(x, y, c int) float64 { return float64(60*x + y) }, ""},
		{"png palette", encodePNG(t, indexed), "png", 3, bytes8, func(x, y, c int) float64 {
			if x == 1 && y == 1 {
				return []float64{40, 50, 60}[c]
			}
			return []float64{1, 2, 3}[c]
		}, ""},
		{"png palette of greys", encodePNG(t, greys), "png", 1, bytes8, func(x, y, c int) float64 {
			if x == 1 && y == 1 {
				return 200
			}
			return 10
		}, ""},
		{"tiff grey", encodeTIFF(t, painted(image.NewGray(r), grey8)), "tiff", 1, bytes8, func(x, y, c int) float64 { return float64(60*x + y) }, ""},
		{"tiff grey 16", encodeTIFF(t, painted(image.NewGray16(r), grey16)), "tiff", 1, 0, func(x, y, c int) float64 { return float64(10000*x + 7*y) }, ""},
		{"tiff rgb", encodeTIFF(t, painted(image.NewNRGBA(r), rgb8)), "tiff", 3, bytes8, func(x, y, c int) float64 { return []float64{float64(10 * x), float64(20 * y), 5}[c] }, ""},
		{"tiff palette", encodeTIFF(t, indexed), "tiff", 3, bytes8, func(x, y, c int) float64 {
			if x == 1 && y == 1 {
				return []float64{40, 50, 60}[c]
			}
			return []float64{1, 2, 3}[c]
		}, ""},
		{"jpeg grey", encodeJPEG(t, painted(image.NewGray(r), func(x, y int) color.Color { return color.Gray{Y: 77} })), "jpeg", 1, bytes8, func(x, y, c int) float64 { return 77 }, ""},
		{"jpeg colour", encodeJPEG(t, painted(image.NewRGBA(r), func(x, y int) color.Color { return color.RGBA{200, 100, 50, 255} })), "jpeg", 3, bytes8, func(x, y, c int) float64 { return []float64{200, 100, 50}[c] }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Read(tt.b)
			if err != nil {
				t.Fatal(err)
			}
			if s.Format != tt.format || s.Width != 4 || s.Height != 3 || s.Frames != 1 || len(s.Steps) == 0 {
				t.Errorf("scan: %+v", s)
			}
			if got := strings.Join(s.Warnings, "; "); (tt.warning == "") != (got == "") || !strings.Contains(got, tt.warning) {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
			img, err := s.Frame(0)
			if err != nil {
				t.Fatal(err)
			}
			if img.Channels != tt.channels || img.Display != (segd.Display{High: tt.high}) || len(img.Pix) != 12*tt.channels {
				t.Fatalf("%d channels, display %+v, %d values", img.Channels, img.Display, len(img.Pix))
			}
			tolerance := 0.0
			if tt.format == "jpeg" {
				tolerance = 2 // lossy
			}
			for y := range 3 {
				for x := range 4 {
					for c := range tt.channels {
						if got, want := float64(img.At(y, x, c)), tt.at(x, y, c); math.Abs(got-want) > tolerance {
							t.Errorf("row %d, column %d, channel %d: got %v, want %v", y, x, c, got, want)
						}
					}
				}
			}
			again, err := s.Frame(0)
			if err != nil || &again.Pix[0] == &img.Pix[0] || cmp.Diff(again.Pix, img.Pix) != "" {
				t.Errorf("a second frame is not an image of its own: %v", err)
			}
			if _, err := s.Frame(1); !errors.Is(err, segd.ErrNotFound) {
				t.Errorf("frame 1: got %v", err)
			}
		})
	}
}

func TestReadDICOM(t *testing.T) {
	f := dicomtest.Disc(32)
	for _, bare := range []bool{false, true} {
		f.NoPreamble = bare
		s, err := Read(dicomtest.Write(f))
		if err != nil {
			t.Fatal(err)
		}
		if s.Format != "dicom" || s.Modality != "CT" {
			t.Errorf("no preamble %t: %+v", bare, s)
		}
	}
	f.NoPreamble = false
	both := dicomtest.Write(f) // a TIFF too, by its preamble
	for _, header := range []string{"II*\x00\x10\x00\x00\x00", "MM\x00*\x00\x00\x00\x10"} {
		copy(both, header)
		if s, err := Read(both); err != nil || s.Format != "dicom" {
			t.Errorf("a preamble of %q: %v", header, err)
		}
		if _, err := ReadLabels(both); err == nil || strings.Contains(err.Error(), "tiff") {
			t.Errorf("labels with a preamble of %q: %v", header, err)
		}
	}
}

func TestReadMask(t *testing.T) {
	r := image.Rect(0, 0, 5, 2)
	indices := []uint8{0, 1, 2, 255, 7, 3, 1, 0, 0, 9}
	grey := image.NewGray(r)
	copy(grey.Pix, indices)
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = color.RGBA{uint8(255 - i), 3, 7, 255}
	}
	indexed := image.NewPaletted(r, palette)
	copy(indexed.Pix, indices)
	wide, wider := image.NewGray16(r), image.NewGray16(r)
	for i, v := range indices {
		wide.SetGray16(i%5, i/5, color.Gray16{Y: uint16(v)})
		wider.SetGray16(i%5, i/5, color.Gray16{Y: uint16(v) + 1})
	}
	for name, m := range map[string]image.Image{"grey": grey, "paletted": indexed, "16 bits": wide} {
		got, err := ReadMask(encodePNG(t, m))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(&segd.Mask{Width: 5, Height: 2, Pix: indices}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, segd.ErrFormat},
		{"text", []byte("0 1 1 0"), segd.ErrUnsupported},
		{"colour", encodePNG(t, image.NewRGBA(r)), segd.ErrUnprocessable},
		{"above 255", encodePNG(t, wider), segd.ErrUnprocessable},
		{"cut short", encodePNG(t, grey)[:50], segd.ErrFormat},
		{"huge", pngHead(20000, 20000, 8, 0), segd.ErrTooLarge},
	} {
		if _, err := ReadMask(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestReadMaskDepths reads masks of 1, 2 and 4 bits, which package png spreads
// over 0..255 where they are grey.
func TestReadMaskDepths(t *testing.T) {
	for _, depth := range []uint8{1, 2, 4} {
		n := 1 << depth
		b := greyPNG(t, depth, n)
		m, err := ReadMask(b)
		if err != nil {
			t.Fatal(err)
		}
		for x, v := range m.Pix {
			if int(v) != x%n {
				t.Errorf("%d bits, pixel %d: got %d, want %d", depth, x, v, x%n)
			}
		}
	}
}

// greyPNG returns a PNG of one row, the values 0, 1, …, n-1 of depth bits. It
// is a paletted one, which package png writes with few bits, whose header is
// then changed to grey and whose palette is taken out.
func greyPNG(t testing.TB, depth uint8, n int) []byte {
	palette := make(color.Palette, n)
	for i := range palette {
		palette[i] = color.Gray{Y: uint8(i)}
	}
	m := image.NewPaletted(image.Rect(0, 0, n, 1), palette)
	for i := range m.Pix {
		m.Pix[i] = uint8(i)
	}
	b := encodePNG(t, m)
	if b[24] != depth || b[25] != pngPalette {
		t.Fatalf("written with depth %d, colour type %d", b[24], b[25])
	}
	at := bytes.Index(b, []byte("PLTE")) - 4
	rest := b[at+12+int(binary.BigEndian.Uint32(b[at:])):]
	return append(pngHead(uint32(n), 1, depth, pngGrey), rest...)
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]bool{
		"a.png": true, "a.PNG": true, "b/c.tif": true, "c.TIFF": true, "d.jpg": true, "d.jpeg": true,
		"e.dcm": true, "e.DICOM": true, "f.IMA": true, "g.DC3": true, "x.nii.gz": true, "x.NII": true,
		"IM0001": false, "1.2.840.113619.101": false, "a.txt": false, "ids.csv": false, ".DS_Store": false,
		"DICOMDIR": false, "LICENCE.md": false, "model.json": false, ".nii.gz": false, "x.gz": false,
	} {
		if got := Named(name); got != want {
			t.Errorf("%s: got %t, want %t", name, got, want)
		}
	}
}

// Read takes exactly what KindOf says it does, by the head alone.
func TestKindOf(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 90, 90))
	dicom := dicomtest.Write(dicomtest.Disc(64))
	implicit := append([]byte{8, 0, 5, 0, 10, 0, 0, 0}, "ISO_IR 100"...)
	directory := bytes.Clone(dicom[:132])
	directory = append(directory, dicomdir...)
	for name, c := range map[string]struct {
		b    []byte
		want Kind
	}{
		"png": {encodePNG(t, grey), PNG}, "jpeg": {encodeJPEG(t, grey), JPEG}, "tiff": {encodeTIFF(t, grey), TIFF},
		"dicom": {dicom, DICOM}, "dicom without preamble": {implicit, DICOM}, "dicomdir": {directory, DICOMDIR},
		"dicom behind a TIFF header": {append([]byte("II*\x00\x08\x00\x00\x00"), dicom[8:]...), DICOM},
		"nifti":                      {niftitest.Write(niftitest.Volume{Width: 3, Height: 2, Depth: 1, Values: make([]int16, 6)}), NIfTI},
		"text":                       {[]byte("a text of some length, and no image"), Unknown}, "nothing": {nil, Unknown},
		"photoshop": {[]byte("8BPS\x00\x01\x00\x00\x00\x00\x00\x00"), Unknown},
	} {
		if got := KindOf(c.b); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if got := KindOf(c.b[:min(len(c.b), HeadBytes)]); got != c.want {
			t.Errorf("%s, its head: got %q, want %q", name, got, c.want)
		}
		_, err := Read(c.b)
		if unread := errors.Is(err, segd.ErrUnsupported) || len(c.b) == 0; unread == c.want.IsScan() {
			t.Errorf("%s: kind %q, but read with %v", name, c.want, err)
		}
	}
}
