package dataset_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// square is a shape of LabelMe: pixels from a up to and with b, in both directions.
func square(class string, a, b int) string {
	return fmt.Sprintf(`{"label": %q, "shape_type": "rectangle", "points": [[%d, %d], [%d, %d]]}`, class, a, a, b, b)
}

// labelMe is a file of LabelMe for an image of that size.
func labelMe(size int, shapes ...string) []byte {
	return fmt.Appendf(nil, `{"version": "5.5.0", "shapes": [%s], "imagePath": "a.png", "imageData": null, "imageWidth": %d, "imageHeight": %d}`, strings.Join(shapes, ","), size, size)
}

// roi is a rectangle of ImageJ, from a up to b, on a slice of a stack; 0: it does not
// say.
func roi(a, b, slice int) []byte {
	r := make([]byte, 64)
	copy(r, "Iout\x00\xe3\x01")
	for i, v := range []int{a, a, b, b} {
		binary.BigEndian.PutUint16(r[8+2*i:], uint16(v))
	}
	binary.BigEndian.PutUint32(r[56:], uint32(slice))
	return r
}

func zipped(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// diagonals formats the classes along the diagonal of each case's mask.
func diagonals(t *testing.T, d *dataset.Dataset) (list []string) {
	t.Helper()
	for i := range d.Cases {
		s, err := d.Cases[i].ReadClasses()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for k := range s.Mask.Height {
			fmt.Fprintf(&b, "%d", min(s.Mask.Pix[k*s.Mask.Width+k], 9))
		}
		list = append(list, d.Cases[i].ID+" "+b.String())
	}
	return list
}

// TestOutlines reads labels that are outlines, in the places where people keep them.
func TestOutlines(t *testing.T) {
	t.Parallel()
	const coco = `{"images": [{"id": 1, "file_name": "x/a.png", "width": 5, "height": 5}, {"id": 2, "file_name": "b.jpg"}, {"id": 3, "file_name": "gone.png"}],
		"categories": [{"id": 4, "name": "zebra"}, {"id": 9, "name": "ant"}],
		"annotations": [{"image_id": 1, "category_id": 9, "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]}, {"image_id": 1, "category_id": 4, "iscrowd": 1, "segmentation": {"size": [5, 5], "counts": [24, 1]}}]}`
	const qupath = `{"type": "FeatureCollection", "features": [
		{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [5, 0], [5, 5], [0, 5], [0, 0]]]}, "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}}},
		{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]]}, "properties": {"objectType": "annotation", "classification": {"name": "Ignore*"}}},
		{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[2, 2], [4, 2], [4, 4], [2, 4], [2, 2]]]}, "properties": {"objectType": "annotation", "classification": "Stroma"}}]}`
	picture := datasettest.Encode(t, datasettest.Grey(5, 5, 9))
	stack := datasettest.Volume(5, 5, 3, 1, func(x, y, z int) int { return x + z })
	for name, tt := range map[string]struct {
		files   map[string][]byte
		classes []string
		want    []string
	}{
		"labelme": {map[string][]byte{
			"images/a.png": picture, "labels/a.json": labelMe(5, square("Nucleus", 0, 1), square("cell", 3, 3)),
			"images/b.png": picture, "labels/b.png.json": labelMe(5, square("nucleus ", 4, 4), square("_background_", 0, 0), square("__ignore__", 1, 1)),
		}, []string{"cell", "Nucleus"}, []string{"a 22010", "b 09002"}},
		"numbers in names": {map[string][]byte{"images/a.png": picture, "labels/a.json": labelMe(5, square("class 3", 0, 0), square("class 1", 1, 1))},
			[]string{"class 1", "class 2", "class 3"}, []string{"a 31000"}},
		"no names": {map[string][]byte{"images/a.png": picture, "labels/a.json": labelMe(5, square("", 0, 0))}, nil, []string{"a 10000"}},
		"classes.txt": {map[string][]byte{"images/a.png": picture, "classes.txt": []byte("# ours\nvessel\r\ncell\n"), "labels/a.json": labelMe(5, square("cell", 0, 1), square("body", 2, 2))},
			[]string{"vessel", "cell"}, []string{"a 22000"}},
		"coco": {map[string][]byte{"images/x/a.png": picture, "images/b.png": picture, "annotations/instances.json": []byte(coco)},
			[]string{"zebra", "ant"}, []string{"b 00000", "x/a 22201"}},
		"qupath":     {map[string][]byte{"images/a.png": picture, "labels/a.png.geojson": []byte(qupath)}, []string{"Stroma", "Tumor"}, []string{"a 29112"}},
		"roi":        {map[string][]byte{"images/a.png": picture, "labels/a.roi": roi(0, 2, 0)}, []string(nil), []string{"a 11000"}},
		"rois":       {map[string][]byte{"images/a.png": picture, "labels/a_ROIs.zip": zipped(t, map[string][]byte{"0001-0001.roi": roi(0, 2, 0), "0004-0004.roi": roi(4, 5, 0)})}, nil, []string{"a 11001"}},
		"on slices":  {map[string][]byte{"images/v.nii": stack, "labels/v.zip": zipped(t, map[string][]byte{"a-1.roi": roi(0, 2, 1), "a-2.roi": roi(4, 5, 3)})}, []string{"a"}, []string{"v_0001 11000", "v_0002 00000", "v_0003 00001"}},
		"for frames": {map[string][]byte{"images/v.nii": stack, "labels/v_0001.json": labelMe(5, square("", 0, 0)), "labels/v_0002.json": labelMe(5), "labels/v_0003.json": labelMe(5, square("", 1, 1))}, nil, []string{"v_0001 10000", "v_0002 00000", "v_0003 01000"}},
		"beside a mask": {map[string][]byte{"images/a.png": picture, "labels/a.png": datasettest.Encode(t, datasettest.Grey(5, 5, 1)), "labels/a.json": labelMe(5, square("", 0, 0))},
			nil, []string{"a 11111"}},
	} {
		dir := t.TempDir()
		for file, b := range tt.files {
			datasettest.Put(t, dir, file, b)
		}
		d, err := dataset.Open(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := diagonals(t, d); !slices.Equal(got, tt.want) || !slices.Equal(d.Classes, tt.classes) {
			t.Errorf("%s: got %q, classes %q, want %q, %q", name, got, d.Classes, tt.want, tt.classes)
		}
	}
}

// TestOutlinesJoin numbers the classes of outlines like those of other data, by name,
// and says what was met.
func TestOutlinesJoin(t *testing.T) {
	t.Parallel()
	first, second := t.TempDir(), t.TempDir()
	picture := datasettest.Encode(t, datasettest.Grey(5, 5, 9))
	datasettest.Put(t, first, "images/a.png", picture)
	datasettest.Put(t, first, "labels/a.json", labelMe(5, square("b", 0, 2), square("a", 1, 1), square("a", 7, 8)))
	datasettest.Put(t, second, "images/c.png", picture)
	datasettest.Put(t, second, "classes.txt", []byte("b\na\n"))
	datasettest.Put(t, second, "labels/c.json", labelMe(5, square("b", 0, 2), square("a", 1, 1), `{"label": "a", "shape_type": "line", "points": [[1, 1], [2, 2]]}`))
	d, err := dataset.Open(first, second)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"21200", "21200"} {
		if got := diagonals(t, d)[i]; !strings.HasSuffix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if all := strings.Join(d.Warnings, "\n"); !strings.Contains(all, "1 label file holds outlines (LabelMe)") || !strings.Contains(all, "classes: 1 a, 2 b") {
		t.Errorf("warnings %s", all)
	}
	var notes []string
	for _, r := range dataset.Remarks(d.Cases) {
		notes = append(notes, r.String())
	}
	for _, want := range []string{"overlap", "outside the image", "without an area"} {
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("no note on %q: %q", want, notes)
		}
	}
}

// TestOutlinesErrors refuses outlines that leave something open.
func TestOutlinesErrors(t *testing.T) {
	t.Parallel()
	picture := datasettest.Encode(t, datasettest.Grey(5, 5, 9))
	stack := datasettest.Volume(5, 5, 3, 1, func(x, y, z int) int { return x + z })
	many := make([]string, 70)
	for i := range many {
		many[i] = square(strings.Repeat("x", i+1), 0, 0)
	}
	for name, tt := range map[string]struct {
		files map[string][]byte
		want  error
		text  string
	}{
		"a shape of no class":  {map[string][]byte{"images/a.png": picture, "labels/a.json": labelMe(5, square("a", 0, 0), square("", 1, 1))}, segd.ErrFormat, "has no class"},
		"too many names":       {map[string][]byte{"images/a.png": picture, "labels/a.json": labelMe(5, many...)}, segd.ErrFormat, "classes.txt"},
		"another size":         {map[string][]byte{"images/a.png": picture, "labels/a.json": labelMe(6)}, segd.ErrFormat, "6×6"},
		"masks too":            {map[string][]byte{"images/a.png": picture, "labels/a.json": labelMe(5, square("a", 0, 0), square("b", 1, 1)), "images/b.png": picture, "labels/b.png": picture}, segd.ErrFormat, "in the order of the indices"},
		"damaged":              {map[string][]byte{"images/a.png": picture, "labels/a.json": labelMe(5)[:60]}, segd.ErrFormat, "truncated"},
		"two files":            {map[string][]byte{"images/a.png": picture, "labels/a.json": labelMe(5), "labels/a.roi": roi(0, 1, 0)}, segd.ErrFormat, "keep one"},
		"no slice":             {map[string][]byte{"images/v.nii": stack, "labels/v.roi": roi(0, 1, 0)}, segd.ErrFormat, "position"},
		"a slice too many":     {map[string][]byte{"images/v.nii": stack, "labels/v.roi": roi(0, 1, 4)}, segd.ErrFormat, "plane 4"},
		"a slice of a picture": {map[string][]byte{"images/a.png": picture, "labels/a.roi": roi(0, 1, 2)}, segd.ErrFormat, "plane 2"},
		"a name twice":         {map[string][]byte{"images/a.png": picture, "labels/a.roi": roi(0, 1, 2), "classes.txt": []byte("a\nA")}, segd.ErrFormat, "twice"},
		"no outlines":          {map[string][]byte{"images/a.png": picture, "labels/a.json": []byte(`{"a": 1}`)}, segd.ErrNotFound, ".json 1"},
	} {
		dir := t.TempDir()
		for file, b := range tt.files {
			datasettest.Put(t, dir, file, b)
		}
		d, err := dataset.Open(dir)
		if err == nil {
			_, err = d.Cases[0].ReadClasses()
		}
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, want %v with %q", name, err, tt.want, tt.text)
		}
	}
}

