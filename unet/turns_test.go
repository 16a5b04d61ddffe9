package unet

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"segd/internal/turns"
)

// units counts the units of a request, which checks ctx's error before each of them.
// It calls hook before one of them.
type units struct {
	context.Context
	n    atomic.Int64
	at   int64
	hook func()
}

func (u *units) Err() error {
	if u.n.Add(1) == u.at {
		u.hook()
	}
	return u.Context.Err()
}

// A small image that arrives while a large one is processed in tiles passes through
// the network within one unit of the large one, which is one layer of a tile. The
// results of both stay bit-identical.
func TestSmallPassesLarge(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	c := Config{Channels: 1, Classes: 2, Width: 2, Depth: 2}.WithDefaults()
	q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{Pool: pool, TilePixels: 64 * 64})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	large, small := noise(rng, 1, 1, 200, 210), noise(rng, 1, 1, 24, 24)
	wantLarge, err := q.Predict(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	wantSmall, err := q.Predict(t.Context(), small)
	if err != nil {
		t.Fatal(err)
	}

	queue := turns.New(1)
	const at = 100 // a layer of one of the tiles
	u := &units{Context: queue.Arrive(t.Context()), at: at}
	turns.Expect(u, time.Hour)
	begun, done := make(chan struct{}), make(chan struct{})
	var during int64
	u.hook = func() {
		go func() {
			defer close(done)
			ctx := queue.Arrive(t.Context())
			turns.Expect(ctx, time.Second)
			if err := turns.Take(ctx, func() error {
				close(begun)
				got, err := q.Predict(ctx, small)
				during = u.n.Load()
				if err == nil && !slices.Equal(got.Data, wantSmall.Data) {
					t.Error("the small image has another result")
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		}()
		<-begun // however long the layer takes
	}
	if err := turns.Take(u, func() error {
		got, err := q.Predict(u, large)
		if err == nil && !slices.Equal(got.Data, wantLarge.Data) {
			t.Error("the large image has another result")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	<-done
	if n := u.n.Load(); n < 2*at {
		t.Errorf("%d units of the large image in total", n)
	}
	if during != at {
		t.Errorf("the small image finished in unit %d of the large one, want %d", during, at)
	}
	if pool.inner().Share() != pool.inner() {
		t.Error("the pool counts computations that have ended")
	}
}
