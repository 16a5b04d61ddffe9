package check

import (
	"cmp"
	"fmt"
	"image/color"
	"slices"

	"segd"
	"segd/internal/postprocess"
	"segd/internal/scanio"
	"segd/train/dataset"
	"segd/train/metric"
)

// ink is the value, or the colour if value is below 0, with which a label draws a
// class or an object. Everything transparent is one ink.
type ink struct {
	value  int
	colour color.NRGBA64
}

var transparent = ink{value: -1}

// black is the usual background of colours.
var black = ink{-1, color.NRGBA64{A: 65535}}

// String describes an ink.
func (k ink) String() string {
	switch {
	case k == transparent:
		return "transparent"
	case k.value >= 0:
		return fmt.Sprintf("value %d", k.value)
	}
	return "colour #" + k.hex()
}

// flag formats an ink as a value of --background.
func (k ink) flag() string {
	if k.value >= 0 {
		return fmt.Sprint(k.value)
	}
	return k.hex()
}

func (k ink) hex() string {
	return fmt.Sprintf("%02x%02x%02x", k.colour.R>>8, k.colour.G>>8, k.colour.B>>8)
}

func compareInk(a, b ink) int {
	return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.colour.R, b.colour.R), cmp.Compare(a.colour.G, b.colour.G), cmp.Compare(a.colour.B, b.colour.B))
}

// stroke describes what one ink draws in a label.
type stroke struct {
	ink
	pixels  int
	parts   int // connected
	squares int // of four pixels, which plateaus have and soft edges lack
}

// keptStrokes limits the strokes that are kept for a label. A label with more cannot
// be one of classes.
const keptStrokes = 4096

// labelForm is what Run and Fix record about how a label is drawn.
type labelForm struct {
	coloured bool          // inks are colours
	palette  []color.NRGBA // of the file: colours by value; nil: none
	strokes  []stroke      // those with most pixels first, at most keptStrokes
	inks     int           // their number
	single   int           // of them, those with one connected part
	border   ink           // the most common along the border of the picture
}

// drawing reads the shades of a case's label. If the label is not a picture, they are
// the values of its mask.
func drawing(c *dataset.Case) (*scanio.Drawing, error) {
	b, page, err := c.LabelPicture()
	if err != nil {
		return nil, err
	}
	if b == nil {
		m, err := c.ReadMask()
		if err != nil {
			return nil, err
		}
		return drawingOf(m), nil
	}
	d, err := scanio.ReadDrawing(b, page)
	if err != nil {
		return nil, fmt.Errorf("train: mask %s: %w", c.Where(c.Label), err)
	}
	for i, s := range d.Shades {
		if !d.Coloured && s.Value <= metric.Ignore {
			v := []uint8{uint8(s.Value)}
			c.Meant(v)
			d.Shades[i].Value = int(v[0])
		}
	}
	return d, nil
}

// drawingOf returns a mask as a drawing.
func drawingOf(m *segd.Mask) *scanio.Drawing {
	d := &scanio.Drawing{Width: m.Width, Height: m.Height, Pix: make([]uint16, len(m.Pix))}
	at := [256]int{}
	for i, v := range m.Pix {
		if at[v] == 0 {
			d.Shades = append(d.Shades, scanio.Shade{Value: int(v)})
			at[v] = len(d.Shades)
		}
		d.Pix[i] = uint16(at[v] - 1)
	}
	return d
}

// inksOf returns the inks of a drawing's shades. With byColour, palette indices count
// as their colours.
func inksOf(d *scanio.Drawing, byColour bool) []ink {
	inks := make([]ink, len(d.Shades))
	for i, s := range d.Shades {
		inks[i] = inkOf(s, d.Coloured || byColour && d.Palette != nil)
	}
	return inks
}

func inkOf(s scanio.Shade, coloured bool) ink {
	switch {
	case !coloured:
		return ink{value: s.Value}
	case s.Colour.A == 0:
		return transparent
	}
	return ink{-1, s.Colour}
}

// numbered numbers the pixels of a drawing by ink. Several shades are one ink if they
// are transparent.
func numbered(d *scanio.Drawing, inks []ink) (pix []uint16, distinct []ink) {
	number, of := map[ink]uint16{}, make([]uint16, len(inks))
	for i, k := range inks {
		n, ok := number[k]
		if !ok {
			n = uint16(len(distinct))
			number[k], distinct = n, append(distinct, k)
		}
		of[i] = n
	}
	pix = make([]uint16, len(d.Pix))
	for i, v := range d.Pix {
		pix[i] = of[v]
	}
	return pix, distinct
}

