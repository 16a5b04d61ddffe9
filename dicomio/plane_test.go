package dicomio

import (
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
	"segd/internal/orient"
)

// TestSliceThickness gives segmentations of slices that do not all say how thick
// they are.
func TestSliceThickness(t *testing.T) {
	without := dicomtest.Element{Tag: tag.SliceThickness}
	slice := func(i int, z float64, more ...dicomtest.Element) *Source {
		return openSource(t, identified("1.2.840.10008.5.1.4.1.1.2", "CT", i, append(placed(z), more...)...))
	}
	turned := text(tag.ImageOrientationPatient, `1\0\0\0\1\0`)
	volume := enhanced(4)
	volume.Elements = append(volume.Elements, sequence(tag.SharedFunctionalGroupsSequence, dicomtest.Item{
		sequence(tag.PlaneOrientationSequence, dicomtest.Item{turned}),
		sequence(tag.PixelMeasuresSequence, dicomtest.Item{text(tag.PixelSpacing, `1.5\1.25`)}),
	}))
	for _, tt := range []struct {
		name    string
		sources []*Source
		want    string
	}{
		{"stated", []*Source{slice(1, 0), slice(2, 7)}, "3"},
		{"one slice, by its rows", []*Source{slice(1, 0, without)}, "0.5"},
		{"by the distance stated", []*Source{slice(1, 0, without, text(tag.SpacingBetweenSlices, "2.5"))}, "2.5"},
		{"by the distance to the next", []*Source{slice(1, 9, without), slice(2, 2, without), slice(3, 5.5, without)}, "3.5"},
		{"phases at one place", []*Source{slice(1, 4, without), slice(2, 4, without)}, "0.5"},
		{"phases at two places", []*Source{slice(1, 4, without), slice(2, 4, without), slice(3, 8, without), slice(4, 8, without)}, "4"},
		{"frames of one file", []*Source{openSource(t, volume)}, "4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, _ := writeSEG(t, origin(tt.sources...))
			if got := parse(t, b).first(tag.SharedFunctionalGroupsSequence).first(tag.PixelMeasuresSequence).text(tag.SliceThickness); got != tt.want {
				t.Errorf("slices of %q mm, want %q", got, tt.want)
			}
		})
	}

	// Slices that cross have no distance.
	b, _ := writeSEG(t, origin(slice(1, 0, without), slice(2, 9, without, turned)))
	d := parse(t, b)
	if got := d.first(tag.SharedFunctionalGroupsSequence).first(tag.PixelMeasuresSequence).text(tag.SliceThickness); got != "0.5" {
		t.Errorf("slices that cross are of %q mm", got)
	}
	for i, g := range d[tag.PerFrameFunctionalGroupsSequence].items {
		if !g.has(tag.PlaneOrientationSequence) {
			t.Errorf("frame %d has no orientation of its own", i+1)
		}
	}
	s := slice(1, 0, without)
	writeSEG(t, origin(s, slice(2, 9, without)))
	if got := s.planes[0].thickness; got != "0.5" {
		t.Errorf("writing changed the source to %q mm", got)
	}
}

// TestReadPlace says where the frames of a file lie that are planes of one grid.
func TestReadPlace(t *testing.T) {
	stack := enhanced(2)
	for _, tt := range []struct {
		name string
		file dicomtest.File
		want *segd.Affine
	}{
		{"enhanced", stack, &segd.Affine{{1.25, 0, 0, 0}, {0, 1.5, 0, 0}, {0, 0, -4, 8}}},
		{"several at a place", enhanced(4), nil},
		{"one slice", identified("1.2.840.10008.5.1.4.1.1.2", "CT", 1, placed(0)...),
			&segd.Affine{{0.6, 0, -1.8, -10.5}, {0.45, 0, 2.4, 20}, {0, -0.5, 0, 7}}},
		{"not placed", images()["US cine"], nil},
	} {
		s, err := Read(dicomtest.Write(tt.file))
		if err != nil {
			t.Fatal(err)
		}
		if tt.want == nil {
			if s.Affine != nil {
				t.Errorf("%s: %v", tt.name, *s.Affine)
			}
			continue
		}
		if s.Affine == nil || s.Depth != s.Frames || s.Times != 1 || orient.Apart([3]int{s.Width, s.Height, s.Depth}, *s.Affine, *tt.want) > 1e-9 {
			t.Errorf("%s: %v, %d planes at %d times, want %v", tt.name, s.Affine, s.Depth, s.Times, *tt.want)
		}
	}
}
