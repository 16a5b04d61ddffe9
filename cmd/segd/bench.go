package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"segd"
	"segd/train"
	"segd/unet"
)

// benchWarmUps are runs before the clock starts: weights are packed and
// buffers taken in them.
const benchWarmUps = 2

// benchSettings are the flags of segd bench.
type benchSettings struct {
	width, depth, size, threads, runs, batch int
	network                                  networkFlags
	training                                 bool
	model, modelsDir, format                 string
}

// benchResult is the line of segd bench --format json.
type benchResult struct {
	BaseWidth int `json:"base_width"`
	Depth     int `json:"depth"`

	Network unet.Config `json:"network"`

	Size      int     `json:"size"`
	Batch     int     `json:"batch"`
	Threads   int     `json:"threads"`
	Mode      string  `json:"mode"` // infer or train
	Model     string  `json:"model,omitempty"`
	Runs      int     `json:"runs"`
	MinMS     float64 `json:"min_ms"`
	MedianMS  float64 `json:"median_ms"`
	GFLOP     float64 `json:"gflop"`       // of one run; training counts the forward pass three times
	GFLOPS    float64 `json:"gflops"`      // at min_ms
	RSSPeakMB float64 `json:"rss_peak_mb"` // of the process
	Kernel    string  `json:"kernel"`
	Winograd  string  `json:"winograd"`  // its instruction set; empty: every layer takes direct convolution
	Precision string  `json:"precision"` // of the network: fp32 or bf16
}

func newBench(a *app) *cobra.Command {
	var s benchSettings
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of a network",
		Long: "Measure the speed of a U-Net on this machine. The default is the network of\n" +
			"docs/benchmarks.md: one input channel, two classes, no normalisation and random\n" +
			"weights. --model measures the network of a model, --train one training step.",
		Example: "  segd bench --base-width 32 --size 256 --threads 2\n  segd bench --block residual --skip add\n  segd bench --train --batch 4 --format json\n  segd bench -m nuclei --size 512",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	s.width, s.depth, s.size, s.threads, s.runs, s.batch = 32, 4, 256, 1, 20, 4
	f.Var(newIntRange(&s.width, 1, 256), "base-width", "channels of the first level")
	f.Var(newIntRange(&s.depth, 1, 6), "depth", "number of pooling steps")
	s.network.add(f)
	f.Var(newIntRange(&s.size, 1, 4096), "size", "height and width of the image")
	f.Var(newIntRange(&s.threads, 0, maxThreads), "threads", "number of compute threads (0: one per core)")
	f.Var(newIntRange(&s.runs, 1, 1_000_000), "runs", "number of timed runs")
	f.BoolVar(&s.training, "train", false, "time training steps")
	f.Var(newIntRange(&s.batch, 1, 256), "batch", "images in a training step")
	f.StringVarP(&s.model, "model", "m", "", "model to measure, as a name or directory")
	f.StringVar(&s.modelsDir, "models", "", "directory of additional models")
	f.Var(newChoice(&s.format, "text", "text", "json"), "format", "output format")
	for _, name := range networkFlagNames {
		cmd.MarkFlagsMutuallyExclusive("model", name)
	}
	a.addRounding(cmd)
	cmd.RunE = a.do(func(cmd *cobra.Command, _ []string) error {
		r, err := a.bench(cmd.Context(), s)
		if err != nil {
			return err
		}
		if s.format == "json" {
			return json.NewEncoder(a.stdout).Encode(r)
		}
		_, err = fmt.Fprintf(a.stdout, "%s, %s, %d×%d, batch %d, %d threads, %s kernels, %s, %s\n"+
			"min %.2f ms, median %.2f ms over %d runs: %.2f GFLOP, %.1f GFLOP/s, peak memory %.0f MB\n",
			r.Mode, networkText(r.Network), r.Size, r.Size, r.Batch, r.Threads, r.Kernel, r.Precision, algorithm(r.Winograd),
			r.MinMS, r.MedianMS, r.Runs, r.GFLOP, r.GFLOPS, r.RSSPeakMB)
		return err
	})
	return cmd
}

func algorithm(winograd string) string {
	if winograd == "" {
		return "direct convolution"
	}
	return "Winograd's algorithm in " + winograd
}

