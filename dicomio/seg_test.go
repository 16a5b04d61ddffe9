package dicomio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// writeSEG writes a segmentation of all frames of sources, and returns it with
// the masks that are in it.
func writeSEG(t testing.TB, o Origin) ([]byte, []*segd.Mask) {
	t.Helper()
	seg, err := NewSEG(o)
	if err != nil {
		t.Fatal(err)
	}
	var masks []*segd.Mask
	for i, s := range o.Sources {
		for j := range s.frames {
			m := drawn(s, (i+j)%3)
			if i+j == 1 {
				clear(m.Pix) // nothing found
			}
			masks = append(masks, m)
			if err := seg.AddMask(i, j, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := seg.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), masks
}

// stored returns the decoded stored values of a file.
func stored(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WriteStored(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// wantBits is what the frames of a BINARY segmentation of masks hold.
func wantBits(masks []*segd.Mask) []byte {
	var want []byte
	for k := range classes[1:] {
		for _, m := range masks {
			for _, c := range m.Pix {
				v := byte(0)
				if int(c) == k+1 {
					v = 1
				}
				want = append(want, v)
			}
		}
	}
	return want
}

func TestSEG(t *testing.T) {
	for name, f := range images() {
		t.Run(name, func(t *testing.T) {
			s := openSource(t, f)
			o := origin(s)
			b, masks := writeSEG(t, o)
			if diff := cmp.Diff(wantBits(masks), stored(t, b)); diff != "" {
				t.Errorf("pixels (-want +got):\n%s", diff)
			}
			d := parse(t, b)
			for id, want := range map[uint32]string{
				tag.SOPClassUID: "1.2.840.10008.5.1.4.1.1.66.4", tag.Modality: "SEG",
				tag.PatientName: dicomtest.Patient[0], tag.PatientID: dicomtest.Patient[1], tag.PatientBirthDate: dicomtest.Patient[2],
				tag.StudyInstanceUID: root + "7", tag.AccessionNumber: "ACC-1", tag.ReferringPhysicianName: "Refer^Red", tag.PatientAge: "077Y",
				tag.ContentDate: "20260304", tag.ContentTime: "120506", tag.SeriesNumber: "501", tag.SegmentationType: "BINARY",
				tag.NumberOfFrames: fmt.Sprint(2 * len(masks)),
			} {
				if got := d.text(id); got != want {
					t.Errorf("%08x is %q, want %q", id, got, want)
				}
			}
			if d.text(tag.SeriesInstanceUID) == s.series || !strings.HasPrefix(d.text(tag.SOPInstanceUID), "2.25.") {
				t.Errorf("series %s, instance %s", d.text(tag.SeriesInstanceUID), d.text(tag.SOPInstanceUID))
			}
			wantGeometry(t, d, s)
			wantSegments(t, d)
			wantReferences(t, d, o)
		})
	}
}

// wantGeometry checks that d lies where s lies, or nowhere.
func wantGeometry(t *testing.T, d dataset, s *Source) {
	t.Helper()
	shared, each := d.first(tag.SharedFunctionalGroupsSequence), d[tag.PerFrameFunctionalGroupsSequence].items
	if s.planes == nil {
		for id := range map[uint32]bool{tag.FrameOfReferenceUID: true, tag.PositionReferenceIndicator: true} {
			if _, ok := d[id]; ok {
				t.Errorf("%s in an object that lies nowhere", name(id))
			}
		}
		if _, ok := d[tag.PatientOrientation]; !ok || len(shared) > 0 {
			t.Errorf("shared groups %v, patient orientation %t", shared, ok)
		}
		for i, g := range each {
			content := g.first(tag.FrameContentSequence)
			want := dataset{}
			want.setInts(tag.DimensionIndexValues, 1+i*2/len(each), 1, 1+i%(len(each)/2))
			if diff := cmp.Diff(want[tag.DimensionIndexValues].b, content[tag.DimensionIndexValues].b); diff != "" || g.has(tag.PlanePositionSequence) {
				t.Errorf("frame %d: position %t, index (-want +got):\n%s", i+1, g.has(tag.PlanePositionSequence), diff)
			}
		}
		return
	}
	if got, want := d.text(tag.FrameOfReferenceUID), root+"6"; got != want {
		t.Errorf("frame of reference %q, want %q", got, want)
	}
	p := s.planes[0]
	if o := shared.first(tag.PlaneOrientationSequence).text(tag.ImageOrientationPatient); o != p.orientation {
		t.Errorf("orientation %q, want %q", o, p.orientation)
	}
	if m := shared.first(tag.PixelMeasuresSequence); m.text(tag.PixelSpacing) != p.spacing || m.text(tag.SliceThickness) != p.thickness {
		t.Errorf("measures %v, want %v", m, p)
	}
	for i, g := range each {
		if got, want := g.first(tag.PlanePositionSequence).text(tag.ImagePositionPatient), s.planes[i%s.frames].position; got != want {
			t.Errorf("frame %d lies at %q, want %q", i+1, got, want)
		}
	}
}

func wantSegments(t *testing.T, d dataset) {
	t.Helper()
	items := d[tag.SegmentSequence].items
	if len(items) != 2 {
		t.Fatalf("%d segments, want 2", len(items))
	}
	for i, c := range classes[1:] {
		s := items[i]
		kind := s.first(tag.SegmentedPropertyTypeCodeSequence)
		want := codeTissue
		if c.Type.Value != "" {
			want = c.Type
		}
		got := code{Value: kind.text(tag.CodeValue), Scheme: kind.text(tag.CodingSchemeDesignator), Meaning: kind.text(tag.CodeMeaning)}
		if s.integer(tag.SegmentNumber) != c.Index || s.text(tag.SegmentLabel) != c.Name || got != want || s.text(tag.SegmentAlgorithmName) != "cardiac-lv" {
			t.Errorf("segment %d: %q, %v, want %v", i+1, s.text(tag.SegmentLabel), got, want)
		}
	}
	// 0, 170, 255 as highdicom 0.28 writes it, whose constants have fewer
	// digits; a step of 8-bit sRGB is some 200.
	lab := items[0][tag.RecommendedDisplayCIELabValue].b
	for i, want := range []int{43579, 31297, 19515} {
		if got := int(binary.LittleEndian.Uint16(lab[2*i:])); got < want-5 || got > want+5 {
			t.Errorf("colour %d is %d, want %d", i, got, want)
		}
	}
}

// wantReferences checks that each frame says which it was made of.
func wantReferences(t *testing.T, d dataset, o Origin) {
	t.Helper()
	s := o.Sources[0]
	if got := d.first(tag.ReferencedSeriesSequence).text(tag.SeriesInstanceUID); got != o.sourceSeries(s) {
		t.Errorf("referenceo.sourceSeries(s) %q, want %q", got, s.series)
	}
	for i, g := range d[tag.PerFrameFunctionalGroupsSequence].items {
		ref := g.first(tag.DerivationImageSequence).first(tag.SourceImageSequence)
		want := ""
		if s.frames > 1 {
			want = fmt.Sprint(1 + i%s.frames)
		}
		if ref.text(tag.ReferencedSOPInstanceUID) != s.instance || ref.text(tag.ReferencedSOPClassUID) != s.class || ref.text(tag.ReferencedFrameNumber) != want {
			t.Errorf("frame %d was made of %q frame %q, want frame %q", i+1, ref.text(tag.ReferencedSOPInstanceUID), ref.text(tag.ReferencedFrameNumber), want)
		}
		if n := g.first(tag.SegmentIdentificationSequence).integer(tag.ReferencedSegmentNumber); n != 1+i/s.frames {
			t.Errorf("frame %d is of segment %d", i+1, n)
		}
	}
}

// TestSEGSeries makes one object of the slices of a series, out of order.
func TestSEGSeries(t *testing.T) {
	var sources []*Source
	for i, z := range []float64{9, 3, 6} {
		sources = append(sources, openSource(t, identified("1.2.840.10008.5.1.4.1.1.2", "CT", i+1, placed(z)...)))
	}
	b, masks := writeSEG(t, origin(sources...))
	order := []int{1, 2, 0}
	sorted := []*segd.Mask{masks[1], masks[2], masks[0]}
	if diff := cmp.Diff(wantBits(sorted), stored(t, b)); diff != "" {
		t.Errorf("pixels (-want +got):\n%s", diff)
	}
	d := parse(t, b)
	for i, g := range d[tag.PerFrameFunctionalGroupsSequence].items {
		index := dataset{}
		index.setInts(tag.DimensionIndexValues, 1+i/3, 1+i%3)
		if diff := cmp.Diff(index[tag.DimensionIndexValues].b, g.first(tag.FrameContentSequence)[tag.DimensionIndexValues].b); diff != "" {
			t.Errorf("frame %d: index (-want +got):\n%s", i+1, diff)
		}
		ref := g.first(tag.DerivationImageSequence).first(tag.SourceImageSequence).text(tag.ReferencedSOPInstanceUID)
		if want := sources[order[i%3]].instance; ref != want {
			t.Errorf("frame %d was made of %s, want %s", i+1, ref, want)
		}
	}
	if n := len(d.first(tag.ReferencedSeriesSequence)[tag.ReferencedInstanceSequence].items); n != 3 {
		t.Errorf("%d references, want 3", n)
	}

	wantMerged(t, sources, b)
	other := identified("1.2.840.10008.5.1.4.1.1.2", "CT", 9, placed(9)...)
	other.Elements = append(other.Elements, text(tag.StudyInstanceUID, root+"77"))
	if _, err := NewSEG(origin(sources[0], openSource(t, other))); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("of two studies: %v", err)
	}
}

// wantMerged makes the object of sources one by one, whose masks are those of
// writeSEG, and checks that the pixels are those of whole.
func wantMerged(t *testing.T, sources []*Source, whole []byte) {
	t.Helper()
	var seg *SEG
	for i, s := range sources {
		one, err := NewSEG(origin(s))
		if err != nil {
			t.Fatal(err)
		}
		m := drawn(s, i%3)
		if i == 1 {
			clear(m.Pix)
		}
		if err := one.AddMask(0, 0, m); err != nil {
			t.Fatal(err)
		}
		if s.SeriesKey() == "" || s.SeriesKey() != sources[0].SeriesKey() {
			t.Errorf("source %d is of another series", i)
		}
		if seg == nil {
			seg = one
		} else if err := seg.Merge(one); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := seg.Write(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored(t, whole), stored(t, b.Bytes())); diff != "" {
		t.Errorf("pixels of the merged object (-want +got):\n%s", diff)
	}
	alone := openSource(t, images()["CR"])
	if alone.SeriesKey() != "" {
		t.Error("an X-ray belongs to a series of slices")
	}
	other, err := NewSEG(origin(alone))
	if err != nil {
		t.Fatal(err)
	}
	if err := seg.Merge(other); !errors.Is(err, segd.ErrUnprocessable) || len(seg.origin.Sources) != len(sources) {
		t.Errorf("slices and an X-ray in one object: %v, %d sources", err, len(seg.origin.Sources))
	}
}

func TestPositionIndexes(t *testing.T) {
	at := func(z string, depth float64) *plane {
		return &plane{position: z, origin: [3]float64{0, 0, depth}, right: [3]float64{1, 0, 0}, down: [3]float64{0, 1, 0}}
	}
	position, repeat := positionIndexes([]*plane{at("9", 9), at("3", 3), at("9", 9), at("6", 6), at("9", 9)})
	if diff := cmp.Diff([]int{3, 1, 3, 2, 3}, position); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1, 1, 2, 1, 3}, repeat); diff != "" {
		t.Error(diff)
	}
}

func TestFractionalSEG(t *testing.T) {
	s := openSource(t, images()["US cine"])
	seg, err := NewFractionalSEG(origin(s))
	if err != nil {
		t.Fatal(err)
	}
	want := make([][]byte, 2)
	for i := range s.frames {
		p := segd.NewTensor(1, 3, s.rows, s.cols)
		for j := range s.rows * s.cols {
			p.Plane(0, 1)[j] = float32(j) / float32(s.rows*s.cols-1) * float32(i) / 2
			p.Plane(0, 2)[j] = -0.5 // out of range
			want[0] = append(want[0], byte(p.Plane(0, 1)[j]*255+0.5))
			want[1] = append(want[1], 0)
		}
		if err := seg.AddProbabilities(0, i, p); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := seg.Write(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(want[0], want[1]...), stored(t, b.Bytes())); diff != "" {
		t.Errorf("pixels (-want +got):\n%s", diff)
	}
	d := parse(t, b.Bytes())
	if d.text(tag.SegmentationType) != "FRACTIONAL" || d.text(tag.SegmentationFractionalType) != "PROBABILITY" || d.integer(tag.MaximumFractionalValue) != 255 || d.integer(tag.BitsAllocated) != 8 {
		t.Errorf("%v", d)
	}
	if err := seg.AddMask(0, 0, drawn(s, 0)); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("a mask among probabilities: %v", err)
	}
}
