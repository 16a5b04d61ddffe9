package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/models"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/unet"
)

// recipes are trainings that together cover every choice of the recipe.
func recipes(from *models.Model) map[string]func(*Options) {
	return map[string]func(*Options){
		"sgd poly focal+tversky": func(o *Options) {
			o.Solver, o.Schedule, o.LearnRate, o.Loss = SolverSGD, SchedulePoly, 0.02, unet.Loss{Terms: "focal+tversky"}
		},
		"deep border balanced patience": func(o *Options) {
			o.Deep, o.Loss, o.Balance, o.Patience = true, unet.Loss{Terms: "border+dice"}, true, 50
		},
		"from frozen repeat": func(o *Options) {
			o.From, o.FreezeEncoder, o.Repeat, o.Network = from, true, []int{2}, unet.Config{}
		},
	}
}

// startModel trains a model to start from.
func startModel(t *testing.T, dir string) *models.Model {
	t.Helper()
	o := tiny(dir, filepath.Join(t.TempDir(), "start"), 4)
	o.ClassNames = []string{"disc"}
	if _, err := Run(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// killed holds the instructions for the process that a test kills.
type killed struct {
	Recipe, Data, Out, From string
}

// TestMain runs as the process that TestKilled kills if SEGD_TEST_KILLED is set.
func TestMain(m *testing.M) {
	text := os.Getenv("SEGD_TEST_KILLED")
	if text == "" {
		os.Exit(m.Run())
	}
	var k killed
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		panic(err)
	}
	from, err := models.Open(k.From)
	if err != nil {
		panic(err)
	}
	o := tiny(k.Data, k.Out, 14)
	recipes(from)[k.Recipe](&o)
	o.afterStep = func(r *run) {
		if r.Step == 6 {
			if err := r.save(); err != nil {
				panic(err)
			}
		}
		if r.Step == 9 {
			p, _ := os.FindProcess(os.Getpid())
			_ = p.Kill()
			select {}
		}
	}
	_, err = Run(context.Background(), o, nil)
	panic(err)
}

// A training that is killed and resumed ends with exactly the weights of an
// uninterrupted one, whatever its recipe.
func TestKilled(t *testing.T) {
	if datasettest.Race || testing.Short() {
		t.Skip("three trainings, three times")
	}
	dir := datasettest.Discs(t, 8, 32)
	from := startModel(t, dir)
	for name, change := range recipes(from) {
		t.Run(name, func(t *testing.T) {
			whole := tiny(dir, filepath.Join(t.TempDir(), "whole"), 14)
			change(&whole)
			if _, err := Run(t.Context(), whole, nil); err != nil {
				t.Fatal(err)
			}
			part := tiny(dir, filepath.Join(t.TempDir(), "part"), 14)
			text, err := json.Marshal(killed{name, dir, part.Out, from.Origin})
			if err != nil {
				t.Fatal(err)
			}
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "SEGD_TEST_KILLED="+string(text))
			if out, err := child.CombinedOutput(); err == nil || child.ProcessState.Exited() {
				t.Fatalf("the process was not killed: %v, %s", err, out)
			}
			change(&part)
			part.Resume = true
			res, err := Run(t.Context(), part, nil)
			if err != nil || res.Steps != 14 {
				t.Fatalf("resumed: %+v, %v", res, err)
			}
			if !bytes.Equal(weightsOf(t, whole.Out), weightsOf(t, part.Out)) {
				t.Error("weights differ from those of an uninterrupted run")
			}
			// Another recipe cannot resume from it.
			for other, change := range recipes(from) {
				o := tiny(dir, part.Out, 14)
				o.Resume = true
				if change(&o); other == name {
					continue
				}
				if _, err := Run(t.Context(), o, nil); !errors.Is(err, segd.ErrOption) {
					t.Errorf("resumed as %s: %v", other, err)
				}
			}
		})
	}
}

// Without a better validation the training ends early, and plan, page and event say
// so.
func TestPatience(t *testing.T) {
	o := tiny(datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m"), 40)
	o.Patience, o.LearnRate = 2, 1e-9 // learns nothing, so the first validation stays the best
	var last Event
	res, err := Run(t.Context(), o, func(e Event) { last = e })
	if err != nil {
		t.Fatal(err)
	}
	if res.Plan.StoppedEarly == 0 || res.Steps != res.Plan.StoppedEarly || res.Steps >= 40 || !strings.Contains(last.Message, "stopped early") {
		t.Errorf("%d steps, stopped early at %d: %q", res.Steps, res.Plan.StoppedEarly, last.Message)
	}
	for name, want := range map[string]string{"plan.json": `"stopped_early"`, "report.html": "Stopped early after"} {
		b, err := os.ReadFile(filepath.Join(o.Out, name))
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s does not say so (%v)", name, err)
		}
	}
	o.Resume = true // running it again does nothing
	if again, err := Run(t.Context(), o, nil); err != nil || again.Steps != res.Steps {
		t.Errorf("resumed: %+v, %v", again, err)
	}
}