// TestStructureSets labels the slices of a series, and a volume of the same place, with
// RT Structure Sets.
func TestStructureSets(t *testing.T) {
	t.Parallel()
	const size = 5
	dir := t.TempDir()
	o := dicomio.Origin{Run: &dicomio.Run{Software: "test"}, Model: "test", Version: "1", Classes: []segd.Class{{Name: "background"}, {Index: 1, Name: "zone"}, {Index: 2, Name: "apex"}}}
	for i := range 3 {
		b := dicomtest.Write(datasettest.Slice("7", i, size, float64(3*i), func(x, y int) int { return 1024 + x }))
		datasettest.Put(t, dir, fmt.Sprintf("images/one/IM%d", i), b)
		s, err := dicomio.OpenSource(b)
		if err != nil {
			t.Fatal(err)
		}
		o.Sources = append(o.Sources, s)
	}
	rt, err := dicomio.NewRTStruct(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		m := segd.NewMask(size, size)
		m.Pix[i*size+i], m.Pix[4*size+4] = 1, 2
		if err := rt.AddMask(i, 0, m); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := rt.Write(&b); err != nil {
		t.Fatal(err)
	}
	datasettest.Put(t, dir, "labels/RS.dcm", b.Bytes())
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"one/IM0 10002", "one/IM1 01002", "one/IM2 00102"}; !slices.Equal(diagonals(t, d), want) || !slices.Equal(d.Classes, []string{"zone", "apex"}) {
		t.Errorf("got %q, classes %q", diagonals(t, d), d.Classes)
	}
	// The volume is flipped in its plane.
	volume := t.TempDir()
	datasettest.Put(t, volume, "images/v.nii.gz", flippedVolume(size))
	datasettest.Put(t, volume, "labels/v.dcm", b.Bytes())
	if d, err = dataset.Open(volume); err != nil {
		t.Fatal(err)
	}
	if want := []string{"v_0001 20001", "v_0002 20010", "v_0003 20100"}; !slices.Equal(diagonals(t, d), want) {
		t.Errorf("volume: %q", diagonals(t, d))
	}
	// A structure set that refers to another series is no label of this one.
	other := t.TempDir()
	datasettest.Put(t, other, "images/a.dcm", dicomtest.Write(datasettest.Slice("8", 0, size, 0, func(x, y int) int { return 1024 })))
	datasettest.Put(t, other, "labels/a.dcm", b.Bytes())
	if _, err := dataset.Open(other); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "other images") {
		t.Errorf("another series: %v", err)
	}
}

