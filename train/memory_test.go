package train

import (
	"errors"
	"testing"

	"segd"
	"segd/unet"
)

// Where memory is short activations are computed again, then the batch becomes
// smaller, then the plan is refused.
func TestFit(t *testing.T) {
	plan := func(norm unet.Norm) Plan {
		return Plan{Network: unet.Config{Channels: 1, Classes: 2, Width: 16, Depth: 4, Norm: norm}.WithDefaults(), Batch: 8, PatchHeight: 256, PatchWidth: 256,
			EpochSteps: 10, Data: Fingerprint{MaxWidth: 256, MaxHeight: 256}}
	}
	whole, again := plan(unet.NormBatch), plan(unet.NormBatch)
	again.Recompute = true
	if again.memory() >= whole.memory() {
		t.Fatalf("computed again %d bytes, else %d", again.memory(), whole.memory())
	}
	for _, tt := range []struct {
		name      string
		norm      unet.Norm
		limit     int64
		fixed     bool
		recompute bool
		smaller   bool
	}{
		{"enough", unet.NormBatch, 2 * whole.memory(), false, false, false},
		{"a little short", unet.NormBatch, again.memory()/2*3 + 3, false, true, false},
		{"short", unet.NormBatch, again.memory(), false, true, true},
		{"short, batch fixed", unet.NormBatch, again.memory(), true, true, false},
		{"short, nothing to compute again", unet.NormNone, whole.memory(), false, false, true},
	} {
		p := plan(tt.norm)
		if err := p.fit(tt.limit, tt.fixed); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if p.Recompute != tt.recompute || (p.Batch < 8) != tt.smaller {
			t.Errorf("%s: computed again %t, batch %d; want %t, smaller %t", tt.name, p.Recompute, p.Batch, tt.recompute, tt.smaller)
		}
	}
	p := plan(unet.NormBatch)
	if err := p.fit(again.memory()/4, false); !errors.Is(err, segd.ErrOption) {
		t.Errorf("a quarter: %v, want segd.ErrOption", err)
	}
}

// TestMemoryEstimate: what a plan says of a step is no less than what one takes, by
// little, for each kind of network whose figures memory.go names.
func TestMemoryEstimate(t *testing.T) {
	for _, c := range []unet.Config{
		{}, {Skip: unet.SkipAdd}, {Skip: unet.SkipNone}, {Block: unet.BlockResidual}, {Block: unet.BlockDense}, {Skip: unet.SkipNested},
	} {
		c.Channels, c.Classes, c.Width, c.Depth = 1, 2, 16, 3
		c = c.WithDefaults()
		for _, again := range []bool{false, true} {
			p := Plan{Network: c, Batch: 2, PatchHeight: 128, PatchWidth: 128, Recompute: again}
			tr, err := unet.NewTrainer(c, unet.NewParams(c, 1), p.Batch, p.PatchHeight, p.PatchWidth, unet.TrainerOptions{Recompute: again})
			if err != nil {
				t.Fatal(err)
			}
			takes := tr.Bytes()
			if err := tr.Close(); err != nil {
				t.Fatal(err)
			}
			says := p.memory() - baseMemory - int64(4*paramCopies*p.weights())
			if takes > says || takes < says/2 {
				t.Errorf("%v blocks, %v skips, computed again %t: %d bytes, the plan says %d", c.Block, c.Skip, again, takes, says)
			}
		}
	}
}
