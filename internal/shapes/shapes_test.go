package shapes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/internal/pythontest"
)

// one draws every class with the value 1.
func one(string) (uint8, bool) { return 1, true }

// TestPrograms reads files that pycocotools, roifile and others write or draw, and
// compares each pixel with the masks of those programs.
func TestPrograms(t *testing.T) {
	const modules = "numpy, PIL, pycocotools, roifile"
	python := pythontest.Find(modules)
	if python == "" {
		t.Skipf("no Python with %s; SEGD_PYTHON names an interpreter", modules)
	}
	dir := t.TempDir()
	if out, err := exec.Command(python, filepath.Join("testdata", "shapes.py"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sizes, err := filepath.Glob(filepath.Join(dir, "*.size"))
	if err != nil || len(sizes) < 100 {
		t.Fatalf("%d files, %v", len(sizes), err)
	}
	for _, size := range sizes {
		stem := strings.TrimSuffix(size, ".size")
		t.Run(filepath.Base(stem), func(t *testing.T) {
			t.Parallel()
			b := read(t, stem+".json", stem+".geojson", stem+".roi", stem+".zip")
			want := read(t, stem+".raw")
			var w, h int
			if _, err := fmt.Sscan(string(read(t, size)), &w, &h); err != nil {
				t.Fatal(err)
			}
			if !Is(b) {
				t.Error("not recognised")
			}
			f, err := Read(b)
			if err != nil {
				t.Fatal(err)
			}
			p := f.Pictures[len(f.Pictures)-1]
			m, r, err := p.Paint(w, h, nil, one)
			if err != nil {
				t.Fatal(err)
			}
			if p.Shapes[0].Class != "cell" || r.Drawn != len(p.Shapes) {
				t.Errorf("class %q, drawn %d of %d", p.Shapes[0].Class, r.Drawn, len(p.Shapes))
			}
			wantMask(t, m, want)
		})
	}
	t.Logf("%d files", len(sizes))
}

func wantMask(t *testing.T, m *segd.Mask, want []byte) {
	t.Helper()
	wrong, first := 0, 0
	for i, v := range m.Pix {
		if v != want[i] {
			if wrong++; wrong == 1 {
				first = i
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d pixels differ, first %d,%d: %d", wrong, len(want), first%m.Width, first/m.Width, m.Pix[first])
	}
}

// read returns the first file that there is.
func read(t *testing.T, paths ...string) []byte {
	t.Helper()
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil {
			return b
		}
	}
	t.Fatalf("none of %s", paths)
	return nil
}
