package unet

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	G "gorgonia.org/gorgonia"
)

func anchor(width int, norm Norm) Config {
	return Config{Channels: 1, Classes: 2, Width: width, Depth: 4, Norm: norm}.WithDefaults()
}

func TestGFLOP(t *testing.T) {
	for width, want := range map[int]float64{16: 6.03, 32: 24.07, 64: 96.19} {
		if got := anchor(width, NormNone).GFLOP(256, 256); math.Abs(got-want) > 0.005 {
			t.Errorf("width %d: %.3f GFLOP, want %.2f", width, got, want)
		}
	}
}

// BenchmarkPredict is the anchor network: ReLU after each convolution and no
// normalisation, one image of 256².
func BenchmarkPredict(b *testing.B) {
	for _, width := range []int{16, 32} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("b=%d/threads=%d", width, threads), func(b *testing.B) {
				pool := NewPool(threads)
				defer pool.Close()
				c := anchor(width, NormNone)
				q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{Pool: pool})
				if err != nil {
					b.Fatal(err)
				}
				x := noise(rand.New(rand.NewPCG(1, 1)), 1, 1, 256, 256)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := q.Logits(context.Background(), x); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(c.GFLOP(256, 256)*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
			})
		}
	}
}

// BenchmarkSteps breaks down the time of BenchmarkPredict: for each kind of step, the
// sum of the fastest run of each step.
func BenchmarkSteps(b *testing.B) {
	kinds := [...]string{"pack", "3×3", "norm", "pool", "head", "scale", "add", "bilinear", "gate"}
	for _, width := range []int{16, 32, 64} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("b=%d/threads=%d", width, threads), func(b *testing.B) {
				pool := NewPool(threads)
				defer pool.Close()
				c := anchor(width, NormNone)
				q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{})
				if err != nil {
					b.Fatal(err)
				}
				a, err := q.borrow(shape{N: 1, H: 256, W: 256, ValidH: 256, ValidW: 256})
				if err != nil {
					b.Fatal(err)
				}
				x := noise(rand.New(rand.NewPCG(1, 1)), 1, 1, 256, 256)
				logits := make([]float32, 2*256*256)
				best := slices.Repeat([]time.Duration{time.Hour}, len(a.plan.steps))
				for b.Loop() {
					for i := range a.plan.steps {
						start := time.Now()
						a.step(i, pool.inner(), x.Data, logits)
						best[i] = min(best[i], time.Since(start))
					}
				}
				sums := map[string]float64{}
				for i, s := range a.plan.steps {
					kind := kinds[s.do]
					if s.do == doConv && a.acts[s.out].H != a.acts[s.in[0]].H {
						kind = "transposed"
					}
					sums[kind] += best[i].Seconds() * 1e3
					sums["all"] += best[i].Seconds() * 1e3
				}
				for kind, ms := range sums {
					b.ReportMetric(ms, kind+"-ms")
				}
			})
		}
	}
}

// BenchmarkImages processes a stream of images on two threads: one image at a time on
// both (latency), or two at a time with one thread each (throughput).
func BenchmarkImages(b *testing.B) {
	const threads = 2
	for _, size := range []int{64, 256} {
		for atOnce, name := range map[int]string{1: "latency", threads: "throughput"} {
			b.Run(fmt.Sprintf("b=16/%d/%s", size, name), func(b *testing.B) {
				pool := NewPool(threads)
				defer pool.Close()
				c := anchor(16, NormNone)
				q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{Pool: pool})
				if err != nil {
					b.Fatal(err)
				}
				x := noise(rand.New(rand.NewPCG(1, 1)), 1, 1, size, size)
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				var callers sync.WaitGroup
				for range atOnce {
					callers.Go(func() {
						for left.Add(-1) >= 0 {
							if _, err := q.Logits(context.Background(), x); err != nil {
								b.Error(err)
							}
						}
					})
				}
				callers.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

// BenchmarkStep is a training step with Adam at 256²; backward counts as twice
// the forward work.
func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{4, 8} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("b=16/batch=%d/threads=%d", batch, threads), func(b *testing.B) {
				pool := NewPool(threads)
				defer pool.Close()
				c := anchor(16, NormBatch)
				tr, err := NewTrainer(c, NewParams(c, 1), batch, 256, 256, TrainerOptions{Pool: pool})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = tr.Close() }()
				x, y := discs(rand.New(rand.NewPCG(1, 1)), batch, 256, 256)
				s := G.NewAdamSolver()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := tr.Step(Batch{X: x, Y: y}, s); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(3*float64(batch)*c.GFLOP(256, 256)*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
			})
		}
	}
}
