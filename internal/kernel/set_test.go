package kernel

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestSelfCheckPasses: every set of this machine gives the results of the reference.
func TestSelfCheckPasses(t *testing.T) {
	for _, o := range sets() {
		if err := o.check(); err != nil {
			t.Errorf("set %s: %v", o.name, err)
		}
	}
}

// TestSelfCheckRefuses breaks each kernel of a set in turn. The set must then be
// skipped in favour of the next, with a line in the log.
func TestSelfCheckRefuses(t *testing.T) {
	broken := map[string]func(o *ops[float32]){
		"conv, one pixel": func(o *ops[float32]) {
			o.conv = func(c *convRow[float32]) { convGeneric(c); c.out[(c.pixels-1)*c.outStep*Lanes+7] += 0.1 }
		},
		"conv beyond the row": func(o *ops[float32]) {
			o.conv = func(c *convRow[float32]) { convGeneric(c); c.out[c.pixels*c.outStep*Lanes] = 0 }
		},
		"conv without relu": func(o *ops[float32]) {
			o.conv = func(c *convRow[float32]) { d := *c; d.relu = false; convGeneric(&d) }
		},
		"conv, panic": func(o *ops[float32]) { o.conv = func(*convRow[float32]) { panic("none") } },
		"weightGrad": func(o *ops[float32]) {
			o.weightGrad = func(r *gradRun[float32]) { d := *r; d.rows--; weightGradGeneric(&d) }
		},
		"moments": func(o *ops[float32]) { o.moments = func(_, _ *[Lanes]float64, _ []float32) {} },
		"scaleShift": func(o *ops[float32]) {
			o.scaleShift = func(y, x []float32, scale, shift *[Lanes]float32, _ bool) {
				scaleShiftGeneric(y, x, scale, shift, false)
			}
		},
		"normGradSums": func(o *ops[float32]) {
			o.normGradSums = func(s, q *[Lanes]float64, x, dy []float32, _, _ *[Lanes]float32, _ bool) {
				normGradSumsGeneric(s, q, x, dy, nil, nil, false)
			}
		},
		"normGrad": func(o *ops[float32]) {
			o.normGrad = func(dx, x, dy []float32, a, _, c, k, d *[Lanes]float32, relu bool) {
				normGradGeneric(dx, x, dy, a, a, c, k, d, relu)
			}
		},
		"reluGrad": func(o *ops[float32]) {
			o.reluGrad = func(_ *[Lanes]float64, dx, y, dy []float32) { reluGradGeneric(new([Lanes]float64), dx, y, dy) }
		},
		"maxPool": func(o *ops[float32]) { o.maxPool = func(out, in0, _ []float32) { maxPoolGeneric(out, in0, in0) } },
		"maxPoolGrad": func(o *ops[float32]) {
			o.maxPoolGrad = func(dx0, dx1, x0, x1, y, dy, _, _ []float32) {
				maxPoolGradGeneric(dx0, dx1, x0, x1, y, dy, nil, nil)
			}
		},
	}
	broken["add"] = func(o *ops[float32]) { o.add = func(y, a, b []float32, _ bool) { addGeneric(y, a, b, false) } }
	broken["bilinear"] = func(o *ops[float32]) { o.bilinear = func(y, near, _ []float32) { bilinearGeneric(y, near, near) } }
	broken["bilinearGrad"] = func(o *ops[float32]) {
		o.bilinearGrad = func(dx, far0, near0, near1, _ []float32) { bilinearGradGeneric(dx, far0, near0, near1, far0) }
	}
	for name, change := range broken {
		t.Run(name, func(t *testing.T) {
			bad, good := genericOps[float32](), genericOps[float32]()
			bad.name, good.name = "bad", "good"
			change(bad)
			var log bytes.Buffer
			got := firstGood(candidates([]*ops[float32]{bad, good, genericOps[float32]()}), slog.New(slog.NewTextHandler(&log, nil)))
			if got != good {
				t.Errorf("chose %s, want good", got.name)
			}
			if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, `"kernel set failed its self-check; using the next one" set=bad`) {
				t.Errorf("log %q", s)
			}
		})
	}
}

// TestSelfCheckRefusesWinograd breaks each product kernel of each set that has them
// by leaving out a tile.
func TestSelfCheckRefusesWinograd(t *testing.T) {
	for _, o := range sets() {
		for _, k := range []*winogradOps[float32]{o.winograd, o.bf16} {
			if k == nil {
				continue
			}
			for panel, kernels := range k.product {
				for i := 1; i < len(kernels); i++ {
					bad, broken := *o, k.like()
					broken.product[panel] = slices.Clone(kernels)
					broken.product[panel][i] = kernels[i-1]
					which := "winograd: "
					if k == o.bf16 {
						bad.bf16, which = broken, "winograd in bfloat16: "
					} else {
						bad.winograd = broken
					}
					if err := bad.check(); err == nil || !strings.Contains(err.Error(), which) {
						t.Errorf("set %s, %s, %d vectors, %d tiles: %v", o.name, k.name, panel, i+1, err)
					}
				}
			}
		}
	}
}

