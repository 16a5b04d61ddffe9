package dataset

import (
	"context"
	"fmt"
	"math"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/classes"
	"segd/internal/nifti"
	"segd/train/internal/parallel"
)

// mask reads the prediction of a case. A file with the wrong number of masks is
// segd.ErrFormat.
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
	if o.labels == nil {
		return nil // pick decides
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

// planesAlong counts the planes of a volume perpendicular to the case's image: along
// the third axis or, if both files have a position, along the axis perpendicular to
// the image in the patient.
func (c *Case) planesAlong(v *nifti.Volume) (int, error) {
	image, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return 0, err
	}
	switch {
	case image.source == nil && image.scan.Affine != nil && v.Placed():
		return image.scan.Frames, nil // the voxels are compared when they are read
	case image.source == nil || !image.source.Placed() || !v.Placed():
		return v.Planes(), nil
	}
	_, r, d, _ := image.source.FramePlane(c.Frame)
	across := [3]float64{-(r[1]*d[2] - r[2]*d[1]), -(r[2]*d[0] - r[0]*d[2]), r[0]*d[1] - r[1]*d[0]} // NIfTI's x and y point the other way
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

// values reads the prediction of a case as values, like mask.
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

// matchSegments gives the segments of the prediction at path the numbers of the data.
// It matches by label if the data have names. Several segments may belong to one
// class. A label that the data lack is segd.ErrFormat.
func matchSegments(path string, segments []dicomio.Segment, names []string) (*classes.Table, error) {
	want := classes.List{Whose: "the data", Names: names}
	if !want.Known() {
		return nil, nil
	}
	var table *classes.Table
	for _, s := range segments {
		if s.Number < 1 || s.Number > 255 {
			continue // background in a label map; other objects are refused when read
		}
		n, err := want.Number(s.Label, s.Number)
		if err != nil {
			return nil, fmt.Errorf("train: prediction %s: %w", path, err)
		}
		table = table.Set(s.Number, n)
	}
	return table, nil
}

// NameClasses determines the numbers and names of the classes of the predictions.
// names lists the foreground classes of the data, if known. A segmentation names its
// own classes. For other files, a dataset.json in the folder, such as nnU-Net writes,
// names them.
func (f *Predictions) NameClasses(names []string) error {
	spec, err := readSpec(f.dir)
	if err != nil {
		return err
	}
	var others *classes.Table
	if spec != nil {
		others, err = classes.Match(classes.List{Whose: "dataset.json of " + f.dir, Names: spec.classes}, classes.List{Whose: "the data", Names: names})
		if err != nil {
			return fmt.Errorf("train: predictions: %w", err)
		}
	}
	called, marked := map[int]string{}, [256]bool{}
	tables := map[string]*classes.Table{}
	for i := range f.found {
		p := &f.found[i]
		segments, isSEG := f.segments(p.stem)
		if !isSEG {
			p.renumber = others
			continue
		}
		table, seen := tables[p.stem]
		if !seen {
			if table, err = matchSegments(p.path, segments, names); err != nil {
				return err
			}
			for _, s := range segments {
				if other, ok := called[s.Number]; ok && len(names) == 0 && !strings.EqualFold(other, s.Label) {
					return fmt.Errorf("train: prediction %s: %w: segment %d is called %q here but %q in another file, and the data name no classes",
						p.path, segd.ErrFormat, s.Number, s.Label, other)
				}
				called[s.Number] = s.Label
				own := []uint8{uint8(min(max(0, s.Number), 255))}
				table.Apply(own)
				marked[own[0]] = true
			}
			tables[p.stem] = table
		}
		p.renumber = table
	}
	for i, name := range names {
		if len(called) > 0 && spec == nil && i < 255 && !marked[i+1] {
			f.Warnings = append(f.Warnings, fmt.Sprintf("no segmentation in %s has a segment %q: the class counts as not found", f.dir, name))
		}
	}
	return nil
}

// segments returns the segments of a file if it is a DICOM Segmentation.
func (f *Predictions) segments(stem string) ([]dicomio.Segment, bool) {
	list, ok := f.segmentations.segments[stem]
	return list, ok
}

// Path returns the file of the prediction of case i.
func (f *Predictions) Path(i int) string { return f.found[i].path }

// Mask reads the prediction of case i as class indices, with the numbers that
// NameClasses determined. A file with the wrong number of masks is segd.ErrFormat.
func (f *Predictions) Mask(i int) (*segd.Mask, error) { return f.found[i].mask(&f.cases[i]) }

// Values reads the prediction of case i as values, width×height of them.
func (f *Predictions) Values(i, width, height int) ([]float32, error) {
	return f.found[i].values(&f.cases[i], width, height)
}

// Survey determines what the values of the predictions mean, as the function Survey
// does for labels, but ignores palettes.
func (f *Predictions) Survey(ctx context.Context, known int) (Meaning, error) {
	sets, paths := make([]valueSet, len(f.cases)), make([]string, len(f.cases))
	err := parallel.Do(ctx, len(f.cases), func(i int) error {
		paths[i] = f.cases[i].Where(f.Path(i))
		m, err := f.Mask(i)
		if err == nil {
			sets[i] = valuesOf(m)
		}
		return err
	})
	if err != nil {
		return Meaning{}, err
	}
	return survey(sets, paths, known)
}
