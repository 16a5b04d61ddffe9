package check

import (
	"fmt"

	"segd/internal/postprocess"
	"segd/internal/scanio"
)

// changedError says how a copy differs from its source.
type changedError string

func (e changedError) Error() string { return "the copy would differ from its source: " + string(e) }

func changed(format string, a ...any) error { return changedError(fmt.Sprintf(format, a...)) }

// compare reads corrected files back and compares them with the drawing they were
// made from. Each ink other than background must have as many pixels and connected
// parts as its class or object, in the same places. For soft edges, the parts must be
// the same wherever the edge is cut, from a quarter to three quarters of the way.
func (s *source) compare(m *mended) (*Softened, error) {
	mask, err := scanio.ReadMask(m.label)
	if err != nil {
		return nil, err
	}
	if mask.Width != s.d.Width || mask.Height != s.d.Height {
		return nil, changed("%d×%d pixels, not %d×%d", mask.Width, mask.Height, s.d.Width, s.d.Height)
	}
	copied := make([]uint16, len(mask.Pix))
	for i, v := range mask.Pix {
		copied[i] = uint16(v)
	}
	switch s.v.act {
	case actCut:
		return s.compareCut(copied)
	case actInstances:
		for i, n := range s.pix {
			if want := uint16(s.classes[n]); copied[i] != want {
				return nil, changed("pixel %d has class %d, not %d", i, copied[i], want)
			}
		}
		objects, err := scanio.ReadDrawing(m.instances, 0)
		if err != nil {
			return nil, err
		}
		copied = make([]uint16, len(objects.Pix))
		for i, v := range objects.Pix {
			copied[i] = uint16(objects.Shades[v].Value)
		}
	}
	return nil, s.compareParts(copied)
}

// tally counts what a value draws.
type tally struct{ pixels, parts int }

func tallies(pix []uint16, width, height int) map[int]tally {
	all := map[int]tally{}
	_, parts := postprocess.Parts(pix, width, height)
	for _, p := range parts {
		t := all[p.Value]
		all[p.Value] = tally{t.pixels + p.Pixels, t.parts + 1}
	}
	return all
}

// compareParts compares values with the inks they were made from: each ink except
// background has one value, and each value one ink.
func (s *source) compareParts(copied []uint16) error {
	value := map[uint16]uint16{} // of an ink
	for i, n := range s.pix {
		if v, ok := value[n]; ok && v != copied[i] {
			return changed("%s became %d and %d", s.inks[n], v, copied[i])
		}
		value[n] = copied[i]
	}
	was, is := tallies(s.pix, s.d.Width, s.d.Height), tallies(copied, s.d.Width, s.d.Height)
	taken := map[uint16]uint16{}
	for n, v := range value {
		if ground := s.classes[n] == 0; ground {
			if v != 0 {
				return changed("%s, background, became %d", s.inks[n], v)
			}
			continue
		}
		if other, twice := taken[v]; twice || v == 0 {
			return changed("%s and %s both became %d", s.inks[n], s.inks[other], v)
		}
		taken[v] = n
		if a, b := was[int(n)], is[int(v)]; a != b {
			return changed("%s has %d pixels in %d connected parts, but %d in %d as %d", s.inks[n], a.pixels, a.parts, b.pixels, b.parts, v)
		}
	}
	return nil
}

// compareCut compares a mask with the soft one it was cut from, at a quarter, half
// and three quarters of the way from one level to the other. The parts of the class
// must correspond one to one, each inside the other, and so must those of its
// background.
func (s *source) compareCut(copied []uint16) (*Softened, error) {
	way := make([]float64, len(s.inks))
	for i, k := range s.inks {
		way[i], _ = onLine(k, s.v.low, s.v.high)
	}
	result := &Softened{}
	cuts := [3][]uint16{}
	for c, at := range []float64{0.25, 0.5, 0.75} {
		cuts[c] = make([]uint16, len(s.pix))
		for i, n := range s.pix {
			if way[n] >= at {
				cuts[c][i] = 1
			}
			if k := s.inks[n]; c == 0 && k != s.v.low && k != s.v.high {
				result.Moved++
			}
		}
	}
	for i, v := range cuts[1] {
		if copied[i] != v {
			return nil, changed("pixel %d has class %d, not %d", i, copied[i], v)
		}
	}
	for c := range 2 {
		// With each cut the class shrinks and its background grows.
		if what := s.nested(cuts[c+1], cuts[c], 1); what != "" {
			return nil, changed("cut at half, a connected part of the mask %s", what)
		}
		if what := s.nested(cuts[c], cuts[c+1], 0); what != "" {
			return nil, changed("cut at half, a hole or a gap of the mask %s", what)
		}
	}
	result.Parts = tallies(copied, s.d.Width, s.d.Height)[1].parts
	return result, nil
}

// nested checks that each part of value in large contains exactly one part in small,
// which lies within large. It returns a description of any violation.
func (s *source) nested(small, large []uint16, value int) string {
	in, outer := postprocess.Parts(large, s.d.Width, s.d.Height)
	of, inner := postprocess.Parts(small, s.d.Width, s.d.Height)
	held := make([]int32, len(outer)+1) // the part of small within each part of large
	for i, n := range of {
		if inner[n-1].Value != value {
			continue
		}
		if h := held[in[i]]; h != 0 && h != n {
			return "would merge with another or fall apart"
		}
		held[in[i]] = n
	}
	for i, p := range outer {
		if p.Value == value && held[i+1] == 0 {
			return "would vanish"
		}
	}
	return ""
}
