package dicomio

import (
	"segd"
	"segd/dicomio/tag"
)

// placeTags are the attributes that locate frames in the patient.
var placeTags = []uint32{
	tag.NumberOfFrames, tag.FrameOfReferenceUID, tag.ImagePositionPatient, tag.ImageOrientationPatient, tag.PixelSpacing, tag.SliceThickness, tag.SpacingBetweenSlices,
	tag.SharedFunctionalGroupsSequence, tag.PerFrameFunctionalGroupsSequence,
}

// affine returns the position of the frames, as Source.Affine does; nil if they
// do not form one grid.
func (s *scan) affine() *segd.Affine {
	d, err := s.file.copy(placeTags)
	if err != nil {
		return nil // the pixels can still be read
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
