package dicomio

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// TestRunUIDs checks which UIDs agree within a run, and between runs.
func TestRunUIDs(t *testing.T) {
	a, b := openSource(t, identified("1.2.840.10008.5.1.4.1.1.2", "CT", 1, placed(1)...)), openSource(t, identified("1.2.840.10008.5.1.4.1.1.2", "CT", 2, placed(2)...))
	uids := func(r *Run, s *Source) (series, instance string) {
		o := origin(s)
		o.Run = r
		b, _ := writeSEG(t, o)
		d := parse(t, b)
		return d.text(tag.SeriesInstanceUID), d.text(tag.SOPInstanceUID)
	}
	random, keyed := &Run{Time: noon}, &Run{Time: noon, Key: []byte("k")}
	series1, one := uids(random, a)
	series2, two := uids(random, b)
	series3, again := uids(random, a)
	if series1 != series2 || series1 != series3 || one == two || one == again {
		t.Errorf("series %s, %s, %s; instances %s, %s, %s", series1, series2, series3, one, two, again)
	}
	if series4, _ := uids(&Run{Time: noon}, a); series4 == series1 {
		t.Error("two runs share a series")
	}
	s1, i1 := uids(keyed, a)
	s2, i2 := uids(&Run{Time: noon, Key: []byte("k")}, a)
	if s1 != s2 || i1 != i2 {
		t.Error("a key does not repeat the UIDs")
	}
	for _, uid := range []string{series1, one, s1, i1} {
		if !isUID(uid) || strings.Contains(uid, ".0") {
			t.Errorf("UID %s", uid)
		}
	}
}

// TestNoSeries has every object of a run refer to an image without a series by
// one UID, which is not another image's.
func TestNoSeries(t *testing.T) {
	s := openSource(t, images()["CT without a series"])
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], "(0020,000E)") {
		t.Errorf("warnings %q", w)
	}
	o := origin(s)
	uid := o.sourceSeries(s)
	if !isUID(uid) || uid == o.sourceSeries(&Source{instance: s.instance + "1"}) || uid == o.seriesUID(kindSEG) {
		t.Errorf("series %q", uid)
	}
	seg, _ := writeSEG(t, o)
	if got := parse(t, seg).first(tag.ReferencedSeriesSequence).text(tag.SeriesInstanceUID); got != uid {
		t.Errorf("the segmentation refers to series %q, want %q", got, uid)
	}
	var sr bytes.Buffer
	if err := WriteSR(&sr, o, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := parse(t, sr.Bytes()).first(tag.CurrentRequestedProcedureEvidenceSequence).first(tag.ReferencedSeriesSequence).text(tag.SeriesInstanceUID); got != uid {
		t.Errorf("the report refers to series %q, want %q", got, uid)
	}
}

// TestSourceErrors gives files that nothing can be made of.
func TestSourceErrors(t *testing.T) {
	ct := images()["CT"]
	without := func(id uint32) []byte {
		f := ct
		f.Elements = append(append([]dicomtest.Element{}, f.Elements...), dicomtest.Element{Tag: id})
		return dicomtest.Write(f)
	}
	if _, err := OpenSource(without(tag.SOPInstanceUID)); !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), "(0008,0018)") {
		t.Errorf("without an instance: %v", err)
	}
	if _, err := OpenSource(dicomtest.Write(ct)[:400]); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("truncated: %v", err)
	}
	s, err := OpenSource(without(tag.StudyInstanceUID))
	if err != nil || len(s.Warnings()) != 1 {
		t.Fatalf("without a study: %v, warnings %q", err, s.Warnings())
	}
	b, _ := writeSEG(t, origin(s))
	if d := parse(t, b); !strings.HasPrefix(d.text(tag.StudyInstanceUID), "2.25.") {
		t.Errorf("study %q", d.text(tag.StudyInstanceUID))
	}
	if s, err := OpenSource(without(tag.FrameOfReferenceUID)); err != nil || s.Placed() {
		t.Errorf("without a frame of reference: %v", err)
	}
	seg, err := NewSEG(origin(s))
	if err != nil {
		t.Fatal(err)
	}
	if err := seg.AddMask(0, 1, drawn(s, 0)); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("frame 2 of 1: %v", err)
	}
	if err := seg.AddMask(0, 0, segd.NewMask(4, 4)); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("a mask of another size: %v", err)
	}
	if err := seg.Write(&bytes.Buffer{}); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("no frames: %v", err)
	}
}

// TestCharacterSets copies text of several character sets, byte for byte.
func TestCharacterSets(t *testing.T) {
	for _, tt := range []struct{ name, set, patient, label, wantSet, wantLabel string }{
		{"ascii", "", "Yamada", "ventricle", "", "ventricle"},
		{"own text needs more", "ISO_IR 100", "Yamada", "Kammer, groß", "ISO_IR 192", "Kammer, groß"},
		{"utf-8", "ISO_IR 192", "M\u00fcller", "Kammer, groß", "ISO_IR 192", "Kammer, groß"},
		{"latin 1", "ISO_IR 100", "M\xfcller", "Kammer, groß", "ISO_IR 100", "Kammer, gro?"},
		{"japanese", `\ISO 2022 IR 87`, "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "v", `\ISO 2022 IR 87`, "v"},
	} {
		f := images()["CR"]
		f.Elements = append(f.Elements, text(tag.PatientName, tt.patient))
		if tt.set != "" {
			f.Elements = append(f.Elements, text(tag.SpecificCharacterSet, tt.set))
		}
		o := origin(openSource(t, f))
		o.Classes = []segd.Class{{Name: "background"}, {Index: 1, Name: tt.label}}
		b, _ := writeSEG(t, o)
		d := parse(t, b)
		if d.text(tag.PatientName) != tt.patient || d.text(tag.SpecificCharacterSet) != tt.wantSet || d.first(tag.SegmentSequence).text(tag.SegmentLabel) != tt.wantLabel {
			t.Errorf("%s: %q, %q, %q", tt.name, d.text(tag.PatientName), d.text(tag.SpecificCharacterSet), d.first(tag.SegmentSequence).text(tag.SegmentLabel))
		}
	}
}

func TestDecimal(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", -1.5: "-1.5", 0.7031250000000001: "0.70312500000000", 1.0 / 3: "0.33333333333333", -123456.7890123456: "-123456.78901235",
		1e-7: "0.0000001", -1.23456789012345e-7: "-1.23456789e-07", 1e300: "1e+300",
	} {
		if got := decimal(v); len(got) > 16 || strings.TrimRight(got, "0") != strings.TrimRight(want, "0") {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

// TestLossySource makes a segmentation of an image that was compressed with loss
// and does not say by how much: an element without a value is not passed on
// (PS3.3 C.7.6.1.1.5 has it of type 1C).
func TestLossySource(t *testing.T) {
	f := images()["CR"]
	f.Elements = append(slices.Clip(f.Elements), text(tag.LossyImageCompression, "01"), text(tag.LossyImageCompressionRatio, ""), text(tag.LossyImageCompressionMethod, "ISO_10918_1"))
	seg, _ := writeSEG(t, origin(openSource(t, f)))
	d := parse(t, seg)
	if _, ok := d[tag.LossyImageCompressionRatio]; ok || d.text(tag.LossyImageCompression) != "01" || d.text(tag.LossyImageCompressionMethod) != "ISO_10918_1" {
		t.Errorf("ratio there: %t, lossy %q, method %q", ok, d.text(tag.LossyImageCompression), d.text(tag.LossyImageCompressionMethod))
	}
}
