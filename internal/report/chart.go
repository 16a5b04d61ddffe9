package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is a diagram of points over x.
type Chart struct {
	Title, X, Y string
	Caption     string // beneath it
	Series      []Series
	// The axes cover at least these ranges. Equal limits mean the range of the
	// points.
	XMin, XMax, YMin, YMax float64
	YLog                   bool   // y is logarithmic; values not above 0 are left out
	XTicks                 []Tick // instead of numbers on the x axis; written upwards
	Wide                   bool   // as wide as the page
}

// Tick is a name on an axis.
type Tick struct {
	At   float64
	Name string
}

// Series is a line or a cloud of points. Points that are not finite are omitted
// and interrupt a line.
type Series struct {
	Name string // in the legend; empty: not in it
	X, Y []float64
	// Low and High bound a band around a line, such as the spread over several
	// runs. Empty: none.
	Low, High []float64
	Dots      bool // points instead of a line
	Dashed    bool
	Color     color.Color // nil: the next of the palette
}

// palette is that of Okabe and Ito 2008, which colour-blind readers can
// distinguish.
var palette = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255}, color.RGBA{204, 121, 167, 255},
	color.RGBA{230, 159, 0, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{90, 90, 90, 255}, color.RGBA{150, 130, 0, 255},
}

// Color returns the i-th colour for series without a colour of their own.
func Color(i int) color.Color { return palette[i%len(palette)] }

// The size of a chart.
const (
	chartWidth  = 12 * vg.Centimeter
	wideChart   = 25 * vg.Centimeter
	chartHeight = 8 * vg.Centimeter
	margin      = 12 // points, on the right and above
)

// SVG draws the chart as an SVG element.
func (c Chart) SVG() (string, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X, c.Y
	for _, style := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		style.Variant = "Sans"
		style.Size = vg.Points(10)
	}
	if c.YLog {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	if len(c.XTicks) > 0 {
		var ticks plot.ConstantTicks
		for _, t := range c.XTicks {
			ticks = append(ticks, plot.Tick{Value: t.At, Label: t.Name})
		}
		p.X.Tick.Marker = ticks
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = math.Pi/2, draw.XRight, draw.YCenter
		p.X.Tick.Label.Font.Size = vg.Points(8)
	}
	p.Add(plotter.NewGrid())
	for i, s := range c.Series {
		shade := s.Color
		if shade == nil {
			shade = Color(i)
		}
		if c.YLog {
			s = s.positive()
		}
		if err := s.add(p, shade); err != nil {
			return "", fmt.Errorf("report: chart %s: %w", c.Title, err)
		}
	}
	if c.XMin != c.XMax {
		p.X.Min, p.X.Max = math.Min(p.X.Min, c.XMin), math.Max(p.X.Max, c.XMax)
	}
	if c.YMin != c.YMax {
		p.Y.Min, p.Y.Max = math.Min(p.Y.Min, c.YMin), math.Max(p.Y.Max, c.YMax)
	}
	if c.YLog && !(p.Y.Min > 0 && p.Y.Min < p.Y.Max) { // nothing to see
		p.Y.Min, p.Y.Max = 0.1, 1
	}
	p.Legend.XOffs, p.Legend.YOffs = -vg.Points(6), vg.Points(6)
	if !c.endsAbove(p.Y.Min, p.Y.Max) {
		p.Legend.Top, p.Legend.YOffs = true, -vg.Points(6)
	}
	width := chartWidth
	if c.Wide {
		width = wideChart
	}
	canvas := vgsvg.New(width, chartHeight)
	// Labels of the last ticks extend beyond the axes.
	p.Draw(draw.Crop(draw.New(canvas), 0, -margin, 0, -margin))
	return element(canvas)
}

// endsAbove reports whether more lines end in the upper half of the y axis,
// from low to high, than in the lower. The legend, on the right, is then at the
// bottom.
func (c Chart) endsAbove(low, high float64) bool {
	place := func(y float64) float64 { return y }
	if c.YLog {
		place = math.Log
	}
	middle := (place(low) + place(high)) / 2
	up := 0
	for _, s := range c.Series {
		for i := len(s.Y) - 1; i >= 0; i-- {
			if y := place(s.Y[i]); y-y == 0 { // the last number
				if up--; y > middle {
					up += 2
				}
				break
			}
		}
	}
	return up > 0
}

// element returns the drawing as an SVG element.
func element(canvas *vgsvg.Canvas) (string, error) {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	// Within HTML there is neither an XML declaration nor a document type.
	svg := b.Bytes()
	if i := bytes.Index(svg, []byte("<svg")); i > 0 {
		svg = svg[i:]
	}
	return string(svg), nil
}

// positive replaces numbers that a logarithmic axis cannot show by NaN.
func (s Series) positive() Series {
	keep := func(v []float64) []float64 {
		v = slices.Clone(v)
		for i := range v {
			if !(v[i] > 0) {
				v[i] = math.NaN()
			}
		}
		return v
	}
	s.Y, s.Low, s.High = keep(s.Y), keep(s.Low), keep(s.High)
	return s
}

// band draws the band around the line.
func (s Series) band(p *plot.Plot, shade color.Color) error {
	if len(s.Low) != len(s.X) || len(s.High) != len(s.X) {
		return fmt.Errorf("a band of %d and %d values over %d", len(s.Low), len(s.High), len(s.X))
	}
	var up, down plotter.XYs
	for i, x := range s.X {
		if v := s.Low[i] + s.High[i]; math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		up, down = append(up, plotter.XY{X: x, Y: s.High[i]}), append(down, plotter.XY{X: x, Y: s.Low[i]})
	}
	if len(up) < 2 {
		return nil
	}
	slices.Reverse(down)
	area, err := plotter.NewPolygon(append(up, down...))
	if err != nil {
		return err
	}
	r, g, b, _ := shade.RGBA()
	area.Color = color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 50}
	area.LineStyle.Width = 0
	p.Add(area)
	return nil
}

// add draws the series.
func (s Series) add(p *plot.Plot, shade color.Color) error {
	if len(s.X) != len(s.Y) {
		return fmt.Errorf("%d values over %d", len(s.Y), len(s.X))
	}
	if len(s.Low) > 0 {
		if err := s.band(p, shade); err != nil {
			return err
		}
	}
	var parts []plotter.XYs
	var part plotter.XYs
	for i := range s.X {
		if v := s.X[i] + s.Y[i]; math.IsNaN(v) || math.IsInf(v, 0) {
			parts, part = append(parts, part), nil
			continue
		}
		part = append(part, plotter.XY{X: s.X[i], Y: s.Y[i]})
	}
	named := s.Name == ""
	for _, xy := range append(parts, part) {
		if len(xy) == 0 {
			continue
		}
		if s.Dots {
			dots, err := plotter.NewScatter(xy)
			if err != nil {
				return err
			}
			dots.GlyphStyle = draw.GlyphStyle{Color: shade, Radius: vg.Points(2.5), Shape: draw.CircleGlyph{}}
			p.Add(dots)
			if !named {
				p.Legend.Add(s.Name, dots)
				named = true
			}
			continue
		}
		line, err := plotter.NewLine(xy)
		if err != nil {
			return err
		}
		line.Color, line.Width = shade, vg.Points(1.5)
		if s.Dashed {
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		}
		p.Add(line)
		if !named {
			p.Legend.Add(s.Name, line)
			named = true
		}
	}
	return nil
}
