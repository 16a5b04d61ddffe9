package check

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// forms are ways to draw 12 objects, of one class, of two or numbered, and the
// results of Fix.
func forms() map[string]struct {
	draw    func(k int, pix []uint16) image.Image
	o       FixOptions
	class   func(v uint16) int // of an object
	numbers bool               // objects go to instances/
} {
	one := func(v uint16) int { return min(1, int(v)) }
	two := func(v uint16) int { return int(class(v)) }
	swapped := func(v uint16) int { return []int{0, 2, 1}[class(v)] }
	type form = struct {
		draw    func(k int, pix []uint16) image.Image
		o       FixOptions
		class   func(v uint16) int
		numbers bool
	}
	of := func(f func(pix []uint16) image.Image) func(int, []uint16) image.Image {
		return func(_ int, pix []uint16) image.Image { return f(pix) }
	}
	colours := func(c ...color.NRGBA) func(int, []uint16) image.Image {
		return of(func(pix []uint16) image.Image { return inColour(pix, inClass(c...)) })
	}
	edges := func(f func(float64) color.NRGBA) func(int, []uint16) image.Image {
		return of(func(pix []uint16) image.Image { return soft(pix, f) })
	}
	values := func(f func(v uint16) uint8) func(int, []uint16) image.Image {
		return of(func(pix []uint16) image.Image { return grey8(pix, f) })
	}
	scaled := func(v uint16) uint8 { return uint8(min(255, 255*int(v))) }
	return map[string]form{
		"indices":   {draw: values(class), class: two},
		"0 and 255": {draw: values(scaled), class: one},
		"0 and 65535": {draw: of(func(pix []uint16) image.Image {
			return grey16(pix, func(v uint16) uint16 { return uint16(min(1, v)) * 65535 })
		}), class: one},
		"scaled to 127 and 254": {draw: values(func(v uint16) uint8 { return 127 * class(v) }), class: two},
		"grey as colour": {draw: of(func(pix []uint16) image.Image {
			return inColour(pix, func(v uint16) color.NRGBA { c := class(v); return color.NRGBA{c, c, c, 255} })
		}), class: two},
		"white on black in colour":   {draw: colours(opaqueBlack, white, white), class: one},
		"colours on black":           {draw: colours(opaqueBlack, red, green), class: swapped},
		"white brush":                {draw: colours(clear, white, white), class: one},
		"white brush on clear white": {draw: colours(color.NRGBA{255, 255, 255, 0}, white, white), class: one},
		"black brush":                {draw: colours(clear, opaqueBlack, opaqueBlack), class: one},
		"half-transparent brush":     {draw: colours(clear, color.NRGBA{255, 0, 0, 128}, color.NRGBA{255, 0, 0, 128}), class: one},
		"colours on clear red":       {draw: colours(color.NRGBA{255, 0, 0, 0}, red, green), class: swapped},
		"colours on white":           {draw: colours(white, red, azure), o: FixOptions{Background: []string{"ffffff"}}, class: swapped},
		"black on white":             {draw: colours(white, opaqueBlack, red), o: FixOptions{Background: []string{"FFFFFF"}}, class: two},
		"inverted":                   {draw: values(func(v uint16) uint8 { return 255 - scaled(v) }), o: FixOptions{Background: []string{"255"}}, class: one},
		"classes from 1":             {draw: values(func(v uint16) uint8 { return 1 + class(v) }), o: FixOptions{Background: []string{"1"}}, class: two},
		"soft grey":                  {draw: edges(mix(opaqueBlack, white)), class: one},
		"soft red":                   {draw: edges(mix(opaqueBlack, red)), class: one},
		"soft brush":                 {draw: edges(mix(color.NRGBA{255, 255, 255, 0}, white)), class: one},
		"soft, inverted":             {draw: edges(mix(white, opaqueBlack)), o: FixOptions{Background: []string{"255"}}, class: one},
		"soft red on white":          {draw: edges(mix(white, red)), o: FixOptions{Background: []string{"ffffff"}}, class: one},
		"few numbers":                {draw: values(func(v uint16) uint8 { return uint8(13 * v) }), o: FixOptions{Numbers: NumbersInstances}, class: one, numbers: true},
		"indices that are numbers":   {draw: values(func(v uint16) uint8 { return uint8(v) }), o: FixOptions{Numbers: NumbersInstances}, class: one, numbers: true},
		"palettes in two orders": {draw: func(k int, pix []uint16) image.Image {
			if k == 1 {
				return paletted(pix, func(v uint16) uint8 { return []uint8{1, 2, 0}[class(v)] }, color.Palette{green, opaqueBlack, red})
			}
			return paletted(pix, class, color.Palette{opaqueBlack, red, green})
		}, class: two}, // as in most palettes
		"random palettes": {draw: func(k int, pix []uint16) image.Image {
			return paletted(pix, class, color.Palette{opaqueBlack, color.NRGBA{uint8(90 * k), 200, 9, 255}, color.NRGBA{200, uint8(60 * k), 99, 255}})
		}, o: FixOptions{Palette: PaletteIndex}, class: two},
		"colours and a palette": {draw: func(k int, pix []uint16) image.Image {
			if k == 1 {
				return inColour(pix, inClass(opaqueBlack, red, green))
			}
			return paletted(pix, class, color.Palette{opaqueBlack, red, green})
		}, class: two},
	}
}

