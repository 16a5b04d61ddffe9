package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
)

func bowl(n int) Relief {
	r := Relief{Title: "a < b", Levels: []float64{0.5, 1, 1.5}, ZMin: 0, ZMax: 2}
	for i := range n {
		r.At = append(r.At, 2*float64(i)/float64(n-1)-1)
	}
	for _, y := range r.At {
		var row []float64
		for _, x := range r.At {
			row = append(row, x*x+y*y)
		}
		r.Z = append(r.Z, row)
	}
	return r
}

func TestRelief(t *testing.T) {
	const n = 9
	svg, err := bowl(n).SVG()
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
	// Each face is filled and outlined, each level is a line.
	if got := strings.Count(svg, "<path"); got < 2*(n-1)*(n-1)+3 {
		t.Errorf("%d paths for %d faces and 3 levels", got, (n-1)*(n-1))
	}
	if !strings.Contains(svg, "a &lt; b") {
		t.Error("the title is missing as text")
	}
	if path := os.Getenv("SEGD_RELIEF"); path != "" {
		if err := os.WriteFile(path, []byte(svg), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bad := bowl(n)
	bad.Z[3][3] = math.NaN()
	flat := bowl(n)
	flat.ZMax = flat.ZMin
	ragged := bowl(n)
	ragged.Z[2] = ragged.Z[2][1:]
	for name, r := range map[string]Relief{"a hole": bad, "no height": flat, "ragged": ragged, "empty": {}} {
		if _, err := r.SVG(); err == nil {
			t.Errorf("%s was drawn", name)
		}
	}
}

func TestChartWithBandLogAndNames(t *testing.T) {
	c := Chart{Title: "gradient", YLog: true, Wide: true, XTicks: []Tick{{0, "enc.0"}, {1, "dec.0"}}, Series: []Series{
		{Name: "a", X: []float64{0, 1}, Y: []float64{1e-3, 1}, Low: []float64{1e-4, 0.5}, High: []float64{1e-2, 2}},
		{Name: "b", X: []float64{0, 1}, Y: []float64{0, -1}},
	}}
	svg, err := c.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(svg, "enc.0") || !strings.Contains(svg, "fill-opacity") {
		t.Error("names or the band are missing")
	}
	if _, err := (Chart{YLog: true, Series: []Series{{X: []float64{0}, Y: []float64{-1}}}}).SVG(); err != nil {
		t.Errorf("nothing above zero: %v", err)
	}
	c.Series[0].Low = c.Series[0].Low[:1]
	if _, err := c.SVG(); err == nil {
		t.Error("a band of a different length was drawn")
	}
}
