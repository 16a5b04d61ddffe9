package overlay

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

func grey(width int, values ...float32) *segd.Image {
	return &segd.Image{Width: width, Height: len(values) / width, Channels: 1, Pix: values}
}

func levels(m *image.NRGBA) []uint8 {
	var out []uint8
	for i := 0; i < len(m.Pix); i += 4 {
		out = append(out, m.Pix[i])
	}
	return out
}

func TestRender(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	window := grey(5, -1000, 0, 50, 100, 4000)
	window.Display = segd.Display{Low: 0, High: 100}
	sigmoid := grey(3, 0, 50, 100)
	sigmoid.Display = segd.Display{Low: 0, High: 100, Sigmoid: true}
	curve := grey(6, -5, 10, 11.4, 12, 99, nan)
	curve.Display = segd.Display{Low: 10, High: 12, Curve: &segd.Curve{Levels: []float32{0.2, 1, 0}}}
	padded := grey(4, -30000, 1000, 1500, 2000)
	padded.Padding = []bool{true, false, false, false}
	tests := []struct {
		name string
		img  *segd.Image
		want []uint8
	}{
		{"window", window, []uint8{0, 0, 128, 255, 255}},
		// 1/(1+e²) and 1/(1+e⁻²)
		{"sigmoid", sigmoid, []uint8{30, 128, 225}},
		{"lookup table", curve, []uint8{51, 51, 255, 0, 0, 0}},
		{"whole numbers of 0..255 as they are", grey(4, 3, 17, 90, 91), []uint8{3, 17, 90, 91}},
		{"beyond 255", grey(3, 0, 150, 300), []uint8{0, 128, 255}},
		{"fractions", grey(3, 0, 0.25, 1), []uint8{0, 64, 255}},
		{"padding is black and not counted", padded, []uint8{0, 0, 128, 255}},
		{"no numbers", grey(4, nan, 1000, inf, 2000), []uint8{0, 0, 255, 255}},
		{"only NaN", grey(1, nan), []uint8{0}},
		{"flat", grey(2, 1000, 1000), []uint8{0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.img.Pix)
			m := Render(tt.img)
			if diff := cmp.Diff(tt.want, levels(m)); diff != "" {
				t.Errorf("levels (-want +got):\n%s", diff)
			}
			if !m.Opaque() {
				t.Error("picture is not opaque")
			}
			for i, v := range tt.img.Pix {
				if v != before[i] && !math.IsNaN(float64(v)) {
					t.Fatalf("Render changed value %d", i)
				}
			}
		})
	}
}

func TestRenderColour(t *testing.T) {
	t.Parallel()
	img := &segd.Image{Width: 2, Height: 1, Channels: 3, Pix: []float32{1, 2, 3, 250, 251, 252}}
	want := []uint8{1, 2, 3, 255, 250, 251, 252, 255}
	if diff := cmp.Diff(want, Render(img).Pix); diff != "" {
		t.Error(diff)
	}
}

// Outliers of less than half a percent must not make the rest black, and a
// large image is sampled over all its width.
func TestRenderPercentiles(t *testing.T) {
	t.Parallel()
	for _, side := range []int{100, 1024} {
		img := grey(side, make([]float32, side*side)...)
		for i := range img.Pix {
			img.Pix[i] = 1000 + float32(i%side)*1000/float32(side)
		}
		img.Pix[5], img.Pix[6] = 60000, -60000
		m := Render(img)
		if l, r := m.NRGBAAt(side/10, 1).R, m.NRGBAAt(side-side/10, 1).R; l < 15 || l > 35 || r < 220 || r > 240 {
			t.Errorf("side %d: levels %d and %d at a tenth from the sides, want about 26 and 230", side, l, r)
		}
	}
}

var classes = []segd.Class{
	{Index: 0, Name: "background"},
	{Index: 1, Name: "a", Color: [3]uint8{255, 0, 0}},
	{Index: 2, Name: "b", Color: [3]uint8{0, 200, 100}},
}

