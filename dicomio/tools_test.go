package dicomio

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"io"
	"io/fs"
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
	for _, p := range []string{os.Getenv("SEGD_PYTHON"), "python3", "/usr/bin/python3"} {
		if p != "" && exec.Command(p, "-c", "import "+modules).Run() == nil {
			return p
		}
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

// TestConformance has dciodvfy look for faults that the source does not have,
// in every kind of object of every kind of image: of tests, and public ones.
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
		own := faults(t, write("source.dcm", file))
		for name, b := range objects(t, s) {
			for fault := range faults(t, write(name+".dcm", b)) {
				if strings.HasSuffix(fault, "<Laterality>") && name != "seg" && name != "segprob" {
					continue // an enhanced image has it frame by frame, these do not
				}
				if !own[fault] {
					t.Errorf("%s: %s", name, fault)
				}
			}
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

// TestConformanceCorpus has dciodvfy look for faults that the source does not
// have in a segmentation of every public file that one can be made of, and
// dcmtk, gdcm and pydicom read its bits back: of all of them where SEGD_ALL is
// set, else of every tenth.
func TestConformanceCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("runs four programs on hundreds of files")
	}
	program(t, "dciodvfy", "Debian package dicom3tools")
	program(t, "dcmdump", "Debian package dcmtk")
	program(t, "gdcmraw", "Debian package libgdcm-tools")
	dir := t.TempDir()
	var segs []string
	var want []byte
	made, none, every := 0, 0, 10
	if os.Getenv("SEGD_ALL") != "" {
		every = 1
	}
	err := filepath.WalkDir(shared(t, "dicom-corpus"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, ".csv") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s, err := OpenSource(b)
		if err != nil || s.rows < 8 || s.cols < 8 || s.rows*s.cols*s.frames > 16<<20 {
			none++
			return nil
		}
		if made++; made%every != 0 {
			return nil
		}
		seg, masks := writeSEG(t, origin(s))
		file := filepath.Join(dir, fmt.Sprintf("%03d.dcm", made))
		if err := os.WriteFile(file, seg, 0o600); err != nil {
			return err
		}
		own := faults(t, path)
		if strings.Contains(fmt.Sprint(own), "ot able to read") || len(own) == 0 && bytes.Contains(b[:min(len(b), 400)], []byte(deflatedLE)) {
			own = nil // which it does not read
		}
		for fault := range faults(t, file) {
			// An image without a series cannot be referred to by it.
			orphan := s.series == "" && (strings.Contains(fault, "<ReferencedSeriesSequence>") || strings.Contains(fault, "<StudiesContainingOtherReferencedInstancesSequence>"))
			if own != nil && !own[fault] && !orphan {
				t.Errorf("%s: %s", path, fault)
			}
		}
		packed := make([]byte, (len(wantBits(masks))+15)/16*2)
		for i, v := range wantBits(masks) {
			packed[i/8] |= v << (i % 8)
		}
		raw := filepath.Join(dir, "raw")
		if out, err := exec.Command("gdcmraw", "-i", file, "-t", "7fe0,0010", "-o", raw).CombinedOutput(); err != nil {
			t.Errorf("%s: gdcm: %v: %s", path, err, out)
		} else if got, err := os.ReadFile(raw); err != nil || !bytes.Equal(got, packed) {
			t.Errorf("%s: gdcm reads other bits: %v", path, err)
		}
		if out, err := exec.Command("dcmdump", "+W", dir, file).CombinedOutput(); err != nil {
			t.Errorf("%s: dcmtk: %v: %.300s", path, err, out)
		} else if got, err := os.ReadFile(file + ".0.raw"); err != nil || !bytes.Equal(got, packed) {
			t.Errorf("%s: dcmtk reads other bits: %v", path, err)
		}
		segs = append(segs, file)
		sum := sha256.Sum256(wantBits(masks))
		want = append(want, sum[:]...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d segmentations, none of %d files", len(segs), made, none)
	t.Run("pydicom", func(t *testing.T) {
		p := python(t, "pydicom, numpy")
		out, err := exec.Command(p, append([]string{"-W", "ignore", "-c", `
import sys, hashlib, pydicom
for f in sys.argv[1:]:
    sys.stdout.buffer.write(hashlib.sha256(pydicom.dcmread(f).pixel_array.astype("u1").tobytes()).digest())
`}, segs...)...).Output()
		if err != nil || !bytes.Equal(out, want) {
			t.Errorf("pydicom reads other bits: %v", err)
		}
	})
}

// TestOrthanc sends a segmentation to an archive, which has to find it under the
// study of its source and give its masks back. The archive runs in a network of
// its own.
func TestOrthanc(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	program(t, "Orthanc", "Debian package orthanc")
	program(t, "unshare", "Debian package util-linux")
	program(t, "curl", "Debian package curl")
	if err := exec.Command("unshare", "-n", "true").Run(); err != nil {
		t.Skip("no right to a network of its own")
	}
	// Orthanc only unpacks bits of rows that fill whole bytes.
	ct := images()["CT"]
	ct.Columns, ct.Pixels = 16, make([]byte, 2*16*ct.Rows)
	s := openSource(t, ct)
	seg, masks := writeSEG(t, origin(s))
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		"seg.dcm": seg, "ct.dcm": dicomtest.Write(ct),
		"orthanc.json": []byte(fmt.Sprintf(`{"StorageDirectory": %q, "IndexDirectory": %q, "HttpPort": 8042, "DicomServerEnabled": false, "Plugins": []}`, dir, dir)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "-n", "sh", "-c", `
cd "$1"; ip link set lo up
Orthanc orthanc.json >log 2>&1 & pid=$!
trap 'kill $pid; wait $pid' EXIT
u=http://127.0.0.1:8042
for i in $(seq 200); do curl -sf $u/system >/dev/null && break; sleep 0.2; done
curl -sf --data-binary @ct.dcm $u/instances >ct.json || exit 2
curl -sf --data-binary @seg.dcm $u/instances >stored.json || exit 3
id=$(sed -n 's/^ *"ID" : "\(.*\)",*$/\1/p' stored.json)
curl -sf $u/studies >studies.json
curl -sf $u/instances/$id/file >back.dcm || exit 4
curl -sf -o bits $u/instances/$id/frames/0/raw || exit 5
`, "sh", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("%v: %s %.2000s", err, out, log)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(read("back.dcm"), seg) {
		t.Error("the archive gives another file back")
	}
	if n := bytes.Count(read("studies.json"), []byte(`"`)); n != 2 {
		t.Errorf("the segmentation is not filed under the study of its source: %s", read("studies.json"))
	}
	bits := wantBits(masks)[:s.rows*s.cols] // of the first frame
	got := read("bits")
	for i, v := range bits {
		if got[i/8]>>(i%8)&1 != v {
			t.Fatalf("pixel %d of frame 1 is not %d", i, v)
		}
	}
}
