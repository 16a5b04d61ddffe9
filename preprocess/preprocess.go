// Package preprocess turns an image into the network's input and maps the
// network's output back to the original pixels.
//
// A Recipe describes the steps. It is stored in model.json and is the same for
// training and inference. Applying it gives the input tensor and a Placement,
// which maps masks and probabilities back:
//
//	r := preprocess.Recipe{Channels: 1, Normalise: "zscore", ClipLow: 0.5, ClipHigh: 99.5}
//	x, place, err := r.Apply(img) // x is [1, 1, h, w]
//	…
//	mask, err := place.Mask(prediction) // the size of img, pixel for pixel
//
// Package unet pads to the stride of the network. Without resampling, the grid
// therefore equals the image, and a mask comes back bit for bit. Images are
// never flipped or rotated here.
//
// Limits: the resampled grid has at most 16384 rows and columns and 64 Mpixel.
//
// Source: normalisation per image, as nnU-Net does for images without a
// calibrated unit (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z).
package preprocess

import (
	"fmt"
	"math"

	"segd"
)

// maxLongSide bounds Recipe.LongSide: its square is segd.MaxPixels.
const maxLongSide = 8192

// Ways to normalise, the values of Recipe.Normalise.
const (
	// ZScore subtracts the mean and divides by the standard deviation.
	ZScore = "zscore"
	// MinMax maps the lowest value to 0 and the highest to 1.
	MinMax = "minmax"
	// Fixed clips to Recipe.Window and normalises by its mean and standard
	// deviation. It uses the same values for every image, for calibrated values
	// such as Hounsfield units.
	Fixed = "fixed"
)

// Window holds the values that Fixed normalises by, in the unit of the image.
type Window struct {
	Low       float64 `json:"low"` // values are clipped to Low and High
	High      float64 `json:"high"`
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"` // standard deviation
}

// Recipe describes how an image becomes the network's input.
//
// The order is: margin, channels, clipping, normalisation, resampling.
// Statistics are computed per image and channel. They include the margin and
// exclude padding pixels and values that are not finite.
type Recipe struct {
	// Channels is 1 (grey; RGB is converted to luma by ITU-R BT.601) or 3 (RGB;
	// grey is repeated).
	Channels int `json:"channels"`
	// Normalise is ZScore, MinMax or Fixed.
	Normalise string `json:"normalise"`
	// Window holds the values for Fixed; otherwise it is zero.
	Window Window `json:"window,omitzero"`
	// ClipLow and ClipHigh are percentiles, 0..100, to which values are clipped
	// before normalisation, interpolated linearly between ranks. If both are 0,
	// or 0 and 100, nothing is clipped.
	ClipLow  float64 `json:"clip_low"`
	ClipHigh float64 `json:"clip_high"`
	// SpacingMM is the distance between pixel centres, in millimetres, to which
	// images of known spacing are resampled. 0 keeps the native grid.
	SpacingMM float64 `json:"spacing_mm,omitempty"`
	// LongSide is the length of the longer side, in pixels, to which images are
	// resampled, both sides by the same factor. 0 keeps the native grid. It is
	// for images that always show a whole object at varying resolution, such as
	// chest radiographs. It excludes SpacingMM.
	LongSide int `json:"long_side,omitempty"`
	// MinWidth and MinHeight are the minimum columns and rows of an image. A
	// smaller image gets a margin of its lowest value, equal on both sides,
	// before its statistics are computed: for networks whose training images had
	// such margins. 0 adds none. They exclude SpacingMM and LongSide.
	MinWidth  int `json:"min_width,omitempty"`
	MinHeight int `json:"min_height,omitempty"`
}

// clips reports whether the percentiles change anything.
func (r Recipe) clips() bool {
	return !(r.ClipLow == 0 && (r.ClipHigh == 0 || r.ClipHigh == 100))
}

// Valid reports whether w can normalise: its numbers are finite, Low is below
// High, and Deviation is above 0.
func (w Window) Valid() bool {
	for _, v := range []float64{w.Low, w.High, w.Mean, w.Deviation} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return w.Low < w.High && w.Deviation > 0
}

