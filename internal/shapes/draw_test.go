package shapes

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/internal/outline"
)

// paint reads a file and draws its last picture.
func paint(t *testing.T, file []byte, w, h int) *segd.Mask {
	t.Helper()
	f, err := Read(file)
	if err != nil {
		t.Fatalf("%v: %.80s", err, file)
	}
	m, _, err := f.Pictures[len(f.Pictures)-1].Paint(w, h, nil, one)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rows formats a mask, a text for each row.
func rows(m *segd.Mask) string {
	var b strings.Builder
	for i, v := range m.Pix {
		if i > 0 && i%m.Width == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(".123456789"[v])
	}
	return b.String()
}

// labelMe returns a file of LabelMe with one shape.
func labelMe(kind, points string) string {
	return `{"shapes": [{"label": "a", "shape_type": "` + kind + `", "points": ` + points + `}], "imagePath": "a.png", "imageWidth": 7, "imageHeight": 7}`
}

// coco returns a file of COCO with one annotation on an image of 7×7 pixels.
func coco(segmentation string) string {
	return `{"images": [{"id": 1, "file_name": "a.png", "width": 7, "height": 7}], "categories": [{"id": 1, "name": "a"}], "annotations": [{"image_id": 1, "category_id": 1, "segmentation": ` + segmentation + `}]}`
}

// qupath returns a file of QuPath with one annotation.
func qupath(geometry string) string {
	return `{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": ` + geometry + `, "properties": {"objectType": "annotation", "classification": "a"}}]}`
}

// roiBytes writes a ROI (RoiEncoder of ImageJ).
func roiBytes(kind byte, top, left, bottom, right int, points []Point, set func(b []byte)) []byte {
	b := make([]byte, roiCoordinates+4*len(points))
	copy(b, "Iout")
	put := func(at, v int) { binary.BigEndian.PutUint16(b[at:], uint16(v)) }
	put(roiVersion, 227)
	b[roiType] = kind
	for i, v := range []int{top, left, bottom, right} {
		put(roiBounds+2*i, v)
	}
	put(roiCount, len(points))
	for i, p := range points {
		put(roiCoordinates+2*i, int(p.X)-left)
		put(roiCoordinates+2*(len(points)+i), int(p.Y)-top)
	}
	if set != nil {
		set(b)
	}
	return b
}

// composite writes a ROI with a path of rings.
func composite(rings ...[]Point) []byte {
	var path []float32
	for _, r := range rings {
		for i, p := range r {
			path = append(path, float32(min(i, 1)), float32(p.X), float32(p.Y))
		}
		path = append(path, pathClose)
	}
	b := roiBytes(roiRect, 0, 0, 9, 9, nil, func(b []byte) { binary.BigEndian.PutUint32(b[roiShapeSize:], uint32(len(path))) })
	for _, v := range path {
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// TestRules draws the same outlines by the rule of each program.
func TestRules(t *testing.T) {
	t.Parallel()
	const square = "[[1, 1], [5, 1], [5, 5], [1, 5]]"
	corners := []Point{{X: 1, Y: 1}, {X: 5, Y: 1}, {X: 5, Y: 5}, {X: 1, Y: 5}}
	const four = "....... .1111.. .1111.. .1111.. .1111.. ....... ......."
	const five = "....... .11111. .11111. .11111. .11111. .11111. ......."
	var mask bytes.Buffer
	if err := png.Encode(&mask, &image.Gray{Pix: []byte{1, 0, 0, 9}, Stride: 2, Rect: image.Rect(0, 0, 2, 2)}); err != nil {
		t.Fatal(err)
	}
	half := roiBytes(roiPolygon, 0, 0, 7, 7, make([]Point, 4), func(b []byte) { b[roiOptions+1] = roiSubPixel })
	for _, k := range [][]float32{{1.5, 4.5, 4.5, 1.5}, {1.5, 1.5, 4.5, 4.5}} { // corners on centres
		for _, v := range k {
			half = binary.BigEndian.AppendUint32(half, math.Float32bits(v))
		}
	}
	for name, tt := range map[string]struct {
		file string
		want string
	}{
		"coco":                {coco("[[1, 1, 5, 1, 5, 5, 1, 5]]"), four},
		"coco, box":           {coco("[[1, 1, 4, 4]]"), four},
		"coco, union":         {coco("[[1, 1, 5, 1, 5, 3, 1, 3], [1, 2, 5, 2, 5, 5, 1, 5]]"), four},
		"coco, run lengths":   {coco(`{"size": [7, 7], "counts": [8, 4, 3, 4, 3, 4, 3, 4, 16]}`), four},
		"labelme":             {labelMe("polygon", square), five},
		"labelme, closed":     {labelMe("polygon", "[[1, 1], [5, 1], [5, 5], [1, 5], [1, 1]]"), five},
		"labelme, fractions":  {labelMe("polygon", "[[1.9, 1.2], [5.5, 1.9], [5.9, 5], [1.1, 5.7]]"), five},
		"labelme, rectangle":  {labelMe("rectangle", "[[5, 5], [1, 1]]"), five},
		"labelme, circle":     {labelMe("circle", "[[3, 3], [3, 1]]"), "....... ..111.. .11111. .11111. .11111. ..111.. ......."},
		"labelme, mask":       {`{"shapes": [{"label": "a", "shape_type": "mask", "points": [[2, 3], [3, 4]], "mask": "` + base64.StdEncoding.EncodeToString(mask.Bytes()) + `"}]}`, "....... ....... ....... ..1.... ...1... ....... ......."},
		"qupath":              {qupath(`{"type": "Polygon", "coordinates": [` + square + `]}`), four},
		"qupath, hole":        {qupath(`{"type": "Polygon", "coordinates": [` + square + `, [[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]]}`), "....... .1111.. .1.11.. .1111.. .1111.. ....... ......."},
		"qupath, two":         {qupath(`{"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 1], [0, 1]]], [[[6, 6], [7, 6], [7, 7], [6, 7]]]]}`), "1...... ....... ....... ....... ....... ....... ......1"},
		"qupath, collection":  {qupath(`{"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 1]}, {"type": "Polygon", "coordinates": [` + square + `]}]}`), four},
		"qupath, ellipse":     {qupath(`{"type": "Polygon", "isEllipse": true, "coordinates": [[[1, 3], [3, 1], [5, 3], [3, 5]]]}`), "....... ..11... .1111.. .1111.. ..11... ....... ......."},
		"imagej":              {string(roiBytes(roiPolygon, 1, 1, 5, 5, corners, nil)), four},
		"imagej, rectangle":   {string(roiBytes(roiRect, 1, 1, 5, 5, nil, nil)), four},
		"imagej, oval":        {string(roiBytes(roiOval, 1, 1, 5, 5, nil, nil)), "....... ..11... .1111.. .1111.. ..11... ....... ......."},
		"imagej, on centres":  {string(half), "....... ....... ..111.. ..111.. ..111.. ....... ......."}, // out at the left and top
		"imagej, composite":   {string(composite(corners, []Point{{X: 2, Y: 2}, {X: 3, Y: 2}, {X: 3, Y: 3}, {X: 2, Y: 3}})), "....... .1111.. .1.11.. .1111.. .1111.. ....... ......."},
		"imagej, beside left": {string(roiBytes(roiRect, -3, -3, 2, 2, nil, nil)), "11..... 11..... ....... ....... ....... ....... ......."},
	} {
		if got := rows(paint(t, []byte(tt.file), 7, 7)); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tt.want)
		}
	}
}

// TestRoundTrip writes the rings of random masks, along the edges of pixels, in each
// format, and reads the same masks.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		m := segd.NewMask(1+rng.IntN(20), 1+rng.IntN(20))
		share := rng.Float64()
		for i := range m.Pix {
			if rng.Float64() < share {
				m.Pix[i] = 1
			}
		}
		var polygons [][][]Point
		var all [][]Point
		var zipped bytes.Buffer
		z := zip.NewWriter(&zipped)
		for i, p := range outline.Trace(m, 1) {
			list := [][]Point{p.Outer}
			for _, h := range p.Holes {
				list = append(list, h)
			}
			polygons, all = append(polygons, list), append(all, list...)
			w, err := z.Create(fmt.Sprintf("%04d.roi", i))
			if err == nil {
				_, err = w.Write(composite(list...))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(all) == 0 {
			continue
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		for name, file := range map[string][]byte{
			"geojson":     []byte(qupath(`{"type": "MultiPolygon", "coordinates": ` + text(t, polygons) + `}`)),
			"roi":         composite(all...),
			"roi archive": zipped.Bytes(),
			"coco": []byte(fmt.Sprintf(`{"images": [{"id": 1, "width": %d, "height": %d}], "annotations": [{"image_id": 1, "segmentation": {"size": [%d, %d], "counts": "%s"}}]}`,
				m.Width, m.Height, m.Height, m.Width, strings.ReplaceAll(pack(m), `\`, `\\`))),
		} {
			if got := paint(t, file, m.Width, m.Height); !slices.Equal(got.Pix, m.Pix) {
				t.Fatalf("%s: got %s want %s", name, rows(got), rows(m))
			}
		}
		// Polygons of COCO have no holes.
		full := segd.NewMask(m.Width, m.Height)
		var shells []string
		for _, p := range polygons {
			var flat []float64
			for _, q := range p[0] {
				flat = append(flat, q.X, q.Y)
			}
			b, err := json.Marshal(flat)
			if err != nil {
				t.Fatal(err)
			}
			shells = append(shells, string(b))
			if err := (rings{p[0]}).draw(&canvas{mask: full, value: 1, left: leastWork}); err != nil {
				t.Fatal(err)
			}
		}
		file := fmt.Sprintf(`{"images": [{"id": 1}], "annotations": [{"image_id": 1, "segmentation": [%s]}]}`, strings.Join(shells, ","))
		if got := paint(t, []byte(file), m.Width, m.Height); !slices.Equal(got.Pix, full.Pix) {
			t.Fatalf("coco polygons: got %s want %s", rows(got), rows(full))
		}
	}
}

// text formats polygons as coordinates.
func text(t *testing.T, polygons [][][]Point) string {
	t.Helper()
	var list [][][][2]float64
	for _, p := range polygons {
		var rings [][][2]float64
		for _, r := range p {
			var ring [][2]float64
			for _, q := range r {
				ring = append(ring, [2]float64{q.X, q.Y})
			}
			rings = append(rings, append(ring, ring[0]))
		}
		list = append(list, rings)
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pack writes run lengths as pycocotools does.
func pack(m *segd.Mask) string {
	var counts []int
	last, n := uint8(0), 0
	for x := range m.Width {
		for y := range m.Height {
			if v := m.Pix[y*m.Width+x]; v != last {
				counts, last, n = append(counts, n), v, 0
			}
			n++
		}
	}
	counts = append(counts, n)
	var b []byte
	for i, v := range counts {
		if i > 2 {
			v -= counts[i-2]
		}
		for more := true; more; {
			c := v & 31
			v >>= 5
			if more = c&16 != 0 && v != -1 || c&16 == 0 && v != 0; more {
				c |= 32
			}
			b = append(b, byte(c+48))
		}
	}
	return string(b)
}
