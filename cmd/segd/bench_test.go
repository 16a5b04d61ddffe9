package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"segd/internal/bench"
	"segd/unet"
)

func TestBenchJSON(t *testing.T) {
	for _, tt := range []struct {
		name, mode string
		args       []string
		flops      float64 // of one run, in units of the forward pass of one image
	}{
		{"infer", "infer", nil, 1},
		{"exact", "infer", []string{"--exact"}, 1},
		{"bf16", "infer", []string{"--precision", "bf16"}, 1},
		{"train", "train", []string{"--train", "--batch", "2"}, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"bench", "--base-width", "2", "--depth", "2", "--size", "32", "--runs", "3", "--threads", "2", "--format", "json"}
			text := done(t, append(args, tt.args...)...)
			if strings.Count(text, "\n") != 1 {
				t.Fatalf("%q, want one line", text)
			}
			keys := map[string]any{}
			if err := json.Unmarshal([]byte(text), &keys); err != nil {
				t.Fatal(err)
			}
			for _, k := range []string{"base_width", "size", "threads", "mode", "runs", "min_ms", "median_ms", "gflop", "gflops", "rss_peak_mb", "kernel", "winograd", "precision"} {
				if _, ok := keys[k]; !ok {
					t.Errorf("no %s in %s", k, text)
				}
			}
			winograd := (unet.Kernels{}).Winograd()
			if slices.Contains(tt.args, "--exact") {
				winograd = ""
			}
			precision := precisionFP32
			if slices.Contains(tt.args, precisionBF16) {
				precision, winograd = precisionBF16, (unet.Kernels{}).BFloat16()
			}
			var r bench.Result
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Fatal(err)
			}
			if r.BaseWidth != 2 || r.Depth != 2 || r.Size != 32 || r.Threads != 2 || r.Runs != 3 || r.Mode != tt.mode || r.Kernel != (unet.Kernels{}).Name() || r.Winograd != winograd || r.Precision != precision {
				t.Errorf("%+v", r)
			}
			if !(r.MinMS > 0 && r.MinMS <= r.MedianMS) || !(r.RSSPeakMB > 1 && r.RSSPeakMB < 1e5) {
				t.Errorf("%+v", r)
			}
			// Multiplications and additions of a U-Net of width 2 and depth 2,
			// level by level; see the peers' benchmarks for the formula.
			one := 2e-9 * (9*1024*(1*2+2*2) + 9*256*(2*4+4*4) + 9*64*(4*8+8*8) +
				256*8*4 + 9*256*(8*4+4*4) + 1024*4*2 + 9*1024*(4*2+2*2) + 1024*2*2)
			if want := tt.flops * one; r.GFLOP < want-0.0006 || r.GFLOP > want+0.0006 {
				t.Errorf("%v GFLOP, want %v to three decimals", r.GFLOP, want)
			}
		})
	}
}

func TestBenchModel(t *testing.T) {
	got := done(t, "bench", "-m", brightModel(t), "--size", "20", "--runs", "1")
	if !strings.Contains(got, "20×20") {
		t.Errorf("%q", got)
	}
}