// A corrected label has the classes that were drawn, and is reported after
// comparison. A corrected set has no fault.
func TestFixForms(t *testing.T) {
	pix := objectsOn(12, canvas, 6, 4)
	for name, tt := range forms() {
		dir, out := drawn(t, pix, tt.draw), filepath.Join(t.TempDir(), "mended")
		f, err := Fix(t.Context(), dir, out, tt.o)
		if err != nil || f.Cases != 3 || len(f.Left) != 0 {
			t.Errorf("%s: %+v, %v", name, f, err)
			continue
		}
		for k := range 3 {
			file := fmt.Sprintf("im%d.png", k)
			wantPixels(t, name, filepath.Join(out, "labels", file), pix, tt.class)
			if tt.numbers {
				wantPixels(t, name, filepath.Join(out, "instances", file), pix, func(v uint16) int {
					if name == "few numbers" {
						return 13 * int(v)
					}
					return int(v)
				})
			}
		}
		if strings.HasPrefix(name, "soft") && (len(f.Softened) != 3 || f.Softened[0].Parts != 12 || f.Softened[0].Moved == 0) {
			t.Errorf("%s: %+v", name, f.Softened)
		}
		for _, finding := range check(t, out).Findings {
			if finding.Fault && finding.Kind != KindDuplicate {
				t.Errorf("%s, corrected: %+v", name, finding)
			}
		}
	}
}

// A label with an open question is left out with the question and a command, and
// nothing is written for it.
func TestFixAsks(t *testing.T) {
	pix := objectsOn(12, canvas, 6, 4)
	for name, tt := range forms() {
		var flag string
		switch o := tt.o; {
		case name == "indices that are numbers": // apparently class indices
			continue
		case len(o.Background) > 0:
			flag = "--background " + strings.ToLower(o.Background[0])
		case o.Numbers != "":
			flag = "--numbers " + o.Numbers
		case o.Palette != "":
			flag = "--palette " + o.Palette
		default:
			continue
		}
		dir, out := drawn(t, pix, tt.draw), filepath.Join(t.TempDir(), "mended")
		f, err := Fix(t.Context(), dir, out, FixOptions{})
		if err != nil || f.Cases != 0 || len(f.Left) != 3 {
			t.Errorf("%s: %+v, %v", name, f, err)
			continue
		}
		if want := "segd check -d " + dir + " --fix " + out + " " + flag; !strings.Contains(f.Left[0].Fix, want) {
			t.Errorf("%s: %q, want %q", name, f.Left[0].Fix, want)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something was written", name)
		}
	}
}

