// Package augment cuts training patches from images and varies them: first the
// geometry, with a single interpolation, then the grey values.
//
//	p := augment.Patch{RNG: augment.Source(seed, i), H: h, W: w, X: x, Y: y}
//	p.Cut(&sample, &settings, foreground)
//
// A patch depends only on the sample, the settings and its random source.
package augment

import (
	"math"
	"math/rand/v2"

	"segd"
)

// Settings says how patches are varied. Probabilities are per patch, lengths are in
// pixels of the patch, and intensities are in units of the image's standard
// deviation. The zero value cuts unmodified patches.
type Settings struct {
	Flip          bool    `json:"flip"` // left-right and up-down, each with probability 1/2
	Rotate        float64 `json:"rotate"`
	RotateDegrees float64 `json:"rotate_degrees"` // at most, in either direction
	Scale         float64 `json:"scale"`
	ScaleMin      float64 `json:"scale_min"` // magnification
	ScaleMax      float64 `json:"scale_max"`
	Elastic       float64 `json:"elastic"`
	ElasticSigma  float64 `json:"elastic_sigma"` // of the displacement, as a share of ElasticGrid
	ElasticGrid   float64 `json:"elastic_grid"`  // distance of the displaced points
	Brightness    float64 `json:"brightness"`    // probability of adding up to ±0.3
	Contrast      float64 `json:"contrast"`      // probability of a factor of 0.7 to 1.4
	Gamma         float64 `json:"gamma"`         // probability of an exponent of 0.6 to 1.6, half of them on inverted values
	Shade         float64 `json:"shade"`         // probability of uneven light: a smooth field of up to 1.5 added
	Cover         float64 `json:"cover"`         // probability that something covers up to half of each side
	Noise         float64 `json:"noise"`         // probability of Gaussian noise of up to 0.25
	Blur          float64 `json:"blur"`          // probability of a Gaussian of 0.5 to 1.5 pixels
	Low           float64 `json:"low"`           // probability of 0.5 to 1 of the resolution
}

// Default returns settings close to nnU-Net's, with milder geometry.
func Default(flip bool) Settings {
	return Settings{
		Flip: flip, Rotate: 0.5, RotateDegrees: 30, Scale: 0.5, ScaleMin: 0.7, ScaleMax: 1.4,
		Elastic: 0.3, ElasticSigma: 0.12, ElasticGrid: 48,
		Brightness: 0.3, Contrast: 0.3, Gamma: 0.4, Shade: 0.2, Noise: 0.2, Blur: 0.15, Low: 0.15,
	}
}

// Sample is the source of patches: an image and its labels on one grid.
type Sample struct {
	X *segd.Tensor // [1, C, H, W], normalised
	Y []uint8      // H×W class indices; 255: ignored; nil with Targets
	// Weights of the pixels in the loss, H×W; nil: all equal.
	Weights []float32
	Spots   [][]int32 // by class, background empty: pixels of it, see Spots
	// Targets of a regression, H×W; NaN: not known.
	Targets []float32
}

// Patch is one training sample under construction. Its random numbers depend only on
// the seed and the number of the sample, so it does not matter when and on which
// goroutine it is made.
type Patch struct {
	RNG  *rand.Rand
	H, W int
	X    []float32 // [C, h, w], written
	Y    []uint8   // [h, w], written; nil with Targets
	// Weights of pixels, [h, w], are written; nil: none.
	Weights []float32
	// Targets of a regression, [h, w], are written; nil: labels are classes.
	Targets []float32

	tmp         []float32 // h·w of scratch
	sigma, zoom float64   // what spatialFilters drew; 0: nothing
}

// Cut fills the patch from e, with the variation that a describes. foreground is the
// share of patches centred on foreground.
func (p *Patch) Cut(e *Sample, a *Settings, foreground float64) {
	if p.tmp == nil {
		p.tmp = make([]float32, p.H*p.W)
	}
	cy, cx := p.centre(e, foreground)
	m := p.transform(a)
	var dy, dx *field
	if p.RNG.Float64() < a.Elastic {
		dy, dx = p.field(a.ElasticGrid, a.ElasticSigma*a.ElasticGrid), p.field(a.ElasticGrid, a.ElasticSigma*a.ElasticGrid)
	}
	p.sample(e, m, cy, cx, dy, dx)
	hw := p.H * p.W
	for c := range e.X.C {
		// The channels of an image vary together, so colours are preserved.
		p.spatialFilters(a, p.X[c*hw:(c+1)*hw], c == 0)
	}
	p.intensity(a, p.X[:e.X.C*hw])
}

