package dicomio

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// fixtures is the folder of segmentations by other programs, with what their
// own readers say of them.
const fixtures = "../../shared/seg-fixtures"

// TestSEGFixtures reads the segmentations of dcmqi and highdicom: binary,
// fractional, label maps, overlapping, tiled.
func TestSEGFixtures(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(fixtures, "expected.json"))
	if err != nil {
		t.Skipf("%s is not there", fixtures)
	}
	var expected []struct {
		File     string
		Type     string
		Rows     int
		Cols     int
		Frames   int
		Segments [][2]any
		First    []struct {
			Segment *int
			Source  *string
			Sum     int
			Nonzero int
		} `json:"first_frames"`
	}
	if err := json.Unmarshal(b, &expected); err != nil {
		t.Fatal(err)
	}
	if len(expected) != 18 {
		t.Errorf("%d fixtures, want 18", len(expected))
	}
	for _, want := range expected {
		t.Run(want.File, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(fixtures, want.File))
			if err != nil {
				t.Fatal(err)
			}
			s, err := ReadSEG(b)
			if err != nil {
				t.Fatal(err)
			}
			if s.Type != want.Type || s.Rows != want.Rows || s.Cols != want.Cols || len(s.Frames) != want.Frames || len(s.Segments) != len(want.Segments) {
				t.Errorf("%s of %d×%d, %d frames, %d segments; want %+v", s.Type, s.Rows, s.Cols, len(s.Frames), len(s.Segments), want)
			}
			for i, w := range want.Segments {
				if float64(s.Segments[i].Number) != w[0] || s.Segments[i].Label != w[1] {
					t.Errorf("segment %d: %+v, want %v", i, s.Segments[i], w)
				}
			}
			for i, w := range want.First {
				f := s.Frames[i]
				if w.Segment != nil && f.Segment != *w.Segment || w.Segment == nil && f.Segment != 0 {
					t.Errorf("frame %d: segment %d, want %v", i, f.Segment, w.Segment)
				}
				if w.Source == nil && f.Sources != nil || w.Source != nil && (len(f.Sources) == 0 || f.Sources[0].Instance != *w.Source) {
					t.Errorf("frame %d: sources %v", i, f.Sources)
				}
				values, err := s.Values(i)
				if err != nil {
					t.Fatal(err)
				}
				sum, nonzero := 0, 0
				for _, v := range values {
					sum += int(v)
					if v > 0 {
						nonzero++
					}
				}
				if sum != w.Sum || nonzero != w.Nonzero {
					t.Errorf("frame %d: sum %d and %d not zero, want %d and %d", i, sum, nonzero, w.Sum, w.Nonzero)
				}
			}
		})
	}
}
