package dicomio

import (
	"fmt"
	"maps"
	"slices"

	"segd"
	"segd/dicomio/tag"
)

// Segmentation is a DICOM Segmentation (PS3.3 A.51, or A.86 for label maps) that
// was read. Each frame belongs to a segment and to a frame of an image. It does
// not change and may be used by several goroutines.
type Segmentation struct {
	Type       string // "BINARY", "FRACTIONAL" or "LABELMAP"
	Rows, Cols int
	Segments   []Segment // in the order of the file
	Frames     []SegmentFrame
	Overlap    bool // the file says that segments overlap (0062,0013)

	pixels  *pixels
	half    int // FRACTIONAL: the lowest value that marks a pixel
	padding int // LABELMAP: a value that means background; -1: none
	source  Source
	series  map[string]bool  // UIDs that it refers to
	images  map[string][]int // frames by the instance they refer to
	orderly bool             // without references and positions: frames are in the order of the image
}

// Segment is one segment.
type Segment struct {
	Number int
	Label  string
}

// SegmentFrame describes a frame of a Segmentation.
type SegmentFrame struct {
	// Segment is the number of the segment. It is 0 in a label map, whose pixel
	// values are the numbers, and in a tiled segmentation, which gives them by the
	// order of frames.
	Segment int
	// Sources are the images the frame was made from; none if the file does not
	// say.
	Sources []FrameReference
}

// FrameReference names frames of an instance.
type FrameReference struct {
	Instance string // SOP Instance UID
	Frames   []int  // from 1; empty: the whole instance
}

// maxSegmentFrames limits the frames of a segmentation. There is one for each
// segment and image, so that a segmentation may have more than an image.
const maxSegmentFrames = 20_000

// segClasses are the SOP classes that ReadSEG reads.
var segClasses = map[string]bool{
	"1.2.840.10008.5.1.4.1.1.66.4": true, // Segmentation
	"1.2.840.10008.5.1.4.1.1.66.7": true, // Label Map Segmentation
}

// ReadSEG opens the DICOM Segmentation b, which must not change while the result
// is in use. The errors are those of Read, and segd.ErrUnsupported for a DICOM
// file of another SOP class.
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
		return nil, fmt.Errorf("dicomio: %w: not a segmentation: %s names another SOP class", segd.ErrUnsupported, name(tag.SOPClassUID))
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

// segTags are the attributes read from a segmentation.
var segTags = []uint32{
	tag.SOPClassUID, tag.NumberOfFrames, tag.FrameOfReferenceUID,
	tag.ImagePositionPatient, tag.ImageOrientationPatient,
	tag.PixelSpacing, tag.SliceThickness, tag.SpacingBetweenSlices,
	tag.SharedFunctionalGroupsSequence, tag.PerFrameFunctionalGroupsSequence, tag.PixelPaddingValue,
	tag.ReferencedSeriesSequence, tag.SegmentationType, tag.SegmentSequence,
	tag.MaximumFractionalValue, tag.SegmentsOverlap,
}

// readType checks that the pixels fit the type.
func (s *Segmentation) readType(d dataset, l *layout) error {
	want := map[string][]int{"BINARY": {1}, "FRACTIONAL": {8}, "LABELMAP": {8, 16}}[s.Type]
	if want == nil {
		return unprocessable("segmentation type %s is not supported: want BINARY, FRACTIONAL or LABELMAP", name(tag.SegmentationType))
	}
	if !slices.Contains(want, l.allocated) || l.samples != 1 || l.signed {
		return unprocessable("%s segmentation with %d samples of %d bits, want 1 of %d, unsigned", s.Type, l.samples, l.allocated, want[0])
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

// readFrames reads the segment and sources of each frame.
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
		return unprocessable("functional groups for %d frames, want %d", n, frames)
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

// Values returns the pixel values of frame i, counted from 0, row by row: 0 and
// 1 for BINARY, 0 to MaximumFractionalValue for FRACTIONAL, segment numbers for
// LABELMAP. The errors are those of the decoder.
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

// Knows reports whether the segmentation refers to image or its series or, if it
// refers to nothing, shares its frame of reference.
func (s *Segmentation) Knows(image *Source) bool {
	if s.images[image.instance] != nil || s.series[image.series] {
		return true
	}
	return len(s.images)+len(s.series) == 0 && s.source.Placed() && image.Placed() &&
		s.source.image.text(tag.FrameOfReferenceUID) == image.image.text(tag.FrameOfReferenceUID)
}

// Instances returns the UIDs of the images that the segmentation refers to, in
// no particular order.
func (s *Segmentation) Instances() []string { return slices.Collect(maps.Keys(s.images)) }

// Series returns the UIDs of the series that the segmentation refers to, in no
// particular order.
func (s *Segmentation) Series() []string { return slices.Collect(maps.Keys(s.series)) }

// Mask returns the mask of a frame, counted from 0, of image. The class of a
// pixel is the number of its segment; where segments overlap, the highest
// counts. In a FRACTIONAL segmentation half the maximum marks a pixel.
//
// Mask takes the frames that refer to this frame of image. If no frame refers to
// image, it takes those at the same position. If the segmentation has no
// positions, and refers to images as a whole or not at all, it takes the frame
// at the same index of each segment. Pixels without a frame are background.
//
// If the positions of both are known, frames are rotated in their plane to the
// pixels of the image. An orient.MatchError gives the distance of frames that do
// not fit.
//
// Differing sizes and segment numbers beyond 255 are segd.ErrUnprocessable; a
// segmentation of another image is segd.ErrNotFound.
func (s *Segmentation) Mask(image *Source, frame int) (*segd.Mask, error) {
	if frame < 0 || frame >= image.frames {
		return nil, fmtNotFound(frame, image.frames)
	}
	placed := s.Placed() && image.Placed()
	if (s.Rows != image.rows || s.Cols != image.cols) && !(placed && s.Rows == image.cols && s.Cols == image.rows) {
		return nil, unprocessable("a segmentation of %d×%d pixels for an image of %d×%d: it is tiled or has another grid", s.Cols, s.Rows, image.cols, image.rows)
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

// MaskInOrder is Mask for an image of another format, which no segmentation can
// refer to. It takes the frame at the same index of each segment; each segment
// must have as many frames as the image.
func (s *Segmentation) MaskInOrder(frames, frame int) (*segd.Mask, error) {
	list, err := s.inOrder(frames, frame)
	if err != nil {
		return nil, err
	}
	return s.marked(list)
}

// marked draws frames in the order of their segments.
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

// framesOf lists the frames that belong to a frame of image.
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
	return nil, fmt.Errorf("dicomio: %w: the segmentation neither refers to the image nor shares its position", segd.ErrNotFound)
}

// inOrder takes the frame at the same index from each segment.
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
			return nil, unprocessable("segment %d has %d frames but the image %d, and neither references nor positions match them", number, n, frames)
		}
	}
	return list, nil
}

// mark draws frame i on m.
func (s *Segmentation) mark(m *segd.Mask, i int) error {
	values, err := s.Values(i)
	if err != nil {
		return err
	}
	segment := s.Frames[i].Segment
	if s.Type != "LABELMAP" && (segment < 1 || segment > 255) {
		return unprocessable("frame %d belongs to segment %d, want 1 to 255", i+1, segment)
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

// IsSEG reports whether the DICOM file b is a segmentation. It walks the whole
// file.
func IsSEG(b []byte) bool {
	f, err := open(b)
	if err != nil {
		return false
	}
	d, err := f.copy([]uint32{tag.SOPClassUID})
	return err == nil && segClasses[d.text(tag.SOPClassUID)]
}
