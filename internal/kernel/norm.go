package kernel

import (
	"fmt"
	"sync"
)

// Moments sums x and x² over the top left validH×validW pixels of every channel
// of every image. sum and sumsq have N·Blocks·8 elements with index
// (n·Blocks+block)·8+lane, and are overwritten.
//
// float32 rows are summed in float32, and the row sums in float64.
func Moments[T Float](p *Pool, sum, sumsq []float64, x Act[T], validH, validW int) {
	x.check("moments: input", x.Shape)
	if validH < 0 || validW < 0 || validH > x.H || validW > x.W {
		panic(fmt.Sprintf("kernel: moments over %d×%d of %d×%d pixels", validH, validW, x.H, x.W))
	}
	o := opsOf[T](p)
	reduceRows(p, sum, sumsq, x.Shape, validH, func(s, q *[Lanes]float64, nb, y int) {
		o.moments(s, q, x.row(nb, y)[:validW*Lanes])
	})
}

// ChannelSum sums dy over images and pixels, the gradient of a bias. db has C
// elements and is overwritten.
func ChannelSum[T Float](p *Pool, db []T, dy Act[T]) {
	dy.check("channel sum: input", dy.Shape)
	checkLen("channel sum", len(db), dy.C)
	o := opsOf[T](p)
	channelSums(p, db, dy.Shape, func(s, q *[Lanes]float64, nb, y int) { o.moments(s, q, dy.row(nb, y)) })
}

// channelSums is reduceRows over all rows, with the first of the two sums added
// over images. db may be nil.
func channelSums[T Float](p *Pool, db []T, s Shape, row func(s, s2 *[Lanes]float64, nb, y int)) {
	n := s.N * s.Blocks() * Lanes
	buf := scratch(2 * n)
	defer scratchPool.Put(buf)
	sum := *buf
	reduceRows(p, sum[:n], sum[n:], s, s.H, row)
	for c := range db {
		var total float64
		for i := range s.N {
			total += sum[i*s.Blocks()*Lanes+c]
		}
		db[c] = T(total)
	}
}

// scratchPool holds the memory of sums between calls.
var scratchPool sync.Pool

// scratch returns n uninitialised numbers, to be put back in scratchPool.
func scratch(n int) *[]float64 {
	s, _ := scratchPool.Get().(*[]float64)
	if s == nil || cap(*s) < n {
		s = new(make([]float64, n))
	}
	*s = (*s)[:n]
	return s
}

// ScaleShift computes y = scale·x + shift and, with relu, max(0, ·) of it (NaN
// stays NaN). scale and shift have N·Blocks·8 elements, zero beyond the
// channels. y may be x.
func ScaleShift[T Float](p *Pool, y, x Act[T], scale, shift []T, relu bool) {
	x.check("scale: input", x.Shape)
	y.check("scale: output", x.Shape)
	checkLen("scale", len(scale), x.N*x.Blocks()*Lanes)
	checkLen("shift", len(shift), len(scale))
	o := opsOf[T](p)
	forRows(p, x.Shape, func(nb, r int) {
		o.scaleShift(y.row(nb, r), x.row(nb, r), lanesOf(scale, nb), lanesOf(shift, nb), relu)
	})
}

// NormGradSums computes Σdy' and Σdy'·x for every channel of every image. dy'
// is dy; with relu, it is zero unless the output of ScaleShift, scale·x +
// shift, is positive. The slices are as in Moments and ScaleShift. Without
// relu, scale and shift are ignored.
func NormGradSums[T Float](p *Pool, sumDy, sumDyX []float64, x, dy Act[T], scale, shift []T, relu bool) {
	x.check("norm gradient: input", x.Shape)
	dy.check("norm gradient: output gradient", x.Shape)
	checkAffine(x.Shape, scale, shift, relu)
	o := opsOf[T](p)
	reduceRows(p, sumDy, sumDyX, x.Shape, x.H, func(s, q *[Lanes]float64, nb, r int) {
		k, d := affineOf(scale, shift, nb, relu)
		o.normGradSums(s, q, x.row(nb, r), dy.row(nb, r), k, d, relu)
	})
}

// NormGrad computes dx = a·dy' + b·x + c, with dy' as in NormGradSums and a,
// b, c as ScaleShift's scale. dx may be dy or x.
func NormGrad[T Float](p *Pool, dx, x, dy Act[T], a, b, c, scale, shift []T, relu bool) {
	x.check("norm gradient: input", x.Shape)
	dx.check("norm gradient: input gradient", x.Shape)
	dy.check("norm gradient: output gradient", x.Shape)
	checkAffine(x.Shape, scale, shift, relu)
	checkLen("norm gradient: a", len(a), x.N*x.Blocks()*Lanes)
	checkLen("norm gradient: b", len(b), len(a))
	checkLen("norm gradient: c", len(c), len(a))
	o := opsOf[T](p)
	forRows(p, x.Shape, func(nb, r int) {
		k, d := affineOf(scale, shift, nb, relu)
		o.normGrad(dx.row(nb, r), x.row(nb, r), dy.row(nb, r), lanesOf(a, nb), lanesOf(b, nb), lanesOf(c, nb), k, d, relu)
	})
}

func checkAffine[T Float](s Shape, scale, shift []T, relu bool) {
	if relu {
		checkLen("norm gradient: scale", len(scale), s.N*s.Blocks()*Lanes)
		checkLen("norm gradient: shift", len(shift), len(scale))
	}
}

