package dicomio

import "segd/dicomio/tag"

// Dimensions of a segmentation: what the position of a frame in each means,
// and the functional group that holds it.
var (
	dimensionSegment  = dimension{tag.ReferencedSegmentNumber, tag.SegmentIdentificationSequence, "Segment"}
	dimensionPosition = dimension{tag.ImagePositionPatient, tag.PlanePositionSequence, "Position"}
	dimensionTime     = dimension{tag.TemporalPositionIndex, tag.FrameContentSequence, "Time"}
	dimensionStack    = dimension{tag.StackID, tag.FrameContentSequence, "Stack"}
	dimensionFrame    = dimension{tag.InStackPositionNumber, tag.FrameContentSequence, "Frame"}
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
			shared.setItems(tag.PlaneOrientationSequence, planes[0].orient())
		}
		if oneMeasure {
			shared.setItems(tag.PixelMeasuresSequence, planes[0].measures())
		}
	}
	d.setDimensions(dimensions)
	d.setItems(tag.SharedFunctionalGroupsSequence, shared)

	var each []dataset
	for k := 1; k < len(s.origin.Classes); k++ {
		for i, f := range s.frames {
			g, content, segment := dataset{}, dataset{}, dataset{}
			index := []int{k}
			if p := planes[i]; p != nil {
				index = append(index, position[i])
				if len(dimensions) == 3 {
					index = append(index, repeat[i])
					content.setInts(tag.TemporalPositionIndex, repeat[i])
				}
				place := dataset{}
				place.set(tag.ImagePositionPatient, p.position)
				g.setItems(tag.PlanePositionSequence, place)
				if !oneOrientation {
					g.setItems(tag.PlaneOrientationSequence, p.orient())
				}
				if !oneMeasure {
					g.setItems(tag.PixelMeasuresSequence, p.measures())
				}
			} else {
				index = append(index, 1, i+1)
				content.set(tag.StackID, "1")
				content.setInts(tag.InStackPositionNumber, i+1)
			}
			content.setInts(tag.DimensionIndexValues, index...)
			g.setItems(tag.FrameContentSequence, content)
			g.setItems(tag.DerivationImageSequence, derivation(s.origin.Sources[f.source], f.frame))
			segment.setInts(tag.ReferencedSegmentNumber, k)
			g.setItems(tag.SegmentIdentificationSequence, segment)
			each = append(each, g)
		}
	}
	d.setItems(tag.PerFrameFunctionalGroupsSequence, each...)
}

// orient is the item of PlaneOrientationSequence.
func (p *plane) orient() dataset {
	d := dataset{}
	d.set(tag.ImageOrientationPatient, p.orientation)
	return d
}

// derivation is the item of DerivationImageSequence: made by segmentation of
// frame i of s, pixel on pixel (PS3.3 C.7.6.16.2.6).
func derivation(s *Source, i int) dataset {
	ref := s.reference(i)
	ref.setCode(tag.PurposeOfReferenceCodeSequence, codeSourceImage)
	ref.set(tag.SpatialLocationsPreserved, "YES")
	d := dataset{}
	d.setCode(tag.DerivationCodeSequence, codeSegmentation)
	d.setItems(tag.SourceImageSequence, ref)
	return d
}

// setDimensions describes the numbers of DimensionIndexValues.
func (d *object) setDimensions(list []dimension) {
	uid := d.run.instance("dimensions", d.uid)
	organization := dataset{}
	organization.set(tag.DimensionOrganizationUID, uid)
	d.setItems(tag.DimensionOrganizationSequence, organization)
	var items []dataset
	for _, x := range list {
		i := dataset{}
		i.set(tag.DimensionOrganizationUID, uid)
		i.setInts(tag.DimensionIndexPointer, int(x.pointer))
		i.setInts(tag.FunctionalGroupPointer, int(x.group))
		i.set(tag.DimensionDescriptionLabel, x.label)
		items = append(items, i)
	}
	d.setItems(tag.DimensionIndexSequence, items...)
}
