package handlers

import (
	"bytes"
	"context"
	"fmt"
	"image"

	"segd/internal/segment"
	"segd/internal/turns"
)

// queue has a request whose file is there take its turn among the others. Until
// more is known, it counts for as long as what its header says of its size.
func (s *Server) queue(ctx context.Context, file []byte) context.Context {
	pixels := float64(len(file))
	if c, _, err := image.DecodeConfig(bytes.NewReader(file)); err == nil {
		pixels = float64(c.Width) * float64(c.Height)
	}
	ctx = s.turns.Arrive(ctx)
	turns.Expect(ctx, segment.Reading(pixels))
	return ctx
}

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
