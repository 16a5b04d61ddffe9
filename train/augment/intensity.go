package augment

import "math"

// spatialFilters blurs or coarsens one channel. The first channel draws the
// parameters, and the others reuse them.
func (p *Patch) spatialFilters(a *Settings, x []float32, first bool) {
	if first {
		p.sigma, p.zoom = 0, 0
		if p.RNG.Float64() < a.Blur {
			p.sigma = 0.5 + p.RNG.Float64()
		}
		if p.RNG.Float64() < a.Low {
			p.zoom = 0.5 + 0.5*p.RNG.Float64()
		}
	}
	if p.sigma > 0 {
		p.blur(x, p.sigma)
	}
	if p.zoom > 0 {
		p.coarsen(x, p.zoom)
	}
}

// blur is a separable Gaussian, mirrored at the edge.
func (p *Patch) blur(x []float32, sigma float64) {
	radius := int(math.Ceil(2.5 * sigma))
	kernel := make([]float32, radius+1)
	sum := 0.0
	for i := -radius; i <= radius; i++ {
		sum += math.Exp(-float64(i*i) / (2 * sigma * sigma))
	}
	for i := range kernel {
		kernel[i] = float32(math.Exp(-float64(i*i)/(2*sigma*sigma)) / sum)
	}
	// Filter down the columns into tmp, a whole row at a time.
	for y := range p.H {
		out := p.tmp[y*p.W : (y+1)*p.W]
		row := x[y*p.W : (y+1)*p.W]
		for i, v := range row {
			out[i] = kernel[0] * v
		}
		for r := 1; r <= radius; r++ {
			k := kernel[r]
			up := x[reflect(y-r, p.H)*p.W:][:p.W]
			down := x[reflect(y+r, p.H)*p.W:][:p.W]
			for i := range out {
				out[i] += k * (up[i] + down[i])
			}
		}
	}
	line := make([]float32, p.W+2*radius)
	for y := range p.H {
		row := p.tmp[y*p.W : (y+1)*p.W]
		for i := range line {
			line[i] = row[reflect(i-radius, p.W)]
		}
		out := x[y*p.W : (y+1)*p.W]
		for i := range out {
			v := kernel[0] * line[i+radius]
			for r := 1; r <= radius; r++ {
				v += kernel[r] * (line[i+radius-r] + line[i+radius+r])
			}
			out[i] = v
		}
	}
}

// coarsen takes the values of the nearest pixels on a grid of zoom times the
// resolution and interpolates linearly between them, like an enlarged image.
func (p *Patch) coarsen(x []float32, zoom float64) {
	h, w := max(1, int(float64(p.H)*zoom)), max(1, int(float64(p.W)*zoom))
	small := p.tmp[:h*w]
	for y := range h {
		sy := min(p.H-1, int((float64(y)+0.5)*float64(p.H)/float64(h)))
		for c := range w {
			small[y*w+c] = x[sy*p.W+min(p.W-1, int((float64(c)+0.5)*float64(p.W)/float64(w)))]
		}
	}
	at, weight := make([]int, p.W), make([]float32, p.W)
	for c := range p.W {
		at[c], weight[c] = between(c, p.W, w)
	}
	for y := range p.H {
		iy, wy := between(y, p.H, h)
		upper, lower := small[iy*w:(iy+1)*w], small[min(iy+1, h-1)*w:][:w]
		out := x[y*p.W : (y+1)*p.W]
		for c := range out {
			i, j, wx := at[c], min(at[c]+1, w-1), weight[c]
			u := upper[i] + wx*(upper[j]-upper[i])
			l := lower[i] + wx*(lower[j]-lower[i])
			out[c] = u + wy*(l-u)
		}
	}
}

// between maps pixel i of n to a grid of m points. It returns the lower neighbour and
// the weight of the next point.
func between(i, n, m int) (int, float32) {
	t := (float64(i)+0.5)*float64(m)/float64(n) - 0.5
	t = math.Min(math.Max(t, 0), float64(m-1))
	return int(t), float32(t - math.Floor(t))
}

