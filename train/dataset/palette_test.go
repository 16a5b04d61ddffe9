package dataset

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"segd/internal/classes"
)

// A palette follows the values of its label when ignored pixels or classes are
// renumbered.
func TestPaletteOfMeantValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	img := image.NewPaletted(image.Rect(0, 0, 3, 1), color.Palette{color.NRGBA{A: 255}, color.NRGBA{R: 255, A: 255}, color.NRGBA{G: 255, A: 255}})
	img.Pix = []uint8{0, 1, 2}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(file, img), file.Close()); err != nil {
		t.Fatal(err)
	}
	table := &classes.Table{}
	for i := range table {
		table[i] = uint8(i)
	}
	table[1] = 7
	c := &Case{Label: path, ignore: 2, renumber: table}
	m, err := c.ReadMask()
	if err != nil {
		t.Fatal(err)
	}
	s := c.See(m).shown
	if len(s) != 3 || s[0] != img.Palette[0] || s[7] != img.Palette[1] || s[255] != img.Palette[2] {
		t.Errorf("%v", s)
	}
}
