package train

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/models"
	"segd/train/dataset/datasettest"
	"segd/train/evaluate"
	"segd/unet"
)

// tiny returns options for a very short training of a network with 4 channels and 2
// levels.
func tiny(dir, out string, steps int) Options {
	return Options{Datasets: []string{dir}, Out: out, Steps: steps, Network: unet.Config{Width: 4, Depth: 2}, Patch: 32, Batch: 2, Seed: 3}
}

func weightsOf(t *testing.T, out string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The default plan must learn a small set.
func TestRunLearns(t *testing.T) {
	dir, out := datasettest.Discs(t, 16, 24), filepath.Join(t.TempDir(), "discs")
	pool := unet.NewPool(0)
	defer pool.Close()
	var last Event
	validations := 0
	epochs := 20
	if datasettest.Race {
		epochs = 3
	}
	o := Options{Datasets: []string{dir}, Out: out, Epochs: epochs, Network: unet.Config{Width: 4, Depth: 1}, LearnRate: 1e-2, Pool: pool}
	res, err := Run(t.Context(), o, func(e Event) {
		if e.Kind == EventValidation {
			validations++
		}
		last = e
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.ValDice < 0.9 && !datasettest.Race {
		t.Errorf("val_dice %.4f, want at least 0.9", res.ValDice)
	}
	if last.Kind != EventDone || last.Step != res.Plan.Steps || validations < 3 || res.Steps != res.Plan.Steps {
		t.Errorf("ended with %+v after %d validations", last, validations)
	}
	if want := (epochs*len(res.Plan.Training) + res.Plan.Batch - 1) / res.Plan.Batch; res.Steps != want {
		t.Errorf("%d epochs of %d images in batches of %d took %d steps, want %d", epochs, len(res.Plan.Training), res.Plan.Batch, res.Steps, want)
	}
	for _, name := range []string{"plan.json", "progress.csv", "checkpoint.bin", "report.html", "weights.safetensors", "model.json"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("temporary file %s was left behind", e.Name())
		}
	}
	csv, err := os.ReadFile(filepath.Join(out, "progress.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(csv, []byte("\n")); got != validations+1 {
		t.Errorf("progress.csv has %d lines, want %d", got, validations+1)
	}
}

// A network that works on resampled images is measured, and returns masks, on the
// images' own pixels.
func TestRunResamples(t *testing.T) {
	if datasettest.Race {
		t.Skip("takes long under the race detector, and shares nothing new between goroutines")
	}
	dir, out := datasettest.Discs(t, 8, 600), filepath.Join(t.TempDir(), "model")
	r, err := Run(t.Context(), Options{Datasets: []string{dir}, Out: out, Steps: 60, Network: unet.Config{Width: 4, Depth: 2}, Patch: 128, ValFraction: 0.25}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if side := r.Plan.Recipe.LongSide; side == 0 || side > 512 {
		t.Fatalf("longer side %d pixels for images of 600 with structures %.0f thick", side, r.Plan.Data.Thickness)
	}
	m, err := models.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if m.Recipe != r.Plan.Recipe {
		t.Errorf("the model's recipe is %+v, the plan's %+v", m.Recipe, r.Plan.Recipe)
	}
	report, err := evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Model: m}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, c := range report.Cases {
		if slices.Contains(r.Plan.Validation, c.ID) {
			sum += c.Classes[0].Dice
		}
	}
	if got := sum / float64(len(r.Plan.Validation)); math.Abs(got-r.ValDice) > 1e-3 || got < 0.7 {
		t.Errorf("evaluation has Dice %.4f on the validation cases, training %.4f", got, r.ValDice)
	}
}

// Without a validation part every image trains, the last weights are kept and no
// figure is claimed for them. The plan gives the same training again, and can also
// train with a validation part.
func TestRunAll(t *testing.T) {
	dir, out := datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m")
	o := tiny(dir, out, 12)
	o.All = true
	r, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Plan.Training) != 8 || len(r.Plan.Validation) != 0 || r.BestStep != 12 || r.Model != out {
		t.Errorf("%d images train, %d validate, step %d is kept", len(r.Plan.Training), len(r.Plan.Validation), r.BestStep)
	}
	m, err := models.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Metrics) != 0 {
		t.Errorf("the card claims %v, although no images were held out", m.Metrics)
	}
	csv, err := os.ReadFile(filepath.Join(out, "progress.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(csv), ",,,") {
		t.Errorf("progress.csv has figures:\n%s", csv)
	}
	o.Resume = true
	if _, err := Run(t.Context(), o, nil); err != nil {
		t.Errorf("resumed: %v", err)
	}
	again := Options{Datasets: []string{dir}, Out: filepath.Join(t.TempDir(), "again"), PlanFile: filepath.Join(out, "plan.json")}
	if _, err := Run(t.Context(), again, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(weightsOf(t, out), weightsOf(t, again.Out)) {
		t.Error("the plan gives other weights")
	}

	held := tiny(dir, filepath.Join(t.TempDir(), "held"), 4)
	if _, err := Run(t.Context(), held, nil); err != nil {
		t.Fatal(err)
	}
	again = Options{Datasets: []string{dir}, Out: filepath.Join(t.TempDir(), "all"), PlanFile: filepath.Join(held.Out, "plan.json"), All: true}
	if r, err := Run(t.Context(), again, nil); err != nil || len(r.Plan.Training) != 8 {
		t.Errorf("a plan with a validation part, all images: %v", err)
	}
	held.All, held.Resume = true, true
	if _, err := Run(t.Context(), held, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("resumed with all images: error %v", err)
	}
}

// The weights depend only on data, settings and seed, bit for bit.
func TestRunIsDeterministic(t *testing.T) {
	dir := datasettest.Discs(t, 8, 32)
	train := func(threads int, seed uint64) []byte {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		pool := unet.NewPool(threads)
		defer pool.Close()
		o := tiny(dir, filepath.Join(t.TempDir(), "m"), 12)
		o.Pool, o.Seed = pool, seed
		if _, err := Run(t.Context(), o, nil); err != nil {
			t.Fatal(err)
		}
		return weightsOf(t, o.Out)
	}
	one, two, other := train(1, 3), train(3, 3), train(1, 4)
	if !bytes.Equal(one, two) {
		t.Error("weights differ between 1 and 3 threads")
	}
	if bytes.Equal(one, other) {
		t.Error("another seed gives the same weights")
	}
}

// Network settings in the options are trained and kept; the plan supplies the others.
func TestNetworkIsTheOptions(t *testing.T) {
	o := tiny(datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m"), 2)
	o.Network = unet.Config{Width: 4, Block: unet.BlockDense, Convs: 2, Skip: unet.SkipAdd, Attention: true, Up: unet.UpBilinear}
	res, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := o.Network
	want.Channels, want.Classes, want.Depth = 1, 2, 2
	if want = want.WithDefaults(); res.Plan.Network != want {
		t.Errorf("trained %+v, want %+v", res.Plan.Network, want)
	}
	m, err := models.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if m.Network != want {
		t.Errorf("model of %+v, want %+v", m.Network, want)
	}
	if _, err := m.Predictor(nil); err != nil {
		t.Error(err)
	}
	o.Network.Skip, o.Overwrite = unet.SkipNone, true
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("a gate without a skip: %v", err)
	}
}

// A time is converted into steps before the first step, and a run with that many
// steps gives the same weights.
func TestTimeSettlesSteps(t *testing.T) {
	dir := datasettest.Discs(t, 8, 32)
	timed := tiny(dir, filepath.Join(t.TempDir(), "timed"), 0)
	timed.Time = 1e9
	steps := 0
	res, err := Run(t.Context(), timed, func(e Event) {
		if e.Kind == EventPlan {
			steps = e.Steps
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if steps < 1 || res.Steps != steps || res.Plan.StepsFrom != "time" {
		t.Fatalf("planned %d steps, ran %d, from %q", steps, res.Steps, res.Plan.StepsFrom)
	}
	fixed := tiny(dir, filepath.Join(t.TempDir(), "fixed"), steps)
	if _, err := Run(t.Context(), fixed, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(weightsOf(t, timed.Out), weightsOf(t, fixed.Out)) {
		t.Error("a timed run differs from one with the same number of steps")
	}
}

func TestDivergenceKeepsBest(t *testing.T) {
	dir, out := datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m")
	o := tiny(dir, out, 12)
	o.afterStep = func(r *run) {
		if r.Step == 8 {
			r.now[0][0] = float32(math.NaN())
		}
	}
	res, err := Run(t.Context(), o, nil)
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "step 9 of 12") {
		t.Fatalf("error %v, want ErrDiverged at step 9", err)
	}
	if res.BestStep == 0 || res.Model != out || len(weightsOf(t, out)) == 0 {
		t.Errorf("result %+v: the best model is lost", res)
	}
}

// A full disk ends the training with an error that names the file. The best model
// stays intact, and no partial file is left.
func TestUnwritableKeepsBest(t *testing.T) {
	o := tiny(datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m"), 12)
	var best []byte
	o.afterStep = func(r *run) {
		if r.Step == 8 { // a nonempty folder is in the way: this works like a full disk, for root too
			best = weightsOf(t, o.Out)
			_ = os.Remove(filepath.Join(o.Out, "progress.csv"))
			if err := os.MkdirAll(filepath.Join(o.Out, "progress.csv", "full"), 0o755); err != nil {
				t.Error(err)
			}
			r.BestScore = 2 // nothing after it is better
		}
	}
	res, err := Run(t.Context(), o, nil)
	if err == nil || !strings.Contains(err.Error(), "progress.csv") || !strings.Contains(err.Error(), "is kept") {
		t.Fatalf("error %v, want one that names the file and what is kept", err)
	}
	if res.Model != o.Out || !bytes.Equal(best, weightsOf(t, o.Out)) {
		t.Error("the best model is lost")
	}
	m, err := models.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Load(t.Context(), nil); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(o.Out, ".segd-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files %v were left behind (%v)", left, err)
	}
}

// If not even the first model can be written, no message claims that one is kept.
func TestUnwritableFirst(t *testing.T) {
	o := tiny(datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m"), 12)
	o.Overwrite = true
	if err := os.MkdirAll(filepath.Join(o.Out, "weights.safetensors", "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	res, err := Run(t.Context(), o, nil)
	if err == nil || !strings.Contains(err.Error(), "no model was written") {
		t.Errorf("error %v, want one that says there is no model", err)
	}
	if res.Model != "" || res.BestStep != 0 {
		t.Errorf("result %+v names a model", res)
	}
}

func TestOptions(t *testing.T) {
	ok := Options{Datasets: []string{"d"}, Out: "o"}
	if err := ok.validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no data":            func(o *Options) { o.Datasets = nil },
		"no out":             func(o *Options) { o.Out = "" },
		"two ends":           func(o *Options) { o.Epochs, o.Time = 1, 1 },
		"epochs":             func(o *Options) { o.Epochs = -1 },
		"fold":               func(o *Options) { o.Fold, o.Folds = 5, 5 },
		"one fold":           func(o *Options) { o.Folds = 1 },
		"val fraction":       func(o *Options) { o.ValFraction = 1 },
		"all and a fraction": func(o *Options) { o.All, o.ValFraction = true, 0.2 },
		"all and a fold":     func(o *Options) { o.All, o.Folds = true, 2 },
		"all and patience":   func(o *Options) { o.All, o.Patience = true, 2 },
		"batch":              func(o *Options) { o.Batch = 1000 },
		"solver":             func(o *Options) { o.Solver = "adam" },
		"momentum":           func(o *Options) { o.Momentum = 0.9 },
		"schedule":           func(o *Options) { o.Schedule = "step" },
		"loss":               func(o *Options) { o.Loss.Terms = "dice+dice" },
		"patience":           func(o *Options) { o.Patience = -1 },
		"freeze":             func(o *Options) { o.FreezeEncoder = true },
		"repeat":             func(o *Options) { o.Repeat = []int{1, 2} },
		"rate":               func(o *Options) { o.LearnRate = math.NaN() },
		"trace":              func(o *Options) { o.Trace = -1 },
		"head":               func(o *Options) { o.Network.Head = "boxes" },
		"values, no loss":    func(o *Options) { o.Network.Head = unet.HeadRegression },
		"values, dice":       func(o *Options) { o.Network.Head, o.Loss.Terms = unet.HeadRegression, "ce+dice" },
		"values, gamma":      func(o *Options) { o.Network.Head, o.Loss = unet.HeadRegression, unet.Loss{Terms: "l1", Gamma: 2} },
		"values, names": func(o *Options) {
			o.Network.Head, o.Loss.Terms, o.ClassNames = unet.HeadRegression, "l1", []string{"a"}
		},
		"values, deep":       func(o *Options) { o.Network.Head, o.Loss.Terms, o.Deep = unet.HeadRegression, "l1", true },
		"values, balance":    func(o *Options) { o.Network.Head, o.Loss.Terms, o.Balance = unet.HeadRegression, "l1", true },
		"values, foreground": func(o *Options) { o.Network.Head, o.Loss.Terms, o.Foreground = unet.HeadRegression, "l1", 0.5 },
		"classes, l1":        func(o *Options) { o.Loss.Terms = "l1" },
	} {
		o := ok
		change(&o)
		if err := o.validate(); !errors.Is(err, segd.ErrOption) {
			t.Errorf("%s: %v, want segd.ErrOption", name, err)
		}
	}
}