// intensity changes grey values, the same way in all channels.
func (p *Patch) intensity(a *Settings, x []float32) {
	if p.RNG.Float64() < a.Gamma {
		p.gamma(x, 0.6*math.Pow(1.6/0.6, p.RNG.Float64()), p.RNG.Uint64()&1 == 1)
	}
	scale, shift := float32(1), float32(0)
	if p.RNG.Float64() < a.Contrast {
		scale = float32(0.7 * math.Pow(2, p.RNG.Float64()))
		mean := 0.0
		for _, v := range x {
			mean += float64(v)
		}
		shift = float32(mean/float64(len(x))) * (1 - scale)
	}
	if p.RNG.Float64() < a.Brightness {
		shift += float32(0.6*p.RNG.Float64() - 0.3)
	}
	if scale != 1 || shift != 0 {
		for i := range x {
			x[i] = x[i]*scale + shift
		}
	}
	if p.RNG.Float64() < a.Shade {
		p.shade(x)
	}
	if p.RNG.Float64() < a.Noise {
		sigma := float32(0.25 * p.RNG.Float64())
		for i := range x {
			x[i] += sigma * float32(p.RNG.NormFloat64())
		}
	}
	if p.RNG.Float64() < a.Cover {
		p.cover(x)
	}
}

// cover lays an ellipse of up to half the patch's height and width over part of the
// patch. In all channels it has the same grey, within the image's range, and random
// opacity. The labels stay unchanged, because an organ does not end where fluid, a
// shadow or a device hides it (after random erasing, Zhong et al. 2020,
// arXiv:1708.04896).
func (p *Patch) cover(x []float32) {
	ry, rx := (0.1+0.4*p.RNG.Float64())*float64(p.H)/2, (0.1+0.4*p.RNG.Float64())*float64(p.W)/2
	cy, cx := p.RNG.Float64()*float64(p.H), p.RNG.Float64()*float64(p.W)
	grey, opaque := float32(1.5*p.RNG.NormFloat64()), 0.5+0.5*p.RNG.Float64()
	for y := max(0, int(cy-ry)); y < min(p.H, int(cy+ry)+1); y++ {
		for i := max(0, int(cx-rx)); i < min(p.W, int(cx+rx)+1); i++ {
			dy, dx := (float64(y)-cy)/ry, (float64(i)-cx)/rx
			// Full strength in the middle, fading over the outer quarter of the
			// radius.
			edge := 4 * (1 - math.Sqrt(dy*dy+dx*dx))
			if edge <= 0 {
				continue
			}
			a := float32(opaque * math.Min(1, edge))
			for c := 0; c < len(x); c += p.H * p.W {
				v := &x[c+y*p.W+i]
				*v += a * (grey - *v)
			}
		}
	}
}

// shade adds the same uneven light to all channels. It simulates the bias field of a
// coil, out-of-focus haze or an off-centre lamp (bias field augmentation as in
// TorchIO, Pérez-García et al. 2021, but additive, in units of the image's standard
// deviation).
func (p *Patch) shade(x []float32) {
	f := p.field(float64(max(p.H, p.W))/2, 1.5*p.RNG.Float64())
	row := make([]float32, p.W)
	for y := range p.H {
		f.row(row, y)
		for c := 0; c < len(x); c += p.H * p.W {
			for i, v := range row {
				x[c+y*p.W+i] += v
			}
		}
	}
}

// gamma maps the range of the patch by t^exponent. It uses a table, because computing
// a power for each pixel would cost more than everything else.
func (p *Patch) gamma(x []float32, exponent float64, inverted bool) {
	low, high := x[0], x[0]
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	if !(high > low) {
		return
	}
	const n = 512
	var table [n + 2]float32
	for i := range table {
		t := math.Min(1, float64(i)/n)
		if inverted {
			t = 1 - math.Pow(1-t, exponent)
		} else {
			t = math.Pow(t, exponent)
		}
		table[i] = low + float32(t)*(high-low)
	}
	scale := n / (high - low)
	for i, v := range x {
		t := (v - low) * scale
		k := min(n, int(t))
		x[i] = table[k] + (t-float32(k))*(table[k+1]-table[k])
	}
}
