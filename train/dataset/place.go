package dataset

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"segd"
	"segd/internal/orient"
)

// gridOf returns the position of the planes of a scan at one time point. ok is false
// if it is not known.
func gridOf(s *segd.Scan) (g segd.Grid, ok bool) {
	if s.Affine == nil {
		return g, false
	}
	return segd.Grid{Size: [3]int{s.Width, s.Height, s.Depth}, Affine: *s.Affine}, true
}

// turned holds the planes of a file reoriented to the voxels of an image. They are
// cached because each frame is cut from the same volume.
type turned[T any] struct {
	mu     sync.Mutex
	turn   orient.Turn
	time   int // of planes, which belong to it
	planes [][]T
}

// plane returns plane frame of the reoriented file. read returns a plane as stored,
// with the channels of a pixel interleaved.
func (k *turned[T]) plane(t orient.Turn, frame, channels int, read func(frame int) ([]T, error)) ([]T, error) {
	depth := t.Size()[2]
	time, at := frame/depth, frame%depth
	stored := func(i int) ([]T, error) { return read(time*t.Stored[2] + i) }
	if t.InPlane() {
		planes, err := orient.Reslice(t, at, 1, channels, stored)
		if err != nil {
			return nil, err
		}
		return planes[0], nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.planes == nil || k.turn != t || k.time != time {
		planes, err := orient.Reslice(t, 0, depth, channels, stored)
		if err != nil {
			return nil, err
		}
		k.turn, k.time, k.planes = t, time, planes
	}
	return slices.Clone(k.planes[at]), nil
}

// labelled selects the mask of the case's frame from a volume of labels whose image
// is not a DICOM file. It selects by position if both files have one, otherwise by
// number.
func (c *Case) labelled(l *opened, image *opened) (*segd.Mask, error) {
	scan, v := image.scan, l.labels.Volume
	to, placed := gridOf(scan)
	from, also := v.Grid()
	if !placed || !also {
		if l.labels.Frames != scan.Frames {
			return nil, &CountError{fmt.Errorf("%w: %d planes of labels for an image of %d", segd.ErrFormat, l.labels.Frames, scan.Frames)}
		}
		if placed != also {
			c.opener().note(noteUnplaced, l.path)
		}
		return l.labels.Mask(c.Frame)
	}
	turn, err := orient.Match(to, from)
	if err != nil {
		return nil, err
	}
	if v.Times != scan.Times {
		return nil, &CountError{fmt.Errorf("%w: labels of %d times for an image of %d", segd.ErrFormat, v.Times, scan.Times)}
	}
	if turn.Identity() {
		return l.labels.Mask(c.Frame)
	}
	pix, err := l.masks.plane(turn, c.Frame, 1, func(k int) ([]uint8, error) {
		m, err := l.labels.Mask(k)
		if err != nil {
			return nil, err
		}
		return m.Pix, nil
	})
	if err != nil {
		return nil, err
	}
	return &segd.Mask{Width: scan.Width, Height: scan.Height, Pix: pix}, nil
}

// segmented selects the mask of the case's frame from a DICOM Segmentation whose
// image is not a DICOM file. It selects by position, or else by the order of frames
// within each segment.
func (c *Case) segmented(l *opened, image *opened) (*segd.Mask, error) {
	s, scan := l.labels.SEG, image.scan
	to, placed := gridOf(scan)
	if !placed || !s.Placed() || scan.Times > 1 {
		if scan.Width != l.labels.Width || scan.Height != l.labels.Height {
			return nil, fmt.Errorf("%w: a segmentation of %d×%d pixels for an image of %d×%d", segd.ErrFormat, l.labels.Width, l.labels.Height, scan.Width, scan.Height)
		}
		if placed != s.Placed() {
			c.opener().note(noteUnplaced, l.path)
		}
		return s.MaskInOrder(scan.Frames, c.Frame)
	}
	l.inVolume.mu.Lock()
	defer l.inVolume.mu.Unlock()
	if l.inVolume.masks == nil || l.inVolume.grid != to {
		masks, err := s.MasksIn(to)
		if err != nil {
			return nil, err
		}
		l.inVolume.grid, l.inVolume.masks = to, masks
	}
	m := *l.inVolume.masks[c.Frame]
	m.Pix = slices.Clone(m.Pix)
	return &m, nil
}

// inVolume returns the masks of a segmentation in the planes of a volume.
type inVolume struct {
	mu    sync.Mutex
	grid  segd.Grid
	masks []*segd.Mask
}

// like returns the frame of another file of the case that corresponds to its image,
// in the pixel order of the image. It selects by position if both files have one,
// otherwise by number. A file with a different number of planes or other voxels is an
// error.
func (c *Case) like(path string, as role) (*segd.Image, error) {
	image, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return nil, err
	}
	o, err := c.opener().open(path, as)
	if err != nil {
		return nil, err
	}
	to, placed := gridOf(image.scan)
	from, also := gridOf(o.scan)
	turn := orient.Keep(from.Size)
	switch {
	case placed && also:
		if turn, err = orient.Match(to, from); err != nil {
			return nil, err
		}
	case placed != also:
		c.opener().note(noteUnplaced, path)
	}
	if o.scan.Frames != image.scan.Frames && turn.Identity() || o.scan.Times != image.scan.Times && placed && also {
		return nil, &SizeError{fmt.Errorf("%w: %d planes for an image of %d", segd.ErrFormat, o.scan.Frames, image.scan.Frames)}
	}
	if turn.Identity() {
		return o.scan.Frame(c.Frame)
	}
	first, err := o.scan.Frame(0)
	if err != nil {
		return nil, err
	}
	pix, err := o.pixels.plane(turn, c.Frame, first.Channels, func(k int) ([]float32, error) {
		img, err := o.scan.Frame(k)
		if err != nil {
			return nil, err
		}
		return img.Pix, nil
	})
	if err != nil {
		return nil, err
	}
	return &segd.Image{Width: image.scan.Width, Height: image.scan.Height, Channels: first.Channels, Pix: pix}, nil
}

// Kinds of notes on files.
const (
	noteUnplaced = "image or label has no position in the patient: planes are matched by number"
	notePictures = "mask pictures have no position in the patient: planes of volumes are matched by number"
)

// note records text, which a user should know about a file. Files with the same text
// are counted.
func (f *files) note(text, path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.notes == nil {
		f.notes = map[string][]string{}
	}
	if !slices.Contains(f.notes[text], path) {
		f.notes[text] = append(f.notes[text], path)
	}
}

// Remarks returns the notes on the files of cases, sorted by kind, one for each kind
// with its first file. It is complete once labels and images have been read.
func Remarks(cases []Case) (list []Remark) {
	seen := map[*files]bool{}
	all := map[string][]string{}
	for i := range cases {
		f := cases[i].opener()
		if seen[f] {
			continue
		}
		seen[f] = true
		f.mu.Lock()
		for text, paths := range f.notes {
			all[text] = append(all[text], paths...)
		}
		f.mu.Unlock()
	}
	for _, text := range slices.Sorted(maps.Keys(all)) {
		paths := all[text]
		slices.Sort(paths)
		list = append(list, Remark{text, paths[0], len(paths)})
	}
	return list
}

// Remark is a note that applies to Count files.
type Remark struct {
	Text  string
	File  string // the first
	Count int
}

func (r Remark) String() string {
	if r.Count == 1 {
		return r.File + ": " + r.Text
	}
	return fmt.Sprintf("%s and %d more: %s", r.File, r.Count-1, r.Text)
}
