// Package datasettest writes data sets for tests: folders of images and labels in
// which every pixel is known.
package datasettest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"segd/internal/export"
)

// Discs writes a data set of n images of bright discs on noise, and returns its
// folder. Images are side pixels wide, and each group has two.
func Discs(t testing.TB, n, side int) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(7, 7))
	ids := "id,group\n"
	for i := range n {
		img, label := image.NewGray(image.Rect(0, 0, side, side)), image.NewGray(image.Rect(0, 0, side, side))
		type disc struct{ y, x, r int }
		var ds []disc
		for range 1 + rng.IntN(3) {
			ds = append(ds, disc{rng.IntN(side), rng.IntN(side), side/12 + 1 + rng.IntN(side/8)})
		}
		for y := range side {
			for x := range side {
				v, l := 60, uint8(0)
				for _, d := range ds {
					if (y-d.y)*(y-d.y)+(x-d.x)*(x-d.x) <= d.r*d.r {
						v, l = 170, 1
					}
				}
				img.SetGray(x, y, color.Gray{Y: uint8(v + rng.IntN(60) - 30)})
				label.SetGray(x, y, color.Gray{Y: l})
			}
		}
		name := fmt.Sprintf("disc_%02d", i)
		WritePNG(t, filepath.Join(dir, "images", name+".png"), img)
		WritePNG(t, filepath.Join(dir, "labels", name+".png"), label)
		ids += fmt.Sprintf("%s,subject_%d\n", name, i/2)
	}
	Put(t, dir, "ids.csv", []byte(ids))
	return dir
}

// Ramps writes n images of soft blobs on noise. The label of a pixel, in 16 bits, is
// 3000 plus 200 times its brightness without the noise.
func Ramps(t testing.TB, n, side int) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range n {
		img, label := image.NewGray(image.Rect(0, 0, side, side)), image.NewGray16(image.Rect(0, 0, side, side))
		cy, cx, r := float64(rng.IntN(side)), float64(rng.IntN(side)), float64(side)/4
		for y := range side {
			for x := range side {
				dy, dx := float64(y)-cy, float64(x)-cx
				v := 60 + 150*math.Exp(-(dy*dy+dx*dx)/(2*r*r))
				img.SetGray(x, y, color.Gray{Y: uint8(v + float64(rng.IntN(30)-15))})
				label.SetGray16(x, y, color.Gray16{Y: uint16(3000 + 200*v)})
			}
		}
		name := string(rune('a'+i)) + ".png"
		WritePNG(t, filepath.Join(dir, "images", name), img)
		WritePNG(t, filepath.Join(dir, "labels", name), label)
	}
	return dir
}

// Tree writes the files of a data set. A name that ends in .png becomes a PNG whose
// rows are two pixels of the given bytes; other files are text.
func Tree(t testing.TB, dir string, files map[string]any) string {
	t.Helper()
	for name, content := range files {
		switch c := content.(type) {
		case []uint8:
			Put(t, dir, name, Encode(t, &image.Gray{Pix: c, Stride: 2, Rect: image.Rect(0, 0, 2, len(c)/2)}))
		case string:
			Put(t, dir, name, []byte(c))
		}
	}
	return dir
}

// Pixels returns the content of a two-by-two mask for Tree.
var Pixels = []uint8{0, 1, 1, 0}

// Put writes a file of a data set.
func Put(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Grey returns a w×h image of a single value.
func Grey(w, h int, v uint8) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = v
	}
	return m
}

// WritePNG writes an image and the folders above it.
func WritePNG(t testing.TB, path string, img image.Image) {
	t.Helper()
	Put(t, filepath.Dir(path), filepath.Base(path), Encode(t, img))
}

// Encode returns an image as a PNG file.
func Encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TIFF returns a float32 label as a TIFF file.
func TIFF(t testing.TB, values []float32, width int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := export.WriteTIFF(&b, values, width, len(values)/width); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
