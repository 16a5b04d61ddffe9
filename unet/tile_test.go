package unet

import (
	"context"
	"math/rand/v2"
	"testing"
)

func TestTiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, norm := range []Norm{NormNone, NormBatch} {
		c := Config{Channels: 1, Classes: 2, Width: 8, Depth: 2, Norm: norm}.WithDefaults()
		p := scramble(NewParams(c, 1), rng)
		x := noise(rng, 1, 1, 130, 161)
		if n := len(c.cut(132, 164, 96*96).tiles); n < 4 {
			t.Fatalf("%d tiles", n)
		}
		run := func(o PredictorOptions) []float32 {
			q, err := NewPredictor(c, p, o)
			if err != nil {
				t.Fatal(err)
			}
			z, err := q.Logits(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			return z.Data
		}
		// In exact mode each pixel is computed from the same numbers in the same
		// order. Otherwise its position in Winograd's tiles matters.
		for exact, tolerance := range map[bool]float64{true: 1e-6, false: 1e-4} {
			whole, tiled := run(PredictorOptions{Exact: exact}), run(PredictorOptions{Exact: exact, TilePixels: 96 * 96})
			if d := apart(tiled, whole); !(d < tolerance) {
				t.Errorf("%s, exact %v: tiled is %.1e from whole", norm, exact, d)
			}
		}
	}
}

// For any size and budget, the tiles own each pixel once, see at least the margin or
// the image's border around what they own, start at multiples of the stride, and keep
// to the budget if it allows any margin.
func TestCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		c := Config{Depth: 1 + rng.IntN(4)}.WithDefaults()
		s, m := c.Stride(), c.margin()
		h, w := s*(1+rng.IntN(1500/s)), s*(1+rng.IntN(1500/s))
		budget := (2*m + s) * (2*m + s) * (1 + rng.IntN(5))
		cut := c.cut(h, w, budget)
		if cut.h*cut.w > budget {
			t.Errorf("%d×%d: tile of %d×%d, budget %d", h, w, cut.h, cut.w, budget)
		}
		owned := make([]uint8, h*w)
		for _, i := range cut.tiles {
			see := func(at, length, own0, own1, all int) bool {
				return at%s == 0 && at >= 0 && at+length <= all &&
					(at == 0 || own0-at >= m) && (at+length == all || at+length-own1 >= m) && own0 >= at && own1 <= at+length
			}
			if !see(i.y, cut.h, i.y0, i.y1, h) || !see(i.x, cut.w, i.x0, i.x1, w) {
				t.Fatalf("%d×%d depth %d: tile %+v of %d×%d, margin %d", h, w, c.Depth, i, cut.h, cut.w, m)
			}
			for y := i.y0; y < i.y1; y++ {
				for x := i.x0; x < i.x1; x++ {
					owned[y*w+x]++
				}
			}
		}
		for i, n := range owned {
			if n != 1 {
				t.Fatalf("%d×%d: pixel %d is owned %d times", h, w, i, n)
			}
		}
	}
	if got := (Config{Depth: 1}).WithDefaults().cut(400, 400, 1); got.h > 60 || got.w > 60 {
		t.Errorf("with a budget too small for any tile: tiles of %d×%d", got.h, got.w)
	}
}

// The margin equals the network's true reach: a changed pixel just inside it can
// affect the result, and one beyond it cannot. (Winograd's tiles see up to three more
// pixels, which cancel except for rounding.)
func TestMarginCoversReceptiveField(t *testing.T) {
	c := Config{Channels: 1, Classes: 2, Width: 4, Depth: 2, Norm: NormNone}.WithDefaults()
	q, err := NewPredictor(c, scramble(NewParams(c, 3), rand.New(rand.NewPCG(1, 1))), PredictorOptions{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	const n = 96
	x := noise(rand.New(rand.NewPCG(2, 2)), 1, 1, n, n)
	before, err := q.Logits(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	reach := 0
	for d := range 4 {
		at := 48 + d
		was := x.Data[at*n+at]
		x.Data[at*n+at] += 100
		after, err := q.Logits(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		x.Data[at*n+at] = was // and not -= 100, which rounds
		for i := range after.Data {
			if after.Data[i] != before.Data[i] {
				reach = max(reach, at-i%n, i%n-at)
			}
		}
	}
	if m := c.margin(); reach > m || reach < m/2 {
		t.Errorf("a pixel reaches %d pixels, margin %d", reach, m)
	}
}

func TestMirror(t *testing.T) {
	for n, want := range map[int][]int{1: {0, 0, 0}, 2: {0, 1, 0, 1, 0}, 4: {0, 1, 2, 3, 2, 1, 0, 1, 2}} {
		for i, m := range want {
			if got := mirror(i, n); got != m {
				t.Errorf("mirror(%d, %d) = %d, want %d", i, n, got, m)
			}
		}
	}
}
