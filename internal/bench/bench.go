// Package bench measures how fast networks run on this machine.
//
//	r, err := bench.Run(ctx, bench.Settings{Network: c, Size: 256, Runs: 20, Pool: pool})
package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"segd"
	"segd/internal/memory"
	"segd/models"
	"segd/train"
	"segd/unet"
)

// warmUps is the number of untimed runs at the start, which pack weights and allocate
// buffers.
const warmUps = 2

// Settings says what to measure.
type Settings struct {
	Network unet.Config   // with random weights, unless Model is given
	Model   *models.Model // opened with the options of the run; nil: none
	Name    string        // of Model, as given by the user
	Size    int           // height and width of the image, 1 or more
	Runs    int           // timed runs, 1 or more
	Batch   int           // images of a training step; 0: inference of one image
	Pool    *unet.Pool
	Options unet.PredictorOptions // for inference, in addition to Pool
}

// Result is the result of a benchmark. Its JSON is one line of segd bench --format
// json.
type Result struct {
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
	RSSPeakMB float64 `json:"rss_peak_mb"` // of the process, in MiB
	Kernel    string  `json:"kernel"`
	Winograd  string  `json:"winograd"`  // its instruction set; empty: every layer uses direct convolution
	Precision string  `json:"precision"` // of the network: fp32 or bf16
}

// Run measures a network. Contradictory settings are segd.ErrOption.
func Run(ctx context.Context, s Settings) (*Result, error) {
	k := s.Pool.Kernels()
	r := &Result{Mode: "infer", Batch: 1, Runs: s.Runs, Size: s.Size, Threads: s.Pool.Threads(), Model: s.Name, Kernel: k.Name(), Precision: "fp32"}
	switch {
	case s.Options.BFloat16:
		r.Winograd, r.Precision = k.BFloat16(), "bf16"
	case !s.Options.Exact:
		r.Winograd = k.Winograd()
	}
	c := s.Network.WithDefaults()
	if s.Model != nil {
		c = s.Model.Network
	}
	var once func() error
	var err error
	work := 1.0
	if s.Batch > 0 {
		r.Mode, r.Batch = "train", s.Batch
		work = 3 * float64(s.Batch) // the backward pass counts as two forward passes
		var t *unet.Trainer
		if t, once, err = step(c, s); err == nil {
			defer func() { _ = t.Close() }() // only frees memory
		}
	} else {
		once, err = inference(ctx, c, s)
	}
	if err != nil {
		return nil, err
	}
	times, err := timeRuns(ctx, s.Runs, once)
	if err != nil {
		return nil, err
	}
	r.Network, r.BaseWidth, r.Depth = c, c.Width, c.Depth
	gflop := work * c.GFLOP(s.Size, s.Size)
	r.MinMS, r.MedianMS = round3(times[0]), round3(times[len(times)/2])
	r.GFLOP, r.GFLOPS = round3(gflop), round3(gflop/times[0]*1e3)
	r.RSSPeakMB = round3(float64(memory.Peak()) / (1 << 20))
	return r, nil
}

// WriteText writes the result as text.
func (r *Result) WriteText(w io.Writer) error {
	algorithm := "direct convolution"
	if r.Winograd != "" {
		algorithm = "Winograd's algorithm in " + r.Winograd
	}
	_, err := fmt.Fprintf(w, "%s, %s, %d×%d, batch %d, %d threads, %s kernels, %s, %s\n"+
		"min %.2f ms, median %.2f ms over %d runs: %.2f GFLOP, %.1f GFLOP/s, peak memory %.0f MB\n",
		r.Mode, r.Network, r.Size, r.Size, r.Batch, r.Threads, r.Kernel, r.Precision, algorithm,
		r.MinMS, r.MedianMS, r.Runs, r.GFLOP, r.GFLOPS, r.RSSPeakMB)
	return err
}

// inference returns a function that runs one inference on an image.
func inference(ctx context.Context, c unet.Config, s Settings) (func() error, error) {
	var q *unet.Predictor
	var err error
	if s.Model != nil {
		q, err = s.Model.Predictor(s.Pool)
	} else {
		s.Options.Pool = s.Pool
		q, err = unet.NewPredictor(c, unet.NewParams(c, 1), s.Options)
	}
	if err != nil {
		return nil, err
	}
	x := segd.NewTensor(1, c.Channels, s.Size, s.Size)
	wave(x.Data)
	return func() error {
		_, err := q.Logits(ctx, x)
		return err
	}, nil
}

// step returns a function that runs one training step, and its trainer.
func step(c unet.Config, s Settings) (*unet.Trainer, func() error, error) {
	if s.Size%c.Stride() != 0 {
		return nil, nil, fmt.Errorf("bench: %w: size %d, want a multiple of %d to train at depth %d", segd.ErrOption, s.Size, c.Stride(), c.Depth)
	}
	t, err := unet.NewTrainer(c, unet.NewParams(c, 1), s.Batch, s.Size, s.Size, unet.TrainerOptions{Pool: s.Pool})
	if err != nil {
		return nil, nil, err
	}
	x := make([]float32, s.Batch*c.Channels*s.Size*s.Size)
	wave(x)
	y := make([]uint8, s.Batch*s.Size*s.Size)
	for i := range y {
		if x[i] > 0.5 {
			y[i] = 1
		}
	}
	solver := train.NewAdamW(1e-3, 0, 0)
	return t, func() error {
		_, err := t.Step(unet.Batch{X: x, Y: y}, solver)
		return err
	}, nil
}

// timeRuns returns the times of the runs in milliseconds, sorted.
func timeRuns(ctx context.Context, runs int, once func() error) ([]float64, error) {
	times := make([]float64, 0, runs)
	for i := range runs + warmUps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := once(); err != nil {
			return nil, err
		}
		if i >= warmUps {
			times = append(times, float64(time.Since(start).Nanoseconds())/1e6)
		}
	}
	slices.Sort(times)
	return times, nil
}

// wave fills x with the signal that the peers' benchmarks use.
func wave(x []float32) {
	for i := range x {
		x[i] = float32(math.Sin(float64(i) * 0.37))
	}
}

// round3 rounds to three decimals, to keep lines short.
func round3(v float64) float64 { return float64(int64(v*1000+0.5)) / 1000 }