// TestOutlinesUpright turns outlines that were drawn on a photograph as its orientation
// tag shows it.
func TestOutlinesUpright(t *testing.T) {
	t.Parallel()
	// Exif data is a TIFF: one entry, orientation 6, turned by 90° clockwise.
	exif := []byte("eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	photo := datasettest.Encode(t, datasettest.Grey(4, 3, 9))
	const head = 33 // signature and IHDR
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(exif)-4))
	chunk = binary.BigEndian.AppendUint32(append(chunk, exif...), crc32.ChecksumIEEE(exif))
	photo = slices.Concat(photo[:head], chunk, photo[head:])
	const shape = `"shape_type": "rectangle", "points": [[0, 0], [1, 0]]`
	for name, file := range map[string]string{
		"labelme": `{"shapes": [{"label": "", ` + shape + `}], "imageWidth": 3, "imageHeight": 4}`,
		"coco":    `{"images": [{"id": 1, "file_name": "a.png", "width": 3, "height": 4}], "annotations": [{"image_id": 1, "segmentation": [[0, 0, 2, 1]]}]}`,
	} {
		dir := t.TempDir()
		datasettest.Put(t, dir, "images/a.png", photo)
		datasettest.Put(t, dir, "labels/a.json", []byte(file))
		d, err := dataset.Open(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s, err := d.Cases[0].ReadClasses()
		// The upper left corner of the upright picture is the lower left one as stored.
		if want := []uint8{0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}; err != nil || !slices.Equal(s.Mask.Pix, want) {
			t.Errorf("%s: %v, %v", name, s.Mask, err)
		}
	}
}

