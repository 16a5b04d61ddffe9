package dicomio

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// classes are those of the masks that tests make.
var classes = []segd.Class{
	{Name: "background"},
	{Index: 1, Name: "left ventricle", Color: [3]uint8{0, 170, 255},
		Category: code{Value: "91723000", Scheme: "SCT", Meaning: "Anatomical Structure"},
		Type:     code{Value: "87878005", Scheme: "SCT", Meaning: "Left ventricle"}},
	{Index: 2, Name: "something else", Color: [3]uint8{255, 92, 56}},
}

// noon is when objects of tests are made.
var noon = time.Date(2026, 3, 4, 12, 5, 6, 0, time.UTC)

const root = "1.2.826.0.1.3680043.10.543."

// element is short for one of a file of tests.
func text(id uint32, value string) dicomtest.Element {
	return dicomtest.Element{Tag: id, VR: dictionaryVR(id), Value: value}
}

func sequence(id uint32, items ...dicomtest.Item) dicomtest.Element {
	return dicomtest.Element{Tag: id, VR: "SQ", Value: items}
}

// identified returns a file of one patient and study with a series for each
// SOP class, and room for more.
func identified(class, modality string, number int, more ...dicomtest.Element) dicomtest.File {
	const rows, cols = 10, 13 // 130 pixels do not fill whole bytes
	elements := []dicomtest.Element{
		text(tag.SOPClassUID, class), text(tag.SOPInstanceUID, fmt.Sprintf("%s9.%d", root, number)),
		text(tag.StudyDate, "20250102"), text(tag.StudyTime, "101112"), text(tag.AccessionNumber, "ACC-1"), text(tag.ReferringPhysicianName, "Refer^Red"),
		text(tag.PatientSex, "F"), text(tag.PatientAge, "077Y"), text(tag.StudyDescription, "Heart"),
		text(tag.StudyInstanceUID, root+"7"), text(tag.SeriesInstanceUID, root+"8."+fmt.Sprint(len(class))), text(tag.StudyID, "ST1"),
		text(tag.SeriesNumber, "5"), text(tag.InstanceNumber, fmt.Sprint(number)),
	}
	pix := make([]byte, 2*rows*cols)
	for i := range pix {
		pix[i] = byte(i % 7)
	}
	return dicomtest.File{Rows: rows, Columns: cols, Stored: 12, Modality: modality, Pixels: pix, Elements: append(elements, more...)}
}

// placed returns what says where a slice lies, z mm up an oblique stack, along
// its normal.
func placed(z float64) []dicomtest.Element {
	return []dicomtest.Element{
		text(tag.FrameOfReferenceUID, root+"6"), text(tag.ImagePositionPatient, fmt.Sprintf(`%v\%v\7`, -10.5-0.6*z, 20+0.8*z)),
		text(tag.ImageOrientationPatient, `0.8\0.6\0\0\0\-1`), text(tag.PixelSpacing, `0.5\0.75`), text(tag.SliceThickness, "3"),
	}
}

// frames makes f a file of n frames.
func frames(f dicomtest.File, n int) dicomtest.File {
	f.Frames = n
	f.Pixels = slices.Repeat(f.Pixels, n)
	return f
}

// enhanced is an enhanced MR image of n frames at two positions, in turn.
func enhanced(n int) dicomtest.File {
	f := frames(identified("1.2.840.10008.5.1.4.1.1.4.1", "MR", 20, text(tag.FrameOfReferenceUID, root+"6")), n)
	var each []dicomtest.Item
	for i := range n {
		each = append(each, dicomtest.Item{
			sequence(tag.PlanePositionSequence, dicomtest.Item{text(tag.ImagePositionPatient, fmt.Sprintf(`0\0\%d`, 8-4*(i%2)))}),
		})
	}
	f.Elements = append(f.Elements,
		sequence(tag.SharedFunctionalGroupsSequence, dicomtest.Item{
			sequence(tag.PlaneOrientationSequence, dicomtest.Item{text(tag.ImageOrientationPatient, `1\0\0\0\1\0`)}),
			sequence(tag.PixelMeasuresSequence, dicomtest.Item{text(tag.SliceThickness, "4"), text(tag.PixelSpacing, `1.5\1.25`)}),
		}),
		sequence(tag.PerFrameFunctionalGroupsSequence, each...))
	return f
}

