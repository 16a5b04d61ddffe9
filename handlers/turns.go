package handlers

import (
	"context"
	"fmt"

	"segd/internal/turns"
)

// run calls f when it is the turn of the request of ctx, or gives up with ctx.
func (s *Server) run(ctx context.Context, f func() error) error {
	waited := true
	err := turns.Take(ctx, func() error {
		waited = false
		return f()
	})
	if err != nil && waited {
		return fmt.Errorf("handlers: waiting for other requests: %w", err)
	}
	return err
}
