// Package postprocess converts class probabilities to a mask and a mask to
// measurements.
//
//	mask := postprocess.Labels(probabilities, 0)
//	for _, m := range postprocess.Measure(mask, probabilities, classes, img.Spacing) { … }
//
// Components are 8-connected: pixels of one class that touch at a corner belong
// together, as in scikit-image's label by default.
//
// Limits: masks have fewer than 2^31 pixels; counting components takes four
// bytes per pixel. Functions are safe for concurrent use on different masks.
package postprocess

import (
	"cmp"
	"slices"

	"segd"
)

// Labels returns the most likely class of every pixel of p, [1, K, H, W]; the
// first wins a tie. With a threshold above 0, a pixel is background unless the
// total probability of its foreground classes reaches the threshold. The most
// likely of these then wins.
func Labels(p *segd.Tensor, threshold float64) *segd.Mask {
	m := segd.NewMask(p.W, p.H)
	first := 0
	if threshold > 0 {
		first = 1
	}
	best := make([]float32, p.H*p.W)
	copy(best, p.Plane(0, first))
	for i := range m.Pix {
		m.Pix[i] = uint8(first)
	}
	for k := first + 1; k < p.C; k++ {
		for i, v := range p.Plane(0, k) {
			if v > best[i] {
				best[i], m.Pix[i] = v, uint8(k)
			}
		}
	}
	if threshold > 0 {
		for i, background := range p.Plane(0, 0) {
			if 1-float64(background) < threshold {
				m.Pix[i] = 0
			}
		}
	}
	return m
}

// RemoveSmall sets components of fewer than pixels pixels to background, in
// place.
func RemoveSmall(m *segd.Mask, pixels int) {
	id, parts := components(m)
	for i, k := range id {
		if k > 0 && parts[k-1].Pixels < pixels {
			m.Pix[i] = 0
		}
	}
}

// Components numbers the connected sets of foreground pixels of a class from 1
// in the order of their first pixel; 0 is background. n is their number.
func Components(m *segd.Mask) (id []int32, n int) {
	id, parts := components(m)
	return id, len(parts)
}

// Regions counts the components of m by class. It ignores components with less
// than a hundredth of the pixels of their class, as slips of the pen.
func Regions(m *segd.Mask) (count [256]int) {
	_, parts := components(m)
	var pixels [256]int
	for _, p := range parts {
		pixels[p.Value] += p.Pixels
	}
	for _, p := range parts {
		if 100*p.Pixels >= pixels[p.Value] {
			count[p.Value]++
		}
	}
	return count
}

// KeepLargest keeps at most the given number of components of each class,
// largest first, and sets the others to background, in place. most is by class
// from 1; the first wins a tie. 0, and a class beyond most, mean no limit.
func KeepLargest(m *segd.Mask, most []int) {
	if !slices.ContainsFunc(most, func(n int) bool { return n > 0 }) {
		return
	}
	id, parts := components(m)
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(parts[b].Pixels, parts[a].Pixels) })
	var seen [256]int
	drop := make([]bool, len(parts))
	for _, i := range order {
		c := parts[i].Value
		seen[c]++
		drop[i] = c <= len(most) && most[c-1] > 0 && seen[c] > most[c-1]
	}
	for i, k := range id {
		if k > 0 && drop[k-1] {
			m.Pix[i] = 0
		}
	}
}
