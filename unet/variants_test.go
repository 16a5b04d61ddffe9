package unet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"segd"
)

// variants are networks that together cover every choice in Config.
func variants() map[string]Config {
	return map[string]Config{
		"three convolutions":   {Convs: 3},
		"residual":             {Block: BlockResidual},
		"residual, four":       {Block: BlockResidual, Convs: 4},
		"preact":               {Block: BlockPreact},
		"preact, four":         {Block: BlockPreact, Convs: 4},
		"dense":                {Block: BlockDense},
		"dense, narrow":        {Block: BlockDense, Convs: 4, Growth: 3},
		"add":                  {Skip: SkipAdd},
		"residual, add":        {Block: BlockResidual, Convs: 4, Skip: SkipAdd},
		"none":                 {Skip: SkipNone},
		"preact, none":         {Block: BlockPreact, Skip: SkipNone},
		"nested":               {Skip: SkipNested},
		"bilinear":             {Up: UpBilinear},
		"attention":            {Attention: true},
		"attention, add":       {Attention: true, Skip: SkipAdd, Up: UpBilinear},
		"everything":           {Block: BlockPreact, Convs: 4, Skip: SkipAdd, Attention: true, Up: UpBilinear},
		"dense UNet++":         {Block: BlockDense, Skip: SkipNested, Up: UpBilinear},
		"residual, attention":  {Block: BlockResidual, Attention: true},
		"dense, none, one":     {Block: BlockDense, Convs: 1, Skip: SkipNone},
		"plain, one, bilinear": {Convs: 1, Up: UpBilinear, Skip: SkipAdd},
	}
}

// with fills in what a variant leaves open.
func (c Config) with(channels, width, depth int, norm Norm) Config {
	c.Channels, c.Classes, c.Width, c.Depth, c.Norm = channels, 2, width, depth, norm
	if norm == NormGroup {
		c.Groups = 1
	}
	return c.WithDefaults()
}

// Like TestPlanEqualsTape, for every variant: only the order of rounding differs,
// where batch normalisation is folded.
func TestVariantPlanEqualsTape(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	norms := []Norm{NormNone, NormBatch, NormInstance, NormGroup}
	for name, v := range variants() {
		for i, norm := range norms {
			if testing.Short() && i != len(name)%len(norms) {
				continue
			}
			t.Run(fmt.Sprint(name, ", ", norm), func(t *testing.T) {
				c := v.with(1+i%2*2, 6, 2+i%2, norm)
				rng := rand.New(rand.NewPCG(3, 4))
				p := scramble(NewParams(c, 1), rng)
				x := noise(rng, 1+i%2, c.Channels, 21, 35)
				q, err := NewPredictor(c, p, PredictorOptions{Pool: pool})
				if err != nil {
					t.Fatal(err)
				}
				want := tape(t, c, p, x)
				for run := range 2 { // the second in memory that the first has used
					got, err := q.Logits(context.Background(), x)
					if err != nil {
						t.Fatal(err)
					}
					// Folded weights and others round differently in Winograd's transforms.
					if d := apart(got.Data, want.Data); !(d < 1e-4) {
						t.Errorf("run %d: plan is %.1e from the tape", run, d)
					}
				}
			})
		}
	}
}

