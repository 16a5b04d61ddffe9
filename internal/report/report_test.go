package report

import (
	"encoding/xml"
	"errors"
	"image"
	"io"
	"math"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	p := Page{Title: "Evaluation of <a>", Lead: "lead", Foot: "foot"}
	p.Add(Section{
		Title: "First & last", Text: []string{"a paragraph"},
		Table:    Table{Head: []string{"case", "Dice"}, Rows: [][]string{{"x", "0.5"}, {"<y>", "– "}}},
		Charts:   []Chart{{Title: "curve", Series: []Series{{Name: "a", X: []float64{0, 1, 2}, Y: []float64{0, math.NaN(), 1}}}, Caption: "below"}},
		Pictures: []Picture{{Image: image.NewGray(image.Rect(0, 0, 3, 2)), Caption: "a picture"}},
	})
	p.Add(Section{Title: "empty"})
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{"Evaluation of &lt;a&gt;", "First &amp; last", "&lt;y&gt;", "<svg", "data:image/png;base64,iVBOR", `class="n">0.5`, "a paragraph"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// The page loads nothing and runs nothing.
	for _, bad := range []string{"<script", "ZgotmplZ", `src="http`, "@import", "<?xml", "<!DOCTYPE svg"} {
		if strings.Contains(got, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestChartIsWellFormed(t *testing.T) {
	c := Chart{Title: "Dice < 1 & more", X: "step", Y: "Dice", YMin: 0, YMax: 1, Series: []Series{
		{Name: "line <1>", X: []float64{0, 1}, Y: []float64{0.2, 0.4}, Dashed: true},
		{Name: "dots", X: []float64{0, 1}, Y: []float64{0.5, math.Inf(1)}, Dots: true},
		{},
	}}
	svg, err := c.SVG()
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	if _, err := (Chart{Series: []Series{{X: []float64{1}, Y: nil}}}).SVG(); err == nil {
		t.Error("values without an x were drawn")
	}
}

// The legend avoids lines that end high.
func TestLegendPlace(t *testing.T) {
	rising, falling := Series{X: []float64{0, 1}, Y: []float64{0, 0.9}}, Series{X: []float64{0, 1}, Y: []float64{1, math.NaN()}}
	for name, tt := range map[string]struct {
		chart Chart
		above bool
	}{
		"rising":      {Chart{Series: []Series{rising}}, true},
		"falling":     {Chart{Series: []Series{{X: []float64{0, 1}, Y: []float64{0.9, 0}}}}, false},
		"without end": {Chart{Series: []Series{falling}}, true},
		"two of each": {Chart{Series: []Series{rising, {Y: []float64{0}}}}, false},
		"logarithmic": {Chart{YLog: true, Series: []Series{{Y: []float64{0.2}}}}, true},
		"nothing":     {Chart{}, false},
	} {
		low := 0.0
		if tt.chart.YLog {
			low = 0.01
		}
		if got := tt.chart.endsAbove(low, 1); got != tt.above {
			t.Errorf("%s: %v", name, got)
		}
	}
}