// TestSelfCheckRefusesBFloat16 breaks the transforms of each set by leaving out the
// rounding or a plane.
func TestSelfCheckRefusesBFloat16(t *testing.T) {
	for _, o := range sets()[:len(sets())-1] {
		for name, change := range map[string]func(k *winogradOps[float32]){
			"filter": func(k *winogradOps[float32]) {
				f := k.filter
				k.filter = func(u, w, tmp *float32, wTap, wRow, uPlane, uRow, n int) {
					f(u, w, tmp, wTap, wRow, uPlane, uRow, n)
					clear(vectorAt(u, 7*uPlane)[:])
				}
			},
			"input": func(k *winogradOps[float32]) {
				f := k.input
				k.input = func(v, in, tmp *float32, inBlk, inRow, vPlane, tiles int) {
					f(v, in, tmp, inBlk, inRow, vPlane, tiles)
					clear(vectorAt(v, 7*vPlane)[:])
				}
			},
			"rounding": func(k *winogradOps[float32]) {
				if k.number == rounded {
					k.number = whole
					return
				}
				k.input = func(v, _, _ *float32, _, _, vPlane, tiles int) {
					for p := range planes {
						clear(vectorAt(v, p*vPlane)[:])
					}
				}
			},
		} {
			bad, broken := *o, o.bf16.like()
			change(broken)
			bad.bf16 = broken
			if err := bad.check(); err == nil || !strings.Contains(err.Error(), "winograd in bfloat16: ") {
				t.Errorf("set %s, %s, %s: %v", o.name, o.bf16.name, name, err)
			}
		}
	}
}

// like returns a copy of k without its scratch memory.
func (k *winogradOps[T]) like() *winogradOps[T] {
	return &winogradOps[T]{
		name: k.name, lanes: k.lanes, number: k.number, filter: k.filter, halfFilter: k.halfFilter,
		input: k.input, output: k.output, product: slices.Clone(k.product),
	}
}

func TestChoose(t *testing.T) {
	var here []string
	for _, o := range sets() {
		here = append(here, o.name)
	}
	for _, name := range append(SetNames(), "sse9") {
		s, err := Choose(name, nil)
		if ok := name == Auto || slices.Contains(here, name); ok != (err == nil) {
			t.Errorf("Choose(%s): %v on a machine that runs %v", name, err, here)
		}
		if err == nil && name != Auto && s.Name() != name {
			t.Errorf("set %s, want %s", s.Name(), name)
		}
	}
	s, err := Choose(Auto, nil)
	if zero := (Set{}).Name(); err != nil || s.Name() != here[0] || zero != here[0] {
		t.Errorf("Auto: set %s, %v; the zero set is %s; want %s", s.Name(), err, zero, here[0])
	}
}

// TestSetsSideBySide: pools with different sets run concurrently, each with its own
// kernels, and a pool whose threads are busy keeps its set.
func TestSetsSideBySide(t *testing.T) {
	l := layer{Conv3x3, 1, 24, 24, 16, []int{16}}
	f := NewFilter[float32](l.g, l.out, l.sources...)
	f.Pack(randSlice[float32](newRand(1), l.weights()))
	in := []Act[float32]{randAct(newRand(2), l.inShape())}
	run := func(p *Pool) []float32 {
		out := NewAct[float32](l.outShape())
		f.Run(p, out, in, nil, false)
		return out.Data
	}
	var wg sync.WaitGroup
	for _, o := range sets() {
		want := run(inCaller(Set{o}))
		wg.Go(func() {
			p := NewPool(2, Set{o})
			defer p.Close()
			for range 10 {
				p.Enter()
				shared := run(p.Share())
				p.Enter()
				alone := run(p.Share())
				if n := p.Share().Threads(); n != 1 {
					t.Errorf("set %s: two computations on two threads have %d threads each", o.name, n)
				}
				p.Leave()
				p.Leave()
				if !slices.Equal(shared, want) || !slices.Equal(alone, want) {
					t.Errorf("set %s: another result than when run alone", o.name)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkSelfCheck(b *testing.B) {
	for b.Loop() {
		if err := sets()[0].check(); err != nil {
			b.Fatal(err)
		}
	}
}
