package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio/dicomtest"
)

// gz packs a file.
func gz(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// columns is a volume of bytes whose left half is bright.
func columns(width, height, depth int) []byte {
	b := make([]byte, width*height*depth)
	for i := range b {
		if i%width < width/2 {
			b[i] = 200
		}
	}
	return b
}

// A volume whose header and values are files of their own is one input, and what is in
// gzip is read as what it is, in folders, by name and in archives.
func TestSegmentFilesApart(t *testing.T) {
	t.Parallel()
	model, in := brightModel(t), t.TempDir()
	values := columns(24, 20, 3)
	meta := "ObjectType = Image\nNDims = 3\nDimSize = 24 20 3\nElementType = MET_UCHAR\nElementSpacing = 1 1 3\nElementDataFile = "
	nrrd := "NRRD0005\ntype: uchar\ndimension: 3\nsizes: 24 20 3\nencoding: raw\nspace: LPS\nspace directions: (1,0,0) (0,1,0) (0,0,3)\nspace origin: (0,0,0)\n"
	head := make([]byte, 348)
	head[0], head[1], head[40], head[42], head[44], head[46], head[70], head[72] = 0x5c, 1, 3, 24, 20, 3, 2, 8
	put := func(name string, b []byte) { write(t, filepath.Join(in, name), b) }
	put("one/v.mha", append([]byte(meta+"LOCAL\n"), values...))
	put("meta/v.mhd", []byte(meta+"values.raw\n"))
	put("meta/values.raw", values)
	put("nrrd/v.nhdr", []byte(nrrd+"data file: s%02d.dat 1 3 1 2\n\n"))
	for i := range 3 {
		put(fmt.Sprintf("nrrd/s%02d.dat", i+1), values[i*480:(i+1)*480])
	}
	put("analyze/v.hdr", head)
	put("analyze/v.img", values)
	put("packed/v.nrrd.gz", gz(t, append([]byte(nrrd+"\n"), values...)))
	put("packed/__MACOSX/x", []byte("x"))
	put("packed/notes.txt", []byte("text"))
	for i, z := range []float64{0, 3, 6} {
		put(fmt.Sprintf("series/%d.dcm.gz", i+1), gz(t, dicomtest.Write(slice(1, i+1, z))))
	}
	out := t.TempDir()
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask,nifti", "--progress", "none")
	if code != 0 || !strings.Contains(stderr, "skipped: 1 file that is not") || !strings.Contains(stderr, "(.txt 1), 1 hidden") || !strings.Contains(stderr, "which side of the planes") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	files := tree(t, out)
	var want []string
	for _, kind := range []string{"mask", "nifti"} {
		for _, folder := range []string{"analyze", "meta", "nrrd", "one", "packed", "series"} {
			switch {
			case kind == "nifti" && folder == "series":
				want = append(want, "nifti/series/1.nii.gz")
			case kind == "nifti":
				want = append(want, "nifti/"+folder+"/v.nii.gz")
			case folder == "series":
				want = append(want, "mask/series/1.png", "mask/series/2.png", "mask/series/3.png")
			default:
				want = append(want, "mask/"+folder+"/v_0001.png", "mask/"+folder+"/v_0002.png", "mask/"+folder+"/v_0003.png")
			}
		}
	}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Error(diff)
	}
	for _, folder := range []string{"analyze", "meta", "nrrd", "packed"} {
		for _, frame := range []string{"v_0001.png", "v_0003.png"} {
			if files["mask/"+folder+"/"+frame] != files["mask/one/"+frame] {
				t.Errorf("%s: another mask than of one file", folder)
			}
		}
	}
	// By name: the shell names the values too, and they are no input of their own.
	text := done(t, "segment", "-i", filepath.Join(in, "meta", "v.mhd"), filepath.Join(in, "meta", "values.raw"), "-o", t.TempDir(), "-m", model, "--dry-run")
	if text != filepath.Join(in, "meta", "v.mhd")+"\n" {
		t.Errorf("dry run: %q", text)
	}
	code, _, stderr = command(t, "segment", "-i", filepath.Join(in, "analyze", "v.img"), "-o", t.TempDir(), "-m", model)
	if code == 0 || !strings.Contains(stderr, "its header is v.hdr: give that") {
		t.Errorf("values alone: exit %d: %s", code, stderr)
	}
	if code, text, _ := command(t, "inspect", filepath.Join(in, "meta", "values.raw")); code != exitPartial || !strings.Contains(text, "its header is v.mhd: give that") {
		t.Errorf("values inspected: exit %d: %s", code, text)
	}
	text = done(t, "inspect", filepath.Join(in, "analyze", "v.hdr"), filepath.Join(in, "nrrd", "v.nhdr"), filepath.Join(in, "series", "2.dcm.gz"))
	for _, want := range []string{"ANALYZE 7.5, uint8", "which side of the planes", "the frames are a volume of 3 planes, 3 mm apart", "dicom CT"} {
		if !strings.Contains(text, want) {
			t.Errorf("inspect: no %q in %s", want, text)
		}
	}
	study := filepath.Join(t.TempDir(), "study.zip")
	write(t, study, zipped(t, "values.raw", []byte("another's"), "s/v.mhd", []byte(meta+"values.raw\n"), "s/values.raw", values, "s/p.nrrd.gz", gz(t, append([]byte(nrrd+"\n"), values...))))
	out = t.TempDir()
	if code, _, stderr = command(t, "segment", "-i", study, "-o", out, "-m", model, "--output", "mask", "--progress", "none"); code != 0 || !strings.Contains(stderr, ".raw 1") {
		t.Errorf("an archive: exit %d: %s", code, stderr)
	}
	for _, name := range []string{"mask/s/v_0002.png", "mask/s/p_0002.png"} {
		if got := tree(t, out)[name]; got != files["mask/one/v_0002.png"] {
			t.Errorf("an archive: %s is another mask", name)
		}
	}
	if err := os.Remove(filepath.Join(in, "meta", "values.raw")); err != nil {
		t.Fatal(err)
	}
	code, _, stderr = command(t, "segment", "-i", filepath.Join(in, "meta"), "-o", t.TempDir(), "-m", model, "--output", "mask")
	if code != exitPartial && code != exitFailed || !strings.Contains(stderr, "has its values in values.raw, which does not lie beside it") {
		t.Errorf("without values: exit %d: %s", code, stderr)
	}
}