// centre picks the pixel of the image at the centre of the patch.
func (p *Patch) centre(e *Sample, foreground float64) (cy, cx float64) {
	y := p.within(e.X.H, p.H)
	x := p.within(e.X.W, p.W)
	if p.RNG.Float64() >= foreground {
		return y, x
	}
	var present []int
	for c := range e.Spots {
		if len(e.Spots[c]) > 0 {
			present = append(present, c)
		}
	}
	if len(present) == 0 {
		return y, x
	}
	spots := e.Spots[present[p.RNG.IntN(len(present))]]
	at := int(spots[p.RNG.IntN(len(spots))])
	// The pixel may lie anywhere in the middle half of the patch, and the patch lies
	// inside the image if it fits.
	y = float64(at/e.X.W) + (p.RNG.Float64()-0.5)*0.5*float64(p.H)
	x = float64(at%e.X.W) + (p.RNG.Float64()-0.5)*0.5*float64(p.W)
	return clampCentre(y, e.X.H, p.H), clampCentre(x, e.X.W, p.W)
}

// within draws a centre for which a patch of n pixels lies inside size.
func (p *Patch) within(size, n int) float64 {
	u := p.RNG.Float64()
	if size <= n {
		return float64(size-1) / 2
	}
	return float64(n-1)/2 + math.Floor(u*float64(size-n+1))
}

func clampCentre(c float64, size, n int) float64 {
	half := float64(n-1) / 2
	if size <= n {
		return float64(size-1) / 2
	}
	return half + math.Round(math.Min(math.Max(c, half), float64(size-1)-half)-half)
}

// matrix maps an offset from the middle of the patch to one from the centre
// in the image: [y, x]' = [[yy, yx], [xy, xx]]·[y, x].
type matrix struct{ yy, yx, xy, xx float64 }

func (p *Patch) transform(a *Settings) matrix {
	m := matrix{yy: 1, xx: 1}
	if p.RNG.Float64() < a.Rotate {
		sin, cos := math.Sincos((2*p.RNG.Float64() - 1) * a.RotateDegrees * math.Pi / 180)
		m = matrix{cos, -sin, sin, cos}
	}
	if p.RNG.Float64() < a.Scale && a.ScaleMin > 0 {
		// Uniform on a logarithmic scale: twice is as likely as half.
		z := 1 / (a.ScaleMin * math.Pow(a.ScaleMax/a.ScaleMin, p.RNG.Float64()))
		m = matrix{m.yy * z, m.yx * z, m.xy * z, m.xx * z}
	}
	if a.Flip {
		if p.RNG.Uint64()&1 == 1 {
			m.yx, m.xx = -m.yx, -m.xx
		}
		if p.RNG.Uint64()&1 == 1 {
			m.yy, m.xy = -m.yy, -m.xy
		}
	}
	return m
}

// sample makes the single pass over the image. It interpolates values and regression
// targets bilinearly, takes the nearest labels, and mirrors everything beyond the
// edge.
func (p *Patch) sample(e *Sample, m matrix, cy, cx float64, dy, dx *field) {
	h, w := e.X.H, e.X.W
	top, left := float64(p.H-1)/2, float64(p.W-1)/2
	var rowY, rowX []float32
	if dy != nil {
		rowY, rowX = make([]float32, p.W), make([]float32, p.W)
	}
	planes := p.planes(e)
	for y := range p.H {
		oy := float64(y) - top
		sy, sx := cy+m.yy*oy-m.yx*left, cx+m.xy*oy-m.xx*left
		if dy != nil {
			dy.row(rowY, y)
			dx.row(rowX, y)
		}
		for x := range p.W {
			fy, fx := sy+m.yx*float64(x), sx+m.xx*float64(x)
			if dy != nil {
				fy, fx = fy+float64(rowY[x]), fx+float64(rowX[x])
			}
			iy, ix := int(math.Floor(fy)), int(math.Floor(fx))
			wy, wx := float32(fy-float64(iy)), float32(fx-float64(ix))
			y0, y1, x0, x1 := iy, iy+1, ix, ix+1
			if iy < 0 || y1 >= h {
				y0, y1 = reflect(iy, h), reflect(iy+1, h)
			}
			if ix < 0 || x1 >= w {
				x0, x1 = reflect(ix, w), reflect(ix+1, w)
			}
			y0w, y1w := y0*w, y1*w
			i := y*p.W + x
			for _, plane := range planes {
				s := plane.src
				upper := s[y0w+x0] + wx*(s[y0w+x1]-s[y0w+x0])
				lower := s[y1w+x0] + wx*(s[y1w+x1]-s[y1w+x0])
				plane.dst[i] = upper + wy*(lower-upper)
			}
			if p.Y == nil {
				continue
			}
			ny, nx := y0w, x0
			if wy >= 0.5 {
				ny = y1w
			}
			if wx >= 0.5 {
				nx = x1
			}
			p.Y[i] = e.Y[ny+nx]
			if p.Weights != nil {
				p.Weights[i] = e.Weights[ny+nx]
			}
		}
	}
}

