package dicomio

import (
	"fmt"
	"io"
	"strings"

	"segd/dicomio/tag"
	"segd/internal/outline"
)

// GSPS builds a softcopy presentation state, which makes a viewer draw the
// outlines of the classes on the images, one layer for each class. For grey
// images it is a Grayscale Softcopy Presentation State (PS3.3 A.33.1). For
// images in colour or with a palette it is a Color one (A.33.2), which has an
// ICC profile in place of the grading. Outlines follow the edges of pixels. A
// GSPS is not safe for concurrent use.
type GSPS struct {
	contours
	kind objectKind
}

// NewGSPS returns a presentation state without outlines; AddMask adds them. The
// error is segd.ErrUnprocessable if the sources mix grey and colour, or if a
// photometric interpretation is unknown.
func NewGSPS(o Origin) (*GSPS, error) {
	c, err := newContours(o)
	if err != nil {
		return nil, err
	}
	g := &GSPS{contours: c}
	for _, s := range o.Sources {
		k := kindGSPS
		switch p := s.image.text(tag.PhotometricInterpretation); {
		case p == "MONOCHROME1" || p == "MONOCHROME2":
		case p == "RGB" || p == "PALETTE COLOR" || strings.HasPrefix(p, "YBR_"):
			k = kindCSPS
		default:
			return nil, unprocessable("a presentation state needs images that are known to be grey or in colour: %s has an unknown value", name(tag.PhotometricInterpretation))
		}
		if g.kind != (objectKind{}) && g.kind != k {
			return nil, unprocessable("a presentation state cannot hold both grey and colour images")
		}
		g.kind = k
	}
	return g, nil
}

// Write writes the object as a DICOM file in explicit VR little endian. Errors
// are those of w.
func (g *GSPS) Write(w io.Writer) error {
	o := g.origin
	d, err := o.begin(g.kind, o.instance(g.kind, ""))
	if err != nil {
		return err
	}
	d.setInts(tag.InstanceNumber, o.number())
	d.setContent(tag.PresentationCreationDate, tag.PresentationCreationTime)
	d.setLabel("OUTLINES", d.text(tag.SeriesDescription))
	d.setSide(o.Sources[0])
	var series, images []dataset
	for _, s := range o.referenceSeries() {
		x := dataset{}
		x[tag.SeriesInstanceUID] = s[tag.SeriesInstanceUID]
		x.setItems(tag.ReferencedImageSequence, s[tag.ReferencedInstanceSequence].items...)
		images = append(images, s[tag.ReferencedInstanceSequence].items...)
		series = append(series, x)
	}
	d.setItems(tag.ReferencedSeriesSequence, series...)
	d.setItems(tag.DisplayedAreaSelectionSequence, o.area(images))
	if g.kind == kindCSPS {
		d.setProfile(o.Sources[0])
	} else {
		g.setGrading(d)
	}
	var layers, annotations []dataset
	for k, c := range o.Classes[1:] {
		items := g.annotations(k)
		if items == nil {
			continue
		}
		annotations = append(annotations, items...)
		layer := dataset{}
		layer.set(tag.GraphicLayer, layerName(k))
		layer.setInts(tag.GraphicLayerOrder, k+1)
		layer.set(tag.GraphicLayerDescription, shorten(c.Name, 64))
		layer.setInts(tag.GraphicLayerRecommendedDisplayCIELabValue, cieLab(c.Color)...)
		layers = append(layers, layer)
	}
	if layers != nil {
		d.setItems(tag.GraphicAnnotationSequence, annotations...)
		d.setItems(tag.GraphicLayerSequence, layers...)
	}
	return d.write(w, 0, nil)
}

func layerName(k int) string { return fmt.Sprintf("CLASS %d", k+1) }

// area is the item that shows every image in full (PS3.3 C.10.4).
func (o *Origin) area(images []dataset) dataset {
	s := o.Sources[0]
	d := dataset{}
	d.setItems(tag.ReferencedImageSequence, images...)
	d.setInts(tag.DisplayedAreaTopLeftHandCorner, 1, 1)
	d.setInts(tag.DisplayedAreaBottomRightHandCorner, s.cols, s.rows)
	d.set(tag.PresentationSizeMode, "SCALE TO FIT")
	switch {
	case s.Placed():
		d.set(tag.PresentationPixelSpacing, s.planes[0].spacing)
	case s.image.has(tag.PixelAspectRatio):
		d.set(tag.PresentationPixelAspectRatio, s.image.text(tag.PixelAspectRatio))
	default:
		d.setInts(tag.PresentationPixelAspectRatio, 1, 1)
	}
	return d
}

