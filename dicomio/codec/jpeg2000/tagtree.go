package jpeg2000

import "math"

// A tagTree codes a grid of numbers that vary little between neighbours: each
// node has the minimum of the four below it (15444-1 B.10.2).
type tagTree struct {
	columns, rows int
	nodes         []tagNode // leaves first, then level by level up to the root
}

// value of a tagNode is known once low has reached it.
type tagNode struct{ low, value uint16 }

func newTagTree(columns, rows int) tagTree {
	n := 0
	for w, h := columns, rows; ; w, h = (w+1)/2, (h+1)/2 {
		n += w * h
		if w*h == 1 {
			break
		}
	}
	t := tagTree{columns: columns, rows: rows, nodes: make([]tagNode, n)}
	for i := range t.nodes {
		t.nodes[i].value = math.MaxUint16
	}
	return t
}

// below reads as much as it needs to tell whether the number at (x, y) is less
// than limit.
func (t *tagTree) below(in *bitReader, x, y, limit int) bool {
	var path [20]*tagNode // a grid has at most maxTileBlocks leaves
	n, first := 0, 0
	for w, h := t.columns, t.rows; ; w, h = (w+1)/2, (h+1)/2 {
		path[n] = &t.nodes[first+y*w+x]
		n++
		if w*h == 1 {
			break
		}
		first += w * h
		x, y = x/2, y/2
	}
	low := uint16(0)
	for i := n - 1; i >= 0; i-- {
		node := path[i]
		low = max(low, node.low)
		for int(low) < limit && low < node.value {
			if in.bit() == 1 {
				node.value = low
			} else {
				low++
			}
		}
		node.low = low
	}
	return int(path[0].value) < limit
}
