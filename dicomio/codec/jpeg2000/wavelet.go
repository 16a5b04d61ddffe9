package jpeg2000

// A sample is one of a plane, which holds a component of a tile: before synthesis
// its subbands, each where the bands of a resolution tile its area, afterwards
// the image.
type sample interface{ int32 | float32 }

// stripColumns is how many columns the vertical synthesis does at once: as many
// as make the most of a cache line.
const stripColumns = 32

// synthesise undoes the decomposition of a component, resolution by resolution,
// in place (15444-1 F.3). lift undoes that of one line: its samples are in the
// order of the image, in groups of n that belong to n lines side by side; odd
// says that the first is high-pass.
func synthesise[T sample](plane []T, tc *tileComponent, lift func(line []T, n int, odd bool)) {
	stride := tc.width()
	longest := max(tc.width(), tc.height()*min(stripColumns, tc.width()))
	line := make([]T, longest)
	for r := 1; r < len(tc.resolutions); r++ {
		lower, res := tc.resolutions[r-1].rect, tc.resolutions[r].rect
		w, h := res.width(), res.height()
		if w == 0 || h == 0 {
			continue
		}
		odd := res.x0&1 == 1
		for y := range h {
			row := plane[y*stride : y*stride+w]
			interleave(line[:w], row[:lower.width()], row[lower.width():], odd)
			lift(line[:w], 1, odd)
			copy(row, line)
		}
		odd = res.y0&1 == 1
		for x := 0; x < w; x += stripColumns {
			n := min(stripColumns, w-x)
			for y := range h {
				from := y/2 + lower.height()
				if (y&1 == 1) == odd {
					from = y / 2
				}
				copy(line[y*n:y*n+n], plane[from*stride+x:])
			}
			lift(line[:h*n], n, odd)
			for y := range h {
				copy(plane[y*stride+x:y*stride+x+n], line[y*n:])
			}
		}
	}
}

// interleave puts the samples of a low- and a high-pass band into their order.
func interleave[T sample](line, low, high []T, odd bool) {
	even, other := low, high
	if odd {
		even, other = high, low
	}
	for i, v := range even {
		line[2*i] = v
	}
	for i, v := range other {
		line[2*i+1] = v
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
