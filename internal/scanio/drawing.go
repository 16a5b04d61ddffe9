package scanio

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"

	"segd"
)

// Drawing is a label picture as its file holds it, before anything is made of its
// values: each pixel has a shade, which is a value or a colour.
type Drawing struct {
	Width, Height int
	Pix           []uint16 // the shade of each pixel
	Shades        []Shade  // in the order of their first pixels

	// Palette is that of the file, which values are indices of; nil: none.
	Palette []color.NRGBA
	// Coloured says that shades are colours: the picture has neither grey values
	// nor a palette, and its red, green and blue differ somewhere, or it is not
	// opaque.
	Coloured bool
}

// Shade is a grey value or palette index as stored, and the colour it is
// shown in, alpha not multiplied in.
type Shade struct {
	Value  int
	Colour color.NRGBA64
}

// MaxShades bounds the shades of a drawing.
const MaxShades = 65535

// ReadDrawing reads picture i, counted from 0, of a PNG or TIFF. The errors are
// those of ReadLabels, and segd.ErrUnprocessable for one of more than MaxShades
// shades, which is no label.
func ReadDrawing(b []byte, i int) (*Drawing, error) {
	f, b, err := known(b)
	switch {
	case err != nil:
		return nil, err
	case f.drawing == nil:
		return nil, fmt.Errorf("scanio: %w: a label image must be a PNG or a TIFF", segd.ErrUnsupported)
	}
	return f.drawing(b, i)
}

func readTIFFDrawing(b []byte, i int) (*Drawing, error) {
	t, err := openTIFF(b)
	if err != nil {
		return nil, err
	}
	page, err := t.page(i)
	if err != nil {
		return nil, err
	}
	m, err := page.labels()
	if err != nil {
		return nil, err
	}
	return drawingOf(m, uint8(page.value(tiffBitsPerSample, 1)))
}

func readPNGDrawing(b []byte, i int) (*Drawing, error) {
	if i != 0 {
		return nil, fmt.Errorf("scanio: %w: mask %d of 1", segd.ErrNotFound, i+1)
	}
	head, m, err := decodePNG(b)
	if err != nil {
		return nil, err
	}
	return drawingOf(m, head.depth)
}

// drawingOf names the shades of a picture whose samples have depth bits.
func drawingOf(m image.Image, depth uint8) (*Drawing, error) {
	b := m.Bounds()
	d := &Drawing{Width: b.Dx(), Height: b.Dy(), Pix: make([]uint16, b.Dx()*b.Dy())}
	shadeAt := func(x, y int) Shade {
		return Shade{Colour: color.NRGBA64Model.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA64)}
	}
	switch m := m.(type) {
	case *image.Paletted:
		d.Palette = paletteOf(m)
		shadeAt = func(x, y int) Shade {
			i := m.Pix[y*m.Stride+x]
			return Shade{int(i), color.NRGBA64Model.Convert(m.Palette[i]).(color.NRGBA64)}
		}
	case *image.Gray:
		unscale(m.Pix, depth)
		shadeAt = func(x, y int) Shade { return greyShade(int(m.Pix[y*m.Stride+x]), 0x101) }
	case *image.Gray16:
		shadeAt = func(x, y int) Shade { return greyShade(int(binary.BigEndian.Uint16(m.Pix[y*m.Stride+2*x:])), 1) }
	}
	known := map[Shade]uint16{}
	for y := range d.Height {
		var last Shade
		var at uint16
		for x := range d.Width {
			s := shadeAt(x, y)
			if x == 0 || s != last {
				i, ok := known[s]
				if !ok {
					if len(known) == MaxShades {
						return nil, fmt.Errorf("scanio: %w: label image of more than %d colours or values", segd.ErrUnprocessable, MaxShades)
					}
					i = uint16(len(known))
					known[s] = i
					d.Shades = append(d.Shades, s)
				}
				last, at = s, i
			}
			d.Pix[y*d.Width+x] = at
		}
	}
	switch m.(type) {
	case *image.Paletted, *image.Gray, *image.Gray16:
	default:
		d.settleColours(depth)
	}
	return d, nil
}

// greyShade is a grey value that is shown scale times as bright on 16 bits.
func greyShade(v, scale int) Shade {
	c := uint16(min(v*scale, 65535))
	return Shade{v, color.NRGBA64{R: c, G: c, B: c, A: 65535}}
}

// settleColours takes colours that are all grey and opaque for values.
func (d *Drawing) settleColours(depth uint8) {
	for _, s := range d.Shades {
		if c := s.Colour; c.R != c.G || c.R != c.B || c.A != 65535 {
			d.Coloured = true
			return
		}
	}
	for i, s := range d.Shades {
		if d.Shades[i].Value = int(s.Colour.R); depth <= 8 {
			d.Shades[i].Value >>= 8
		}
	}
}
