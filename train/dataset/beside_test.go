package dataset_test

import (
	"slices"
	"strings"
	"testing"

	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// Volumes whose header is a file of its own are images and labels of a data set, as are
// files in gzip, and their values are no files without a partner.
func TestFilesApart(t *testing.T) {
	t.Parallel()
	meta := "ObjectType = Image\nNDims = 3\nDimSize = 3 2 2\nElementType = MET_UCHAR\nElementSpacing = 1 1 3\nElementDataFile = "
	nrrd := "NRRD0005\ntype: uchar\ndimension: 3\nsizes: 3 2 2\nencoding: raw\nspace: LPS\nspace directions: (1,0,0) (0,1,0) (0,0,3)\nspace origin: (0,0,0)\ndata file: "
	image, label := "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b", "\x00\x01\x00\x01\x00\x01\x01\x01\x01\x00\x00\x00"
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{
		"images/a.mhd": meta + "a.raw\n", "images/a.raw": image, "labels/a.nhdr": nrrd + "a.dat\n", "labels/a.dat": label,
		"images/b.nhdr": nrrd + "b.dat\n", "images/b.dat": strings.Repeat("\x07\x0e\x03", 4), "labels/b.mhd": meta + "LIST\nb1\nb2\n", "labels/b1": label[:6], "labels/b2": label[6:],
	})
	d, err := dataset.Open(dir)
	if err != nil || len(d.Cases) != 4 {
		t.Fatalf("%+v, %v", d, err)
	}
	for i := range d.Cases {
		c := &d.Cases[i]
		img, err := c.ReadImage()
		if err != nil || img.Pix[0] != []float32{0, 6, 7, 7}[i] {
			t.Errorf("%s: image %v, %v", c.ID, img, err)
		}
		if m, err := c.ReadMask(); err != nil || !slices.Equal(m.Pix, []byte(label[6*(i%2):][:6])) {
			t.Errorf("%s: label %v, %v", c.ID, m, err)
		}
	}
	if r := checkedOf(t, dir); r.Cases != 4 || r.Groups != 2 || r.Faults() != 0 {
		t.Errorf("%+v", r)
	}
}
