package train

import (
	"errors"
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// param is a gorgonia.ValueGrad made of plain slices.
type param struct{ w, g *tensor.Dense }

func (p param) Value() gorgonia.Value         { return p.w }
func (p param) Grad() (gorgonia.Value, error) { return p.g, nil }
func dense(shape []int, v ...float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))
}
func valueOf(p gorgonia.ValueGrad) []float32         { return p.Value().Data().([]float32) }
func gradOf(p gorgonia.ValueGrad) []float32          { g, _ := p.Grad(); return g.Data().([]float32) }
func model(params ...param) (m []gorgonia.ValueGrad) { return append(m, toValueGrads(params)...) }
func toValueGrads(params []param) (m []gorgonia.ValueGrad) {
	for _, p := range params {
		m = append(m, p)
	}
	return m
}

// The reference is Loshchilov and Hutter 2019, Algorithm 2, in float64.
func TestAdamWFollowsThePaper(t *testing.T) {
	const rate, decay, clip = 0.1, 0.3, 1.0
	matrix := param{dense([]int{1, 2}, 1, -2), dense([]int{1, 2}, 0, 0)}
	vector := param{dense([]int{1}, 0.5), dense([]int{1}, 0)}
	m := model(matrix, vector)
	s := NewAdamW(rate, decay, clip)
	want := []float64{1, -2, 0.5}
	first, second := make([]float64, 3), make([]float64, 3)
	for step := 1; step <= 5; step++ {
		g := []float64{0.3 * float64(step), -4, 0.01 * float64(step*step)}
		copy(gradOf(m[0]), []float32{float32(g[0]), float32(g[1])})
		gradOf(m[1])[0] = float32(g[2])
		norm := math.Sqrt(g[0]*g[0] + g[1]*g[1] + g[2]*g[2])
		for i := range want {
			d := g[i] * math.Min(1, clip/norm)
			first[i] = 0.9*first[i] + 0.1*d
			second[i] = 0.999*second[i] + 0.001*d*d
			if i < 2 { // vectors don't decay
				want[i] -= rate * decay * want[i]
			}
			want[i] -= rate * (first[i] / (1 - math.Pow(0.9, float64(step)))) /
				(math.Sqrt(second[i]/(1-math.Pow(0.999, float64(step)))) + 1e-8)
		}
		if err := s.Step(m); err != nil {
			t.Fatal(err)
		}
		if math.Abs(s.GradientNorm()-norm) > 1e-6*norm {
			t.Errorf("step %d: gradient norm %v, want %v", step, s.GradientNorm(), norm)
		}
		got := append(append([]float32(nil), valueOf(m[0])...), valueOf(m[1])...)
		for i := range want {
			if math.Abs(float64(got[i])-want[i]) > 1e-5 { // float32 against float64
				t.Errorf("step %d value %d: %v, want %v", step, i, got[i], want[i])
			}
		}
		if gradOf(m[0])[1] != 0 || gradOf(m[1])[0] != 0 {
			t.Errorf("step %d: gradients are not zeroed", step)
		}
	}
}

// The reference is PyTorch's: torch.optim.SGD(momentum=0.9, weight_decay=0.1,
// nesterov=True) in float64.
func TestSGDFollowsPyTorch(t *testing.T) {
	const rate, momentum, decay = 0.1, 0.9, 0.1
	matrix := param{dense([]int{1, 2}, 1, -2), dense([]int{1, 2}, 0, 0)}
	vector := param{dense([]int{1}, 0.5), dense([]int{1}, 0)}
	m := model(matrix, vector)
	s := NewSGD(rate, momentum, decay, 0)
	for step := 1; step <= 4; step++ {
		copy(gradOf(m[0]), []float32{0.3 * float32(step), -4})
		gradOf(m[1])[0] = 0.01 * float32(step*step)
		if err := s.Step(m); err != nil {
			t.Fatal(err)
		}
	}
	got := append(append([]float32(nil), valueOf(m[0])...), valueOf(m[1])...)
	for i, want := range []float64{0.096284631, 2.957892015, 0.427358900} {
		if math.Abs(float64(got[i])-want) > 1e-5 { // float32 against float64
			t.Errorf("value %d: %v, PyTorch has %v", i, got[i], want)
		}
	}
}

func TestSolversRefuseWhatIsNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		for _, s := range []solver{NewAdamW(1, 0, 1), NewSGD(1, 0.9, 0, 1)} {
			m := model(param{dense([]int{2}, 1, 2), dense([]int{2}, 0, float32(bad))})
			if err := s.Step(m); !errors.Is(err, ErrDiverged) {
				t.Errorf("%T, gradient %v: %v, want ErrDiverged", s, bad, err)
			}
			if valueOf(m[0])[0] != 1 || valueOf(m[0])[1] != 2 {
				t.Errorf("%T, gradient %v moved the weights", s, bad)
			}
		}
	}
}

func TestSchedule(t *testing.T) {
	for _, tt := range []struct {
		schedule string
		step     int
		want     float64
	}{{ScheduleCosine, 0, 0.1}, {ScheduleCosine, 9, 1}, {ScheduleCosine, 10, 1}, {ScheduleCosine, 55, 0.5}, {ScheduleCosine, 99, 0.000304586},
		{SchedulePoly, 4, 0.5}, {SchedulePoly, 10, 1}, {SchedulePoly, 55, 0.535887}, {SchedulePoly, 99, 0.017425}} {
		p := Plan{LearnRate: 1, Warmup: 10, Steps: 100, Schedule: tt.schedule}
		if got := p.rate(tt.step); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s, step %d: %v, want %v", tt.schedule, tt.step, got, tt.want)
		}
	}
}

func TestAverage(t *testing.T) {
	avg := []float32{0}
	average(avg, []float32{1}, 0.99, 0) // the first step has weight 1/10: 1 - 1/10 of the way
	if math.Abs(float64(avg[0])-0.9) > 1e-6 {
		t.Errorf("after the first step %v, want 0.9", avg[0])
	}
	average(avg, []float32{2}, 0.99, 100000)
	if math.Abs(float64(avg[0])-(0.9+0.01*1.1)) > 1e-6 {
		t.Errorf("late: %v, want %v", avg[0], 0.9+0.01*1.1)
	}
}
