package dicomio

import (
	"fmt"
	"maps"
	"slices"

	"segd"
	"segd/dicomio/tag"
)

// Segmentation is a DICOM Segmentation that was read (PS3.3 A.51, and A.86 for
// label maps): frames, each of a segment and of a frame of an image. It does
// not change, and may be used from several goroutines.
type Segmentation struct {
	Type       string // "BINARY", "FRACTIONAL" or "LABELMAP"
	Rows, Cols int
	Segments   []Segment // in the order of the file
	Frames     []SegmentFrame
	Overlap    bool // the file says that segments overlap (0062,0013)

	pixels  *pixels
	half    int // FRACTIONAL: from this value on a pixel is marked
	padding int // LABELMAP: a value that stands for background; -1: none
	source  Source
	series  map[string]bool  // UIDs of what it refers to
	images  map[string][]int // frames by the instance they refer to
	orderly bool             // no reference and no position: frames follow those of the image
}

// Segment is a thing that is marked.
type Segment struct {
	Number int
	Label  string
}

// SegmentFrame says what a frame of a Segmentation is about.
type SegmentFrame struct {
	// Segment is the number of the segment; 0 in a label map, whose values are
	// the numbers, and in a tiled one, which gives them by the order of frames.
	Segment int
	// Sources are the images it was made from, none if the file does not say.
	Sources []FrameReference
}

// FrameReference names frames of an instance.
type FrameReference struct {
	Instance string // SOP Instance UID
	Frames   []int  // from 1; none: the instance as a whole
}

// maxSegmentFrames bounds the frames of a segmentation, of which there is one
// for each segment and image: more than an image may have.
const maxSegmentFrames = 20_000

// segClasses are the SOP classes that ReadSEG reads.
var segClasses = map[string]bool{
	"1.2.840.10008.5.1.4.1.1.66.4": true, // Segmentation
	"1.2.840.10008.5.1.4.1.1.66.7": true, // Label Map Segmentation
}

// ReadSEG opens the DICOM Segmentation b, which must not change while the
// result is in use. The errors are those of Read; a DICOM file of another SOP
// class is segd.ErrUnsupported.
func ReadSEG(b []byte) (*Segmentation, error) {
	f, err := open(b)
	if err != nil {
		return nil, err
	}
	d, err := f.copy(segTags)
	if err != nil {
		return nil, err
	}
	if !segClasses[d.text(tag.SOPClassUID)] {
		return nil, fmt.Errorf("dicomio: %w: not a segmentation: %s is another SOP class", segd.ErrUnsupported, name(tag.SOPClassUID))
	}
	e, err := pixelElement(f)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	l, err := readLayoutUpTo(maxSegmentFrames, h.root, f.syntax, e.tag)
	if err != nil {
		return nil, err
	}
	s := &Segmentation{Type: d.text(tag.SegmentationType), Rows: l.rows, Cols: l.cols, Overlap: d.text(tag.SegmentsOverlap) == "YES", padding: -1}
	if s.pixels, err = findPixels(f, e, l); err != nil {
		return nil, err
	}
	if err := s.readType(d, l); err != nil {
		return nil, err
	}
	for _, item := range d[tag.SegmentSequence].items {
		s.Segments = append(s.Segments, Segment{Number: item.integer(tag.SegmentNumber), Label: shorten(item.text(tag.SegmentLabel), 64)})
	}
	s.source = Source{image: d, frames: l.frames, rows: l.rows, cols: l.cols}
	s.source.locate()
	return s, s.readFrames(d, l.frames)
}

// segTags are what is read of a segmentation.
var segTags = []uint32{
	tag.SOPClassUID, tag.NumberOfFrames, tag.FrameOfReferenceUID,
	tag.ImagePositionPatient, tag.ImageOrientationPatient,
	tag.PixelSpacing, tag.SliceThickness, tag.SpacingBetweenSlices,
	tag.SharedFunctionalGroupsSequence, tag.PerFrameFunctionalGroupsSequence, tag.PixelPaddingValue,
	tag.ReferencedSeriesSequence, tag.SegmentationType, tag.SegmentSequence,
	tag.MaximumFractionalValue, tag.SegmentsOverlap,
}

