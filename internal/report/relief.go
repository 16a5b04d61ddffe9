package report

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	colormap "gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Relief shows heights over a square grid: contour lines on the left, and a
// surface seen from the side on the right.
type Relief struct {
	Title   string
	Caption string      // beneath it
	At      []float64   // positions of the grid on both axes, rising
	Z       [][]float64 // heights, by second and first axis: numbers
	Levels  []float64   // of the contour lines, rising
	// Colours and the height of the surface range from ZMin to ZMax, so that
	// reliefs can be compared. Heights outside are clipped.
	ZMin, ZMax float64
	// Height formats a height for the upright axis in the terms of the caption.
	// Nil: as a plain number.
	Height func(z float64) string
}

// The size of a relief: both halves are squares.
const reliefSide = 8.5 * vg.Centimeter

// The direction from which the surface is seen.
const (
	azimuth   = math.Pi * 0.19
	elevation = math.Pi * 0.17
)

// grid makes a Relief a plotter.GridXYZ.
type grid struct{ Relief }

func (g grid) Dims() (c, r int)   { return len(g.At), len(g.At) }
func (g grid) X(c int) float64    { return g.At[c] }
func (g grid) Y(r int) float64    { return g.At[r] }
func (g grid) Z(c, r int) float64 { return g.Relief.Z[r][c] }

// SVG draws the relief as an SVG element.
func (r Relief) SVG() (string, error) {
	n := len(r.At)
	square := n >= 2 && len(r.Z) == n && r.ZMin < r.ZMax
	for _, row := range r.Z {
		square = square && len(row) == n && !slices.ContainsFunc(row, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	}
	if !square {
		return "", fmt.Errorf("report: relief %s: want numbers on a square grid of at least 2×2 between two heights", r.Title)
	}
	shades := moreland.Kindlmann()
	shades.SetMin(r.ZMin)
	shades.SetMax(r.ZMax)
	canvas := vgsvg.New(2*reliefSide, reliefSide+vg.Centimeter)
	whole := draw.New(canvas)
	r.contour(draw.Crop(whole, 0, -reliefSide, 0, -margin), shades)
	r.surface(draw.Crop(whole, reliefSide, 0, 0, -margin), shades)
	return element(canvas)
}

// contour draws the lines of equal height.
func (r Relief) contour(c draw.Canvas, shades colormap.ColorMap) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = r.Title, "first direction", "second direction"
	for _, style := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font} {
		style.Variant, style.Size = "Sans", vg.Points(10)
	}
	lines := plotter.NewContour(grid{r}, r.Levels, nil)
	lines.LineStyles = nil
	for _, z := range r.Levels {
		lines.LineStyles = append(lines.LineStyles, draw.LineStyle{Color: shade(shades, r.ZMin, r.ZMax, z), Width: vg.Points(1.2)})
	}
	p.Add(lines)
	centre, err := plotter.NewScatter(plotter.XYs{{}})
	if err == nil { // a point is a valid scatter
		centre.GlyphStyle = draw.GlyphStyle{Color: color.Black, Radius: vg.Points(3), Shape: draw.PlusGlyph{}}
		p.Add(centre)
	}
	p.Draw(c)
}

// shade is the colour of a height.
func shade(shades colormap.ColorMap, lo, hi, z float64) color.Color {
	// The ends are dark as ink and white as paper: neither is used.
	t := 0.1 + 0.75*(min(max(z, lo), hi)-lo)/(hi-lo)
	c, err := shades.At(lo + t*(hi-lo))
	if err != nil {
		return color.Gray{Y: 128}
	}
	return c
}

// point is a point in space. The box has its centre at 0 and size 1.
type point struct{ x, y, z float64 }

// onto projects a point; depth grows away from the eye.
func (p point) onto(c draw.Canvas) (at vg.Point, depth float64) {
	side := p.x*math.Cos(azimuth) - p.y*math.Sin(azimuth)
	depth = p.x*math.Sin(azimuth) + p.y*math.Cos(azimuth)
	up := p.z*math.Cos(elevation) + depth*math.Sin(elevation)
	scale := 0.66 * float64(min(c.Max.X-c.Min.X, c.Max.Y-c.Min.Y))
	return vg.Point{X: (c.Min.X+c.Max.X)/2 + vg.Length(side*scale), Y: (c.Min.Y+c.Max.Y)/2 + vg.Length(up*scale)}, depth
}

// surface draws the heights as seen from the side: the faces of the grid from
// the back to the front.
func (r Relief) surface(c draw.Canvas, shades colormap.ColorMap) {
	n := len(r.At)
	span := r.At[n-1] - r.At[0]
	corner := func(i, j int) point {
		z := min(max(r.Z[j][i], r.ZMin), r.ZMax)
		return point{(r.At[i]-r.At[0])/span - 0.5, (r.At[j]-r.At[0])/span - 0.5, (z-r.ZMin)/(r.ZMax-r.ZMin) - 0.5}
	}
	r.box(c)
	type face struct {
		edge  []vg.Point
		depth float64
		z     float64
	}
	var faces []face
	for j := range n - 1 {
		for i := range n - 1 {
			var f face
			for _, k := range [][2]int{{i, j}, {i + 1, j}, {i + 1, j + 1}, {i, j + 1}} {
				at, depth := corner(k[0], k[1]).onto(c)
				f.edge, f.depth, f.z = append(f.edge, at), f.depth+depth, f.z+r.Z[k[1]][k[0]]/4
			}
			faces = append(faces, f)
		}
	}
	slices.SortStableFunc(faces, func(a, b face) int { return cmp.Compare(b.depth, a.depth) })
	for _, f := range faces {
		c.FillPolygon(shade(shades, r.ZMin, r.ZMax, f.z), f.edge)
		c.StrokeLines(draw.LineStyle{Color: color.NRGBA{0, 0, 0, 90}, Width: vg.Points(0.3)}, append(f.edge, f.edge[0]))
	}
}

// box draws the floor and an upright axis with the heights of its ends.
func (r Relief) box(c draw.Canvas) {
	line := draw.LineStyle{Color: color.Gray{Y: 150}, Width: vg.Points(0.6)}
	var floor []vg.Point
	for _, p := range []point{{-0.5, -0.5, -0.5}, {0.5, -0.5, -0.5}, {0.5, 0.5, -0.5}, {-0.5, 0.5, -0.5}, {-0.5, -0.5, -0.5}} {
		at, _ := p.onto(c)
		floor = append(floor, at)
	}
	c.StrokeLines(line, floor)
	low, _ := point{-0.5, 0.5, -0.5}.onto(c)
	high, _ := point{-0.5, 0.5, 0.5}.onto(c)
	c.StrokeLines(line, []vg.Point{low, high})
	height := r.Height
	if height == nil {
		height = func(z float64) string { return fmt.Sprintf("%.3g", z) }
	}
	style := plot.New().X.Tick.Label
	style.Font.Variant, style.Font.Size, style.XAlign = "Sans", vg.Points(9), draw.XRight
	for _, end := range []struct {
		at vg.Point
		z  float64
	}{{low, r.ZMin}, {high, r.ZMax}} {
		c.FillText(style, vg.Point{X: end.at.X - vg.Points(3), Y: end.at.Y}, height(end.z))
	}
}
