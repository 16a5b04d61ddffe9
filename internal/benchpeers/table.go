package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
)

// write writes the tables as Markdown.
func write(w io.Writer, p peers, rows []row) error {
	t := table{w: w}
	t.line("%s, %s/%s, %d cores; %s.", processor(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), strings.Join(p.versions, "; "))
	t.line("Minima of %d processes of each program, in turn.", p.repeats)
	for _, train := range []bool{false, true} {
		t.section(rows, train, p)
	}
	return t.err
}

// table writes lines and keeps the first error.
type table struct {
	w   io.Writer
	err error
}

func (t *table) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

// section writes the rows for inference or training, and their means.
func (t *table) section(rows []row, train bool, p peers) {
	var list []row
	for _, r := range rows {
		if r.train == train {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return
	}
	title := "Inference, one image"
	if train {
		title = fmt.Sprintf("Training step, %d images of %d²", trainBatch, trainSize)
	}
	t.line("\n### %s\n", title)
	t.line("| width | size | threads | segd ms | GFLOP/s | MB | ONNX Runtime ms | MB | PyTorch ms | MB | ÷ ONNX Runtime | ÷ PyTorch | memory ÷ ONNX Runtime |")
	t.line("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, r := range list {
		t.line("| %d | %d² | %d | %.1f | %.0f | %.0f | %s | %s | %s | %s | %s | %s | %s |", r.width, r.size, r.threads,
			r.segd.MinMS, r.segd.GFLOPS, r.segd.RSS, r.onnx.ms(), r.onnx.mb(), r.torch.ms(), r.torch.mb(),
			ratio(r.onnx.overTime(r.segd)), ratio(r.torch.overTime(r.segd)), ratio(r.onnx.overMemory(r.segd)))
	}
	t.line("")
	for _, n := range p.threads {
		for _, peer := range []struct {
			name string
			of   func(row) *figure
		}{{"ONNX Runtime", func(r row) *figure { return r.onnx }}, {"PyTorch", func(r row) *figure { return r.torch }}} {
			var time []float64
			for _, r := range list {
				if f := peer.of(r); f != nil && r.threads == n {
					time = append(time, f.overTime(r.segd))
				}
			}
			if len(time) > 0 {
				t.line("- time ÷ %s with threads = %d, geometric mean of %d: **%.2f**", peer.name, n, len(time), mean(time))
			}
		}
	}
	t.scaling(list)
}

// scaling compares the largest number of threads with one.
func (t *table) scaling(list []row) {
	single, most := map[[2]int]float64{}, 0
	for _, r := range list {
		most = max(most, r.threads)
		if r.threads == 1 {
			single[[2]int{r.width, r.size}] = r.segd.MinMS
		}
	}
	var v []float64
	for _, r := range list {
		if one := single[[2]int{r.width, r.size}]; one > 0 && r.threads == most && most > 1 {
			v = append(v, r.segd.MinMS/one)
		}
	}
	if len(v) > 0 {
		t.line("- segd with threads = %d ÷ with 1, geometric mean of %d: **%.2f**", most, len(v), mean(v))
	}
}

func (f *figure) ms() string {
	if f == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f", f.MinMS)
}

func (f *figure) mb() string {
	if f == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f", f.RSS)
}

// overTime returns segd's time divided by that of f, or 0 if there is none.
func (f *figure) overTime(segd figure) float64 {
	if f == nil {
		return 0
	}
	return segd.MinMS / f.MinMS
}

func (f *figure) overMemory(segd figure) float64 {
	if f == nil {
		return 0
	}
	return segd.RSS / f.RSS
}

func ratio(v float64) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", v)
}

// mean returns the geometric mean.
func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += math.Log(x)
	}
	return math.Exp(sum / float64(len(v)))
}

// processor returns the name of the CPU and the vector units in use.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	name, vector := "unknown CPU", "no AVX2"
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			name = strings.TrimSpace(value)
		case "flags":
			for _, f := range []struct{ flag, name string }{{"avx2", "AVX2"}, {"avx512f", "AVX2 and AVX-512"}, {"amx_bf16", "AVX2, AVX-512 and AMX"}} {
				if strings.Contains(value+" ", " "+f.flag+" ") || strings.Contains(value, " "+f.flag+"\n") {
					vector = f.name
				}
			}
		}
	}
	return name + " with " + vector
}
