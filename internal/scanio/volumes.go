package scanio

import (
	"fmt"

	"segd"
	"segd/internal/metaimage"
	"segd/internal/mgh"
	"segd/internal/nifti"
	"segd/internal/nrrd"
)

// readNIfTI reads a volume, whose planes across the third axis are the frames.
func readNIfTI(b []byte) (*segd.Scan, error) {
	v, err := nifti.Read(b)
	if err != nil {
		return nil, err
	}
	return volumeScan(NIfTI, v, fmt.Sprintf("NIfTI-%d", v.Version)), nil
}

func readNRRD(b []byte) (*segd.Scan, error) {
	v, err := nrrd.Read(b)
	if err != nil {
		return nil, err
	}
	return volumeScan(NRRD, v, "NRRD"), nil
}

func readMetaImage(b []byte) (*segd.Scan, error) {
	v, err := metaimage.Read(b)
	if err != nil {
		return nil, err
	}
	return volumeScan(MetaImage, v, "MetaImage"), nil
}

func readMGH(b []byte) (*segd.Scan, error) {
	v, err := mgh.Read(b)
	if err != nil {
		return nil, err
	}
	return volumeScan(MGH, v, "MGH"), nil
}

// volumeScan is the scan of a volume, which a file of a kind held.
func volumeScan(kind Kind, v *nifti.Volume, name string) *segd.Scan {
	s := &segd.Scan{
		Format: string(kind), Width: v.Width, Height: v.Height, Frames: v.Planes(),
		Steps: []string{fmt.Sprintf("%s, %s, planes across the third axis as they are stored", name, v.Type())},
	}
	if g, ok := v.Grid(); ok {
		s.Affine, s.Depth, s.Times = &g.Affine, v.Depth, v.Times
	}
	s.Warnings = v.Warnings()
	if v.Slope != 1 || v.Intercept != 0 {
		s.Steps = append(s.Steps, fmt.Sprintf("scaled by %g and %g (scl_slope, scl_inter)", v.Slope, v.Intercept))
	}
	if v.Times > 1 {
		s.Steps = append(s.Steps, fmt.Sprintf("%d planes at each of %d times", v.Depth, v.Times))
	}
	s.Source = func() (any, error) { return &v.Header, nil }
	s.Frame = func(i int) (*segd.Image, error) {
		if i < 0 || i >= s.Frames {
			return nil, fmt.Errorf("scanio: %w: frame %d of %d", segd.ErrNotFound, i+1, s.Frames)
		}
		img := &segd.Image{
			Width: v.Width, Height: v.Height, Channels: v.Channels, Spacing: v.Spacing(),
			Pix: make([]float32, v.Width*v.Height*v.Channels),
		}
		if v.Channels > 1 {
			img.Display = segd.Display{High: 255}
		} else {
			img.Display = segd.Display{Low: float32(v.Low), High: float32(v.High)}
		}
		v.Plane(i, img.Pix)
		return img, nil
	}
	return s
}
