package dicomio

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
		if err != nil || s.rows*s.cols*s.frames > 16<<20 {
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
		for fault := range faults(t, file) {
			if !own[fault] {
				t.Errorf("%s: %s", path, fault)
			}
		}
		own = disagreements(t, s, path)
		for fault := range disagreements(t, s, path, file) {
			if !own[fault] {
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
