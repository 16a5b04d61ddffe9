package postprocess

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

// draw makes a mask of rows of digits; a dot is background.
func draw(rows ...string) *segd.Mask {
	m := segd.NewMask(len(rows[0]), len(rows))
	for y, row := range rows {
		for x, c := range row {
			if c != '.' {
				m.Pix[y*m.Width+x] = uint8(c - '0')
			}
		}
	}
	return m
}

func TestLabels(t *testing.T) {
	t.Parallel()
	p := &segd.Tensor{N: 1, C: 3, H: 1, W: 5, Data: []float32{
		0.50, 0.30, 0.40, 0.98, 0.30, // background
		0.30, 0.40, 0.40, 0.01, 0.35,
		0.20, 0.30, 0.20, 0.01, 0.35,
	}}
	for _, c := range []struct {
		threshold float64
		want      []uint8
	}{
		{0, []uint8{0, 1, 0, 0, 1}},    // a tie goes to the first
		{0.01, []uint8{1, 1, 1, 1, 1}}, // 0.5, 0.7, 0.6, 0.02, 0.7
		{0.55, []uint8{0, 1, 1, 0, 1}},
		{0.65, []uint8{0, 1, 0, 0, 1}},
		{0.75, []uint8{0, 0, 0, 0, 0}},
	} {
		if diff := cmp.Diff(c.want, Labels(p, c.threshold).Pix); diff != "" {
			t.Errorf("threshold %v (-want +got):\n%s", c.threshold, diff)
		}
	}
}

func TestComponents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		mask *segd.Mask
		want []Part
	}{
		{"none", draw("...", "..."), nil},
		{"corner", draw("1..", ".1.", "..1"), []Part{{1, 3}}},
		{"other corner", draw("..1", ".1.", "1.."), []Part{{1, 3}}},
		{"edges do not wrap", draw("1.1", "1.1"), []Part{{1, 2}, {1, 2}}},
		{"rows do not wrap", draw("..1", "1.."), []Part{{1, 1}, {1, 1}}},
		{"classes apart", draw("12", "21"), []Part{{1, 2}, {2, 2}}},
		{"spiral", draw("11111", "....1", "111.1", "1...1", "11111"), []Part{{1, 17}}},
		{"u", draw("1.1", "1.1", "111"), []Part{{1, 7}}},
	} {
		_, got := components(c.mask)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// On random masks the numbering is that of a slow method of its own: each
// pixel takes the smallest number among its neighbours until nothing changes.
func TestComponentsRandom(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		m := segd.NewMask(1+rng.IntN(12), 1+rng.IntN(12))
		for i := range m.Pix {
			m.Pix[i] = uint8(rng.IntN(3))
		}
		id := make([]int, len(m.Pix))
		for i := range id {
			id[i] = i
		}
		for changed := true; changed; {
			changed = false
			for i := range id {
				for j := range id {
					dy, dx := i/m.Width-j/m.Width, i%m.Width-j%m.Width
					if dy*dy <= 1 && dx*dx <= 1 && m.Pix[i] == m.Pix[j] && id[j] < id[i] {
						id[i], changed = id[j], true
					}
				}
			}
		}
		got, parts := components(m)
		of := map[int]int32{}
		for i, class := range m.Pix {
			if class == 0 {
				if got[i] != 0 {
					t.Fatal("background is numbered")
				}
				continue
			}
			if k, ok := of[id[i]]; ok && k != got[i] || got[i] == 0 || parts[got[i]-1].Value != int(class) {
				t.Fatalf("pixel %d of\n%v: %v", i, m.Pix, got)
			}
			of[id[i]] = got[i]
		}
		if len(of) != len(parts) {
			t.Fatalf("%d components, want %d", len(parts), len(of))
		}
	}
}

