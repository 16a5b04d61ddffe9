package unet

import (
	"context"

	"segd/internal/kernel"
	"segd/internal/turns"
)

// next is turns.Next within a computation that has entered the pool. The pool
// does not count the computation while it waits.
func next(ctx context.Context, pool *kernel.Pool) error {
	if turns.Free(ctx) {
		return ctx.Err()
	}
	pool.Leave()
	defer pool.Enter()
	return turns.Next(ctx)
}
