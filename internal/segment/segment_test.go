package segment

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/models"
	"segd/models/modelstest"
	"segd/unet"
)

// model opens the model that marks what is brighter than half, after change.
func model(t *testing.T, change func(*models.Manifest)) *models.Model {
	t.Helper()
	man := modelstest.Manifest("bright")
	if change != nil {
		change(&man)
	}
	dir := filepath.Join(t.TempDir(), "bright")
	if err := models.Save(dir, man, modelstest.Params(), false); err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// picture is a dark image of odd size with bright rectangles [x0,y0,x1,y1).
func picture(w, h int, bright ...[4]int) *segd.Image {
	img := &segd.Image{Width: w, Height: h, Channels: 1, Pix: make([]float32, w*h)}
	for i := range img.Pix {
		img.Pix[i] = -1000
	}
	for _, r := range bright {
		for y := r[1]; y < r[3]; y++ {
			for x := r[0]; x < r[2]; x++ {
				img.Pix[y*w+x] = 400
			}
		}
	}
	return img
}

func bright(img *segd.Image) []uint8 {
	m := make([]uint8, img.Width*img.Height)
	for i := range m {
		if img.Pix[i*img.Channels] > 0 {
			m[i] = 1
		}
	}
	return m
}

// The mask lies where the image's bright pixels are, to the pixel.
func TestFrame(t *testing.T) {
	t.Parallel()
	pool := unet.NewPool(2)
	defer pool.Close()
	img := picture(37, 21, [4]int{0, 0, 3, 2}, [4]int{30, 15, 37, 21}, [4]int{10, 5, 11, 6})
	pix := slices.Clone(img.Pix)
	r, err := Frame(context.Background(), model(t, nil), pool, img, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bright(img), r.Mask.Pix); diff != "" {
		t.Errorf("mask (-want +got):\n%s", diff)
	}
	if !slices.Equal(pix, img.Pix) {
		t.Error("the image was changed")
	}
	if r.Image != img || r.Model != "bright" || r.Version != "1" || r.GridWidth != 37 || r.GridHeight != 21 || r.Network <= 0 {
		t.Errorf("provenance: %+v", r)
	}
	want := []string{"normalised (minmax)", "model bright 1", "most likely class of each pixel"}
	if diff := cmp.Diff(want, r.Steps); diff != "" {
		t.Error(diff)
	}
	if len(r.Warnings) > 0 {
		t.Errorf("warnings: %q", r.Warnings)
	}
	p := 1 / (1 + math.Exp(-modelstest.Slope/2))
	if r.Confidence == nil || math.Abs(*r.Confidence-p) > 1e-5 { // float32 softmax
		t.Errorf("confidence %v, want %v", r.Confidence, p)
	}
}

func TestFrameOptions(t *testing.T) {
	t.Parallel()
	// Left to right: -1000, then values whose probabilities rise to almost 1.
	img := picture(8, 1)
	for x := range 8 {
		img.Pix[x] = -1000 + 200*float32(x) // v = x/7
	}
	m := model(t, nil)
	mask := func(o Options) []uint8 {
		t.Helper()
		r, err := Frame(context.Background(), m, nil, img, o)
		if err != nil {
			t.Fatal(err)
		}
		return r.Mask.Pix
	}
	prob := func(x int) float64 { return 1 / (1 + math.Exp(-modelstest.Slope*(float64(x)/7-0.5))) }
	for _, c := range []struct {
		o    Options
		want []uint8
	}{
		{Options{}, []uint8{0, 0, 0, 0, 1, 1, 1, 1}},
		{Options{Threshold: (prob(5) + prob(6)) / 2}, []uint8{0, 0, 0, 0, 0, 0, 1, 1}},
		{Options{Threshold: (prob(1) + prob(2)) / 2}, []uint8{0, 0, 1, 1, 1, 1, 1, 1}},
		{Options{MinSize: 4}, []uint8{0, 0, 0, 0, 1, 1, 1, 1}},
		{Options{MinSize: 5}, []uint8{0, 0, 0, 0, 0, 0, 0, 0}},
	} {
		if diff := cmp.Diff(c.want, mask(c.o)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.o, diff)
		}
	}
	for _, o := range []Options{{Threshold: -0.1}, {Threshold: 1.1}, {Threshold: math.NaN()}, {MinSize: -1}} {
		if _, err := Frame(context.Background(), m, nil, img, o); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%+v: got %v, want ErrOption", o, err)
		}
	}
}

