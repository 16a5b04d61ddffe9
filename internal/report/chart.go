package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

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
	// The axes reach at least from these to those; equal: as the points do.
	XMin, XMax, YMin, YMax float64
}

// Series is one line or cloud of points. Points that are no numbers are left
// out, and interrupt a line.
type Series struct {
	Name   string // in the legend; empty: not in it
	X, Y   []float64
	Dots   bool // points in place of a line
	Dashed bool
	Color  color.Color // nil: the next of the palette
}

// palette is that of Okabe and Ito 2008, which the colour-blind tell apart.
var palette = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255}, color.RGBA{204, 121, 167, 255},
	color.RGBA{230, 159, 0, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{90, 90, 90, 255}, color.RGBA{150, 130, 0, 255},
}

// The size of a chart.
const (
	chartWidth  = 12 * vg.Centimeter
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
	p.Legend.Top = true
	p.Legend.XOffs, p.Legend.YOffs = -vg.Points(6), -vg.Points(6)
	p.Add(plotter.NewGrid())
	for i, s := range c.Series {
		shade := s.Color
		if shade == nil {
			shade = palette[i%len(palette)]
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
	canvas := vgsvg.New(chartWidth, chartHeight)
	// Labels of the last ticks reach beyond the axes.
	p.Draw(draw.Crop(draw.New(canvas), 0, -margin, 0, -margin))
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

// add draws the series.
func (s Series) add(p *plot.Plot, shade color.Color) error {
	if len(s.X) != len(s.Y) {
		return fmt.Errorf("%d values over %d", len(s.Y), len(s.X))
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
