package walk

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/dicomio/dicomtest"
	"segd/internal/output"
	"segd/internal/scanio"
)

// picture is a PNG.
func picture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 3))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put writes files below dir.
func put(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// link makes a symbolic link.
func link(t *testing.T, to, from string) {
	t.Helper()
	if err := os.Symlink(to, from); err != nil {
		t.Skip(err)
	}
}

// found are the names, with those that failed marked.
func found(t *testing.T, root string, o Options) ([]string, Passed) {
	t.Helper()
	list, passed, err := Walk(root, o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		if f.Err != nil {
			f.Name += "!"
		}
		names = append(names, f.Name)
	}
	return names, passed
}

// Names say nothing, content does; what is skipped is counted.
func TestWalk(t *testing.T) {
	img, dicom := picture(t), dicomtest.Write(dicomtest.Disc(8))
	dir := t.TempDir()
	put(t, dir, map[string][]byte{
		"1.2.840.113619.101": dicom, "1.2.840.113619.102": dicom, "x.IMA": dicom, "y.DC3": dicom, "IM1": dicom, "no.idea": img, "UPPER.PNG": img,
		"a/b.png": img, "a.png": img, "new\nline.png": img, strings.Repeat("n", 240) + ".png": img, "ä.png": img,
		"damaged.png": []byte("no picture"), "empty.dcm": nil,
		"notes.txt": []byte("text"), "more.TXT": []byte("text"), "README": []byte("text"), "nothing": nil, "DICOMDIR": dicom,
		".hidden/c.png": img, ".DS_Store": img, "a/Thumbs.db": []byte("x"), "Desktop.ini": []byte("x"), "a/@eaDir/b.png/thumb.png": img,
	})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.png"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := []string{"1.2.840.113619.101", "1.2.840.113619.102", "IM1", "UPPER.PNG", "a/b.png", "a.png", "damaged.png", "empty.dcm", "new\nline.png",
		strings.Repeat("n", 240) + ".png", "no.idea", "x.IMA", "y.DC3", "ä.png"}
	got, passed := found(t, dir, Options{})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text := "skipped: 3 files that are not DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP or PNM (.txt 2, no extension 1), 5 hidden, 1 DICOMDIR, 1 empty file, 1 pipe, socket or device"
	if passed.String() != text {
		t.Errorf("got  %s\nwant %s", passed, text)
	}
	if diff := cmp.Diff(map[string][]string{".txt": {"more.TXT", "notes.txt"}, "": {"README"}}, passed.Other); diff != "" {
		t.Error(diff)
	}
	if got, passed := found(t, dir, Options{Want: func(k scanio.Kind) bool { return k == scanio.PNG }}); len(got) != 7 || len(passed.Unfit[scanio.DICOM]) != 5 {
		t.Errorf("PNG alone: %q, %s", got, passed)
	}
	if _, _, err := Walk(filepath.Join(dir, "absent"), Options{}); !os.IsNotExist(err) {
		t.Errorf("an absent root: %v", err)
	}
}

