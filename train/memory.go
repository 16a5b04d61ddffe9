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

	// validationFloats is for a whole image in the network: two of the first
	// level's layers at once, and the skip.
	validationFloats = 4
)

// memory returns about how many bytes a training takes beside its images. Those
// of a step, which are most of them, are exact.
func (p *Plan) memory() (int64, error) {
	o := unet.TrainerOptions{Loss: p.Loss, Recompute: p.Recompute}
	if p.Deep {
		o.Deep = unet.DeepHeads(p.Network, 0)
	}
	step, err := unet.TrainingBytes(p.Network, p.Batch, p.PatchHeight, p.PatchWidth, o)
	if err != nil {
		return 0, err
	}
	validation := validationFloats * p.Network.Width * p.Data.MaxWidth * p.Data.MaxHeight
	params := paramCopies * unet.NewParams(p.Network, 0).Count()
	return baseMemory + step + 4*int64(validation+params), nil
}

// fit has a step take no more than two thirds of limit bytes: it has normalised
// activations computed again, which leaves the results as they are, and then makes
// the batch smaller, unless that is fixed. One patch that is still too large is
// segd.ErrOption.
func (p *Plan) fit(limit int64, fixed bool) error {
	n, err := p.memory()
	if err != nil {
		return err
	}
	if n > limit/3*2 && p.Network.Norm != unet.NormNone {
		p.Recompute = true
		if n, err = p.memory(); err != nil {
			return err
		}
	}
	for !fixed && p.Batch > 1 && n > limit/3*2 {
		p.EpochSteps *= float64(p.Batch) / float64(p.Batch-1)
		p.Batch--
		if n, err = p.memory(); err != nil {
			return err
		}
	}
	if n > limit {
		return fmt.Errorf("train: %w: a step of %d patches of %d×%d takes about %d MiB, limit %d MiB: give more memory, a smaller patch, batch or width",
			segd.ErrOption, p.Batch, p.PatchHeight, p.PatchWidth, n>>20, limit>>20)
	}
	return nil
}
