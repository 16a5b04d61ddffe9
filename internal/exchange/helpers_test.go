package exchange

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/internal/pythontest"
	"segd/models"
	"segd/preprocess"
	"segd/unet"
)

// variants returns networks that together cover every choice in Config with each
// normalisation, or a quarter of them with -short.
func variants() map[string]unet.Config {
	all := map[string]unet.Config{}
	for name, c := range map[string]unet.Config{
		"plain":                    {},
		"three convolutions":       {Convs: 3},
		"residual":                 {Block: unet.BlockResidual},
		"residual, four":           {Block: unet.BlockResidual, Convs: 4},
		"preact":                   {Block: unet.BlockPreact},
		"preact, four":             {Block: unet.BlockPreact, Convs: 4},
		"dense":                    {Block: unet.BlockDense},
		"add":                      {Skip: unet.SkipAdd},
		"residual, add":            {Block: unet.BlockResidual, Convs: 4, Skip: unet.SkipAdd},
		"none":                     {Skip: unet.SkipNone},
		"nested":                   {Skip: unet.SkipNested},
		"bilinear":                 {Up: unet.UpBilinear},
		"attention":                {Attention: true},
		"attention, add, bilinear": {Attention: true, Skip: unet.SkipAdd, Up: unet.UpBilinear},
		"preact, add, attention":   {Block: unet.BlockPreact, Convs: 4, Skip: unet.SkipAdd, Attention: true, Up: unet.UpBilinear},
		"dense UNet++":             {Block: unet.BlockDense, Skip: unet.SkipNested, Up: unet.UpBilinear},
		"residual, attention":      {Block: unet.BlockResidual, Attention: true},
		"preact, none":             {Block: unet.BlockPreact, Skip: unet.SkipNone},
		"dense, none, one":         {Block: unet.BlockDense, Convs: 1, Skip: unet.SkipNone},
		"narrow bottleneck":        {MaxWidth: 8},
		"dense, narrow bottleneck": {Block: unet.BlockDense, Growth: 2, MaxWidth: 8},
		"one, bilinear, add":       {Convs: 1, Up: unet.UpBilinear, Skip: unet.SkipAdd},
		"values":                   {Head: unet.HeadRegression},
		"values, residual, add":    {Head: unet.HeadRegression, Block: unet.BlockResidual, Skip: unet.SkipAdd},
	} {
		for i, norm := range []unet.Norm{unet.NormNone, unet.NormBatch, unet.NormInstance, unet.NormGroup} {
			if testing.Short() && i != len(name)%4 {
				continue
			}
			c.Norm, c.Groups = norm, 0
			c.Channels, c.Classes, c.Width, c.Depth = 1+i%2*2, 2+i%2, 4, 2+i%2
			if norm == unet.NormGroup {
				c.Groups = 2
			}
			if c.Head == unet.HeadRegression {
				c.Classes = 1
			}
			all[fmt.Sprint(name, ", ", norm)] = c.WithDefaults()
		}
	}
	return all
}

// weights returns plausible weights of a trained network.
func weights(c unet.Config, seed uint64) *unet.Params {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := unet.NewParams(c, seed)
	for _, name := range p.Names() {
		t, _ := p.Get(name)
		v := t.Data().([]float32)
		if t.Dims() > 1 {
			continue
		}
		for i := range v {
			switch {
			case strings.HasSuffix(name, "running_var"), strings.HasSuffix(name, ".weight"):
				v[i] = float32(0.5 + rng.Float64())
			default:
				v[i] += float32(0.2 * rng.NormFloat64())
			}
		}
	}
	return p
}

func manifest(name string, c unet.Config) models.Manifest {
	names := []string{"cell", "wall", "lumen"}
	man := models.Manifest{
		FormatVersion: models.Format, Name: name, Version: "7", Title: "A network", Use: models.ResearchUse, Network: c,
		Recipe: preprocess.Recipe{Channels: c.Channels, Normalise: preprocess.ZScore, ClipLow: 1, ClipHigh: 99},
	}
	if c.Head == unet.HeadRegression {
		man.Classes, man.Values = []segd.Class{}, &models.Values{Mean: 7, Deviation: 3}
	} else {
		man.Classes = models.ClassList(names[:c.Classes-1]...)
	}
	return man
}

func noise(seed uint64, n, c, h, w int) *segd.Tensor {
	rng := rand.New(rand.NewPCG(seed, 2))
	t := segd.NewTensor(n, c, h, w)
	for i := range t.Data {
		t.Data[i] = float32(rng.NormFloat64())
	}
	return t
}

// logits returns segd's own logits, with direct convolution.
func logits(t *testing.T, p *unet.Params, x *segd.Tensor) []float32 {
	t.Helper()
	q, err := unet.NewPredictor(p.Config(), p, unet.PredictorOptions{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	y, err := q.Logits(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return y.Data
}

// apart returns the largest difference divided by the largest value.
func apart(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	most, top := 0.0, 0.0
	for i := range want {
		most, top = max(most, math.Abs(float64(got[i]-want[i]))), max(top, math.Abs(float64(want[i])))
	}
	return most / top
}

// job is a run of a model by a script in testdata.
type job struct {
	Network unet.Config `json:"network"` // for load_torch.py
	Model   string      `json:"model"`
	Input   string      `json:"input"`
	Shape   []int       `json:"shape"`
	Output  string      `json:"output"`
}

// runtime returns the command that runs jobs with ONNX Runtime, using Python or, with
// NODE_PATH, node. It skips the test if there is none.
func runtime(t *testing.T) []string {
	t.Helper()
	if p := pythontest.Find("onnxruntime"); p != "" {
		return []string{p, "testdata/run_onnx.py"}
	}
	if exec.Command("node", "-e", "require('onnxruntime-node')").Run() == nil {
		return []string{"node", "testdata/run_onnx.js"}
	}
	t.Skip("no Python with onnxruntime (SEGD_PYTHON names an interpreter) and no node with onnxruntime-node (NODE_PATH says where it is)")
	return nil
}

// jobs collects the runs of a test for one process.
type jobs struct {
	dir  string
	list []job
}

// add adds a run of a model of network c on x. If the model is not new, it is that of
// the previous job.
func (j *jobs) add(t *testing.T, c unet.Config, model []byte, isNew bool, x *segd.Tensor) {
	t.Helper()
	path := func(ext string) string { return filepath.Join(j.dir, fmt.Sprint(len(j.list), ".", ext)) }
	file := path("onnx")
	if isNew {
		save(t, file, model)
	} else {
		file = j.list[len(j.list)-1].Model
	}
	save(t, path("in"), floats(x.Data))
	j.list = append(j.list, job{c, file, path("in"), []int{x.N, x.C, x.H, x.W}, path("out")})
}

// run runs all jobs and returns their outputs.
func (j *jobs) run(t *testing.T, command []string) [][]float32 {
	t.Helper()
	text, err := json.Marshal(j.list)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(j.dir, "jobs.json")
	save(t, file, text)
	execute(t, append(slices.Clone(command), file)...)
	var outs [][]float32
	for _, job := range j.list {
		outs = append(outs, load(t, job.Output))
	}
	return outs
}

func execute(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command[0], err, out[max(0, len(out)-3000):])
	}
}

func save(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func floats(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

// load reads raw float32.
func load(t *testing.T, path string) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}
