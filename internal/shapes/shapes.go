// Package shapes reads outlines that people draw around things in images, and turns
// them into masks: COCO, LabelMe, the GeoJSON of QuPath, and the ROIs of ImageJ.
//
//	file, err := shapes.Read(b)
//	mask, report, err := file.Pictures[0].Paint(width, height, nil, number)
//
// Programs differ by half a pixel, a row or a column in which pixels an outline holds.
// Each file is therefore drawn by the rule of the program that wrote it:
//
//   - QuPath, and rings along the edges of pixels in any format: a pixel is in if its
//     centre is, by the even-odd rule
//   - ImageJ: the same; a centre on the outline is in at the right and at the bottom
//   - COCO: as pycocotools decodes polygons, in steps of a fifth of a pixel
//   - LabelMe: as Pillow fills polygons, with the outline
//
// Coordinates are in pixels from the upper left corner of the first pixel, x to the
// right and y downwards.
//
// Limits: 64 MiB a file, 4 Mi numbers and 512 Ki objects in JSON, 65,536 ROIs in an
// archive. They are checked before memory is taken. Errors name no file and hold no
// text of it. A File does not change and may be used by several goroutines.
package shapes

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"segd"
	"segd/internal/archive"
	"segd/internal/outline"
)

// Format is the program or convention that a file follows.
type Format string

// The formats that Read takes.
const (
	COCO    Format = "COCO"
	LabelMe Format = "LabelMe"
	GeoJSON Format = "GeoJSON"
	ImageJ  Format = "ImageJ ROIs"
)

// Point is a point of an outline, in pixels.
type Point = outline.Point

// File is a file of shapes.
type File struct {
	Format   Format
	Pictures []Picture // of COCO one for each image that the file lists, else one
	// Categories are the classes that the file lists, with or without shapes, by their
	// numbers; nil: it lists none.
	Categories map[int]string
}

// Picture holds the shapes of an image.
type Picture struct {
	Image         string // name of the image file that the shapes belong to; empty: not known
	Width, Height int    // of that image; 0: not known
	Shapes        []Shape
	Notes         []string // what a user should know, without names
	// Upright says that points follow the image as its orientation tag has it shown.
	Upright bool
}

// Shape is an area of one class.
type Shape struct {
	Class string // empty: the file gives it none
	Plane Plane
	area  area
}

// Plane says on which plane of an image a shape lies. Numbers count from 1; 0: the
// file does not say.
type Plane struct{ Slice, C, Z, T int }

// Outline returns the shape inside closed outlines, x and y of each point, by the
// even-odd rule. With centres,
// all points are centres of pixels, and pixels on the outlines are in.
func Outline(class string, outlines [][][2]float64, centres bool) Shape {
	all := make(rings, len(outlines))
	for i, ring := range outlines {
		for _, p := range ring {
			all[i] = append(all[i], Point{X: p[0], Y: p[1]})
		}
	}
	if centres {
		return Shape{Class: class, area: traced(all)}
	}
	return Shape{Class: class, area: all}
}

// area is a set of pixels.
type area interface{ draw(c *canvas) error }

// HeadBytes is how much of a file shows whether it holds shapes.
const HeadBytes = 64 << 10

const (
	maxFile    = 64 << 20
	maxNumbers = 4 << 20
	maxObjects = 512 << 10
	// maxCoordinate bounds coordinates, far outside any image.
	maxCoordinate = 1e8
)

// Extensions are the endings of the names of files with shapes.
var Extensions = []string{".geojson", ".json", ".roi", ".zip"}

// Is reports whether a file that begins with head seems to hold shapes. It uses at most
// HeadBytes of head.
func Is(head []byte) bool {
	head = head[:min(len(head), HeadBytes)]
	switch {
	case isROI(head):
		return true
	case archive.Is(head):
		return bytes.Contains(bytes.ToLower(head), []byte(".roi"))
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, bom), " \t\r\n")
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	for _, key := range []string{`"shapes"`, `"imagePath"`, `"annotations"`, `"categories"`, `"file_name"`, `"Feature"`, `"FeatureCollection"`} {
		if bytes.Contains(text, []byte(key)) {
			return true
		}
	}
	return false
}

var bom = []byte("\xef\xbb\xbf")

// Read reads a file of shapes. b is not kept.
//
// The errors are segd.ErrFormat (malformed, numbers that contradict each other),
// segd.ErrTooLarge, and segd.ErrUnsupported for other content.
func Read(b []byte) (*File, error) {
	if len(b) > maxFile {
		return nil, tooLarge("%d bytes, limit %d", len(b), maxFile)
	}
	switch {
	case isROI(b):
		return readROI(b)
	case archive.Is(b):
		return readROIs(b)
	}
	return readJSON(bytes.TrimPrefix(b, bom))
}

func malformed(format string, a ...any) error {
	return fmt.Errorf("shapes: %w: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
}

func unsupported(format string, a ...any) error {
	return fmt.Errorf("shapes: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, a...))
}

func tooLarge(format string, a ...any) error {
	return fmt.Errorf("shapes: %w: %s", segd.ErrTooLarge, fmt.Sprintf(format, a...))
}

// note adds a note once.
func (p *Picture) note(text string) {
	for _, n := range p.Notes {
		if n == text {
			return
		}
	}
	p.Notes = append(p.Notes, text)
}

// NoArea is the note on shapes that enclose nothing.
const NoArea = "shapes without an area, such as lines and points, are not drawn"

// add adds a shape. One without an area leaves a note.
func (p *Picture) add(s Shape) {
	if s.area == nil {
		p.note(NoArea)
		return
	}
	s.Class = strings.TrimSpace(s.Class)
	p.Shapes = append(p.Shapes, s)
}

// finite reports whether coordinates can be drawn.
func finite(values ...float64) bool {
	for _, v := range values {
		if !(math.Abs(v) <= maxCoordinate) {
			return false
		}
	}
	return true
}
