package evaluate

import (
	"strings"
	"testing"

	"segd"
	"segd/train/metric"
)

func TestPicture(t *testing.T) {
	mask := func(pix ...uint8) *segd.Mask { return &segd.Mask{Width: len(pix), Height: 1, Pix: pix} }
	s := Shown{
		Image: &segd.Image{Width: 6, Height: 1, Channels: 1, Pix: make([]float32, 6), Display: segd.Display{High: 255}},
		Truth: mask(0, 1, 1, 0, 255, 2), Predicted: mask(0, 1, 0, 1, 1, 1),
	}
	m := s.Picture()
	// In a single row, every pixel of a class belongs to its outline, which is drawn
	// opaque.
	for x, want := range []int{0, 1, 2, 3, 0, 3} {
		c := m.NRGBAAt(x, 0)
		if got := [3]uint8{c.R, c.G, c.B}; got != agreement[want].Color {
			t.Errorf("pixel %d: %v, want %v (%s)", x, got, agreement[want].Color, agreement[want].Name)
		}
	}
}

func TestEvaluationPage(t *testing.T) {
	var a metric.Accumulator
	for i, both := range []int64{9, 2, 5} {
		a.Add(metric.Case{ID: string(rune('a' + i)), Counts: []metric.Counts{{}, {Both: both, Truth: 10, Predicted: 10}}})
	}
	r := a.Report()
	var b strings.Builder
	if err := WritePage(&b, "Masks of <someone>", &r, nil, "", nil); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"&lt;someone&gt;", "3 images of 3 groups", "0.533", "class 1", "not a medical device"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Index(page, ">b<") > strings.Index(page, ">c<") || strings.Contains(page, "Against") || strings.Contains(page, "Reliability") {
		t.Error("cases not sorted by rising Dice, or empty sections")
	}
}
