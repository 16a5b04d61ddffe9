package dicomio

import (
	"bufio"
	"image"
	"image/color"
	"io"
	"strconv"

	"segd"
	"segd/dicomio/tag"
)

// WriteSC writes picture as a Secondary Capture in RGB (PS3.3 A.8.1), for
// viewers that support no other derived object. The file is in explicit VR
// little endian. o must have one source, and picture shows its frame i, counted
// from 0, at the same or another size. Alpha is ignored.
//
// The object repeats BurnedInAnnotation of the source, if present. The error is segd.ErrUnprocessable,
// segd.ErrNotFound for a frame that does not exist, or that of w.
func WriteSC(w io.Writer, o Origin, i int, picture image.Image) error {
	if len(o.Sources) != 1 {
		return unprocessable("a Secondary Capture of %d sources, want 1", len(o.Sources))
	}
	s := o.Sources[0]
	if i < 0 || i >= s.frames {
		return fmtNotFound(i, s.frames)
	}
	r := picture.Bounds()
	if r.Dx() < 1 || r.Dy() < 1 || r.Dx() > segd.MaxSide || r.Dy() > segd.MaxSide {
		return unprocessable("a picture of %d×%d pixels, want 1 to %d a side", r.Dx(), r.Dy(), segd.MaxSide)
	}
	d, err := o.begin(kindSC, o.instance(kindSC, strconv.Itoa(i)))
	if err != nil {
		return err
	}
	number := o.number()
	if s.frames > 1 {
		number = i + 1
	}
	d.setInts(tag.InstanceNumber, number)
	d.set(tag.ImageType, "DERIVED", "SECONDARY")
	d.set(tag.ConversionType, "WSD")
	d.setContent(tag.ContentDate, tag.ContentTime)
	d.set(tag.DerivationDescription, "Classes marked by "+o.title()+", for research only")
	d.setItems(tag.SourceImageSequence, s.reference(i))
	d.set(tag.PatientOrientation, s.image.text(tag.PatientOrientation))
	d.setSide(s)
	if f, ok := s.image[tag.ImageLaterality]; ok {
		d.dataset[tag.ImageLaterality] = f
	}
	if v := s.image.text(tag.BurnedInAnnotation); v != "" {
		d.set(tag.BurnedInAnnotation, v)
	}
	d.setLossy(s)
	d.setInts(tag.SamplesPerPixel, 3)
	d.set(tag.PhotometricInterpretation, "RGB")
	d.setInts(tag.PlanarConfiguration, 0)
	d.setInts(tag.Rows, r.Dy())
	d.setInts(tag.Columns, r.Dx())
	d.setInts(tag.BitsAllocated, 8)
	d.setInts(tag.BitsStored, 8)
	d.setInts(tag.HighBit, 7)
	d.setInts(tag.PixelRepresentation, 0)
	if s.Placed() && r.Dx() == s.cols && r.Dy() == s.rows {
		d.set(tag.PixelSpacing, s.planes[i].spacing)
	}
	return d.write(w, 3*int64(r.Dx())*int64(r.Dy()), func(w io.Writer) error { return writeRGB(w, picture) })
}

// writeRGB writes the pixels of m row by row.
func writeRGB(w io.Writer, m image.Image) error {
	b := bufio.NewWriterSize(w, 64<<10)
	r := m.Bounds()
	fast, ok := m.(*image.NRGBA)
	row := make([]byte, 3*r.Dx())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := range r.Dx() {
			if ok {
				copy(row[3*x:3*x+3], fast.Pix[fast.PixOffset(r.Min.X+x, y):])
				continue
			}
			c := color.NRGBAModel.Convert(m.At(r.Min.X+x, y)).(color.NRGBA)
			row[3*x], row[3*x+1], row[3*x+2] = c.R, c.G, c.B
		}
		if _, err := b.Write(row); err != nil {
			return err
		}
	}
	return b.Flush()
}
