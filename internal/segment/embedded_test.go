package segment

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"segd"
	"segd/internal/phantom"
	"segd/internal/scanio"
	"segd/models"
	"segd/train/metric"
	"segd/unet"
)

// TestEmbeddedModels runs the models inside the binary on phantoms of what
// they are for. The floors are well below what the models reach (0.98 and
// 0.89), and well above what a wrong recipe or a broken layer leaves.
func TestEmbeddedModels(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs every model over phantoms")
	}
	catalogue, err := models.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	pool := unet.NewPool(2)
	defer pool.Close()
	for _, c := range []struct {
		model string
		make  func(seed uint64) (*image.Gray, *segd.Mask)
		floor float64
	}{
		{"nuclei", func(seed uint64) (*image.Gray, *segd.Mask) { return phantom.Micrograph(seed, 250, 190) }, 0.9},
		{"cardiac-lv", func(seed uint64) (*image.Gray, *segd.Mask) { return phantom.Heart(seed, 256) }, 0.8},
	} {
		m, err := catalogue.Get(c.model)
		if err != nil {
			t.Fatal(err)
		}
		seeds := uint64(3)
		if testing.Short() {
			seeds = 1 // the race detector makes a network of plain Go slow
		}
		for seed := range seeds {
			picture, truth := c.make(seed)
			r, err := Frame(context.Background(), m, pool, frameOf(t, picture), Options{})
			if err != nil {
				t.Fatal(err)
			}
			counts, err := metric.Count(truth, r.Mask, len(m.Classes))
			if err != nil {
				t.Fatal(err)
			}
			dice := counts[1].Dice()
			t.Logf("%s, phantom %d: Dice %.4f", c.model, seed, dice)
			if dice < c.floor {
				t.Errorf("%s, phantom %d: Dice %.3f, want at least %.2f", c.model, seed, dice, c.floor)
			}
		}
	}
}

// TestExactMasks holds the masks of Winograd's algorithm against those of direct
// convolution, on phantoms and, where they lie beside the project, on test
// images of the models' data: 9,999 of 10,000 pixels are the same.
func TestExactMasks(t *testing.T) {
	t.Parallel()
	if (unet.Kernels{}).Winograd() == "" || testing.Short() {
		t.Skip("no Winograd kernels here, or -short")
	}
	fast, err := models.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	exact, err := models.Options{Exact: true}.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	pool := unet.NewPool(2)
	defer pool.Close()
	for _, a := range fast.List() {
		name := a.Name
		b, err := exact.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		var differ, pixels int
		for _, img := range testImages(t, a) {
			masks := [2]*segd.Mask{}
			for i, m := range []*models.Model{a, b} {
				r, err := Frame(context.Background(), m, pool, img, Options{})
				if err != nil {
					t.Fatal(err)
				}
				masks[i] = r.Mask
			}
			for i, v := range masks[0].Pix {
				pixels++
				if v != masks[1].Pix[i] {
					differ++
				}
			}
		}
		t.Logf("%s: %d of %d pixels differ", name, differ, pixels)
		if float64(differ) > 1e-4*float64(pixels) {
			t.Errorf("%s: %d of %d pixels differ", name, differ, pixels)
		}
	}
}

// testImages are phantoms and, of each data set that the model's card names, the
// first dozen of the test images.
func testImages(t *testing.T, m *models.Model) (list []*segd.Image) {
	for seed := range uint64(3) {
		picture, _ := phantom.Heart(seed, 256)
		if m.Name == "nuclei" {
			picture, _ = phantom.Micrograph(seed, 250, 190)
		}
		list = append(list, frameOf(t, picture))
	}
	for _, data := range m.Data {
		files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", data.Name, "test", "images", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Logf("%s is not beside the project: phantoms only", data.Name)
		}
		for _, path := range files[:min(12, len(files))] {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, decoded(t, b))
		}
	}
	return list
}

// frameOf is the picture as it comes out of a PNG file.
func frameOf(t *testing.T, picture image.Image) *segd.Image {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	return decoded(t, b.Bytes())
}

// decoded is the first frame of a file.
func decoded(t *testing.T, b []byte) *segd.Image {
	t.Helper()
	scan, err := scanio.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	img, err := scan.Frame(0)
	if err != nil {
		t.Fatal(err)
	}
	return img
}
