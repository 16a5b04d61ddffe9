package dicomio

import (
	"bytes"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/pythontest"
)

// program returns the path of a program, or skips the test.
func program(t *testing.T, name, pack string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (%s)", name, pack)
	}
	return path
}

// python returns an interpreter that has modules, or skips the test.
func python(t *testing.T, modules string) string {
	t.Helper()
	if p := pythontest.Find(modules); p != "" {
		return p
	}
	t.Skipf("no Python with %s; SEGD_PYTHON names an interpreter", modules)
	return ""
}

// objects writes every kind of object that can be made of s, by name.
func objects(t *testing.T, s *Source) map[string][]byte { return objectsOf(t, s, false) }

func objectsOf(t *testing.T, s *Source, deidentify bool) map[string][]byte {
	t.Helper()
	o := origin(s)
	o.Run.Deidentify = deidentify
	seg, masks := writeSEG(t, o)
	all := map[string][]byte{"seg": seg}
	save := func(name string, write func(io.Writer) error) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = b.Bytes()
	}
	fractional, err := NewFractionalSEG(o)
	if err != nil {
		t.Fatal(err)
	}
	segmentation, err := NewSEG(o)
	if err != nil {
		t.Fatal(err)
	}
	var findings []Finding
	for i, m := range masks {
		p := segd.NewTensor(1, len(classes), s.rows, s.cols)
		for j := range p.Plane(0, 1) {
			p.Plane(0, 1)[j] = float32(j%256) / 255
		}
		if err := fractional.AddProbabilities(0, i, p); err != nil {
			t.Fatal(err)
		}
		if err := segmentation.AddMask(0, i, m); err != nil {
			t.Fatal(err)
		}
		findings = append(findings, Finding{Frame: i, Class: 1, Measures: []Measure{AreaMM2(12.25), PixelCount(49), ComponentCount(2), MeanProbability(0.875)}},
			Finding{Frame: i, Class: 2, Measures: []Measure{PixelCount(2)}})
	}
	save("segprob", fractional.Write)
	picture := image.NewNRGBA(image.Rect(0, 0, s.cols, s.rows))
	for i := range picture.Pix {
		picture.Pix[i] = byte(i)
	}
	save("sc", func(w io.Writer) error { return WriteSC(w, o, 0, picture) })
	save("sr", func(w io.Writer) error { return WriteSR(w, o, findings, nil) })
	save("sr of seg", func(w io.Writer) error { return WriteSR(w, o, findings, segmentation) })
	gsps, err := NewGSPS(o)
	if err != nil {
		t.Fatal(err)
	}
	draw := func(add func(int, int, *segd.Mask) error) {
		for i, m := range masks {
			if err := add(0, i, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	draw(gsps.AddMask)
	save("gsps", gsps.Write)
	if s.Placed() {
		rt, err := NewRTStruct(o)
		if err != nil {
			t.Fatal(err)
		}
		draw(rt.AddMask)
		save("rtstruct", rt.Write)
	}
	return all
}

var (
	faultTag    = regexp.MustCompile(`\(0x[0-9a-f]{4},0x[0-9a-f]{4}\) [A-Z]{2} .*?  [A-Z]{2} `)
	faultModule = regexp.MustCompile(` Module=<\w+>`)
)

// faults returns what dciodvfy finds wrong with a file. A value that it does
// not like is the same fault wherever it stands, since references repeat UIDs.
func faults(t *testing.T, path string) map[string]bool {
	t.Helper()
	out, _ := exec.Command("dciodvfy", path).CombinedOutput() // fails where it finds faults
	found := map[string]bool{}
	for line := range strings.SplitSeq(string(out), "\n") {
		if strings.HasPrefix(line, "Error") || strings.HasPrefix(line, "Warning") {
			found[faultModule.ReplaceAllString(faultTag.ReplaceAllString(line, ""), "")] = true
		}
	}
	return found
}

// disagreements returns what dcentvfy finds at odds between the files of one
// patient and study, besides two things: that an object has, without a value,
// what it must have and the source lacks (Type 2), and that dcentvfy takes the
// accession number and the referenced study of any report to be of its series.
func disagreements(t *testing.T, s *Source, paths ...string) map[string]bool {
	t.Helper()
	out, _ := exec.Command("dcentvfy", paths...).CombinedOutput() // fails where it finds some
	found := map[string]bool{}
lines:
	for line := range strings.SplitSeq(string(out), "\n") {
		if line == "" || strings.Contains(line, "Different information entities for attribute - Element=<AccessionNumber>") ||
			strings.Contains(line, "Different information entities for attribute - Element=<ReferencedStudySequence>") {
			continue
		}
		for _, required := range requiredTags {
			_, ok1 := s.patient[required]
			_, ok2 := s.study[required]
			info, _ := lookup(required)
			if !ok1 && !ok2 && strings.Contains(line, "Attribute present in one instance but not the other - Element=<"+info.Keyword+">") {
				continue lines
			}
		}
		line, _, _ = strings.Cut(line, " for file ")
		found[line] = true
	}
	return found
}

// TestConformance has dciodvfy look for faults that the source does not have,
// in every kind of object of every kind of image, of tests and public ones, and
// dcentvfy for what source and objects say differently.
func TestConformance(t *testing.T) {
	program(t, "dciodvfy", "Debian package dicom3tools")
	dir := t.TempDir()
	check := func(t *testing.T, file []byte) {
		s, err := OpenSource(file)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_"))
		write := func(name string, b []byte) string {
			if err := os.WriteFile(path+name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return path + name
		}
		source := write("source.dcm", file)
		own, all := faults(t, source), []string{source}
		for name, b := range objects(t, s) {
			object := write(name+".dcm", b)
			all = append(all, object)
			for fault := range faults(t, object) {
				if strings.HasSuffix(fault, "<Laterality>") && name != "seg" && name != "segprob" {
					continue // an enhanced image has it frame by frame, these do not
				}
				if !own[fault] {
					t.Errorf("%s: %s", name, fault)
				}
			}
		}
		for fault := range disagreements(t, s, all...) {
			t.Error(fault)
		}
	}
	for name, f := range images() {
		if f.Syntax == dicomtest.DeflatedLE {
			continue // dciodvfy does not read it
		}
		t.Run(name, func(t *testing.T) { check(t, dicomtest.Write(f)) })
	}
	for _, name := range []string{
		"data/cardiac_dicom/test/images/SCD0000401_0080.dcm",
		"dicom-corpus/pydicom+pydicom/src/pydicom/data/test_files/CT_small.dcm",
		"dicom-corpus/pydicom+pydicom/src/pydicom/data/test_files/MR_small.dcm",
		"seg-fixtures/dcmqi/24x38x3/multiframe/mf.dcm",
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(shared(t, filepath.Dir(name)), filepath.Base(name)))
			if err != nil {
				t.Fatal(err)
			}
			check(t, b)
		})
	}
}

