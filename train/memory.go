package train

import (
	"fmt"

	"segd"
	"segd/unet"
)

// What a training takes beside images, measured (docs/adr/0015).
const (
	baseMemory  = 192 << 20 // the program, batches ahead, an image being validated
	paramCopies = 6         // weights, their average, gradients, two moments, a backup

	// Floats of activations and gradients in a step for each pixel of a batch and
	// channel of the first level: 20.8 to 21.5 with plain blocks, 28.5 with
	// residual, 29.7 with dense ones, 44 with nested skips.
	plainFloats  = 22
	blockFloats  = 30
	nestedFloats = 2.1 // times that
	// Of these remain where normalised activations are computed again: 0.67 to 0.71
	// with plain blocks, 0.76 to 0.90 with all else.
	recomputedPlain = 0.7
	recomputedOther = 0.9
	// validationFloats is for a whole image in the network: two of the first
	// level's layers at once, and the skip.
	validationFloats = 4
)

// memory estimates the bytes that a training takes beside its images.
func (p *Plan) memory() int64 {
	floats := float64(plainFloats)
	if p.Network.Block != unet.BlockPlain {
		floats = blockFloats
	}
	if p.Network.Skip == unet.SkipNested {
		floats *= nestedFloats
	}
	switch {
	case !p.Recompute || p.Network.Norm == unet.NormNone:
	case p.Network.Block == unet.BlockPlain && p.Network.Skip != unet.SkipNested && !p.Network.Attention:
		floats *= recomputedPlain
	default:
		floats *= recomputedOther
	}
	width := float64(p.Network.Width)
	step := floats * width * float64(p.Batch*p.PatchHeight*p.PatchWidth)
	validation := validationFloats * width * float64(p.Data.MaxWidth) * float64(p.Data.MaxHeight)
	params := paramCopies * p.weights()
	return baseMemory + int64(4*(step+validation+params))
}

// weights is about how many numbers the network has, of plain blocks: two 3×3
// convolutions a level on the way down, a 2×2 and two 3×3 on the way up.
func (p *Plan) weights() (n float64) {
	below := float64(p.Network.Channels)
	for l := range p.Network.Depth + 1 {
		c := float64(p.Network.LevelWidth(l))
		n += 9 * (below*c + c*c)
		if l > 0 {
			n += 4*below*c + 27*below*below
		}
		below = c
	}
	return n
}

// fit has a step take no more than two thirds of limit bytes: it has normalised
// activations computed again, which leaves the results as they are, and then makes
// the batch smaller, unless that is fixed. One patch that is still too large is
// segd.ErrOption.
func (p *Plan) fit(limit int64, fixed bool) error {
	if p.memory() > limit/3*2 && p.Network.Norm != unet.NormNone {
		p.Recompute = true
	}
	for !fixed && p.Batch > 1 && p.memory() > limit/3*2 {
		p.EpochSteps *= float64(p.Batch) / float64(p.Batch-1)
		p.Batch--
	}
	if n := p.memory(); n > limit {
		return fmt.Errorf("train: %w: a step of %d patches of %d×%d takes about %d MiB, limit %d MiB: give more memory, a smaller patch, batch or width",
			segd.ErrOption, p.Batch, p.PatchHeight, p.PatchWidth, n>>20, limit>>20)
	}
	return nil
}
