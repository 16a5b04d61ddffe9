//go:build ignore

// Distances makes labels for docs/regression.md:
//
//	go run docs/examples/distances.go nuclei/train/instances distances/train/labels
//
// For each PNG that numbers its objects from 1 it writes one of 16 bits that holds
// how far each pixel of an object lies from the nearest pixel that is not of it,
// in hundredths of a pixel, and 0 outside.
package main

import (
	"image"
	"image/color"
	"image/png"
	"log"
	"math"
	"os"
	"path/filepath"

	"segd/internal/scanio"
	"segd/train/metric"
)

func main() {
	files, err := filepath.Glob(filepath.Join(os.Args[1], "*.png"))
	check(err)
	check(os.MkdirAll(os.Args[2], 0o755))
	for _, file := range files {
		b, err := os.ReadFile(file)
		check(err)
		scan, err := scanio.ReadValues(b)
		check(err)
		objects, err := scan.Frame(0)
		check(err)
		out, err := os.Create(filepath.Join(os.Args[2], filepath.Base(file)))
		check(err)
		check(png.Encode(out, distances(objects.Pix, objects.Width, objects.Height)))
		check(out.Close())
	}
}

// distances looks at each object in its box and one pixel around it.
func distances(id []float32, width, height int) image.Image {
	out := image.NewGray16(image.Rect(0, 0, width, height))
	boxes := map[float32]image.Rectangle{}
	for i, k := range id {
		if k != 0 {
			x, y := i%width, i/width
			boxes[k] = boxes[k].Union(image.Rect(x-1, y-1, x+2, y+2))
		}
	}
	for k, box := range boxes {
		box = box.Intersect(out.Rect)
		outside := make([]bool, box.Dx()*box.Dy())
		at := func(i int) (x, y int) { return box.Min.X + i%box.Dx(), box.Min.Y + i/box.Dx() }
		for i := range outside {
			x, y := at(i)
			outside[i] = id[y*width+x] != k
		}
		for i, d := range metric.Distances(outside, box.Dx(), box.Dy()) {
			if x, y := at(i); !outside[i] {
				out.SetGray16(x, y, color.Gray16{Y: uint16(math.Min(100*d+0.5, 65535))})
			}
		}
	}
	return out
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
