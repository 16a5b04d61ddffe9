package check

import (
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"segd/train"
	"segd/train/dataset/datasettest"
	"segd/unet"
)

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
		t.Fatal(err)
	}
}

// depths returns values that rise from low in steps, to the right and downwards.
func depths(side int, low, step float32) []float32 {
	v := make([]float32, side*side)
	for i := range v {
		v[i] = low + step*float32(i%side+i/side)
	}
	return v
}

// noisy writes a unique image.
func noisy(t *testing.T, dir, name string, seed int) {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 40, 40))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * (seed + 3) % 251)
	}
	datasettest.WritePNG(t, filepath.Join(dir, "images", name+".png"), m)
}

func checkAs(t *testing.T, head unet.Head, dir string) *Result {
	t.Helper()
	r, err := Run(t.Context(), Options{Datasets: []string{dir}, Head: &head, Overfit: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Everything that spoils training on values is reported, and nothing else.
func TestCheckValues(t *testing.T) {
	nan := float32(math.NaN())
	dir := t.TempDir()
	label := func(name string, values []float32) {
		noisy(t, dir, name, len(name)*7+int(name[0]))
		datasettest.Put(t, dir, "labels/"+name+".tiff", datasettest.TIFF(t, values, 40))
	}
	label("good", depths(40, 0, 100))
	label("alike", make([]float32, 1600))
	some, none := depths(40, 5, 90), make([]float32, 1600)
	some[7] = nan
	for i := range none {
		none[i] = nan
	}
	label("some", some)
	label("none", none)
	far := depths(40, 0, 100)
	far[3] = 4e6
	label("far", far)
	endless := depths(40, 0, 100)
	endless[5] = float32(math.Inf(1))
	label("endless", endless)
	label("wide", depths(44, 0, 100)[:44*40]) // 1760 values, 40 to a row
	label("broken", depths(40, 0, 100))
	datasettest.Put(t, dir, "labels/broken.tiff", datasettest.TIFF(t, depths(40, 0, 100), 40)[:900])
	label("palette", depths(40, 0, 1))
	remove(t, dir, "labels/palette.tiff")
	datasettest.WritePNG(t, filepath.Join(dir, "labels", "palette.png"), image.NewPaletted(image.Rect(0, 0, 40, 40), color.Palette{color.Black, color.White}))
	noisy(t, dir, "unlabelled", 90)
	datasettest.Put(t, dir, "labels/alone.tiff", datasettest.TIFF(t, depths(40, 0, 1), 40))
	twin, err := os.ReadFile(filepath.Join(dir, "images", "good.png"))
	if err != nil {
		t.Fatal(err)
	}
	datasettest.Put(t, dir, "images/twin.png", twin)
	datasettest.Put(t, dir, "labels/twin.tiff", datasettest.TIFF(t, depths(40, 0, 100), 40))
	datasettest.Put(t, dir, "ids.csv", []byte("id,group\ngood,a\nalike,b\nsome,c\nnone,d\nfar,e\nendless,f\nwide,g\nbroken,h\npalette,i\nunlabelled,j\ntwin,k\n"))

	r := checkAs(t, unet.HeadRegression, dir)
	want := []string{
		"constant-label labels/alike.tiff", "duplicate! images/twin.png", "no-image labels/alone.tiff", "no-label! images/unlabelled.png",
		"open-pixels labels/none.tiff", "open-pixels labels/some.tiff", "range! labels/endless.tiff", "range labels/far.tiff", "size! labels/wide.tiff",
		"unreadable! labels/broken.tiff", "unreadable! labels/palette.png", "range ",
	}
	wantFound(t, r, dir, want)
	if v := r.Values; v == nil || v.Min != 0 || v.Max != 4e6 || v.Unknown != 1601 || v.Known != 6*1600-1601 || r.Classes != nil || r.Cases != 6 {
		t.Errorf("%+v, %d cases", r.Values, r.Cases)
	}
}

// wantFound compares findings in any order.
func wantFound(t *testing.T, r *Result, dir string, want []string) {
	t.Helper()
	left := map[string]int{}
	for _, f := range found(r, dir) {
		left[f]++
	}
	for _, w := range want {
		if left[w]--; left[w] < 0 {
			t.Errorf("no %q", w)
		}
	}
	for f, n := range left {
		if n > 0 {
			t.Errorf("found %q", f)
		}
	}
	if t.Failed() {
		for _, f := range r.Findings {
			t.Logf("%+v", f)
		}
	}
}

// Faults that concern all labels together.
func TestCheckValuesTogether(t *testing.T) {
	picture := func(top int) image.Image {
		m := image.NewGray16(image.Rect(0, 0, 40, 40))
		for i := range 1600 {
			m.SetGray16(i%40, i/40, color.Gray16{Y: uint16(min(top, 70*i))})
		}
		return m
	}
	set := func(label func(i int, dir, name string)) string {
		dir := t.TempDir()
		for i := range 4 {
			name := string(rune('a' + i))
			noisy(t, dir, name, i)
			label(i, dir, name)
		}
		datasettest.Put(t, dir, "ids.csv", []byte("id,group\na,1\nb,2\nc,3\nd,4\n"))
		return dir
	}
	for name, tt := range map[string]struct {
		label func(i int, dir, name string)
		want  []string
	}{
		"good": {func(_ int, dir, name string) {
			datasettest.WritePNG(t, filepath.Join(dir, "labels", name+".png"), picture(50000))
		}, nil},
		"all alike": {func(_ int, dir, name string) {
			datasettest.WritePNG(t, filepath.Join(dir, "labels", name+".png"), image.NewGray16(image.Rect(0, 0, 40, 40)))
		}, []string{"constant-label! labels/a.png"}},
		"none known": {func(_ int, dir, name string) {
			v := make([]float32, 1600)
			for i := range v {
				v[i] = float32(math.NaN())
			}
			datasettest.Put(t, dir, "labels/"+name+".tif", datasettest.TIFF(t, v, 40))
		}, []string{"constant-label! labels/a.tif"}},
		"clipped, each": {func(_ int, dir, name string) {
			datasettest.WritePNG(t, filepath.Join(dir, "labels", name+".png"), picture(65535))
		},
			[]string{"saturated labels/a.png", "saturated labels/b.png", "saturated labels/c.png", "saturated labels/d.png", "range labels/a.png"}},
		"clipped, one": {func(i int, dir, name string) {
			datasettest.WritePNG(t, filepath.Join(dir, "labels", name+".png"), picture(65535-1000*i))
		}, []string{"saturated labels/a.png"}},
		"negative": {func(_ int, dir, name string) {
			datasettest.Put(t, dir, "labels/"+name+".tif", datasettest.TIFF(t, depths(40, -3, 1), 40))
		}, []string{"range "}},
		"fractions": {func(_ int, dir, name string) {
			datasettest.Put(t, dir, "labels/"+name+".tif", datasettest.TIFF(t, depths(40, 0, 0.01), 40))
		}, []string{"range "}},
		"volumes": {func(_ int, dir, name string) {
			datasettest.Put(t, dir, "images/"+name+".nii", datasettest.Floats(40, 40, 1, depths(40, float32(name[0]), 3)))
			remove(t, dir, "images/"+name+".png")
			datasettest.Put(t, dir, "labels/"+name+".nii", datasettest.Floats(40, 40, 1, depths(40, 0, 100)))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := set(tt.label)
			wantFound(t, checkAs(t, unet.HeadRegression, dir), dir, tt.want)
		})
	}
}

// Labels that are clearly values are recognised; faulty masks are not mistaken for
// values.
func TestCheckRecognisesValues(t *testing.T) {
	write := func(label func(name string, dir string)) string {
		dir := t.TempDir()
		for i := range 4 {
			name := string(rune('a' + i))
			noisy(t, dir, name, i)
			label(name, dir)
		}
		return dir
	}
	png16 := func(value func(x, y int) int) func(string, string) {
		m := image.NewGray16(image.Rect(0, 0, 40, 40))
		for i := range 1600 {
			m.SetGray16(i%40, i/40, color.Gray16{Y: uint16(value(i%40, i/40))})
		}
		return func(name, dir string) { datasettest.WritePNG(t, filepath.Join(dir, "labels", name+".png"), m) }
	}
	inside := func(x, y int) int { return max(0, 15-max(max(x, 39-x)-19, max(y, 39-y)-19)) }
	for name, tt := range map[string]struct {
		label  func(string, string)
		values bool
	}{
		"distances in 16 bits": {png16(func(x, y int) int {
			d := 15 - math.Hypot(float64(x)-20, float64(y)-20)
			return int(100 * max(0, d))
		}), true},
		"grey values in 8 bits": {func(name, dir string) {
			m := image.NewGray(image.Rect(0, 0, 40, 40))
			for i := range m.Pix {
				m.Pix[i] = uint8(3*(i%40) + 2*(i/40))
			}
			datasettest.WritePNG(t, filepath.Join(dir, "labels", name+".png"), m)
		}, true},
		"float32": {func(name, dir string) {
			datasettest.Put(t, dir, "labels/"+name+".tiff", datasettest.TIFF(t, depths(40, -1, 0.01), 40))
		}, true},
		"a scaled mask": {png16(func(x, _ int) int { return x / 20 * 65535 }), false},
		"short distances in 16 bits": {png16(func(x, y int) int {
			d := 3.5 - math.Hypot(float64(x%10)-5, float64(y%10)-5)
			return int(100 * max(0, d))
		}), true},
		"a soft mask of thin structures": {png16(func(x, y int) int {
			return []int{0, 0, 0, 90, 255, 80 + 4*y, 0, 0}[x%8]
		}), false},
		"numbered objects": {png16(func(x, y int) int { return 1 + x/4 + 10*(y/4) }), false},
		"an antialiased mask": {png16(func(x, y int) int {
			return min(255, 60*inside(x, y)/4)
		}), false},
		"classes": {png16(func(x, _ int) int { return x / 10 }), false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(tt.label)
			r := check(t, dir)
			if (r.Values != nil) != tt.values {
				t.Errorf("values: %v; %+v", r.Values != nil, r.Findings)
			}
			hint := false
			for _, f := range r.Findings {
				hint = hint || f.Kind == KindValues
			}
			if hint != tt.values {
				t.Errorf("%+v", r.Findings)
			}
			if tt.values && r.Faults() > 0 {
				t.Errorf("faults: %+v", r.Findings)
			}
			if classes := checkAs(t, unet.HeadClasses, dir); classes.Values != nil || tt.values && name != "float32" && classes.Faults() == 0 {
				t.Errorf("as classes: %+v", classes)
			}
		})
	}
}

// The overfit test memorises values, and reports the result in their unit.
func TestOverfitValues(t *testing.T) {
	dir := datasettest.Ramps(t, 6, 32)
	head := unet.HeadRegression
	r, err := Run(t.Context(), Options{Datasets: []string{dir}, Head: &head, Overfit: time.Minute}, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := r.Overfit
	if o == nil || o.Cases != train.OverfitCases || o.Constant < 1000 || o.MAE > 0.1*o.Constant || o.Dice != 0 {
		t.Errorf("%+v, %+v", o, r.Findings)
	}
	for _, f := range r.Findings {
		if f.Kind == KindOverfit {
			t.Errorf("%+v", f)
		}
	}
	if r, err = Run(t.Context(), Options{Datasets: []string{dir}, Head: &head, Overfit: time.Nanosecond}, nil); err != nil {
		t.Fatal(err)
	}
	if f := r.Findings[len(r.Findings)-1]; f.Kind != KindOverfit || !strings.Contains(f.Fix, "labels") {
		t.Errorf("no time at all: %+v", f)
	}
}
