package unet

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"segd/internal/kernel"
	"segd/unet/op"
)

// usage is the memory of activations and gradients, in elements: what they
// take, and what they would take if each had its own.
type usage struct{ shared, apart int }

// slab is where the activations and their gradients lie in one piece of memory:
// those that are not needed at the same time share a place. Each operation would
// otherwise keep a buffer of its own for ever.
type slab struct {
	nodes  []*G.Node
	lives  []life
	offset []int
	dirty  []bool
	total  int // elements
}

// layOut finds a place for the output of each operation of ours.
func layOut(g *G.ExprGraph) (slab, error) {
	order, err := G.Sort(g) // as the machine will
	if err != nil {
		return slab{}, fmt.Errorf("unet: %w", err)
	}
	slices.Reverse(order)
	last := map[int64]int{}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		use := i
		if _, ours := op.Output(n.Op()); !ours {
			// The library's sum of two gradients writes over the first, which so
			// lives for as long as the sum does.
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

// allocate takes the memory and gives each operation its part.
func (s slab) allocate() usage {
	memory, u := kernel.Aligned[float32](s.total), usage{shared: s.total}
	for i, n := range s.nodes {
		size := s.lives[i].shape.Len()
		op.Place(n.Op(), memory[s.offset[i]:][:size], s.dirty[i])
		u.apart += size
	}
	return u
}
