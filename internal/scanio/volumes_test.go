package scanio

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/internal/beside"
	"segd/internal/nifti"
	"segd/internal/pythontest"
)

// TestVolumes reads what SimpleITK, pynrrd and nibabel write, and compares each voxel and
// where it lies with what SimpleITK and nibabel read.
func TestVolumes(t *testing.T) {
	const modules = "numpy, SimpleITK, nrrd, nibabel"
	python := pythontest.Find(modules)
	if python == "" {
		t.Skipf("no Python with %s; SEGD_PYTHON names an interpreter", modules)
	}
	dir := t.TempDir()
	if out, err := exec.Command(python, filepath.Join("testdata", "volumes.py"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		path := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(path), func(t *testing.T) {
			var want struct {
				Shape  [4]int
				Affine *segd.Affine
			}
			text, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(text, &want)
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(path + ".raw")
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Beside: inFolder(path)}
			wantPixels(t, b, o, want.Shape, raw, 0)
			s, err := ReadWith(b, o)
			if err != nil {
				t.Fatal(err)
			}
			if want.Affine == nil {
				return
			}
			if s.Affine == nil {
				t.Fatal("it is not known where it lies")
			}
			for r := range 3 {
				for c := range 4 {
					if d := math.Abs(s.Affine[r][c] - want.Affine[r][c]); d > 1e-5*max(1, math.Abs(want.Affine[r][c])) {
						t.Errorf("affine %v, want %v", *s.Affine, *want.Affine)
						return
					}
				}
			}
		})
	}
	t.Logf("%d files", len(files))
}

// inFolder are the files beside the one at path.
func inFolder(path string) beside.Files {
	return beside.Files{Name: filepath.Base(path), Open: func(name string) ([]byte, error) {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			err = fmt.Errorf("%w: not there", segd.ErrUnprocessable)
		}
		return b, err
	}}
}

const (
	nrrdHead = "NRRD0005\ntype: uchar\ndimension: 3\nsizes: 3 2 2\nencoding: raw\nspace: LPS\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (5,6,7)\n\n"
	metaHead = "ObjectType = Image\nNDims = 3\nDimSize = 3 2 2\nElementType = MET_UCHAR\nElementSpacing = 2 3 4\nOffset = 5 6 7\nElementDataFile = LOCAL\n"
	voxels   = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"
)

