package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"segd"
	"segd/dicomio"
	"segd/internal/beside"
	"segd/internal/nifti"
	"segd/internal/orient"
	"segd/internal/scanio"
	"segd/internal/shapes"
	"segd/train/metric"
)

// Limits on what is kept open. Frames of a volume are read one after another, and
// image and label are two files, so the last two files are kept whatever their size.
const (
	openFiles = 6
	openBytes = 512 << 20
)

// files caches the most recently opened files, so that a volume is read once for all
// its frames. It is safe for concurrent use.
type files struct {
	mu    sync.Mutex
	list  []*opened           // oldest first
	notes map[string][]string // paths by text, see note
}

// role says how a file is interpreted.
type role int

// The roles of files.
const (
	asImage  role = iota
	asMask        // class indices
	asValues      // labels of a regression
)

// opened is a file in one of its roles.
type opened struct {
	path   string
	role   role
	once   sync.Once
	err    error
	bytes  int64 // approximate memory, set once the file is read
	stored int64 // bytes of the file

	scan    *segd.Scan      // for images and values
	channel *scanio.Channel // for images: joins it with the files of other channels
	source  *dicomio.Source // of a DICOM image that objects can refer to; else nil
	labels  *scanio.Labels

	shapes     *shapes.File          // of a label of outlines
	structures *dicomio.StructureSet // of a label that is an RT Structure Set

	warnings []string // about how a label was read, and the position of a volume

	masks    turned[uint8]   // for labels stored in another orientation than their image
	pixels   turned[float32] // of an image or of values
	inVolume inVolume        // of a segmentation
}

// open opens a file, or returns it from the cache.
func (f *files) open(path string, as role) (*opened, error) {
	f.mu.Lock()
	var o *opened
	for i, k := range f.list {
		if k.path == path && k.role == as {
			o = k
			f.list = append(f.list[:i], f.list[i+1:]...)
			break
		}
	}
	if o == nil {
		o = &opened{path: path, role: as}
	}
	f.list = append(f.list, o)
	f.trim()
	f.mu.Unlock()
	o.once.Do(func() {
		o.err = o.read()
		f.mu.Lock()
		o.bytes = o.size()
		f.mu.Unlock()
		for _, w := range o.warnings {
			f.note(w, path)
		}
	})
	return o, o.err
}

// trim drops the oldest files.
func (f *files) trim() {
	var all int64
	for _, o := range f.list {
		all += o.bytes
	}
	for len(f.list) > openFiles || len(f.list) > 2 && all > openBytes {
		all -= f.list[0].bytes
		f.list = append(f.list[:0], f.list[1:]...)
	}
}

// close drops all files.
func (f *files) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// size estimates the memory that o takes, assuming 16-bit values as in most volumes.
func (o *opened) size() int64 {
	switch {
	case o.scan != nil:
		return 2 * int64(o.scan.Width) * int64(o.scan.Height) * int64(o.scan.Frames)
	case o.shapes != nil, o.structures != nil:
		return 4 * o.stored // points take about as much as their text
	case o.labels != nil:
		return 2 * int64(o.labels.Width) * int64(o.labels.Height) * int64(o.labels.Frames)
	}
	return 0
}

func (o *opened) read() error {
	b, err := readFile(o.path)
	if err != nil {
		return err
	}
	with := scanio.Options{Beside: folderOf(o.path)}
	o.stored = int64(len(b))
	switch o.role {
	case asMask:
		return o.readMask(b, with)
	case asValues:
		if o.scan, err = scanio.ReadValuesWith(b, with); err != nil {
			return fmt.Errorf("train: label %s: %w", o.path, err)
		}
		return nil
	}
	if o.channel, err = scanio.ReadChannel(o.path, b, with); err != nil {
		return fmt.Errorf("train: image %s: %w", o.path, err)
	}
	o.scan, o.source = o.channel.Scan, o.channel.Source
	if nifti.HeaderOf(o.scan) != nil {
		o.warnings = o.scan.Warnings
	}
	return nil
}

// folderOf returns the files beside the one at path.
func folderOf(path string) beside.Files {
	return beside.Files{Name: filepath.Base(path), Open: func(name string) ([]byte, error) {
		other := filepath.Join(filepath.Dir(path), name)
		if _, err := os.Stat(other); err != nil {
			return nil, fmt.Errorf("%w: its values are in %s, which does not lie beside it", segd.ErrUnprocessable, name)
		}
		return readFile(other)
	}}
}

// readMask reads a label: a mask, outlines or an RT Structure Set.
func (o *opened) readMask(b []byte, with scanio.Options) (err error) {
	switch kind := scanio.KindOf(b); {
	case kind == scanio.Unknown && shapes.Is(b):
		if o.shapes, err = shapes.Read(b); err != nil {
			return fmt.Errorf("train: label %s: %w", o.path, err)
		}
		return nil
	case kind == scanio.DICOM:
		if o.structures, err = dicomio.ReadRTStruct(b); !errors.Is(err, segd.ErrUnsupported) {
			if err != nil {
				return fmt.Errorf("train: label %s: %w", o.path, err)
			}
			return nil
		}
	}
	if o.labels, err = scanio.ReadLabelsWith(b, with); err != nil {
		return fmt.Errorf("train: mask %s: %w", o.path, err)
	}
	o.warnings = o.labels.Warnings
	if o.labels.Volume != nil {
		o.warnings = append(o.warnings, o.labels.Volume.Warnings()...)
	}
	return nil
}

