package phantom

import (
	"image"
	"math"
	"math/rand/v2"

	"segd"
)

// nucleus is an ellipse with an uneven border.
type nucleus struct {
	x, y, a, b   float64 // centre and half axes in pixels
	cos, sin     float64 // of the long axis
	wobble       [3]float64
	phase        [3]float64
	light        float64 // grey levels above the background
	texture, rim float64 // strength of chromatin, and of the darker border
}

// Micrograph returns a fluorescence micrograph of stained nuclei (DAPI or
// Hoechst, 20×) and their mask, which is 1 inside nuclei. The nuclei have radii
// of about 8 to 20 pixels. Some touch, and a few are bright or faint. The
// background is dark and uneven, with photon and camera noise.
//
// Width and height are 16 to 4096. The caller owns both results.
func Micrograph(seed uint64, width, height int) (*image.Gray, *segd.Mask) {
	rng := rand.New(rand.NewPCG(seed, 0x6e75636c6569))
	f := newField(width, height)
	mask := segd.NewMask(width, height)
	chromatin := noise(rng, width, height, 5)
	for _, n := range scatter(rng, width, height) {
		n.draw(f, mask, chromatin)
	}
	// The point spread function, and light from nuclei out of focus.
	f.blur(1.1)
	haze := &field{f.w, f.h, append([]float64(nil), f.pix...)}
	haze.blur(12)
	slope, angle := 3+3*rng.Float64(), 2*math.Pi*rng.Float64()
	for i := range f.pix {
		x, y := float64(i%width)/float64(width)-0.5, float64(i/width)/float64(height)-0.5
		v := 9 + slope*(x*math.Cos(angle)+y*math.Sin(angle)) + f.pix[i] + 0.07*haze.pix[i]
		// Photon noise grows with the square root of light; 1.2 is the camera's.
		v += rng.NormFloat64() * math.Sqrt(1.2*1.2+0.08*max(v, 0))
		f.pix[i] = v
	}
	return f.gray(), mask
}

// scatter places nuclei, one per about 2600 pixels, so that some touch but
// their centres stay apart.
func scatter(rng *rand.Rand, width, height int) []nucleus {
	want := max(2, width*height/2600)
	var list []nucleus
	for try := 0; try < 30*want && len(list) < want; try++ {
		n := newNucleus(rng, width, height)
		if len(list) > 0 && rng.Float64() < 0.3 { // grow in clusters
			by, turn := list[rng.IntN(len(list))], 2*math.Pi*rng.Float64()
			reach := math.Sqrt(by.a*by.b) + math.Sqrt(n.a*n.b)
			n.x, n.y = by.x+reach*math.Cos(turn), by.y+reach*math.Sin(turn)
		}
		free := true
		for _, o := range list {
			apart := math.Hypot(n.x-o.x, n.y-o.y)
			free = free && apart > 0.9*(math.Sqrt(n.a*n.b)+math.Sqrt(o.a*o.b))
		}
		if free {
			list = append(list, n)
		}
	}
	return list
}

func newNucleus(rng *rand.Rand, width, height int) nucleus {
	between := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	r, long := between(9, 16), between(1, 1.45)
	turn := math.Pi * rng.Float64()
	n := nucleus{
		x: between(0, float64(width)), y: between(0, float64(height)),
		a: r * math.Sqrt(long), b: r / math.Sqrt(long),
		cos: math.Cos(turn), sin: math.Sin(turn),
		light: between(55, 120), texture: between(0.07, 0.16), rim: between(0.05, 0.2),
	}
	switch u := rng.Float64(); {
	case u < 0.08: // dividing or dying: small, round and bright
		n.a, n.b, n.light, n.texture = 0.65*r, 0.6*r, between(150, 220), 0.2
	case u < 0.2:
		n.light = between(28, 45)
	}
	for i := range n.wobble {
		n.wobble[i], n.phase[i] = between(0, 0.05/float64(i+1)), 2*math.Pi*rng.Float64()
	}
	return n
}

// draw adds the light of n to f and its pixels to mask. Where two nuclei
// overlap, the brighter one shows.
func (n *nucleus) draw(f *field, mask *segd.Mask, chromatin *field) {
	reach := 1.2*max(n.a, n.b) + 1
	for y := max(0, int(n.y-reach)); y <= min(f.h-1, int(n.y+reach)); y++ {
		for x := max(0, int(n.x-reach)); x <= min(f.w-1, int(n.x+reach)); x++ {
			dx, dy := float64(x)-n.x, float64(y)-n.y
			u, v := (dx*n.cos+dy*n.sin)/n.a, (dy*n.cos-dx*n.sin)/n.b
			border, theta := 1.0, math.Atan2(v, u)
			for i, w := range n.wobble {
				border += w * math.Cos(float64(i+2)*theta+n.phase[i])
			}
			d := math.Hypot(u, v) / border
			if d > 1 {
				continue
			}
			i := y*f.w + x
			mask.Pix[i] = 1
			light := n.light * (1 - n.rim*d*d*d + n.texture*chromatin.pix[i])
			f.pix[i] = max(f.pix[i], light)
		}
	}
}
