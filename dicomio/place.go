package dicomio

import (
	"segd"
	"segd/dicomio/tag"
)

// placeTags are what says where frames lie in the patient.
var placeTags = []uint32{
	tag.NumberOfFrames, tag.FrameOfReferenceUID, tag.ImagePositionPatient, tag.ImageOrientationPatient, tag.PixelSpacing, tag.SliceThickness, tag.SpacingBetweenSlices,
	tag.SharedFunctionalGroupsSequence, tag.PerFrameFunctionalGroupsSequence,
}

// affine returns where the frames lie, as Source.Affine does; nil where they are
// no planes of one grid.
func (s *scan) affine() *segd.Affine {
	d, err := s.file.copy(placeTags)
	if err != nil {
		return nil // the pixels can be read all the same
	}
	l := s.pixels.layout
	source := Source{image: d, rows: l.rows, cols: l.cols, frames: l.frames}
	if source.located, err = source.readPlanes(); err != nil {
		return nil
	}
	m, ok := source.Affine()
	if !ok {
		return nil
	}
	return &m
}
