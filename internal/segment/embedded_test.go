package segment

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"testing"

	"segd"
	"segd/internal/kernel"
	"segd/internal/metric"
	"segd/internal/phantom"
	"segd/internal/scanio"
	"segd/models"
)

// TestEmbeddedModels runs the models inside the binary on phantoms of what
// they are for. The floors are well below what the models reach (0.98 and
// 0.89), and well above what a wrong recipe or a broken layer leaves.
func TestEmbeddedModels(t *testing.T) {
	catalogue, err := models.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(2)
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
		for seed := range uint64(3) {
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

// frameOf is the picture as it comes out of a PNG file.
func frameOf(t *testing.T, picture image.Image) *segd.Image {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	scan, err := scanio.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	img, err := scan.Frame(0)
	if err != nil {
		t.Fatal(err)
	}
	return img
}
