package scanio

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/beside"
)

// among are files that lie in one folder, seen from the one called name.
func among(name string, files map[string]string) Options {
	return Options{Beside: beside.Files{Name: name, Open: func(other string) ([]byte, error) {
		b, ok := files[other]
		if !ok {
			return nil, fmt.Errorf("%w: not there", segd.ErrUnprocessable)
		}
		return []byte(b), nil
	}}}
}

// gz packs a file.
func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pairHead is an ANALYZE header of 3×2×2 voxels of a byte; with a magic that of a NIfTI pair.
func pairHead(magic string) string {
	b := make([]byte, 348)
	le := binary.LittleEndian
	le.PutUint32(b, 348)
	for i, n := range []uint16{3, 3, 2, 2} {
		le.PutUint16(b[40+2*i:], n)
	}
	le.PutUint16(b[70:], 2)
	le.PutUint16(b[72:], 8)
	copy(b[344:], magic)
	return string(b)
}

const (
	metaApart = "ObjectType = Image\nNDims = 3\nDimSize = 3 2 2\nElementType = MET_UCHAR\nElementSpacing = 2 3 4\nOffset = 5 6 7\nElementDataFile = "
	nrrdApart = "NRRD0005\ntype: uchar\ndimension: 3\nsizes: 3 2 2\nencoding: raw\nspace: LPS\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (5,6,7)\ndata file: "
)

// withField is metaApart with one more field.
func withField(field string) string { return strings.Replace(metaApart, "NDims", field+"\nNDims", 1) }

