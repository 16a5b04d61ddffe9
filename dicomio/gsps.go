package dicomio

import (
	"fmt"
	"io"
	"strings"

	"segd/internal/outline"
)

// GSPS is a softcopy presentation state in the making: it has a viewer draw the
// outlines of the classes on the images, a layer for each class. Of grey images
// it is a Grayscale Softcopy Presentation State (PS3.3 A.33.1), and of images in
// colour or with a palette a Color one (A.33.2), which says by an ICC profile
// what their colours mean in place of how they are graded. Outlines follow the
// edges of pixels. It is not safe for concurrent use.
type GSPS struct {
	contours
	kind objectKind
}

// NewGSPS returns a presentation state without outlines; AddMask adds them. The
// error is segd.ErrUnprocessable where some sources are grey and some are not, or
// a source's photometric interpretation is unknown.
func NewGSPS(o Origin) (*GSPS, error) {
	c, err := newContours(o)
	if err != nil {
		return nil, err
	}
	g := &GSPS{contours: c}
	for _, s := range o.Sources {
		k := kindGSPS
		switch p := s.image.text(tagPhotometric); {
		case p == "MONOCHROME1" || p == "MONOCHROME2":
		case p == "RGB" || p == "PALETTE COLOR" || strings.HasPrefix(p, "YBR_"):
			k = kindCSPS
		default:
			return nil, unprocessable("a presentation state of an image that is not known to be grey or in colour, by %s", name(tagPhotometric))
		}
		if g.kind != (objectKind{}) && g.kind != k {
			return nil, unprocessable("a presentation state of grey images and of images in colour")
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
	d.setInts(0x00200013, o.number())    // InstanceNumber
	d.setContent(0x00700082, 0x00700083) // PresentationCreationDate, -Time
	d.setLabel("OUTLINES", d.text(0x0008103e))
	d.setSide(o.Sources[0])
	var series, images []dataset
	for _, s := range o.referenceSeries() {
		x := dataset{}
		x[tagSeriesUID] = s[tagSeriesUID]
		x.setItems(0x00081140, s[0x0008114a].items...) // ReferencedImageSequence
		images = append(images, s[0x0008114a].items...)
		series = append(series, x)
	}
	d.setItems(0x00081115, series...) // ReferencedSeriesSequence
	d.setItems(0x0070005a, o.area(images))
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
		layer.set(0x00700002, layerName(k))           // GraphicLayer
		layer.setInts(0x00700062, k+1)                // GraphicLayerOrder
		layer.set(0x00700068, shorten(c.Name, 64))    // GraphicLayerDescription
		layer.setInts(0x00700401, cieLab(c.Color)...) // GraphicLayerRecommendedDisplayCIELabValue
		layers = append(layers, layer)
	}
	if layers != nil {
		d.setItems(0x00700001, annotations...) // GraphicAnnotationSequence
		d.setItems(0x00700060, layers...)      // GraphicLayerSequence
	}
	return d.write(w, 0, nil)
}

func layerName(k int) string { return fmt.Sprintf("CLASS %d", k+1) }

// area shows the whole of every image (PS3.3 C.10.4).
func (o *Origin) area(images []dataset) dataset {
	s := o.Sources[0]
	d := dataset{}
	d.setItems(0x00081140, images...)     // ReferencedImageSequence
	d.setInts(0x00700052, 1, 1)           // DisplayedAreaTopLeftHandCorner
	d.setInts(0x00700053, s.cols, s.rows) // DisplayedAreaBottomRightHandCorner
	d.set(0x00700100, "SCALE TO FIT")     // PresentationSizeMode
	switch {
	case s.Placed():
		d.set(0x00700101, s.planes[0].spacing) // PresentationPixelSpacing
	case s.image.has(0x00280034):
		d.set(0x00700102, s.image.text(0x00280034)) // PresentationPixelAspectRatio
	default:
		d.setInts(0x00700102, 1, 1)
	}
	return d
}

// setGrading puts how the images are graded (PS3.3 C.11.1, C.11.8 and C.11.6),
// as they say themselves: the state takes the place of all of it.
func (g *GSPS) setGrading(d *object) {
	s := g.origin.Sources[0]
	find := func(group, tag uint32) (field, bool) {
		for _, in := range []dataset{s.image, s.image.first(tagSharedGroups).first(group), firstOf(s.image[tagPerFrame].items).first(group)} {
			if in.has(tag) {
				return in[tag], true
			}
		}
		return field{}, false
	}
	if lut, ok := s.image[tagModalityLUT]; ok && firstOf(lut.items).has(tagLUTDescriptor) {
		d.dataset[tagModalityLUT] = lut
	} else if slope, ok := find(tagFrameRescale, tagSlope); ok {
		d.dataset[tagSlope] = slope
		d.set(tagIntercept, "0")
		if f, ok := find(tagFrameRescale, tagIntercept); ok {
			d.dataset[tagIntercept] = f
		}
		d.set(0x00281054, "US") // RescaleType: unspecified
		if f, ok := find(tagFrameRescale, 0x00281054); ok && strings.TrimSpace(string(f.b)) == "HU" {
			d.dataset[0x00281054] = f // the one term that all versions of the standard have
		}
	}
	if lut, ok := find(tagFrameVOI, tagVOILUT); ok && firstOf(lut.items).has(tagLUTDescriptor) { // goes before a window
		d.setItems(0x00283110, dataset{tagVOILUT: {vr: "SQ", items: lut.items[:1]}}) // SoftcopyVOILUTSequence
	}
	center, ok1 := find(tagFrameVOI, tagCenter)
	width, ok2 := find(tagFrameVOI, tagWidth)
	if _, ok := d.dataset[0x00283110]; !ok && ok1 && ok2 {
		voi := dataset{tagCenter: center, tagWidth: width}
		if f, ok := find(tagFrameVOI, tagVOIFunction); ok {
			voi[tagVOIFunction] = f
		}
		d.setItems(0x00283110, voi) // SoftcopyVOILUTSequence
	}
	shape := "IDENTITY"
	if s.image.text(tagPhotometric) == "MONOCHROME1" || s.image.text(tagLUTShape) == "INVERSE" {
		shape = "INVERSE"
	}
	d.set(tagLUTShape, shape)
}

func firstOf(items []dataset) dataset {
	if len(items) == 0 {
		return nil
	}
	return items[0]
}

// annotations draws class k+1 in each frame that has some of it.
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
		a.setItems(0x00081140, g.origin.Sources[f.source].reference(f.frame)) // ReferencedImageSequence
		a.set(0x00700002, layerName(k))                                       // GraphicLayer
		a.setItems(0x00700009, graphics...)                                   // GraphicObjectSequence
		out = append(out, a)
	}
	return out
}

// maxPoints keeps graphic data below the 64 KiB of a value in explicit VR.
const maxPoints = 8000

// polylines draws a ring: as one closed line or, where it has more than
// maxPoints, as several that join. The corner of the first pixel is 0\0 (PS3.3
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
		d.set(0x00700005, "PIXEL")         // GraphicAnnotationUnits
		d.setInts(0x00700020, 2)           // GraphicDimensions
		d.setInts(0x00700021, n)           // NumberOfGraphicPoints
		d.setFloats(0x00700022, values...) // GraphicData
		d.set(0x00700023, "POLYLINE")      // GraphicType
		d.set(0x00700024, "N")             // GraphicFilled
		out = append(out, d)
		closed = closed[n-1:]
	}
	return out
}
