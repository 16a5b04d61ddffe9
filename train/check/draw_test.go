package check

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"

	"segd/internal/scanio"
	"segd/train/dataset/datasettest"
)

// canvas is the side length of the labels below.
const canvas = 96

// objectsOn draws n discs in rows on a canvas, gap pixels apart, numbered from 1.
func objectsOn(n, side, radius, gap int) []uint16 {
	pix := make([]uint16, side*side)
	step := 2*radius + 1 + gap
	across := (side - 2) / step
	for k := range n {
		cx, cy := 1+radius+k%across*step, 1+radius+k/across*step
		for y := cy - radius; y <= cy+radius; y++ {
			for x := cx - radius; x <= cx+radius; x++ {
				if (x-cx)*(x-cx)+(y-cy)*(y-cy) <= radius*radius && y < side {
					pix[y*side+x] = uint16(k + 1)
				}
			}
		}
	}
	return pix
}

// softened blurs the region in which pix is above 0, to values of 0..1.
func softened(pix []uint16, side int) []float64 {
	out := make([]float64, len(pix))
	for i := range pix {
		y, x := i/side, i%side
		sum := 0.0
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				if yy, xx := y+dy, x+dx; yy >= 0 && yy < side && xx >= 0 && xx < side && pix[yy*side+xx] > 0 {
					sum += []float64{5, 2, 1}[dy*dy+dx*dx]
				}
			}
		}
		out[i] = sum / 17 // never exactly half
	}
	return out
}

func grey8(pix []uint16, value func(v uint16) uint8) image.Image {
	side := int(math.Sqrt(float64(len(pix))))
	m := image.NewGray(image.Rect(0, 0, side, side))
	for i, v := range pix {
		m.Pix[i] = value(v)
	}
	return m
}

func grey16(pix []uint16, value func(v uint16) uint16) image.Image {
	side := int(math.Sqrt(float64(len(pix))))
	m := image.NewGray16(image.Rect(0, 0, side, side))
	for i, v := range pix {
		m.SetGray16(i%side, i/side, color.Gray16{Y: value(v)})
	}
	return m
}

func inColour(pix []uint16, of func(v uint16) color.NRGBA) image.Image {
	side := int(math.Sqrt(float64(len(pix))))
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i, v := range pix {
		m.SetNRGBA(i%side, i/side, of(v))
	}
	return m
}

func soft(pix []uint16, of func(t float64) color.NRGBA) image.Image {
	side := int(math.Sqrt(float64(len(pix))))
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i, t := range softened(pix, side) {
		m.SetNRGBA(i%side, i/side, of(t))
	}
	return m
}

func paletted(pix []uint16, index func(v uint16) uint8, palette color.Palette) image.Image {
	side := int(math.Sqrt(float64(len(pix))))
	m := image.NewPaletted(image.Rect(0, 0, side, side), palette)
	for i, v := range pix {
		m.Pix[i] = index(v)
	}
	return m
}

// Objects alternate between two classes.
func class(v uint16) uint8 {
	if v == 0 {
		return 0
	}
	return uint8(1 + v%2)
}

var (
	opaqueBlack = color.NRGBA{A: 255}
	clear       = color.NRGBA{}
	white       = color.NRGBA{255, 255, 255, 255}
	red         = color.NRGBA{255, 0, 0, 255}
	green       = color.NRGBA{0, 255, 0, 255}
	azure       = color.NRGBA{0, 0, 255, 255}
)

func inClass(list ...color.NRGBA) func(uint16) color.NRGBA {
	return func(v uint16) color.NRGBA { return list[class(v)] }
}

func mix(a, b color.NRGBA) func(t float64) color.NRGBA {
	level := func(p, q uint8, t float64) uint8 { return uint8(math.Round(float64(p) + t*(float64(q)-float64(p)))) }
	return func(t float64) color.NRGBA {
		return color.NRGBA{level(a.R, b.R, t), level(a.G, b.G, t), level(a.B, b.B, t), level(a.A, b.A, t)}
	}
}

// drawn writes a data set of three images and labels. draw makes each label from 12
// objects.
func drawn(t *testing.T, pix []uint16, draw func(k int, pix []uint16) image.Image) string {
	t.Helper()
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{"images/.keep": "", "labels/.keep": ""})
	side := int(math.Sqrt(float64(len(pix))))
	for k := range 3 {
		m := datasettest.Grey(side, side, 0)
		for i, v := range pix {
			m.Pix[i] = uint8(20*k + int(v%64))
		}
		datasettest.WritePNG(t, filepath.Join(dir, "images", fmt.Sprintf("im%d.png", k)), m)
		datasettest.WritePNG(t, filepath.Join(dir, "labels", fmt.Sprintf("im%d.png", k)), draw(k, pix))
	}
	return dir
}

// wantPixels compares a corrected label with the objects it was drawn from.
func wantPixels(t *testing.T, name, path string, pix []uint16, want func(v uint16) int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	d, err := scanio.ReadDrawing(b, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range pix {
		if got := d.Shades[d.Pix[i]].Value; got != want(v) {
			t.Errorf("%s: pixel %d, of object %d, is %d, want %d", name, i, v, got, want(v))
			return
		}
	}
}
