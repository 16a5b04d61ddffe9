package train

import "math"

// spatialFilters blurs or coarsens one channel. The first channel draws, the
// others repeat what was drawn.
func (p *patch) spatialFilters(a *Augment, x []float32, first bool) {
	if first {
		p.sigma, p.zoom = 0, 0
		if p.rng.Float64() < a.Blur {
			p.sigma = 0.5 + p.rng.Float64()
		}
		if p.rng.Float64() < a.Low {
			p.zoom = 0.5 + 0.5*p.rng.Float64()
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
func (p *patch) blur(x []float32, sigma float64) {
	radius := int(math.Ceil(2.5 * sigma))
	kernel := make([]float32, radius+1)
	sum := 0.0
	for i := -radius; i <= radius; i++ {
		sum += math.Exp(-float64(i*i) / (2 * sigma * sigma))
	}
	for i := range kernel {
		kernel[i] = float32(math.Exp(-float64(i*i)/(2*sigma*sigma)) / sum)
	}
	// Down the columns into tmp, a whole row at a time.
	for y := range p.h {
		out := p.tmp[y*p.w : (y+1)*p.w]
		row := x[y*p.w : (y+1)*p.w]
		for i, v := range row {
			out[i] = kernel[0] * v
		}
		for r := 1; r <= radius; r++ {
			k := kernel[r]
			up := x[reflect(y-r, p.h)*p.w:][:p.w]
			down := x[reflect(y+r, p.h)*p.w:][:p.w]
			for i := range out {
				out[i] += k * (up[i] + down[i])
			}
		}
	}
	line := make([]float32, p.w+2*radius)
	for y := range p.h {
		row := p.tmp[y*p.w : (y+1)*p.w]
		for i := range line {
			line[i] = row[reflect(i-radius, p.w)]
		}
		out := x[y*p.w : (y+1)*p.w]
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
// resolution and interpolates linearly in between, as an image does that was
// enlarged.
func (p *patch) coarsen(x []float32, zoom float64) {
	h, w := max(1, int(float64(p.h)*zoom)), max(1, int(float64(p.w)*zoom))
	small := p.tmp[:h*w]
	for y := range h {
		sy := min(p.h-1, int((float64(y)+0.5)*float64(p.h)/float64(h)))
		for c := range w {
			small[y*w+c] = x[sy*p.w+min(p.w-1, int((float64(c)+0.5)*float64(p.w)/float64(w)))]
		}
	}
	at, weight := make([]int, p.w), make([]float32, p.w)
	for c := range p.w {
		at[c], weight[c] = between(c, p.w, w)
	}
	for y := range p.h {
		iy, wy := between(y, p.h, h)
		upper, lower := small[iy*w:(iy+1)*w], small[min(iy+1, h-1)*w:][:w]
		out := x[y*p.w : (y+1)*p.w]
		for c := range out {
			i, j, wx := at[c], min(at[c]+1, w-1), weight[c]
			u := upper[i] + wx*(upper[j]-upper[i])
			l := lower[i] + wx*(lower[j]-lower[i])
			out[c] = u + wy*(l-u)
		}
	}
}

// between places pixel i of n on a grid of m: the lower neighbour and the
// weight of the next one.
func between(i, n, m int) (int, float32) {
	t := (float64(i)+0.5)*float64(m)/float64(n) - 0.5
	t = math.Min(math.Max(t, 0), float64(m-1))
	return int(t), float32(t - math.Floor(t))
}

// intensity changes grey values, all channels alike.
func (p *patch) intensity(a *Augment, x []float32) {
	if p.rng.Float64() < a.Gamma {
		p.gamma(x, 0.6*math.Pow(1.6/0.6, p.rng.Float64()), p.rng.Uint64()&1 == 1)
	}
	scale, shift := float32(1), float32(0)
	if p.rng.Float64() < a.Contrast {
		scale = float32(0.7 * math.Pow(2, p.rng.Float64()))
		mean := 0.0
		for _, v := range x {
			mean += float64(v)
		}
		shift = float32(mean/float64(len(x))) * (1 - scale)
	}
	if p.rng.Float64() < a.Brightness {
		shift += float32(0.6*p.rng.Float64() - 0.3)
	}
	if scale != 1 || shift != 0 {
		for i := range x {
			x[i] = x[i]*scale + shift
		}
	}
	if p.rng.Float64() < a.Shade {
		p.shade(x)
	}
	if p.rng.Float64() < a.Noise {
		sigma := float32(0.25 * p.rng.Float64())
		for i := range x {
			x[i] += sigma * float32(p.rng.NormFloat64())
		}
	}
	if p.rng.Float64() < a.Cover {
		p.cover(x)
	}
}

// cover lays an ellipse over part of the patch, of up to half its height and
// width, in all channels of one grey of the image's range, more or less opaque,
// and leaves the labels as they are: an organ does not end where fluid, a shadow
// or a device hides it (after random erasing, Zhong et al. 2020,
// arXiv:1708.04896).
func (p *patch) cover(x []float32) {
	ry, rx := (0.1+0.4*p.rng.Float64())*float64(p.h)/2, (0.1+0.4*p.rng.Float64())*float64(p.w)/2
	cy, cx := p.rng.Float64()*float64(p.h), p.rng.Float64()*float64(p.w)
	grey, opaque := float32(1.5*p.rng.NormFloat64()), 0.5+0.5*p.rng.Float64()
	for y := max(0, int(cy-ry)); y < min(p.h, int(cy+ry)+1); y++ {
		for i := max(0, int(cx-rx)); i < min(p.w, int(cx+rx)+1); i++ {
			dy, dx := (float64(y)-cy)/ry, (float64(i)-cx)/rx
			// Full in the middle, fading over the outer quarter of the radius.
			edge := 4 * (1 - math.Sqrt(dy*dy+dx*dx))
			if edge <= 0 {
				continue
			}
			a := float32(opaque * math.Min(1, edge))
			for c := 0; c < len(x); c += p.h * p.w {
				v := &x[c+y*p.w+i]
				*v += a * (grey - *v)
			}
		}
	}
}

// shade adds uneven light, the same to all channels: the bias field of a coil,
// haze out of focus, a lamp beside the middle (bias field augmentation as in
// TorchIO, Pérez-García et al. 2021, but added, in units of the image's standard
// deviation).
func (p *patch) shade(x []float32) {
	f := p.field(float64(max(p.h, p.w))/2, 1.5*p.rng.Float64())
	row := make([]float32, p.w)
	for y := range p.h {
		f.row(row, y)
		for c := 0; c < len(x); c += p.h * p.w {
			for i, v := range row {
				x[c+y*p.w+i] += v
			}
		}
	}
}

// gamma bends the range of the patch by t^exponent, by way of a table: a
// power for each pixel would cost more than all the rest.
func (p *patch) gamma(x []float32, exponent float64, inverted bool) {
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