func (a *app) bench(ctx context.Context, s benchSettings) (*benchResult, error) {
	if s.training && (s.model != "" || a.exact || a.bf16()) {
		return nil, optionError("--train cannot be combined with --model, --exact or --precision bf16")
	}
	pool := a.kernels().NewPool(orEveryCore(s.threads))
	defer pool.Close()

	c := s.network.config(s.width, s.depth)
	c.Channels, c.Classes = 1, 2
	if c.Norm == "" {
		c.Norm = unet.NormNone
	}
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &benchResult{Mode: "infer", Batch: 1, Runs: s.runs, Threads: pool.Threads(), Kernel: pool.Kernels().Name(), Precision: a.precision}
	switch {
	case a.bf16():
		r.Winograd = pool.Kernels().BFloat16()
	case !a.exact:
		r.Winograd = pool.Kernels().Winograd()
	}
	var once func() error
	var err error
	switch {
	case s.training:
		if s.size%c.Stride() != 0 {
			return nil, optionError("--size %d, want a multiple of %d to train at depth %d", s.size, c.Stride(), c.Depth)
		}
		r.Mode, r.Batch = "train", s.batch
		var stop func() error
		once, stop, err = trainingStep(c, s, pool)
		if err == nil {
			defer func() { _ = stop() }()
		}
	case s.model != "":
		c, once, err = a.modelRun(ctx, s, pool)
		r.Model = s.model
	default:
		once, err = a.anchorRun(ctx, c, s, pool)
	}
	if err != nil {
		return nil, err
	}
	r.Network, r.BaseWidth, r.Depth, r.Size = c, c.Width, c.Depth, s.size
	r.GFLOP = c.GFLOP(s.size, s.size)
	if s.training {
		r.GFLOP *= 3 * float64(s.batch) // the backward pass counts twice the forward
	}
	times, err := timeRuns(ctx, s.runs, once)
	if err != nil {
		return nil, err
	}
	r.MinMS, r.MedianMS = round3(times[0]), round3(times[len(times)/2])
	r.GFLOPS = round3(r.GFLOP / times[0] * 1e3)
	r.GFLOP = round3(r.GFLOP)
	r.RSSPeakMB = round3(peakMemoryMB())
	return r, nil
}

// anchorRun returns one inference of the anchor network with random weights.
func (a *app) anchorRun(ctx context.Context, c unet.Config, s benchSettings, pool *unet.Pool) (func() error, error) {
	q, err := unet.NewPredictor(c, unet.NewParams(c, 1), unet.PredictorOptions{Pool: pool, Exact: a.exact, BFloat16: a.bf16()})
	if err != nil {
		return nil, err
	}
	return inference(ctx, q, c, s.size), nil
}

// modelRun returns one inference of a model's network.
func (a *app) modelRun(ctx context.Context, s benchSettings, pool *unet.Pool) (unet.Config, func() error, error) {
	m, err := a.resolveModel(s.model, s.modelsDir)
	if err != nil {
		return unet.Config{}, nil, err
	}
	q, err := m.Predictor(pool)
	if err != nil {
		return unet.Config{}, nil, err
	}
	return m.Network, inference(ctx, q, m.Network, s.size), nil
}

func inference(ctx context.Context, q *unet.Predictor, c unet.Config, size int) func() error {
	x := segd.NewTensor(1, c.Channels, size, size)
	fillWave(x.Data)
	return func() error {
		_, err := q.Logits(ctx, x)
		return err
	}
}

// trainingStep returns one step of training, and what ends the trainer.
func trainingStep(c unet.Config, s benchSettings, pool *unet.Pool) (step, stop func() error, err error) {
	t, err := unet.NewTrainer(c, unet.NewParams(c, 1), s.batch, s.size, s.size, unet.TrainerOptions{Pool: pool})
	if err != nil {
		return nil, nil, err
	}
	x := make([]float32, s.batch*c.Channels*s.size*s.size)
	fillWave(x)
	y := make([]uint8, s.batch*s.size*s.size)
	for i := range y {
		if x[i] > 0.5 {
			y[i] = 1
		}
	}
	solver := train.NewAdamW(1e-3, 0, 0)
	return func() error {
		_, err := t.Step(unet.Batch{X: x, Y: y}, solver)
		return err
	}, t.Close, nil
}

// timeRuns returns the times of the runs in milliseconds, sorted.
func timeRuns(ctx context.Context, runs int, once func() error) ([]float64, error) {
	times := make([]float64, 0, runs)
	for i := range runs + benchWarmUps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := once(); err != nil {
			return nil, err
		}
		if i >= benchWarmUps {
			times = append(times, float64(time.Since(start).Nanoseconds())/1e6)
		}
	}
	slices.Sort(times)
	return times, nil
}

// fillWave writes the signal that the peers' benchmarks use.
func fillWave(x []float32) {
	for i := range x {
		x[i] = float32(math.Sin(float64(i) * 0.37))
	}
}

// peakMemoryMB is the largest resident size so far, in MiB: what Linux says
// (VmHWM), elsewhere what the Go runtime took from the system.
func peakMemoryMB() float64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
				if err == nil {
					return kb / 1024
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys) / (1 << 20)
}
