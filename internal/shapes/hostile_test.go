package shapes

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"segd"
)

// TestHostile refuses files that lie, within bounds of time and memory.
func TestHostile(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 20000)
	for name, tt := range map[string]struct {
		file string
		want error
	}{
		"empty":                       {"", segd.ErrFormat},
		"truncated":                   {`{"shapes": [`, segd.ErrFormat},
		"deep":                        {qupath(`{"type": "Polygon", "coordinates": ` + deep + strings.Repeat("]", 20000) + `}`), segd.ErrFormat},
		"other json":                  {`{"name": "a"}`, segd.ErrUnsupported},
		"list of numbers":             {`[1, 2]`, segd.ErrFormat},
		"list of objects":             {`[{"a": 1}]`, segd.ErrUnsupported},
		"coordinates of text":         {labelMe("polygon", `[["a", "b"], [1, 2], [3, 4]]`), segd.ErrFormat},
		"a point of one number":       {labelMe("polygon", `[[1], [1, 2], [3, 4]]`), segd.ErrFormat},
		"two points":                  {labelMe("polygon", `[[1, 2], [3, 4]]`), segd.ErrFormat},
		"far away":                    {labelMe("polygon", `[[1e300, 1], [1, 2], [3, 4]]`), segd.ErrFormat},
		"unknown shape":               {labelMe("blob", `[[1, 1], [1, 2], [3, 4]]`), segd.ErrFormat},
		"mask that is none":           {`{"shapes": [{"shape_type": "mask", "points": [[1, 1]], "mask": "AAAA"}]}`, segd.ErrFormat},
		"points deeper than expected": {qupath(`{"type": "Polygon", "coordinates": [[[[1, 2]]]]}`), segd.ErrFormat},
		"geometry of no kind":         {qupath(`{"type": "Blob", "coordinates": []}`), segd.ErrFormat},
		"polygon of no coordinates":   {qupath(`{"type": "Polygon"}`), segd.ErrFormat},
		"runs, too few":               {coco(`{"size": [7, 7], "counts": [8, 4]}`), segd.ErrFormat},
		"runs, too many":              {coco(`{"size": [7, 7], "counts": [8, 400]}`), segd.ErrFormat},
		"runs, negative":              {coco(`{"size": [7, 7], "counts": [-8, 57]}`), segd.ErrFormat},
		"runs without size":           {coco(`{"counts": [8, 4]}`), segd.ErrFormat},
		"runs, text cut":              {coco(`{"size": [7, 7], "counts": "o"}`), segd.ErrFormat},
		"runs, text too long":         {coco(`{"size": [7, 7], "counts": "` + strings.Repeat("o", 40) + `0"}`), segd.ErrFormat},
		"odd polygon":                 {coco(`[[1, 2, 3, 4, 5, 6, 7]]`), segd.ErrFormat},
		"image of no list":            {`{"images": [], "annotations": [{"image_id": 1}]}`, segd.ErrFormat},
		"category of no list":         {`{"images": [{"id": 1}], "annotations": [{"image_id": 1, "category_id": 4}]}`, segd.ErrFormat},
		"two images of one id":        {`{"images": [{"id": 1}, {"id": 1}], "annotations": []}`, segd.ErrFormat},
		"many numbers":                {labelMe("polygon", "["+strings.Repeat("[1,1],", maxNumbers/2)+"[1,1]]"), segd.ErrTooLarge},
		"many objects":                {`{"shapes": [` + strings.Repeat("{},", maxObjects) + "{}]}", segd.ErrTooLarge},
		"roi, short":                  {"Iout\x00\xe3", segd.ErrFormat},
		"roi, points lie":             {string(roiBytes(roiPolygon, 0, 0, 9, 9, nil, func(b []byte) { b[roiCount] = 255 })), segd.ErrFormat},
		"roi, 2 G points":             {string(roiBytes(roiPolygon, 0, 0, 9, 9, nil, func(b []byte) { b[roiCount32] = 0x7f })), segd.ErrFormat},
		"roi, path lies":              {string(roiBytes(roiRect, 0, 0, 9, 9, nil, func(b []byte) { b[roiShapeSize] = 0x7f })), segd.ErrFormat},
		"roi, path of no kind":        {string(roiBytes(roiRect, 0, 0, 9, 9, []Point{{X: 1e4, Y: 1e4}}, func(b []byte) { b[roiShapeSize+3] = 1 })), segd.ErrFormat},
		"roi, round corners":          {string(roiBytes(roiRect, 0, 0, 9, 9, nil, func(b []byte) { b[roiArc+1] = 9 })), segd.ErrUnsupported},
		"archive, damaged":            {"PK\x03\x04a.roi", segd.ErrFormat},
		"archive without rois":        {string(archived(t, "a.txt", 1, 10)), segd.ErrUnsupported},
		"archive, bomb":               {string(archived(t, "%d.roi", 40, 1<<20)), segd.ErrTooLarge},
	} {
		_, err := Read([]byte(tt.file))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// archived zips files that begin as a ROI, followed by zeros.
func archived(t *testing.T, name string, n, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range n {
		if strings.Contains(name, "%d") {
			name = fmt.Sprintf("%d.roi", i)
		}
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(append(roiBytes(roiRect, 0, 0, 1, 1, nil, nil), make([]byte, size)...))
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, ".roi") {
			name = "%d.roi"
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestHostileDrawing bounds the time of drawing.
func TestHostileDrawing(t *testing.T) {
	t.Parallel()
	zigzag := make([]Point, 1<<20)
	for i := range zigzag {
		zigzag[i] = Point{X: float64(i % 100), Y: float64(i % 2 * 16000)}
	}
	whole := many{}
	for range 100_000 {
		whole = append(whole, box{0, 0, 4096, 4096})
	}
	for name, a := range map[string]area{
		"zigzag":       rings{zigzag},
		"covers":       whole,
		"long walk":    cocoPolygon{{X: -maxCoordinate, Y: 0}, {X: maxCoordinate, Y: 1}, {X: 0, Y: maxCoordinate}},
		"giant circle": disc{pixel{-1 << 20, -1 << 20}, pixel{1 << 20, 1 << 20}},
	} {
		p := Picture{Shapes: []Shape{{area: a}}}
		if _, _, err := p.Paint(4096, 4096, nil, one); !errors.Is(err, segd.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	far := labelMe("polygon", `[[-99999999, -99999999], [99999999, -99999999], [99999999, 99999999], [-99999999, 99999999]]`)
	if m := paint(t, []byte(far), 7, 7); strings.Contains(rows(m), ".") {
		t.Errorf("a square around the image: %s", rows(m))
	}
}

// FuzzShapes looks for panics, errors of no kind, and pixels outside the image.
func FuzzShapes(f *testing.F) {
	for _, s := range []string{
		labelMe("polygon", "[[1, 1], [5, 1], [5, 5.5]]"), labelMe("circle", "[[3, 3], [3, 1]]"), labelMe("rectangle", "[[3, 3], [3, 1]]"),
		coco("[[1, 1, 5, 1, 5, 5.5]]"), coco(`{"size": [7, 7], "counts": [8, 41]}`), coco(`{"size": [7, 7], "counts": "8Y1"}`),
		qupath(`{"type": "Polygon", "coordinates": [[[1, 1], [5, 1], [5, 5]]]}`), qupath(`{"type": "Polygon", "isEllipse": true, "coordinates": [[[1, 1], [5, 1], [5, 5]]]}`),
		string(roiBytes(roiPolygon, 1, 1, 5, 5, []Point{{X: 1, Y: 1}, {X: 4, Y: 1}, {X: 4, Y: 4}}, nil)), string(composite([]Point{{X: 1, Y: 1}, {X: 4, Y: 1}, {X: 4, Y: 4}})),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		known := func(err error) {
			for _, kind := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Fatal(err)
		}
		file, err := Read(b)
		if err != nil {
			known(err)
			return
		}
		for i := range file.Pictures {
			if p := &file.Pictures[i]; len(p.Shapes) < 100 {
				p.Width, p.Height = 0, 0
				if _, _, err := p.Paint(7, 7, nil, one); err != nil {
					known(err)
				}
			}
		}
	})
}