func affineOf[T Float](scale, shift []T, nb int, relu bool) (k, d *[Lanes]T) {
	if relu {
		k, d = lanesOf(scale, nb), lanesOf(shift, nb)
	}
	return k, d
}

// ReLUGrad computes dx, which is dy where y > 0 and zero elsewhere, and db, the
// sum of dx over images and pixels, the gradient of a bias. dx may be dy. db
// has C elements, or is nil if not needed.
func ReLUGrad[T Float](p *Pool, db []T, dx, y, dy Act[T]) {
	y.check("relu gradient: output", y.Shape)
	dx.check("relu gradient: input gradient", y.Shape)
	dy.check("relu gradient: output gradient", y.Shape)
	if db != nil {
		checkLen("relu gradient: bias gradient", len(db), y.C)
	}
	o := opsOf[T](p)
	channelSums(p, db, y.Shape, func(s, _ *[Lanes]float64, nb, r int) {
		o.reluGrad(s, dx.row(nb, r), y.row(nb, r), dy.row(nb, r))
	})
}

func lanesOf[T Float](v []T, nb int) *[Lanes]T { return (*[Lanes]T)(v[nb*Lanes:]) }

// reduceRows runs row, which adds to two sums, over the first h rows of every
// plane. It splits a large plane into parts, which it adds in order.
func reduceRows(p *Pool, sum, sum2 []float64, s Shape, h int, row func(s, s2 *[Lanes]float64, nb, y int)) {
	planes := s.N * s.Blocks()
	checkLen("sum", len(sum), planes*Lanes)
	checkLen("second sum", len(sum2), planes*Lanes)
	parts := max(1, s.H*s.W/taskPixels)
	group := max(1, taskPixels/(s.H*s.W)) // planes per task, if they are small
	n := planes * parts
	buf := scratch(n * 2 * Lanes)
	defer scratchPool.Put(buf)
	part := *buf
	clear(part)
	p.Run((n+group-1)/group, func(t int) {
		for i := t * group; i < min(n, (t+1)*group); i++ {
			nb, k := i/parts, i%parts
			s, s2 := (*[Lanes]float64)(part[i*2*Lanes:]), (*[Lanes]float64)(part[(i*2+1)*Lanes:])
			for y := k * h / parts; y < (k+1)*h/parts; y++ {
				row(s, s2, nb, y)
			}
		}
	})
	clear(sum)
	clear(sum2)
	for i := range n {
		for l := range Lanes {
			sum[i/parts*Lanes+l] += part[i*2*Lanes+l]
			sum2[i/parts*Lanes+l] += part[(i*2+1)*Lanes+l]
		}
	}
}

// The references of the inner loops: x, y, dy and dx are pixels of 8 lanes.

func momentsGeneric[T Float](sum, sumsq *[Lanes]float64, x []T) {
	var s, q [Lanes]T
	for ; len(x) >= Lanes; x = x[Lanes:] {
		for l, v := range (*[Lanes]T)(x) {
			s[l] += v
			q[l] += v * v
		}
	}
	addLanes(sum, &s)
	addLanes(sumsq, &q)
}

func addLanes[T Float](sum *[Lanes]float64, s *[Lanes]T) {
	for l, v := range s {
		sum[l] += float64(v)
	}
}

func scaleShiftGeneric[T Float](y, x []T, scale, shift *[Lanes]T, relu bool) {
	for i := 0; i+Lanes <= len(x); i += Lanes {
		xv, yv := (*[Lanes]T)(x[i:]), (*[Lanes]T)(y[i:])
		for l := range Lanes {
			v := scale[l]*xv[l] + shift[l]
			if relu && v < 0 {
				v = 0
			}
			yv[l] = v
		}
	}
}

func normGradSumsGeneric[T Float](sum, sumx *[Lanes]float64, x, dy []T, scale, shift *[Lanes]T, relu bool) {
	var s, q [Lanes]T
	for i := 0; i+Lanes <= len(x); i += Lanes {
		xv, dv := (*[Lanes]T)(x[i:]), *(*[Lanes]T)(dy[i:])
		if relu {
			maskAffine(&dv, xv, scale, shift)
		}
		for l, d := range dv {
			s[l] += d
			q[l] += d * xv[l]
		}
	}
	addLanes(sum, &s)
	addLanes(sumx, &q)
}

// maskAffine zeroes the lanes of d where scale·x + shift is not positive.
func maskAffine[T Float](d, x, scale, shift *[Lanes]T) {
	for l, v := range x {
		if !(scale[l]*v+shift[l] > 0) {
			d[l] = 0
		}
	}
}

func normGradGeneric[T Float](dx, x, dy []T, a, b, c, scale, shift *[Lanes]T, relu bool) {
	for i := 0; i+Lanes <= len(x); i += Lanes {
		xv, dv := (*[Lanes]T)(x[i:]), *(*[Lanes]T)(dy[i:])
		if relu {
			maskAffine(&dv, xv, scale, shift)
		}
		dxv := (*[Lanes]T)(dx[i:])
		for l, d := range dv {
			dxv[l] = a[l]*d + b[l]*xv[l] + c[l]
		}
	}
}

func reluGradGeneric[T Float](sum *[Lanes]float64, dx, y, dy []T) {
	var s [Lanes]T
	for i := 0; i+Lanes <= len(y); i += Lanes {
		dv := *(*[Lanes]T)(dy[i:])
		for l, v := range (*[Lanes]T)(y[i:]) {
			if !(v > 0) {
				dv[l] = 0
			}
			s[l] += dv[l]
		}
		*(*[Lanes]T)(dx[i:]) = dv
	}
	addLanes(sum, &s)
}
