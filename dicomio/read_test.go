package dicomio_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// frame reads b and returns its frame i.
func frame(t *testing.T, b []byte, i int) (*segd.Scan, *segd.Image) {
	t.Helper()
	s, err := dicomio.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	img, err := s.Frame(i)
	if err != nil {
		t.Fatal(err)
	}
	return s, img
}

func words(v ...int) []byte {
	var out []byte
	for _, x := range v {
		out = binary.LittleEndian.AppendUint16(out, uint16(x))
	}
	return out
}

var syntaxes = []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE, dicomtest.DeflatedLE}

// TestFunctionalGroups gives each frame its own rescale, window and spacing;
// what a frame lacks is shared, and what is not shared is the file's.
func TestFunctionalGroups(t *testing.T) {
	rescale := func(slope, intercept string) dicomtest.Element {
		return dicomtest.Element{Tag: tag.PixelValueTransformationSequence, VR: "SQ", Value: []dicomtest.Item{{
			{Tag: tag.RescaleIntercept, VR: "DS", Value: intercept}, {Tag: tag.RescaleSlope, VR: "DS", Value: slope},
		}}}
	}
	measures := dicomtest.Element{Tag: tag.PixelMeasuresSequence, VR: "SQ", Value: []dicomtest.Item{{{Tag: tag.PixelSpacing, VR: "DS", Value: `2\3`}}}}
	f := dicomtest.File{
		Rows: 1, Columns: 2, Frames: 2, Pixels: words(1, 2, 3, 4),
		Elements: []dicomtest.Element{
			{Tag: tag.RescaleSlope, VR: "DS", Value: "100"},
			{Tag: tag.SharedFunctionalGroupsSequence, VR: "SQ", Value: []dicomtest.Item{{measures, rescale("10", "1")}}},
			{Tag: tag.PerFrameFunctionalGroupsSequence, VR: "SQ", Value: []dicomtest.Item{
				{},
				{rescale("2", "-5"), {Tag: tag.FrameVOILUTSequence, VR: "SQ", Value: []dicomtest.Item{{
					{Tag: tag.WindowCenter, VR: "DS", Value: "10.5"}, {Tag: tag.WindowWidth, VR: "DS", Value: "11"},
				}}}},
			}},
		},
	}
	for _, syntax := range syntaxes {
		f.Syntax = syntax
		b := dicomtest.Write(f)
		s, a := frame(t, b, 0)
		_, c := frame(t, b, 1)
		if s.Frames != 2 {
			t.Fatalf("%d frames, want 2", s.Frames)
		}
		if diff := cmp.Diff([]float32{11, 21}, a.Pix); diff != "" {
			t.Errorf("frame 0, shared rescale (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]float32{1, 3}, c.Pix); diff != "" {
			t.Errorf("frame 1, its own rescale (-want +got):\n%s", diff)
		}
		if want := (segd.Display{Low: 5, High: 15}); c.Display != want || a.Display != (segd.Display{}) {
			t.Errorf("display: got %+v and %+v, want none and %+v", a.Display, c.Display, want)
		}
		if a.Spacing.RowMM != 2 || c.Spacing.ColMM != 3 {
			t.Errorf("spacing: got %+v and %+v, want 2 and 3", a.Spacing, c.Spacing)
		}
		if _, err := s.Frame(2); !errors.Is(err, segd.ErrNotFound) {
			t.Errorf("frame 2 of 2: got %v, want segd.ErrNotFound", err)
		}
	}
}

func TestSpacing(t *testing.T) {
	region := func(units int, dx, dy float64) dicomtest.Item {
		return dicomtest.Item{
			{Tag: tag.RegionSpatialFormat, VR: "US", Value: 1},
			{Tag: tag.PhysicalUnitsXDirection, VR: "US", Value: units}, {Tag: tag.PhysicalUnitsYDirection, VR: "US", Value: units},
			{Tag: tag.PhysicalDeltaX, VR: "FD", Value: dx}, {Tag: tag.PhysicalDeltaY, VR: "FD", Value: dy},
		}
	}
	tests := []struct {
		name     string
		elements []dicomtest.Element
		want     segd.Spacing
	}{
		{"none", nil, segd.Spacing{}},
		{"detector", []dicomtest.Element{{Tag: tag.ImagerPixelSpacing, VR: "DS", Value: `0.1\0.2`}}, segd.Spacing{RowMM: 0.1, ColMM: 0.2, Source: "ImagerPixelSpacing (0018,1164)"}},
		{"film", []dicomtest.Element{{Tag: tag.NominalScannedPixelSpacing, VR: "DS", Value: `0.1\0.2`}}, segd.Spacing{RowMM: 0.1, ColMM: 0.2, Source: "NominalScannedPixelSpacing (0018,2010)"}},
		{
			"patient first", []dicomtest.Element{{Tag: tag.ImagerPixelSpacing, VR: "DS", Value: `0.1\0.2`}, {Tag: tag.PixelSpacing, VR: "DS", Value: ` 3\4 `}},
			segd.Spacing{RowMM: 3, ColMM: 4, Source: "PixelSpacing (0028,0030)"},
		},
		{"zero is unknown", []dicomtest.Element{{Tag: tag.PixelSpacing, VR: "DS", Value: `0\0`}}, segd.Spacing{}},
		{
			"ultrasound", []dicomtest.Element{{Tag: tag.SequenceOfUltrasoundRegions, VR: "SQ", Value: []dicomtest.Item{region(3, 0.02, 0.04)}}},
			segd.Spacing{RowMM: 0.4, ColMM: 0.2, Source: "SequenceOfUltrasoundRegions (0018,6011)"},
		},
		{"ultrasound in seconds", []dicomtest.Element{{Tag: tag.SequenceOfUltrasoundRegions, VR: "SQ", Value: []dicomtest.Item{region(4, 0.02, 0.04)}}}, segd.Spacing{}},
		{"ultrasound of two regions", []dicomtest.Element{{Tag: tag.SequenceOfUltrasoundRegions, VR: "SQ", Value: []dicomtest.Item{region(3, 0.02, 0.04), region(3, 1, 1)}}}, segd.Spacing{}},
	}
	for _, tt := range tests {
		for _, syntax := range syntaxes {
			_, img := frame(t, dicomtest.Write(dicomtest.File{
				Syntax: syntax, Rows: 1, Columns: 1, Pixels: words(1), Elements: tt.elements,
			}), 0)
			if img.Spacing != tt.want {
				t.Errorf("%s, %s: got %+v, want %+v", tt.name, syntax, img.Spacing, tt.want)
			}
		}
	}
}

// TestKinds checks which kind of error each fault is.
func TestKinds(t *testing.T) {
	pix := words(1, 2, 3, 4)
	file := func(change func(*dicomtest.File)) []byte {
		f := dicomtest.File{Rows: 2, Columns: 2, Pixels: pix}
		change(&f)
		return dicomtest.Write(f)
	}
	with := func(id uint32, vr string, value any) []byte {
		return file(func(f *dicomtest.File) { f.Elements = []dicomtest.Element{{Tag: id, VR: vr, Value: value}} })
	}
	tests := []struct {
		name string
		b    []byte
		want error
		text string // in the error
	}{
		{"nothing", nil, segd.ErrFormat, "empty"},
		{"text", []byte(strings.Repeat("this is not a picture ", 20)), segd.ErrFormat, "neither a DICOM prefix"},
		{"video", dicomtest.Write(dicomtest.File{Syntax: "1.2.840.10008.1.2.4.102"}), segd.ErrUnsupported, "1.2.840.10008.1.2.4.102 (video)"},
		{"unknown to the library", dicomtest.Write(dicomtest.File{Syntax: "1.2.840.10008.1.2.4.110"}), segd.ErrUnsupported, "1.2.840.10008.1.2.4.110 (JPEG XL)"},
		{"not a UID", dicomtest.Write(dicomtest.File{Syntax: dicomtest.Patient[0]}), segd.ErrFormat, "(0002,0010)"},
		{"no pixels", file(func(f *dicomtest.File) { f.NoPixels = true }), segd.ErrUnprocessable, "(7FE0,0010)"},
		{"empty pixels", file(func(f *dicomtest.File) { f.Pixels = nil }), segd.ErrUnprocessable, "(7FE0,0010)"},
		{"short pixels", file(func(f *dicomtest.File) { f.Rows = 3 }), segd.ErrUnprocessable, "8 bytes of pixels, want 12"},
		{"floating point of 16 bits", file(func(f *dicomtest.File) {
			f.NoPixels, f.Elements = true, []dicomtest.Element{{Tag: tag.FloatPixelData, VR: "OF", Value: pix}}
		}), segd.ErrUnprocessable, "(7FE0,0008)"},
		{"no rows", with(tag.Rows, "US", 0), segd.ErrUnprocessable, "0 rows"},
		{"many rows", with(tag.Rows, "US", 20000), segd.ErrTooLarge, "16384"},
		{"many pixels", file(func(f *dicomtest.File) { f.Rows, f.Columns = 16384, 16384 }), segd.ErrTooLarge, "67108864"},
		{"many frames", with(tag.NumberOfFrames, "IS", "500000000"), segd.ErrTooLarge, "2000"},
		{"no frames", with(tag.NumberOfFrames, "IS", "0"), segd.ErrUnprocessable, "0 frames"},
		{"frames in words", with(tag.NumberOfFrames, "IS", dicomtest.Patient[0]), segd.ErrFormat, "(0028,0008)"},
		{"much in all", file(func(f *dicomtest.File) { f.Rows, f.Columns, f.Frames = 8192, 8192, 5 }), segd.ErrTooLarge, "536870912"},
		{"rows as text", with(tag.Rows, "LO", dicomtest.Patient[0]), segd.ErrFormat, "(0028,0010)"},
		{"rows cut short", with(tag.Rows, "UL", []byte{1, 0}), segd.ErrFormat, "(0028,0010)"},
		{"12 bits packed", with(tag.BitsAllocated, "US", 12), segd.ErrUnprocessable, "12 bits"},
		{"more stored than allocated", with(tag.BitsStored, "US", 17), segd.ErrUnprocessable, "17"},
		{"high bit too low", with(tag.HighBit, "US", 3), segd.ErrUnprocessable, "high bit 3"},
		{"high bit too high", with(tag.HighBit, "US", 16), segd.ErrUnprocessable, "high bit 16"},
		{"sign", with(tag.PixelRepresentation, "US", 2), segd.ErrUnprocessable, "representation 2"},
		{"photometric", with(tag.PhotometricInterpretation, "CS", "HSV"), segd.ErrUnprocessable, "(0028,0004)"},
		{"rgb of one sample", with(tag.PhotometricInterpretation, "CS", "RGB"), segd.ErrUnprocessable, "RGB with 1 samples"},
		{"palette without tables", with(tag.PhotometricInterpretation, "CS", "PALETTE COLOR"), segd.ErrUnprocessable, "(0028,1101)"},
		{"slope 0", with(tag.RescaleSlope, "DS", "0"), segd.ErrUnprocessable, "(0028,1053)"},
		{"slope in words", with(tag.RescaleSlope, "DS", "one"), segd.ErrFormat, "(0028,1053)"},
		{"slope not finite", with(tag.RescaleSlope, "DS", "NaN"), segd.ErrFormat, "(0028,1053)"},
		{"slope beyond float32", with(tag.RescaleSlope, "DS", "1e38"), segd.ErrUnprocessable, "(0028,1053)"},
		{"too few functional groups", file(func(f *dicomtest.File) {
			f.Frames, f.Rows = 2, 1
			f.Elements = []dicomtest.Element{{Tag: tag.PerFrameFunctionalGroupsSequence, VR: "SQ", Value: []dicomtest.Item{{}}}}
		}), segd.ErrUnprocessable, "functional groups"},
	}
	for _, tt := range tests {
		s, err := dicomio.Read(tt.b)
		if !errors.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.text) {
			t.Errorf("%s: got %v, want %v with %q", tt.name, err, tt.want, tt.text)
		}
		if s != nil {
			t.Errorf("%s: got a scan beside the error", tt.name)
		}
	}
}