// Files with the values of a volume belong to its header, whatever they are called and
// whatever they begin with, and are neither listed nor counted.
func TestWalkValues(t *testing.T) {
	t.Parallel()
	meta := "ObjectType = Image\nNDims = 3\nDimSize = 3 2 2\nElementType = MET_UCHAR\nElementDataFile = "
	head := make([]byte, 348)
	head[0], head[1], head[40], head[42], head[44], head[46], head[70], head[72] = 0x5c, 1, 3, 3, 2, 2, 2, 8
	img, dir := picture(t), t.TempDir()
	put(t, dir, map[string][]byte{
		"a/v.mhd": []byte(meta + "v.raw\n"), "a/v.raw": []byte("twelve bytes"), "a/other.raw": []byte("twelve bytes"),
		"b/v.mhd": []byte(meta + "LIST\n1\n2.png\n"), "b/1": []byte("a half"), "b/2.png": img,
		"c/v.nhdr": []byte("NRRD0005\ntype: uchar\ndimension: 3\nsizes: 3 2 2\nencoding: raw\ndata file: %d.png 1 2 1\n"), "c/1.png": img, "c/2.png": img, "c/3.png": img,
		"d/v.hdr": head, "d/v.img": make([]byte, 12), "d/w.img": make([]byte, 12), "d/radiance.hdr": []byte("#?RADIANCE\n"),
		"e/v.mhd": []byte(meta + "../a/other.raw\n"), "e/v.mha.GZ": []byte("text"), "#recycle/a.png": img, "e/__MACOSX/b.png": img, "e/.ipynb_checkpoints/c.png": img, ".DS_Store": img,
	})
	got, passed := found(t, dir, Options{})
	if diff := cmp.Diff([]string{"a/v.mhd", "b/v.mhd", "c/3.png", "c/v.nhdr", "d/v.hdr", "e/v.mha.GZ", "e/v.mhd"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{".raw": {"a/other.raw"}, ".img": {"d/w.img"}, ".hdr": {"d/radiance.hdr"}}, passed.Other); diff != "" || passed.Hidden != 4 {
		t.Errorf("%s, %s", passed, diff)
	}
}

// Links are followed, each folder is read once, and none above.
func TestWalkLinks(t *testing.T) {
	img, top := picture(t), t.TempDir()
	put(t, top, map[string][]byte{"in/sub/a.png": img, "in/z/b.png": img, "else/c.png": img, "else/deep/d.png": img})
	in := filepath.Join(top, "in")
	for from, to := range map[string]string{
		"sub/loop": "..", "above": "../..", "aa": "z", "out": "../else", "out2": "../else/deep", "file.png": "z/b.png", "self.png": "self.png", "gone.nii.gz": "absent",
	} {
		link(t, to, filepath.Join(in, from))
	}
	link(t, "in", filepath.Join(top, "root"))
	for _, root := range []string{in, filepath.Join(top, "root"), filepath.Join(top, "root") + "/."} {
		got, passed := found(t, root, Options{})
		if diff := cmp.Diff([]string{"file.png", "gone.nii.gz!", "out/c.png", "out/deep/d.png", "self.png!", "sub/a.png", "z/b.png"}, got); diff != "" || passed.Links != 4 {
			t.Errorf("%s: %s, %s", root, passed, diff)
		}
	}
}

// A folder that cannot be read is in the list, and the others are read.
func TestWalkUnreadable(t *testing.T) {
	img, dir := picture(t), t.TempDir()
	put(t, dir, map[string][]byte{"a.png": img, "b/c.png": img, "d.png": img})
	deep, err := os.OpenRoot(filepath.Join(dir, "b"))
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("x", 250)
	for range 17 { // longer than a path may be, which root cannot read either
		if err := deep.Mkdir(name, 0o755); err != nil {
			t.Skip(err)
		}
		next, err := deep.OpenRoot(name)
		_ = deep.Close()
		if err != nil {
			t.Skip(err)
		}
		deep = next
	}
	_ = deep.Close()
	list, _, err := Walk(dir, Options{})
	if err != nil || len(list) != 4 || list[2].Err == nil || !list[2].Dir || list[3].Name != "d.png" {
		t.Errorf("%v, %d files", err, len(list))
	}
	if os.Geteuid() == 0 {
		t.Log("permissions are not tested: root may read everything")
		return
	}
	for _, p := range []string{"b", "d.png"} {
		if err := os.Chmod(filepath.Join(dir, p), 0); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := found(t, dir, Options{})
	_ = os.Chmod(filepath.Join(dir, "b"), 0o755)
	if diff := cmp.Diff([]string{"a.png", "b!", "d.png!"}, got); diff != "" {
		t.Error(diff)
	}
}

// Outputs of segd are no images of a later run, wherever they lie.
func TestWalkOutputs(t *testing.T) {
	img, dir := picture(t), t.TempDir()
	out := filepath.Join(dir, "out")
	put(t, dir, map[string][]byte{"a.png": img, "mine/b.png": img, "out/mine.png": img, "out/mask/a.png": img, "out/mask/edited.png": img, "out/mask/x/b.png": img})
	f, err := output.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Add("mask/a.png", "a.png"); err != nil {
		t.Fatal(err)
	}
	got, passed := found(t, dir, Options{}) // while the run goes on, too
	if diff := cmp.Diff([]string{"a.png", "mine/b.png", "out/mine.png"}, got); diff != "" || passed.Outputs != 3 {
		t.Errorf("%s, %s", passed, diff)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	link(t, "out", filepath.Join(dir, "also"))
	got, passed = found(t, dir, Options{})
	if diff := cmp.Diff([]string{"a.png", "mine/b.png", "out/mine.png"}, got); diff != "" || passed.Outputs != 3 {
		t.Errorf("%s, %s", passed, diff)
	}
	if got, _ := found(t, dir, Options{Skip: filepath.Join(dir, "also")}); len(got) != 2 {
		t.Errorf("without the folder of this run: %q", got)
	}
	if got, _ := found(t, filepath.Join(out, "mask"), Options{Outputs: true}); len(got) != 3 {
		t.Errorf("as predictions: %q", got)
	}
}

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"a b/ü日本.png": "a b/ü日本.png", "new\nline": `new\nline`, "caf\xe9": `caf\xe9`, "\x1b[31m": `\x1b[31m`, "a\u202eb": `a\u202eb`, `back\slash`: `back\slash`,
	} {
		if got := Printable(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}
