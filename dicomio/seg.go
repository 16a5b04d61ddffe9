package dicomio

import (
	"bufio"
	"fmt"
	"io"

	"segd"
	"segd/dicomio/tag"
)

// SEG builds a DICOM Segmentation (PS3.3 A.51): a segment for each class except
// the background and, for each segment, a frame for every source frame added.
//
// If all sources are Placed, the object has their frame of reference. Otherwise,
// as for CR, DX, MG, US and Secondary Capture, it has no frame of reference,
// position, orientation or spacing, and each frame refers to the image whose
// pixels it covers. A frame without any pixel of a class is written too: it
// records that the model looked.
//
// SEG keeps masks as one bit for each pixel and class, and probabilities as one
// byte; empty frames take no memory. It orders the slices of a series by
// position, whatever order they are added in. A SEG is not safe for concurrent
// use.
type SEG struct {
	origin     Origin
	kind       objectKind
	uid        string
	fractional bool
	frames     []segFrame
	held       int // bytes of planes
}

// segFrame is one source frame with what each class marks in it.
type segFrame struct {
	source, frame int
	planes        [][]byte // by class-1; nil: empty
}

// NewSEG returns a BINARY segmentation without frames; AddMask adds them. The
// error is segd.ErrUnprocessable if o lacks sources or classes, or the sources
// do not belong together.
func NewSEG(o Origin) (*SEG, error) { return newSEG(o, false) }

// NewFractionalSEG returns a FRACTIONAL segmentation of probabilities in steps
// of 1/255, without frames; AddProbabilities adds them.
func NewFractionalSEG(o Origin) (*SEG, error) { return newSEG(o, true) }

func newSEG(o Origin, fractional bool) (*SEG, error) {
	if err := checkSources(o.Sources); err != nil {
		return nil, err
	}
	if len(o.Classes) < 2 {
		return nil, unprocessable("%d classes, want the background and at least one more", len(o.Classes))
	}
	k := kindSEG
	if fractional {
		k = kindSEGProb
	}
	return &SEG{origin: o, kind: k, uid: o.instance(k, ""), fractional: fractional}, nil
}

// AddMask adds the pixels that m marks. frame counts from 0; source is an index
// of Origin.Sources. m must have the size of the source and is not kept. Classes
// beyond Origin.Classes are ignored. The error is segd.ErrTooLarge if the object
// exceeds 512 MiB.
func (s *SEG) AddMask(source, frame int, m *segd.Mask) error {
	if err := s.fits(source, frame, m.Width, m.Height); err != nil {
		return err
	}
	if s.fractional {
		return unprocessable("a mask cannot be added to a segmentation of probabilities")
	}
	f := segFrame{source: source, frame: frame, planes: make([][]byte, len(s.origin.Classes)-1)}
	for i, k := range m.Pix {
		if k == 0 || int(k) > len(f.planes) {
			continue
		}
		p := &f.planes[k-1]
		if *p == nil {
			*p = make([]byte, (len(m.Pix)+7)/8)
		}
		(*p)[i>>3] |= 1 << (i & 7)
	}
	return s.add(f)
}

// AddProbabilities adds the probabilities p, [1, classes, H, W] in 0..1, of a
// frame, rounded to multiples of 1/255. See AddMask for the rest.
func (s *SEG) AddProbabilities(source, frame int, p *segd.Tensor) error {
	if err := s.fits(source, frame, p.W, p.H); err != nil {
		return err
	}
	if !s.fractional || p.N != 1 || p.C != len(s.origin.Classes) {
		return unprocessable("probabilities of %d images and %d classes, want 1 and %d, and a segmentation from NewFractionalSEG", p.N, p.C, len(s.origin.Classes))
	}
	f := segFrame{source: source, frame: frame, planes: make([][]byte, p.C-1)}
	for k := range f.planes {
		plane, some := make([]byte, p.H*p.W), false
		for i, v := range p.Plane(0, k+1) {
			b := byte(min(max(v, 0), 1)*255 + 0.5)
			plane[i] = b
			some = some || b != 0
		}
		if some {
			f.planes[k] = plane
		}
	}
	return s.add(f)
}

// add keeps f, unless the object becomes too large to decode.
func (s *SEG) add(f segFrame) error {
	for _, p := range f.planes {
		s.held += len(p)
	}
	if s.held > maxDecoded {
		return fmt.Errorf("dicomio: %w: a segmentation with more than %d bytes of pixels", segd.ErrTooLarge, maxDecoded)
	}
	s.frames = append(s.frames, f)
	return nil
}

func (s *SEG) fits(source, frame, width, height int) error {
	if source < 0 || source >= len(s.origin.Sources) {
		return fmt.Errorf("dicomio: %w: source %d of %d", segd.ErrNotFound, source+1, len(s.origin.Sources))
	}
	return s.origin.Sources[source].fits(frame, width, height)
}

