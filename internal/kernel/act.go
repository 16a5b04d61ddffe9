package kernel

import (
	"fmt"
	"unsafe"
)

// Lanes is the number of channels in a block.
const Lanes = 8

// Shape is the shape of a blocked activation: N images of C channels in
// ceil(C/8) blocks of 8 lanes, H×W pixels inside a halo of one pixel.
//
// Memory order is [N][Blocks][H+2][W+2][8]. The halo and the lanes beyond C are
// always zero. Every function here that writes an Act writes only interior pixels,
// and zeros to the lanes beyond C, so a buffer that was zeroed once stays valid as
// long as its shape does not change.
type Shape struct{ N, C, H, W int }

// Blocks returns the number of blocks of one image, ceil(C/8).
func (s Shape) Blocks() int { return blocks(s.C) }

// Len returns the number of elements, including halo and pad lanes.
func (s Shape) Len() int { return s.N * s.Blocks() * s.blockLen() }

// Dims returns {N, Blocks, H+2, W+2, 8}, the shape in memory.
func (s Shape) Dims() []int { return []int{s.N, s.Blocks(), s.H + 2, s.W + 2, Lanes} }

func blocks(c int) int           { return (c + Lanes - 1) / Lanes }
func (s Shape) rowLen() int      { return (s.W + 2) * Lanes }
func (s Shape) blockLen() int    { return (s.H + 2) * s.rowLen() }
func (s Shape) with(c int) Shape { s.C = c; return s }

// at returns the index of lane 0 of pixel (y, x) of block b of image n, counted
// from the first interior pixel; -1 and H or W reach the halo.
func (s Shape) at(n, b, y, x int) int {
	return (n*s.Blocks()+b)*s.blockLen() + (y+1)*s.rowLen() + (x+1)*Lanes
}

// Act is a blocked activation. Copies share Data.
type Act[T Float] struct {
	Shape
	Data []T // Len() elements; Aligned memory is fastest, any works
}

// NewAct returns an activation of zeros, aligned to 64 bytes.
func NewAct[T Float](s Shape) Act[T] {
	if s.N < 1 || s.C < 1 || s.H < 1 || s.W < 1 {
		panic(fmt.Sprintf("kernel: shape %v has an empty axis", s))
	}
	return Act[T]{Shape: s, Data: Aligned[T](s.Len())}
}

// Aligned returns n zeros whose first element is on a 64-byte boundary, the
// size of a cache line and of the widest vector.
func Aligned[T Float](n int) []T {
	const line = 64
	size := int(unsafe.Sizeof(*new(T)))
	b := make([]T, n+line/size-1)
	skip := 0
	if len(b) > 0 {
		skip = (line - int(uintptr(unsafe.Pointer(&b[0]))%line)) % line / size
	}
	return b[skip : skip+n : skip+n]
}

// Clear zeroes everything, including halo and pad lanes. Memory needs this
// before it can serve as an Act of another shape.
func (a Act[T]) Clear() { clear(a.Data) }

// row returns w pixels of row y of plane nb = n·Blocks+b, starting at pixel 0.
func (a Act[T]) row(nb, y int) []T {
	i := nb*a.blockLen() + (y+1)*a.rowLen() + Lanes
	return a.Data[i : i+a.W*Lanes : i+a.W*Lanes]
}

// check panics unless the activation has the shape s and enough memory for it.
func (a Act[T]) check(what string, s Shape) {
	if a.Shape != s || len(a.Data) < s.Len() || s.N < 1 || s.C < 1 || s.H < 1 || s.W < 1 {
		panic(fmt.Sprintf("kernel: %s is %v with %d elements, want %v with %d", what, a.Shape, len(a.Data), s, s.Len()))
	}
}

func checkLen(what string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d", what, got, want))
	}
}

// Pack copies src, [N, C, H, W] with dst's shape, to the interior of dst. It
// leaves the halo unchanged.
func Pack[T Float](p *Pool, dst Act[T], src []T) {
	dst.check("pack: destination", dst.Shape)
	checkLen("pack: source", len(src), dst.N*dst.C*dst.H*dst.W)
	forRows(p, dst.Shape, func(nb, y int) {
		n, b := nb/dst.Blocks(), nb%dst.Blocks()
		d := dst.row(nb, y)
		lanes, plane := min(Lanes, dst.C-b*Lanes), dst.H*dst.W
		s := src[(n*dst.C+b*Lanes)*plane+y*dst.W:]
		for x := range dst.W {
			o := (*[Lanes]T)(d[x*Lanes:])
			*o = [Lanes]T{}
			for l := range lanes {
				o[l] = s[l*plane+x]
			}
		}
	})
}

// Unpack copies the interior of src to dst, [N, C, H, W].
func Unpack[T Float](p *Pool, dst []T, src Act[T]) {
	src.check("unpack: source", src.Shape)
	checkLen("unpack: destination", len(dst), src.N*src.C*src.H*src.W)
	forRows(p, src.Shape, func(nb, y int) {
		n, b := nb/src.Blocks(), nb%src.Blocks()
		s := src.row(nb, y)
		for l := range min(Lanes, src.C-b*Lanes) {
			d := dst[((n*src.C+b*Lanes+l)*src.H+y)*src.W:][:src.W]
			for x := range d {
				d[x] = s[x*Lanes+l]
			}
		}
	})
}

// taskPixels is the minimum work of a task of the elementwise loops. 8192
// pixels of a block are 256 KiB of float32 and take about 10 µs, far more than
// handing out a task costs.
const taskPixels = 8192

// forRows calls f for every row y of every plane nb of an activation.
func forRows(p *Pool, s Shape, f func(nb, y int)) {
	rows := s.N * s.Blocks() * s.H
	per := max(1, taskPixels/s.W)
	p.Run((rows+per-1)/per, func(t int) {
		for r := t * per; r < min(rows, (t+1)*per); r++ {
			f(r/s.H, r%s.H)
		}
	})
}
