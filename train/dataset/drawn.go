package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"segd"
	"segd/dicomio"
	"segd/internal/orient"
	"segd/internal/shapes"
)

// Notes on outlines.
const (
	noteBeside  = "outlines beside a mask of the same image are not used: the mask is"
	noteOverlap = "outlines of different classes overlap: the later one in the file counts, in an RT Structure Set the class of the higher number"
	noteOutside = "outlines lie outside the image"
	noteLeft    = "outlines of classes that the data set does not name (classes.txt, dataset.json) are not drawn"
	noteOpen    = "contours that enclose no area, such as points and open lines, are not drawn"
)

// drawn draws the outlines of the case's frame. If they were drawn on the upright
// image, as LabelMe does and as the size in a file may show, the mask is turned to the
// pixels as they are stored.
func (c *Case) drawn(o *opened) (*segd.Mask, error) {
	scan, err := c.opener().join(c.Image, c.More)
	if err != nil {
		return nil, err
	}
	picture := o.shapes.Pictures[min(c.picture, len(o.shapes.Pictures)-1)]
	take, err := c.onFrame(o, &picture, scan)
	if err != nil {
		return nil, err
	}
	for _, text := range picture.Notes {
		c.opener().note(text, o.path)
	}
	upright := orient.Upright(scan.Orientation, scan.Width, scan.Height).Size()
	width, height, turned := scan.Width, scan.Height, orient.IsTurned(scan.Orientation)
	fits := func(w, h int) bool { return picture.Width == w && picture.Height == h }
	if turned = turned && (picture.Upright || !fits(width, height) && fits(upright[0], upright[1])); turned {
		width, height = upright[0], upright[1]
	}
	m, err := c.paint(o, &picture, width, height, take)
	if err == nil && turned {
		return orient.StoredMask(scan.Orientation, m)
	}
	if size, ok := errors.AsType[*shapes.SizeError](err); ok {
		fix := "draw them again, or correct the size in the file"
		if size.Turned() {
			fix = "the program showed the image turned: save the image upright, or the outlines on the image as it is stored"
		}
		return nil, &SizeError{fmt.Errorf("%w: %s", err, fix)}
	}
	return m, err
}

// paint draws shapes and notes what was met.
func (c *Case) paint(o *opened, p *shapes.Picture, width, height int, take func(*shapes.Shape) bool) (*segd.Mask, error) {
	left := false
	m, r, err := p.Paint(width, height, take, func(class string) (uint8, bool) {
		v, ok := c.outlines.number(class)
		left = left || !ok
		return v, ok
	})
	if err != nil {
		return nil, err
	}
	for _, n := range []struct {
		is   bool
		text string
	}{{left, noteLeft}, {r.Overlap > 0, noteOverlap}, {r.Outside > 0, noteOutside}} {
		if n.is {
			c.opener().note(n.text, o.path)
		}
	}
	return m, nil
}

// onFrame returns which shapes lie on the case's frame; nil: all. Shapes of an image of
// several frames that do not say on which they lie are a CountError.
func (c *Case) onFrame(o *opened, p *shapes.Picture, scan *segd.Scan) (func(*shapes.Shape) bool, error) {
	if c.Frames > 1 {
		if frame, err := c.page(o.path, 1); err == nil && frame == 0 {
			return nil, nil // a file for this frame alone
		}
	}
	for i := range p.Shapes {
		frame, ok := frameOf(p.Shapes[i].Plane, scan)
		switch {
		case !ok && c.Frames > 1:
			return nil, &CountError{fmt.Errorf("%w: a shape that does not say on which of the %d frames of its image it lies: give it a position (slice), or write a file for each frame, named %s and so on",
				segd.ErrFormat, c.Frames, frameID(stemOf(c.Image), 0, 2))}
		case ok && frame >= max(1, c.Frames):
			return nil, &CountError{fmt.Errorf("%w: a shape on plane %d of an image of %d frames", segd.ErrFormat, frame+1, max(1, c.Frames))}
		}
	}
	return func(s *shapes.Shape) bool {
		frame, ok := frameOf(s.Plane, scan)
		return !ok || frame == c.Frame
	}, nil
}

// frameOf returns the frame, counted from 0, on which a shape lies. ok is false if it
// does not say, or not enough.
func frameOf(p shapes.Plane, scan *segd.Scan) (frame int, ok bool) {
	if p.Slice > 0 {
		return p.Slice - 1, true
	}
	depth, known := scan.Depth, scan.Affine != nil && scan.Depth > 0
	switch z, t := max(p.Z, 1), max(p.T, 1); {
	case p.Z == 0 && p.T == 0:
		return max(p.C, 1) - 1, p.C > 0
	case t == 1:
		return z - 1, true
	case known:
		return (t-1)*depth + z - 1, z <= depth
	case z == 1:
		return t - 1, true
	}
	return 0, false
}

// outlined draws the contours of an RT Structure Set that lie in the case's frame,
// those of higher classes over others.
func (c *Case) outlined(o *opened) (*segd.Mask, error) {
	image, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return nil, err
	}
	s := o.structures
	at, ok := dicomio.Section{}, false
	if image.source != nil {
		if !s.Knows(image.source) {
			return nil, fmt.Errorf("%w: the structure set neither refers to the image nor shares its frame of reference", segd.ErrNotFound)
		}
		at, ok = image.source.SectionOf(c.Frame)
	} else if g, placed := gridOf(image.scan); placed && g.Size[2] > 0 {
		at, ok = sectionOf(g, c.Frame%g.Size[2]), true
	}
	if !ok {
		return nil, fmt.Errorf("%w: contours lie in the patient, but the image does not say where it does", segd.ErrUnprocessable)
	}
	list, err := s.Outlines(at, image.source, c.Frame)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b dicomio.RegionOutline) int {
		x, _ := c.outlines.number(s.Regions[a.Region].Name)
		y, _ := c.outlines.number(s.Regions[b.Region].Name)
		return cmp.Compare(x, y)
	})
	var p shapes.Picture
	for _, outline := range list {
		p.Shapes = append(p.Shapes, shapes.Outline(s.Regions[outline.Region].Name, outline.Rings, outline.Centres))
	}
	if s.Open > 0 {
		c.opener().note(noteOpen, o.path)
	}
	return c.paint(o, &p, image.scan.Width, image.scan.Height, nil)
}

// sectionOf returns where plane k of a volume lies.
func sectionOf(g segd.Grid, k int) (s dicomio.Section) {
	for r := range 3 {
		s.Origin[r] = g.Affine[r][3] + float64(k)*g.Affine[r][2]
		s.Right[r], s.Down[r] = g.Affine[r][0], g.Affine[r][1]
	}
	return s
}