// Volumes whose header is a file of its own are read as those in one file are, as
// images and as labels, and know which files have their values.
func TestVolumesApart(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"a.raw": voxels, "a1.raw": voxels[:6], "a2.raw": voxels[6:], "late.raw": "skip" + voxels, "a.img": voxels,
		"b.img.gz": string(gz(t, []byte(voxels))), "B.IMG": voxels, "a.raw.gz": string(gz(t, []byte(voxels))), "a b.raw": voxels,
	}
	for name, tt := range map[string]struct {
		header string
		kind   Kind
		parts  []string
	}{
		"a.mhd":           {metaApart + "a.raw\n", MetaImage, []string{"a.raw"}},
		"dot.mhd":         {metaApart + "./a.raw\r\n", MetaImage, []string{"a.raw"}},
		"space.mhd":       {metaApart + "a b.raw\n", MetaImage, []string{"a b.raw"}},
		"list.mhd":        {metaApart + "LIST\na1.raw\na2.raw\n", MetaImage, []string{"a1.raw", "a2.raw"}},
		"list 2.mhd":      {metaApart + "LIST 2\na1.raw\n\na2.raw", MetaImage, []string{"a1.raw", "a2.raw"}},
		"whole list.mhd":  {metaApart + "LIST 3\na.raw\n", MetaImage, []string{"a.raw"}},
		"pattern.mhd":     {metaApart + "a%d.raw 1 2 1\n", MetaImage, []string{"a1.raw", "a2.raw"}},
		"bare.mhd":        {metaApart + "a%d.raw\n", MetaImage, []string{"a1.raw", "a2.raw"}},
		"skip.mhd":        {withField("HeaderSize = 4") + "late.raw\n", MetaImage, []string{"late.raw"}},
		"last.mhd":        {withField("HeaderSize = -1") + "late.raw\n", MetaImage, []string{"late.raw"}},
		"a.nhdr":          {nrrdApart + "a.raw\n\n", NRRD, []string{"a.raw"}},
		"end.nhdr":        {nrrdApart + "a.raw", NRRD, []string{"a.raw"}},
		"list.nhdr":       {nrrdApart + "LIST\na1.raw\na2.raw\n", NRRD, []string{"a1.raw", "a2.raw"}},
		"list 2.nhdr":     {nrrdApart + "LIST 2\na1.raw\na2.raw", NRRD, []string{"a1.raw", "a2.raw"}},
		"pattern.nhdr":    {nrrdApart + "a%d.raw 1 2 1 2\n\n", NRRD, []string{"a1.raw", "a2.raw"}},
		"skip.nhdr":       {strings.Replace(nrrdApart, "data", "byte skip: 4\ndata", 1) + "late.raw\n", NRRD, []string{"late.raw"}},
		"last.nhdr":       {strings.Replace(nrrdApart, "data", "byte skip: -1\ndata", 1) + "late.raw\n", NRRD, []string{"late.raw"}},
		"packed.nhdr":     {strings.Replace(nrrdApart, "raw", "gzip", 1) + "a.raw.gz\n", NRRD, []string{"a.raw.gz"}},
		"a.hdr":           {pairHead("ni1"), NIfTI, []string{"a.img", "a.img.gz"}},
		"b.hdr":           {pairHead("ni1"), NIfTI, []string{"b.img", "b.img.gz"}},
		"b.hdr.gz":        {string(gz(t, []byte(pairHead("ni1")))), NIfTI, []string{"b.img.gz", "b.img"}},
		"B.HDR":           {pairHead("ni1"), NIfTI, []string{"B.IMG", "B.IMG.GZ"}},
		"of 7.5/a.hdr":    {pairHead(""), NIfTI, []string{"a.img", "a.img.gz"}},
		"packed a.mhd.gz": {string(gz(t, []byte(metaApart+"a.raw\n"))), MetaImage, []string{"a.raw"}},
	} {
		o := among(filepath.Base(name), files)
		b := []byte(tt.header)
		if kind := KindOf(b); kind != tt.kind {
			t.Errorf("%s: kind %s", name, kind)
		}
		if got := Parts(o.Beside.Name, b); !slices.Equal(got, tt.parts) {
			t.Errorf("%s: parts %q, want %q", name, got, tt.parts)
		}
		path := filepath.Join(t.TempDir(), o.Beside.Name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := PartsOfFile(path); !slices.Equal(got, tt.parts) {
			t.Errorf("%s: parts of the file %q, want %q", name, got, tt.parts)
		}
		size, err := Measure(b)
		if err != nil || size.Read < 24 || size.Kept < 12 || size.Frames != 2 {
			t.Errorf("%s: measured %+v, %v", name, size, err)
		}
		s, err := ReadWith(b, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		img, err := s.Frame(1)
		if err != nil || !slices.Equal(img.Pix, []float32{6, 7, 8, 9, 10, 11}) || s.Format != string(tt.kind) {
			t.Errorf("%s: %+v, %v", name, img, err)
		}
		l, err := ReadLabelsWith(b, o)
		if err != nil {
			t.Fatal(name, err)
		}
		if m, err := l.Mask(0); err != nil || !slices.Equal(m.Pix, []uint8{0, 1, 2, 3, 4, 5}) {
			t.Errorf("%s: mask %v, %v", name, m, err)
		}
		if v, err := ReadValuesWith(b, o); err != nil || v.Frames != 2 {
			t.Errorf("%s: values %v", name, err)
		}
		// Without the files beside it, it is not half a volume.
		if _, err := Read(b); !errors.Is(err, segd.ErrUnsupported) {
			t.Errorf("%s alone: %v", name, err)
		}
		if _, err := ReadWith(b, among(o.Beside.Name, nil)); !errors.Is(err, segd.ErrUnprocessable) {
			t.Errorf("%s without its values: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"a.mha": []byte(metaHead + voxels), "a.nrrd": []byte(nrrdHead + voxels), "a.png": encodePNG(t, image.NewGray(image.Rect(0, 0, 2, 2))), "a.txt": []byte("text")} {
		if got := Parts(name, b); got != nil {
			t.Errorf("%s: parts %q", name, got)
		}
	}
	long := nrrdApart[:len(nrrdApart)-len("data file: ")] + strings.Repeat("key:=value\n", 1000) + "data file: LIST\n" + strings.Repeat("some.raw\n", 2000) + "last.raw\n"
	path := filepath.Join(t.TempDir(), "long.nhdr")
	if err := os.WriteFile(path, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := PartsOfFile(path); len(got) != 2001 || got[2000] != "last.raw" {
		t.Errorf("of a long header: %d parts", len(got))
	}
}

// What a header says of other files leads to none elsewhere, and to no more than it needs.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	asked := 0
	o := Options{Beside: beside.Files{Name: "a.hdr", Open: func(name string) ([]byte, error) {
		asked++
		if strings.ContainsAny(name, `/\`) || name == ".." {
			t.Errorf("asked for %q", name)
		}
		return []byte(voxels[:6]), nil
	}}}
	huge := strings.Replace(metaApart, "3 2 2", "16000 4000 16", 1)
	for name, tt := range map[string]struct {
		file string
		want error
	}{
		"above":                {metaApart + "../a.raw\n", segd.ErrUnsupported},
		"absolute":             {metaApart + "/etc/passwd\n", segd.ErrUnsupported},
		"of Windows":           {metaApart + "C:\\a.raw\n", segd.ErrUnsupported},
		"in a list":            {metaApart + "LIST\na.raw\n../b.raw\n", segd.ErrUnsupported},
		"in a pattern":         {metaApart + "../a%d.raw 1 2 1\n", segd.ErrUnsupported},
		"an empty list":        {metaApart + "LIST\n", segd.ErrFormat},
		"too long a list":      {metaApart + "LIST\na\nb\nc\nd\ne\n", segd.ErrFormat},
		"numbers without end":  {metaApart + "a%d.raw 1 2000000000 1\n", segd.ErrTooLarge},
		"numbers that stand":   {metaApart + "a%d.raw 1 2 0\n", segd.ErrFormat},
		"a string":             {metaApart + "a%s.raw 1 2 1\n", segd.ErrFormat},
		"no numbers":           {metaApart + "a%d.raw x y\n", segd.ErrFormat},
		"short":                {metaApart + "a.raw\n", segd.ErrFormat},
		"skips all":            {withField("HeaderSize = 100") + "a.raw\n", segd.ErrFormat},
		"skips back":           {withField("HeaderSize = -2") + "a.raw\n", segd.ErrFormat},
		"of a gigabyte":        {huge + "a.raw\n", segd.ErrFormat},
		"of many gigabytes":    {strings.Replace(metaApart, "3 2 2", "16000 4000 16000", 1) + "a.raw\n", segd.ErrTooLarge},
		"packed":               {strings.Replace(huge, "NDims", "CompressedData = True\nNDims", 1) + "a.raw\n", segd.ErrFormat},
		"nrrd, above":          {nrrdApart + "../a.raw\n\n", segd.ErrUnsupported},
		"nrrd, an empty list":  {nrrdApart + "LIST\n", segd.ErrFormat},
		"nrrd, in a list":      {nrrdApart + "LIST\n/a.raw\nb.raw\n", segd.ErrUnsupported},
		"nrrd, a long pattern": {nrrdApart + "a%d.raw 0 99999999 1\n\n", segd.ErrTooLarge},
		"nrrd, short":          {nrrdApart + "a.raw\n\n", segd.ErrFormat},
		"nifti, short":         {pairHead("ni1"), segd.ErrFormat},
		"analyze, short":       {pairHead(""), segd.ErrFormat},
	} {
		asked = 0
		if s, err := ReadWith([]byte(tt.file), o); !errors.Is(err, tt.want) || asked > 2 {
			t.Errorf("%s: %v, %v, want %v; asked %d times", name, s, err, tt.want, asked)
		}
		_ = Parts("a.hdr", []byte(tt.file))
	}
}

// A gzip file is what it holds, of any format.
func TestInGzip(t *testing.T) {
	t.Parallel()
	for kind, b := range map[Kind][]byte{
		PNG: encodePNG(t, image.NewGray(image.Rect(0, 0, 3, 2))), TIFF: encodeTIFF(t, image.NewGray(image.Rect(0, 0, 3, 2))),
		PNM: []byte("P5 3 2 255\n\x00\x00\x00\x00\x00\x00"), NRRD: []byte(nrrdHead + voxels), MetaImage: []byte(metaHead + voxels), MGH: mghFile(nil), DICOM: dicomtest.Write(dicomtest.Disc(8)),
	} {
		packed := gz(t, b)
		if got := KindOf(packed); got != kind {
			t.Errorf("%s: kind %s", kind, got)
		}
		want, err := Read(b)
		if err != nil {
			t.Fatal(kind, err)
		}
		for name, file := range map[string][]byte{"plain": packed, "padded": append(slices.Clone(packed), 0, 0, 0)} {
			got, err := Read(file)
			if err != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
				continue
			}
			x, _ := want.Frame(0)
			y, err := got.Frame(0)
			if err != nil || !slices.Equal(x.Pix, y.Pix) || got.Format != want.Format || !slices.Equal(got.Steps, want.Steps) {
				t.Errorf("%s, %s: %+v, %v", kind, name, got, err)
			}
		}
		plain, err := Inflate(packed)
		if err != nil || kind != MGH && !bytes.Equal(plain, b) || kind == MGH && !bytes.Equal(plain, packed) {
			t.Errorf("%s: unpacked %d bytes, %v", kind, len(plain), err)
		}
		alone, err := Measure(b)
		size, e := Measure(packed)
		if own := int64(len(b)); kind == MGH && size != alone || kind != MGH && (size.Read != alone.Read+own || size.Kept != alone.Kept+own) || err != nil || e != nil {
			t.Errorf("%s: measured %+v, plain %+v, %v, %v", kind, size, alone, err, e)
		}
		if n, err := Frames(packed); err != nil || n != 1 {
			t.Errorf("%s: %d frames, %v", kind, n, err)
		}
		if _, err := Read(packed[:len(packed)-9]); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s, cut: %v", kind, err)
		}
	}
	if m, err := ReadMask(gz(t, encodePNG(t, image.NewGray(image.Rect(0, 0, 3, 2))))); err != nil || m.Width != 3 {
		t.Errorf("a mask: %v", err)
	}
	for name, file := range map[string][]byte{"text": gz(t, []byte("text")), "in another": gz(t, gz(t, []byte(nrrdHead+voxels)))} {
		if _, err := Read(file); !errors.Is(err, segd.ErrUnsupported) || !strings.Contains(err.Error(), "gzip") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A small gzip file that holds more than a file may is refused within a second, and one
// that holds much of nothing as well.
func TestGzipBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks 256 MiB")
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(encodePNG(t, image.NewGray(image.Rect(0, 0, 3, 2)))[:40]) // a buffer takes all
	zeros := make([]byte, 1<<20)
	for range segd.MaxFile/len(zeros) + 1 {
		_, _ = z.Write(zeros)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := Read(packed.Bytes()); !errors.Is(err, segd.ErrTooLarge) {
		t.Errorf("read: %v", err)
	}
	if _, err := Measure(packed.Bytes()); !errors.Is(err, segd.ErrTooLarge) {
		t.Errorf("measured: %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	t.Logf("%d bytes, %v for both", packed.Len(), time.Since(start))
}

// FuzzApart reads any header beside any file.
func FuzzApart(f *testing.F) {
	for _, header := range []string{metaApart + "a.raw\n", metaApart + "LIST\na\nb\n", metaApart + "a%03d 1 2 1\n", metaApart + "a%d 0 9223372036854775807 1\n", nrrdApart + "a.raw\n\n", nrrdApart + "LIST\na\nb", nrrdApart + "a%d 1 2 1\n", pairHead("ni1"), pairHead("")} {
		f.Add([]byte(header), []byte(voxels))
	}
	f.Fuzz(func(t *testing.T, header, values []byte) {
		size, err := Measure(header)
		if err != nil || size.Read > 64<<20 {
			return
		}
		_ = Parts("a.hdr", header)
		s, err := ReadWith(header, Options{Beside: beside.Files{Name: "a.hdr", Open: func(name string) ([]byte, error) {
			if strings.ContainsAny(name, `/\`) {
				t.Fatalf("asked for %q", name)
			}
			return values, nil
		}}})
		if err != nil {
			for _, kind := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported, segd.ErrUnprocessable} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Fatal(err)
		}
		_, _ = s.Frame(0)
	})
}
