package handlers

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
	"segd/internal/engine"
	"segd/internal/nifti"
)

// sliceOf is slice number of a series, z mm up, with a disc of its own.
func sliceOf(series, number int, z float64, change ...func(*dicomtest.File)) []byte {
	f := dicomtest.Disc(side)
	f.Pixels = bytes.Clone(f.Pixels)
	clear(f.Pixels[:2*side*(number%8)])
	const root = "1.2.826.0.1.3680043.10.543."
	f.Elements = append(f.Elements, []dicomtest.Element{
		{Tag: tag.SOPClassUID, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.2"},
		{Tag: tag.SOPInstanceUID, VR: "UI", Value: fmt.Sprint(root, series, ".", number)},
		{Tag: tag.StudyInstanceUID, VR: "UI", Value: root + "7"},
		{Tag: tag.SeriesInstanceUID, VR: "UI", Value: fmt.Sprint(root, series)},
		{Tag: tag.FrameOfReferenceUID, VR: "UI", Value: root + "6"},
		{Tag: tag.InstanceNumber, VR: "IS", Value: fmt.Sprint(number)},
		{Tag: tag.ImagePositionPatient, VR: "DS", Value: fmt.Sprintf(`0\0\%g`, z)},
		{Tag: tag.ImageOrientationPatient, VR: "DS", Value: `1\0\0\0\1\0`},
		{Tag: tag.SliceThickness, VR: "DS", Value: "3"},
	}...)
	for _, c := range change {
		c(&f)
	}
	return dicomtest.Write(f)
}

// repeated is an archive that has the only file of b n times, without packing it again.
func repeated(t *testing.T, b []byte, n int) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := range n {
		r.File[0].Name = fmt.Sprint(i)
		if err := w.Copy(r.File[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zipped is an archive of files, named 0, 1 and so on in folders.
func zipped(t *testing.T, files ...[]byte) []byte {
	t.Helper()
	var list []named
	for i, b := range files {
		list = append(list, named{fmt.Sprintf("study/s%d/%d", i%2, i), b})
	}
	return archived(t, list...)
}

type named struct {
	name string
	b    []byte
}

func archived(t *testing.T, files ...named) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(f.b) // a buffer takes all
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sent(files ...[]byte) (list []part) {
	for _, b := range files {
		list = append(list, part{"file", b})
	}
	return list
}

// TestSegmentSlices sends a series as parts of a form and as an archive: one answer of
// each kind comes back, in the order of the slices' places.
func TestSegmentSlices(t *testing.T) {
	s := newServer(t, nil)
	url := start(t, s) + "/v1/segment?model=bright&output="
	zs := []float64{9, 3, 6, 0}
	order := []int{3, 1, 2, 0} // by plane
	var files [][]byte
	var masks [][]uint8
	for i, z := range zs {
		files = append(files, sliceOf(1, i+1, z))
		a := post(t, url+"mask", files[i])
		wantOK(t, a, "image/png")
		masks = append(masks, decodePNG(t, a.body).(*image.Paletted).Pix)
	}
	report := post(t, url+"sr", files[0])
	wantOK(t, report, "application/dicom")
	disc := archived(t, named{"DICOMDIR", []byte("not read")}, named{"README.TXT", []byte("text")}, named{"__MACOSX/._1", []byte("x")}, named{"S/R1", report.body},
		named{"S/I1", files[0]}, named{"S/I2", files[1]}, named{"S/I3", files[2]}, named{"S/I4", files[3]}, named{"S/copy of I4", files[3]})
	for name, send := range map[string]func(output string) answer{
		"parts":         func(o string) answer { return do(t, parts(t, url+o, sent(files...)...)) },
		"archive":       func(o string) answer { return post(t, url+o, zipped(t, files...)) },
		"archive, form": func(o string) answer { return do(t, form(t, url+o, "study.zip", zipped(t, files...))) },
		"a CD":          func(o string) answer { return post(t, url+o, disc) },
		"with a report": func(o string) answer {
			return do(t, parts(t, url+o, sent(append([][]byte{report.body}, files...)...)...))
		},
		"twice": func(o string) answer { return do(t, parts(t, url+o, sent(append(files, files...)...)...)) },
	} {
		if testing.Short() && name != "parts" && name != "a CD" {
			continue // slow under the race detector
		}
		a := send("nifti")
		wantOK(t, a, "application/gzip")
		v, err := nifti.Read(a.body)
		if err != nil || v.Depth != 4 || v.Times != 1 || v.Affine != (segd.Affine{{-0.75, 0, 0, 0}, {0, -0.5, 0, 0}, {0, 0, 3, 0}}) {
			t.Fatalf("%s: %v, %+v", name, err, v)
		}
		voxels := 0
		for k, from := range order {
			m, err := v.Labels(k)
			if err != nil || !bytes.Equal(m.Pix, masks[from]) {
				t.Fatalf("%s: plane %d is not slice %d: %v", name, k, from, err)
			}
			voxels += bytes.Count(m.Pix, []byte{1})
		}
		a = send("json")
		wantOK(t, a, "application/json")
		var r engine.Result
		if err := json.Unmarshal(a.body, &r); err != nil || len(r.Frames) != 4 || r.FrameCount != 4 || len(r.Volumes) != 1 || r.Volumes[0].Classes[0].Voxels != voxels {
			t.Errorf("%s: %v, %s", name, err, a.body)
		}
		first := map[string]int{"a CD": 5, "with a report": 2}[name] // number of the first slice; 0: 1
		for k, from := range order {
			if want := max(1, first) + from; r.Frames[k].FileNumber != want {
				t.Errorf("%s: frame %d is file %d, want %d", name, k+1, r.Frames[k].FileNumber, want)
			}
		}
		wantWarning := map[string]string{"a CD": "left out: 1 DICOM object that is not an image, 2 files that are not images, 1 hidden file", "with a report": "left out: 1 DICOM object", "twice": "each image counts once"}[name]
		if got := strings.Join(r.Warnings, "; "); !strings.Contains(got, wantWarning) || wantWarning == "" && got != "" {
			t.Errorf("%s: warnings %q, want %q", name, got, wantWarning)
		}
		a = send("seg")
		wantOK(t, a, "application/dicom")
		seg, err := dicomio.Read(a.body)
		if err != nil || seg.Frames != 4 {
			t.Fatalf("%s: %v, %+v", name, err, seg)
		}
		for k, from := range order {
			m, err := seg.Frame(k)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range masks[from] {
				if m.Pix[i] != float32(c) {
					t.Fatalf("%s: frame %d of the segmentation is not slice %d", name, k+1, from)
				}
			}
		}
		for _, output := range []string{"nrrd", "mha"} {
			wantOK(t, send(output), "application/octet-stream")
		}
		for _, output := range []string{"sr", "gsps", "rtstruct", "segprob"} {
			wantOK(t, send(output), "application/dicom")
		}
		a = send("mask")
		wantOK(t, a, "application/zip")
		z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
		if err != nil || len(z.File) != 4 {
			t.Fatalf("%s: %v", name, err)
		}
		for k, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if got := decodePNG(t, b).(*image.Paletted).Pix; err != nil || f.Name != fmt.Sprintf("mask_%04d.png", k+1) || !slices.Equal(got, masks[order[k]]) {
				t.Errorf("%s: %s is not slice %d: %v", name, f.Name, order[k], err)
			}
		}
		a = send("mask&frame=2")
		wantOK(t, a, "image/png")
		if got := decodePNG(t, a.body).(*image.Paletted).Pix; !slices.Equal(got, masks[order[1]]) {
			t.Errorf("%s: frame 2 is not slice %d", name, order[1])
		}
		wantProblem(t, send("mask&frame=5"), 404, "frame 5 of 4")
		wantOK(t, send("sc&frame=2"), "application/dicom")
	}
	wantNothingHeld(t, s)
}

// What is no series is refused with the reason; one with a gap is no volume.
func TestSegmentSlicesRefused(t *testing.T) {
	s := newServer(t, nil)
	url := start(t, s) + "/v1/segment?model=bright&output="
	one, two, three := sliceOf(1, 1, 0), sliceOf(1, 2, 3), sliceOf(1, 3, 9)
	larger := func(f *dicomtest.File) {
		g := dicomtest.Disc(side + 8)
		g.Elements = f.Elements
		*f = g
	}
	patient := func(id string) func(*dicomtest.File) {
		return func(f *dicomtest.File) {
			f.Elements = append(f.Elements, dicomtest.Element{Tag: tag.PatientID, VR: "LO", Value: id})
		}
	}
	for name, tt := range map[string]struct {
		output string
		files  [][]byte
		status int
		want   string
	}{
		"two patients":    {"seg", [][]byte{sliceOf(1, 1, 0, patient("A1")), sliceOf(1, 2, 3, patient("B2"))}, 422, "file 2: dicomio: cannot be processed: it has another PatientID (0010,0020)"},
		"a gap":           {"nifti", [][]byte{one, two, three, sliceOf(1, 4, 12)}, 422, "1 slice is missing along the normal: between 2 and 3, at 6 mm"},
		"two series":      {"seg", [][]byte{one, sliceOf(2, 1, 3)}, 422, "file 2: dicomio: cannot be processed: it belongs to another series (0020,000E)"},
		"two sizes":       {"seg", [][]byte{one, sliceOf(1, 2, 3, larger)}, 422, "slices of one size"},
		"several frames":  {"seg", [][]byte{one, dicomtest.Write(frames(side, 3))}, 422, "file 2 has 3 frames"},
		"no position":     {"seg", [][]byte{one, dicomtest.Write(dicomtest.Disc(side))}, 422, "file 2"},
		"pictures":        {"mask", [][]byte{disc(t, 16), disc(t, 16)}, 422, "file 1 is PNG"},
		"a damaged slice": {"mask", [][]byte{one, two[:len(two)-50]}, 400, "file 2"},
	} {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, do(t, parts(t, url+tt.output, sent(tt.files...)...)), tt.status, tt.want)
			wantProblem(t, post(t, url+tt.output, zipped(t, tt.files...)), tt.status, tt.want)
		})
	}
	a := do(t, parts(t, url+"seg", sent(one, two, three, sliceOf(1, 4, 12))...))
	wantOK(t, a, "application/dicom")
	if got := a.header.Get(warningsHeader); !strings.Contains(got, "the frames make up no volume: 1 slice is missing along the normal: between 2 and 3, at 6 mm") {
		t.Errorf("warnings %q", got)
	}
	wantNothingHeld(t, s)
}

