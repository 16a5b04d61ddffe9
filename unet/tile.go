package unet

// tiling describes how a padded image is cut for the network: into tiles of one size,
// so that one plan runs them all, each of which owns a rectangle of the result. It is
// the overlap-tile strategy of Ronneberger et al. 2015, Fig. 2, except that only the
// padding to the stride extends beyond the border.
type tiling struct {
	h, w  int // of a tile
	tiles []tile
}

// tile reads from (y, x) and owns the pixels [y0,y1)×[x0,x1) of the result.
type tile struct{ y, x, y0, y1, x0, x1 int }

// margin returns how far the network sees from a pixel of the result, rounded
// up to the stride. Tiles that overlap by this much on each side give exactly
// the result of the whole image.
//
// From the head down, a block adds one pixel for each of its 3×3 convolutions,
// which lie one after the other on the longest path through every kind of
// block. A transposed convolution halves the reach. So does interpolation, but
// it sees one pixel more if the reach is even. From the bottleneck up, each
// pooling turns a reach of r into 2r+1. With nested skips no path is longer
// than the one through the bottleneck: passing a node on level l instead of one
// further down costs at most as much.
func (c Config) margin() int {
	r, block := 0, c.Convs
	for range c.Depth {
		r += block
		if c.Up == UpBilinear {
			r++
		}
		r = (r + 1) / 2
	}
	r += block
	for range c.Depth {
		r = 2*r + 1 + block
	}
	s := c.Stride()
	return (r + s - 1) / s * s
}

// cut divides an image of h×w, multiples of the stride, into tiles of at most
// budget pixels if possible, with as little overlap as possible.
func (c Config) cut(h, w, budget int) tiling {
	if h*w <= budget {
		return tiling{h, w, []tile{{0, 0, 0, h, 0, w}}}
	}
	type side struct{ n, core, length int }
	sides := func(l int) (s []side) {
		stride, m := c.Stride(), c.margin()
		for n := 1; n <= l/stride; n++ {
			core := (l/stride + n - 1) / n * stride
			if (n-1)*core >= l {
				continue // the last tile would own nothing
			}
			s = append(s, side{n, core, min(l, core+2*m)})
		}
		return s
	}
	var by, bx side
	best := -1
	for _, y := range sides(h) {
		for _, x := range sides(w) {
			cost := y.n * x.n * y.length * x.length
			if y.length*x.length > budget {
				// Too large: used only if nothing fits, and then the smallest.
				cost = y.length*x.length + 1<<40
			}
			if best < 0 || cost < best {
				best, by, bx = cost, y, x
			}
			if y.length*x.length <= budget {
				break // more columns only add overlap
			}
		}
	}
	t := tiling{h: by.length, w: bx.length}
	m := c.margin()
	for y0 := 0; y0 < h; y0 += by.core {
		for x0 := 0; x0 < w; x0 += bx.core {
			t.tiles = append(t.tiles, tile{
				y: max(0, min(y0-m, h-t.h)), x: max(0, min(x0-m, w-t.w)),
				y0: y0, y1: min(y0+by.core, h), x0: x0, x1: min(x0+bx.core, w),
			})
		}
	}
	return t
}

// mirror returns the index in [0, n) that i maps to when the image is reflected
// at its border without repeating the edge pixel.
func mirror(i, n int) int {
	if n == 1 {
		return 0
	}
	i %= 2 * (n - 1)
	if i < 0 {
		i = -i
	}
	if i >= n {
		i = 2*(n-1) - i
	}
	return i
}
