package dicomio

// Dimensions of a segmentation: what the position of a frame in each means,
// and the functional group that holds it.
var (
	dimensionSegment  = dimension{0x0062000b, 0x0062000a, "Segment"}         // ReferencedSegmentNumber
	dimensionPosition = dimension{tagPosition, tagPlanePosition, "Position"} // ImagePositionPatient
	dimensionTime     = dimension{0x00209128, 0x00209111, "Time"}            // TemporalPositionIndex
	dimensionStack    = dimension{0x00209056, 0x00209111, "Stack"}           // StackID
	dimensionFrame    = dimension{0x00209057, 0x00209111, "Frame"}           // InStackPositionNumber
)

type dimension struct {
	pointer, group uint32
	label          string
}

// setGroups puts the multi-frame dimensions and the functional groups (PS3.3
// C.7.6.16 and C.7.6.17).
//
// Placed frames are ordered by segment and position and, where several lie at
// one position, by time; others by segment and their order in the sources.
func (s *SEG) setGroups(d *object) {
	planes := make([]*plane, len(s.frames))
	var position, repeat []int
	shared := dataset{}
	oneOrientation, oneMeasure := true, true
	dimensions := []dimension{dimensionSegment, dimensionStack, dimensionFrame}
	if s.placed() {
		for i, f := range s.frames {
			planes[i] = &s.origin.Sources[f.source].planes[f.frame]
		}
		settleThickness(planes)
		for i := range planes {
			oneOrientation = oneOrientation && planes[i].orientation == planes[0].orientation
			oneMeasure = oneMeasure && planes[i].spacing == planes[0].spacing && planes[i].thickness == planes[0].thickness && planes[i].between == planes[0].between
		}
		position, repeat = positionIndexes(planes)
		dimensions = []dimension{dimensionSegment, dimensionPosition}
		for _, r := range repeat {
			if r > 1 {
				dimensions = []dimension{dimensionSegment, dimensionPosition, dimensionTime}
				break
			}
		}
		if oneOrientation {
			shared.setItems(tagPlaneOrientation, planes[0].orient())
		}
		if oneMeasure {
			shared.setItems(tagPixelMeasures, planes[0].measures())
		}
	}
	d.setDimensions(dimensions)
	d.setItems(tagSharedGroups, shared)

	var each []dataset
	for k := 1; k < len(s.origin.Classes); k++ {
		for i, f := range s.frames {
			g, content, segment := dataset{}, dataset{}, dataset{}
			index := []int{k}
			if p := planes[i]; p != nil {
				index = append(index, position[i])
				if len(dimensions) == 3 {
					index = append(index, repeat[i])
					content.setInts(0x00209128, repeat[i]) // TemporalPositionIndex
				}
				place := dataset{}
				place.set(tagPosition, p.position)
				g.setItems(tagPlanePosition, place)
				if !oneOrientation {
					g.setItems(tagPlaneOrientation, p.orient())
				}
				if !oneMeasure {
					g.setItems(tagPixelMeasures, p.measures())
				}
			} else {
				index = append(index, 1, i+1)
				content.set(0x00209056, "1")     // StackID
				content.setInts(0x00209057, i+1) // InStackPositionNumber
			}
			content.setInts(0x00209157, index...) // DimensionIndexValues
			g.setItems(0x00209111, content)       // FrameContentSequence
			g.setItems(0x00089124, derivation(s.origin.Sources[f.source], f.frame))
			segment.setInts(0x0062000b, k)  // ReferencedSegmentNumber
			g.setItems(0x0062000a, segment) // SegmentIdentificationSequence
			each = append(each, g)
		}
	}
	d.setItems(tagPerFrame, each...)
}

// orient is the item of PlaneOrientationSequence.
func (p *plane) orient() dataset {
	d := dataset{}
	d.set(tagOrientation, p.orientation)
	return d
}

// derivation is the item of DerivationImageSequence: made by segmentation of
// frame i of s, pixel on pixel (PS3.3 C.7.6.16.2.6).
func derivation(s *Source, i int) dataset {
	ref := s.reference(i)
	ref.setCode(0x0040a170, codeSourceImage) // PurposeOfReferenceCodeSequence
	ref.set(0x0028135a, "YES")               // SpatialLocationsPreserved
	d := dataset{}
	d.setCode(0x00089215, codeSegmentation) // DerivationCodeSequence
	d.setItems(0x00082112, ref)             // SourceImageSequence
	return d
}

// setDimensions describes the numbers of DimensionIndexValues.
func (d *object) setDimensions(list []dimension) {
	uid := d.run.instance("dimensions", d.uid)
	organization := dataset{}
	organization.set(0x00209164, uid)    // DimensionOrganizationUID
	d.setItems(0x00209221, organization) // DimensionOrganizationSequence
	var items []dataset
	for _, x := range list {
		i := dataset{}
		i.set(0x00209164, uid)
		i.setInts(0x00209165, int(x.pointer)) // DimensionIndexPointer
		i.setInts(0x00209167, int(x.group))   // FunctionalGroupPointer
		i.set(0x00209421, x.label)            // DimensionDescriptionLabel
		items = append(items, i)
	}
	d.setItems(0x00209222, items...) // DimensionIndexSequence
}
