package dicomio_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
	"segd/internal/orient"
	"segd/internal/shapes"
)

// rtSlice is an image of a series at a position.
func rtSlice(number, width, height int, position, orientation, spacing string) []byte {
	const uid = "1.2.826.0.1.3680043.10.543."
	return dicomtest.Write(dicomtest.File{
		Rows: height, Columns: width, Modality: "CT", Stored: 12, Pixels: make([]byte, 2*width*height),
		Elements: []dicomtest.Element{
			{Tag: tag.SOPClassUID, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.2"}, {Tag: tag.SOPInstanceUID, VR: "UI", Value: fmt.Sprintf("%s4.%d", uid, number)},
			{Tag: tag.StudyInstanceUID, VR: "UI", Value: uid + "1"}, {Tag: tag.SeriesInstanceUID, VR: "UI", Value: uid + "2"}, {Tag: tag.FrameOfReferenceUID, VR: "UI", Value: uid + "3"},
			{Tag: tag.ImagePositionPatient, VR: "DS", Value: position}, {Tag: tag.ImageOrientationPatient, VR: "DS", Value: orientation}, {Tag: tag.PixelSpacing, VR: "DS", Value: spacing},
		},
	})
}

// drawn draws the outlines of a frame, each region with the index that index gives it.
func drawn(t *testing.T, s *dicomio.StructureSet, image *dicomio.Source, frame, width, height int, index func(dicomio.Region) uint8) *segd.Mask {
	t.Helper()
	at, ok := image.SectionOf(frame)
	if !ok {
		t.Fatal("the image has no position")
	}
	list, err := s.Outlines(at, image, frame)
	if err != nil {
		t.Fatal(err)
	}
	p := shapes.Picture{}
	for _, o := range list {
		p.Shapes = append(p.Shapes, shapes.Outline(s.Regions[o.Region].Name, o.Rings, o.Centres))
	}
	m, _, err := p.Paint(width, height, nil, func(name string) (uint8, bool) {
		i := slices.IndexFunc(s.Regions, func(r dicomio.Region) bool { return r.Name == name })
		return index(s.Regions[i]), true
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestStructuresRoundTrip writes random masks of several classes on slices in several
// orientations as a structure set, and reads the same masks.
func TestStructuresRoundTrip(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for name, tt := range map[string]struct {
		orientation, spacing string
		position             func(i int) string
	}{
		"axial":    {`1\0\0\0\1\0`, `0.7\0.7`, func(i int) string { return fmt.Sprintf(`-120.5\-99.25\%g`, 2.5*float64(i)) }},
		"sagittal": {`0\1\0\0\0\-1`, `3\0.1`, func(i int) string { return fmt.Sprintf(`%g\12\400`, 4*float64(i)) }},
		"oblique": {`0.8\0.6\0\-0.36\0.48\0.8`, `0.35\1.7`, func(i int) string {
			return fmt.Sprintf(`%g\%g\%g`, 3+0.48*float64(5*i), 7-0.64*float64(5*i), 0.6*float64(5*i))
		}},
	} {
		for range 20 {
			w, h := 1+rng.IntN(24), 1+rng.IntN(24)
			o := dicomio.Origin{Run: &dicomio.Run{Software: "test"}, Model: "test", Version: "1",
				Classes: []segd.Class{{Name: "background"}, {Index: 1, Name: "a"}, {Index: 2, Name: "b"}, {Index: 3, Name: "c"}}}
			var masks []*segd.Mask
			for i := range 3 {
				s, err := dicomio.OpenSource(rtSlice(i, w, h, tt.position(i), tt.orientation, tt.spacing))
				if err != nil {
					t.Fatal(err)
				}
				m := segd.NewMask(w, h)
				for k := range m.Pix {
					m.Pix[k] = uint8(max(0, rng.IntN(6)-2))
				}
				o.Sources, masks = append(o.Sources, s), append(masks, m)
			}
			rt, err := dicomio.NewRTStruct(o)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range masks {
				if err := rt.AddMask(i, 0, m); err != nil {
					t.Fatal(err)
				}
			}
			var b bytes.Buffer
			if err := rt.Write(&b); err != nil {
				t.Fatal(err)
			}
			s, err := dicomio.ReadRTStruct(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range masks {
				if !s.Knows(o.Sources[i]) || len(s.Series()) != 1 || len(s.Instances()) != 3 {
					t.Fatalf("%s: the structure set does not know slice %d", name, i)
				}
				got := drawn(t, s, o.Sources[i], 0, w, h, func(r dicomio.Region) uint8 { return uint8(r.Number) })
				if !slices.Equal(got.Pix, m.Pix) {
					t.Fatalf("%s, slice %d of %d×%d:\n got %v\nwant %v", name, i, w, h, got.Pix, m.Pix)
				}
			}
		}
	}
}

// structures writes a structure set with one region, from contours in mm.
func structures(kind string, refers string, contours ...string) []byte {
	var items []dicomtest.Item
	for _, c := range contours {
		item := dicomtest.Item{{Tag: tag.ContourGeometricType, VR: "CS", Value: kind}, {Tag: tag.ContourData, VR: "DS", Value: c}}
		if refers != "" {
			item = append(item, dicomtest.Element{Tag: tag.ContourImageSequence, VR: "SQ", Value: []dicomtest.Item{{{Tag: tag.ReferencedSOPInstanceUID, VR: "UI", Value: refers}}}})
		}
		items = append(items, item)
	}
	return dicomtest.Write(dicomtest.File{NoPixels: true, Syntax: dicomtest.ImplicitLE, Elements: []dicomtest.Element{
		{Tag: tag.SOPClassUID, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.481.3"}, {Tag: tag.SOPInstanceUID, VR: "UI", Value: "1.2.3"},
		{Tag: tag.StructureSetROISequence, VR: "SQ", Value: []dicomtest.Item{{{Tag: tag.ROINumber, VR: "IS", Value: "7"}, {Tag: tag.ROIName, VR: "LO", Value: "Liver "}}}},
		{Tag: tag.ROIContourSequence, VR: "SQ", Value: []dicomtest.Item{{{Tag: tag.ReferencedROINumber, VR: "IS", Value: "7"}, {Tag: tag.ContourSequence, VR: "SQ", Value: items}}}},
	}})
}

// TestStructureRules draws contours that other programs write on 7×7 pixels of 2 mm.
// The centre of the first pixel lies at 0, 0.
func TestStructureRules(t *testing.T) {
	t.Parallel()
	image, err := dicomio.OpenSource(rtSlice(1, 7, 7, `0\0\5`, `1\0\0\0\1\0`, `2\2`))
	if err != nil {
		t.Fatal(err)
	}
	const centres = `2\2\5\10\2\5\10\10\5\2\10\5` // of the outermost pixels
	const hole = `4\4\5\8\4\5\8\8\5\4\8\5`        // of those around a hole
	for name, tt := range map[string]struct {
		kind     string
		contours []string
		want     string
	}{
		"corners":        {"CLOSED_PLANAR", []string{`1\1\5\9\1\5\9\9\5\1\9\5`}, "....... .1111.. .1111.. .1111.. .1111.. ....... ......."},
		"centres":        {"CLOSED_PLANAR", []string{centres}, "....... .11111. .11111. .11111. .11111. .11111. ......."},
		"hole":           {"CLOSED_PLANAR", []string{centres, hole}, "....... .11111. .11111. .11.11. .11111. .11111. ......."},
		"xor":            {"CLOSEDPLANAR_XOR", []string{`1\1\5\9\1\5\9\9\5\1\9\5`, `3\3\5\5\3\5\5\5\5\3\5\5`}, "....... .1111.. .1.11.. .1111.. .1111.. ....... ......."},
		"slanted":        {"CLOSED_PLANAR", []string{`6\2\5\10\6\5\6\10\5\2\6\5`}, "....... ...1... ..111.. .11111. ..111.. ...1... ......."},
		"twice":          {"CLOSED_PLANAR", []string{centres, centres}, "....... .11111. .11111. .11111. .11111. .11111. ......."},
		"rounded":        {"CLOSED_PLANAR", []string{`2\2\5.02\10\2\5.02\10\10\5.02\2\10\5.02`}, "....... .11111. .11111. .11111. .11111. .11111. ......."},
		"another plane":  {"CLOSED_PLANAR", []string{strings.ReplaceAll(centres, `\5`, `\8`)}, "....... ....... ....... ....... ....... ....... ......."},
		"points":         {"POINT", []string{`2\2\5`}, "....... ....... ....... ....... ....... ....... ......."},
		"a line, closed": {"CLOSED_PLANAR", []string{`2\2\5\10\2\5`}, "....... ....... ....... ....... ....... ....... ......."},
	} {
		s, err := dicomio.ReadRTStruct(structures(tt.kind, "", tt.contours...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Regions[0].Name != "Liver" || s.Regions[0].Number != 7 {
			t.Errorf("%s: %+v", name, s.Regions[0])
		}
		var got strings.Builder
		for i, v := range drawn(t, s, image, 0, 7, 7, func(dicomio.Region) uint8 { return 1 }).Pix {
			if i > 0 && i%7 == 0 {
				got.WriteByte(' ')
			}
			got.WriteByte(".1"[v])
		}
		if got.String() != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, &got, tt.want)
		}
	}
	s, err := dicomio.ReadRTStruct(structures("CLOSED_PLANAR", image.Instance(), strings.ReplaceAll(centres, `\5`, `\6.5`)))
	if err != nil {
		t.Fatal(err)
	}
	at, _ := image.SectionOf(0)
	match, ok := errors.AsType[*orient.MatchError](second(s.Outlines(at, image, 0)))
	if !ok || match.MM < 1.4 || match.MM > 1.6 {
		t.Errorf("a contour 1.5 mm off the plane of its image: %v", match)
	}
}

func second[T any](_ T, err error) error { return err }

// TestStructureErrors refuses what is no structure set, and contours that contradict
// themselves.
func TestStructureErrors(t *testing.T) {
	t.Parallel()
	list := structures("CLOSED_PLANAR", "", `1\1\5\9\1\5\9\9\5`)
	for name, tt := range map[string]struct {
		file []byte
		want error
	}{
		"empty":              {nil, segd.ErrFormat},
		"an image":           {dicomtest.Write(dicomtest.Disc(8)), segd.ErrUnsupported},
		"truncated":          {list[:len(list)-20], segd.ErrFormat},
		"numbers of no text": {structures("CLOSED_PLANAR", "", `a\b\c`), segd.ErrUnprocessable},
		"two for a point":    {structures("CLOSED_PLANAR", "", `1\1\5\9`), segd.ErrUnprocessable},
		"far away":           {structures("CLOSED_PLANAR", "", `1\1\5\9\1\5\1e9\9\5`), segd.ErrUnprocessable},
		"too many":           {structures("CLOSED_PLANAR", "", slices.Repeat([]string{strings.Repeat(`1\`, 2<<20) + "1"}, 7)...), segd.ErrTooLarge},
	} {
		if _, err := dicomio.ReadRTStruct(tt.file); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// FuzzReadRTStruct looks for panics and for errors of no kind.
func FuzzReadRTStruct(f *testing.F) {
	f.Add(structures("CLOSED_PLANAR", "1.2.3", `1\1\5\9\1\5\9\9\5`))
	f.Add(structures("CLOSEDPLANAR_XOR", "", `1\1\5\9\1\5\9\9\5`, `1\1\6\9\1\5\9\9\5`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := dicomio.ReadRTStruct(b)
		if err == nil {
			_, err = s.Outlines(dicomio.Section{Origin: [3]float64{0, 0, 5}, Right: [3]float64{1}, Down: [3]float64{0, 1}}, nil, 0)
		}
		for _, kind := range []error{nil, segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported, segd.ErrUnprocessable} {
			if errors.Is(err, kind) {
				return
			}
		}
		t.Fatal(err)
	})
}