// images are the kinds of image that objects are made of.
func images() map[string]dicomtest.File {
	all := map[string]dicomtest.File{
		"CT":          identified("1.2.840.10008.5.1.4.1.1.2", "CT", 1, placed(4)...),
		"MR":          identified("1.2.840.10008.5.1.4.1.1.4", "MR", 2, placed(4)...),
		"enhanced MR": enhanced(4),
		"CR":          identified("1.2.840.10008.5.1.4.1.1.1", "CR", 3, text(tag.ImagerPixelSpacing, `0.2\0.2`), text(tag.PatientOrientation, `L\F`)),
		"DX":          identified("1.2.840.10008.5.1.4.1.1.1.1", "DX", 4, text(tag.ImagerPixelSpacing, `0.2\0.2`), text(tag.PatientOrientation, `L\F`)),
		"MG":          identified("1.2.840.10008.5.1.4.1.1.1.2", "MG", 5, text(tag.PatientOrientation, `A\FR`)),
		"US":          identified("1.2.840.10008.5.1.4.1.1.6.1", "US", 6),
		"US cine":     frames(identified("1.2.840.10008.5.1.4.1.1.3.1", "US", 7), 3),
		"SC":          identified("1.2.840.10008.5.1.4.1.1.7", "OT", 8),
		"VL":          coloured(identified("1.2.840.10008.5.1.4.1.1.77.1.4", "XC", 9)),
	}
	orphan := all["CT"]
	orphan.Elements = append(slices.Clip(orphan.Elements), dicomtest.Element{Tag: tag.SeriesInstanceUID})
	all["CT without a series"] = orphan
	for _, syntax := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitBE, dicomtest.DeflatedLE} {
		f := all["CT"]
		f.Syntax = syntax
		all["CT "+syntax] = f
	}
	return all
}

// openSource opens the file that f describes.
func openSource(t testing.TB, f dicomtest.File) *Source {
	t.Helper()
	s, err := OpenSource(dicomtest.Write(f))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// origin is what objects of sources are made of in tests.
func origin(sources ...*Source) Origin {
	return Origin{Run: &Run{Software: "segd 1.2.3", Time: noon}, Model: "cardiac-lv", Version: "1", Classes: classes, Sources: sources}
}

// drawn is a mask of both classes that is different for each i, as large as s.
func drawn(s *Source, i int) *segd.Mask {
	m := segd.NewMask(s.cols, s.rows)
	for y := 1; y < m.Height-2; y++ {
		for x := 1; x < min(5+i, m.Width); x++ {
			m.Pix[y*m.Width+x] = 1
		}
	}
	if m.Height > 5 {
		m.Pix[5*m.Width+2] = 0 // a hole
	}
	m.Pix[m.Width+m.Width-1] = 2
	m.Pix[(m.Height-1)*m.Width+m.Width-2-i] = 2
	return m
}

// parse reads a file of ours back, pixels apart.
func parse(t testing.TB, b []byte) dataset {
	t.Helper()
	f, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.warnings) > 0 {
		t.Errorf("warnings %q", f.warnings)
	}
	d := dataset{}
	for _, e := range f.top {
		if e.tag == tag.PixelData {
			continue
		}
		v, ok, err := f.field(e)
		if err != nil || !ok {
			t.Fatalf("element %s: %v", name(e.tag), err)
		}
		d[e.tag] = v
	}
	return d
}

// FuzzObjects makes a segmentation, a report and outlines of whatever can be a
// source, de-identified or not, and reads the segmentation back.
func FuzzObjects(f *testing.F) {
	for _, file := range images() {
		f.Add(dicomtest.Write(file), false)
		f.Add(dicomtest.Write(file), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, deidentify bool) {
		s, err := OpenSource(b)
		if err != nil {
			if kind(err) == nil {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		if s.rows*s.cols > 1<<16 || s.frames > 8 {
			return // slow, and no other way through the code
		}
		o := origin(s)
		o.Run.Deidentify = deidentify
		seg, err := NewSEG(o)
		if err != nil {
			t.Fatal(err)
		}
		outlines, err := NewGSPS(o)
		if err != nil {
			outlines = nil
		}
		m := segd.NewMask(s.cols, s.rows)
		for i := range m.Pix {
			m.Pix[i] = uint8(i % 3)
		}
		var findings []Finding
		for i := range s.frames {
			if err := seg.AddMask(0, i, m); err != nil {
				t.Fatal(err)
			}
			if outlines != nil {
				if err := outlines.AddMask(0, i, m); err != nil {
					t.Fatal(err)
				}
			}
			findings = append(findings, Finding{Frame: i, Class: 1, Measures: []Measure{PixelCount(1)}})
		}
		var out bytes.Buffer
		if err := seg.Write(&out); err != nil {
			t.Fatal(err)
		}
		if err := WriteSR(io.Discard, o, findings, seg); err != nil {
			t.Error(err)
		}
		if outlines != nil {
			if err := outlines.Write(io.Discard); err != nil {
				t.Error(err)
			}
		}
		scan, err := Read(out.Bytes())
		if err != nil || scan.Frames != 2*s.frames {
			t.Fatalf("the segmentation is not read back: %v", err)
		}
	})
}