// readType checks that the values are what the type says.
func (s *Segmentation) readType(d dataset, l *layout) error {
	want := map[string][]int{"BINARY": {1}, "FRACTIONAL": {8}, "LABELMAP": {8, 16}}[s.Type]
	if want == nil {
		return unprocessable("segmentation type %s is none of BINARY, FRACTIONAL and LABELMAP", name(tag.SegmentationType))
	}
	if !slices.Contains(want, l.allocated) || l.samples != 1 || l.signed {
		return unprocessable("%s with %d samples of %d bits, want 1 of %d, unsigned", s.Type, l.samples, l.allocated, want[0])
	}
	switch s.Type {
	case "FRACTIONAL":
		most := d.integer(tag.MaximumFractionalValue)
		if most < 1 || most > 255 {
			return unprocessable("maximum fractional value %d, want 1 to 255", most)
		}
		s.half = (most + 1) / 2
	case "LABELMAP":
		if d.has(tag.PixelPaddingValue) {
			s.padding = d.integer(tag.PixelPaddingValue)
		}
	}
	return nil
}

// readFrames reads what each frame is about.
func (s *Segmentation) readFrames(d dataset, frames int) error {
	s.series, s.images = map[string]bool{}, map[string][]int{}
	for _, series := range d[tag.ReferencedSeriesSequence].items {
		s.series[series.text(tag.SeriesInstanceUID)] = true
		for _, i := range series[tag.ReferencedInstanceSequence].items {
			if uid := i.text(tag.ReferencedSOPInstanceUID); s.images[uid] == nil {
				s.images[uid] = []int{}
			}
		}
	}
	delete(s.series, "")
	s.Frames = make([]SegmentFrame, frames)
	shared, each := d.first(tag.SharedFunctionalGroupsSequence), d[tag.PerFrameFunctionalGroupsSequence].items
	if n := len(each); n > 0 && n != frames {
		return unprocessable("functional groups of %d frames for %d", n, frames)
	}
	references := false
	for i := range s.Frames {
		group := dataset{}
		group.merge(shared)
		if each != nil {
			group.merge(each[i])
		}
		f := &s.Frames[i]
		f.Segment = group.first(tag.SegmentIdentificationSequence).integer(tag.ReferencedSegmentNumber)
		for _, derivation := range group[tag.DerivationImageSequence].items {
			for _, source := range derivation[tag.SourceImageSequence].items {
				r := FrameReference{Instance: source.text(tag.ReferencedSOPInstanceUID)}
				for _, v := range source.numbers(tag.ReferencedFrameNumber) {
					r.Frames = append(r.Frames, int(v))
				}
				if r.Instance != "" {
					f.Sources = append(f.Sources, r)
					s.images[r.Instance] = append(s.images[r.Instance], i)
					references = true
				}
			}
		}
	}
	s.orderly = !references && s.source.planes == nil
	return nil
}

// Values returns what frame i, counted from 0, holds, row by row: 0 and 1 for
// BINARY, 0 to MaximumFractionalValue for FRACTIONAL, numbers of segments for
// LABELMAP. The errors are those of the pixels' decoder.
func (s *Segmentation) Values(i int) ([]uint16, error) {
	if i < 0 || i >= len(s.Frames) {
		return nil, fmtNotFound(i, len(s.Frames))
	}
	l, raw, err := s.pixels.frame(i)
	if err != nil {
		return nil, err
	}
	out := make([]uint16, l.rows*l.cols)
	for k := range out {
		if l.sampleBytes() == 2 {
			out[k] = uint16(raw[2*k]) | uint16(raw[2*k+1])<<8
		} else {
			out[k] = uint16(raw[k])
		}
	}
	return out, nil
}

// Knows reports whether the segmentation is about image: refers to it or to its
// series, or lies in its frame of reference.
func (s *Segmentation) Knows(image *Source) bool {
	if s.images[image.instance] != nil || s.series[image.series] {
		return true
	}
	return len(s.images)+len(s.series) == 0 && s.source.Placed() && image.Placed() &&
		s.source.image.text(tag.FrameOfReferenceUID) == image.image.text(tag.FrameOfReferenceUID)
}

// Instances and Series return the UIDs of the images and of the series that the
// segmentation refers to, in no order.
func (s *Segmentation) Instances() []string { return slices.Collect(maps.Keys(s.images)) }

// Series is the counterpart of Instances for series.
func (s *Segmentation) Series() []string { return slices.Collect(maps.Keys(s.series)) }

