// Command benchpeers compares the speed of segd with that of ONNX Runtime and
// PyTorch. The programs take turns running the same network on the same machine. It
// writes the tables of ratios in docs/benchmarks.md.
//
//	go run ./internal/benchpeers -segd bin/segd -peers ../shared/peers
//
// The network is that of peers/README.md: a U-Net of depth 4 with one input channel,
// two classes and folded normalisation. Each figure is the minimum over several
// processes with several runs each, because on a shared machine only the minimum is
// reproducible. Between machines only the ratios of times are comparable.
//
// A peer that cannot run is left out with a message. ONNX Runtime needs node and npm,
// and PyTorch needs a python3 that can import torch. The peers' folder is copied, so
// it may be read-only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	var s settings
	widths := flag.String("widths", "16,32,64", "channels of the first level")
	sizes := flag.String("sizes", "256,512", "sides of the image in inference")
	threads := flag.String("threads", "1,2", "threads")
	flag.StringVar(&s.segd, "segd", "bin/segd", "segd binary to time")
	flag.StringVar(&s.peers, "peers", "../shared/peers", "folder of the peers' benchmarks")
	flag.StringVar(&s.python, "python", "python3", "Python interpreter that can import torch")
	flag.StringVar(&s.flags, "flags", "", "additional flags for segd bench, separated by spaces")
	flag.IntVar(&s.repeats, "repeats", 3, "processes of each program per figure")
	flag.IntVar(&s.seconds, "seconds", 3, "approximate time that each process measures")
	flag.BoolVar(&s.train, "train", true, "time training steps too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := errors.Join(parse(&s.widths, *widths), parse(&s.sizes, *sizes), parse(&s.threads, *threads))
	if err == nil {
		err = run(ctx, s, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchpeers:", err)
		stop()
		os.Exit(1)
	}
	stop()
}

// settings are the flags.
type settings struct {
	segd, peers, python, flags string
	widths, sizes, threads     []int
	repeats, seconds           int
	train                      bool
}

func parse(dst *[]int, list string) error {
	for item := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(item))
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a list of numbers", list)
		}
		*dst = append(*dst, n)
	}
	return nil
}

