package jpeg2000

// A sample is one of a plane, which holds a component of a tile: before synthesis
// its subbands, each where the bands of a resolution tile its area, afterwards
// the image.
type sample interface{ int32 | float32 }

// stripColumns is how many columns the vertical synthesis does at once: as many
// as make the most of a cache line.
const stripColumns = 32

// A wavelet undoes the decomposition of lines; odd says that their first sample
// is high-pass.
type wavelet[T sample] struct {
	// columns has lines side by side, in groups of a sample of each of n, in the
	// order of the image.
	columns func(line []T, n int, odd bool)
	// row has one line, its bands apart.
	row func(low, high *padded[T], odd bool)
}

var (
	wavelet53 = wavelet[int32]{lift53, row53}
	wavelet97 = wavelet[float32]{lift97, row97}
)

// synthesise undoes the decomposition of a component, resolution by resolution,
// in place (15444-1 F.3).
func synthesise[T sample](plane []T, tc *tileComponent, w wavelet[T]) {
	stride := tc.width()
	longest := max(tc.width(), tc.height()*min(stripColumns, tc.width()))
	line := make([]T, longest)
	low, high := newPadded[T](stride), newPadded[T](stride)
	for r := 1; r < len(tc.resolutions); r++ {
		lower, res := tc.resolutions[r-1].rect, tc.resolutions[r].rect
		width, h := res.width(), res.height()
		if width == 0 || h == 0 {
			continue
		}
		odd := res.x0&1 == 1
		for y := range h {
			row := plane[y*stride : y*stride+width]
			low.set(row[:lower.width()])
			high.set(row[lower.width():])
			w.row(&low, &high, odd)
			if odd {
				interleave(row, high.samples, low.samples)
			} else {
				interleave(row, low.samples, high.samples)
			}
		}
		odd = res.y0&1 == 1
		for x := 0; x < width; x += stripColumns {
			n := min(stripColumns, width-x)
			for y := range h {
				from := y/2 + lower.height()
				if (y&1 == 1) == odd {
					from = y / 2
				}
				copy(line[y*n:y*n+n], plane[from*stride+x:])
			}
			w.columns(line[:h*n], n, odd)
			for y := range h {
				copy(plane[y*stride+x:y*stride+x+n], line[y*n:])
			}
		}
	}
}

// interleave puts samples by turns into a line.
func interleave[T sample](line, even, odd []T) {
	n := len(odd)
	if len(even) > n {
		line[2*n] = even[n]
	}
	line, even = line[:2*n], even[:n]
	for i, v := range odd {
		line[2*i], line[2*i+1] = even[i], v
	}
}

// padded are the samples that a line has of a band, with room for another on
// either side.
type padded[T sample] struct {
	all     []T
	samples []T // all but the first and the last of what is in use
}

func newPadded[T sample](n int) padded[T] { return padded[T]{all: make([]T, n+2)} }

func (p *padded[T]) set(samples []T) {
	p.samples = p.all[1 : 1+len(samples)]
	copy(p.samples, samples)
}

// beside returns the samples of p to the left and to the right of each of those
// of the other band: p's i-th follows the other's i-th where it is behind, else
// it goes before. At the ends there is the same one on both sides.
func (p *padded[T]) beside(other []T, behind bool) (left, right []T) {
	n := len(p.samples)
	p.all[0], p.all[n+1] = p.samples[0], p.samples[n-1]
	at := 1
	if behind {
		at = 0
	}
	return p.all[at:][:len(other)], p.all[at+1:][:len(other)]
}

// row53 is lift53 of one line.
func row53(low, high *padded[int32], odd bool) {
	l, h := low.samples, high.samples
	if len(l) == 0 {
		h[0] /= 2
		return
	}
	if len(h) == 0 {
		return
	}
	a, b := high.beside(l, !odd)
	for i := range l {
		l[i] -= (a[i] + b[i] + 2) >> 2
	}
	a, b = low.beside(h, odd)
	for i := range h {
		h[i] += (a[i] + b[i]) >> 1
	}
}

// row97 is lift97 of one line.
func row97(low, high *padded[float32], odd bool) {
	l, h := low.samples, high.samples
	if len(l) == 0 || len(h) == 0 {
		return
	}
	for i := range l {
		l[i] *= scaleLow
	}
	for i := range h {
		h[i] *= scaleHigh
	}
	for _, c := range [2][2]float32{{-delta, -gamma}, {-beta, -alpha}} {
		a, b := high.beside(l, !odd)
		for i := range l {
			l[i] += float32((a[i] + b[i]) * c[0])
		}
		a, b = low.beside(h, odd)
		for i := range h {
			h[i] += float32((a[i] + b[i]) * c[1])
		}
	}
}

// lift53 is the reversible synthesis (15444-1 F.3.8.2.1.1, F-5 and F-6).
func lift53(line []int32, n int, odd bool) {
	last := len(line)/n - 1
	if last == 0 {
		if odd {
			for i := range line {
				line[i] /= 2
			}
		}
		return
	}
	low := 0
	if odd {
		low = 1
	}
	for i := low; i <= last; i += 2 {
		at, a, b := neighbourhood(line, n, i, last)
		for k := range at {
			at[k] -= (a[k] + b[k] + 2) >> 2
		}
	}
	for i := 1 - low; i <= last; i += 2 {
		at, a, b := neighbourhood(line, n, i, last)
		for k := range at {
			at[k] += (a[k] + b[k]) >> 1
		}
	}
}

// neighbourhood returns group i of a line and the groups on either side, which
// at the ends are the same one mirrored.
func neighbourhood[T sample](line []T, n, i, last int) (at, a, b []T) {
	before, after := i-1, i+1
	if before < 0 {
		before = after
	}
	if after > last {
		after = before
	}
	at = line[i*n : i*n+n]
	return at, line[before*n:][:len(at)], line[after*n:][:len(at)]
}

// Lifting steps and scaling of the 9/7 wavelet (15444-1 Table F.4). The scaling
// of the high-pass band is twice that of the standard, so that it makes up for
// the gain of two that tileComponent.band leaves out.
const (
	alpha     float32 = -1.586134342
	beta      float32 = -0.052980118
	gamma     float32 = 0.882911075
	delta     float32 = 0.443506852
	scaleLow  float32 = 1.230174105
	scaleHigh float32 = 1.625732422
)

// lift97 is the irreversible synthesis (15444-1 F.3.8.2.1.2). Products are
// rounded before they are added: a conversion keeps the compiler from fusing.
func lift97(line []float32, n int, odd bool) {
	last := len(line)/n - 1
	if last == 0 {
		return // the standard halves a high-pass sample, whose gain is left out
	}
	low := 0
	if odd {
		low = 1
	}
	for i := range last + 1 {
		scale := scaleLow
		if i&1 != low {
			scale = scaleHigh
		}
		at := line[i*n : i*n+n]
		for k := range at {
			at[k] *= scale
		}
	}
	step97(line, n, low, last, -delta)
	step97(line, n, 1-low, last, -gamma)
	step97(line, n, low, last, -beta)
	step97(line, n, 1-low, last, -alpha)
}

// step97 adds c times the sum of its neighbours to every other group, from the
// first one on.
func step97(line []float32, n, first, last int, c float32) {
	for i := first; i <= last; i += 2 {
		at, a, b := neighbourhood(line, n, i, last)
		for k := range at {
			at[k] += float32((a[k] + b[k]) * c)
		}
	}
}
