package jpeg2000

import (
	"cmp"
	"slices"
)

// A place is a precinct of a tile in its progression.
type place struct {
	comp, res, precinct int
	x, y                int // of its first sample on the reference grid
}

// maxDetours is how often a tile's progressions may come by packets that are
// read already: a hostile stream has thousands of progressions of nothing else.
const maxDetours = 1 << 22

// packets calls visit for each packet of the tile in the order of the stream,
// until there is none left or visit returns false (15444-1 B.12). Packets that
// several progressions hold come with the first.
func (t *tile) packets(visit func(c, r, p, l int) (bool, error)) error {
	volumes := t.changes
	if len(volumes) == 0 {
		volumes = []volume{{order: t.order, res1: maxLevels + 1, comp1: len(t.comps), layer1: t.layers}}
	}
	detours := 0
	for _, v := range volumes {
		v.layer1 = min(v.layer1, t.layers)
		places := t.places(v)
		detours += len(places)
		more, err := t.walk(v, places, &detours, visit)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// places lists the precincts of a volume in its order.
func (t *tile) places(v volume) []place {
	var all []place
	for c := v.comp0; c < v.comp1; c++ {
		tc := &t.comps[c]
		for r := v.res0; r < min(v.res1, len(tc.resolutions)); r++ {
			res := &tc.resolutions[r]
			n := tc.levels - r
			for p := range res.columns * res.rows {
				all = append(all, place{
					comp: c, res: r, precinct: p,
					x: max(t.x0, (res.x0>>res.precWidth+p%res.columns)<<(res.precWidth+n)),
					y: max(t.y0, (res.y0>>res.precHeight+p/res.columns)<<(res.precHeight+n)),
				})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b place) int {
		comp, res, precinct := cmp.Compare(a.comp, b.comp), cmp.Compare(a.res, b.res), cmp.Compare(a.precinct, b.precinct)
		x, y := cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)
		switch v.order {
		case orderLRCP, orderRLCP:
			return cmp.Or(res, comp, precinct)
		case orderRPCL:
			return cmp.Or(res, y, x, comp, precinct)
		case orderPCRL:
			return cmp.Or(y, x, comp, res, precinct)
		default:
			return cmp.Or(comp, y, x, res, precinct)
		}
	})
	return all
}

// walk visits the layers of places: in the orders of position layers change
// fastest, in LRCP slowest, and in RLCP slowest within a resolution.
func (t *tile) walk(v volume, places []place, detours *int, visit func(c, r, p, l int) (bool, error)) (bool, error) {
	for len(places) > 0 {
		n := 1
		switch v.order {
		case orderLRCP:
			n = len(places)
		case orderRLCP:
			for n < len(places) && places[n].res == places[0].res {
				n++
			}
		}
		for l := range v.layer1 {
			for _, at := range places[:n] {
				res := &t.comps[at.comp].resolutions[at.res]
				if int(res.layers[at.precinct]) != l { // an earlier progression had it
					if *detours++; *detours > maxDetours {
						return false, malformed("progressions repeat packets")
					}
					continue
				}
				res.layers[at.precinct]++
				if more, err := visit(at.comp, at.res, at.precinct, l); err != nil || !more {
					return false, err
				}
			}
		}
		places = places[n:]
	}
	return true, nil
}
