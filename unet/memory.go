package unet

import "segd/internal/kernel"

// life is an activation and the time for which it must be kept: from the step
// that writes it to the last step that reads it.
type life struct {
	shape    kernel.Shape
	from, to int
}

// place lets activations share memory if their lives do not overlap. lives is
// ordered by from, which is unique. place returns the offset of each in a slab
// of total floats, and whether its memory last held an activation of another
// shape, so that the halo must be zeroed. "Last" wraps around, because the slab
// is reused.
//
// Each activation takes the smallest free slot that is large enough, else grows
// the largest free one, else opens another (linear scan, best fit).
func place(lives []life) (offset []int, dirty []bool, total int) {
	type slot struct {
		floats int
		until  int   // the last step of its user
		users  []int // in order
	}
	var slots []slot
	for i, l := range lives {
		need, best := align(l.shape.Len()), -1
		for j, s := range slots {
			if s.until >= l.from {
				continue
			}
			switch {
			case best < 0,
				s.floats >= need && (slots[best].floats < need || s.floats < slots[best].floats),
				s.floats < need && slots[best].floats < s.floats:
				best = j
			}
		}
		if best < 0 {
			best = len(slots)
			slots = append(slots, slot{})
		}
		s := &slots[best]
		s.floats, s.until, s.users = max(s.floats, need), l.to, append(s.users, i)
	}
	offset, dirty = make([]int, len(lives)), make([]bool, len(lives))
	for _, s := range slots {
		before := lives[s.users[len(s.users)-1]].shape
		for _, i := range s.users {
			offset[i], dirty[i] = total, lives[i].shape != before
			before = lives[i].shape
		}
		total += s.floats
	}
	return offset, dirty, total
}

// align rounds up to whole cache lines.
func align(floats int) int { return (floats + 15) &^ 15 }
