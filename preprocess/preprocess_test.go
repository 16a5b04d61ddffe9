package preprocess

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

func ExampleRecipe_Apply() {
	img := &segd.Image{Width: 2, Height: 1, Channels: 1, Pix: []float32{10, 30}}
	x, place, err := Recipe{Channels: 1, Normalise: ZScore}.Apply(img)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(x.Data)
	mask, err := place.Mask(&segd.Mask{Width: 2, Height: 1, Pix: []uint8{0, 1}})
	fmt.Println(mask.Pix, err)
	// Output:
	// [-1 1]
	// [0 1] <nil>
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := Recipe{Channels: 1, Normalise: ZScore}
	tests := []struct {
		name   string
		change func(*Recipe)
		ok     bool
	}{
		{"plain", func(*Recipe) {}, true},
		{"0 and 100", func(r *Recipe) { r.ClipHigh = 100 }, true},
		{"clipped", func(r *Recipe) { r.ClipLow, r.ClipHigh = 0.5, 99.5 }, true},
		{"rgb, minmax, spacing", func(r *Recipe) { *r = Recipe{Channels: 3, Normalise: MinMax, SpacingMM: 1} }, true},
		{"long side", func(r *Recipe) { r.LongSide = 8192 }, true},
		{"longest side", func(r *Recipe) { r.LongSide = 8193 }, false},
		{"negative side", func(r *Recipe) { r.LongSide = -1 }, false},
		{"spacing and long side", func(r *Recipe) { r.SpacingMM, r.LongSide = 1, 256 }, false},
		{"two channels", func(r *Recipe) { r.Channels = 2 }, false},
		{"no channels", func(r *Recipe) { r.Channels = 0 }, false},
		{"no normalisation", func(r *Recipe) { r.Normalise = "" }, false},
		{"low alone", func(r *Recipe) { r.ClipLow = 1 }, false},
		{"crossed", func(r *Recipe) { r.ClipLow, r.ClipHigh = 99, 1 }, false},
		{"beyond 100", func(r *Recipe) { r.ClipHigh = 101 }, false},
		{"negative", func(r *Recipe) { r.ClipLow, r.ClipHigh = -1, 99 }, false},
		{"NaN", func(r *Recipe) { r.ClipHigh = math.NaN() }, false},
		{"negative spacing", func(r *Recipe) { r.SpacingMM = -1 }, false},
		{"NaN spacing", func(r *Recipe) { r.SpacingMM = math.NaN() }, false},
		{"infinite spacing", func(r *Recipe) { r.SpacingMM = math.Inf(1) }, false},
	}
	for _, tt := range tests {
		r := good
		tt.change(&r)
		err := r.Validate()
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, segd.ErrOption) {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if !tt.ok {
			if _, _, err := r.Apply(grey(1, 1, 1)); !errors.Is(err, segd.ErrOption) {
				t.Errorf("%s: Apply gives %v", tt.name, err)
			}
		}
	}
}

