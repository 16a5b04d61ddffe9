package scanio

import (
	"os"
	"path/filepath"
	"testing"
)

// TestData reads a tenth of the images and labels that lie beside the
// repository.
func TestData(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(root); err != nil {
		t.Skip("no data beside the repository")
	}
	formats := map[string]int{}
	images, _ := filepath.Glob(filepath.Join(root, "*", "*", "images", "*"))
	for i, name := range images {
		if i%10 != 0 || filepath.Ext(name) == ".gz" { // volumes, whose labels are no PNG
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Read(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		img, err := s.Frame(0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		formats[s.Format]++
		label := Stem(filepath.Base(name)) + ".png"
		if s.Format == "nifti" {
			label = filepath.Base(name)
		}
		b, err = os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(name)), "labels", label))
		if err != nil {
			t.Errorf("label of %s: %v", name, err)
			continue
		}
		labels, err := ReadLabels(b)
		if err != nil {
			t.Errorf("label of %s: %v", name, err)
			continue
		}
		m, err := labels.Mask(0)
		if err != nil {
			t.Errorf("label of %s: %v", name, err)
			continue
		}
		if m.Width != img.Width || m.Height != img.Height {
			t.Errorf("%s: %d×%d, its label %d×%d", name, img.Height, img.Width, m.Height, m.Width)
		}
		for _, v := range m.Pix {
			if v > 2 {
				t.Errorf("label of %s holds %d", name, v)
				break
			}
		}
	}
	t.Logf("read %v", formats)
}
