package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"segd"
	"segd/unet"
)

// Landscape is the loss around the weights of a training, on a square grid in a plane
// through them.
type Landscape struct {
	At   []float64   `json:"at"`   // grid positions of both axes, ascending, with the weights at 0
	Loss [][]float64 `json:"loss"` // [second direction][first direction]
}

// maxLoss replaces larger values and NaN: there is nothing to see that far out.
const maxLoss = 1e6

// landscapePatches is the minimum number of patches over which the loss is computed.
const landscapePatches = 8

// MeasureLandscape evaluates the loss around the final weights of the training in dir
// (their running average), at points×points positions in a plane that reaches from -1
// to 1 in both directions. datasets are those it was trained on.
//
// The plane is that of Li et al. 2018 ("Visualizing the Loss Landscape of Neural
// Nets", section 4): two directions drawn from a normal distribution with the seed.
// In each direction, the weights of each output channel are scaled to the norm of the
// weights to which they are added. Biases and normalisation parameters stay
// unchanged. At a distance of 1, each filter has moved by its own norm, whatever the
// scale of the weights, so the landscapes of two networks can be compared. The loss
// is the training loss on the first training patches. They are the same at each point
// and for each network with the same plan and seed. Batch normalisation uses the
// statistics of the patches at each point, as in training. The running statistics
// belong to the centre, and would only show that they don't fit elsewhere.
//
// A loss that is above 1e6 or NaN is reported as 1e6.
func MeasureLandscape(ctx context.Context, dir string, datasets []string, points int, seed uint64, pool *unet.Pool) (*Landscape, error) {
	if points < 3 || points > 201 || points%2 == 0 {
		return nil, fmt.Errorf("train: %w: %d points of a landscape, want an odd number from 3 to 201", segd.ErrOption, points)
	}
	r, centre, err := reopen(ctx, dir, datasets)
	if err != nil {
		return nil, err
	}
	p := &r.Plan
	feed := feeder{plan: p, examples: r.training}
	var batches []unet.Batch
	for i := 0; i*p.Batch < landscapePatches; i++ {
		b, err := feed.batch(ctx, i)
		if err != nil {
			return nil, err
		}
		batches = append(batches, b)
	}
	moved := centre.Clone()
	loss, err := unet.NewTrainer(p.Network, moved, p.Batch, p.PatchHeight, p.PatchWidth,
		unet.TrainerOptions{Pool: pool, Loss: p.Loss, ForwardOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = loss.Close() }() // only frees memory
	first, second := direction(centre, seed, 1), direction(centre, seed, 2)
	s := &Landscape{At: make([]float64, points), Loss: make([][]float64, points)}
	for i := range s.At {
		s.At[i] = 2*float64(i)/float64(points-1) - 1
	}
	for y := range s.Loss {
		s.Loss[y] = make([]float64, points)
		for x := range s.Loss[y] {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("train: %w", err)
			}
			moved.CopyFrom(centre)
			shift(moved, first, s.At[x])
			shift(moved, second, s.At[y])
			if s.Loss[y][x], err = meanLoss(loss, batches); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// reopen reads the data of the training in dir, and the current running average of
// its weights.
func reopen(ctx context.Context, dir string, datasets []string) (*run, *unet.Params, error) {
	saved, tensors, err := readCheckpoint(dir)
	if err != nil {
		return nil, nil, err
	}
	if saved == nil {
		return nil, nil, fmt.Errorf("train: %w: no training in %s", segd.ErrNotFound, dir)
	}
	average := unet.NewParams(saved.Plan.Network, 0)
	all := tensorsOf(average)
	size := 0
	for _, t := range all {
		size += 4 * len(t)
	}
	if len(tensors) < 2*size {
		return nil, nil, fmt.Errorf("train: %w: checkpoint holds %d bytes of tensors, but weights and their average need %d", segd.ErrFormat, len(tensors), 2*size)
	}
	if err := restore(tensors[size:2*size], all); err != nil {
		return nil, nil, err
	}
	r, err := prepare(ctx, Options{Datasets: datasets, Out: dir}, saved, func(Event) {})
	return r, average, err
}

// meanLoss returns the mean loss over all batches.
func meanLoss(l *unet.Trainer, batches []unet.Batch) (float64, error) {
	sum := 0.0
	for _, b := range batches {
		v, err := l.Step(b, nil)
		if err != nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return 0, err
		}
		sum += v
	}
	if mean := sum / float64(len(batches)); mean < maxLoss {
		return mean, nil
	}
	return maxLoss, nil
}

// direction draws a filter-normalised direction: one slice for each tensor in order,
// nil for those that stay unchanged.
func direction(p *unet.Params, seed, number uint64) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 0x5f7face<<8|number))
	names := p.Names()
	d := make([][]float32, len(names))
	for i, name := range names {
		t, _ := p.Get(name)
		if t.Dims() < 2 {
			continue
		}
		w := t.Data().([]float32)
		d[i] = make([]float32, len(w))
		for j := range d[i] {
			d[i][j] = float32(rng.NormFloat64())
		}
		filters, of := filtersOf(t.Shape())
		length, want := make([]float64, filters), make([]float64, filters)
		for j, v := range d[i] {
			f := of(j)
			length[f] += float64(v) * float64(v)
			want[f] += float64(w[j]) * float64(w[j])
		}
		for j := range d[i] {
			f := of(j)
			d[i][j] *= float32(math.Sqrt(want[f] / length[f]))
		}
	}
	return d
}

// filtersOf returns the number of output channels of weights with this shape, and a
// function from each weight to its channel.
func filtersOf(shape []int) (n int, of func(i int) int) {
	inner := shape[2] * shape[3]
	if inner == 4 { // transposed convolutions, the only 2×2 ones, have shape in, out, 2, 2
		return shape[1], func(i int) int { return i / inner % shape[1] }
	}
	return shape[0], func(i int) int { return i / (inner * shape[1]) }
}

// shift adds t times the direction d to p.
func shift(p *unet.Params, d [][]float32, t float64) {
	for i, name := range p.Names() {
		if d[i] == nil {
			continue
		}
		tensor, _ := p.Get(name)
		w := tensor.Data().([]float32)
		for j, v := range d[i] {
			w[j] += float32(t) * v
		}
	}
}