// TestJSON pins the names that model.json uses.
func TestJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(Recipe{Channels: 3, Normalise: MinMax, ClipLow: 1, ClipHigh: 99, SpacingMM: 1.5})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"channels":3,"normalise":"minmax","clip_low":1,"clip_high":99,"spacing_mm":1.5}`
	if string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
}

// grey returns an image of one channel.
func grey(width, height int, pix ...float32) *segd.Image {
	return &segd.Image{Width: width, Height: height, Channels: 1, Pix: pix}
}

func apply(t testing.TB, r Recipe, img *segd.Image) (*segd.Tensor, Placement) {
	t.Helper()
	x, p, err := r.Apply(img)
	if err != nil {
		t.Fatal(err)
	}
	return x, p
}

func near(t testing.TB, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(float64(got[i]-want[i])) <= tolerance) {
			t.Fatalf("got %v, want %v within %g", got, want, tolerance)
		}
	}
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tests := []struct {
		name    string
		recipe  Recipe
		pix     []float32
		padding []bool
		want    []float32
	}{
		{"zscore", Recipe{Normalise: ZScore}, []float32{1, 3, 1, 3}, nil, []float32{-1, 1, -1, 1}},
		{"minmax", Recipe{Normalise: MinMax}, []float32{-10, 0, 10, 30}, nil, []float32{0, 0.25, 0.5, 1}},
		{"constant, zscore", Recipe{Normalise: ZScore}, []float32{1000.3, 1000.3, 1000.3, 1000.3}, nil, []float32{0, 0, 0, 0}},
		{"constant, minmax", Recipe{Normalise: MinMax}, []float32{7, 7, 7, 7}, nil, []float32{0, 0, 0, 0}},
		{"constant, clipped", Recipe{Normalise: ZScore, ClipLow: 1, ClipHigh: 99}, []float32{7, 7, 7, 7}, nil, []float32{0, 0, 0, 0}},
		// Ranks of 5 values are 0, 25, 50, 75 and 100 %; 10 % lies 0.4 of the
		// way from the first to the second.
		{"percentiles", Recipe{Normalise: MinMax, ClipLow: 10, ClipHigh: 75}, []float32{0, 10, 20, 30, 1000}, nil, []float32{0, 6. / 26, 16. / 26, 1, 1}},
		{"padding is left out, and lowest", Recipe{Normalise: ZScore}, []float32{1, 3, -2000, 3, 1}, []bool{false, false, true, false, false}, []float32{-1, 1, -1, 1, -1}},
		{"all padding", Recipe{Normalise: ZScore}, []float32{1, 3}, []bool{true, true}, []float32{0, 0}},
		{"padding of nothing", Recipe{Normalise: ZScore}, []float32{1, 3}, []bool{false, false}, []float32{-1, 1}},
		{"not finite", Recipe{Normalise: ZScore}, []float32{1, nan, 3, inf, 3, -inf, 1}, nil, []float32{-1, -1, 1, -1, 1, -1, -1}},
		{"nothing finite", Recipe{Normalise: ZScore, ClipLow: 1, ClipHigh: 99}, []float32{nan, inf}, nil, []float32{0, 0}},
		{"largest floats", Recipe{Normalise: MinMax}, []float32{-math.MaxFloat32, 0, math.MaxFloat32}, nil, []float32{0, 0.5, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.recipe.Channels = 1
			img := grey(len(tt.pix), 1, tt.pix...)
			img.Padding = tt.padding
			before := slices.Clone(tt.pix)
			x, _ := apply(t, tt.recipe, img)
			near(t, x.Data, tt.want, 1e-6)
			for i, v := range before {
				if math.Float32bits(img.Pix[i]) != math.Float32bits(v) {
					t.Fatal("the image was changed")
				}
			}
		})
	}
}

// TestZScoreMoments checks mean 0 and deviation 1 on an image far from zero.
func TestZScoreMoments(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	pix := make([]float32, 10_000)
	for i := range pix {
		pix[i] = float32(30_000 + 50*r.NormFloat64())
	}
	x, _ := apply(t, Recipe{Channels: 1, Normalise: ZScore}, grey(100, 100, pix...))
	var sum, squares float64
	for _, v := range x.Data {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	mean, deviation := sum/1e4, math.Sqrt(squares/1e4)
	// The values themselves are rounded to 1/512 of their unit.
	if math.Abs(mean) > 1e-6 || math.Abs(deviation-1) > 1e-6 {
		t.Errorf("mean %g, deviation %g", mean, deviation)
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	rgb := &segd.Image{Width: 2, Height: 1, Channels: 3, Pix: []float32{255, 0, 0, 0, 0, 255}}
	x, _ := apply(t, Recipe{Channels: 1, Normalise: MinMax}, rgb)
	near(t, x.Data, []float32{1, 0}, 0) // red is brighter than blue
	x, _ = apply(t, Recipe{Channels: 3, Normalise: MinMax}, rgb)
	near(t, x.Data, []float32{1, 0, 0, 0, 0, 1}, 0) // channel by channel; green is constant
	x, _ = apply(t, Recipe{Channels: 3, Normalise: MinMax}, grey(2, 1, 5, 9))
	near(t, x.Data, []float32{0, 1, 0, 1, 0, 1}, 0)

	luma := segd.NewTensor(1, 1, 1, 2)
	fill(luma, rgb)
	near(t, luma.Data, []float32{0.299 * 255, 0.114 * 255}, 1e-4)
}

func TestBadImages(t *testing.T) {
	t.Parallel()
	for name, img := range map[string]*segd.Image{
		"nil":             nil,
		"empty":           {Channels: 1},
		"two channels":    {Width: 1, Height: 1, Channels: 2, Pix: make([]float32, 2)},
		"too few values":  {Width: 2, Height: 2, Channels: 1, Pix: make([]float32, 3)},
		"padding too few": {Width: 2, Height: 1, Channels: 1, Pix: make([]float32, 2), Padding: make([]bool, 1)},
	} {
		if _, _, err := (Recipe{Channels: 1, Normalise: ZScore}).Apply(img); !errors.Is(err, segd.ErrUnprocessable) {
			t.Errorf("%s: got %v, want segd.ErrUnprocessable", name, err)
		}
	}
	img := grey(2, 2, 1, 2, 3, 4)
	img.Spacing = segd.Spacing{RowMM: 1e6, ColMM: 1e6}
	if _, _, err := (Recipe{Channels: 1, Normalise: ZScore, SpacingMM: 1e-3}).Apply(img); !errors.Is(err, segd.ErrTooLarge) {
		t.Errorf("huge grid: got %v, want segd.ErrTooLarge", err)
	}
}

// TestPercentiles pins NumPy's default definition:
// numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6], [10, 90]) is [1, 6.9].
func TestPercentiles(t *testing.T) {
	t.Parallel()
	low, high := percentiles([]float32{3, 1, 4, 1, 5, 9, 2, 6}, 10, 90)
	near(t, []float32{low, high}, []float32{1, 6.9}, 1e-6)
	low, high = percentiles([]float32{7}, 0.5, 99.5)
	near(t, []float32{low, high}, []float32{7, 7}, 0)
}

// TestDeterminism gives the same bits each time.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	r := Recipe{Channels: 3, Normalise: ZScore, ClipLow: 0.5, ClipHigh: 99.5, SpacingMM: 0.8}
	img := spaced(90, 70, 1, 1, 5)
	a, _ := apply(t, r, img)
	b, _ := apply(t, r, img)
	if diff := cmp.Diff(a.Data, b.Data); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkApply(b *testing.B) {
	img := spaced(512, 512, 1, 1, 6)
	for _, r := range []Recipe{
		{Channels: 1, Normalise: ZScore},
		{Channels: 1, Normalise: ZScore, ClipLow: 0.5, ClipHigh: 99.5},
		{Channels: 1, Normalise: ZScore, ClipLow: 0.5, ClipHigh: 99.5, SpacingMM: 1.3},
	} {
		b.Run(fmt.Sprintf("clip%g-spacing%g", r.ClipHigh, r.SpacingMM), func(b *testing.B) {
			b.SetBytes(int64(4 * len(img.Pix)))
			for b.Loop() {
				if _, _, err := r.Apply(img); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