// square is a 9×9 mask with a 5×5 square of class 1 in the middle and a column
// of class 2 along its right side.
func square() *segd.Mask {
	m := segd.NewMask(9, 9)
	for y := 2; y < 7; y++ {
		for x := 2; x < 7; x++ {
			m.Pix[9*y+x] = 1
		}
		m.Pix[9*y+7] = 2
	}
	return m
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	base := image.NewNRGBA(image.Rect(0, 0, 9, 9))
	for i := range base.Pix {
		base.Pix[i] = 100
		if i%4 == 3 {
			base.Pix[i] = 255
		}
	}
	before := slices.Clone(base.Pix)
	m := Overlay(base, square(), classes, 0.5)
	for _, tt := range []struct {
		x, y int
		want color.NRGBA
	}{
		{0, 0, color.NRGBA{100, 100, 100, 255}},
		{1, 2, color.NRGBA{100, 100, 100, 255}}, // the outline lies inside
		{2, 2, color.NRGBA{255, 0, 0, 255}},
		{6, 4, color.NRGBA{255, 0, 0, 255}}, // between two classes
		{7, 4, color.NRGBA{0, 200, 100, 255}},
		{4, 4, color.NRGBA{178, 50, 50, 255}},
	} {
		if got := m.NRGBAAt(tt.x, tt.y); got != tt.want {
			t.Errorf("at %d, %d: got %v, want %v", tt.x, tt.y, got, tt.want)
		}
	}
	if !bytes.Equal(base.Pix, before) {
		t.Error("Overlay changed its base")
	}
	if m := Overlay(base, square(), classes, 0); m.NRGBAAt(4, 4) != base.NRGBAAt(4, 4) || m.NRGBAAt(2, 2) != (color.NRGBA{255, 0, 0, 255}) {
		t.Error("alpha 0 leaves something else than the outline")
	}
	if m := Overlay(base, square(), classes[:1], 1); !bytes.Equal(m.Pix, base.Pix) {
		t.Error("classes beyond the list are drawn")
	}
	border := segd.NewMask(9, 9)
	for i := range border.Pix {
		border.Pix[i] = 1
	}
	if m := Overlay(base, border, classes, 0); m.NRGBAAt(0, 4) != (color.NRGBA{255, 0, 0, 255}) || m.NRGBAAt(1, 1) != base.NRGBAAt(1, 1) {
		t.Error("an object cut by the border is not closed there")
	}
}

func TestOverlaySizes(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic for a mask of another size")
		}
	}()
	Overlay(image.NewNRGBA(image.Rect(0, 0, 8, 9)), square(), classes, 1)
}

// A mask must come back from its PNG index for index, in 8 bits a pixel.
func TestMaskPNG(t *testing.T) {
	t.Parallel()
	beyond := square()
	beyond.Pix[0] = 255
	for i, mask := range []*segd.Mask{square(), beyond, segd.NewMask(3, 2)} {
		b, err := PNG(MaskImage(mask, classes))
		if err != nil {
			t.Fatal(err)
		}
		if depth, kind := b[24], b[25]; depth != 8 || kind != 3 {
			t.Errorf("mask %d: depth %d and colour type %d, want 8 and 3", i, depth, kind)
		}
		m, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		p, ok := m.(*image.Paletted)
		if !ok {
			t.Fatalf("mask %d: decoded as %T", i, m)
		}
		if p.Rect.Dx() != mask.Width || p.Rect.Dy() != mask.Height || !bytes.Equal(p.Pix, mask.Pix) {
			t.Errorf("mask %d: pixels differ", i)
		}
		for k, c := range classes {
			r, g, b, _ := p.Palette[k].RGBA()
			if got := [3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}; got != c.Color {
				t.Errorf("mask %d: palette entry %d is %v, want %v", i, k, got, c.Color)
			}
		}
	}
}

func TestPNG(t *testing.T) {
	t.Parallel()
	m := Render(grey(2, 1, 2, 3, 4))
	b, err := PNG(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if r, _, _, _ := got.At(i%2, i/2).RGBA(); int(r>>8) != i+1 {
			t.Errorf("pixel %d is %d", i, r>>8)
		}
	}
}

func Example() {
	img := &segd.Image{Width: 3, Height: 1, Channels: 1, Pix: []float32{0, 1000, 2000}}
	mask := &segd.Mask{Width: 3, Height: 1, Pix: []uint8{0, 0, 1}}
	classes := []segd.Class{{Name: "background"}, {Index: 1, Name: "bright", Color: [3]uint8{255, 0, 0}}}
	m := Overlay(Render(img), mask, classes, DefaultAlpha)
	fmt.Println(m.NRGBAAt(1, 0), m.NRGBAAt(2, 0))
	// Output: {128 128 128 255} {255 0 0 255}
}
