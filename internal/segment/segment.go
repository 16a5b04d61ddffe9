// Package segment is the pipeline from an image to its mask, the one place
// where preprocessing, network and placement meet for serving.
//
//	r, err := segment.Frame(ctx, model, pool, img, segment.Options{})
//	// r.Mask is as large as img, a class for each pixel
//	found := postprocess.Measure(r.Mask, r.Probabilities, model.Classes, img.Spacing)
//
// The frames of a scan go through Scan, which turns volumes to the planes that the
// model was trained on.
//
// The server and the command line both come through here, so the same file
// gives the same mask from either.
//
// Limits: those of package preprocess; memory is that of the image, the
// network's input and a probability per class and pixel.
package segment

import (
	"context"
	"fmt"
	"strings"
	"time"

	"segd"
	"segd/internal/turns"
	"segd/models"
	"segd/preprocess"
	"segd/unet"
)

// Options are what a user may ask for. The zero value takes the most likely
// class of each pixel.
type Options struct {
	// Threshold, in 0..1, makes a pixel foreground where its foreground
	// classes together have at least this probability; among them the most
	// likely wins. 0: the most likely class of all wins.
	Threshold float64
	// MinSize removes connected components of fewer pixels; 0 keeps all.
	MinSize int
	// TTA averages over the image and its mirror images: see Model.Predict.
	TTA bool
}

// Validate returns segd.ErrOption for a value out of range.
func (o Options) Validate() error {
	if !(o.Threshold >= 0 && o.Threshold <= 1) {
		return fmt.Errorf("segment: %w: threshold %v, want 0 to 1", segd.ErrOption, o.Threshold)
	}
	if o.MinSize < 0 {
		return fmt.Errorf("segment: %w: min_size %d, want 0 or more", segd.ErrOption, o.MinSize)
	}
	return nil
}

// fit is Validate for a model, whose head may have no use for some options.
func (o Options) fit(m *models.Model) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if list := Unused(m, o); len(list) > 0 {
		return fmt.Errorf("segment: %w: %s apply to classes, but model %s predicts values", segd.ErrOption, strings.Join(list, " and "), m.Name)
	}
	return nil
}

// Result is the outcome for one frame, with what led to it. The caller owns
// all but Image.
type Result struct {
	Image         *segd.Image  // what was segmented
	Mask          *segd.Mask   // as large as Image; of a model of classes
	Probabilities *segd.Tensor // [1, classes, H, W] on Image's pixels
	Values        []float32    // H·W of them, in the unit of the labels; of a model of values, in place of Mask and Probabilities

	Model, Version string        // of the manifest
	Network        time.Duration // time in the network itself
	GridWidth      int           // what the network saw, before its own padding
	GridHeight     int
	// Confidence is the mean, over the foreground of Mask, of the probability
	// of each pixel's class: 0..1, and nil where there is no foreground. It is
	// the network's own opinion, not calibrated.
	Confidence *float64
	Steps      []string // what was done to Image's pixels, in order, in words
	Warnings   []string // what a user should know about the result
}

// Frame segments one image with the model, whose network runs on pool.
//
// img is kept in the Result and not changed. Safe for concurrent use. Errors
// come from the stages, and are segd.ErrOption for options that the model has no use
// for; when ctx ends, so does the call, with its error, after the stage in progress
// or one layer of the network. There shorter requests pass that of ctx: see package
// turns.
func Frame(ctx context.Context, m *models.Model, pool *unet.Pool, img *segd.Image, o Options) (*Result, error) {
	r, err := plane(ctx, m, pool, img, o)
	if err != nil {
		return nil, err
	}
	if err := turns.Next(ctx); err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	headOf(m).finish(r)
	return r, nil
}

// plane is Frame without what the result says of a whole frame.
func plane(ctx context.Context, m *models.Model, pool *unet.Pool, img *segd.Image, o Options) (*Result, error) {
	if err := o.fit(m); err != nil {
		return nil, err
	}
	r, t, err := predict(ctx, m, pool, img, o)
	if err != nil {
		return nil, err
	}
	if err := headOf(m).decode(ctx, r, t, m, o); err != nil {
		return nil, err
	}
	r.explain(m, o)
	return r, nil
}

