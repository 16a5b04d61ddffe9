package postprocess

import "segd"

// Part is a connected set of pixels of one value.
type Part struct {
	Value  int
	Pixels int
}

// Parts numbers the connected sets of pixels of each value, including 0, from 1
// in the order of their first pixel. Pixels connect by edges and corners.
func Parts(pix []uint16, width, height int) (id []int32, parts []Part) {
	return parted(pix, width, height, func(uint16) bool { return true })
}

// components numbers the connected sets of foreground pixels from 1 in the
// order of their first pixel; 0 is background.
func components(m *segd.Mask) (id []int32, parts []Part) {
	return parted(m.Pix, m.Width, m.Height, func(v uint8) bool { return v != 0 })
}

// parted numbers the connected sets of pixels whose value counts.
//
// It uses the two passes of Rosenfeld and Pfaltz (1966). The first gives a
// pixel the label of an earlier neighbour with its value, or a new one, and
// notes which labels touch. The second numbers the sets of labels.
func parted[V uint8 | uint16](pix []V, width, height int, counts func(V) bool) (id []int32, parts []Part) {
	id = make([]int32, len(pix))
	labels := labelSets{parent: []int32{0}}
	var values []V // of the labels from 1 on
	for y := range height {
		for x := range width {
			i := y*width + x
			value := pix[i]
			if !counts(value) {
				continue
			}
			// of is the label of the pixel dx beside this in the row that starts
			// at row; 0 if it is of another value.
			of := func(row, dx int) int32 {
				if j := row + x + dx; row >= 0 && x+dx >= 0 && x+dx < width && pix[j] == value {
					return id[j]
				}
				return 0
			}
			above := (y - 1) * width
			if k := of(above, 0); k > 0 { // its other neighbours touch it and have met
				id[i] = k
				continue
			}
			k, right := of(above+width, -1), of(above, 1)
			if k == 0 {
				k = of(above, -1) // which touches the one to the left
			}
			switch {
			case k == 0 && right == 0:
				k = labels.add()
				values = append(values, value)
			case k == 0:
				k = right
			case right > 0:
				labels.join(k, right)
			}
			id[i] = k
		}
	}
	number := labels.numbers()
	for k, n := range number[1:] {
		if int(n) > len(parts) {
			parts = append(parts, Part{Value: int(values[k])})
		}
	}
	for i, k := range id {
		if k > 0 {
			id[i] = number[k]
			parts[number[k]-1].Pixels++
		}
	}
	return id, parts
}

// labelSets are sets of labels, counted from 1. The parent of a label is a
// smaller label of its set; the smallest is its own parent.
type labelSets struct{ parent []int32 }

func (l *labelSets) add() int32 {
	k := int32(len(l.parent))
	l.parent = append(l.parent, k)
	return k
}

// smallest returns the smallest label of k's set and shortens the path to it.
func (l *labelSets) smallest(k int32) int32 {
	for l.parent[k] != k {
		l.parent[k] = l.parent[l.parent[k]]
		k = l.parent[k]
	}
	return k
}

// join merges the sets of a and b.
func (l *labelSets) join(a, b int32) {
	a, b = l.smallest(a), l.smallest(b)
	l.parent[max(a, b)] = min(a, b)
}

// numbers numbers the sets from 1, by their smallest labels, and returns the
// number of each label's set. l cannot be used afterwards.
func (l *labelSets) numbers() []int32 {
	n := int32(0)
	for k, parent := range l.parent[1:] {
		if k++; int(parent) == k {
			n++
			l.parent[k] = n
		} else {
			l.parent[k] = l.parent[parent] // which has its number
		}
	}
	return l.parent
}