// TestVolumeFiles reads a small file of each format, as an image and as labels.
func TestVolumeFiles(t *testing.T) {
	for kind, file := range map[Kind]string{NRRD: nrrdHead + voxels, MetaImage: metaHead + voxels} {
		s, err := Read([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		want := segd.Affine{{2, 0, 0, 5}, {0, 3, 0, 6}, {0, 0, 4, 7}}
		if s.Format != string(kind) || s.Affine == nil || *s.Affine != want || s.Depth != 2 || !kind.IsVolume() || nifti.HeaderOf(s) == nil {
			t.Errorf("%s: %+v", kind, s)
		}
		img, err := s.Frame(1)
		if err != nil || !slices.Equal(img.Pix, []float32{6, 7, 8, 9, 10, 11}) || img.Spacing.RowMM != 3 || img.Spacing.ColMM != 2 {
			t.Errorf("%s: %+v, %v", kind, img, err)
		}
		l, err := ReadLabels([]byte(file))
		if err != nil || l.Volume == nil {
			t.Fatal(err)
		}
		if m, err := l.Mask(0); err != nil || !slices.Equal(m.Pix, []uint8{0, 1, 2, 3, 4, 5}) {
			t.Errorf("%s: mask %v, %v", kind, m, err)
		}
	}
	digits := strings.Replace(strings.Replace(nrrdHead, "raw", "hex", 1), "uchar", "short", 1) + strings.Repeat("0180 ", 12)
	s, err := Read([]byte(strings.Replace(digits, "\n\n", "\nendian: little\n\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if img, err := s.Frame(0); err != nil || img.Pix[0] != float32(int16(math.MinInt16+1)) {
		t.Errorf("hexadecimal digits: %v, %v", img, err)
	}
}

// TestHostileVolumes refuses headers that lie, without taking memory for them.
func TestHostileVolumes(t *testing.T) {
	change := func(file, old, with string) string {
		t.Helper()
		if !strings.Contains(file, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(file, old, with, 1)
	}
	for name, tt := range map[string]struct {
		file string
		want error
	}{
		"nrrd, truncated":            {nrrdHead + voxels[1:], segd.ErrFormat},
		"nrrd without an end":        {"NRRD0005\ntype: uchar", segd.ErrFormat},
		"nrrd of 4 G voxels":         {change(nrrdHead, "3 2 2", "60000 60000 2"), segd.ErrTooLarge},
		"nrrd beyond 64 bits":        {change(nrrdHead, "3 2 2", "2000000000 2000000000 2000000000"), segd.ErrTooLarge},
		"nrrd of no voxel":           {change(nrrdHead, "3 2 2", "3 0 2"), segd.ErrFormat},
		"nrrd of too few sizes":      {change(nrrdHead, "3 2 2", "3 2"), segd.ErrFormat},
		"nrrd of nine axes":          {change(change(nrrdHead, "3 2 2", "1 1 1 1 1 1 1 1 1"), "dimension: 3", "dimension: 9"), segd.ErrUnsupported},
		"nrrd in another file":       {change(nrrdHead, "\n\n", "\ndata file: x.raw\n\n"), segd.ErrUnsupported},
		"nrrd bomb":                  {change(change(nrrdHead, "3 2 2", "16000 4000 16"), "raw", "gzip") + "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00", segd.ErrFormat},
		"nrrd, damaged compression":  {change(nrrdHead, "raw", "gzip") + "\x1f\x8b nothing", segd.ErrFormat},
		"nrrd, damaged bzip2":        {change(nrrdHead, "raw", "bzip2") + "BZh9 nothing", segd.ErrFormat},
		"nrrd of words":              {change(nrrdHead, "raw", "ascii") + strings.Repeat("a ", 12), segd.ErrFormat},
		"nrrd that skips the file":   {change(nrrdHead, "\n\n", "\nbyte skip: 100\n\n") + voxels, segd.ErrFormat},
		"nrrd of a vector of words":  {change(nrrdHead, "(2,0,0)", "(2,x,0)") + voxels, segd.ErrFormat},
		"nrrd of short vectors":      {change(nrrdHead, "(2,0,0)", "(2)") + voxels, segd.ErrFormat},
		"meta, truncated":            {metaHead + voxels[1:], segd.ErrFormat},
		"meta without an end":        {"NDims = 3\nDimSize = 3 2 2\n", segd.ErrFormat},
		"meta of 4 G voxels":         {change(metaHead, "3 2 2", "60000 60000 2"), segd.ErrTooLarge},
		"meta of parts of voxels":    {change(metaHead, "3 2 2", "3 2.5 2"), segd.ErrFormat},
		"meta of no number":          {change(metaHead, "3 2 2", "3 nan 2"), segd.ErrFormat},
		"meta in another file":       {change(metaHead, "LOCAL", "x.raw"), segd.ErrUnsupported},
		"meta of an unknown type":    {change(metaHead, "MET_UCHAR", "MET_OTHER"), segd.ErrUnsupported},
		"meta bomb":                  {change(change(metaHead, "3 2 2", "16000 4000 16"), "NDims", "CompressedData = True\nNDims") + "\x78\x9c", segd.ErrFormat},
		"meta of a matrix too small": {change(metaHead, "Offset", "TransformMatrix = 1 0 0\nOffset") + voxels, segd.ErrFormat},
	} {
		if s, err := Read([]byte(tt.file)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v, want %v", name, s, err, tt.want)
		}
	}
}

// mghFile is a file of 3×2×2 voxels of a byte.
func mghFile(change func(head []byte)) []byte {
	b := make([]byte, 284, 300)
	for i, n := range []uint32{1, 3, 2, 2, 1, 0} {
		binary.BigEndian.PutUint32(b[4*i:], n)
	}
	binary.BigEndian.PutUint16(b[28:], 1)
	for i, v := range []float32{2, 3, 4, -1, 0, 0, 0, -1, 0, 0, 0, 1, 0, 0, 0} {
		binary.BigEndian.PutUint32(b[30+4*i:], math.Float32bits(v))
	}
	if change != nil {
		change(b)
	}
	return append(b, voxels...)
}

// TestMGH reads a file of FreeSurfer's, whose position is that of its centre.
func TestMGH(t *testing.T) {
	s, err := Read(mghFile(nil))
	if err != nil {
		t.Fatal(err)
	}
	if want := (segd.Affine{{2, 0, 0, -3}, {0, 3, 0, -3}, {0, 0, 4, -4}}); s.Affine == nil || *s.Affine != want || s.Format != "mgh" {
		t.Errorf("%+v, affine %v, want %v", s, s.Affine, want)
	}
	if img, err := s.Frame(1); err != nil || !slices.Equal(img.Pix, []float32{6, 7, 8, 9, 10, 11}) {
		t.Errorf("%v, %v", img, err)
	}
	if m, err := ReadMask(mghFile(nil)); err != nil || m.Pix[5] != 5 {
		t.Errorf("mask %v, %v", m, err)
	}
	nowhere, err := Read(mghFile(func(head []byte) { head[29] = 0 }))
	if err != nil || nowhere.Affine != nil {
		t.Errorf("without a position: %+v, %v", nowhere, err)
	}
	for name, tt := range map[string]struct {
		file []byte
		want error
	}{
		"truncated":     {mghFile(nil)[:290], segd.ErrFormat},
		"many voxels":   {mghFile(func(head []byte) { head[6], head[10] = 0x4e, 0x4e }), segd.ErrTooLarge},
		"no number":     {mghFile(func(head []byte) { head[30], head[31] = 0x7f, 0xff }), segd.ErrFormat},
		"other version": {mghFile(func(head []byte) { head[3] = 2 }), segd.ErrUnsupported},
		"other type":    {mghFile(func(head []byte) { head[23] = 7 }), segd.ErrUnsupported},
	} {
		if s, err := Read(tt.file); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v, want %v", name, s, err, tt.want)
		}
	}
}

// FuzzVolumes looks for panics and for errors of no kind.
func FuzzVolumes(f *testing.F) {
	for _, s := range []string{nrrdHead + voxels, metaHead + voxels, strings.Replace(nrrdHead, "raw", "ascii", 1) + "1 2 3 4 5 6 7 8 9 10 11 12"} {
		f.Add([]byte(s))
	}
	f.Add(mghFile(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := Measure(b)
		if err != nil || size.Read > 64<<20 {
			return
		}
		s, err := Read(b)
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
