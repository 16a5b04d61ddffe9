package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// FuzzKernels compares the forward pass, the data gradient and the weight gradient of
// a convolution of any shape with plain loops, for the kernel set of this machine. It
// also checks Winograd's algorithm, whether or not it pays, and bfloat16 against its
// reference.
func FuzzKernels(f *testing.F) {
	f.Add(uint8(0), uint8(1), uint8(5), uint8(13), uint8(12), uint8(3), uint8(0), uint64(1))
	f.Add(uint8(1), uint8(2), uint8(1), uint8(1), uint8(16), uint8(40), uint8(8), uint64(2))
	f.Add(uint8(2), uint8(1), uint8(3), uint8(31), uint8(24), uint8(17), uint8(1), uint64(3))
	f.Add(uint8(3), uint8(1), uint8(2), uint8(7), uint8(33), uint8(8), uint8(0), uint64(4))
	f.Fuzz(func(t *testing.T, g, n, h, w, out, c1, c2 uint8, seed uint64) {
		l := layer{
			g: Geometry(g % 4), n: 1 + int(n%2), h: 1 + int(h%10), w: 1 + int(w%40),
			out: 1 + int(out%40), sources: []int{1 + int(c1%40)},
		}
		if c2 > 0 {
			l.sources = append(l.sources, int(c2%40)+1)
		}
		if l.g == Down2x2 {
			l.h, l.w = 2*l.h, 2*l.w
		}
		testConvolution[float32](t, Set{}, l, int(seed>>1))
		if l.g == Conv3x3 && fastest().winograd != nil {
			if d := deviation(t, Set{}, l, int(seed>>1), false); !(d <= relativeError) {
				t.Errorf("%v: Winograd's result is off by %.2g σ", l, d)
			}
		}
		if l.g == Conv3x3 {
			compareBFloat16(t, l, seed)
		}
		testDataGradient[float32](t, Set{}, l, int(seed>>1))
		testWeightGrad[float32](t, Set{}, l, int(seed>>1))
	})
}

// FuzzRows compares the row kernels of each set with the reference: normalisation,
// ReLU, pooling, sums, bilinear sampling and their gradients. The values include
// zeros of both signs, denormal numbers and, if requested, NaN.
func FuzzRows(f *testing.F) {
	f.Add(uint8(1), false, uint64(1))
	f.Add(uint8(16), true, uint64(2))
	f.Add(uint8(63), false, uint64(3))
	f.Fuzz(func(t *testing.T, pixels uint8, nan bool, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + int(pixels%100)
		v := make([]float32, 11*n*Lanes)
		for i := range v {
			switch v[i] = 2*r.Float32() - 1; r.IntN(16) {
			case 0:
				v[i] = 0
			case 1:
				v[i] = float32(math.Copysign(0, -1))
			case 2:
				v[i] *= 1e-40
			case 3:
				if nan && r.IntN(4) == 0 {
					v[i] = float32(math.NaN())
				}
			}
		}
		ref := genericOps[float32]()
		for _, o := range sets() {
			if err := compareRows(o, ref, n, v); err != nil {
				t.Errorf("set %s: %v", o.name, err)
			}
			if err := compareSumRows(o, ref, n, v[:3*n*Lanes]); err != nil {
				t.Errorf("set %s: sums: %v", o.name, err)
			}
		}
	})
}
