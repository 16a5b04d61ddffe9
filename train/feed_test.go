package train

import (
	"testing"

	"segd"
	"segd/train/augment"
	"segd/train/dataset"
)

// Making a whole batch, as for the training loop.
func BenchmarkBatch(b *testing.B) {
	e := augment.Sample{X: segd.NewTensor(1, 1, 256, 256), Y: make([]uint8, 256*256)}
	for i := range e.X.Data {
		e.X.Data[i] = float32(i)
		if y, x := i/256, i%256; y >= 128 && y < 132 && x >= 128 && x < 132 {
			e.Y[i] = 1
		}
	}
	e.Spots = augment.Spots(e.Y, 2)
	p, err := newPlan(Options{}, Fingerprint{Channels: 1, Classes: 2, MedianHeight: 256, MedianWidth: 256}, make([]string, 60), nil)
	if err != nil {
		b.Fatal(err)
	}
	f := feeder{plan: &p, examples: []example{{Case: &dataset.Case{ID: "ramp"}, Sample: e}}}
	step := 0
	for b.Loop() {
		if _, err := f.batch(b.Context(), step); err != nil {
			b.Fatal(err)
		}
		step++
	}
	b.ReportMetric(float64(p.Batch)*float64(b.N)/b.Elapsed().Seconds(), "patches/s")
}
