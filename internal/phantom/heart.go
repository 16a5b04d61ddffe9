package phantom

import (
	"image"
	"math"
	"math/rand/v2"

	"segd"
)

// Heart returns a short-axis cine MR image of the heart, size×size pixels, and
// the mask of the left ventricle's cavity, which is 1 inside. The image has
// bright blood in a dark ring of muscle, next to it the right ventricle, lungs,
// chest wall and the dark air around the body.
//
// The size is 16 to 4096; it takes 64 or more to look like a heart. The caller
// owns both results.
func Heart(seed uint64, size int) (*image.Gray, *segd.Mask) {
	rng := rand.New(rand.NewPCG(seed, 0x6865617274))
	f := newField(size, size)
	mask := segd.NewMask(size, size)
	between := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }

	s := float64(size)
	cx, cy := s*between(0.47, 0.55), s*between(0.44, 0.52)
	cavity := s * between(0.065, 0.1)
	wall := s * between(0.03, 0.045)
	left := ellipse{cx, cy, cavity * between(1, 1.15), cavity, between(0, math.Pi)}
	muscle := ellipse{cx, cy, left.a + wall, left.b + wall, left.turn}
	right := ellipse{cx - 1.15*(cavity+wall), cy + 0.1*cavity, cavity * 1.25, cavity * 0.85, between(1.1, 1.7)}
	body := ellipse{s / 2, s / 2, 0.46 * s, 0.36 * s, 0}
	inside := ellipse{s / 2, s / 2, 0.4 * s, 0.3 * s, 0}
	lung := ellipse{cx + 0.25*s, cy - 0.02*s, 0.11 * s, 0.2 * s, 0.2}
	other := ellipse{cx - 0.3*s, cy, 0.1 * s, 0.19 * s, -0.15}

	tissue := noise(rng, size, size, max(4, s/24))
	for y := range size {
		for x := range size {
			px, py := float64(x), float64(y)
			v := 6.0
			switch {
			case left.holds(px, py):
				mask.Pix[y*size+x] = 1
				v = 190
			case muscle.holds(px, py):
				v = 62
			case right.holds(px, py):
				v = 175
			case lung.holds(px, py), other.holds(px, py):
				v = 22
			case inside.holds(px, py):
				v = 95
			case body.holds(px, py): // fat
				v = 150
			}
			f.pix[y*size+x] = v * (1 + 0.08*tissue.pix[y*size+x])
		}
	}
	f.blur(max(0.6, s/300))
	// The coils in front of the chest make it brighter there; noise of a
	// magnitude image is Rician.
	for i := range f.pix {
		v := f.pix[i] * (1.15 - 0.3*float64(i/size)/s)
		f.pix[i] = math.Hypot(v+4*rng.NormFloat64(), 4*rng.NormFloat64())
	}
	return f.gray(), mask
}

// ellipse has its centre, half axes and the rotation of the first in radians.
type ellipse struct{ x, y, a, b, turn float64 }

func (e ellipse) holds(x, y float64) bool {
	sin, cos := math.Sincos(e.turn)
	dx, dy := x-e.x, y-e.y
	u, v := (dx*cos+dy*sin)/e.a, (dy*cos-dx*sin)/e.b
	return u*u+v*v <= 1
}
