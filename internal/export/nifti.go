package export

import (
	"segd"
	"segd/dicomio"
	"segd/internal/nifti"
)

// NIfTI is the kind of output that holds the masks or the values of all frames of
// a scan as one volume, a .nii.gz.
const NIfTI = "nifti"

// NewNIfTI returns a writer for the masks or values of the frames of scan, which
// was read from file, in order. The volume lies where the scan does: a NIfTI file's
// geometry is kept as it is, a DICOM file's is that of its image planes.
// Where frames are no planes of one grid, and for other formats, the volume has
// the spacing of the first frame, if that is known, and no position.
//
// The errors are those of the scan's readers.
func NewNIfTI(file []byte, scan *segd.Scan, content nifti.Content) (*nifti.Writer, error) {
	switch scan.Format {
	case "nifti":
		h, err := nifti.ReadHeader(file)
		if err != nil {
			return nil, err
		}
		return nifti.LikeWriter(h, content), nil
	case "dicom":
		// A file that no object can refer to has pixels all the same.
		if s, err := dicomio.OpenSource(file); err == nil {
			if m, ok := s.Affine(); ok {
				return nifti.NewWriter(nifti.Grid{Width: scan.Width, Height: scan.Height, Depth: scan.Frames, Affine: ras(m)}, content), nil
			}
		}
	}
	first, err := scan.Frame(0)
	if err != nil {
		return nil, err
	}
	return nifti.NewWriter(nifti.Grid{Width: scan.Width, Height: scan.Height, Depth: scan.Frames, Spacing: first.Spacing}, content), nil
}

// NewStackNIfTI returns a writer for the masks or values of the slices of a DICOM
// series, of width×height pixels each, in the order of the stack.
func NewStackNIfTI(s *dicomio.Stack, width, height int, content nifti.Content) *nifti.Writer {
	return nifti.NewWriter(nifti.Grid{Width: width, Height: height, Depth: s.Depth, Times: s.Times, Affine: ras(s.Affine)}, content)
}

// ras turns the affine of DICOM, which has left and posterior rising, into that of
// NIfTI, which has right and anterior.
func ras(m [3][4]float64) *[3][4]float64 {
	for c := range 4 {
		m[0][c], m[1][c] = -m[0][c], -m[1][c]
	}
	return &m
}