// Validate returns nil, or an error of kind segd.ErrOption that names the
// invalid field.
func (r Recipe) Validate() error {
	switch {
	case r.Channels != 1 && r.Channels != 3:
		return fmt.Errorf("preprocess: %w: channels %d, want 1 or 3", segd.ErrOption, r.Channels)
	case r.Normalise != ZScore && r.Normalise != MinMax && r.Normalise != Fixed:
		return fmt.Errorf("preprocess: %w: normalise %q, want %q, %q or %q", segd.ErrOption, r.Normalise, ZScore, MinMax, Fixed)
	case r.Normalise == Fixed && !r.Window.Valid():
		return fmt.Errorf("preprocess: %w: window %+v, want finite numbers with low < high and a deviation above 0", segd.ErrOption, r.Window)
	case r.Normalise != Fixed && r.Window != (Window{}):
		return fmt.Errorf("preprocess: %w: window set with normalise %q, which takes none", segd.ErrOption, r.Normalise)
	case r.clips() && !(r.ClipLow >= 0 && r.ClipLow < r.ClipHigh && r.ClipHigh <= 100):
		return fmt.Errorf("preprocess: %w: clip percentiles %g and %g, want 0 ≤ low < high ≤ 100", segd.ErrOption, r.ClipLow, r.ClipHigh)
	case !(r.SpacingMM >= 0) || math.IsInf(r.SpacingMM, 0):
		return fmt.Errorf("preprocess: %w: spacing_mm %g, want 0 or more", segd.ErrOption, r.SpacingMM)
	case r.LongSide < 0 || r.LongSide > maxLongSide:
		return fmt.Errorf("preprocess: %w: long_side %d, want 0 to %d", segd.ErrOption, r.LongSide, maxLongSide)
	case r.MinWidth < 0 || r.MinHeight < 0 || r.MinWidth > maxLongSide || r.MinHeight > maxLongSide:
		return fmt.Errorf("preprocess: %w: min_width %d and min_height %d, want 0 to %d", segd.ErrOption, r.MinWidth, r.MinHeight, maxLongSide)
	case (r.MinWidth > 0 || r.MinHeight > 0) && (r.SpacingMM > 0 || r.LongSide > 0):
		return fmt.Errorf("preprocess: %w: min_width or min_height combined with spacing_mm or long_side, want one kind of resizing", segd.ErrOption)
	case r.LongSide > 0 && r.SpacingMM > 0:
		return fmt.Errorf("preprocess: %w: both spacing_mm and long_side, want one", segd.ErrOption)
	}
	return nil
}

// Apply returns the network's input for img, a tensor [1, Channels, h, w], and
// the Placement that maps back to the pixels of img.
//
// h and w are the height and width of img, unless LongSide is set, or SpacingMM
// is set and the spacing of img is known, or img is smaller than MinHeight and
// MinWidth. Padding pixels and values that are not finite take the lowest value
// of the image, so every value of the tensor is finite. Apply neither keeps nor
// modifies img. Safe for concurrent use. The errors are segd.ErrOption for an
// invalid recipe, segd.ErrUnprocessable for an image with contradictory sizes,
// and segd.ErrTooLarge for a grid beyond the limits.
func (r Recipe) Apply(img *segd.Image) (*segd.Tensor, Placement, error) {
	place, err := r.Place(img)
	if err != nil {
		return nil, Placement{}, err
	}
	if place.Margin {
		img = enlarged(img, place)
	}
	native := segd.NewTensor(1, r.Channels, img.Height, img.Width)
	distinct := fill(native, img)
	valid := finitePixels(native, distinct, img.Padding)
	for c := range distinct {
		r.normalise(native.Plane(0, c), valid)
	}
	for c := distinct; c < r.Channels; c++ {
		copy(native.Plane(0, c), native.Plane(0, 0))
	}
	if place.Identity() || place.Margin {
		return native, place, nil
	}
	return resample(native, place.GridHeight, place.GridWidth), place, nil
}

