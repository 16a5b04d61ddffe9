package train

import (
	"context"
	"math/rand/v2"

	"segd/train/augment"
	"segd/train/internal/parallel"
	"segd/unet"
)

// feeder prepares batches ahead of the steps that use them. Batch k holds samples k·B
// to (k+1)·B-1, and sample i is a patch of the (i mod n)-th case of epoch i/n. The
// input of a step therefore depends only on its number.
type feeder struct {
	plan     *Plan
	examples []example
	orders   map[int][]int // of the epochs in use
}

// ahead is the maximum number of waiting batches.
const ahead = 2

// start makes the batches of steps from to to-1, in order, until ctx is done. It
// closes the channel after the last.
func (f *feeder) start(ctx context.Context, from, to int) <-chan unet.Batch {
	out := make(chan unet.Batch, ahead)
	go func() {
		defer close(out)
		for step := from; step < to; step++ {
			b, err := f.batch(ctx, step)
			if err != nil {
				return
			}
			select {
			case out <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// batch makes the batch of one step, with its patches in parallel.
func (f *feeder) batch(ctx context.Context, step int) (unet.Batch, error) {
	p := f.plan
	hw, c := p.PatchHeight*p.PatchWidth, p.Network.Channels
	b := unet.Batch{X: make([]float32, p.Batch*c*hw)}
	t := p.target()
	t.room(&b, p.Batch*hw)
	weight := func(int) []float32 { return nil }
	if p.Loss.Weighted() {
		b.Weights = make([]float32, p.Batch*hw)
		weight = func(k int) []float32 { return b.Weights[k*hw : (k+1)*hw] }
	}
	picks := make([]*example, p.Batch)
	for k := range picks {
		picks[k] = &f.examples[f.pick(step*p.Batch+k)]
	}
	err := parallel.Do(ctx, p.Batch, func(k int) error {
		s := augment.Patch{
			RNG: augment.Source(p.Seed, uint64(step*p.Batch+k)), H: p.PatchHeight, W: p.PatchWidth,
			X: b.X[k*c*hw : (k+1)*c*hw], Weights: weight(k),
		}
		t.patch(&s, &b, k*hw, (k+1)*hw)
		e, err := picks[k].whole()
		if err != nil {
			return err
		}
		s.Cut(&e.Sample, &p.Augment, p.Foreground)
		return nil
	})
	return b, err
}

// pick returns the index of the case from which sample i is cut.
func (f *feeder) pick(i int) int {
	n := len(f.examples)
	epoch := i / n
	order, ok := f.orders[epoch]
	if !ok {
		order = rand.New(rand.NewPCG(f.plan.Seed, 0xe90c<<32|uint64(epoch))).Perm(n)
		if f.orders == nil || len(f.orders) > 8 {
			f.orders = map[int][]int{}
		}
		f.orders[epoch] = order
	}
	return order[i%n]
}
