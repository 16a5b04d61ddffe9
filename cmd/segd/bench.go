package main

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"segd/internal/bench"
	"segd/unet"
)

// benchSettings are the flags of segd bench.
type benchSettings struct {
	width, depth, size, threads, runs, batch int
	network                                  networkFlags
	training                                 bool
	model, modelsDir, format                 string
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
		return r.WriteText(a.stdout)
	})
	return cmd
}

func (a *app) bench(ctx context.Context, s benchSettings) (*bench.Result, error) {
	if s.training && (s.model != "" || a.exact || a.bf16()) {
		return nil, optionError("--train cannot be combined with --model, --exact or --precision bf16")
	}
	b := bench.Settings{
		Network: s.network.config(s.width, s.depth), Name: s.model, Size: s.size, Runs: s.runs,
		Pool: a.kernels().NewPool(orEveryCore(s.threads)), Options: unet.PredictorOptions{Exact: a.exact, BFloat16: a.bf16()},
	}
	defer b.Pool.Close()
	c := &b.Network
	c.Channels, c.Classes, c.Norm = 1, 2, cmp.Or(c.Norm, unet.NormNone)
	if err := c.WithDefaults().Validate(); err != nil {
		return nil, err
	}
	if s.training {
		b.Batch = s.batch
	}
	if s.model != "" {
		var err error
		if b.Model, err = a.resolveModel(s.model, s.modelsDir); err != nil {
			return nil, err
		}
	}
	return bench.Run(ctx, b)
}