// flippedVolume is a NIfTI volume of three planes where the slices of the series lie,
// whose first voxel is their last pixel.
func flippedVolume(size int) []byte {
	v := niftitest.Volume{Width: size, Height: size, Depth: 3, Affine: [3][4]float64{{1, 0, 0, float64(1 - size)}, {0, 1, 0, float64(1 - size)}, {0, 0, 3, 0}}}
	v.Values = make([]int16, 3*size*size)
	return niftitest.Write(v)
}

// TestOutlinesPeople ignores what programs leave beside labels.
func TestOutlinesPeople(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	picture := datasettest.Encode(t, datasettest.Grey(5, 5, 9))
	datasettest.Put(t, dir, "store/a.png", picture)
	datasettest.Put(t, dir, "images/@eaDir/a.png", picture)
	datasettest.Put(t, dir, "labels/.ipynb_checkpoints/a-checkpoint.json", labelMe(5))
	datasettest.Put(t, dir, "labels/a.json", labelMe(5, square("x", 0, 0)))
	if err := os.Symlink(filepath.Join(dir, "store"), filepath.Join(dir, "images", "linked")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(filepath.Join(dir, "labels", "a.json"), filepath.Join(dir, "labels", "linked.json")); err != nil {
		t.Skip(err)
	}
	datasettest.Put(t, dir, "labels/linked/a.json", labelMe(5, square("x", 1, 1)))
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := diagonals(t, d); !slices.Equal(got, []string{"linked/a 01000"}) {
		t.Errorf("got %q", got)
	}
}