// TestOthersReadSEG has dcmtk, gdcm and pydicom read the bits back.
func TestOthersReadSEG(t *testing.T) {
	for _, kind := range []string{"CT", "enhanced MR", "US cine", "CR"} {
		s := openSource(t, images()[kind])
		b, masks := writeSEG(t, origin(s))
		bits := wantBits(masks)
		packed := make([]byte, (len(bits)+15)/16*2)
		for i, v := range bits {
			packed[i/8] |= v << (i % 8)
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "seg.dcm")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(kind+"/dcmtk", func(t *testing.T) {
			program(t, "dcmdump", "Debian package dcmtk")
			if out, err := exec.Command("dcmdump", "+W", dir, file).CombinedOutput(); err != nil || bytes.Contains(out, []byte("W: ")) {
				t.Fatalf("%v: %s", err, out)
			}
			raw, err := filepath.Glob(filepath.Join(dir, "*.raw"))
			if err != nil || len(raw) != 1 {
				t.Fatalf("dcmdump wrote %q", raw)
			}
			got, err := os.ReadFile(raw[0])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(packed, got); diff != "" {
				t.Errorf("pixels (-want +got):\n%s", diff)
			}
		})
		t.Run(kind+"/gdcm", func(t *testing.T) {
			program(t, "gdcmraw", "Debian package libgdcm-tools")
			raw := filepath.Join(dir, "gdcm")
			if out, err := exec.Command("gdcmraw", "-i", file, "-t", "7fe0,0010", "-o", raw).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got, err := os.ReadFile(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(packed, got); diff != "" {
				t.Errorf("pixels (-want +got):\n%s", diff)
			}
		})
		t.Run(kind+"/pydicom", func(t *testing.T) {
			p := python(t, "pydicom, numpy")
			out, err := exec.Command(p, "-c", `
import sys, pydicom
d = pydicom.dcmread(sys.argv[1])
a = d.pixel_array
if a.ndim == 2: a = a[None]
assert a.shape == (int(d.NumberOfFrames), d.Rows, d.Columns), a.shape
sys.stdout.buffer.write(a.astype("u1").tobytes())
`, file).Output()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(bits, out); diff != "" {
				t.Errorf("pixels (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHighdicom has highdicom find the pixels of each source frame by segment,
// and the measurements of a report.
func TestHighdicom(t *testing.T) {
	p := python(t, "highdicom")
	dir := t.TempDir()
	args := []string{"-W", "ignore", "-c", `
import sys, highdicom as hd
for i in range(1, len(sys.argv), 3):
    path, source, n = sys.argv[i], sys.argv[i+1], int(sys.argv[i+2])
    seg = hd.seg.segread(path + "seg")
    if n == 1:
        a = seg.get_pixels_by_source_instance([source], combine_segments=True)
    else:
        a = seg.get_pixels_by_source_frame(source, list(range(1, n + 1)), combine_segments=True)
    sys.stdout.buffer.write(a.astype("u1").tobytes())
    groups = hd.sr.srread(path + "sr").content.get_image_measurement_groups()
    assert len(groups) == 2 * n, len(groups)
    groups = hd.sr.srread(path + "sr of seg").content.get_planar_roi_measurement_groups()
    assert len(groups) == 2 * n, len(groups)
    values = [float(m.value) for m in groups[0].get_measurements()]
    assert values == [12.25, 49, 2, 0.875], values
`}
	var want []byte
	for _, kind := range []string{"CT", "enhanced MR", "US", "US cine", "CR", "MG"} {
		s := openSource(t, images()[kind])
		all := objects(t, s)
		path := filepath.Join(dir, kind)
		for _, name := range []string{"seg", "sr of seg", "sr"} {
			if err := os.WriteFile(path+name, all[name], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, masks := writeSEG(t, origin(s))
		for _, m := range masks {
			want = append(want, m.Pix...)
		}
		args = append(args, path, s.instance, fmt.Sprint(s.frames))
	}
	var errors bytes.Buffer
	cmd := exec.Command(p, args...)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errors.String())
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("pixels (-want +got):\n%s", diff)
	}
}

// TestOthersReadObjects has dcmtk and pydicom parse every object.
func TestOthersReadObjects(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for kind, f := range images() {
		for name, b := range objects(t, openSource(t, f)) {
			path := filepath.Join(dir, kind+" "+name)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, path)
		}
	}
	slices.Sort(files)
	t.Run("dcmtk", func(t *testing.T) {
		program(t, "dcmdump", "Debian package dcmtk")
		if out, err := exec.Command("dcmdump", append([]string{"-q"}, files...)...).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("dsrdump", func(t *testing.T) {
		program(t, "dsrdump", "Debian package dcmtk")
		for _, f := range files {
			if strings.Contains(filepath.Base(f), " sr") {
				if out, err := exec.Command("dsrdump", f).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("12.25")) {
					t.Errorf("%s: %v: %s", filepath.Base(f), err, out)
				}
			}
		}
	})
	t.Run("pydicom", func(t *testing.T) {
		p := python(t, "pydicom")
		out, err := exec.Command(p, append([]string{"-W", "error", "-c", `
import sys, pydicom
pydicom.config.settings.reading_validation_mode = 2
for f in sys.argv[1:]:
    d = pydicom.dcmread(f)
    str(d)
`}, files...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}
