package dicomio

import "segd"

// placeTags are what says where frames lie in the patient.
var placeTags = []uint32{
	tagFrames, tagFrameOfReference, tagPosition, tagOrientation, tagPixelSpacing, 0x00180050, 0x00180088,
	tagSharedGroups, tagPerFrame,
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
