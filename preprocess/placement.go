package preprocess

import (
	"fmt"
	"math"

	"segd"
)

// Placement relates the network's grid to the original image. Both cover the
// same rectangle, edge to edge: the grid with GridHeight rows and GridWidth
// columns, the image with Height and Width. With a margin, the original pixels
// are in the middle of the grid.
type Placement struct {
	Width, Height         int  // of the original image
	GridWidth, GridHeight int  // of the network's input
	Margin                bool // around the image
}

// Identity reports whether the grid equals the pixels of the image.
func (p Placement) Identity() bool { return p.Width == p.GridWidth && p.Height == p.GridHeight }

// ToImage maps probabilities or values t, [N, K, GridHeight, GridWidth], to the
// original pixels, [N, K, Height, Width]. It interpolates bilinearly between
// pixel centres, and averages over areas where the grid is finer than the
// image. Sums over the classes are preserved up to the rounding of float32. On
// the identity grid it returns t itself. Safe for concurrent use. A tensor of
// another size is segd.ErrUnprocessable.
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

// Mask maps m, a mask on the grid, to the original pixels. Each pixel takes the
// class of the grid pixel that contains its centre. On the identity grid it
// returns m itself. Safe for concurrent use. A mask of another size is
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

// ToGrid is the opposite of ToImage: it maps values on the original pixels, [N,
// K, Height, Width], to the network's grid, as training needs them. A NaN
// spreads to every value that it contributes to, and a margin is NaN. Errors
// are those of ToImage.
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

// Labels is the opposite of Mask: it maps a mask on the original pixels to the
// network's grid, as training needs it. A margin is background.
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

// nearest resamples m to h×w pixels, or returns m if it has that size.
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

// centre returns the index, out of from pixels, of the pixel that contains the
// centre of pixel i of n. It uses integers, so no rounding can shift it:
// floor((i + ½)·from/n).
func centre(i, n, from int) int { return (2*i + 1) * from / (2 * n) }
