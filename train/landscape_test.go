package train

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"gorgonia.org/tensor"

	"segd"
	"segd/train/dataset/datasettest"
	"segd/unet"
)

// Each output channel of a direction has the norm of the weights to which it is
// added. Vectors stay unchanged.
func TestDirectionIsFilterNormalised(t *testing.T) {
	p := unet.NewParams(unet.Config{Channels: 1, Classes: 2, Width: 2, Depth: 1, Block: unet.BlockResidual}, 3)
	w, _ := p.Get("up.0.weight")
	for i, v := range w.Data().([]float32) { // filters with different norms
		w.Data().([]float32)[i] = v * float32(1+i%4)
	}
	d := direction(p, 1, 1)
	for i, name := range p.Names() {
		w, _ := p.Get(name)
		if w.Dims() < 2 {
			if d[i] != nil {
				t.Errorf("%s is moved", name)
			}
			continue
		}
		for f, want := range filterNorms(w, w.Data().([]float32)) {
			if got := filterNorms(w, d[i])[f]; math.Abs(got-want) > 1e-5*want {
				t.Errorf("%s filter %d: direction has norm %g, weights have %g", name, f, got, want)
			}
		}
	}
	other := direction(p, 1, 2)
	if d[0][0] == other[0][0] || direction(p, 1, 1)[0][0] != d[0][0] {
		t.Error("directions do not depend only on seed and number")
	}
}

// filterNorms computes the norm of each output channel directly from the tensor's
// indices.
func filterNorms(w *tensor.Dense, v []float32) []float64 {
	s := w.Shape()
	axis := 0
	if s[2] == 2 {
		axis = 1
	}
	norms := make([]float64, s[axis])
	for i := range v {
		index := []int{i / (s[1] * s[2] * s[3]), i / (s[2] * s[3]) % s[1]}
		norms[index[axis]] += float64(v[i]) * float64(v[i])
	}
	for f := range norms {
		norms[f] = math.Sqrt(norms[f])
	}
	return norms
}

// The centre of a landscape is the loss of the kept weights, and it lies below its
// surroundings if the network has learnt.
func TestLandscape(t *testing.T) {
	dir, out := datasettest.Discs(t, 8, 32), filepath.Join(t.TempDir(), "m")
	o := tiny(dir, out, 60)
	o.LearnRate, o.NoPage, o.Trace = 1e-2, true, 20
	res, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := MeasureLandscape(t.Context(), out, o.Datasets, 5, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	centre, mean := s.Loss[2][2], 0.0
	for _, row := range s.Loss {
		for _, v := range row {
			mean += v / 25
		}
	}
	if s.At[0] != -1 || s.At[2] != 0 || s.At[4] != 1 {
		t.Errorf("grid at %v", s.At)
	}
	if last := res.Losses[len(res.Losses)-1]; math.Abs(centre-last) > 0.5*last {
		t.Errorf("loss %.3f in the centre, %.3f in the last step", centre, last)
	}
	if mean < 1.2*centre {
		t.Errorf("loss %.3f in the centre, %.3f on average", centre, mean)
	}
	if again, err := MeasureLandscape(t.Context(), out, o.Datasets, 5, 1, nil); err != nil || again.Loss[0][0] != s.Loss[0][0] || again.Loss[2][2] != centre {
		t.Errorf("measured again: %v, %v; was %v (%v)", again.Loss[0][0], again.Loss[2][2], s.Loss[0][0], err)
	}
	if _, err := MeasureLandscape(t.Context(), out, o.Datasets, 4, 1, nil); !errors.Is(err, segd.ErrOption) {
		t.Errorf("an even number of points: %v", err)
	}
	if _, err := MeasureLandscape(t.Context(), t.TempDir(), o.Datasets, 5, 1, nil); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("no training: %v", err)
	}
}

// Traces hold the gradient norm of each convolution, are unaffected by an
// interruption, and do not change the training.
func TestTrace(t *testing.T) {
	dir := datasettest.Discs(t, 8, 32)
	plain := tiny(dir, filepath.Join(t.TempDir(), "plain"), 6)
	plain.NoPage = true
	if _, err := Run(t.Context(), plain, nil); err != nil {
		t.Fatal(err)
	}
	traced := tiny(dir, filepath.Join(t.TempDir(), "traced"), 6)
	traced.NoPage, traced.Trace = true, 2
	var sum, total float64
	traced.afterStep = func(r *run) {
		if r.Step == 3 { // the step that started at 2
			total = r.solver.base().GradientNorm()
		}
	}
	res, err := Run(t.Context(), traced, nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(weightsOf(t, plain.Out)) != string(weightsOf(t, traced.Out)) {
		t.Error("tracing changes the weights")
	}
	if len(res.Trace) != 3 || res.Trace[1].Step != 2 || len(res.Losses) != 6 {
		t.Fatalf("traces %+v and %d losses of 6 steps", res.Trace, len(res.Losses))
	}
	for _, l := range res.Trace[1].Layers {
		if !(l.Gradient > 0 && l.Weight > 0) {
			t.Errorf("%+v", l)
		}
		sum += l.Gradient * l.Gradient
	}
	// Biases and normalisation parameters are left out.
	if got := math.Sqrt(sum); got > total || got < 0.5*total {
		t.Errorf("gradient norm %g over layers, %g in the solver", got, total)
	}
}
