package scanio

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/internal/pythontest"
)

// TestPictures reads what Pillow and imagecodecs write, and compares each pixel with
// what they read.
func TestPictures(t *testing.T) {
	const modules = "numpy, PIL, imagecodecs"
	python := pythontest.Find(modules)
	if python == "" {
		t.Skipf("no Python with %s; SEGD_PYTHON names an interpreter", modules)
	}
	dir := t.TempDir()
	if out, err := exec.Command(python, filepath.Join("testdata", "pictures.py"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		path := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(path), func(t *testing.T) {
			var want struct {
				Shape  [4]int
				Within float64
			}
			text, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(text, &want)
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(path + ".raw")
			if err != nil {
				t.Fatal(err)
			}
			wantPixels(t, b, Options{}, want.Shape, raw, want.Within)
		})
	}
	t.Logf("%d files", len(files))
}

// wantPixels reads all frames of b and compares them with raw, of that shape: frames,
// height, width and channels. Grey may stand for three equal channels.
func wantPixels(t *testing.T, b []byte, o Options, shape [4]int, raw []byte, within float64) {
	t.Helper()
	s, err := ReadWith(b, o)
	if err != nil {
		t.Fatal(err)
	}
	size, err := Measure(b)
	if err != nil || size.Width != shape[2] || size.Height != shape[1] || size.Frames != shape[0] {
		t.Errorf("measured %+v, %v, want %v", size, err, shape)
	}
	if s.Frames != shape[0] || s.Height != shape[1] || s.Width != shape[2] {
		t.Fatalf("%d frames of %d×%d, want %v", s.Frames, s.Width, s.Height, shape)
	}
	worst := 0.0
	for f := range s.Frames {
		img, err := s.Frame(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range shape[1] * shape[2] {
			for c := range shape[3] {
				got := float64(img.Pix[i*img.Channels+min(c, img.Channels-1)])
				at := ((f*shape[1]*shape[2] + i) * shape[3]) + c
				want := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*at:])))
				worst = max(worst, math.Abs(got-want))
			}
		}
	}
	if worst > within {
		t.Errorf("pixels differ by up to %g, want at most %g", worst, within)
	}
}