// For every variant, tiles give the same result as the whole image, and the margin is
// the network's reach: a pixel reaches no further, and at least half as far.
func TestVariantTiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector")
	}
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			depth := 1
			if name == "bilinear" || name == "attention" {
				depth = 2 // rounding of reaches adds up
			}
			c := v.with(1, 3, depth, NormBatch)
			p := scramble(NewParams(c, 1), rand.New(rand.NewPCG(5, 6)))
			m, s := c.margin(), c.Stride()
			x := noise(rand.New(rand.NewPCG(5, 7)), 1, 1, 4*m+4*s-1, 4*m+4*s)
			whole, err := NewPredictor(c, p, PredictorOptions{Exact: true})
			if err != nil {
				t.Fatal(err)
			}
			want, err := whole.Logits(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			budget := (4*m + 2*s) * (4*m + 2*s)
			if n := len(c.cut(x.W, x.W, budget).tiles); n < 2 {
				t.Fatalf("%d tiles", n)
			}
			tiled, err := NewPredictor(c, p, PredictorOptions{TilePixels: budget, Exact: true})
			if err != nil {
				t.Fatal(err)
			}
			got, err := tiled.Logits(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			// With direct convolution each pixel is computed from the same numbers in
			// the same order, and sees no further than necessary.
			if d := apart(got.Data, want.Data); !(d < 1e-6) {
				t.Errorf("tiled is %.1e from whole", d)
			}
			reach := 0
			for d := range s {
				at := 2*m + d
				was := x.Data[at*x.W+at]
				x.Data[at*x.W+at] += 100
				after, err := whole.Logits(context.Background(), x)
				if err != nil {
					t.Fatal(err)
				}
				x.Data[at*x.W+at] = was
				for i := range after.Data {
					if after.Data[i] != want.Data[i] {
						reach = max(reach, at-i%x.W, i%x.W-at)
					}
				}
			}
			if reach > m || reach < m/2 {
				t.Errorf("a pixel reaches %d pixels, margin %d", reach, m)
			}
		})
	}
}

// Every variant learns discs, and its plan marks those on new images.
func TestVariantsLearn(t *testing.T) {
	if testing.Short() {
		t.Skip("trains every variant")
	}
	pool := NewPool(2)
	defer pool.Close()
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			c := v.with(1, 4, 2, NormBatch)
			p := NewParams(c, 1)
			const n, steps = 16, 60
			tr, err := NewTrainer(c, p, 3, n, n, TrainerOptions{Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tr.Close() }()
			rng := rand.New(rand.NewPCG(1, 2))
			s := G.NewAdamSolver(G.WithLearnRate(0.01))
			for range steps {
				x, y := discs(rng, 3, n, n)
				if _, err = tr.Step(Batch{X: x, Y: y}, s); err != nil {
					t.Fatal(err)
				}
			}
			q, err := NewPredictor(c, p, PredictorOptions{Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			x, y := discs(rng, 8, n, n)
			out, err := q.Predict(context.Background(), &segd.Tensor{N: 8, C: 1, H: n, W: n, Data: x})
			if err != nil {
				t.Fatal(err)
			}
			both, either := 0, 0
			for i, want := range y {
				if out.Plane(i/(n*n), 1)[i%(n*n)] > 0.5 {
					either++
					both += int(want)
				}
				either += int(want)
			}
			if dice := 2 * float64(both) / float64(either); dice < 0.75 {
				t.Errorf("Dice %.3f on new images", dice)
			} else {
				t.Logf("Dice %.3f", dice)
			}
		})
	}
}

// One channel, one filter, one pixel at the bottom, for every variant.
func TestSmallestVariants(t *testing.T) {
	for name, v := range variants() {
		for _, norm := range []Norm{NormNone, NormBatch, NormInstance, NormGroup} {
			c := v.with(1, 1, 1, norm)
			if err := c.Validate(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			tr, err := NewTrainer(c, NewParams(c, 1), 1, 2, 2, TrainerOptions{})
			if err != nil {
				t.Fatalf("%s, %s: %v", name, norm, err)
			}
			for range 2 {
				if _, err := tr.Step(Batch{X: []float32{1, 2, 3, 4}, Y: []uint8{0, 1, 1, 255}}, G.NewAdamSolver()); err != nil {
					t.Errorf("%s, %s: %v", name, norm, err)
				}
			}
		}
	}
}

// The weights of a variant are read back from a file, and do not fit another variant.
func TestVariantWeights(t *testing.T) {
	for name, v := range variants() {
		c := v.with(1, 4, 2, NormBatch)
		p := scramble(NewParams(c, 5), rand.New(rand.NewPCG(1, 1)))
		q, err := ReadParams(c, encode(t, p, false))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, n := range p.Names() {
			for i, w := range p.data(n) {
				if q.data(n)[i] != w {
					t.Fatalf("%s: %s differs", name, n)
				}
			}
		}
		plain := Config{}.with(1, 4, 2, NormBatch)
		if _, err := ReadParams(plain, encode(t, p, false)); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: accepted as a plain network: %v", name, err)
		}
	}
}

