package dataset_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"slices"
	"testing"

	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// Labels of a picture that is stored turned lie on its stored pixels, or on those of the
// upright picture where their size says so; training sees both upright.
func TestUprightSamples(t *testing.T) {
	t.Parallel()
	stored := &image.Gray{Pix: []uint8{10, 20, 30, 40, 50, 60}, Stride: 3, Rect: image.Rect(0, 0, 3, 2)}
	png := datasettest.Encode(t, stored)
	body := []byte("eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)-4)), body...)
	turned := bytes.Join([][]byte{png[:33], binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body)), png[33:]}, nil)
	mask := []uint8{0, 1, 0, 0, 0, 1}
	upright := []uint8{0, 0, 0, 1, 1, 0} // by 90° clockwise, two columns
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{"images/a.png": string(turned), "images/b.png": string(turned),
		"labels/a.png": string(datasettest.Encode(t, &image.Gray{Pix: mask, Stride: 3, Rect: image.Rect(0, 0, 3, 2)})),
		"labels/b.png": string(datasettest.Encode(t, &image.Gray{Pix: upright, Stride: 2, Rect: image.Rect(0, 0, 2, 3)}))})
	d, err := dataset.Open(dir)
	if err != nil || len(d.Cases) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	for i := range d.Cases {
		s, err := d.Cases[i].ReadClasses()
		if err != nil || s.Image.Width != 3 || !slices.Equal(s.Mask.Pix, mask) {
			t.Errorf("%s: %+v, %v", d.Cases[i].ID, s.Mask, err)
			continue
		}
		s.Values = []float32{0, 1, 0, 0, 0, 1}
		s, err = d.Cases[i].Upright(s)
		if err != nil || s.Image.Width != 2 || !slices.Equal(s.Image.Pix, []float32{40, 10, 50, 20, 60, 30}) || !slices.Equal(s.Mask.Pix, upright) || s.Values[3] != 1 || s.Values[4] != 1 {
			t.Errorf("%s upright: %+v, %+v, %v", d.Cases[i].ID, s.Image, s.Mask, err)
		}
	}
}
