package dicomio

import (
	"bytes"
	"encoding/binary"
	"slices"

	"segd/dicomio/tag"
)

// wanted lists the elements that give the pixels their meaning, and the VRs that
// they may have. The package reads no other element of an image: none of these
// concerns the patient, the study, or the people and places involved.
var wanted = map[uint32]string{
	tag.Modality:                                  "CS",
	tag.ImagerPixelSpacing:                        "DS",
	tag.NominalScannedPixelSpacing:                "DS",
	tag.RegionSpatialFormat:                       "US",
	tag.PhysicalUnitsXDirection:                   "US",
	tag.PhysicalUnitsYDirection:                   "US",
	tag.PhysicalDeltaX:                            "FD",
	tag.PhysicalDeltaY:                            "FD",
	tag.SamplesPerPixel:                           "US",
	tag.PhotometricInterpretation:                 "CS",
	tag.PlanarConfiguration:                       "US",
	tag.NumberOfFrames:                            "IS",
	tag.Rows:                                      "US UL",
	tag.Columns:                                   "US UL",
	tag.PixelSpacing:                              "DS FD FL",
	tag.BitsAllocated:                             "US",
	tag.BitsStored:                                "US",
	tag.HighBit:                                   "US",
	tag.PixelRepresentation:                       "US",
	tag.PixelPaddingValue:                         "US SS",
	tag.PixelPaddingRangeLimit:                    "US SS",
	tag.FloatPixelPaddingValue:                    "FL",
	tag.DoubleFloatPixelPaddingValue:              "FD",
	tag.FloatPixelPaddingRangeLimit:               "FL",
	tag.DoubleFloatPixelPaddingRangeLimit:         "FD",
	tag.BurnedInAnnotation:                        "CS",
	tag.WindowCenter:                              "DS FD FL",
	tag.WindowWidth:                               "DS FD FL",
	tag.RescaleIntercept:                          "DS FD FL",
	tag.RescaleSlope:                              "DS FD FL",
	tag.VOILUTFunction:                            "CS",
	tag.RedPaletteColorLookupTableDescriptor:      "US SS",
	tag.GreenPaletteColorLookupTableDescriptor:    "US SS",
	tag.BluePaletteColorLookupTableDescriptor:     "US SS",
	tag.RedPaletteColorLookupTableData:            "OW US SS OB",
	tag.GreenPaletteColorLookupTableData:          "OW US SS OB",
	tag.BluePaletteColorLookupTableData:           "OW US SS OB",
	tag.SegmentedRedPaletteColorLookupTableData:   "OW",
	tag.SegmentedGreenPaletteColorLookupTableData: "OW",
	tag.SegmentedBluePaletteColorLookupTableData:  "OW",
	tag.LUTDescriptor:                             "US SS",
	tag.LUTData:                                   "US SS OW",
	tag.PresentationLUTShape:                      "CS",
}

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

// reading collects elements, so that the library decodes them all at once.
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
			case tag.ModalityLUTSequence:
				if i == 0 {
					h.modality = attributes{}
					err = r.add(item, h.modality)
				}
			case tag.SequenceOfUltrasoundRegions:
				h.regions = append(h.regions, attributes{})
				err = r.add(item, h.regions[i])
			case tag.VOILUTSequence:
				if i == 0 {
					h.voiLUT = attributes{}
					err = r.add(item, h.voiLUT)
				}
			case tag.SharedFunctionalGroupsSequence:
				if i == 0 {
					h.shared, err = r.groups(item)
				}
			case tag.PerFrameFunctionalGroupsSequence:
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
		h.modality = nil // some writers add a table whose elements are all empty
	}
	return h, nil
}

// sequence returns the elements of each item of e if e is one of the sequences
// that are read; otherwise nil.
func (f *file) sequence(e element) ([][]element, error) {
	switch e.tag {
	case tag.SequenceOfUltrasoundRegions, tag.ModalityLUTSequence, tag.VOILUTSequence,
		tag.SharedFunctionalGroupsSequence, tag.PerFrameFunctionalGroupsSequence,
		tag.PixelMeasuresSequence, tag.FrameVOILUTSequence, tag.PixelValueTransformationSequence:
	default:
		return nil, nil
	}
	return f.itemsOf(e)
}

// itemsOf returns the elements of each item of the sequence e.
func (f *file) itemsOf(e element) ([][]element, error) {
	w := walker{b: f.b, order: f.order, implicit: f.implicit, limit: maxElements}
	if e.vr == "UN" || e.unnamed {
		w.order, w.implicit = binary.LittleEndian, true
		e.unnamed = true
	} else if e.vr != "SQ" {
		return nil, malformed("element %s has VR %s, want SQ", name(e.tag), e.vr)
	}
	var items [][]element
	for p := e.value; e.end-p >= itemHeader && w.tag(p) == tag.Item; {
		end, delimiter := e.end, uint32(tag.ItemDelimitationItem)
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
		if e.tag != tag.PixelMeasuresSequence && e.tag != tag.FrameVOILUTSequence && e.tag != tag.PixelValueTransformationSequence {
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
		// Tables of single frames can be as large as the frames, so they are
		// decoded only with their frame.
		if i := slices.IndexFunc(macro[0], func(e element) bool { return e.tag == tag.VOILUTSequence }); i >= 0 {
			a[tag.VOILUTSequence] = macro[0][i]
		}
	}
	return a, nil
}

// frameVOI returns the VOI LUT of the innermost functional group in sets, for
// input graded by g; nil if it is damaged. ok is false if there is none, or if a
// window lies further in.
func (h *header) frameVOI(l *layout, g *grading, sets []attributes) (v *voi, ok bool, err error) {
	for _, a := range sets {
		e, found := a[tag.VOILUTSequence].(element)
		if !found {
			if a[tag.WindowCenter] != nil {
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