// TestFramesSideBySide decodes frames from several goroutines.
func TestFramesSideBySide(t *testing.T) {
	s, err := dicomio.Read(rich(dicomtest.ExplicitBE))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan *segd.Image)
	for i := range 8 {
		go func() {
			img, err := s.Frame(i % 2)
			if err != nil {
				t.Error(err)
			}
			done <- img
		}()
	}
	first := <-done
	for range 7 {
		if img := <-done; cmp.Diff(first, img) != "" || &img.Pix[0] == &first.Pix[0] {
			t.Error("frames differ, or share memory")
		}
	}
}

// TestModuleFiles reads the files that the DICOM library ships.
func TestModuleFiles(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/suyashkumar/dicom").Output()
	if err != nil {
		t.Skip("the go command does not find the module's folder")
	}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "testdata", "*.dcm"))
	if len(files) == 0 {
		t.Skip("the module's folder holds no DICOM files")
	}
	read := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := dicomio.Read(b)
		if errors.Is(err, segd.ErrUnsupported) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
			continue
		}
		for i := range s.Frames {
			img, err := s.Frame(i)
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(name), err)
				continue
			}
			low, high := img.Pix[0], img.Pix[0]
			for _, v := range img.Pix {
				low, high = min(low, v), max(high, v)
			}
			if !(low < high) {
				t.Errorf("%s: all values are %v", filepath.Base(name), low)
			}
		}
		read++
	}
	if read < 4 {
		t.Errorf("read %d of %d files, want 4 or more", read, len(files))
	}
}