// readFile reads a file if scanio would accept its size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("train: %w: %s is not a regular file", segd.ErrUnsupported, path)
	}
	if info.Size() > segd.MaxFile {
		return nil, fmt.Errorf("train: %w: %s has %d bytes, limit %d", segd.ErrTooLarge, path, info.Size(), segd.MaxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return b, nil
}

// tiffFrames counts the frames of a TIFF without decoding any.
func tiffFrames(path string) (int, error) {
	b, err := readFile(path)
	if err != nil {
		return 0, err
	}
	return scanio.Frames(b)
}

// opener returns the files that the cases of c's data set share.
func (c *Case) opener() *files {
	if c.files == nil {
		return &files{}
	}
	return c.files
}

// Where describes a frame of a file in words.
func (c *Case) Where(path string) string {
	if c.Frames > 1 {
		return fmt.Sprintf("%s, frame %d", path, c.Frame+1)
	}
	return path
}

// ReadMask reads the case's label. It keeps the values of the file, with two
// exceptions: nnU-Net's value for ignored pixels becomes metric.Ignore, and classes
// that other data number differently are renumbered.
func (c *Case) ReadMask() (*segd.Mask, error) {
	m, err := c.maskOf(c.Label)
	if err == nil {
		c.Meant(m.Pix)
	}
	return m, err
}

// Meant converts the stored values of the case's label into class indices.
func (c *Case) Meant(pix []uint8) {
	for i, v := range pix {
		if c.ignore > 0 && v == c.ignore {
			pix[i] = metric.Ignore
		}
	}
	c.renumber.Apply(pix)
}

// maskOf reads the mask of the case's frame from a file.
func (c *Case) maskOf(path string) (*segd.Mask, error) {
	o, err := c.opener().open(path, asMask)
	if err != nil {
		return nil, err
	}
	m, err := c.pick(o)
	if err != nil {
		return nil, fmt.Errorf("train: mask %s: %w", c.Where(path), err)
	}
	return m, nil
}

// pick selects the mask of the case's frame from labels. If image and labels both
// have a position in the patient, it selects by position, otherwise by frame number.
// Labels at another position are an orient.MatchError. A picture named after the
// frame belongs to that frame alone; other pictures have a page for each frame.
func (c *Case) pick(o *opened) (*segd.Mask, error) {
	l := o.labels
	switch {
	case l == nil && c.outlines == nil:
		return nil, fmt.Errorf("%w: outlines as a prediction, want masks", segd.ErrUnsupported)
	case o.shapes != nil:
		return c.drawn(o)
	case o.structures != nil:
		return c.outlined(o)
	}
	if l.SEG == nil && l.Volume == nil {
		if c.Frames > 1 {
			if image, err := c.opener().open(c.Image, asImage); err == nil && image.scan.Affine != nil {
				c.opener().note(notePictures, o.path)
			}
		}
		frame, err := c.page(o.path, l.Frames)
		if err != nil {
			return nil, err
		}
		m, err := l.Mask(frame)
		if err != nil {
			return nil, err
		}
		return c.stored(m)
	}
	image, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return nil, err
	}
	switch source := image.source; {
	case l.SEG != nil && source == nil:
		return c.segmented(o, image)
	case l.SEG != nil:
		return l.SEG.Mask(source, c.Frame)
	case source == nil || !source.Placed() || !l.Volume.Placed():
		return c.labelled(o, image)
	}
	origin, right, down, _ := image.source.FramePlane(c.Frame)
	for i := range 2 { // DICOM's axes point left and posterior, NIfTI's right and anterior
		origin[i], right[i], down[i] = -origin[i], -right[i], -down[i]
	}
	if mm := l.Volume.Beyond(image.scan.Width, image.scan.Height, origin, right, down); mm > 0 {
		return nil, &orient.MatchError{MM: mm, Cause: fmt.Sprintf("the image reaches up to %.3g mm beyond the volume of labels", mm)}
	}
	return l.Volume.LabelsAt(image.scan.Width, image.scan.Height, origin, right, down)
}

// stored returns the mask of a picture as the picture is stored. A mask of the size of
// the upright picture alone was drawn on that.
func (c *Case) stored(m *segd.Mask) (*segd.Mask, error) {
	image, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return m, nil // reading the image says why
	}
	scan := image.scan
	size := orient.Upright(scan.Orientation, scan.Width, scan.Height).Size()
	if m.Width == scan.Width && m.Height == scan.Height || m.Width != size[0] || m.Height != size[1] {
		return m, nil
	}
	return orient.StoredMask(scan.Orientation, m)
}

// page returns the page of a label picture that belongs to the case's frame.
func (c *Case) page(path string, pages int) (int, error) {
	own := c.Frames > 1 && (stemOf(path) == filepath.Base(c.ID) || stemOf(path) == frameID(stemOf(c.Image), c.Frame, c.Frames))
	switch want := max(1, c.Frames); {
	case own && pages == 1:
		return 0, nil
	case own:
		return 0, &CountError{fmt.Errorf("%w: %d masks for one frame", segd.ErrFormat, pages)}
	case pages != want:
		return 0, &CountError{fmt.Errorf("%w: %d masks for an image of %d frames, want one for each: a page each, or files named %s and so on", segd.ErrFormat, pages, want, frameID(stemOf(c.Image), 0, 2))}
	}
	return c.Frame, nil
}

// stemOf returns the name of a file without folder and extension.
func stemOf(path string) string {
	if stem := scanio.Stem(path); stem != path {
		return filepath.Base(stem)
	}
	if slices.Contains(shapes.Extensions, strings.ToLower(filepath.Ext(path))) {
		return filepath.Base(outlineStem(path))
	}
	return filepath.Base(path)
}

// CountError reports that an image and its labels differ in the number of frames.
type CountError struct{ error }

func (e *CountError) Unwrap() error { return e.error }