// TestNetpbm reads files as the man pages of Netpbm describe them.
func TestNetpbm(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want []float32
	}{
		"bits in text":       {"P1\n# black is 1\n3 2\n1 0 1\n0 1 0", []float32{0, 255, 0, 255, 0, 255}},
		"bits without space": {"P1 3 2 101010", []float32{0, 255, 0, 255, 0, 255}},
		"packed bits":        {"P4 3 2\n\xa0\x40", []float32{0, 255, 0, 255, 0, 255}},
		"grey in text":       {"P2 2 2 9\n1 2\n3 9 ", []float32{1, 2, 3, 9}},
		"grey":               {"P5 2 2 # here too\n255\n\x01\x02\x03\xff", []float32{1, 2, 3, 255}},
		"grey of 16 bits":    {"P5 2 1 1000 \x01\x00\x03\xe8", []float32{256, 1000}},
	} {
		s, err := Read([]byte(tt.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if img, err := s.Frame(0); err != nil || !slices.Equal(img.Pix, tt.want) {
			t.Errorf("%s: %v, %v, want %v", name, img, err, tt.want)
		}
	}
	m, err := ReadMask([]byte("P1 3 1 1 0 1"))
	if err != nil || !slices.Equal(m.Pix, []uint8{0, 1, 0}) {
		t.Errorf("mask %v, %v: white is class 1", m, err)
	}
}

// TestPictureLabels takes palette indices and grey values as classes, and refuses what
// changes values.
func TestPictureLabels(t *testing.T) {
	p := image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.NRGBA{200, 0, 0, 255}, color.White})
	copy(p.Pix, []uint8{0, 1, 2, 2, 1, 0})
	var b bytes.Buffer
	if err := gif.Encode(&b, p, nil); err != nil {
		t.Fatal(err)
	}
	l, err := ReadLabels(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if m, err := l.Mask(0); err != nil || !slices.Equal(m.Pix, p.Pix) || len(l.Palette) < 3 || l.Palette[1].R != 200 {
		t.Errorf("mask %v, %v, palette %v", m, err, l.Palette)
	}
	for name, file := range map[string]string{"webp": "RIFF\x00\x00\x00\x00WEBPVP8L", "jpeg 2000": "\xff\x4f\xff\x51"} {
		if _, err := ReadLabels([]byte(file)); !errors.Is(err, segd.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHostilePictures refuses files that promise more than they hold, without taking
// memory for it.
func TestHostilePictures(t *testing.T) {
	frame := "\x2c\x00\x00\x00\x00\x00\x40\x00\x40\x00\x02\x01\x00\x00" // 16384 pixels a side
	for name, tt := range map[string]struct {
		file string
		want error
	}{
		"pnm of 4 G pixels":      {"P5 65000 65000 255\n", segd.ErrTooLarge},
		"pnm, truncated":         {"P6 100 100 255\n\x00", segd.ErrFormat},
		"pnm without a number":   {"P5 x 100 255\n", segd.ErrFormat},
		"pnm of a comment":       {"P5 #" + strings.Repeat("x", 1<<16), segd.ErrFormat},
		"pnm, negative":          {"P5 -4 4 255\n", segd.ErrFormat},
		"pnm above its highest":  {"P5 2 1 9\n\x01\x0a", segd.ErrFormat},
		"pnm of a long number":   {"P2 1 1 9\n" + strings.Repeat("1", 1000), segd.ErrFormat},
		"pfm of no scale":        {"Pf 1 1 nan\n\x00\x00\x00\x00", segd.ErrFormat},
		"gif without a picture":  {"GIF89a\x01\x00\x01\x00\x00\x00\x00\x3b", segd.ErrFormat},
		"gif of many pictures":   {"GIF89a\x00\x40\x00\x10\x00\x00\x00" + strings.Repeat(frame, 9000) + "\x3b", segd.ErrTooLarge},
		"gif, truncated":         {"GIF89a\x01\x00\x01\x00\x80\x00\x00", segd.ErrFormat},
		"gif of an unknown kind": {"GIF89a\x01\x00\x01\x00\x00\x00\x00\x7f", segd.ErrFormat},
		"bmp of 2 G pixels":      {"BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\xff\xff\xff\x7f\x01\x00\x00\x00\x01\x00\x18\x00" + strings.Repeat("\x00", 24), segd.ErrTooLarge},
		"webp, truncated":        {"RIFF\x10\x00\x00\x00WEBPVP8L\x04\x00\x00\x00\x2f", segd.ErrFormat},
		"jpeg 2000, truncated":   {"\xff\x4f\xff\x51\x00\x29", segd.ErrFormat},
	} {
		if s, err := Read([]byte(tt.file)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v, want %v", name, s, err, tt.want)
		}
		if _, err := Measure([]byte(tt.file)); name != "pnm of a long number" && name != "pnm above its highest" && !errors.Is(err, tt.want) {
			t.Errorf("%s measured: %v, want %v", name, err, tt.want)
		}
	}
}

// FuzzPictures looks for panics and for errors of no kind.
func FuzzPictures(f *testing.F) {
	for _, s := range []string{"P1 3 2 101010", "P6 1 1 255 abc", "Pf 1 1 -1 abcd", "GIF89a", "BM", "RIFF\x00\x00\x00\x00WEBPVP8 ", "\xff\x4f\xff\x51"} {
		f.Add([]byte(s))
	}
	var b bytes.Buffer
	if err := gif.Encode(&b, image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{color.Black, color.White}), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := Measure(b)
		if err != nil || size.Read > 64<<20 {
			return
		}
		s, err := Read(b)
		if err != nil {
			for _, kind := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported, segd.ErrUnprocessable} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Fatal(err)
		}
		if s.Frames > 0 {
			_, _ = s.Frame(0)
		}
	})
}