// Mask returns what is marked in a frame, counted from 0, of image: the class of
// a pixel is the number of its segment, of the highest where segments overlap.
// Of a FRACTIONAL one a pixel is marked from half the maximum on.
//
// The frames that refer to this frame of image are taken; if no frame of the
// segmentation refers to image, those that lie where it does; if the
// segmentation has no positions and refers to images as a whole or not at all,
// those of the same place in the order of each segment. What the segmentation leaves out is background.
//
// Where both say where they lie, the frames are turned in their plane to the
// image's pixels, and an orient.MatchError says how far away others lie.
//
// Sizes that differ and segments numbered beyond 255 are
// segd.ErrUnprocessable, a segmentation of something else is segd.ErrNotFound.
func (s *Segmentation) Mask(image *Source, frame int) (*segd.Mask, error) {
	if frame < 0 || frame >= image.frames {
		return nil, fmtNotFound(frame, image.frames)
	}
	placed := s.Placed() && image.Placed()
	if (s.Rows != image.rows || s.Cols != image.cols) && !(placed && s.Rows == image.cols && s.Cols == image.rows) {
		return nil, unprocessable("a segmentation of %d×%d pixels for an image of %d×%d: tiled, or on another grid", s.Cols, s.Rows, image.cols, image.rows)
	}
	list, err := s.framesOf(image, frame)
	if err != nil {
		return nil, err
	}
	if placed {
		masks, err := s.placed(list, image.grid(frame))
		if err != nil {
			return nil, err
		}
		return masks[0], nil
	}
	return s.marked(list)
}

// MaskInOrder is Mask for an image of another format, to which nothing can
// refer: the frame of the same place in the order of each segment, of which
// there must be as many as the image has frames.
func (s *Segmentation) MaskInOrder(frames, frame int) (*segd.Mask, error) {
	list, err := s.inOrder(frames, frame)
	if err != nil {
		return nil, err
	}
	return s.marked(list)
}

// marked draws frames, in the order of their segments.
func (s *Segmentation) marked(list []int) (*segd.Mask, error) {
	slices.SortStableFunc(list, func(a, b int) int { return s.Frames[a].Segment - s.Frames[b].Segment })
	m := segd.NewMask(s.Cols, s.Rows)
	for _, i := range list {
		if err := s.mark(m, i); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// framesOf lists the frames about a frame of image.
func (s *Segmentation) framesOf(image *Source, frame int) ([]int, error) {
	var list []int
	whole := false // a reference to image names no frame
	for _, i := range s.images[image.instance] {
		for _, r := range s.Frames[i].Sources {
			if r.Instance != image.instance {
				continue
			}
			whole = whole || len(r.Frames) == 0 && image.frames > 1
			if len(r.Frames) == 0 && image.frames == 1 || slices.Contains(r.Frames, frame+1) {
				list = append(list, i)
				break
			}
		}
	}
	switch {
	case len(s.images[image.instance]) > 0 && !whole:
		return list, nil
	case s.source.planes != nil && image.planes != nil:
		for i := range s.source.planes {
			if s.source.planes[i].sharesPlane(&image.planes[frame]) {
				list = append(list, i)
			}
		}
		slices.Sort(list)
		if list = slices.Compact(list); len(list) > 0 || s.Knows(image) {
			return list, nil
		}
	case s.Knows(image) && !whole && !s.orderly:
		return nil, nil
	case s.orderly, whole:
		return s.inOrder(image.frames, frame)
	}
	return nil, fmt.Errorf("dicomio: %w: the segmentation neither refers to the image nor lies where it does", segd.ErrNotFound)
}

// inOrder takes the frame of the same place out of those of each segment.
func (s *Segmentation) inOrder(frames, frame int) (list []int, err error) {
	seen := map[int]int{}
	for i, f := range s.Frames {
		if seen[f.Segment] == frame {
			list = append(list, i)
		}
		seen[f.Segment]++
	}
	for number, n := range seen {
		if n != frames {
			return nil, unprocessable("segment %d has %d frames, the image %d, and neither references nor positions say which is whose", number, n, frames)
		}
	}
	return list, nil
}

// mark writes what frame i marks.
func (s *Segmentation) mark(m *segd.Mask, i int) error {
	values, err := s.Values(i)
	if err != nil {
		return err
	}
	segment := s.Frames[i].Segment
	if s.Type != "LABELMAP" && (segment < 1 || segment > 255) {
		return unprocessable("frame %d is of segment %d, want 1 to 255", i+1, segment)
	}
	for k, v := range values {
		switch {
		case s.Type == "LABELMAP":
			if v > 255 && int(v) != s.padding {
				return unprocessable("segment %d, want 1 to 255", v)
			}
			if v != 0 && int(v) != s.padding {
				m.Pix[k] = uint8(v)
			}
		case s.Type == "BINARY" && v != 0, s.Type == "FRACTIONAL" && int(v) >= s.half:
			m.Pix[k] = uint8(segment)
		}
	}
	return nil
}

// IsSEG reports whether the DICOM file b is a segmentation. It costs as much as
// a walk over the file.
func IsSEG(b []byte) bool {
	f, err := open(b)
	if err != nil {
		return false
	}
	d, err := f.copy([]uint32{tag.SOPClassUID})
	return err == nil && segClasses[d.text(tag.SOPClassUID)]
}
