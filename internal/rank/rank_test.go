package rank

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestValues compares the histograms with sorting, on values of all kinds.
func TestValues(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for name, next := range map[string]func() float32{
		"bits":     func() float32 { return float32(r.IntN(1 << 16)) },
		"signed":   func() float32 { return float32(r.NormFloat64()) },
		"few":      func() float32 { return float32(r.IntN(3) - 1) },
		"any size": func() float32 { return float32(r.NormFloat64() * math.Exp(40*r.NormFloat64())) },
		"zeros":    func() float32 { return float32(math.Copysign(0, r.Float64()-0.5)) },
	} {
		for _, n := range []int{1, 2, 100, 1 << 12, 30_000} {
			values := make([]float32, n)
			for i := range values {
				values[i] = min(max(next(), -math.MaxFloat32), math.MaxFloat32)
			}
			sorted := slices.Clone(values)
			slices.Sort(sorted)
			ranks := []int{0, n / 200, min(n/200+1, n-1), n / 2, n - 1}
			got := Values(values, ranks)
			for i, k := range ranks {
				if got[i] != sorted[k] {
					t.Errorf("%s, rank %d of %d: got %v, want %v", name, k, n, got[i], sorted[k])
				}
			}
		}
	}
}
