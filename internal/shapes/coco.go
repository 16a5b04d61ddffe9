package shapes

import (
	"slices"
)

// The parts of COCO's instances files.
type (
	cocoImage struct {
		ID       int64  `json:"id"`
		FileName string `json:"file_name"`
		Width    int    `json:"width"`
		Height   int    `json:"height"`
	}
	cocoCategory struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	cocoAnnotation struct {
		Image        int64        `json:"image_id"`
		Category     int          `json:"category_id"`
		Segmentation segmentation `json:"segmentation"`
	}
)

// segmentation is the area of an annotation.
type segmentation struct{ area area }

// UnmarshalJSON reads a list of polygons, x and y in turn, or run lengths.
func (s *segmentation) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if b[0] == '{' {
		r, err := readRuns(b)
		s.area = r
		return err
	}
	c := cursor{b: b}
	var polygons many
	err := c.list(func() error {
		p, err := c.flat()
		if p != nil {
			polygons = append(polygons, p)
		}
		return err
	})
	if err == nil && len(polygons) > 0 {
		s.area = polygons
	}
	return err
}

// flat reads a polygon as one array of numbers. pycocotools takes four numbers as x, y,
// width and height of a box.
func (c *cursor) flat() (cocoPolygon, error) {
	var p cocoPolygon
	n := 0
	err := c.list(func() error {
		v, err := c.number()
		if n++; n%2 == 1 {
			p = append(p, Point{X: v})
		} else {
			p[len(p)-1].Y = v
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, nil
	case n == 4:
		x, y, right, down := p[0].X, p[0].Y, p[0].X+p[1].X, p[0].Y+p[1].Y
		return cocoPolygon{{X: x, Y: y}, {X: x, Y: down}, {X: right, Y: down}, {X: right, Y: y}}, nil
	case n%2 == 1 || n < 6:
		return nil, &numberError{"a polygon of " + count(n, "number") + ", want at least three points of two"}
	}
	return p, nil
}

// readCOCO sorts annotations by image. Crowds are drawn like other annotations: their
// pixels have the class.
func (d *document) readCOCO() (*File, error) {
	f := &File{Format: COCO}
	for _, c := range d.Categories {
		if f.Categories == nil {
			f.Categories = map[int]string{}
		}
		if _, twice := f.Categories[c.ID]; twice {
			return nil, malformed("two categories with the id %d", c.ID)
		}
		f.Categories[c.ID] = c.Name
	}
	at := map[int64]int{}
	for _, m := range d.Images {
		if _, twice := at[m.ID]; twice {
			return nil, malformed("two images with the id %d", m.ID)
		}
		if m.Width < 0 || m.Height < 0 {
			return nil, malformed("image %d of %d×%d pixels", m.ID, m.Width, m.Height)
		}
		at[m.ID] = len(f.Pictures)
		p := Picture{Image: m.FileName, Width: m.Width, Height: m.Height}
		if m.Width == 0 || m.Height == 0 {
			p.Width, p.Height = 0, 0
		}
		f.Pictures = append(f.Pictures, p)
	}
	for _, a := range d.Annotations {
		i, ok := at[a.Image]
		if !ok {
			return nil, malformed("an annotation of image %d, which the file does not list", a.Image)
		}
		name, ok := f.Categories[a.Category]
		if !ok && (len(f.Categories) > 0 || a.Category != 0) {
			return nil, malformed("an annotation of category %d, which the file does not list", a.Category)
		}
		f.Pictures[i].add(Shape{Class: name, area: a.Segmentation.area})
	}
	return f, nil
}

// cocoPolygon is a polygon as pycocotools fills it: its outline is walked in steps of
// a fifth of a pixel, and each column is filled between the points where the walk
// comes into it.
type cocoPolygon []Point

// fifths is the number of steps to a pixel.
const fifths = 5

// draw marks the pixels between the crossings of the walk with the centre lines of
// columns. Crossings are places in the mask read column by column; every other stretch
// between them is inside, across the ends of columns too.
func (p cocoPolygon) draw(c *canvas) error {
	w, h := c.mask.Width, c.mask.Height
	var places []int
	lastU, lastV, started := 0, 0, false
	visit := func(u, v int) {
		if started && u != lastU {
			left := u
			if u > lastU {
				left = u - 1
			}
			// The centre line of column x is at fifth 5x+2 of it.
			if x := left - fifths/2; x >= 0 && x%fifths == 0 && x/fifths <= w-1 {
				y := float64(min(v, lastV))
				y = (y+0.5)/fifths - 0.5
				places = append(places, x/fifths*h+ceilWithin(y, h))
			}
		}
		lastU, lastV, started = u, v, true
	}
	for i, a := range p {
		if err := walk(c, a, p[(i+1)%len(p)], visit); err != nil {
			return err
		}
		if len(places) > maxCrossings {
			return tooLarge("an outline that crosses %d columns, limit %d", len(places), maxCrossings)
		}
	}
	slices.Sort(places)
	for i := 0; i < len(places); i += 2 {
		end := w * h
		if i+1 < len(places) {
			end = places[i+1]
		}
		if err := c.run(places[i], end); err != nil {
			return err
		}
	}
	return nil
}

// ceilWithin rounds up, within 0 and n.
func ceilWithin(v float64, n int) int {
	v = min(max(v, 0), float64(n))
	i := int(v)
	if float64(i) < v {
		i++
	}
	return i
}

// walk visits the fifths of pixels from a to b, one for each step along the longer
// axis. Coordinates are rounded as C's conversion does, towards zero.
func walk(c *canvas, a, b Point, visit func(u, v int)) error {
	fifth := func(v float64) int { return int(fifths*v + 0.5) }
	x0, y0, x1, y1 := fifth(a.X), fifth(a.Y), fifth(b.X), fifth(b.Y)
	dx, dy := max(x1-x0, x0-x1), max(y1-y0, y0-y1)
	if err := c.spend(4 * max(dx, dy)); err != nil { // a step takes about as long as four pixels
		return err
	}
	back := dx >= dy && x0 > x1 || dx < dy && y0 > y1
	if back {
		x0, y0, x1, y1 = x1, y1, x0, y0
	}
	n := max(dx, dy)
	slope := 0.0
	switch {
	case dx >= dy && dx > 0:
		slope = float64(y1-y0) / float64(dx)
	case dx < dy:
		slope = float64(x1-x0) / float64(dy)
	}
	for d := range n + 1 {
		t := d
		if back {
			t = n - d
		}
		if dx >= dy {
			visit(x0+t, int(float64(y0)+slope*float64(t)+0.5))
		} else {
			visit(int(float64(x0)+slope*float64(t)+0.5), y0+t)
		}
	}
	return nil
}

// run marks a stretch of the mask read column by column.
func (c *canvas) run(from, to int) error {
	h := c.mask.Height
	to = min(to, c.mask.Width*h)
	if from >= to {
		return nil
	}
	for i := from; i < to; i++ {
		p := &c.mask.Pix[i%h*c.mask.Width+i/h]
		if *p != 0 && *p != c.value {
			c.overlap++
		}
		*p = c.value
	}
	c.marked += to - from
	return c.spend(to - from)
}
