package train

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
)

// grey is a w×h image of one value.
func grey(w, h int, v uint8) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = v
	}
	return m
}

// tree writes files of a data set: a PNG per name that ends in .png, with the
// bytes given as its rows of two pixels, else text.
func tree(t *testing.T, dir string, files map[string]any) string {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		switch c := content.(type) {
		case []uint8:
			writePNG(t, path, &image.Gray{Pix: c, Stride: 2, Rect: image.Rect(0, 0, 2, len(c)/2)})
		case string:
			if err := os.WriteFile(path, []byte(c), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

var pixels = []uint8{0, 1, 1, 0}

func TestOpen(t *testing.T) {
	a := tree(t, filepath.Join(t.TempDir(), "heart", "train"), map[string]any{
		"images/a.png": pixels, "images/sub/b.png": pixels, "images/.hidden.png": pixels,
		"labels/a.png": pixels, "labels/sub/b.png": pixels, "labels/spare.png": pixels,
		"ids.csv": "\ufeffGroup,ID\ns1,a\ns1,sub/b\n",
	})
	b := tree(t, filepath.Join(t.TempDir(), "cells"), map[string]any{
		"imgs/a.png": pixels, "masks/a_mask.png": pixels, "imgs/c.png": pixels, "masks/c.png": pixels,
		"ids.csv": "id,group\nc,s1\n",
	})
	one, err := Open(a)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Cases) != 2 || one.Cases[1].ID != "sub/b" || one.Cases[1].Group != "s1" || len(one.Warnings) != 0 {
		t.Errorf("one set: %+v", one)
	}
	both, err := Open(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range both.Cases {
		got = append(got, c.ID+" "+c.Group+" "+filepath.Base(c.Label))
	}
	want := []string{"heart/a heart/s1 a.png", "heart/sub/b heart/s1 b.png", "cells/a cells/a a_mask.png", "cells/c cells/s1 c.png"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(both.Warnings) != 1 || !strings.Contains(both.Warnings[0], "1 of 2 images") {
		t.Errorf("warnings %q", both.Warnings)
	}
	if names := setNames([]string{a, b, b}); !slices.Equal(names, []string{"heart", "cells", "cells-2"}) {
		t.Errorf("names %q", names)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]any
		kind  error
		says  string
	}{
		"no folders":    {map[string]any{"x.txt": "x"}, segd.ErrNotFound, "images/ and labels/"},
		"one deeper":    {map[string]any{"train/images/a.png": pixels}, segd.ErrNotFound, "give "},
		"no image":      {map[string]any{"images/x.txt": "x", "labels/a.png": pixels}, segd.ErrNotFound, "no image"},
		"missing label": {map[string]any{"images/a.png": pixels, "images/b.png": pixels, "labels/b.png": pixels}, segd.ErrNotFound, "a.png (1 of 2"},
		"two of a stem": {map[string]any{"images/a.png": pixels, "images/a.jpg": "x", "labels/a.png": pixels}, segd.ErrFormat, "share the stem a"},
		"ids header":    {map[string]any{"images/a.png": pixels, "labels/a.png": pixels, "ids.csv": "name,group\n"}, segd.ErrFormat, "id and group"},
		"ids twice":     {map[string]any{"images/a.png": pixels, "labels/a.png": pixels, "ids.csv": "id,group\na,1\na,2\n"}, segd.ErrFormat, "line 3"},
		"ids ragged":    {map[string]any{"images/a.png": pixels, "labels/a.png": pixels, "ids.csv": "id,group\na\n"}, segd.ErrFormat, "ids.csv"},
		"ids empty":     {map[string]any{"images/a.png": pixels, "labels/a.png": pixels, "ids.csv": ""}, segd.ErrFormat, "ids.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(tree(t, t.TempDir(), tt.files))
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %v that says %q", err, tt.kind, tt.says)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
}

// Faults within files name the file and the cause.
func TestRunRefusesBadFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]any
		kind  error
		says  []string
	}{
		"size":       {map[string]any{"labels/a.png": []uint8{0, 1}}, segd.ErrFormat, []string{"labels/a.png", "2×1 pixels", "2×2"}},
		"text image": {map[string]any{"images/a.png": "hello"}, segd.ErrUnsupported, []string{"images/a.png"}},
		"text label": {map[string]any{"labels/a.png": "hello"}, nil, []string{"labels/a.png"}},
		"scaled":     {map[string]any{"labels/b.png": []uint8{0, 128, 255, 0}}, segd.ErrFormat, []string{"labels/b.png", "value 128", "class indices"}},
		"empty":      {map[string]any{"labels/a.png": []uint8{0, 0, 0, 0}, "labels/b.png": []uint8{0, 0, 0, 0}}, segd.ErrUnprocessable, []string{"every label is background"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, t.TempDir(), map[string]any{
				"images/a.png": pixels, "images/b.png": pixels, "labels/a.png": pixels, "labels/b.png": pixels,
			})
			out := filepath.Join(t.TempDir(), "m")
			_, err := Run(t.Context(), Options{Datasets: []string{tree(t, dir, tt.files)}, Out: out, Steps: 1}, nil)
			if err == nil || (tt.kind != nil && !errors.Is(err, tt.kind)) {
				t.Fatalf("error %v, want %v", err, tt.kind)
			}
			for _, s := range tt.says {
				if !strings.Contains(filepath.ToSlash(err.Error()), s) {
					t.Errorf("error %q does not say %q", err, s)
				}
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("the output directory was made for nothing")
			}
		})
	}
}

func TestSurvey(t *testing.T) {
	set := func(vs ...uint8) (s valueSet) {
		for _, v := range vs {
			s[v] = true
		}
		return s
	}
	for name, tt := range map[string]struct {
		masks    []valueSet
		known    int
		scaled   bool
		max      int
		warnings int
		bad      bool
	}{
		"indices":        {masks: []valueSet{set(0, 1), set(0, 2)}, max: 2},
		"0 and 255":      {masks: []valueSet{set(0), set(0, 255)}, scaled: true, max: 1, warnings: 1},
		"left open":      {masks: []valueSet{set(0, 1), set(0, 255)}, max: 1, warnings: 1},
		"a gap":          {masks: []valueSet{set(0, 3)}, max: 3, warnings: 2},
		"antialiased":    {masks: []valueSet{set(0, 17, 130, 254)}, bad: true},
		"beyond known":   {masks: []valueSet{set(0, 2)}, known: 2, bad: true},
		"nothing at all": {masks: []valueSet{set(0)}},
	} {
		l, err := survey(tt.masks, []string{"one", "two"}, tt.known)
		if (err != nil) != tt.bad || !tt.bad && (l.scaled != tt.scaled || l.max != tt.max || len(l.warnings) != tt.warnings) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

func TestSpotsAreEvenAndBounded(t *testing.T) {
	y := make([]uint8, 10000)
	for i := range y {
		y[i] = uint8(i % 3)
	}
	y[0], y[1] = 255, 255
	s := spots(y, 3)
	if len(s[0]) != 0 || len(s[1]) != spotsPerClass || len(s[2]) != spotsPerClass {
		t.Fatalf("%d, %d and %d spots", len(s[0]), len(s[1]), len(s[2]))
	}
	for k, i := range s[2] {
		if y[i] != 2 {
			t.Errorf("spot %d is of class %d", i, y[i])
		}
		if k > 0 && i-s[2][k-1] > 45 { // 10000/256 and rounding to the next of its class
			t.Errorf("spots %d and %d are far apart", s[2][k-1], i)
		}
	}
	if got := spots([]uint8{0, 1, 1}, 2); !slices.Equal(got[1], []int32{1, 2}) {
		t.Errorf("few pixels: %v", got)
	}
}

func cases(groups ...string) (cs []Case) {
	for i, g := range groups {
		cs = append(cs, Case{ID: fmt.Sprint(i), Group: g, subject: g})
	}
	return cs
}

func TestSplitKeepsGroupsWhole(t *testing.T) {
	cs := cases("a", "a", "b", "c", "c", "c", "d", "e", "f", "g", "h", "i", "j")
	held := map[int]int{}
	for fold := range 5 {
		training, validation, _, err := split(cs, 1, 0, fold, 5)
		if err != nil {
			t.Fatal(err)
		}
		side := map[string]bool{}
		for _, i := range training {
			side[cs[i].subject] = true
		}
		for _, i := range validation {
			if side[cs[i].subject] {
				t.Errorf("fold %d: group %s is on both sides", fold, cs[i].subject)
			}
			held[i]++
		}
		if len(training)+len(validation) != len(cs) {
			t.Errorf("fold %d: %d + %d of %d cases", fold, len(training), len(validation), len(cs))
		}
	}
	for i := range cs {
		if held[i] != 1 {
			t.Errorf("case %d validates in %d folds, want 1", i, held[i])
		}
	}
	_, validation, _, err := split(cs, 1, 0.2, 0, 0)
	if err != nil || len(groupNames(pick(cs, validation), func(c Case) string { return c.subject })) != 2 {
		t.Errorf("a fifth of 10 groups: cases %v, %v", validation, err)
	}
}

func pick(cs []Case, index []int) (picked []Case) {
	for _, i := range index {
		picked = append(picked, cs[i])
	}
	return picked
}

func TestSplitAtTheEdges(t *testing.T) {
	training, validation, warning, err := split(cases("a", "a", "a", "a", "a"), 1, 0.2, 0, 0)
	if err != nil || len(training) != 4 || len(validation) != 1 || warning == "" {
		t.Errorf("one group: %v, %v, %q, %v", training, validation, warning, err)
	}
	if training, validation, _, err = split(cases("a", "b"), 1, 0.9, 0, 0); err != nil || len(training) != 1 || len(validation) != 1 {
		t.Errorf("two groups: %v, %v, %v", training, validation, err)
	}
	if _, _, _, err = split(cases("a"), 1, 0.2, 0, 0); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("one case: %v", err)
	}
	if _, _, _, err = split(cases("a", "b"), 1, 0.2, 0, 5); !errors.Is(err, segd.ErrOption) {
		t.Errorf("five folds of two groups: %v", err)
	}
}

func TestPlanFitsTheData(t *testing.T) {
	ids := make([]string, 100)
	for name, tt := range map[string]struct {
		h, w, training           int
		patchH, patchW           int
		depth, batch, batchLimit int
	}{
		"large":  {520, 696, 100, 192, 192, 4, 6, 6},
		"small":  {64, 64, 12, 64, 64, 3, 2, 2},
		"few":    {960, 999, 14, 192, 192, 4, 6, 6},
		"flat":   {40, 300, 100, 40, 192, 2, 16, 16},
		"narrow": {270, 100, 100, 192, 104, 3, 11, 11},
		"minute": {9, 9, 2, 10, 10, 1, 2, 2},
	} {
		f := Fingerprint{Channels: 1, Classes: 2, MedianHeight: tt.h, MedianWidth: tt.w}
		p, err := newPlan(Options{}, f, ids[:tt.training], nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.PatchHeight != tt.patchH || p.PatchWidth != tt.patchW || p.Network.Depth != tt.depth || p.Batch != tt.batch {
			t.Errorf("%s: patch %d×%d depth %d batch %d, want %d×%d, %d, %d", name, p.PatchHeight, p.PatchWidth, p.Network.Depth, p.Batch, tt.patchH, tt.patchW, tt.depth, tt.batch)
		}
	}
}

func TestThicknesses(t *testing.T) {
	m := segd.NewMask(200, 200)
	for y := range 200 {
		for x := range 200 {
			switch dy, dx := float64(y)-59.5, float64(x)-59.5; {
			case dy*dy+dx*dx < 40*40:
				m.Pix[y*200+x] = 1
			case y >= 150 && y < 156:
				m.Pix[y*200+x] = 3
			}
		}
	}
	got := thicknesses(m)
	// The disc's diameter; of a band its double width, over the mean length of
	// a pixel's edge, since a straight line along the grid has no stairs.
	if got[2] != 0 || math.Abs(got[1]-80) > 1 || math.Abs(got[3]-12/(math.Pi/4)) > 0.01 {
		t.Errorf("thickness %v, want 80 of the disc and 15.3 of the band", got[1:4])
	}
}

// A class counts its regions where enough cases hold it and none has many.
func TestFingerprintCountsRegions(t *testing.T) {
	for _, tt := range []struct {
		cases, spots int
		want         []int
	}{{29, 1, []int{0, 0}}, {30, 1, []int{1, 0}}, {40, 2, []int{2, 0}}, {40, 3, []int{0, 0}}} {
		list := make([]facts, tt.cases)
		for i := range list {
			mask := segd.NewMask(16, 16)
			for s := range tt.spots {
				mask.Pix[5*s] = 1
			}
			list[i] = factsOf(&Case{}, raw{image: &segd.Image{Width: 16, Height: 16, Channels: 1, Pix: make([]float32, 256)}, mask: mask})
		}
		if got := fingerprint(make([]Case, tt.cases), list, values{}, 3).Regions; !slices.Equal(got, tt.want) {
			t.Errorf("%d cases of %d regions: %v, want %v", tt.cases, tt.spots, got, tt.want)
		}
	}
}

// Images of thick structures are resampled and seen whole, by a deeper network
// that is no wider.
func TestPlanOfThickStructures(t *testing.T) {
	ids := make([]string, 100)
	for _, tt := range []struct {
		thickness            float64
		h, w                 int
		side, patchH, patchW int
		depth, maxWidth      int
	}{
		{99, 512, 512, 0, 192, 192, 4, 0},
		{160, 512, 512, 256, 256, 256, 5, 128},
		{200, 270, 400, 160, 112, 160, 3, 0},
		{1000, 3000, 2000, 256, 256, 176, 4, 0},
	} {
		p, err := newPlan(Options{}, Fingerprint{Channels: 1, Classes: 2, MedianHeight: tt.h, MedianWidth: tt.w, Thickness: tt.thickness}, ids, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.Recipe.LongSide != tt.side || p.PatchHeight != tt.patchH || p.PatchWidth != tt.patchW || p.Network.Depth != tt.depth || p.Network.MaxWidth != tt.maxWidth {
			t.Errorf("%g pixels thick: long side %d, patch %d×%d, depth %d, at most %d channels; want %d, %d×%d, %d, %d", tt.thickness,
				p.Recipe.LongSide, p.PatchHeight, p.PatchWidth, p.Network.Depth, p.Network.MaxWidth, tt.side, tt.patchH, tt.patchW, tt.depth, tt.maxWidth)
		}
	}
}

// Validation takes about its share of the work, at least six times a training
// unless that is too dear, and never hangs on anything but sizes.
func TestValidationInterval(t *testing.T) {
	p, err := newPlan(Options{}, Fingerprint{Channels: 1, Classes: 2, MedianHeight: 256, MedianWidth: 256}, make([]string, 60), nil)
	if err != nil {
		t.Fatal(err)
	}
	step := 3 * float64(p.Batch) * p.Network.GFLOP(p.PatchHeight, p.PatchWidth)
	for _, tt := range []struct {
		steps int
		work  float64
		want  int
	}{{1000, 0.1 * step, 10}, {1000, 5 * step, 50}, {60, 5 * step, 20}, {60, 0, 10}, {30, 0, 5}, {3, 100 * step, 3}, {1, 0, 1}} {
		if got := p.interval(tt.steps, tt.work); got != tt.want {
			t.Errorf("%d steps, validation as dear as %.1f steps: every %d, want %d", tt.steps, tt.work/step, got, tt.want)
		}
	}
}

// Colour images make a network of three channels, JPEG is read, and 0/255
// masks are learnt from with a warning.
func TestRunOnColourAnd255(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]any{"images/x.txt": "", "labels/x.txt": ""})
	for i := range 4 {
		img := image.NewRGBA(image.Rect(0, 0, 32, 32))
		label := grey(32, 32, 0)
		for y := range 32 {
			for x := range 32 {
				img.Set(x, y, color.RGBA{R: uint8(8 * x), G: 20, B: 200, A: 255})
				if x > 16 {
					label.SetGray(x, y, color.Gray{Y: 255})
				}
			}
		}
		f, err := os.Create(filepath.Join(dir, "images", fmt.Sprintf("%d.jpg", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(f, img, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		writePNG(t, filepath.Join(dir, "labels", fmt.Sprintf("%d.png", i)), label)
	}
	var warnings []string
	res, err := Run(t.Context(), tiny(dir, filepath.Join(t.TempDir(), "m"), 2), func(e Event) {
		if e.Kind == EventWarning {
			warnings = append(warnings, e.Message)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Plan.Network.Channels != 3 || res.Plan.Recipe.Channels != 3 || res.Plan.Network.Classes != 2 {
		t.Errorf("plan %+v", res.Plan)
	}
	if len(warnings) != 3 || !strings.Contains(warnings[0], "1 empty file") || !strings.Contains(warnings[2], "255 is read as class 1") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestRunBoundsMemory(t *testing.T) {
	o := tiny(discs(t, 4, 32), filepath.Join(t.TempDir(), "m"), 1)
	o.MaxMemory = 10000
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("error %v, want segd.ErrOption", err)
	}
}
