package study

import (
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/train"
	"segd/train/evaluate"
)

// The sweep says where networks without skips stop training and those with skips do
// not.
func TestSweepFindings(t *testing.T) {
	s := &study{o: Options{Sweep: true, SweepDepths: []int{2, 3}, SweepConvs: []int{2}, SweepRepeats: 2}}
	for seed := range uint64(2) {
		for kind, ends := range map[string][2]float64{"plain-none": {0.4, 1.9}, "residual-none": {0.4, 0.5 + float64(seed)*1.4}, reference: {0.2, 0.6}} {
			for i, depth := range s.o.SweepDepths {
				v := variants(t, sweepName(kind, depth, 2))[0]
				tr := made(v, seed, 0.8, 1, ends[i])
				tr.Sweep = true
				s.runs = append(s.runs, tr)
			}
		}
	}
	got := strings.Join(s.sweepFindings(), "\n")
	for _, want := range []string{
		"reaches 1.400 at the end of its 10 steps: a third of the way from 2.000, the average at the start, to 0.200, the best at the end (plain-concat, 2 levels of 2)",
		"plain-none stops training at 1 of 2 sizes: 3 levels of 2 (0 of 2 seeds train, to 1.90).",
		"residual-none stops training at 1 of 2 sizes: 3 levels of 2 (1 of 2 seeds train, to 1.20 [0.50, 1.90]).",
		"plain-concat trains at every size of the sweep.",
		"Where plain-none stops training with every seed, residual-none trains with every seed at no size; the reverse holds at no size.",
		"Where plain-none stops training with every seed, plain-concat trains with every seed at 3 levels of 2; the reverse holds at no size.",
		"3 levels of 2 convolutions without long skips",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// made returns a training whose gradient falls by a factor from the decoder's last
// block to the encoder's first.
func made(v Variant, seed uint64, score, factor, end float64) *training {
	tr := &training{Name: v.Name, Variant: v, Seed: seed}
	tr.Plan.Network = v.Network.WithDefaults()
	tr.Plan.Network.Depth, tr.Plan.Steps = 1, 10
	tr.Dice = score
	for i := range 10 {
		tr.Losses = append(tr.Losses, 2+(end-2)*float64(i)/9)
		tr.Trace = append(tr.Trace, train.Trace{Step: i, Layers: []train.Layer{
			{Name: "enc.0.conv1.weight", Gradient: factor}, {Name: "enc.0.conv2.weight", Gradient: factor},
			{Name: "bottleneck.conv1.weight", Gradient: 0.5}, {Name: "up.0.weight", Gradient: 1},
			{Name: "dec.0.conv1.weight", Gradient: 1}, {Name: "head.weight", Gradient: 3}}})
	}
	return tr
}

// Sentences follow from the numbers: opposite numbers give opposite sentences.
func TestFindingsFollowTheNumbers(t *testing.T) {
	list := variants(t, "plain-concat", "plain-none-convs6", "residual-none-convs6", "dense-concat")
	look := func(vanished, cured, dense float64) string {
		s := &study{o: Options{Variants: list, Repeats: 2}}
		for seed := range uint64(2) {
			s.runs = append(s.runs, made(list[0], seed, 0.8, 1, 0.2), made(list[1], seed, 0.5, vanished, 1.9),
				made(list[2], seed, 0.7, cured, 0.5), made(list[3], seed, 0.8+dense*(float64(seed)-0.4), 1, 0.2))
		}
		return strings.Join(append(s.diceFindings(), s.gradientFindings()...), "\n")
	}
	got := look(0.01, 0.9, 0.1)
	for _, want := range []string{
		"plain-none-convs6: the first block's gradient is 0.01 times the last block's in the first tenth of the steps, and 0.01 times over all: at the start it vanishes.",
		"residual-none-convs6: the first block's gradient is 0.9 times the last block's in the first tenth of the steps, and 0.9 times over all: at the start it neither vanishes nor explodes.",
		"(short skips): from 0.01 to 0.9 times: the skips cure the vanishing gradient.",
		"plain-none-convs6: Dice 0.500, -0.300 compared with plain-concat: worse with each of the 2 seeds.",
		"dense-concat: Dice 0.810 [0.760, 0.860], +0.010 [-0.040, +0.060] compared with plain-concat: better with one seed and worse with another, so no difference is shown.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := look(0.9, 0.8, 0.1); strings.Contains(got, "it vanishes") || !strings.Contains(got, "the data does not show an effect") {
		t.Errorf("nothing vanishes, but\n%s", got)
	}
	if got := look(0.9, 0.2, 0.1); !strings.Contains(got, "the data does not show what the papers claim") {
		t.Errorf("the skips do harm, but\n%s", got)
	}
	if got := look(40, 0.8, 0.1); !strings.Contains(got, "cure the exploding gradient; it did not vanish") {
		t.Errorf("it explodes, but\n%s", got)
	}
}

// Charts hold comparable variants: a grid of blocks and long skips is divided into
// one chart for each.
func TestFamilies(t *testing.T) {
	s := &study{o: Options{Variants: variants(t, reference, "residual-concat", "dense-concat", "plain-none", "dense-none", "residual-add", "plain-none-convs6", "dense-none-growth4")}}
	want := map[string]string{
		"blocks": "plain-concat residual-concat dense-concat", "long skips": "plain-concat plain-none", "blocks, long skips none": "plain-none dense-none",
		"others": "residual-add plain-none-convs6 dense-none-growth4",
	}
	for _, f := range s.families() {
		var list []string
		for _, v := range f.list {
			list = append(list, v.Name)
		}
		if got := strings.Join(list, " "); got != want[f.title] {
			t.Errorf("%s: %q, want %q", f.title, got, want[f.title])
		}
		delete(want, f.title)
	}
	if len(want) > 0 {
		t.Errorf("no %v", want)
	}
}

// Pairs differ in one choice. A dense block's three convolutions correspond to a
// plain block's two; other numbers must be equal.
func TestPairs(t *testing.T) {
	s := &study{o: Options{Variants: variants(t, "plain-none", "dense-none", "plain-none-convs6", "dense-none-convs6", "plain-concat", "residual-none-convs6")}}
	var got []string
	for _, p := range s.pairs() {
		got = append(got, p.without.Name+" "+p.with.Name)
	}
	want := []string{"plain-none dense-none", "plain-none plain-concat", "plain-none-convs6 dense-none-convs6", "plain-none-convs6 residual-none-convs6"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Ratios of several seeds are averaged geometrically.
func TestRatios(t *testing.T) {
	v := variants(t, "plain-none")[0]
	list := []*training{made(v, 0, 0.8, 0.01, 0.2), made(v, 1, 0.8, 1, 0.2)}
	if got := overRatios(list, startReach); math.Abs(got.mean-0.1) > 1e-9 || math.Abs(got.low-0.01) > 1e-9 || math.Abs(got.high-1) > 1e-9 {
		t.Errorf("%+v", got)
	}
}

func TestStages(t *testing.T) {
	names := stageNames(2)
	for layer, want := range map[string]string{"enc.1.conv2.weight": "enc.1", "bottleneck.conv1.weight": "bottleneck", "up.1.weight": "dec.1",
		"dec.0.conv1.weight": "dec.0", "dec.1.1.conv2.weight": "dec.1", "att.0.psi.weight": "dec.0", "head.weight": "head"} {
		if got := names[stage(layer, 2)]; got != want {
			t.Errorf("%s is in %s, want %s", layer, got, want)
		}
	}
	if v := byStage([]train.Trace{{Layers: []train.Layer{{Name: "enc.0.a", Gradient: 4}, {Name: "enc.0.b", Gradient: 9}}}}, 1)[0]; math.Abs(v-6) > 1e-9 {
		t.Errorf("geometric mean %g, want 6", v)
	}
}

// The window is the one in which the masks differ the most, and its picture has four
// parts.
func TestWindows(t *testing.T) {
	const side = 128
	shown := func(fill image.Rectangle) *evaluate.Shown {
		s := &evaluate.Shown{ID: "a", Image: &segd.Image{Width: side, Height: side, Channels: 1, Pix: make([]float32, side*side)},
			Truth: segd.NewMask(side, side), Predicted: segd.NewMask(side, side)}
		for i := range s.Truth.Pix {
			p := image.Pt(i%side, i/side)
			if p.In(image.Rect(80, 80, 100, 100)) {
				s.Truth.Pix[i] = 1
			}
			if p.In(fill) {
				s.Predicted.Pix[i] = 1
			}
		}
		return s
	}
	without, with := shown(image.Rect(0, 0, 4, 4)), shown(image.Rect(80, 80, 100, 100))
	top, bottom := windows(without, with)
	if top.gain != 400 || !image.Rect(80, 80, 100, 100).In(top.at) || bottom.gain != 0 {
		t.Errorf("best %+v, worst %+v", top, bottom)
	}
	m := strip(top.at, without, with)
	if got := m.Bounds().Size(); got != image.Pt(4*64+3*4, 64) {
		t.Errorf("picture of %v", got)
	}
	// Missed and found pixels have different colours.
	x, y := 90-top.at.Min.X, 90-top.at.Min.Y
	if a, b := m.At(2*68+x, y), m.At(3*68+x, y); color.NRGBAModel.Convert(a) == color.NRGBAModel.Convert(b) {
		t.Errorf("missed and found are both %v", a)
	}
}
