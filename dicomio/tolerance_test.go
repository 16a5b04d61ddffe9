package dicomio_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// TestMislabelled reads files that miss or misname their encoding.
func TestMislabelled(t *testing.T) {
	want := []float32{1, 2, 3, 4}
	plain := dicomtest.File{Rows: 2, Columns: 2, Pixels: words(1, 2, 3, 4)}
	for _, actual := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE} {
		f := plain
		f.Syntax, f.NoPreamble = actual, true
		set := dicomtest.Write(f)
		files := map[string][]byte{"no preamble": set}
		if actual != dicomtest.ExplicitBE {
			for _, label := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE} {
				if label != actual {
					files["labelled "+label] = append(dicomtest.Meta(label), set...)
				}
			}
			files["meta without preamble"] = append(dicomtest.Meta(actual), set...)[132:]
		}
		for name, b := range files {
			s, err := dicomio.Read(b)
			if err != nil {
				t.Errorf("%s, %s: %v", actual, name, err)
				continue
			}
			img, err := s.Frame(0)
			if err != nil {
				t.Errorf("%s, %s: %v", actual, name, err)
				continue
			}
			if diff := cmp.Diff(want, img.Pix); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", actual, name, diff)
			}
			if len(s.Warnings) == 0 || s.TransferSyntax != actual {
				t.Errorf("%s, %s: syntax %s, warnings %q", actual, name, s.TransferSyntax, s.Warnings)
			}
		}
	}
}

// TestUnknownVR reads elements that a converter could not name: a number, and
// functional groups, whose inside is then in implicit VR (PS3.5 6.2.2).
func TestUnknownVR(t *testing.T) {
	rescale := bytes.Join([][]byte{item(tag.RescaleIntercept, 2), []byte("-7"), item(tag.RescaleSlope, 2), []byte("3 ")}, nil)
	wrap := func(id uint32, inner []byte) []byte {
		inner = append(item(tag.Item, uint32(len(inner))), inner...)
		return append(item(id, uint32(len(inner))), inner...)
	}
	groups := wrap(tag.PixelValueTransformationSequence, rescale)
	groups = append(item(tag.Item, uint32(len(groups))), groups...)
	f := dicomtest.File{Rows: 1, Columns: 2, Pixels: words(1, 2), Elements: []dicomtest.Element{
		{Tag: tag.Rows, VR: "UN", Value: []byte{1, 0}},
		{Tag: tag.SharedFunctionalGroupsSequence, VR: "UN", Value: groups},
	}}
	_, img := frame(t, dicomtest.Write(f), 0)
	if diff := cmp.Diff([]float32{-4, -1}, img.Pix); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		element dicomtest.Element
		want    string
	}{
		{dicomtest.Element{Tag: tag.BurnedInAnnotation, VR: "CS", Value: "YES"}, "(0028,0301)"},
		{dicomtest.Element{Tag: tag.BurnedInAnnotation, VR: "CS", Value: "NO"}, ""},
		{dicomtest.Element{Tag: tag.VOILUTSequence, VR: "SQ", Value: []dicomtest.Item{{}}}, "(0028,3010)"},
	}
	for _, tt := range tests {
		s, _ := frame(t, dicomtest.Write(dicomtest.File{Rows: 1, Columns: 1, Pixels: words(1), Elements: []dicomtest.Element{tt.element}}), 0)
		got := strings.Join(s.Warnings, "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%08x %v: warnings %q, want %q", tt.element.Tag, tt.element.Value, got, tt.want)
		}
	}
	wide := dicomtest.File{Syntax: dicomtest.ExplicitBE, Rows: 1, Columns: 1, Allocated: 32, Pixels: words(1, 2)}
	if s, _ := frame(t, dicomtest.Write(wide), 0); !strings.Contains(strings.Join(s.Warnings, "; "), "order of their words") {
		t.Errorf("32 bits in big endian: warnings %q", s.Warnings)
	}
	s, _ := frame(t, dicomtest.Write(dicomtest.File{Rows: 1, Columns: 1, Pixels: words(1, 2, 3)}), 0)
	if got := strings.Join(s.Warnings, "; "); !strings.Contains(got, "6 bytes of pixels but describes only 2") {
		t.Errorf("pixels left over: warnings %q", got)
	}
}

// TestBehindPixels reads files with bytes behind their pixels that are no
// elements: padding of media, delimiters over again, what was cut off.
func TestBehindPixels(t *testing.T) {
	for _, syntax := range []string{dicomtest.ExplicitLE, dicomtest.ImplicitLE, dicomtest.ExplicitBE} {
		f := dicomtest.Disc(16)
		f.Syntax = syntax
		whole := dicomtest.Write(f)
		_, want := frame(t, whole, 0)
		for name, tail := range map[string][]byte{
			"a zero":        {0},
			"zeros":         make([]byte, 4<<20),
			"a delimiter":   item(tag.SequenceDelimitationItem, 0),
			"ones":          bytes.Repeat([]byte{0xFF}, 1000),
			"a cut element": header(tag.DataSetTrailingPadding, "OB", 100),
		} {
			s, got := frame(t, append(bytes.Clone(whole), tail...), 0)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: %s", syntax, name, diff)
			}
			if !strings.Contains(strings.Join(s.Warnings, "\n"), "the bytes after the pixel data") {
				t.Errorf("%s, %s: no warning in %q", syntax, name, s.Warnings)
			}
		}
		if _, err := dicomio.Read(whole[:len(whole)-2]); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s, cut in the pixels: got %v", syntax, err)
		}
	}
}

// TestTwoMetas reads a file whose meta information comes twice, and takes the
// transfer syntax of the first, as others do.
func TestTwoMetas(t *testing.T) {
	whole := dicomtest.Write(dicomtest.Disc(16))
	_, want := frame(t, whole, 0)
	meta := len(dicomtest.Meta(dicomtest.ExplicitLE))
	twice := append(bytes.Clone(whole[:meta]), dicomtest.Meta(dicomtest.DeflatedLE)[128+4:]...)
	_, got := frame(t, append(twice, whole[meta:]...), 0)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEmptyTables reads an image whose lookup tables have neither descriptor nor
// data: it has none, and warns of the one for display.
func TestEmptyTables(t *testing.T) {
	f := dicomtest.Disc(16)
	_, want := frame(t, dicomtest.Write(f), 0)
	for _, id := range []uint32{tag.ModalityLUTSequence, tag.VOILUTSequence} {
		f.Elements = append(f.Elements, dicomtest.Element{Tag: id, VR: "SQ", Value: []dicomtest.Item{{
			{Tag: tag.LUTDescriptor, VR: "US", Value: []int{}}, {Tag: tag.LUTExplanation, VR: "LO", Value: ""}, {Tag: tag.LUTData, VR: "US", Value: []int{}},
		}}})
	}
	s, got := frame(t, dicomtest.Write(f), 0)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "(0028,3010)") {
		t.Errorf("warnings %q", s.Warnings)
	}
}
