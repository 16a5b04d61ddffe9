package preprocess

import (
	"fmt"
	"math"

	"segd"
)

// Placement says where the network's grid lies on the original image: both
// cover the same rectangle, edge to edge, the grid with GridHeight rows and
// GridWidth columns of pixels, the image with Height and Width. With a margin
// the grid has the image's own pixels in its middle.
type Placement struct {
	Width, Height         int  // of the original image
	GridWidth, GridHeight int  // of the network's input
	Margin                bool // around the image
}

// Identity reports whether the grid is the image's own.
func (p Placement) Identity() bool { return p.Width == p.GridWidth && p.Height == p.GridHeight }

// ToImage maps t, probabilities or values [N, K, GridHeight, GridWidth], onto the
// original pixels: [N, K, Height, Width], bilinear between pixel centres and
// averaged over the area where the grid is finer than the image. Sums over the
// classes are kept to the rounding of float32. On the identity grid the result is
// t itself. Safe for concurrent use. A tensor of another size is
// segd.ErrUnprocessable.
func (p Placement) ToImage(t *segd.Tensor) (*segd.Tensor, error) {
	if err := checkTensor(t, p.GridHeight, p.GridWidth); err != nil {
		return nil, err
	}
	switch {
	case p.Identity():
		return t, nil
	case p.Margin:
		return moved(t, p.Width, p.Height, 0), nil
	}
	return resample(t, p.Height, p.Width), nil
}

// Mask maps m, of the grid's size, onto the original pixels: each takes the
// class of the grid pixel that its centre lies in. On the identity grid the
// result is m itself. Safe for concurrent use. A mask of another size is
// segd.ErrUnprocessable.
func (p Placement) Mask(m *segd.Mask) (*segd.Mask, error) {
	if err := checkMask(m, p.GridHeight, p.GridWidth); err != nil {
		return nil, err
	}
	if p.Margin {
		return movedMask(m, p.Width, p.Height), nil
	}
	return nearest(m, p.Height, p.Width), nil
}

// ToGrid is the opposite of ToImage: it maps values of the original image's
// pixels, [N, K, Height, Width], onto the network's grid, as training needs them.
// What a NaN takes part in becomes NaN, and so does a margin. Errors are those
// of ToImage.
func (p Placement) ToGrid(t *segd.Tensor) (*segd.Tensor, error) {
	if err := checkTensor(t, p.Height, p.Width); err != nil {
		return nil, err
	}
	switch {
	case p.Identity():
		return t, nil
	case p.Margin:
		return moved(t, p.GridWidth, p.GridHeight, float32(math.NaN())), nil
	}
	return resample(t, p.GridHeight, p.GridWidth), nil
}

// Labels is the opposite of Mask: it maps a mask of the original image onto
// the network's grid, as training needs it. A margin is background.
func (p Placement) Labels(m *segd.Mask) (*segd.Mask, error) {
	if err := checkMask(m, p.Height, p.Width); err != nil {
		return nil, err
	}
	if p.Margin {
		return movedMask(m, p.GridWidth, p.GridHeight), nil
	}
	return nearest(m, p.GridHeight, p.GridWidth), nil
}

func checkTensor(t *segd.Tensor, h, w int) error {
	if t == nil || t.H != h || t.W != w || len(t.Data) != t.N*t.C*t.H*t.W {
		return fmt.Errorf("preprocess: %w: tensor of another size, want %d×%d pixels", segd.ErrUnprocessable, h, w)
	}
	return nil
}

func checkMask(m *segd.Mask, h, w int) error {
	if m == nil || m.Height != h || m.Width != w || len(m.Pix) != h*w {
		return fmt.Errorf("preprocess: %w: mask of another size, want %d×%d pixels", segd.ErrUnprocessable, h, w)
	}
	return nil
}

// nearest resamples m to h×w pixels, or returns m where it has that size.
func nearest(m *segd.Mask, h, w int) *segd.Mask {
	if m.Height == h && m.Width == w {
		return m
	}
	columns := make([]int, w)
	for x := range columns {
		columns[x] = centre(x, w, m.Width)
	}
	out := segd.NewMask(w, h)
	for y := range h {
		row := m.Pix[centre(y, h, m.Height)*m.Width:][:m.Width]
		dst := out.Pix[y*w : (y+1)*w]
		for x, sx := range columns {
			dst[x] = row[sx]
		}
	}
	return out
}

// centre returns which of from pixels the centre of pixel i of n lies in, in
// whole numbers so that no rounding can move it: floor((i + ½)·from/n).
func centre(i, n, from int) int { return (2*i + 1) * from / (2 * n) }
