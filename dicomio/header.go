package dicomio

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// wanted lists the elements that say what the pixels mean, and the VRs that
// their values may have in a file. No other element is ever read: none of
// them is about the patient, the study or the people and places involved.
var wanted = map[uint32]string{
	0x00080060: "CS",          // Modality
	0x00181164: "DS",          // ImagerPixelSpacing
	0x00182010: "DS",          // NominalScannedPixelSpacing
	0x00186012: "US",          // RegionSpatialFormat
	0x00186024: "US",          // PhysicalUnitsXDirection
	0x00186026: "US",          // PhysicalUnitsYDirection
	0x0018602c: "FD",          // PhysicalDeltaX
	0x0018602e: "FD",          // PhysicalDeltaY
	0x00280002: "US",          // SamplesPerPixel
	0x00280004: "CS",          // PhotometricInterpretation
	0x00280006: "US",          // PlanarConfiguration
	0x00280008: "IS",          // NumberOfFrames
	0x00280010: "US UL",       // Rows
	0x00280011: "US UL",       // Columns
	0x00280030: "DS FD FL",    // PixelSpacing
	0x00280100: "US",          // BitsAllocated
	0x00280101: "US",          // BitsStored
	0x00280102: "US",          // HighBit
	0x00280103: "US",          // PixelRepresentation
	0x00280120: "US SS",       // PixelPaddingValue
	0x00280121: "US SS",       // PixelPaddingRangeLimit
	0x00280122: "FL",          // FloatPixelPaddingValue
	0x00280123: "FD",          // DoubleFloatPixelPaddingValue
	0x00280124: "FL",          // FloatPixelPaddingRangeLimit
	0x00280125: "FD",          // DoubleFloatPixelPaddingRangeLimit
	0x00280301: "CS",          // BurnedInAnnotation
	0x00281050: "DS FD FL",    // WindowCenter
	0x00281051: "DS FD FL",    // WindowWidth
	0x00281052: "DS FD FL",    // RescaleIntercept
	0x00281053: "DS FD FL",    // RescaleSlope
	0x00281056: "CS",          // VOILUTFunction
	0x00281101: "US SS",       // RedPaletteColorLookupTableDescriptor
	0x00281102: "US SS",       // Green…
	0x00281103: "US SS",       // Blue…
	0x00281201: "OW US SS OB", // RedPaletteColorLookupTableData
	0x00281202: "OW US SS OB", // Green…
	0x00281203: "OW US SS OB", // Blue…
	0x00281221: "OW",          // SegmentedRedPaletteColorLookupTableData
	0x00281222: "OW",          // Segmented green…
	0x00281223: "OW",          // Segmented blue…
	0x00283002: "US SS",       // LUTDescriptor
	0x00283006: "US SS OW",    // LUTData
	0x20500020: "CS",          // PresentationLUTShape
}

// Sequences whose items are looked into.
const (
	tagRegions       = 0x00186011
	tagModalityLUT   = 0x00283000
	tagVOILUT        = 0x00283010
	tagSharedGroups  = 0x52009229
	tagPerFrame      = 0x52009230
	tagPixelMeasures = 0x00289110
	tagFrameVOI      = 0x00289132
	tagFrameRescale  = 0x00289145
)

// attributes are the decoded values of one data set or item, by tag: []int,
// []string, []float64 or []byte, as the library gives them.
type attributes map[uint32]any

// header holds the attributes of a file that concern its pixels.
type header struct {
	f        *file
	root     attributes
	shared   attributes   // of the shared functional groups
	perFrame []attributes // of the functional groups of each frame
	modality attributes   // the modality LUT; nil: none
	regions  []attributes // of an ultrasound image
	voiLUT   attributes   // the first VOI LUT; nil: none
	voi      *voi         // what it says
}

// reading collects elements, so that all of them are decoded by the library in
// one go.
type reading struct {
	f      *file
	out    bytes.Buffer // explicit VR, in the byte order of the file
	tags   []uint32
	owners []attributes
}

