package main

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio"
	"segd/dicomio/dicomtest"
)

// slice is one of a series of CT slices, z mm up.
func slice(series, number int, z float64) dicomtest.File {
	f := dicomtest.Disc(24)
	const root = "1.2.826.0.1.3680043.10.543."
	for tag, v := range map[uint32]string{
		0x00080016: "1.2.840.10008.5.1.4.1.1.2", 0x00080018: fmt.Sprintf("%s%d.%d", root, series, number), 0x0020000d: root + "7",
		0x0020000e: fmt.Sprint(root, series), 0x00200052: root + "6",
	} {
		f.Elements = append(f.Elements, dicomtest.Element{Tag: tag, VR: "UI", Value: v})
	}
	return with(f, "DS", map[uint32]string{0x00200032: fmt.Sprintf(`0\0\%g`, z), 0x00200037: `1\0\0\0\1\0`, 0x00180050: "3"})
}

// with adds elements of one VR to f.
func with(f dicomtest.File, vr string, values map[uint32]string) dicomtest.File {
	for tag, v := range values {
		f.Elements = append(f.Elements, dicomtest.Element{Tag: tag, VR: vr, Value: v})
	}
	return f
}

// TestSegmentSeries makes one object of the slices of a series, in the order of
// their places, and others of what belongs to none. A slice that is damaged is
// named and left out.
func TestSegmentSeries(t *testing.T) {
	in, model := t.TempDir(), brightModel(t)
	for i, z := range []float64{9, 3, 6} {
		f := slice(1, i+1, z)
		f.Pixels = bytes.Clone(f.Pixels)
		clear(f.Pixels[:100*i])
		write(t, filepath.Join(in, "s", fmt.Sprintf("%d.dcm", i+1)), dicomtest.Write(f))
	}
	write(t, filepath.Join(in, "t", "1.dcm"), dicomtest.Write(slice(2, 1, 0)))
	write(t, filepath.Join(in, "x.dcm"), dicomtest.Write(dicomtest.Disc(24)))
	bad := dicomtest.Write(slice(1, 4, 12))
	write(t, filepath.Join(in, "s", "4.dcm"), bad[:len(bad)-100])
	for _, threads := range []string{"1", "3"} {
		out := t.TempDir()
		args := []string{"segment", "-i", in, "-o", out, "-m", model, "--output", "mask,seg,segprob,sr,gsps", "--threads", threads}
		code, _, stderr := command(t, args...)
		if code != exitPartial || !strings.Contains(stderr, "1 of 6 inputs failed") {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		files := tree(t, out)
		var want []string
		for _, kind := range []string{"gsps", "seg", "segprob", "sr"} {
			want = append(want, kind+"/s/1.dcm", kind+"/t/1.dcm", kind+"/x.dcm")
		}
		want = append(want, "mask/s/1.png", "mask/s/2.png", "mask/s/3.png", "mask/t/1.png", "mask/x.png")
		slices.Sort(want)
		if diff := cmp.Diff(want, names(files)); diff != "" {
			t.Fatal(diff)
		}
		scan, err := dicomio.Read([]byte(files["seg/s/1.dcm"]))
		if err != nil || scan.Frames != 3 {
			t.Fatalf("%+v: %v", scan, err)
		}
		for i, from := range []string{"2", "3", "1"} {
			img, err := scan.Frame(i)
			if err != nil {
				t.Fatal(err)
			}
			var mask image.Image = readPNG(t, filepath.Join(out, "mask", "s", from+".png"))
			for j, v := range mask.(*image.Paletted).Pix {
				if float32(v) != img.Pix[j] {
					t.Fatalf("frame %d, pixel %d is %v, want %d of slice %s", i+1, j, img.Pix[j], v, from)
				}
			}
		}
		code, _, stderr = command(t, args...)
		if code != exitFailed || !strings.Contains(stderr, "--overwrite") {
			t.Errorf("a second time: exit %d: %s", code, stderr)
		}
	}
}

// TestSegmentDeidentify checks that --deidentify reaches the objects, and that
// nothing written is named like the input.
func TestSegmentDeidentify(t *testing.T) {
	in, out := filepath.Join(t.TempDir(), "Zyxwvut.dcm"), t.TempDir()
	write(t, in, dicomtest.Write(dicomtest.Disc(24)))
	_, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "mask,seg,sc,sr,json,csv", "--deidentify", "--progress", "none")
	if !strings.Contains(stderr, "warning") || !strings.Contains(stderr, "(0028,0301)") {
		t.Errorf("no warning of what the capture's pixels may show: %s", stderr)
	}
	files := tree(t, out)
	want := []string{"json/000001.json", "mask/000001.png", "sc/000001.dcm", "seg/000001.dcm", "segd.csv", "sr/000001.dcm"}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Error(diff)
	}
	for name, content := range files {
		for _, private := range append(dicomtest.Patient, "Zyxwvut") {
			if strings.Contains(content, private) {
				t.Errorf("%s holds patient data", name)
			}
		}
		if name == "json/000001.json" && !strings.Contains(content, "(0028,0301)") {
			t.Errorf("no warning of what the capture's pixels may show: %s", content)
		}
	}
}

// TestSegmentSeriesOfTwoPatients keeps patients apart, also where their files have the
// UIDs of one series, and warns of it.
func TestSegmentSeriesOfTwoPatients(t *testing.T) {
	t.Parallel()
	in, out := t.TempDir(), t.TempDir()
	for i, one := range []struct {
		patient string
		z       float64
	}{{"A1", 0}, {"A1", 3}, {"A1", 6}, {"B2", 9}, {"B2", 12}, {"A1 ", 9}} {
		f := with(slice(1, i+1, one.z), "LO", map[uint32]string{0x00100020: one.patient})
		write(t, filepath.Join(in, fmt.Sprintf("%d.dcm", i+1)), dicomtest.Write(f))
	}
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "seg")
	if want := "different PatientIDs (0010,0020)"; code != exitDone || !strings.Contains(stderr, want) || strings.Contains(stderr, "A1") {
		t.Errorf("exit %d, want a warning of %s and no ID: %s", code, want, stderr)
	}
	patients := map[string]int{}
	for _, name := range []string{"1.dcm", "4.dcm"} {
		b, err := os.ReadFile(filepath.Join(out, "seg", name))
		if err != nil {
			t.Fatal(err)
		}
		seg, err := dicomio.ReadSEG(b)
		if err != nil {
			t.Fatal(err)
		}
		patients[name] = len(seg.Frames)
	}
	if patients["1.dcm"] != 4 || patients["4.dcm"] != 2 {
		t.Errorf("planes by object: %v, want 4 and 2", patients)
	}
}