// Resampling puts the mask back where it belongs; what could not be done is
// told.
func TestFrameResamples(t *testing.T) {
	t.Parallel()
	m := model(t, func(man *models.Manifest) { man.Recipe.SpacingMM = 0.5 })
	img := picture(40, 24, [4]int{8, 4, 20, 16})
	img.Spacing = segd.Spacing{RowMM: 1, ColMM: 1, Source: "PixelSpacing (0028,0030)"}
	r, err := Frame(context.Background(), m, nil, img, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.GridWidth != 80 || r.GridHeight != 48 {
		t.Errorf("grid %d×%d, want 80×48", r.GridWidth, r.GridHeight)
	}
	// Twice as fine and back: an edge may move by a pixel, not more.
	wrong := 0
	for i, want := range bright(img) {
		if r.Mask.Pix[i] != want {
			wrong++
		}
	}
	if wrong > 2*(12+12) {
		t.Errorf("%d pixels differ, the outline has 48", wrong)
	}
	steps := strings.Join(r.Steps, "; ")
	if strings.Contains(steps, "bfloat16") {
		t.Errorf("steps %q of a model in float32", steps)
	}
	for _, want := range []string{"resampled from 1 mm × 1 mm, PixelSpacing (0028,0030), to 0.5 mm: 80×48 pixels", "put back onto 40×24"} {
		if !strings.Contains(steps, want) {
			t.Errorf("steps %q, want %q among them", steps, want)
		}
	}

	rounded, err := models.Options{BFloat16: true}.Open(model(t, nil).Origin)
	if err != nil {
		t.Fatal(err)
	}
	if steps, _, err := Explain(rounded, &segd.Scan{}, img, Options{}); err != nil || !strings.Contains(strings.Join(steps, "; "), "rounded to bfloat16") {
		t.Errorf("steps %q, %v of a model in bfloat16", steps, err)
	}

	img.Spacing = segd.Spacing{}
	if r, err = Frame(context.Background(), m, nil, img, Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bright(img), r.Mask.Pix); diff != "" {
		t.Errorf("native grid (-want +got):\n%s", diff)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "spacing is unknown") {
		t.Errorf("warnings: %q", r.Warnings)
	}
}

func TestFrameWarns(t *testing.T) {
	t.Parallel()
	m := model(t, nil)
	grey := picture(8, 8, [4]int{2, 2, 5, 5})
	colour := &segd.Image{Width: 8, Height: 8, Channels: 3}
	for _, v := range grey.Pix {
		colour.Pix = append(colour.Pix, v, v, v)
	}
	r, err := Frame(context.Background(), m, nil, colour, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "in colour") {
		t.Errorf("colour: warnings %q", r.Warnings)
	}
	if diff := cmp.Diff(bright(grey), r.Mask.Pix); diff != "" {
		t.Errorf("colour (-want +got):\n%s", diff)
	}
	if r, err = Frame(context.Background(), m, nil, grey, Options{MinSize: 1000}); err != nil {
		t.Fatal(err)
	}
	if r.Confidence != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "nothing was found") {
		t.Errorf("nothing found: confidence %v, warnings %q", r.Confidence, r.Warnings)
	}
}

func TestFrameErrors(t *testing.T) {
	t.Parallel()
	m := model(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Frame(ctx, m, nil, picture(64, 64), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	broken := picture(8, 8)
	broken.Pix = broken.Pix[:10]
	if _, err := Frame(context.Background(), m, nil, broken, Options{}); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("sizes that contradict: got %v, want ErrUnprocessable", err)
	}
}

// Many at once give what one does.
func TestFrameConcurrent(t *testing.T) {
	t.Parallel()
	pool := unet.NewPool(2)
	defer pool.Close()
	m := model(t, nil)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			img := picture(30+i, 50-i, [4]int{i, i, i + 9, i + 5})
			r, err := Frame(context.Background(), m, pool, img, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if diff := cmp.Diff(bright(img), r.Mask.Pix); diff != "" {
				t.Errorf("image %d (-want +got):\n%s", i, diff)
			}
		})
	}
	wg.Wait()
}

// leaving is the context of a client that goes when it has been asked for so
// many times.
type leaving struct {
	context.Context
	asked, stay int
}

func (l *leaving) Err() error {
	if l.asked++; l.asked > l.stay {
		return context.Canceled
	}
	return nil
}

// A frame whose client has gone stops at its next unit, whichever that is: in
// the network, or before and after it.
func TestClientGone(t *testing.T) {
	t.Parallel()
	m := model(t, nil)
	img := picture(40, 30, [4]int{3, 4, 20, 20})
	o := Options{TTA: true, MinSize: 3}
	whole := &leaving{Context: t.Context(), stay: math.MaxInt}
	if _, err := Frame(whole, m, nil, img, o); err != nil {
		t.Fatal(err)
	}
	if before, network, after := 1, 4*8, 5; whole.asked < before+network+after {
		t.Errorf("%d units in all", whole.asked)
	}
	for stay := range whole.asked {
		ctx := &leaving{Context: t.Context(), stay: stay}
		if _, err := Frame(ctx, m, nil, img, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("gone after unit %d: error %v", stay, err)
		}
		if ctx.asked != stay+1 {
			t.Errorf("gone after unit %d: it went on to unit %d", stay, ctx.asked)
		}
	}
}
