package preprocess

import (
	"math"

	"segd"
)

// taps are the weights of the input pixels, from first on, for one output
// pixel.
type taps struct {
	first  int
	weight []float32
}

// filter returns the taps that resample a line of from pixels to n. The filter
// is a triangle around the centre of each output pixel. It extends one input
// pixel to each side (bilinear) or, when shrinking, one output pixel, which
// prevents aliasing. Weights sum to 1; taps beyond the edge are omitted.
func filter(from, n int) []taps {
	scale := float64(from) / float64(n)
	support := math.Max(1, scale)
	out := make([]taps, n)
	for i := range out {
		mid := (float64(i)+0.5)*scale - 0.5
		lo := max(0, int(math.Ceil(mid-support)))
		hi := min(from-1, int(math.Floor(mid+support)))
		weight := make([]float32, hi-lo+1)
		var sum float64
		for j := range weight {
			sum += math.Max(0, 1-math.Abs(float64(lo+j)-mid)/support)
		}
		for j := range weight {
			weight[j] = float32(math.Max(0, 1-math.Abs(float64(lo+j)-mid)/support) / sum)
		}
		out[i] = taps{first: lo, weight: weight}
	}
	return out
}

// resample returns t with planes of h×w pixels. The two axes are independent:
// columns come first, then rows.
func resample(t *segd.Tensor, h, w int) *segd.Tensor {
	out := segd.NewTensor(t.N, t.C, h, w)
	across, down := filter(t.W, w), filter(t.H, h)
	narrow := make([]float32, t.H*w)
	for n := range t.N {
		for c := range t.C {
			plane, dst := t.Plane(n, c), out.Plane(n, c)
			for y := range t.H {
				resampleRow(narrow[y*w:(y+1)*w], plane[y*t.W:(y+1)*t.W], across)
			}
			for y, tap := range down {
				row := dst[y*w : (y+1)*w]
				for j, k := range tap.weight {
					src := narrow[(tap.first+j)*w:][:len(row)]
					for x := range row {
						row[x] += k * src[x]
					}
				}
			}
		}
	}
	return out
}

func resampleRow(dst, src []float32, across []taps) {
	for x, tap := range across {
		var v float32
		for j, s := range src[tap.first:][:len(tap.weight)] {
			v += tap.weight[j] * s
		}
		dst[x] = v
	}
}
