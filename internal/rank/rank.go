// Package rank finds order statistics, such as the values that percentiles lie
// between, without sorting: in time linear in the number of values.
//
//	v := rank.Values(pixels, []int{len(pixels) / 2})
package rank

import (
	"math"
	"slices"
)

// Values returns the values that would stand at the given ranks, counted from 0
// and in ascending order, were values sorted. values are finite and are not
// changed; the result is the caller's. It panics where a rank is not below
// len(values).
//
// The result is exact: a histogram of the upper half of the
// bits finds the bucket of each rank, one of the lower half the value in it.
func Values(values []float32, ranks []int) []float32 {
	out := make([]float32, len(ranks))
	if len(values) < 1<<12 {
		sorted := slices.Clone(values)
		slices.Sort(sorted)
		for i, k := range ranks {
			out[i] = sorted[k]
		}
		return out
	}
	counts := make([]uint32, 1<<16)
	for _, v := range values {
		counts[orderedBits(v)>>16]++
	}
	bucket := make([]uint32, len(ranks))
	within := make([]int, len(ranks))
	for i, k := range ranks {
		bucket[i], within[i] = locate(counts, k)
	}
	for i := range ranks {
		if i == 0 || bucket[i] != bucket[i-1] {
			clear(counts)
			for _, v := range values {
				if b := orderedBits(v); b>>16 == bucket[i] {
					counts[b&0xffff]++
				}
			}
		}
		lower, _ := locate(counts, within[i])
		out[i] = fromOrderedBits(bucket[i]<<16 | lower)
	}
	return out
}

// locate returns the bucket that holds rank k and k's rank inside it.
func locate(counts []uint32, k int) (uint32, int) {
	for b, c := range counts {
		if k < int(c) {
			return uint32(b), k
		}
		k -= int(c)
	}
	panic("rank: rank beyond the values")
}

// orderedBits maps a finite float to an integer of the same order.
func orderedBits(v float32) uint32 {
	b := math.Float32bits(v)
	if b>>31 != 0 {
		return ^b
	}
	return b | 1<<31
}

func fromOrderedBits(b uint32) float32 {
	if b>>31 != 0 {
		return math.Float32frombits(b &^ (1 << 31))
	}
	return math.Float32frombits(^b)
}
