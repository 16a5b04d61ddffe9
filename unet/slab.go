package unet

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
	"segd/unet/op"
)

// usage is the memory of activations and gradients, in elements: the shared
// size, and the size without sharing.
type usage struct{ shared, apart int }

// slab assigns activations and their gradients places in one block of memory;
// those that are not needed at the same time share a place. Otherwise each
// operation would keep a buffer of its own forever.
type slab struct {
	nodes  []*G.Node
	lives  []life
	offset []int
	dirty  []bool
	total  int // elements
}

// layOut assigns a place to the output of each operation of package op.
func layOut(g *G.ExprGraph) (slab, error) {
	order, err := G.Sort(g) // in the machine's order
	if err != nil {
		return slab{}, fmt.Errorf("unet: %w", err)
	}
	slices.Reverse(order)
	last := map[int64]int{}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		use := i
		if _, ours := op.Output(n.Op()); !ours {
			// The library's sum of two gradients overwrites the first, which
			// therefore lives as long as the sum.
			use = max(i, last[n.ID()])
		}
		for it := g.From(n.ID()); it.Next(); {
			id := it.Node().ID()
			last[id] = max(last[id], use)
		}
	}
	var s slab
	for i, n := range order {
		if shape, ok := op.Output(n.Op()); ok {
			s.nodes = append(s.nodes, n)
			s.lives = append(s.lives, life{shape: shape, from: i, to: max(i, last[n.ID()])})
		}
	}
	s.offset, s.dirty, s.total = place(s.lives)
	return s, nil
}

// allocate allocates the memory and gives each operation its part.
func (s slab) allocate() usage {
	memory, u := kernel.Aligned[float32](s.total), usage{shared: s.total}
	for i, n := range s.nodes {
		size := s.lives[i].shape.Len()
		op.Place(n.Op(), memory[s.offset[i]:][:size], s.dirty[i])
		u.apart += size
	}
	return u
}