// readHeader decodes the wanted elements of f.
func readHeader(f *file) (*header, error) {
	h := &header{f: f, root: attributes{}}
	r := &reading{f: f}
	r.begin()
	if err := r.add(f.top, h.root); err != nil {
		return nil, err
	}
	for _, e := range f.top {
		items, err := f.sequence(e)
		if err != nil {
			return nil, err
		}
		for i, item := range items {
			switch e.tag {
			case tagModalityLUT:
				if i == 0 {
					h.modality = attributes{}
					err = r.add(item, h.modality)
				}
			case tagRegions:
				h.regions = append(h.regions, attributes{})
				err = r.add(item, h.regions[i])
			case tagVOILUT:
				if i == 0 {
					h.voiLUT = attributes{}
					err = r.add(item, h.voiLUT)
				}
			case tagSharedGroups:
				if i == 0 {
					h.shared, err = r.groups(item)
				}
			case tagPerFrame:
				var a attributes
				a, err = r.groups(item)
				h.perFrame = append(h.perFrame, a)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if err := r.decode(); err != nil {
		return nil, err
	}
	if len(h.modality) == 0 {
		h.modality = nil // some writers have a table all of whose elements are empty
	}
	return h, nil
}

// sequence returns the elements of each item of e, where e is one of the
// sequences that are looked into.
func (f *file) sequence(e element) ([][]element, error) {
	switch e.tag {
	case tagRegions, tagModalityLUT, tagVOILUT, tagSharedGroups, tagPerFrame, tagPixelMeasures, tagFrameVOI, tagFrameRescale:
	default:
		return nil, nil
	}
	return f.itemsOf(e)
}

// itemsOf returns the elements of each item of e, a sequence.
func (f *file) itemsOf(e element) ([][]element, error) {
	w := walker{b: f.b, order: f.order, implicit: f.implicit, limit: maxElements}
	if e.vr == "UN" || e.unnamed {
		w.order, w.implicit = binary.LittleEndian, true
		e.unnamed = true
	} else if e.vr != "SQ" {
		return nil, malformed("element %s has VR %s, want SQ", name(e.tag), e.vr)
	}
	var items [][]element
	for p := e.value; e.end-p >= itemHeader && w.tag(p) == tagItem; {
		end, delimiter := e.end, uint32(tagItemEnd)
		if length := w.order.Uint32(w.b[p+4:]); length != undefined {
			if int64(length) > int64(e.end-p-itemHeader) {
				return nil, malformed("truncated: an item of %s", name(e.tag))
			}
			end, delimiter = p+itemHeader+int(length), 0
		}
		w.top = nil
		next, err := w.walk(p+itemHeader, end, delimiter, 0)
		if err != nil {
			return nil, err
		}
		for i := range w.top {
			w.top[i].unnamed = e.unnamed
		}
		items = append(items, w.top)
		p = next
	}
	return items, nil
}

// groups collects the functional groups of one item (PS3.3 C.7.6.16).
func (r *reading) groups(item []element) (attributes, error) {
	a := attributes{}
	for _, e := range item {
		if e.tag != tagPixelMeasures && e.tag != tagFrameVOI && e.tag != tagFrameRescale {
			continue
		}
		macro, err := r.f.sequence(e)
		if err != nil {
			return nil, err
		}
		if len(macro) == 0 {
			continue
		}
		if err := r.add(macro[0], a); err != nil {
			return nil, err
		}
		// A table for each frame can be as large as the frames: it is left
		// where it is until its frame is asked for.
		if i := slices.IndexFunc(macro[0], func(e element) bool { return e.tag == tagVOILUT }); i >= 0 {
			a[tagVOILUT] = macro[0][i]
		}
	}
	return a, nil
}

// frameVOI returns the VOI LUT of the innermost of the functional groups in
// sets, whose input is what g gives; nil where it is damaged. ok says that
// there is one, and that no window is further in.
func (h *header) frameVOI(l *layout, g *grading, sets []attributes) (v *voi, ok bool, err error) {
	for _, a := range sets {
		e, found := a[tagVOILUT].(element)
		if !found {
			if a[tagCenter] != nil {
				return nil, false, nil
			}
			continue
		}
		items, err := h.f.sequence(e)
		if err != nil || len(items) == 0 {
			return nil, false, err
		}
		lut, r := attributes{}, &reading{f: h.f}
		r.begin()
		if err := r.add(items[0], lut); err != nil {
			return nil, false, err
		}
		if err := r.decode(); err != nil {
			return nil, false, err
		}
		return readVOI(lut, l, g), true, nil
	}
	return nil, false, nil
}