// setGrading sets the grading (PS3.3 C.11.1, C.11.8 and C.11.6). It repeats that
// of the images, because the state overrides it.
func (g *GSPS) setGrading(d *object) {
	s := g.origin.Sources[0]
	find := func(group, t uint32) (field, bool) {
		shared, frame := s.image.first(tag.SharedFunctionalGroupsSequence), s.image.first(tag.PerFrameFunctionalGroupsSequence)
		for _, in := range []dataset{s.image, shared.first(group), frame.first(group)} {
			if in.has(t) {
				return in[t], true
			}
		}
		return field{}, false
	}
	if lut, ok := s.image[tag.ModalityLUTSequence]; ok && firstOf(lut.items).has(tag.LUTDescriptor) {
		d.dataset[tag.ModalityLUTSequence] = lut
	} else if slope, ok := find(tag.PixelValueTransformationSequence, tag.RescaleSlope); ok {
		d.dataset[tag.RescaleSlope] = slope
		d.set(tag.RescaleIntercept, "0")
		if f, ok := find(tag.PixelValueTransformationSequence, tag.RescaleIntercept); ok {
			d.dataset[tag.RescaleIntercept] = f
		}
		d.set(tag.RescaleType, "US") // unspecified
		if f, ok := find(tag.PixelValueTransformationSequence, tag.RescaleType); ok && strings.TrimSpace(string(f.b)) == "HU" {
			d.dataset[tag.RescaleType] = f // the only term in all versions of the standard
		}
	}
	if lut, ok := find(tag.FrameVOILUTSequence, tag.VOILUTSequence); ok && firstOf(lut.items).has(tag.LUTDescriptor) { // takes precedence over a window
		d.setItems(tag.SoftcopyVOILUTSequence, dataset{tag.VOILUTSequence: {vr: "SQ", items: lut.items[:1]}})
	}
	center, ok1 := find(tag.FrameVOILUTSequence, tag.WindowCenter)
	width, ok2 := find(tag.FrameVOILUTSequence, tag.WindowWidth)
	if _, ok := d.dataset[tag.SoftcopyVOILUTSequence]; !ok && ok1 && ok2 {
		voi := dataset{tag.WindowCenter: center, tag.WindowWidth: width}
		if f, ok := find(tag.FrameVOILUTSequence, tag.VOILUTFunction); ok {
			voi[tag.VOILUTFunction] = f
		}
		d.setItems(tag.SoftcopyVOILUTSequence, voi)
	}
	shape := "IDENTITY"
	if s.image.text(tag.PhotometricInterpretation) == "MONOCHROME1" || s.image.text(tag.PresentationLUTShape) == "INVERSE" {
		shape = "INVERSE"
	}
	d.set(tag.PresentationLUTShape, shape)
}

func firstOf(items []dataset) dataset {
	if len(items) == 0 {
		return nil
	}
	return items[0]
}

// annotations draws class k+1 in each frame that contains it.
func (g *GSPS) annotations(k int) []dataset {
	var out []dataset
	for _, f := range g.frames {
		var graphics []dataset
		for _, p := range f.polygons[k] {
			graphics = append(graphics, polylines(p.Outer)...)
			for _, h := range p.Holes {
				graphics = append(graphics, polylines(h)...)
			}
		}
		if graphics == nil {
			continue
		}
		a := dataset{}
		a.setItems(tag.ReferencedImageSequence, g.origin.Sources[f.source].reference(f.frame))
		a.set(tag.GraphicLayer, layerName(k))
		a.setItems(tag.GraphicObjectSequence, graphics...)
		out = append(out, a)
	}
	return out
}

// maxPoints keeps graphic data below 64 KiB, the limit of a value in explicit
// VR.
const maxPoints = 8000

// polylines draws a ring as one closed line or, with more than maxPoints points,
// as several that join. The corner of the first pixel is at 0\0 (PS3.3
// C.10.5.1.2).
func polylines(r outline.Ring) []dataset {
	closed := append(append(outline.Ring{}, r...), r[0])
	var out []dataset
	for len(closed) > 1 {
		n := min(len(closed), maxPoints)
		values := make([]float64, 0, 2*n)
		for _, p := range closed[:n] {
			values = append(values, p.X, p.Y)
		}
		d := dataset{}
		d.set(tag.GraphicAnnotationUnits, "PIXEL")
		d.setInts(tag.GraphicDimensions, 2)
		d.setInts(tag.NumberOfGraphicPoints, n)
		d.setFloats(tag.GraphicData, values...)
		d.set(tag.GraphicType, "POLYLINE")
		d.set(tag.GraphicFilled, "N")
		out = append(out, d)
		closed = closed[n-1:]
	}
	return out
}