// Write writes the object as a DICOM file in explicit VR little endian. The
// error is segd.ErrUnprocessable without frames, segd.ErrTooLarge beyond the
// limits of a DICOM file, or that of w.
func (s *SEG) Write(w io.Writer) error {
	if len(s.frames) == 0 {
		return unprocessable("a segmentation without frames")
	}
	s.sort()
	d, err := s.origin.begin(s.kind, s.uid)
	if err != nil {
		return err
	}
	first := s.origin.Sources[0]
	segments := len(s.origin.Classes) - 1
	n := segments * len(s.frames)
	if n > 1<<24 {
		return fmt.Errorf("dicomio: %w: %d frames of segments, limit %d", segd.ErrTooLarge, n, 1<<24)
	}
	d.set(tag.ImageType, "DERIVED", "PRIMARY")
	d.setInts(tag.InstanceNumber, s.origin.number())
	d.setContent(tag.ContentDate, tag.ContentTime)
	d.setLabel("SEGMENTATION", d.text(tag.SeriesDescription))
	d.setLossy(first)
	d.set(tag.BurnedInAnnotation, "NO")
	d.setItems(tag.ReferencedSeriesSequence, s.origin.referenceSeries()...)
	s.setPixels(d, n)
	var list []dataset
	for _, c := range s.origin.Classes[1:] {
		list = append(list, s.origin.segment(c))
	}
	d.setItems(tag.SegmentSequence, list...)
	if s.placed() {
		d.setFrameOfReference(first)
	} else {
		d.set(tag.PatientOrientation, first.image.text(tag.PatientOrientation))
	}
	s.setGroups(d)
	return d.write(w, s.size(), s.writePixels)
}

// placed reports whether the object has a frame of reference.
func (s *SEG) placed() bool {
	for _, source := range s.origin.Sources {
		if !source.Placed() {
			return false
		}
	}
	return true
}

// setPixels sets the image pixel and segmentation image modules (PS3.3 C.7.6.3
// and C.8.20.2).
func (s *SEG) setPixels(d *object, frames int) {
	source := s.origin.Sources[0]
	d.setInts(tag.SamplesPerPixel, 1)
	d.set(tag.PhotometricInterpretation, "MONOCHROME2")
	d.setInts(tag.NumberOfFrames, frames)
	d.setInts(tag.Rows, source.rows)
	d.setInts(tag.Columns, source.cols)
	d.setInts(tag.PixelRepresentation, 0)
	d.set(tag.SegmentsOverlap, "NO")
	if s.fractional {
		if len(s.origin.Classes) > 2 {
			d.set(tag.SegmentsOverlap, "YES")
		}
		d.setInts(tag.BitsAllocated, 8)
		d.setInts(tag.BitsStored, 8)
		d.setInts(tag.HighBit, 7)
		d.set(tag.SegmentationType, "FRACTIONAL")
		d.set(tag.SegmentationFractionalType, "PROBABILITY")
		d.setInts(tag.MaximumFractionalValue, 255)
		return
	}
	d.setInts(tag.BitsAllocated, 1)
	d.setInts(tag.BitsStored, 1)
	d.setInts(tag.HighBit, 0)
	d.set(tag.SegmentationType, "BINARY")
}

// segment describes a class (PS3.3 C.8.20.4).
func (o *Origin) segment(c segd.Class) dataset {
	d := dataset{}
	category, kind := property(c)
	d.setInts(tag.SegmentNumber, c.Index)
	d.set(tag.SegmentLabel, shorten(c.Name, 64))
	d.set(tag.SegmentAlgorithmType, "AUTOMATIC")
	d.set(tag.SegmentAlgorithmName, o.title())
	d.setCode(tag.SegmentedPropertyCategoryCodeSequence, category)
	d.setCode(tag.SegmentedPropertyTypeCodeSequence, kind)
	d.setInts(tag.RecommendedDisplayCIELabValue, cieLab(c.Color)...)
	a := dataset{}
	a.setCode(tag.AlgorithmFamilyCodeSequence, codeArtificialIntelligence)
	a.set(tag.AlgorithmName, o.title())
	a.set(tag.AlgorithmVersion, shorten(o.Version, 64))
	d.setItems(tag.SegmentationAlgorithmIdentificationSequence, a)
	return d
}

// size returns the number of bytes of pixels.
func (s *SEG) size() int64 {
	source := s.origin.Sources[0]
	n := int64(len(s.origin.Classes)-1) * int64(len(s.frames)) * int64(source.rows) * int64(source.cols)
	if s.fractional {
		return n
	}
	return (n + 7) / 8
}

// writePixels writes the frames, segment by segment. Bits fill a byte from the
// lowest, without gaps between frames (PS3.5 8.1.1).
func (s *SEG) writePixels(w io.Writer) error {
	source := s.origin.Sources[0]
	pixels := source.rows * source.cols
	b := bufio.NewWriterSize(w, 64<<10)
	var held uint16 // bits that do not fill a byte yet
	var bits int
	for k := range len(s.origin.Classes) - 1 {
		for _, f := range s.frames {
			plane := f.planes[k]
			if s.fractional {
				if plane == nil {
					plane = make([]byte, pixels)
				}
				if _, err := b.Write(plane); err != nil {
					return err
				}
				continue
			}
			for i := 0; i < pixels; i += 8 {
				n := min(8, pixels-i)
				if plane != nil {
					held |= uint16(plane[i>>3]) << bits
				}
				if bits += n; bits >= 8 {
					if err := b.WriteByte(byte(held)); err != nil {
						return err
					}
					held, bits = held>>8, bits-8
				}
			}
		}
	}
	if bits > 0 {
		if err := b.WriteByte(byte(held)); err != nil {
			return err
		}
	}
	return b.Flush()
}
