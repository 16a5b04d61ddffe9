package dicomio

import (
	"slices"

	"segd/dicomio/tag"
)

// Dimensions of a segmentation: the attribute that each indexes, and the
// functional group that holds it.
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

// setGroups sets the multi-frame dimensions and the functional groups (PS3.3
// C.7.6.16 and C.7.6.17).
//
// Placed frames are ordered by segment, position and, if several share a
// position, time. Others are ordered by segment and then as in the sources.
func (s *SEG) setGroups(d *object) {
	a := s.arrange()
	d.setDimensions(a.dimensions)
	shared := dataset{}
	if a.oneOrientation {
		shared.setItems(tag.PlaneOrientationSequence, a.planes[0].orient())
	}
	if a.oneMeasure {
		shared.setItems(tag.PixelMeasuresSequence, a.planes[0].measures())
	}
	d.setItems(tag.SharedFunctionalGroupsSequence, shared)
	var each []dataset
	for k := 1; k < len(s.origin.Classes); k++ {
		for i, f := range s.frames {
			g, segment := a.group(k, i), dataset{}
			g.setItems(tag.DerivationImageSequence, derivation(s.origin.Sources[f.source], f.frame))
			segment.setInts(tag.ReferencedSegmentNumber, k)
			g.setItems(tag.SegmentIdentificationSequence, segment)
			each = append(each, g)
		}
	}
	d.setItems(tag.PerFrameFunctionalGroupsSequence, each...)
}

// arrangement holds the planes of the frames of a segmentation and the
// dimensions that order them.
type arrangement struct {
	dimensions                 []dimension
	planes                     []*plane // nil for frames without a position
	position, repeat           []int    // indexes from 1, as positionIndexes has them
	oneOrientation, oneMeasure bool     // the same for all planes
}

func (s *SEG) arrange() arrangement {
	a := arrangement{planes: make([]*plane, len(s.frames))}
	if !s.placed() {
		a.dimensions = []dimension{dimensionSegment, dimensionStack, dimensionFrame}
		return a
	}
	for i, f := range s.frames {
		a.planes[i] = &s.origin.Sources[f.source].planes[f.frame]
	}
	settleThickness(a.planes)
	a.oneOrientation, a.oneMeasure = true, true
	first := a.planes[0]
	for _, p := range a.planes {
		a.oneOrientation = a.oneOrientation && p.orientation == first.orientation
		a.oneMeasure = a.oneMeasure && p.spacing == first.spacing && p.thickness == first.thickness && p.between == first.between
	}
	a.position, a.repeat = positionIndexes(a.planes)
	a.dimensions = []dimension{dimensionSegment, dimensionPosition}
	if slices.Max(a.repeat) > 1 {
		a.dimensions = append(a.dimensions, dimensionTime)
	}
	return a
}

// group returns the functional groups that locate frame i of segment k.
func (a *arrangement) group(k, i int) dataset {
	g, content := dataset{}, dataset{}
	index := []int{k}
	if p := a.planes[i]; p != nil {
		index = append(index, a.position[i])
		if len(a.dimensions) == 3 {
			index = append(index, a.repeat[i])
			content.setInts(tag.TemporalPositionIndex, a.repeat[i])
		}
		place := dataset{}
		place.set(tag.ImagePositionPatient, p.position)
		g.setItems(tag.PlanePositionSequence, place)
		if !a.oneOrientation {
			g.setItems(tag.PlaneOrientationSequence, p.orient())
		}
		if !a.oneMeasure {
			g.setItems(tag.PixelMeasuresSequence, p.measures())
		}
	} else {
		index = append(index, 1, i+1)
		content.set(tag.StackID, "1")
		content.setInts(tag.InStackPositionNumber, i+1)
	}
	content.setInts(tag.DimensionIndexValues, index...)
	g.setItems(tag.FrameContentSequence, content)
	return g
}

// orient returns the item of PlaneOrientationSequence.
func (p *plane) orient() dataset {
	d := dataset{}
	d.set(tag.ImageOrientationPatient, p.orientation)
	return d
}

// derivation returns the item of DerivationImageSequence: segmentation of frame
// i of s, pixel by pixel (PS3.3 C.7.6.16.2.6).
func derivation(s *Source, i int) dataset {
	ref := s.reference(i)
	ref.setCode(tag.PurposeOfReferenceCodeSequence, codeSourceImage)
	ref.set(tag.SpatialLocationsPreserved, "YES")
	d := dataset{}
	d.setCode(tag.DerivationCodeSequence, codeSegmentation)
	d.setItems(tag.SourceImageSequence, ref)
	return d
}

// setDimensions describes the indexes in DimensionIndexValues.
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
