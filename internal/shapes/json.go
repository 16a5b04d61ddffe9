package shapes

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// document has the keys by which the formats differ.
type document struct {
	// COCO
	Images      []cocoImage      `json:"images"`
	Annotations []cocoAnnotation `json:"annotations"`
	Categories  []cocoCategory   `json:"categories"`
	// LabelMe
	Shapes      []labelMeShape `json:"shapes"`
	ImagePath   string         `json:"imagePath"`
	ImageWidth  *int           `json:"imageWidth"`
	ImageHeight *int           `json:"imageHeight"`
	// GeoJSON
	Type     string    `json:"type"`
	Features []feature `json:"features"`
	feature
}

// readJSON reads JSON of any of the formats.
func readJSON(b []byte) (*File, error) {
	if n := bytes.Count(b, []byte{','}); n > maxNumbers {
		return nil, tooLarge("%d commas in JSON, limit %d: split the file, or export label images", n, maxNumbers)
	}
	if n := bytes.Count(b, []byte{'{'}); n > maxObjects {
		return nil, tooLarge("%d objects in JSON, limit %d: split the file, or export label images", n, maxObjects)
	}
	text := bytes.TrimLeft(b, " \t\r\n")
	if len(text) > 0 && text[0] == '[' {
		var list []feature
		if err := decode(text, &list); err != nil {
			return nil, err
		}
		if len(list) > 0 && list[0].Type != "Feature" {
			return nil, unsupported("JSON that is a list, but not of GeoJSON's features")
		}
		return readGeoJSON(list)
	}
	var d document
	if err := decode(text, &d); err != nil {
		return nil, err
	}
	switch {
	case d.Type == "FeatureCollection":
		return readGeoJSON(d.Features)
	case d.Type == "Feature":
		d.feature.Type = d.Type
		return readGeoJSON([]feature{d.feature})
	case d.Annotations != nil && d.Images != nil:
		return d.readCOCO()
	case d.Shapes != nil:
		return d.readLabelMe()
	}
	return nil, unsupported("JSON without the images and annotations of COCO, the shapes of LabelMe or the features of GeoJSON")
}

// decode decodes JSON. Its errors say where it is malformed and hold none of it.
func decode(b []byte, to any) error {
	err := json.Unmarshal(b, to)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return malformed("JSON is damaged or truncated at byte %d of %d", syntax.Offset, len(b))
	case errors.As(err, &kind):
		return malformed("a value of another type than expected in JSON, at byte %d", kind.Offset)
	}
	var own *numberError
	if errors.As(err, &own) {
		return malformed("%s", own.text)
	}
	return malformed("JSON is damaged")
}

// numberError is a fault of numbers in JSON.
type numberError struct{ text string }

func (e *numberError) Error() string { return e.text }

// cursor walks valid JSON that consists of nested arrays of numbers.
type cursor struct {
	b []byte
	i int
}

// peek returns the next byte that is not white space; 0 at the end.
func (c *cursor) peek() byte {
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case ' ', '\t', '\r', '\n':
			c.i++
		default:
			return c.b[c.i]
		}
	}
	return 0
}

// list calls each before each element of an array; each must step over it.
func (c *cursor) list(each func() error) error {
	if c.peek() != '[' {
		return &numberError{"something else where an array of coordinates is expected"}
	}
	c.i++
	if c.peek() == ']' {
		c.i++
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		end := c.peek()
		if c.i++; end != ',' {
			return nil
		}
	}
}

// number reads a number.
func (c *cursor) number() (float64, error) {
	c.peek()
	from := c.i
	for c.i < len(c.b) && (c.b[c.i] >= '0' && c.b[c.i] <= '9' || c.b[c.i] == '-' || c.b[c.i] == '+' || c.b[c.i] == '.' || c.b[c.i]|0x20 == 'e') {
		c.i++
	}
	v, err := strconv.ParseFloat(string(c.b[from:c.i]), 64)
	if err != nil {
		return 0, &numberError{"something else where a coordinate is expected"}
	}
	if !finite(v) {
		return 0, &numberError{"a coordinate far outside any image"}
	}
	return v, nil
}

// points reads an array of points; numbers after x and y are skipped.
func (c *cursor) points() (list []Point, err error) {
	err = c.list(func() error {
		p, err := c.point()
		list = append(list, p)
		return err
	})
	return list, err
}

// point reads an array of x, y and more.
func (c *cursor) point() (p Point, err error) {
	n := 0
	err = c.list(func() error {
		v, err := c.number()
		switch n++; n {
		case 1:
			p.X = v
		case 2:
			p.Y = v
		}
		return err
	})
	if err == nil && n < 2 {
		err = &numberError{"a point of fewer than two coordinates"}
	}
	return p, err
}

// pointList are points in JSON, [[x, y], …].
type pointList []Point

// UnmarshalJSON reads an array of points.
func (l *pointList) UnmarshalJSON(b []byte) (err error) {
	if string(b) == "null" {
		return nil
	}
	c := cursor{b: b}
	*l, err = c.points()
	return err
}

// whole converts a number that must be whole and not negative.
func whole(v float64) (int, bool) {
	return int(v), v >= 0 && v <= math.MaxInt32 && v == math.Trunc(v)
}