// formOf analyses a drawing.
func formOf(d *scanio.Drawing, byColour bool) *labelForm {
	inks := inksOf(d, byColour)
	f := &labelForm{coloured: d.Coloured || byColour && d.Palette != nil, palette: d.Palette}
	pix, distinct := numbered(d, inks)
	list := make([]stroke, len(distinct))
	for i, k := range distinct {
		list[i].ink = k
	}
	for _, v := range pix {
		list[v].pixels++
	}
	_, parts := postprocess.Parts(pix, d.Width, d.Height)
	for _, p := range parts {
		list[p.Value].parts++
	}
	for i, v := range pix {
		if i >= d.Width && i%d.Width > 0 && v == pix[i-1] && v == pix[i-d.Width] && v == pix[i-d.Width-1] {
			list[v].squares++
		}
	}
	f.border = list[commonestAtBorder(pix, d.Width, d.Height, len(list))].ink
	f.inks = len(list)
	for _, s := range list {
		if s.parts == 1 {
			f.single++
		}
	}
	slices.SortFunc(list, func(a, b stroke) int { return cmp.Or(cmp.Compare(b.pixels, a.pixels), compareInk(a.ink, b.ink)) })
	f.strokes = slices.Clip(list[:min(len(list), keptStrokes)])
	return f
}

// wide returns a colour with 16 bits per level.
func wide(c color.NRGBA) color.NRGBA64 {
	return color.NRGBA64Model.Convert(c).(color.NRGBA64)
}

// commonestAtBorder returns the most common value along the edges of a picture.
func commonestAtBorder(pix []uint16, width, height, values int) uint16 {
	count := make([]int, values)
	for x := range width {
		count[pix[x]]++
		count[pix[(height-1)*width+x]]++
	}
	for y := 1; y < height-1; y++ {
		count[pix[y*width]]++
		count[pix[y*width+width-1]]++
	}
	best := 0
	for v, n := range count {
		if n > count[best] {
			best = v
		}
	}
	return uint16(best)
}

// has reports whether the label has an ink.
func (f *labelForm) has(k ink) bool {
	return slices.ContainsFunc(f.strokes, func(s stroke) bool { return s.ink == k })
}

// plateau is the minimum share of uniform squares among the pixels of an area. Soft
// edges have almost no such squares.
const plateau = 0.15

// soft reports whether a drawing has two inks with many others between them that
// cover few pixels and form no areas, as at the edge of an antialiased or lossily
// compressed mask. The two are low and high, ordered by brightness or, for a brush on
// transparent ground, by alpha. The drawing must have at least the given number of
// inks.
func (f *labelForm) soft(inks int) (low, high ink, ok bool) {
	if len(f.strokes) < inks {
		return ink{}, ink{}, false
	}
	pixels, squares, all := 0, 0, 0
	for i, s := range f.strokes {
		all += s.pixels
		if i > 1 {
			pixels, squares = pixels+s.pixels, squares+s.squares
		}
	}
	if f.coloured && f.inks > len(f.strokes) || 2*pixels >= all || float64(squares) > plateau*float64(pixels) {
		return ink{}, ink{}, false
	}
	// The levels are the most common inks, or the end points if thin lines hardly
	// reach them.
	brightness := func(a, b stroke) int { return cmp.Compare(a.level(), b.level()) }
	for _, ends := range [][2]ink{
		{f.strokes[0].ink, f.strokes[1].ink},
		{slices.MinFunc(f.strokes, brightness).ink, slices.MaxFunc(f.strokes, brightness).ink},
	} {
		if low, high = ends[0], ends[1]; high.level() < low.level() {
			low, high = high, low
		}
		if !slices.ContainsFunc(f.strokes, func(s stroke) bool {
			t, off := onLine(s.ink, low, high)
			return off > offLine || t < -0.25 || t > 1.25
		}) {
			return low, high, true
		}
	}
	return ink{}, ink{}, false
}

// offLine is the maximum distance of a colour from the line between two others at
// which it still counts as lying between them, relative to their distance.
const offLine = 0.15

// level orders inks by brightness, or by alpha on transparent ground.
func (k ink) level() float64 {
	if k.value >= 0 {
		return float64(k.value)
	}
	c := k.colour
	return float64(c.A)*1e6 + float64(c.R) + float64(c.G) + float64(c.B)
}

// onLine returns the position of an ink between low (0) and high (1), and its
// distance from the line between them. On transparent ground only alpha counts.
func onLine(k, low, high ink) (t, off float64) {
	if k.value >= 0 {
		return float64(k.value-low.value) / float64(high.value-low.value), 0
	}
	if low == transparent {
		return float64(k.colour.A) / float64(high.colour.A), colourDistance(k, high) * float64(k.colour.A) / 65535
	}
	a, b := rgb(low), rgb(high)
	p := rgb(k)
	var dot, length float64
	for i := range 3 {
		dot += (p[i] - a[i]) * (b[i] - a[i])
		length += (b[i] - a[i]) * (b[i] - a[i])
	}
	if length == 0 {
		return 0, 1
	}
	t = dot / length
	for i := range 3 {
		d := p[i] - a[i] - t*(b[i]-a[i])
		off += d * d
	}
	return t, off / length
}

func rgb(k ink) [3]float64 {
	return [3]float64{float64(k.colour.R), float64(k.colour.G), float64(k.colour.B)}
}

// colourDistance returns the largest difference between the levels of two colours, 0
// to 1.
func colourDistance(a, b ink) (d float64) {
	p, q := rgb(a), rgb(b)
	for i := range 3 {
		d = max(d, (p[i]-q[i])/65535, (q[i]-p[i])/65535)
	}
	return d
}
