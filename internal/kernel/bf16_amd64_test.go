//go:build amd64 && !purego

package kernel

import (
	"math"
	"slices"
	"testing"

	"golang.org/x/sys/cpu"
)

// TestBFloat16Instructions checks that the processor rounds exactly like roundBF16,
// two numbers at a time or one, on the results of the AVX-512 transforms. The
// following sums of products differ only in their order.
func TestBFloat16Instructions(t *testing.T) {
	x := &cpu.X86
	if !x.HasAVX512BF16 || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL {
		t.Skip("no AVX512-BF16")
	}
	low, wide := winogradBF16(), winogradAVX512(whole)
	const tiles, lanes, rows = 3, 16, 8
	r := newRand(1)
	in := randSlice[float32](r, 6*(4*tiles+2)*Lanes*2)
	for i, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), 1e-40, 3e38, float32(math.Copysign(0, -1))} {
		in[40*i] = v
	}
	tmp := Aligned[float32](planes * lanes)
	blk, row := 6*(4*tiles+2)*Lanes*4, (4*tiles+2)*Lanes*4
	want, got := make([]float32, planes*tiles*lanes), make([]float32, planes*tiles*lanes/2)
	wide.input(&want[0], &in[0], &tmp[0], blk, row, tiles*lanes*4, tiles)
	low.input(&got[0], &in[0], &tmp[0], blk, row, tiles*lanes*2, tiles)
	roundBF16(want)
	for i, v := range want { // two neighbouring lanes per element
		half := math.Float32bits(got[i/2]) >> (i % 2 * 16) & 0xffff
		if bits := math.Float32bits(v) >> 16; half != bits {
			t.Fatalf("V: element %d is %04x, want %04x", i, half, bits)
		}
	}
	for _, wideW := range []int{lanes, Lanes} {
		w := randSlice[float32](r, 9*rows*wideW+lanes)
		w[3], w[20] = 1e-40, float32(math.NaN())
		want, got := make([]float32, planes*rows*lanes), make([]float32, planes*rows*lanes/2)
		a, b := wide.filter, low.filter
		if wideW < lanes {
			a, b = wide.halfFilter, low.halfFilter
		}
		a(&want[0], &w[0], &tmp[0], rows*wideW*4, wideW*4, rows*lanes*4, lanes*4, rows)
		b(&got[0], &w[0], &tmp[0], rows*wideW*4, wideW*4, rows*lanes*2, lanes*4, rows)
		roundBF16(want)
		for p := range planes {
			for i := range rows {
				for l := range lanes {
					half := math.Float32bits(got[(p*rows/2+i/2)*lanes+l]) >> (i % 2 * 16) & 0xffff
					if bits := math.Float32bits(want[(p*rows+i)*lanes+l]) >> 16; half != bits {
						t.Fatalf("U of %d lanes: plane %d, row %d, lane %d is %04x, want %04x", wideW, p, i, l, half, bits)
					}
				}
			}
		}
	}
	list := slices.DeleteFunc(sets(), func(o *ops[float32]) bool { return o.name != "avx512" })
	for i, l := range winogradLayers() {
		if d, _ := bf16Difference(t, l, uint64(i), list); !(d <= relativeError) {
			t.Errorf("%v: off by %.2g σ, want %.0g", l, d, relativeError)
		}
	}
}

// TestPairedTiles checks that pairedTiles, on which the choice of algorithm depends
// on every machine, matches the existing kernels.
func TestPairedTiles(t *testing.T) {
	var got []int
	for _, of := range winogradBF16().product {
		got = append(got, len(of))
	}
	if !slices.Equal(got, pairedTiles) {
		t.Errorf("kernels for %v tiles by vectors of outputs, pairedTiles says %v", got, pairedTiles)
	}
}
