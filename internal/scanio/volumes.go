package scanio

import (
	"cmp"
	"fmt"
	"strings"

	"segd"
	"segd/internal/beside"
	"segd/internal/nifti"
)

// alone is the reader of volumes that have their values in themselves.
func alone(read func([]byte) (*nifti.Volume, error)) func([]byte, beside.Files) (*nifti.Volume, error) {
	return func(b []byte, _ beside.Files) (*nifti.Volume, error) { return read(b) }
}

// nameless names the files with the values of a header that says what they are called.
func nameless(files func([]byte) ([]string, error)) func(string, []byte) ([]string, error) {
	return func(_ string, b []byte) ([]string, error) { return files(b) }
}

// openNIfTI reads a NIfTI file, or a pair whose header is b. Where both an .img and an
// .img.gz are there, the one that is packed as the header is read.
func openNIfTI(b []byte, files beside.Files) (*nifti.Volume, error) {
	names, err := niftiParts(files.Name, b)
	if err != nil {
		return nil, err
	}
	if names == nil {
		return nifti.Read(b)
	}
	var first error
	for _, name := range names {
		values, err := files.Read(name)
		if err == nil {
			return nifti.ReadPair(b, values)
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

// niftiParts are the names that the values of a pair may have, by that of its header, the
// likeliest first; nil of a file that has its values in itself.
func niftiParts(name string, b []byte) ([]string, error) {
	h, err := nifti.ReadHeader(b)
	if err != nil || !h.Pair {
		return nil, err
	}
	stem, packed := cutSuffix(name, ".gz")
	stem, _ = cutSuffix(stem, ".hdr")
	plain, zipped := ".img", ".img.gz"
	if rest := name[len(stem):]; rest != "" && rest == strings.ToUpper(rest) {
		plain, zipped = ".IMG", ".IMG.GZ"
	}
	if packed {
		return []string{stem + zipped, stem + plain}, nil
	}
	return []string{stem + plain, stem + zipped}, nil
}

// volumeScan is the scan of a volume, whose planes across the third axis are the frames.
func volumeScan(f *format, v *nifti.Volume) *segd.Scan {
	name := f.name
	if f.kind == NIfTI {
		name = v.Form()
	}
	s := &segd.Scan{
		Format: string(f.kind), Width: v.Width, Height: v.Height, Frames: v.Planes(),
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
