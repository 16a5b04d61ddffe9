package metric

import (
	"fmt"
	"math"
	"slices"

	"segd"
)

// Surface holds the distances between the outlines of one class in two masks of an
// image. An outline consists of the pixels of the class for which one of the four
// neighbours has another class or lies outside the image. Distances are between pixel
// centres.
type Surface struct {
	// HD95 is the 95 % Hausdorff distance: the larger of the 95th percentiles of the
	// distances from each outline to the other (Huttenlocher et al. 1993; percentiles
	// interpolated). It is 0 if neither mask holds the class, and NaN if only one
	// does, since no such distance exists.
	HD95 float64
	// NSD is the normalised surface distance: the share of both outlines together
	// that lies within the tolerance of the other (Nikolov et al. 2021,
	// doi:10.2196/26151). It is 1 if neither mask holds the class, and 0 if only one
	// does.
	NSD float64
}

// Surfaces measures every class, background (index 0) included but left zero. rowStep
// and colStep are the distances between neighbouring rows and columns, in the unit of
// results and tolerance: 1 and 1 for pixels. Pixels whose truth is Ignore count as
// the predicted class. Masks of different sizes are segd.ErrFormat. Classes beyond
// the limit do not occur after Count.
func Surfaces(truth, predicted *segd.Mask, classes int, rowStep, colStep, tolerance float64) ([]Surface, error) {
	if truth.Width != predicted.Width || truth.Height != predicted.Height {
		return nil, fmt.Errorf("metric: %w: predicted mask is %d×%d pixels, true mask %d×%d",
			segd.ErrFormat, predicted.Width, predicted.Height, truth.Width, truth.Height)
	}
	truth = filled(truth, predicted)
	list := make([]Surface, classes)
	for k := 1; k < classes; k++ {
		a, b := outline(truth, uint8(k)), outline(predicted, uint8(k))
		switch {
		case len(a)+len(b) == 0:
			list[k] = Surface{HD95: 0, NSD: 1}
		case len(a) == 0 || len(b) == 0:
			list[k] = Surface{HD95: math.NaN(), NSD: 0}
		default:
			list[k] = compare(a, b, rowStep, colStep, tolerance)
		}
	}
	return list, nil
}

// filled returns truth with ignored pixels replaced by the predicted class.
func filled(truth, predicted *segd.Mask) *segd.Mask {
	if !slices.Contains(truth.Pix, Ignore) {
		return truth
	}
	m := segd.NewMask(truth.Width, truth.Height)
	for i, v := range truth.Pix {
		if v == Ignore {
			v = predicted.Pix[i]
		}
		m.Pix[i] = v
	}
	return m
}

// point is a pixel of an outline.
type point struct{ y, x int }

// outline lists the pixels of class k that have a neighbour of another class.
func outline(m *segd.Mask, k uint8) (list []point) {
	w, h := m.Width, m.Height
	for y := range h {
		row := m.Pix[y*w : (y+1)*w]
		for x, v := range row {
			if v != k {
				continue
			}
			if y == 0 || x == 0 || y == h-1 || x == w-1 || row[x-1] != k || row[x+1] != k ||
				m.Pix[(y-1)*w+x] != k || m.Pix[(y+1)*w+x] != k {
				list = append(list, point{y, x})
			}
		}
	}
	return list
}

// compare measures two nonempty outlines.
func compare(a, b []point, rowStep, colStep, tolerance float64) Surface {
	toB, toA := distances(a, b, rowStep, colStep), distances(b, a, rowStep, colStep)
	near := 0
	for _, d := range toB {
		if d <= tolerance {
			near++
		}
	}
	for _, d := range toA {
		if d <= tolerance {
			near++
		}
	}
	return Surface{
		HD95: math.Max(percentile(toB, 95), percentile(toA, 95)),
		NSD:  float64(near) / float64(len(a)+len(b)),
	}
}

// distances returns the distance from each point of from to the nearest point of to.
// It uses the exact distance transform of Felzenszwalb and Huttenlocher (2012,
// doi:10.4086/toc.2012.v008a019) over the rectangle that holds both.
func distances(from, to []point, rowStep, colStep float64) []float64 {
	low, high := from[0], from[0]
	for _, list := range [][]point{from, to} {
		for _, p := range list {
			low.y, low.x = min(low.y, p.y), min(low.x, p.x)
			high.y, high.x = max(high.y, p.y), max(high.x, p.x)
		}
	}
	h, w := high.y-low.y+1, high.x-low.x+1
	squared := make([]float64, h*w)
	for i := range squared {
		squared[i] = math.Inf(1)
	}
	for _, p := range to {
		squared[(p.y-low.y)*w+p.x-low.x] = 0
	}
	transformAll(squared, w, h, rowStep, colStep)
	list := make([]float64, len(from))
	for i, p := range from {
		list[i] = math.Sqrt(squared[(p.y-low.y)*w+p.x-low.x])
	}
	return list
}

// Distances returns, for each pixel of a rectangle, the distance in pixels to the
// nearest set pixel, or +Inf if none is set. HD95 uses the same transform.
func Distances(set []bool, width, height int) []float64 {
	d := make([]float64, width*height)
	for i := range d {
		if !set[i] {
			d[i] = math.Inf(1)
		}
	}
	transformAll(d, width, height, 1, 1)
	for i, v := range d {
		d[i] = math.Sqrt(v)
	}
	return d
}

// transformAll replaces each element of a rectangle of zeros and infinities by the
// squared distance to the nearest zero.
func transformAll(squared []float64, w, h int, rowStep, colStep float64) {
	t := newTransform(max(h, w))
	for x := range w {
		t.run(squared[x:], w, h, rowStep)
	}
	for y := range h {
		t.run(squared[y*w:], 1, w, colStep)
	}
}

// transform is the scratch of the distance transform of a line: the lower
// envelope of parabolas.
type transform struct {
	f     []float64 // heights of the parabolas
	apex  []int     // of the parabolas in the envelope
	start []float64 // where each becomes the lowest
}

func newTransform(n int) *transform {
	return &transform{make([]float64, n), make([]int, n), make([]float64, n+1)}
}

// run replaces each of the n values of a line, stride apart, by the minimum over i of
// value[i] + (step·(i-j))², where j is its index.
func (t *transform) run(line []float64, stride, n int, step float64) {
	k := -1
	for i := range n {
		t.f[i] = line[i*stride]
		if math.IsInf(t.f[i], 1) {
			continue
		}
		at := math.Inf(-1)
		for k >= 0 {
			j := t.apex[k]
			// Where parabola i drops below parabola j, in pixels.
			at = ((t.f[i]-t.f[j])/(step*step) + float64(i*i-j*j)) / float64(2*(i-j))
			if at > t.start[k] {
				break
			}
			k--
			at = math.Inf(-1)
		}
		k++
		t.apex[k], t.start[k] = i, at
	}
	if k < 0 {
		return // nothing is near
	}
	last := k
	k = 0
	for j := range n {
		for k < last && t.start[k+1] < float64(j) {
			k++
		}
		d := step * float64(j-t.apex[k])
		line[j*stride] = t.f[t.apex[k]] + d*d
	}
}

// percentile sorts v and returns its p-th percentile, linearly interpolated between
// the neighbouring values.
func percentile(v []float64, p float64) float64 {
	slices.Sort(v)
	at := p / 100 * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}
