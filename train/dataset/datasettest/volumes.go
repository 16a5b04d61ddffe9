package datasettest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
)

// Volume returns a NIfTI file of w×h×d voxels, with the values that at returns.
func Volume(w, h, d int, spacing float64, at func(x, y, z int) int) []byte {
	v := niftitest.Volume{Width: w, Height: h, Depth: d, Affine: [3][4]float64{{-spacing, 0, 0, 0}, {0, -spacing, 0, 0}, {0, 0, 3, 0}}}
	for z := range d {
		for y := range h {
			for x := range w {
				v.Values = append(v.Values, int16(at(x, y, z)))
			}
		}
	}
	return niftitest.Write(v)
}

// Floats returns an uncompressed float32 NIfTI volume.
func Floats(width, height, depth int, values []float32) []byte {
	b := make([]byte, 352)
	le := binary.LittleEndian
	le.PutUint32(b, 348)
	for i, n := range []int{3, width, height, depth, 1, 1, 1, 1} {
		le.PutUint16(b[40+2*i:], uint16(n))
	}
	le.PutUint16(b[70:], 16) // float32
	le.PutUint16(b[72:], 32)
	for i := range 4 {
		le.PutUint32(b[76+4*i:], math.Float32bits(1))
	}
	le.PutUint32(b[108:], math.Float32bits(352))
	copy(b[344:], "n+1\x00")
	for _, v := range values {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// Slice returns a DICOM image of a series, z mm up, with the stored values that at
// returns. If series is empty, the image has neither a series nor a position.
func Slice(series string, number, size int, z float64, at func(x, y int) int) dicomtest.File {
	f := dicomtest.File{Rows: size, Columns: size, Modality: "CT", Stored: 12, Pixels: make([]byte, 2*size*size)}
	for y := range size {
		for x := range size {
			v := at(x, y)
			f.Pixels[2*(y*size+x)], f.Pixels[2*(y*size+x)+1] = byte(v), byte(v>>8)
		}
	}
	uid := "1.2.826.0.1.3680043.10.543."
	f.Elements = []dicomtest.Element{
		{Tag: 0x00080016, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.2"}, {Tag: 0x00080018, VR: "UI", Value: fmt.Sprintf("%s%s.%d", uid, series, number)},
		{Tag: 0x00100020, VR: "LO", Value: "patient " + series}, {Tag: 0x0020000d, VR: "UI", Value: uid + "1." + series}, {Tag: 0x0020000e, VR: "UI", Value: uid + "2." + series},
		{Tag: 0x00281053, VR: "DS", Value: "1"}, {Tag: 0x00281052, VR: "DS", Value: "-1024"},
		{Tag: 0x00200052, VR: "UI", Value: uid + "3." + series}, {Tag: 0x00200032, VR: "DS", Value: fmt.Sprintf(`0\0\%g`, z)},
		{Tag: 0x00200037, VR: "DS", Value: `1\0\0\0\1\0`}, {Tag: 0x00280030, VR: "DS", Value: `1\1`}, {Tag: 0x00180050, VR: "DS", Value: "3"},
	}
	return f
}

// Segmentation returns a DICOM Segmentation of images. It marks the pixels for which
// where is true.
func Segmentation(t testing.TB, images [][]byte, size int, names []string, where func(i, x, y int) uint8) []byte {
	t.Helper()
	o := dicomio.Origin{Run: &dicomio.Run{Software: "test"}, Model: "test", Version: "1", Classes: []segd.Class{{Name: "background"}}}
	for i, name := range names {
		o.Classes = append(o.Classes, segd.Class{Index: i + 1, Name: name})
	}
	for _, b := range images {
		s, err := dicomio.OpenSource(b)
		if err != nil {
			t.Fatal(err)
		}
		o.Sources = append(o.Sources, s)
	}
	seg, err := dicomio.NewSEG(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range images {
		m := segd.NewMask(size, size)
		for k := range m.Pix {
			m.Pix[k] = where(i, k%size, k/size)
		}
		if err := seg.AddMask(i, 0, m); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := seg.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
