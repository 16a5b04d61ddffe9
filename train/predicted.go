package train

import (
	"fmt"
	"math"

	"segd"
	"segd/internal/nifti"
)

// mask reads the prediction of a case. A file of fewer or more masks than it is
// for is segd.ErrFormat.
func (p prediction) mask(c *Case) (*segd.Mask, error) {
	if err := p.checkFrames(c); err != nil {
		return nil, err
	}
	m, err := c.maskOf(p.path)
	if err == nil {
		p.renumber.Apply(m.Pix)
	}
	return m, err
}

func (p prediction) checkFrames(c *Case) error {
	o, err := c.opener().open(p.path, asMask)
	if err != nil {
		return err
	}
	n := o.labels.Frames
	switch {
	case p.frames == 1 || o.labels.SEG != nil:
		return nil
	case o.labels.Volume != nil:
		if n, err = c.planesAlong(o.labels.Volume); err != nil {
			return err
		}
	}
	if n != p.frames && (c.Frames > 1 || n < p.frames) {
		return fmt.Errorf("train: prediction %s: %w: %d masks for %d frames or slices of %s", p.path, segd.ErrFormat, n, p.frames, c.Image)
	}
	return nil
}

// planesAlong counts the planes of a volume across the case's image: along its
// third axis, or along the axis that runs across the image in the patient where
// both say where they lie.
func (c *Case) planesAlong(v *nifti.Volume) (int, error) {
	image, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return 0, err
	}
	switch {
	case image.source == nil && image.scan.Affine != nil && v.Placed():
		return image.scan.Frames, nil // whether the voxels are the same, shows when they are read
	case image.source == nil || !image.source.Placed() || !v.Placed():
		return v.Planes(), nil
	}
	_, r, d, _ := image.source.FramePlane(c.Frame)
	across := [3]float64{-(r[1]*d[2] - r[2]*d[1]), -(r[2]*d[0] - r[0]*d[2]), r[0]*d[1] - r[1]*d[0]} // NIfTI's x and y run the other way
	n, most := 0, -1.0
	for axis, size := range []int{v.Width, v.Height, v.Depth} {
		dot, length := 0.0, 0.0
		for k := range 3 {
			dot, length = dot+v.Affine[k][axis]*across[k], length+v.Affine[k][axis]*v.Affine[k][axis]
		}
		if share := math.Abs(dot) / math.Sqrt(length); share > most {
			n, most = size, share
		}
	}
	return n, nil
}

// values reads the prediction of a case as values, as mask does.
func (p prediction) values(c *Case, width, height int) ([]float32, error) {
	o, err := c.opener().open(p.path, asValues)
	if err != nil {
		return nil, err
	}
	if p.frames > 1 && o.scan.Frames != p.frames {
		return nil, fmt.Errorf("train: prediction %s: %w: %d planes for %d frames of %s", p.path, segd.ErrFormat, o.scan.Frames, p.frames, c.Image)
	}
	return c.valuesOf(p.path, width, height)
}
