package dicomio

import (
	"fmt"

	"segd"
	"segd/internal/outline"
)

// contours are the outlines of masks, along the edges of their pixels.
type contours struct {
	origin Origin
	frames []contourFrame
	edges  int // pixel edges in total
}

// maxEdges limits the pixel edges that outlines follow, to bound memory at about
// 100 MB of points.
const maxEdges = 4 << 20

// contourFrame holds the outlines in one frame of a source.
type contourFrame struct {
	source, frame int
	polygons      [][]outline.Polygon // by class less one
}

// AddMask adds the outlines of the classes in m. frame counts from 0; source is
// an index of Origin.Sources. m must have the size of the source and is not
// kept. AddMask returns segd.ErrTooLarge if the outlines exceed 4 million pixel
// edges in total, far more than any anatomy has.
func (c *contours) AddMask(source, frame int, m *segd.Mask) error {
	if source < 0 || source >= len(c.origin.Sources) {
		return fmt.Errorf("dicomio: %w: source %d of %d", segd.ErrNotFound, source+1, len(c.origin.Sources))
	}
	if err := c.origin.Sources[source].fits(frame, m.Width, m.Height); err != nil {
		return err
	}
	f := contourFrame{source: source, frame: frame, polygons: make([][]outline.Polygon, len(c.origin.Classes)-1)}
	for k := range f.polygons {
		if c.edges += outline.Edges(m, uint8(k+1)); c.edges > maxEdges {
			return fmt.Errorf("dicomio: %w: outlines with more than %d pixel edges", segd.ErrTooLarge, maxEdges)
		}
		f.polygons[k] = outline.Trace(m, uint8(k+1))
	}
	c.frames = append(c.frames, f)
	return nil
}

func newContours(o Origin) (contours, error) {
	if err := checkSources(o.Sources); err != nil {
		return contours{}, err
	}
	if len(o.Classes) < 2 {
		return contours{}, unprocessable("%d classes, want the background and at least one more", len(o.Classes))
	}
	return contours{origin: o}, nil
}