// Many numbers that each have one connected part are objects, whether by value or by
// colour.
func TestFixInstances(t *testing.T) {
	pix := objectsOn(256, 200, 4, 2)
	few := objectsOn(100, 200, 4, 0) // touching
	for name, tt := range map[string]struct {
		pix  []uint16
		draw func(v uint16) uint16
	}{
		"1 to 256":           {pix, func(v uint16) uint16 { return v }},
		"1 to 100, touching": {few, func(v uint16) uint16 { return v }},
		"scattered":          {pix, func(v uint16) uint16 { return v * 251 }},
	} {
		dir, out := drawn(t, tt.pix, func(_ int, pix []uint16) image.Image {
			if slices.Max(pix) < 256 {
				return grey8(pix, func(v uint16) uint8 { return uint8(tt.draw(v)) })
			}
			return grey16(pix, tt.draw)
		}), filepath.Join(t.TempDir(), "mended")
		if r := check(t, dir); !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Fault && f.Kind == KindInstances }) {
			t.Errorf("%s: %+v", name, r.Findings)
		}
		f, err := Fix(t.Context(), dir, out, FixOptions{})
		if err != nil || f.Instances != 3 {
			t.Errorf("%s: %+v, %v", name, f, err)
			continue
		}
		wantPixels(t, name, filepath.Join(out, "labels", "im2.png"), tt.pix, func(v uint16) int { return min(1, int(v)) })
		wantPixels(t, name, filepath.Join(out, "instances", "im2.png"), tt.pix, func(v uint16) int { return int(tt.draw(v)) })
		d, err := dataset.Open(out)
		if err != nil || d.Cases[0].Instances == "" {
			t.Errorf("%s: instances are not found: %v", name, err)
		}
	}
	dir := drawn(t, pix, func(k int, pix []uint16) image.Image {
		return inColour(pix, func(v uint16) color.NRGBA {
			return color.NRGBA{uint8(int(v) * (37 + k) % 256), uint8(v / 2), uint8(v % 7 * 30), 255}
		})
	})
	out := filepath.Join(t.TempDir(), "mended")
	if f, err := Fix(t.Context(), dir, out, FixOptions{}); err != nil || f.Instances != 3 {
		t.Fatalf("colours: %+v, %v", f, err)
	}
	b, err := os.ReadFile(filepath.Join(out, "instances", "im0.png"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	number := map[uint16]uint16{}
	for i, v := range pix {
		n := m.(*image.Gray16).Gray16At(i%200, i/200).Y
		if was, ok := number[v]; ok && was != n {
			t.Fatalf("object %d is %d and %d", v, was, n)
		}
		number[v] = n
	}
	if len(number) != 257 || number[0] != 0 {
		t.Errorf("%d numbers", len(number))
	}
}

// A label that is neither is refused and never written.
func TestFixRefuses(t *testing.T) {
	pix := objectsOn(12, canvas, 6, 4)
	touching := objectsOn(12, canvas, 6, 0)
	lines := make([]uint16, canvas*canvas) // one pixel wide, in steps
	for x := range canvas - 8 {
		lines[(10+x/3)*canvas+x+4] = 1
	}
	halves := func(left, right func(t float64) color.NRGBA) func(int, []uint16) image.Image {
		return func(_ int, pix []uint16) image.Image {
			m := image.NewNRGBA(image.Rect(0, 0, canvas, canvas))
			for i, t := range softened(pix, canvas) {
				of := left
				if i%canvas > canvas/2 {
					of = right
				}
				m.SetNRGBA(i%canvas, i/canvas, of(t))
			}
			return m
		}
	}
	faint := func(t float64) color.NRGBA { return mix(opaqueBlack, white)(0.55 * t) }
	for name, tt := range map[string]struct {
		pix  []uint16
		draw func(k int, pix []uint16) image.Image
		left int
		want string
	}{
		"soft objects that touch": {touching, func(_ int, pix []uint16) image.Image { return soft(pix, mix(opaqueBlack, white)) }, 3, "merge with another or fall apart"},
		"soft lines":              {lines, halves(mix(opaqueBlack, white), faint), 3, "connected part"},
		"soft colours":            {pix, halves(mix(opaqueBlack, red), mix(opaqueBlack, green)), 3, "only along edges"},
		"shades of two levels": {pix, func(_ int, pix []uint16) image.Image {
			side := softened(pix, canvas)
			m := image.NewGray(image.Rect(0, 0, canvas, canvas))
			for i, t := range side {
				m.Pix[i] = []uint8{0, 128, 255}[int(math.Round(2*t))]
			}
			return m
		}, 3, "only along edges"},
		"colours next to indices": {pix, func(k int, pix []uint16) image.Image {
			if k == 1 {
				return inColour(pix, inClass(opaqueBlack, red, green))
			}
			return grey8(pix, class)
		}, 1, "it is unclear which classes they mean"},
		"255 next to two classes": {pix, func(k int, pix []uint16) image.Image {
			if k == 1 {
				return grey8(pix, func(v uint16) uint8 { return uint8(min(255, 255*int(v))) })
			}
			return grey8(pix, class)
		}, 1, "it may be any of these classes"},
		"100 and 200 next to indices": {pix, func(k int, pix []uint16) image.Image {
			if k == 1 {
				return grey8(pix, func(v uint16) uint8 { return 100 * class(v) })
			}
			return grey8(pix, class)
		}, 1, "while other masks hold class indices"},
		"soft next to two classes": {pix, func(k int, pix []uint16) image.Image {
			if k == 1 {
				return soft(pix, mix(opaqueBlack, white))
			}
			return grey8(pix, class)
		}, 1, "it is unclear which class it is"},
		"one white background among black ones": {pix, func(k int, pix []uint16) image.Image {
			if k == 1 {
				return inColour(pix, inClass(white, red, green))
			}
			return inColour(pix, inClass(opaqueBlack, red, green))
		}, 1, "the background is uncertain"},
		"black on transparent ground": {pix, func(k int, pix []uint16) image.Image { return inColour(pix, inClass(clear, opaqueBlack, red)) }, 3, "black may be background or a class"},
	} {
		dir, out := drawn(t, tt.pix, tt.draw), filepath.Join(t.TempDir(), "mended")
		f, err := Fix(t.Context(), dir, out, FixOptions{})
		if err != nil || f.Cases != 3-tt.left || len(f.Left) != tt.left || !strings.Contains(f.Left[0].Cause, tt.want) {
			t.Errorf("%s: %+v, %v", name, f, err)
			continue
		}
		if _, err := os.Stat(filepath.Join(out, "labels", filepath.Base(f.Left[0].File))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: written nevertheless", name)
		}
	}
}

func TestFixOptions(t *testing.T) {
	pix := objectsOn(12, canvas, 6, 4)
	dir := drawn(t, pix, func(_ int, pix []uint16) image.Image { return inColour(pix, inClass(white, red, green)) })
	for _, tt := range []struct {
		out string
		o   FixOptions
	}{
		{filepath.Join(dir, "labels", "mended"), FixOptions{}}, {filepath.Join(dir, "images"), FixOptions{}}, {dir, FixOptions{}},
		{filepath.Join(t.TempDir(), "a"), FixOptions{Background: []string{"blue"}}}, {filepath.Join(t.TempDir(), "b"), FixOptions{Background: []string{"0000ff"}}},
		{filepath.Join(t.TempDir(), "c"), FixOptions{Background: []string{"70000"}}},
	} {
		if f, err := Fix(t.Context(), dir, tt.out, tt.o); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%s, %+v: %+v, %v", tt.out, tt.o, f, err)
		}
	}
}

// Objects that are already numbered stay with their case.
func TestFixKeepsInstances(t *testing.T) {
	pix := objectsOn(12, canvas, 6, 4)
	dir := drawn(t, pix, func(_ int, pix []uint16) image.Image { return grey8(pix, class) })
	if err := os.Mkdir(filepath.Join(dir, "instances"), 0o755); err != nil {
		t.Fatal(err)
	}
	datasettest.WritePNG(t, filepath.Join(dir, "instances", "im1.png"), grey16(pix, func(v uint16) uint16 { return v }))
	out := filepath.Join(t.TempDir(), "mended")
	if f, err := Fix(t.Context(), dir, out, FixOptions{}); err != nil || f.Instances != 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	wantPixels(t, "instances", filepath.Join(out, "instances", "im1.png"), pix, func(v uint16) int { return int(v) })
}
