package shapes

import (
	"fmt"

	"segd"
)

// Report says what Paint met.
type Report struct {
	Overlap int // pixels that a later shape took from another class
	Outside int // shapes that cover no pixel of the image
	Drawn   int // shapes
}

// Paint draws shapes, in the order of the file, into a mask of an image of that size.
// Where shapes overlap, the later one counts. take chooses shapes; nil: all. number
// gives the value of a class; if ok is false, its shapes are not drawn.
//
// The errors are segd.ErrFormat for a size other than the one that the file gives its
// image and for shapes that contradict it, and segd.ErrTooLarge for shapes that would
// take too long to draw.
func (p *Picture) Paint(width, height int, take func(*Shape) bool, number func(class string) (value uint8, ok bool)) (*segd.Mask, Report, error) {
	if p.Width > 0 && (p.Width != width || p.Height != height) {
		return nil, Report{}, &SizeError{Width: p.Width, Height: p.Height, ImageWidth: width, ImageHeight: height}
	}
	c := newCanvas(width, height)
	var r Report
	for i := range p.Shapes {
		s := &p.Shapes[i]
		if take != nil && !take(s) {
			continue
		}
		value, ok := number(s.Class)
		if !ok {
			continue
		}
		c.value, c.marked = value, 0
		if err := s.area.draw(c); err != nil {
			return nil, r, err
		}
		if r.Drawn++; c.marked == 0 {
			r.Outside++
		}
	}
	r.Overlap = c.overlap
	return c.mask, r, nil
}

// SizeError reports that shapes were drawn on an image of another size.
type SizeError struct{ Width, Height, ImageWidth, ImageHeight int }

func (e *SizeError) Error() string {
	return fmt.Sprintf("%v: drawn on an image of %d×%d pixels, the image has %d×%d", segd.ErrFormat, e.Width, e.Height, e.ImageWidth, e.ImageHeight)
}

func (e *SizeError) Unwrap() error { return segd.ErrFormat }

// Turned reports whether the sizes are equal once one of them is turned by 90°.
func (e *SizeError) Turned() bool { return e.Width == e.ImageHeight && e.Height == e.ImageWidth }

// canvas is a mask that shapes are drawn into.
type canvas struct {
	mask    *segd.Mask
	value   uint8
	marked  int // pixels of the shape
	overlap int
	left    int // steps and pixels that drawing may still take
}

// Bounds of the work of drawing a mask: so many times its pixels, within limits.
const (
	covers    = 256
	leastWork = 64 << 20
	mostWork  = 256 << 20
)

func newCanvas(width, height int) *canvas {
	return &canvas{mask: segd.NewMask(width, height), left: min(max(leastWork, covers*width*height), max(mostWork, 16*width*height))}
}

// spend takes n steps off what drawing may take.
func (c *canvas) spend(n int) error {
	if n < 0 || n > c.left {
		return tooLarge("drawing the shapes takes too long: their outlines are far longer, or cover the image more often, than those of any annotation")
	}
	c.left -= n
	return nil
}

// span marks the pixels from x0 up to but without x1 in row y, as far as they lie in
// the image.
func (c *canvas) span(y, x0, x1 int) error {
	x0, x1 = max(x0, 0), min(x1, c.mask.Width)
	if y < 0 || y >= c.mask.Height || x0 >= x1 {
		return nil
	}
	row := c.mask.Pix[y*c.mask.Width:][x0:x1]
	for i, v := range row {
		if v != 0 && v != c.value {
			c.overlap++
		}
		row[i] = c.value
	}
	c.marked += len(row)
	return c.spend(len(row))
}
