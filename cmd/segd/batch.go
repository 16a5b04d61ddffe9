package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"segd/internal/engine"
	"segd/internal/engine/folder"
	"segd/internal/walk"
)

// batch is one run of segd segment, and where the engine's results go: files into the
// folder, what became of each input to standard error.
type batch struct {
	*engine.Job
	*folder.Folder
	sources  []*engine.Source
	inputs   []*engine.Input
	progress *progress
	failFast bool

	failing atomic.Bool // an input failed, and no other is to begin
	stopped atomic.Bool // so one was left out
	mu      sync.Mutex
	index   map[*engine.Source]int
	results []*engine.Result // by source; nil: it left nothing, or was not begun
}

// errStopped: --fail-fast left inputs out.
var errStopped = errors.New("stopped")

// Open is that of engine.Sink.
func (b *batch) Open(*engine.Source) error {
	if b.failing.Load() {
		b.stopped.Store(true)
		return errStopped
	}
	return nil
}

// Begin, Frame and Held are those of engine.Sink: files are written as they come.
func (b *batch) Begin(*engine.Source, *engine.Result) error { return nil }
func (b *batch) Frame(*engine.Source, *engine.Result) error { return nil }
func (b *batch) Held() int64                                { return 0 }

// Close is that of engine.Sink.
func (b *batch) Close(s *engine.Source, r *engine.Result, err error) {
	b.Keep(s)
	b.mu.Lock()
	b.results[b.index[s]] = r
	b.mu.Unlock()
	b.progress.add(s.Origin, err)
	if err != nil && b.failFast {
		b.failing.Store(true)
	}
}

// run segments all inputs, as many at once as there are threads: while one
// waits for its file or is encoded, another has the cores. What is written
// does not depend on how many.
func (b *batch) run(ctx context.Context) {
	for i, s := range b.sources {
		b.index[s] = i
	}
	pending := make(chan *engine.Input)
	var workers sync.WaitGroup
	for range min(b.Parallel, len(b.inputs)) {
		workers.Go(func() {
			for in := range pending {
				_ = b.Job.Run(ctx, in, b) // Close has heard of what failed
			}
		})
	}
	defer workers.Wait()
	defer close(pending)
	for _, in := range b.inputs {
		select {
		case <-ctx.Done():
			return
		case pending <- in:
		}
	}
}

// clear makes room in the folder, and warns of what it cannot promise.
func (b *batch) clear(out string) error {
	if b.Missing {
		b.progress.warn(fmt.Sprintf("the file system of %s does not support locks: make sure that no other run writes there", out))
	}
	others, err := b.Clear()
	if others > 0 {
		b.progress.warn(fmt.Sprintf("%s also holds outputs of %d inputs of earlier runs, which segd.csv no longer lists", out, others))
	}
	return err
}

// report says what a user should know of the results and of what was skipped.
func (b *batch) report(ctx context.Context, passed walk.Passed, notes []string) {
	for _, text := range engine.Warnings(b.sources, b.results) {
		b.progress.warn(text)
	}
	if ctx.Err() == nil && !b.stopped.Load() {
		if n, first := b.Left(func(s *engine.Source) bool { return b.results[b.index[s]] == nil }); n > 0 {
			b.progress.warn(fmt.Sprintf("%d files remain from before this run, because their inputs failed; the first is %s", n, first))
		}
	}
	if text := passed.String(); text != "" {
		b.progress.note(text)
	}
	for _, in := range b.inputs {
		if n := len(in.Copies); n > 0 {
			c, more := in.Copies[0], ""
			if n > 1 {
				more = fmt.Sprintf(" (and %d more copies of other files)", n-1)
			}
			b.progress.note(fmt.Sprintf("%s: not segmented: it is a copy of %s%s", c.Source.Origin, c.Of.Origin, more))
		}
	}
	for _, text := range notes {
		if text != "" {
			b.progress.warn(text)
		}
	}
	b.progress.finish()
}

// outcome is the error of the run.
func (b *batch) outcome(ctx context.Context) error {
	p := b.progress
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%d of %d images were segmented: %w", p.done-p.failed, p.total, err)
	}
	if p.failed > 0 {
		return &partialError{failed: p.failed, total: p.total, stopped: b.stopped.Load()}
	}
	return nil
}
