package dicomio

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
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

// TestSegmentationMask writes segmentations of all kinds of image and finds in
// them what was marked in each frame.
func TestSegmentationMask(t *testing.T) {
	for name, f := range images() {
		source := openSource(t, f)
		b, masks := writeSEG(t, origin(source))
		s, err := ReadSEG(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !s.Knows(source) || !IsSEG(b) || IsSEG(dicomtest.Write(f)) {
			t.Errorf("%s: the segmentation does not know its image", name)
		}
		for i, want := range masks {
			got, err := s.Mask(source, i)
			if err != nil {
				t.Errorf("%s, frame %d: %v", name, i, err)
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, frame %d (-want +got):\n%s", name, i, diff)
			}
		}
		if _, err := s.Mask(source, source.frames); !errors.Is(err, segd.ErrNotFound) {
			t.Errorf("%s: a frame too many: %v", name, err)
		}
		other := *source
		other.rows++
		if _, err := s.Mask(&other, 0); !errors.Is(err, segd.ErrUnprocessable) {
			t.Errorf("%s: another size: %v", name, err)
		}
	}
}

// TestSegmentationByPosition looks for slices that a segmentation does not
// refer to, though some of them lie where its frames do.
func TestSegmentationByPosition(t *testing.T) {
	var slices []*Source
	for i, z := range []float64{0, 4, 8, 12} {
		slices = append(slices, openSource(t, identified("1.2.840.10008.5.1.4.1.1.2", "CT", 1+i, placed(z)...)))
	}
	b, masks := writeSEG(t, origin(slices[1], slices[2]))
	s, err := ReadSEG(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []*segd.Mask{segd.NewMask(13, 10), masks[0], masks[1], segd.NewMask(13, 10)} {
		copied := *slices[i]
		got, err := s.Mask(&copied, 0)
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("slice %d by reference: %v", i, err)
		}
		copied.instance, copied.series = root+"77."+fmt.Sprint(i), root+"78"
		got, err = s.Mask(&copied, 0)
		if i == 1 || i == 2 {
			if err != nil || cmp.Diff(want, got) != "" {
				t.Errorf("slice %d by position: %v", i, err)
			}
		} else if !errors.Is(err, segd.ErrNotFound) {
			t.Errorf("slice %d of another image: %v", i, err)
		}
	}
}

// TestSegmentationInOrder has neither references nor positions.
func TestSegmentationInOrder(t *testing.T) {
	source := openSource(t, frames(identified("1.2.840.10008.5.1.4.1.1.3.1", "US", 7), 2))
	bare := func(segments ...int) *Segmentation {
		var each []dicomtest.Item
		pix := make([]byte, (len(segments)*130+7)/8)
		for i, n := range segments {
			each = append(each, dicomtest.Item{sequence(tag.SegmentIdentificationSequence, dicomtest.Item{{Tag: tag.ReferencedSegmentNumber, VR: "US", Value: n}})})
			pix[(i*130+i)/8] |= 1 << ((i*130 + i) % 8) // pixel i of frame i
		}
		f := dicomtest.File{Rows: 10, Columns: 13, Frames: len(segments), Allocated: 1, Modality: "SEG", Pixels: pix, Elements: []dicomtest.Element{
			text(tag.SOPClassUID, "1.2.840.10008.5.1.4.1.1.66.4"), text(tag.SOPInstanceUID, root+"99"), text(tag.SegmentationType, "BINARY"), sequence(tag.PerFrameFunctionalGroupsSequence, each...),
		}}
		s, err := ReadSEG(dicomtest.Write(f))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := bare(1, 1, 2, 2)
	for i, at := range [][2]int{{0, 2}, {1, 3}} {
		m, err := s.Mask(source, i)
		if err != nil || m.Pix[at[0]] != 1 || m.Pix[at[1]] != 2 {
			t.Errorf("frame %d: %v %v", i, m, err)
		}
	}
	if _, err := bare(1, 1, 2).Mask(source, 0); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("a frame is missing: %v", err)
	}
	if _, err := bare(1, 300).Mask(source, 1); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("segment 300: %v", err)
	}
}

func TestReadSEGErrors(t *testing.T) {
	source := openSource(t, images()["CT"])
	b, _ := writeSEG(t, origin(source))
	if _, err := ReadSEG(dicomtest.Write(images()["CT"])); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("an image: %v", err)
	}
	for n := 0; n < len(b); n += 97 {
		if _, err := ReadSEG(b[:n]); err == nil {
			t.Errorf("cut after %d of %d bytes: no error", n, len(b))
		}
	}
}

// TestAffine maps pixels to the patient.
func TestAffine(t *testing.T) {
	m, ok := openSource(t, images()["CT"]).Affine()
	want := [3][4]float64{{0.75 * 0.8, 0, -3 * 0.6, -12.9}, {0.75 * 0.6, 0, 3 * 0.8, 23.2}, {0, -0.5, 0, 7}}
	for r := range want {
		for c := range want[r] {
			if d := m[r][c] - want[r][c]; !ok || d > 1e-9 || d < -1e-9 {
				t.Fatalf("%v %t, want %v", m, ok, want)
			}
		}
	}
	if m, ok := openSource(t, enhanced(2)).Affine(); !ok || m[2][2] != -4 || m[2][3] != 8 {
		t.Errorf("two frames: %v %t", m, ok)
	}
	for name, f := range map[string]dicomtest.File{"two phases": enhanced(4), "no position": images()["US cine"], "no geometry": images()["CR"]} {
		if m, ok := openSource(t, f).Affine(); ok {
			t.Errorf("%s: %v", name, m)
		}
	}
}

// FuzzReadSEG reads anything, and asks for the mask of an image.
func FuzzReadSEG(f *testing.F) {
	source := openSource(f, images()["CT"])
	b, _ := writeSEG(f, origin(source))
	f.Add(b)
	cine := openSource(f, images()["US cine"])
	b, _ = writeSEG(f, origin(cine))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadSEG(b)
		if err != nil {
			return
		}
		for i := range min(len(s.Frames), 4) {
			_, _ = s.Values(i) // no panic
		}
		_, _ = s.Mask(source, 0)
		_, _ = s.Mask(cine, 1)
	})
}
