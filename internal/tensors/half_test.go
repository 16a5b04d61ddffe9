package tensors

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestFloat16(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f float32
		h uint16
	}{
		{0, 0}, {float32(math.Copysign(0, -1)), 0x8000}, {1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff},
		{65519, 0x7bff}, {65520, 0x7c00}, {1e30, 0x7c00}, {float32(math.Inf(-1)), 0xfc00},
		{1 + 1.0/2048, 0x3c00},               // tie to even, down
		{1 + 3.0/2048, 0x3c02},               // tie to even, up
		{1 + 1.0/2048 + 1.0/(1<<20), 0x3c01}, // just above the tie
		{2 - 1.0/4096, 0x4000},               // carries into the exponent
		{1.0 / (1 << 14), 0x0400},            // smallest normal
		{1.0 / (1 << 24), 1},                 // smallest subnormal
		{1.0 / (1 << 25), 0},                 // half of it, tie to even
		{1.5 / (1 << 25), 1}, {1.0 / (1 << 26), 0},
		{(1 - 1.0/4096) / (1 << 14), 0x0400}, // subnormal that rounds to normal
	} {
		if got := Float16(c.f); got != c.h {
			t.Errorf("Float16(%v) = %#04x, want %#04x", c.f, got, c.h)
		}
	}
	// Every finite binary16 survives the round trip through float32, and a float32 is
	// converted to the nearest binary16.
	for h := range 1 << 16 {
		f := Float32of16(uint16(h))
		if got := Float16(f); got != uint16(h) && !math.IsNaN(float64(f)) {
			t.Fatalf("%#04x -> %v -> %#04x", h, f, got)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		f := float32(rng.NormFloat64() * math.Exp(4*rng.NormFloat64()))
		if math.Abs(float64(f)) > 65504 {
			continue
		}
		h := Float16(f)
		d := math.Abs(float64(Float32of16(h)) - float64(f))
		for _, o := range []uint16{h - 1, h + 1} {
			if e := math.Abs(float64(Float32of16(o)) - float64(f)); e < d {
				t.Fatalf("Float16(%v) = %#04x is %v off, %#04x only %v", f, h, d, o, e)
			}
		}
	}
	if h := Float16(float32(math.NaN())); !math.IsNaN(float64(Float32of16(h))) {
		t.Errorf("NaN becomes %#04x", h)
	}
}