func TestRemoveSmall(t *testing.T) {
	t.Parallel()
	m := draw("11..2", "1...2", "..1.2", "1...2")
	for _, c := range []struct {
		pixels int
		want   *segd.Mask
	}{
		{1, m},
		{2, draw("11..2", "1...2", "....2", "....2")},
		{4, draw("....2", "....2", "....2", "....2")},
		{5, draw(".....", ".....", ".....", ".....")},
	} {
		got := &segd.Mask{Width: m.Width, Height: m.Height, Pix: append([]uint8(nil), m.Pix...)}
		RemoveSmall(got, c.pixels)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%d pixels (-want +got):\n%s", c.pixels, diff)
		}
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	m := draw(
		"......",
		".11...",
		".11..2",
		"......")
	p := segd.NewTensor(1, 4, m.Height, m.Width)
	for i, k := range m.Pix {
		p.Plane(0, int(k))[i] = 0.75
	}
	p.Plane(0, 1)[1*6+1] = 0.25
	classes := []segd.Class{{Name: "background"}, {Index: 1, Name: "a"}, {Index: 2, Name: "b"}, {Index: 3, Name: "c"}}
	got := Measure(m, p, classes, segd.Spacing{RowMM: 0.5, ColMM: 2})
	ref := func(v float64) *float64 { return &v }
	want := []Measurement{
		{Index: 1, Name: "a", Pixels: 4, AreaMM2: ref(4), Components: 1, Centroid: &[2]float64{1.5, 1.5}, Box: &[4]int{1, 1, 2, 2}, MeanProbability: ref(0.625)},
		{Index: 2, Name: "b", Pixels: 1, AreaMM2: ref(1), Components: 1, Centroid: &[2]float64{5, 2}, Box: &[4]int{5, 2, 1, 1}, MeanProbability: ref(0.75)},
		{Index: 3, Name: "c", AreaMM2: ref(0)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// Without spacing there is no area, without probabilities no mean, and
	// what an empty class has no value for is not there.
	b, err := json.Marshal(Measure(m, nil, classes, segd.Spacing{RowMM: 1}))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"area", "mean_probability"} {
		if strings.Contains(string(b), key) {
			t.Errorf("%s holds %s", b, key)
		}
	}
	if !strings.Contains(string(b), `{"index":3,"name":"c","pixels":0,"components":0}`) {
		t.Errorf("empty class: %s", b)
	}
	if got := Measure(m, nil, nil, segd.Spacing{}); len(got) != 0 {
		t.Errorf("no classes: %v", got)
	}
}

// A class beyond the list is left out of the measurements, without a panic.
func TestMeasureUnknownClass(t *testing.T) {
	t.Parallel()
	got := Measure(draw("19"), nil, []segd.Class{{Name: "background"}, {Index: 1, Name: "a"}}, segd.Spacing{})
	if len(got) != 1 || got[0].Pixels != 1 || got[0].Components != 1 {
		t.Errorf("got %+v", got)
	}
}

func BenchmarkMeasure(b *testing.B) {
	m := segd.NewMask(1024, 1024)
	for i := range m.Pix {
		if x, y := i%1024%64-32, i/1024%64-32; x*x+y*y < 400 {
			m.Pix[i] = 1
		}
	}
	classes := []segd.Class{{Name: "background"}, {Index: 1, Name: "a"}}
	for b.Loop() {
		Measure(m, nil, classes, segd.Spacing{})
	}
}

// KeepLargest leaves the largest components of a class, first come first among
// equals, and no other class is touched.
func TestKeepLargest(t *testing.T) {
	t.Parallel()
	const w = 12
	rows := []string{
		"11..2..1111.",
		"11..2..1111.",
		"......2.....",
		"1111..22....",
		"1111....3.3.",
	}
	mask := func() *segd.Mask {
		m := segd.NewMask(w, len(rows))
		for i := range m.Pix {
			if c := rows[i/w][i%w]; c != '.' {
				m.Pix[i] = c - '0'
			}
		}
		return m
	}
	if n := Regions(mask()); n[1] != 3 || n[2] != 2 || n[3] != 2 {
		t.Errorf("regions %v, want 3, 2 and 2", n[1:4])
	}
	speck := segd.NewMask(20, 20)
	for i := range speck.Pix[:101] {
		speck.Pix[i] = 1
	}
	speck.Pix[399] = 1
	if n := Regions(speck); n[1] != 1 {
		t.Errorf("%d regions of 101 pixels and a single one, want 1", n[1])
	}
	for _, tt := range []struct {
		most []int
		want [4]int // pixels by class
	}{
		{nil, [4]int{0, 20, 5, 2}},
		{[]int{0, 0, 0}, [4]int{0, 20, 5, 2}},
		{[]int{1}, [4]int{0, 8, 5, 2}},
		{[]int{2, 1}, [4]int{0, 16, 3, 2}},
		{[]int{5, 0, 1}, [4]int{0, 20, 5, 1}},
	} {
		m := mask()
		KeepLargest(m, tt.most)
		var got [4]int
		for _, v := range m.Pix {
			if v > 0 {
				got[v]++
			}
		}
		if got != tt.want {
			t.Errorf("at most %v: pixels by class %v, want %v", tt.most, got[1:], tt.want[1:])
		}
		if len(tt.most) == 1 && (m.Pix[7] != 1 || m.Pix[3*w] != 0) {
			t.Error("of two of the same size the second stayed")
		}
	}
}
