package scanio

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"segd/internal/orient"
	"segd/internal/pythontest"
)

// exif is the Exif data of an orientation, behind another tag.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II")
	if order.AppendUint16(nil, 1)[0] == 0 {
		b = []byte("MM")
	}
	b = order.AppendUint32(order.AppendUint16(b, 42), 8)
	b = order.AppendUint16(b, 2)
	b = order.AppendUint32(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 256), 4), 1), 640)
	b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 274), 3), 1)
	return order.AppendUint32(order.AppendUint16(order.AppendUint16(b, orientation), 0), 0)
}

// withChunk is a PNG with one more chunk behind its header.
func withChunk(png []byte, kind string, data []byte) []byte {
	body := append([]byte(kind), data...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	chunk = binary.BigEndian.AppendUint32(append(chunk, body...), crc32.ChecksumIEEE(body))
	return bytes.Join([][]byte{png[:33], chunk, png[33:]}, nil)
}

// withSegment is a JPEG with one more segment at its beginning.
func withSegment(jpg []byte, marker byte, data []byte) []byte {
	head := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2))
	return bytes.Join([][]byte{jpg[:2], head, data, jpg[2:]}, nil)
}

func jpegOf(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 12, 8)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What files say of how they are to be shown is told, and the pixels stay as they are
// stored.
func TestShown(t *testing.T) {
	t.Parallel()
	png, jpg := encodePNG(t, image.NewGray(image.Rect(0, 0, 12, 8))), jpegOf(t)
	le, be := binary.LittleEndian, binary.BigEndian
	density := func(x, y uint32, unit byte) []byte { return append(be.AppendUint32(be.AppendUint32(nil, x), y), unit) }
	jfif := func(x, y uint16, unit byte) []byte {
		return append(be.AppendUint16(be.AppendUint16([]byte{'J', 'F', 'I', 'F', 0, 1, 2, unit}, x), y), 0, 0)
	}
	inJPEG := func(b []byte) []byte { return append([]byte("Exif\x00\x00"), b...) }
	long := exif(le, 6)
	long[26-2] = 4 // the type of the orientation: LONG
	loop := exif(le, 6)
	loop[4], loop[8], loop[9] = 8, 0xff, 0xff
	for name, tt := range map[string]struct {
		file        []byte
		orientation int
		aspect      float64
		step        string
	}{
		"plain png":           {png, 0, 0, ""},
		"plain jpeg":          {jpg, 0, 0, ""},
		"png":                 {withChunk(png, "eXIf", exif(le, 6)), 6, 0, "to be shown turned by 90° clockwise (orientation 6)"},
		"png, big endian":     {withChunk(png, "eXIf", exif(be, 8)), 8, 0, "to be shown turned by 90° anticlockwise (orientation 8)"},
		"png, upright":        {withChunk(png, "eXIf", exif(le, 1)), 1, 0, ""},
		"png, with a name":    {withChunk(png, "eXIf", inJPEG(exif(le, 3))), 3, 0, "turned by 180°"},
		"png, gzip":           {gz(t, withChunk(png, "eXIf", exif(le, 6))), 6, 0, "orientation 6"},
		"jpeg":                {withSegment(jpg, 0xe1, inJPEG(exif(le, 2))), 2, 0, "mirrored from left to right"},
		"jpeg, behind JFIF":   {withSegment(withSegment(jpg, 0xe1, inJPEG(exif(be, 7))), 0xe0, jfif(72, 72, 1)), 7, 0, "rows and columns exchanged"},
		"jpeg, behind XMP":    {withSegment(withSegment(jpg, 0xe1, inJPEG(exif(be, 4))), 0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00")), 4, 0, "top to bottom"},
		"no such orientation": {withChunk(png, "eXIf", exif(le, 9)), 0, 0, ""},
		"nor that one":        {withChunk(png, "eXIf", exif(le, 0)), 0, 0, ""},
		"another type":        {withChunk(png, "eXIf", long), 0, 0, ""},
		"many entries":        {withChunk(png, "eXIf", loop), 6, 0, "orientation 6"},
		"no entries":          {withChunk(png, "eXIf", exif(le, 6)[:9]), 0, 0, ""},
		"cut":                 {withChunk(png, "eXIf", exif(le, 6)[:30]), 0, 0, ""},
		"elsewhere":           {withChunk(png, "eXIf", append([]byte("II*\x00\xff\xff\xff\xff"), exif(le, 6)[8:]...)), 0, 0, ""},
		"nothing":             {withChunk(png, "eXIf", nil), 0, 0, ""},
		"square":              {withChunk(png, "pHYs", density(2835, 2835, 1)), 0, 0, ""},
		"nearly square":       {withChunk(png, "pHYs", density(2835, 2834, 1)), 0, 0, ""},
		"high":                {withChunk(png, "pHYs", density(3000, 2000, 1)), 0, 1.5, "1.5 times as high as wide; they are taken as square"},
		"wide, no unit":       {withChunk(png, "pHYs", density(1, 2, 0)), 0, 0.5, "0.5 times as high"},
		"no density":          {withChunk(png, "pHYs", density(0, 2, 0)), 0, 0, ""},
		"jpeg, high":          {withSegment(jpg, 0xe0, jfif(4, 3, 0)), 0, 4.0 / 3, "1.333 times as high"},
		"jpeg, in inches":     {withSegment(jpg, 0xe0, jfif(204, 98, 1)), 0, 204.0 / 98, "2.082 times"},
		"jpeg, square":        {withSegment(jpg, 0xe0, jfif(1, 1, 0)), 0, 0, ""},
	} {
		s, err := Read(tt.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		steps := strings.Join(s.Steps, "; ")
		if s.Orientation != tt.orientation || math.Abs(s.Aspect-tt.aspect) > 1e-9 || s.Width != 12 || s.Height != 8 ||
			!strings.Contains(steps, tt.step) || tt.step == "" && (strings.Contains(steps, "shown") || strings.Contains(steps, "times as")) {
			t.Errorf("%s: orientation %d, aspect %g, steps %q", name, s.Orientation, s.Aspect, steps)
		}
	}
}

// TestShownByPillow compares what Pillow shows of files of all orientations.
func TestShownByPillow(t *testing.T) {
	const modules = "numpy, PIL"
	python := pythontest.Find(modules)
	if python == "" {
		t.Skipf("no Python with %s; SEGD_PYTHON names an interpreter", modules)
	}
	dir := t.TempDir()
	if out, err := exec.Command(python, filepath.Join("testdata", "shown.py"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 3*8+2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		path := strings.TrimSuffix(file, ".json")
		var want struct {
			Orientation int
			Aspect      float64
			Width       int
			Pixels      []float64
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &want)
		}
		b, e := os.ReadFile(path)
		if err != nil || e != nil {
			t.Fatal(err, e)
		}
		s, err := Read(b)
		if err != nil || s.Orientation != want.Orientation || math.Abs(s.Aspect-want.Aspect) > 1e-3 {
			t.Errorf("%s: %+v, %v", filepath.Base(path), s, err)
			continue
		}
		img, err := orient.UprightScan(s).Frame(0)
		if err != nil || img.Width != want.Width || len(img.Pix) != len(want.Pixels) {
			t.Errorf("%s: %+v, %v", filepath.Base(path), img, err)
			continue
		}
		for i, v := range want.Pixels {
			if math.Abs(float64(img.Pix[i])-v) > 4 { // of lossy files
				t.Errorf("%s: pixel %d is %g, want %g", filepath.Base(path), i, img.Pix[i], v)
				break
			}
		}
	}
}

// FuzzShown reads any bytes as what each format says of how it is to be shown.
func FuzzShown(f *testing.F) {
	png, jpg := encodePNG(f, image.NewGray(image.Rect(0, 0, 3, 2))), jpegOf(f)
	f.Add(exif(binary.LittleEndian, 6))
	f.Add(withChunk(png, "eXIf", exif(binary.BigEndian, 6)))
	f.Add(withSegment(jpg, 0xe1, append([]byte("Exif\x00\x00"), exif(binary.BigEndian, 6)...)))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPEXIF\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, read := range map[string]func([]byte) (int, float64){"jpeg": shownJPEG, "png": shownPNG, "webp": shownWebP} {
			if o, a := read(b); o < 0 || o > 8 || !(a >= 0) || math.IsInf(a, 0) {
				t.Error(name, fmt.Sprint(o, a))
			}
		}
		if o := exifOrientation(b); o < 0 || o > 8 {
			t.Error(o)
		}
	})
}
