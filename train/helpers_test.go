package train

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"segd"
)

// discs writes a data set of n images of bright discs on noise, side pixels
// wide, two images a group, and returns its folder.
func discs(t testing.TB, n, side int) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"images", "labels"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
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
		writePNG(t, filepath.Join(dir, "images", name+".png"), img)
		writePNG(t, filepath.Join(dir, "labels", name+".png"), label)
		ids += fmt.Sprintf("%s,subject_%d\n", name, i/2)
	}
	if err := os.WriteFile(filepath.Join(dir, "ids.csv"), []byte(ids), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writePNG(t testing.TB, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// maskAt and imageAt read files as those of a case.
func maskAt(path string) (*segd.Mask, error) { return (&Case{Label: path}).mask() }

func imageAt(path string) (*segd.Image, error) { return (&Case{Image: path}).image() }

// encoded is a PNG file.
func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
