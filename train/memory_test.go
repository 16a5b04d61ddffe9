package train

import (
	"errors"
	"testing"

	"segd"
	"segd/unet"
)

// If memory is short, first activations are recomputed, then the batch is reduced,
// and finally the plan is refused.
func TestFit(t *testing.T) {
	plan := func(norm unet.Norm) Plan {
		return Plan{Network: unet.Config{Channels: 1, Classes: 2, Width: 16, Depth: 4, Norm: norm}.WithDefaults(), Batch: 8, PatchHeight: 256, PatchWidth: 256,
			EpochSteps: 10, Data: Fingerprint{MaxWidth: 256, MaxHeight: 256}}
	}
	memory := func(recompute bool) int64 {
		p := plan(unet.NormBatch)
		p.Recompute = recompute
		n, err := p.memory()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	whole, again := memory(false), memory(true)
	if again >= whole {
		t.Fatalf("recomputed %d bytes, otherwise %d", again, whole)
	}
	for _, tt := range []struct {
		name      string
		norm      unet.Norm
		limit     int64
		fixed     bool
		recompute bool
		smaller   bool
	}{
		{"enough", unet.NormBatch, 2 * whole, false, false, false},
		{"a little short", unet.NormBatch, again/2*3 + 3, false, true, false},
		{"short", unet.NormBatch, again, false, true, true},
		{"short, batch fixed", unet.NormBatch, again, true, true, false},
		{"short, nothing to recompute", unet.NormNone, whole, false, false, true},
	} {
		p := plan(tt.norm)
		if err := p.fit(tt.limit, tt.fixed); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if p.Recompute != tt.recompute || (p.Batch < 8) != tt.smaller {
			t.Errorf("%s: recompute %t, batch %d; want %t, smaller %t", tt.name, p.Recompute, p.Batch, tt.recompute, tt.smaller)
		}
	}
	p := plan(unet.NormBatch)
	if err := p.fit(again/4, false); !errors.Is(err, segd.ErrOption) {
		t.Errorf("a quarter: %v, want segd.ErrOption", err)
	}
}

// TestMemoryEstimate: the plan's estimate for a step equals its measured memory, for
// each kind of network, including dense and nested ones with gates.
func TestMemoryEstimate(t *testing.T) {
	for _, c := range []unet.Config{
		{}, {Skip: unet.SkipAdd}, {Skip: unet.SkipNone}, {Block: unet.BlockResidual}, {Block: unet.BlockDense},
		{Attention: true}, {Block: unet.BlockDense, Attention: true},
		{Skip: unet.SkipNested}, {Skip: unet.SkipNested, Block: unet.BlockDense}, {Skip: unet.SkipNested, Block: unet.BlockResidual},
	} {
		c.Channels, c.Classes, c.Width, c.Depth = 1, 2, 16, 3
		c = c.WithDefaults()
		for _, again := range []bool{false, true} {
			p := Plan{Network: c, Batch: 2, PatchHeight: 64, PatchWidth: 64, Recompute: again}
			weights := unet.NewParams(c, 1)
			tr, err := unet.NewTrainer(c, weights, p.Batch, p.PatchHeight, p.PatchWidth, unet.TrainerOptions{Recompute: again})
			if err != nil {
				t.Fatal(err)
			}
			takes := tr.Bytes()
			if err := tr.Close(); err != nil {
				t.Fatal(err)
			}
			says, err := p.memory()
			if err != nil {
				t.Fatal(err)
			}
			if says -= baseMemory + int64(4*paramCopies*weights.Count()); says != takes {
				t.Errorf("%v blocks, %v skips, gates %t, recompute %t: %d bytes, the plan says %d", c.Block, c.Skip, c.Attention, again, takes, says)
			}
		}
	}
}
