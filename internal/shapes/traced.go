package shapes

// traced is the area inside closed outlines through the centres of pixels, with the
// pixels on the outlines: what programs mean that trace the outermost pixels of an area
// and of its holes.
type traced [][]Point

func (t traced) draw(c *canvas) error {
	if err := rings(t).draw(c); err != nil {
		return err
	}
	for _, ring := range t {
		for i, a := range ring {
			b := ring[(i+1)%len(ring)]
			x, y, dx, dy := int(a.X), int(a.Y), int(b.X)-int(a.X), int(b.Y)-int(a.Y)
			n := max(1, divisor(dx, dy)) // pixels on the edge, without the last
			if err := c.spend(n); err != nil {
				return err
			}
			for k := range n {
				if err := c.span(y+dy/n*k, x+dx/n*k, x+dx/n*k+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// divisor returns the greatest common divisor of two numbers of any sign.
func divisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}
