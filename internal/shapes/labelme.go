package shapes

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"math"

	"segd"
)

// labelMeShape is a shape in a file of LabelMe.
type labelMeShape struct {
	Label  string    `json:"label"`
	Points pointList `json:"points"`
	Type   string    `json:"shape_type"`
	Mask   string    `json:"mask"` // PNG in base64
}

// readLabelMe reads the shapes of the file's image. LabelMe shows images as their
// orientation tag says, so its points are those of the upright image.
func (d *document) readLabelMe() (*File, error) {
	p := Picture{Image: d.ImagePath, Upright: true}
	if d.ImageWidth != nil && d.ImageHeight != nil && *d.ImageWidth > 0 && *d.ImageHeight > 0 {
		p.Width, p.Height = *d.ImageWidth, *d.ImageHeight
	}
	for i, s := range d.Shapes {
		a, err := s.area()
		if err != nil {
			return nil, malformed("shape %d: %s", i+1, err)
		}
		p.add(Shape{Class: s.Label, area: a})
	}
	return &File{Format: LabelMe, Pictures: []Picture{p}}, nil
}

// area returns the area of the shape; nil: it has none.
func (s *labelMeShape) area() (area, error) {
	want := map[string]int{"": 3, "polygon": 3, "rotation": 3, "rectangle": 2, "circle": 2, "mask": 1}
	least, known := want[s.Type]
	switch {
	case s.Type == "line" || s.Type == "linestrip" || s.Type == "point" || s.Type == "points":
		return nil, nil
	case !known:
		return nil, &numberError{"an unknown type, want polygon, rectangle, circle or mask"}
	case len(s.Points) < least:
		return nil, &numberError{"only " + count(len(s.Points), "point") + ", want at least " + count(least, "point")}
	}
	switch s.Type {
	case "rectangle":
		a, b := cut(s.Points[0]), cut(s.Points[1])
		return box{min(a.x, b.x), min(a.y, b.y), max(a.x, b.x) + 1, max(a.y, b.y) + 1}, nil
	case "circle":
		a, b := s.Points[0], s.Points[1]
		r := math.Hypot(a.X-b.X, a.Y-b.Y)
		return disc{cut(Point{X: a.X - r, Y: a.Y - r}), cut(Point{X: a.X + r, Y: a.Y + r})}, nil
	case "mask":
		return readStencil(s.Mask, s.Points)
	}
	p := make(pillowPolygon, len(s.Points))
	for i, q := range s.Points {
		p[i] = cut(q)
	}
	return p, nil
}

// pixel is a pixel of an image.
type pixel struct{ x, y int }

// cut cuts off the fractions, as Pillow does.
func cut(p Point) pixel { return pixel{int(p.X), int(p.Y)} }

// stencil is a mask at a place, as a PNG whose pixels other than 0 are in.
type stencil struct {
	png    []byte
	at     pixel
	width  int
	height int
}

// readStencil reads the PNG of a mask, the first point of whose shape is its first
// pixel and the second one its last.
func readStencil(text string, points []Point) (area, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, &numberError{"a mask that is not in base64"}
	}
	c, err := png.DecodeConfig(bytes.NewReader(b))
	switch {
	case err != nil:
		return nil, &numberError{"a mask that is not a PNG"}
	case c.Width > segd.MaxSide || c.Height > segd.MaxSide || c.Width*c.Height > segd.MaxPixels:
		return nil, &numberError{"a mask that is larger than any image"}
	}
	s := stencil{png: b, at: cut(points[0]), width: c.Width, height: c.Height}
	if len(points) > 1 {
		if last := cut(points[1]); last.x-s.at.x+1 != c.Width || last.y-s.at.y+1 != c.Height {
			return nil, &numberError{"a mask whose size is not that between its points"}
		}
	}
	return s, nil
}

func (s stencil) draw(c *canvas) error {
	if s.width > c.mask.Width || s.height > c.mask.Height {
		return &SizeError{Width: s.width, Height: s.height, ImageWidth: c.mask.Width, ImageHeight: c.mask.Height}
	}
	if err := c.spend(s.width * s.height); err != nil {
		return err
	}
	m, err := png.Decode(bytes.NewReader(s.png))
	if err != nil {
		return malformed("a mask in a shape is a damaged PNG")
	}
	in := func(x, y int) bool {
		r, g, b, _ := m.At(x, y).RGBA()
		return r|g|b != 0
	}
	switch m := m.(type) {
	case *image.Paletted:
		in = func(x, y int) bool { return m.ColorIndexAt(x, y) != 0 }
	case *image.Gray:
		in = func(x, y int) bool { return m.GrayAt(x, y).Y != 0 }
	}
	for y := range s.height {
		for x := 0; x < s.width; x++ {
			from := x
			for x < s.width && in(x, y) {
				x++
			}
			if err := c.span(s.at.y+y, s.at.x+from, s.at.x+x); err != nil {
				return err
			}
		}
	}
	return nil
}