// run times all programs in turn and writes the tables to out.
func run(ctx context.Context, s settings, out, log io.Writer) error {
	dir, err := os.MkdirTemp("", "benchpeers-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	peer := peers{settings: s, dir: dir, log: log}
	if err := peer.prepare(ctx); err != nil {
		return err
	}
	var rows []row
	for _, c := range s.cases() {
		r, err := peer.measure(ctx, c)
		if err != nil {
			return err
		}
		rows = append(rows, r)
		_, _ = fmt.Fprintf(log, "%v: segd %.1f ms, ONNX Runtime %s, PyTorch %s\n", c, r.segd.MinMS, r.onnx.ms(), r.torch.ms())
	}
	return write(out, peer, rows)
}

// Training steps are timed with a batch of this many images of this size.
const (
	trainBatch = 4
	trainSize  = 256
)

// cases lists the timed cases.
func (s settings) cases() (list []testCase) {
	for _, train := range []bool{false, true} {
		if train && !s.train {
			continue
		}
		sizes := s.sizes
		if train {
			sizes = []int{trainSize}
		}
		for _, size := range sizes {
			for _, w := range s.widths {
				if train && w > 32 {
					continue // takes a minute per step in PyTorch
				}
				for _, t := range s.threads {
					list = append(list, testCase{train, w, size, t})
				}
			}
		}
	}
	return list
}

// testCase is one measurement, made with every program.
type testCase struct {
	train                bool
	width, size, threads int
}

func (c testCase) String() string {
	what := "inference"
	if c.train {
		what = fmt.Sprintf("training step of %d", trainBatch)
	}
	return fmt.Sprintf("%s, width %d, %d², %d threads", what, c.width, c.size, c.threads)
}

// gflop is the approximate work of a run. It only serves to estimate how many runs
// fit into a time.
func (c testCase) gflop() float64 {
	g := 24.07 * float64(c.width*c.width) / (32 * 32) * float64(c.size*c.size) / (256 * 256)
	if c.train {
		g *= 3 * trainBatch
	}
	return g
}

// figure is a program's result for a case.
type figure struct {
	MinMS  float64 `json:"min_ms"`
	RSS    float64 `json:"rss_peak_mb"`
	GFLOPS float64 `json:"gflops"`
}

// row holds a case's figures by program.
type row struct {
	testCase
	segd        figure
	onnx, torch *figure // nil: not run
}

// peers runs the programs.
type peers struct {
	settings
	dir         string
	log         io.Writer
	onnx, torch bool
	versions    []string
}

// prepare copies the peers and finds out which of them can run.
func (p *peers) prepare(ctx context.Context) error {
	if _, err := p.json(ctx, p.segd, "bench", "--base-width", "16", "--size", "64", "--runs", "1", "--format", "json"); err != nil {
		return err
	}
	for _, name := range []string{"onnxruntime", "pytorch"} {
		if err := os.CopyFS(filepath.Join(p.dir, name), os.DirFS(filepath.Join(p.peers, name))); err != nil {
			return err
		}
	}
	onnx := filepath.Join(p.dir, "onnxruntime")
	install := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = onnx
	if b, err := install.CombinedOutput(); err != nil {
		_, _ = fmt.Fprintf(p.log, "ONNX Runtime is left out: %v: %s\n", err, b)
	} else {
		p.onnx = true
		p.version(ctx, "ONNX Runtime", onnx, "node", "-p", "require('onnxruntime-node/package.json').version")
	}
	if err := exec.CommandContext(ctx, p.python, "-c", "import torch").Run(); err != nil {
		_, _ = fmt.Fprintf(p.log, "PyTorch is left out: %s does not import torch: %v\n", p.python, err)
	} else {
		p.torch = true
		p.version(ctx, "PyTorch", p.dir, p.python, "-c", "import torch; print(torch.__version__)")
	}
	p.version(ctx, "", p.dir, p.absolute(p.segd), "version")
	return nil
}

func (p *peers) absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

func (p *peers) version(ctx context.Context, name, dir, program string, args ...string) {
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = dir
	if b, err := c.Output(); err == nil {
		p.versions = append(p.versions, strings.TrimSpace(name+" "+strings.TrimSpace(string(b))))
	}
}

// measure times a case with each program in turn, several times.
func (p *peers) measure(ctx context.Context, c testCase) (row, error) {
	r := row{testCase: c}
	model := filepath.Join(p.dir, fmt.Sprintf("u%d_%d.onnx", c.width, c.size))
	if p.onnx && !c.train {
		make := exec.CommandContext(ctx, "node", "unet_onnx.js", model, strconv.Itoa(c.width), strconv.Itoa(c.size))
		make.Dir = filepath.Join(p.dir, "onnxruntime")
		if b, err := make.CombinedOutput(); err != nil {
			return r, fmt.Errorf("%w: %s", err, b)
		}
		defer func() { _ = os.Remove(model) }()
	}
	// Assume about 100 GFLOP/s per thread, which is roughly right for every program.
	runs := strconv.Itoa(max(3, min(50, int(float64(p.seconds)*100*float64(c.threads)/c.gflop()))))
	width, size, threads := strconv.Itoa(c.width), strconv.Itoa(c.size), strconv.Itoa(c.threads)
	for range p.repeats {
		args := []string{"bench", "--base-width", width, "--size", size, "--threads", threads, "--runs", runs, "--format", "json"}
		if c.train {
			args = append(args, "--train", "--batch", strconv.Itoa(trainBatch))
		}
		f, err := p.json(ctx, p.segd, append(args, strings.Fields(p.flags)...)...)
		if err != nil {
			return r, err
		}
		r.segd = better(&r.segd, f)
		if p.onnx && !c.train {
			if f, err = p.json(ctx, "node", filepath.Join(p.dir, "onnxruntime", "bench.js"), model, width, size, threads, runs); err != nil {
				return r, err
			}
			b := better(r.onnx, f)
			r.onnx = &b
		}
		if p.torch && (c.train || c.size == trainSize) {
			mode, kind := "infer", "jit"
			if c.train {
				mode, kind = "train", "eager"
			}
			if f, err = p.json(ctx, p.python, filepath.Join(p.dir, "pytorch", "torch_bench.py"), mode, width, size, threads, kind, runs); err != nil {
				return r, err
			}
			b := better(r.torch, f)
			r.torch = &b
		}
	}
	return r, nil
}

// better returns the faster of two figures, ignoring nil and zero.
func better(a *figure, b figure) figure {
	if a == nil || a.MinMS == 0 || b.MinMS < a.MinMS {
		return b
	}
	return *a
}

// json runs a program that prints one line of JSON.
func (p *peers) json(ctx context.Context, program string, args ...string) (f figure, err error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Stderr = p.log
	b, err := c.Output()
	if err != nil {
		return f, fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	if err := json.Unmarshal(b, &f); err != nil || f.MinMS <= 0 {
		return f, fmt.Errorf("%s: %s is not a figure", program, b)
	}
	return f, nil
}