// predict returns what the network gives, [1, K, H, W] on the image's own pixels,
// and a Result that says what went in.
func predict(ctx context.Context, m *models.Model, pool *unet.Pool, img *segd.Image, o Options) (*Result, *segd.Tensor, error) {
	if err := m.Load(ctx, pool); err != nil { // before the clock
		return nil, nil, err
	}
	if err := turns.Next(ctx); err != nil {
		return nil, nil, fmt.Errorf("segment: %w", err)
	}
	r, x, place, err := prepare(m, img)
	if err != nil {
		return nil, nil, err
	}
	turns.AtLeast(ctx, length(m, x.W, x.H, o)) // the grid may be finer than the image
	start := time.Now()
	t, err := m.Predict(ctx, pool, x, o.TTA)
	if err != nil {
		return nil, nil, err
	}
	r.Network = time.Since(start)
	if err := turns.Next(ctx); err != nil {
		return nil, nil, fmt.Errorf("segment: %w", err)
	}
	if t, err = place.ToImage(t); err != nil {
		return nil, nil, err
	}
	return r, t, nil
}

// prepare returns the network's input and a Result that says what it is.
func prepare(m *models.Model, img *segd.Image) (*Result, *segd.Tensor, preprocess.Placement, error) {
	if err := checkChannels(m, img); err != nil {
		return nil, nil, preprocess.Placement{}, err
	}
	x, place, err := m.Recipe.Apply(img)
	if err != nil {
		return nil, nil, place, err
	}
	return newResult(m, img, place), x, place, nil
}

// checkChannels refuses an image whose channels are not those of the model.
func checkChannels(m *models.Model, img *segd.Image) error {
	separate := 0
	if img.Separate {
		separate = img.Channels
	}
	return m.CheckChannels(separate)
}

func newResult(m *models.Model, img *segd.Image, p preprocess.Placement) *Result {
	return &Result{Image: img, Model: m.Name, Version: m.Version, GridWidth: p.GridWidth, GridHeight: p.GridHeight}
}

// explain writes Steps and Warnings.
func (r *Result) explain(m *models.Model, o Options) {
	step := func(format string, a ...any) { r.Steps = append(r.Steps, fmt.Sprintf(format, a...)) }
	warn := func(format string, a ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, a...)) }
	img, recipe := r.Image, m.Recipe

	switch {
	case img.Separate:
		step("channels taken as %s", strings.Join(m.Channels, ", "))
	case img.Channels == 3 && recipe.Channels == 1:
		step("colour to luma (ITU-R BT.601)")
		warn("the image is in colour, the model was trained on grey images")
	case img.Channels == 1 && recipe.Channels == 3:
		step("grey repeated as red, green and blue")
		warn("the image is grey, the model was trained on colour images")
	}
	if recipe.ClipHigh > 0 && (recipe.ClipLow > 0 || recipe.ClipHigh < 100) {
		step("clipped to percentiles %g to %g", recipe.ClipLow, recipe.ClipHigh)
	}
	step("normalised (%s)", recipe.Normalise)
	switch s := img.Spacing; {
	case r.GridWidth != img.Width && recipe.MinWidth > 0, r.GridHeight != img.Height && recipe.MinHeight > 0:
		step("margin of the lowest value: %d×%d pixels", r.GridWidth, r.GridHeight)
	case recipe.LongSide > 0:
		step("resampled to a longer side of %d pixels: %d×%d pixels", recipe.LongSide, r.GridWidth, r.GridHeight)
	case recipe.SpacingMM == 0:
	case s.Known():
		step("resampled from %g mm × %g mm, %s, to %g mm: %d×%d pixels", s.RowMM, s.ColMM, s.Source, recipe.SpacingMM, r.GridWidth, r.GridHeight)
	default:
		warn("the pixel spacing is unknown, so the image was not resampled to the %g mm that the model was trained at", recipe.SpacingMM)
	}
	step("model %s %s", r.Model, r.Version)
	if m.Options().BFloat16 {
		step("factors of 3×3 convolutions rounded to bfloat16")
	}
	if n := len(m.Members); n > 0 {
		step("mean of %d networks", n+1)
	}
	if o.TTA {
		step("mean over the image and its three mirror images")
	}
	if r.GridWidth != img.Width || r.GridHeight != img.Height {
		step("%s put back onto %d×%d pixels", headOf(m).noun(), img.Width, img.Height)
	}
	r.Steps = append(r.Steps, headOf(m).steps(m, o)...)
}
