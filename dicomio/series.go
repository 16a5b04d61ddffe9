package dicomio

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"segd"
	"segd/dicomio/tag"
)

// SeriesKey is equal for images whose results belong in one object: Placed
// images of one patient, study, series, frame of reference and size. Files of
// several patients may have the UIDs of one series, such as copies of a phantom or of
// a template. It is empty for an image that stands alone, such as an X-ray, whose
// position relative to others is unknown. It holds UIDs: do not show it.
func (s *Source) SeriesKey() string {
	if !s.Placed() || s.orphan || s.series == "" {
		return ""
	}
	id := s.Identity()
	return strings.Join([]string{id.Patient, id.Issuer, id.Study, s.series, s.image.text(tag.FrameOfReferenceUID), fmt.Sprint(s.rows, s.cols)}, "\x00")
}

// Merge adds the sources and frames of other, which must have the same kind,
// model and classes. s keeps its identity. The error is segd.ErrUnprocessable if
// the sources do not belong together, or segd.ErrTooLarge; s is then unchanged.
func (s *SEG) Merge(other *SEG) error {
	if s.fractional != other.fractional {
		return unprocessable("masks and probabilities cannot share a segmentation")
	}
	if s.held+other.held > maxDecoded {
		return fmt.Errorf("dicomio: %w: a segmentation with more than %d bytes of pixels", segd.ErrTooLarge, maxDecoded)
	}
	offset, err := s.origin.join(&other.origin)
	if err != nil {
		return err
	}
	for _, f := range other.frames {
		f.source += offset
		s.frames = append(s.frames, f)
	}
	s.held += other.held
	return nil
}

// merge adds the sources and outlines of other; see SEG.Merge.
func (c *contours) merge(other *contours) error {
	if c.edges+other.edges > maxEdges {
		return fmt.Errorf("dicomio: %w: outlines with more than %d pixel edges", segd.ErrTooLarge, maxEdges)
	}
	offset, err := c.origin.join(&other.origin)
	if err != nil {
		return err
	}
	for _, f := range other.frames {
		f.source += offset
		c.frames = append(c.frames, f)
	}
	c.edges += other.edges
	return nil
}

// Merge adds the sources and outlines of other, as SEG.Merge does.
func (g *GSPS) Merge(other *GSPS) error {
	if g.kind != other.kind {
		return unprocessable("a presentation state cannot hold both grey and colour images")
	}
	return g.merge(&other.contours)
}

// Merge adds the sources and outlines of other, as SEG.Merge does.
func (r *RTStruct) Merge(other *RTStruct) error { return r.merge(&other.contours) }

// Join adds the sources of other, which must have the same model, and returns
// the index of the first one. The error is segd.ErrUnprocessable if the sources
// do not belong together.
func (o *Origin) Join(other Origin) (first int, err error) { return o.join(&other) }

func (o *Origin) join(other *Origin) (int, error) {
	if o.Model != other.Model || o.Version != other.Version || len(o.Classes) != len(other.Classes) {
		return 0, unprocessable("results of two models cannot share an object")
	}
	n := len(o.Sources)
	sources := append(slices.Clip(o.Sources), other.Sources...)
	if err := checkSources(append(sources[:1:1], other.Sources...)); err != nil {
		return 0, err
	}
	o.Sources = sources
	return n, nil
}

// sort orders the frames by the positions of their sources along the normal of
// the slices and, if several share a position, as NewStack does. Frames of one
// source keep their order, and so do all frames if a source has no position.
func (s *SEG) sort() {
	if !s.placed() {
		return
	}
	sources := s.origin.Sources
	at := make([]Slice, len(sources))
	for i, source := range sources {
		at[i] = Slice{plane: source.planes[0], number: source.image.integer(tag.InstanceNumber), phase: source.phaseOf(0)}
	}
	slices.SortStableFunc(s.frames, func(a, b segFrame) int {
		if a.source == b.source {
			return 0
		}
		x, y := &at[a.source], &at[b.source]
		return cmp.Or(
			cmp.Compare(x.plane.orientation, y.plane.orientation),
			cmp.Compare(x.plane.depth(), y.plane.depth()),
			x.compare(y),
			cmp.Compare(a.source, b.source))
	})
}
