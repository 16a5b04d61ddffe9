package train

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/train/dataset/datasettest"
)

// photographs writes colour pictures of leaves, flowers and stones on ground of
// varying brightness: classes differ in colour, not in brightness.
func photographs(t testing.TB) string {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(11, 1))
	const size = 64
	colours := [4][3]float64{{0.35, 0.32, 0.33}, {0.2, 0.6, 0.2}, {0.65, 0.2, 0.4}, {0.2, 0.3, 0.65}}
	for i := range 16 {
		img, label := image.NewRGBA(image.Rect(0, 0, size, size)), image.NewGray(image.Rect(0, 0, size, size))
		for k := range 5 {
			cy, cx, r := rng.IntN(size), rng.IntN(size), 6+rng.IntN(8)
			for y := range size {
				for x := range size {
					if (y-cy)*(y-cy)+(x-cx)*(x-cx) < r*r {
						label.Pix[y*size+x] = uint8(k%3 + 1)
					}
				}
			}
		}
		light := 0.6 + 0.8*rng.Float64()
		for p, class := range label.Pix {
			var c [3]uint8
			for k, v := range colours[class] {
				c[k] = uint8(min(255, max(0, 180*light*(v+0.05*rng.NormFloat64()))))
			}
			img.SetRGBA(p%size, p/size, color.RGBA{c[0], c[1], c[2], 255})
		}
		datasettest.Put(t, dir, "images/.keep", nil)
		datasettest.Put(t, dir, "labels/.keep", nil)
		datasettest.WritePNG(t, filepath.Join(dir, "images", fmt.Sprintf("photo%02d.png", i)), img)
		datasettest.WritePNG(t, filepath.Join(dir, "labels", fmt.Sprintf("photo%02d.png", i)), label)
	}
	return dir
}

// body returns a CT slice in Hounsfield units: air, a body of fat and muscle, and in
// it an organ of 60 HU, class 1, among others of different density. Subjects differ
// in position and size.
func body(seed uint64, size, z int) (values []int, class []uint8) {
	rng := rand.New(rand.NewPCG(seed, 5))
	cy, cx := size/2+rng.IntN(5)-2, size/2+rng.IntN(5)-2
	oy, ox, r := cy-size/8+rng.IntN(4), cx-size/8+rng.IntN(4), size/8+rng.IntN(3)
	by, bx := cy+size/5, cx+size/8
	noise := rand.New(rand.NewPCG(seed, uint64(100+z)))
	values, class = make([]int, size*size), make([]uint8, size*size)
	within := func(y, x, cy, cx, r int) bool { return (y-cy)*(y-cy)+(x-cx)*(x-cx) < r*r }
	for i := range values {
		y, x := i/size, i%size
		v := -1000
		switch {
		case within(y, x, oy, ox, r+z):
			v, class[i] = 140, 1
		case within(y, x, by, bx, size/10):
			v = 700
		case within(y, x, cy, cx, size*2/5):
			v = 20
		}
		values[i] = v + int(20*noise.NormFloat64())
		if v == -1000 {
			values[i] = max(-1024, values[i])
		}
	}
	return values, class
}

// volumesCT writes six CT crops with different spacings.
func volumesCT(t testing.TB) string {
	dir := t.TempDir()
	for i := range 6 {
		spacing := 0.8 + 0.1*float64(i%3)
		size := int(48 / spacing)
		var values [3][]int
		var classes [3][]uint8
		for z := range values {
			values[z], classes[z] = body(uint64(i), size, z)
		}
		datasettest.Put(t, dir, fmt.Sprintf("images/ct%d.nii.gz", i), datasettest.Volume(size, size, 3, spacing, func(x, y, z int) int { return values[z][y*size+x] }))
		datasettest.Put(t, dir, fmt.Sprintf("labels/ct%d.nii.gz", i), datasettest.Volume(size, size, 3, spacing, func(x, y, z int) int { return int(classes[z][y*size+x]) }))
	}
	return dir
}

// seriesCT writes six series of CT slices, each with a segmentation.
func seriesCT(t testing.TB) string {
	dir := t.TempDir()
	const size = 48
	for i := range 6 {
		var files [][]byte
		var masks [][]uint8
		for z := range 3 {
			values, class := body(uint64(20+i), size, z)
			b := dicomtest.Write(datasettest.Slice(fmt.Sprint(40+i), z, size, float64(3*z), func(x, y int) int { return values[y*size+x] + 1024 }))
			datasettest.Put(t, dir, fmt.Sprintf("images/s%d/IM%d.dcm", i, z), b)
			files, masks = append(files, b), append(masks, class)
		}
		datasettest.Put(t, dir, fmt.Sprintf("labels/seg%d.dcm", i), datasettest.Segmentation(t, files, size, []string{"organ"}, func(k, x, y int) uint8 { return masks[k][y*size+x] }))
	}
	return dir
}