// Place returns the Placement and the errors of Apply, without computing the
// tensor.
func (r Recipe) Place(img *segd.Image) (Placement, error) {
	if err := r.Validate(); err != nil {
		return Placement{}, err
	}
	if err := checkImage(img); err != nil {
		return Placement{}, err
	}
	if img.Separate && img.Channels != r.Channels {
		return Placement{}, fmt.Errorf("preprocess: %w: %d separate channels, want %d", segd.ErrUnprocessable, img.Channels, r.Channels)
	}
	return r.place(img)
}

// Grid returns the Placement for an image of the given size and spacing; see
// Place.
func (r Recipe) Grid(width, height int, spacing segd.Spacing) (Placement, error) {
	return r.place(&segd.Image{Width: width, Height: height, Spacing: spacing})
}

// place chooses the grid of the network's input.
func (r Recipe) place(img *segd.Image) (Placement, error) {
	p := Placement{Width: img.Width, Height: img.Height, GridWidth: img.Width, GridHeight: img.Height}
	if r.LongSide > 0 {
		scale := float64(r.LongSide) / float64(max(img.Width, img.Height))
		p.GridHeight = int(math.Max(1, math.Round(float64(img.Height)*scale)))
		p.GridWidth = int(math.Max(1, math.Round(float64(img.Width)*scale)))
		return p, nil
	}
	if r.MinWidth > img.Width || r.MinHeight > img.Height {
		p.Margin, p.GridWidth, p.GridHeight = true, max(img.Width, r.MinWidth), max(img.Height, r.MinHeight)
		return p, nil
	}
	if r.SpacingMM == 0 || !img.Spacing.Known() {
		return p, nil
	}
	h := math.Max(1, math.Round(float64(img.Height)*img.Spacing.RowMM/r.SpacingMM))
	w := math.Max(1, math.Round(float64(img.Width)*img.Spacing.ColMM/r.SpacingMM))
	if h > segd.MaxSide || w > segd.MaxSide || h*w > segd.MaxPixels {
		return Placement{}, fmt.Errorf("preprocess: %w: %g×%g pixels at a spacing of %g mm, limit %d a side and %d in all",
			segd.ErrTooLarge, h, w, r.SpacingMM, segd.MaxSide, segd.MaxPixels)
	}
	p.GridHeight, p.GridWidth = int(h), int(w)
	return p, nil
}

func checkImage(img *segd.Image) error {
	switch {
	case img == nil || img.Width < 1 || img.Height < 1:
		return fmt.Errorf("preprocess: %w: image has no pixels", segd.ErrUnprocessable)
	case img.Channels != 1 && img.Channels != 3:
		return fmt.Errorf("preprocess: %w: image has %d channels, want 1 or 3", segd.ErrUnprocessable, img.Channels)
	case len(img.Pix) != img.Width*img.Height*img.Channels:
		return fmt.Errorf("preprocess: %w: %d values for %d×%d pixels of %d channels",
			segd.ErrUnprocessable, len(img.Pix), img.Height, img.Width, img.Channels)
	case img.Padding != nil && len(img.Padding) != img.Width*img.Height:
		return fmt.Errorf("preprocess: %w: padding of %d pixels for %d×%d",
			segd.ErrUnprocessable, len(img.Padding), img.Height, img.Width)
	}
	return nil
}

// fill writes the channels of img into the planes of t and returns how many of
// them are distinct: a grey image fills only the first plane.
func fill(t *segd.Tensor, img *segd.Image) int {
	first := t.Plane(0, 0)
	switch {
	case img.Channels == 1:
		copy(first, img.Pix)
		return 1
	case t.C == 1:
		// Luma of ITU-R BT.601, section 2.5.1.
		for i := range first {
			p := img.Pix[3*i : 3*i+3 : 3*i+3]
			first[i] = 0.299*p[0] + 0.587*p[1] + 0.114*p[2]
		}
		return 1
	}
	red, green, blue := first, t.Plane(0, 1), t.Plane(0, 2)
	for i := range red {
		p := img.Pix[3*i : 3*i+3 : 3*i+3]
		red[i], green[i], blue[i] = p[0], p[1], p[2]
	}
	return 3
}