// plane pairs the source and destination of a patch's values.
type plane struct{ src, dst []float32 }

// planes returns the planes of the channels, and of the targets if the patch has
// them.
func (p *Patch) planes(e *Sample) (list []plane) {
	hw := p.H * p.W
	for c := range e.X.C {
		list = append(list, plane{e.X.Plane(0, c), p.X[c*hw : (c+1)*hw]})
	}
	if p.Targets != nil {
		list = append(list, plane{e.Targets, p.Targets})
	}
	return list
}

// reflect mirrors an index about the centres of the outermost pixels.
func reflect(i, n int) int {
	if n == 1 {
		return 0
	}
	period := 2 * (n - 1)
	i %= period
	if i < 0 {
		i += period
	}
	if i >= n {
		i = period - i
	}
	return i
}

// field is a smooth random function over the patch, such as a displacement or a
// light. It has normal values on a coarse grid, which are the control points of a
// cubic B-spline (Ronneberger et al. 2015, section 3.1, interpolates bicubically).
type field struct {
	columns int
	values  []float32 // grid, with a border of one on the low and two on the high side
	step    float64
	line    []float32    // the grid interpolated to one row
	at      []int        // by x: first of four grid columns
	weight  [][4]float32 // by x
}

// field draws a field whose points are step pixels apart, with a standard deviation
// of about sigma at the points.
func (p *Patch) field(step, sigma float64) *field {
	f := &field{step: step, columns: int(float64(p.W)/step) + 4}
	rows := int(float64(p.H)/step) + 4
	f.values = make([]float32, rows*f.columns)
	// The spline smooths its control points, with a weight of 2/3 in the middle.
	for i := range f.values {
		f.values[i] = float32(1.5 * sigma * p.RNG.NormFloat64())
	}
	f.line = make([]float32, f.columns)
	f.at, f.weight = make([]int, p.W), make([][4]float32, p.W)
	for x := range p.W {
		f.at[x], f.weight[x] = spline(float64(x) / f.step)
	}
	return f
}

// spline returns the index of the first of four control points, and their weights.
func spline(t float64) (int, [4]float32) {
	i := int(t)
	u := t - float64(i)
	v := 1 - u
	return i, [4]float32{
		float32(v * v * v / 6), float32((3*u*u*u - 6*u*u + 4) / 6),
		float32((3*v*v*v - 6*v*v + 4) / 6), float32(u * u * u / 6),
	}
}

// row writes the values of patch row y.
func (f *field) row(out []float32, y int) {
	top, wy := spline(float64(y) / f.step)
	for c := range f.line {
		v := f.values[top*f.columns+c:]
		f.line[c] = wy[0]*v[0] + wy[1]*v[f.columns] + wy[2]*v[2*f.columns] + wy[3]*v[3*f.columns]
	}
	for x := range out {
		l, wx := f.line[f.at[x]:f.at[x]+4], &f.weight[x]
		out[x] = wx[0]*l[0] + wx[1]*l[1] + wx[2]*l[2] + wx[3]*l[3]
	}
}

// Source returns the random source of sample i.
func Source(seed, i uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed^0x9e3779b97f4a7c15, i))
}