// Attention gates start open.
func TestGatesBeginOpen(t *testing.T) {
	c := Config{Attention: true}.with(1, 4, 2, NormBatch)
	if b := NewParams(c, 1).data("att.1.psi.bias"); len(b) != 1 || b[0] != gateOpen {
		t.Errorf("bias %v", b)
	}
}

func TestValidateVariants(t *testing.T) {
	for name, v := range variants() {
		if err := v.with(3, 8, 4, NormGroup).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for field, v := range map[string]Config{
		"block":              {Block: "res"},
		"skip":               {Skip: "cat"},
		"up":                 {Up: "nearest"},
		"convs 3":            {Block: BlockResidual, Convs: 3},
		"convs 1":            {Block: BlockPreact, Convs: 1},
		"convs 17":           {Convs: 17},
		"convs -1":           {Convs: -1},
		"growth 4":           {Growth: 4},
		"growth -2":          {Block: BlockDense, Growth: -2},
		"attention":          {Attention: true, Skip: SkipNone},
		"attention true":     {Attention: true, Skip: SkipNested},
		"groups":             {Block: BlockDense, Growth: 3, Norm: NormGroup, Groups: 2},
		"groups 6, want":     {Width: 12, MaxWidth: 18, Block: BlockDense, Growth: 6, Norm: NormGroup, Groups: 6},
		"norm":               {Norm: "layer"},
		"width 512":          {Width: 512},
		"out_channels 1,":    {Classes: 1},
		"depth 7":            {Depth: 7},
		"in_channels":        {Channels: 65},
		"groups 3":           {Norm: NormGroup, Groups: 3},
		"skip CONCAT, want":  {Skip: "CONCAT"},
		"block dense2, want": {Block: "dense2"},
	} {
		c := v
		c.Channels, c.Classes, c.Width, c.Depth = cmp.Or(c.Channels, 1), cmp.Or(c.Classes, 2), cmp.Or(c.Width, 8), cmp.Or(c.Depth, 2)
		if err := c.WithDefaults().Validate(); !errors.Is(err, segd.ErrOption) || !strings.Contains(err.Error(), field) {
			t.Errorf("%+v: %v, want %q", v, err, field)
		}
	}
}

// The work of a variant, computed by hand for two levels of width 2 on 8×8 pixels:
// the encoder and bottleneck of the plain network, then the differences.
func TestVariantGFLOP(t *testing.T) {
	const top, low = 64, 16                      // pixels
	enc := 9 * top * (1*2 + 2*2)                 // enc.0
	bottleneck, up := 9*low*(2*4+4*4), low*4*4*2 // bottleneck, transposed convolution
	dec, head := 9*top*(4*2+2*2), top*2*2        // of concatenation; head
	decAdd := 9 * top * (2*2 + 2*2)              // of a single source
	shortcuts := top*1*2 + low*2*4 + top*4*2     // enc.0, bottleneck, dec.0
	gate := top * (4*1 + 1*1)                    // conv, psi
	dense := 9*top*(1+2+3) + top*4*2             // enc.0: growth 1, transition of 1+3
	dense += 9*low*2*(2+4+6) + low*8*4           // bottleneck: growth 2, of 2+6
	dense += 9*top*(4+5+6) + top*7*2             // dec.0: growth 1, of 4+3
	for name, want := range map[string]int{
		"plain":     enc + bottleneck + up + dec + head,
		"add":       enc + bottleneck + up + decAdd + head,
		"none":      enc + bottleneck + up + decAdd + head,
		"nested":    enc + bottleneck + up + dec + head, // of depth 1: no more nodes
		"residual":  enc + bottleneck + up + dec + head + shortcuts,
		"preact":    enc + bottleneck + up + dec + head + shortcuts,
		"bilinear":  enc + bottleneck + low*4*2 + dec + head,
		"attention": enc + bottleneck + up + dec + head + gate,
		"dense":     dense + up + head,
	} {
		v := variants()[name]
		if got := v.with(1, 2, 1, NormBatch).GFLOP(8, 8); got != 2e-9*float64(want) {
			t.Errorf("%s: %v multiplications, want %d", name, got/2e-9, want)
		}
	}
}