// Fine-tuning takes network, recipe, names and weights from the model.
func TestFineTuning(t *testing.T) {
	dir := datasettest.Discs(t, 8, 32)
	from := startModel(t, dir)
	o := tiny(dir, filepath.Join(t.TempDir(), "tuned"), 1)
	o.Network, o.From, o.LearnRate = unet.Config{}, from, 1e-9
	if _, err := Run(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if m.Network != from.Network || m.Recipe != from.Recipe || m.Classes[1].Name != "disc" || !strings.Contains(m.Training.From, from.WeightsSHA256[:12]) {
		t.Errorf("tuned %+v of %+v", m.Manifest, from.Manifest)
	}
	was, err := from.Params()
	if err != nil {
		t.Fatal(err)
	}
	is, err := m.Params()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range was.Names() {
		a, _ := was.Get(name)
		b, _ := is.Get(name)
		if x, y := a.Data().([]float32), b.Data().([]float32); !strings.Contains(name, "running") && math.Abs(float64(x[0]-y[0])) > 1e-6 {
			t.Errorf("%s started at %v, the model has %v", name, y[0], x[0])
		}
	}
	// An additional class, and a network other than the model's.
	o.Out, o.ClassNames = filepath.Join(t.TempDir(), "more"), []string{"ring", "disc"}
	warned := ""
	if _, err := Run(t.Context(), o, func(e Event) {
		if e.Kind == EventWarning {
			warned += e.Message + "\n"
		}
	}); err != nil || !strings.Contains(warned, "does not know ring") {
		t.Errorf("another class: %v, %q", err, warned)
	}
	o.Network, o.Overwrite = unet.Config{Width: 5}, true
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, segd.ErrOption) || !strings.Contains(err.Error(), "width 5") {
		t.Errorf("another width: %v", err)
	}
}

// Equation 2 of Ronneberger et al. 2015, computed by hand: between two objects, three
// and four pixels away.
func TestBorderMap(t *testing.T) {
	const w, h = 12, 3
	id := make([]int32, w*h)
	for y := range h {
		id[y*w], id[y*w+7] = 1, 2
	}
	m := borderMap(id, w, h, 10, 5)
	if want := 1 + 10*math.Exp(-49.0/50); math.Abs(float64(m[w+3])-want) > 1e-6 {
		t.Errorf("between: %v, want %v", m[w+3], want)
	}
	if m[0] != 1 || m[7] != 1 {
		t.Errorf("in the objects: %v, %v", m[0], m[7])
	}
	if one := borderMap(make([]int32, 9), 3, 3, 10, 5); slices.Max(one) != 1 {
		t.Errorf("without objects: %v", one)
	}
}

// Touching instances are two objects; without the file they are one.
func TestInstances(t *testing.T) {
	dir := datasettest.Discs(t, 2, 16)
	if err := os.MkdirAll(filepath.Join(dir, "instances"), 0o755); err != nil {
		t.Fatal(err)
	}
	img := image.NewGray16(image.Rect(0, 0, 16, 16))
	for y := range 16 {
		img.SetGray16(2, y, color.Gray16{Y: 300})
		img.SetGray16(3, y, color.Gray16{Y: 301})
	}
	datasettest.WritePNG(t, filepath.Join(dir, "instances", "disc_00.png"), img)
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d.Cases[0].Instances == "" || d.Cases[1].Instances != "" {
		t.Fatalf("instances %q, %q", d.Cases[0].Instances, d.Cases[1].Instances)
	}
	raws, list, err := load(t.Context(), d.Cases, classTarget{}, defaultMemory)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(Options{}, fingerprint(d.Cases, list, dataset.Meaning{}, 2), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := normaliser{target: classTarget{}, recipe: p.Recipe, classes: 2, store: budget(1 << 30)}
	e, err := n.run(t.Context(), d.Cases, raws)
	if err != nil {
		t.Fatal(err)
	}
	if err := e[0].weigh(unet.Loss{BorderWeight: 10, BorderSigma: 5}); err != nil {
		t.Fatal(err)
	}
	if id, _ := e[0].objects(); id[2] != 300 || id[3] != 301 {
		t.Errorf("objects %d and %d, want 300 and 301", id[2], id[3])
	}
	// One pixel from one object, two from the other.
	if got := float64(e[0].Weights[5*16+4]); math.Abs(got-(1+10*math.Exp(-9.0/50))) > 1e-4 {
		t.Errorf("next to both: %v", got)
	}
}

func TestBalance(t *testing.T) {
	cases := []dataset.Case{{ID: "a"}, {ID: "held out"}}
	list := make([]facts, 2)
	list[0].counts[0], list[0].counts[1], list[0].counts[2], list[0].counts[255] = 889, 100, 10, 1
	list[1].counts[3] = 5000
	w := balance(cases, list, dataset.Meaning{}, []string{"a"}, 4)
	if want := []float64{100.0 / 889, 1, 10, 1}; !slices.Equal(w, want) {
		t.Errorf("weights %v, want %v", w, want)
	}
}