// Archives that are bombs, lead elsewhere or hold no image are refused, and leave
// nothing behind.
func TestSegmentHostileArchives(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxMemory = 256 << 20 })
	url := start(t, s) + "/v1/segment?model=bright&output=mask"
	one, two := sliceOf(1, 1, 0), sliceOf(1, 2, 3)
	inner := zipped(t, one, two)
	zeros := append(bytes.Clone(one[:200]), make([]byte, 200<<20)...)
	grown := watchMemory(t)
	for name, tt := range map[string]struct {
		b      []byte
		status int
		want   string
	}{
		"an archive inside": {archived(t, named{"a.zip", inner}), 415, "an archive inside the archive"},
		"a way out":         {archived(t, named{"../../etc/a", one}), 400, "leads out of the archive"},
		"a bomb":            {repeated(t, zipped(t, zeros), 6), 413, "1073741824 bytes"},
		"no image":          {archived(t, named{"a.txt", []byte("text")}), 415, "no image among the files (1 file that is not an image)"},
		"truncated":         {inner[:len(inner)-30], 400, "damaged or truncated zip"},
		"no more than that": {[]byte("PK\x03\x04"), 400, "damaged or truncated zip"},
		"damaged":           {bytes.Replace(inner, inner[60:80], make([]byte, 20), 1), 400, ""},
	} {
		t.Run(name, func(t *testing.T) { wantProblem(t, post(t, url, tt.b), tt.status, tt.want) })
	}
	wantProblem(t, do(t, parts(t, url, sent(inner, one)...)), 415, "an archive beside another file")
	wantProblem(t, do(t, parts(t, url, sent(one, inner)...)), 415, "an archive beside another file")
	wantProblem(t, do(t, parts(t, url, part{"file_0000", inner})), 415, "an archive: want an image")
	if n := grown(); n > 300<<20 {
		t.Errorf("memory grew by %d MiB", n>>20)
	}
	wantNothingHeld(t, s)
	// One image in an archive is that image.
	wantOK(t, post(t, url, zipped(t, disc(t, 16))), "image/png")
}
