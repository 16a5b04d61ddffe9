package handlers

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"segd"
	"segd/internal/engine"
)

// memory is what requests may hold, in shares. A request takes from them in the
// order of their fields and never waits for an earlier one while it holds a later
// one, so that what is computed always ends, and lets go.
//
// A quarter of the whole is in no share: it is for weights, for what networks keep
// for their next runs, and for garbage.
type memory struct {
	whole  int64
	bodies *share // files on their way or there, as far as they are in memory
	spool  *share // and on disk
	scans  lanes  // decoded files, and what is collected for an answer: until it is sent
	frames lanes  // an image, its network and its pictures: while it is computed
}

func newMemory(whole, spool int64) *memory {
	return &memory{
		whole:  whole,
		bodies: &share{size: whole / 16},
		spool:  &share{size: spool},
		scans:  newLanes(whole * 3 / 16),
		frames: newLanes(whole * 3 / 8),
	}
}

// lanes are a share in parts, the last one the largest, so that what needs little
// never waits for what needs much: each part is for what is no more than a small
// piece of it, and the last one for the rest.
type lanes []lane

type lane struct {
	most int64 // that is taken of it at once
	*share
}

func newLanes(size int64) lanes {
	l := lanes{
		{size / 4096, &share{size: size / 32}}, // 128 of the largest, as many as a client has requests
		{size / 128, &share{size: size / 16}},
		{size / 32, &share{size: size / 8}},
	}
	rest := size
	for _, part := range l {
		rest -= part.size
	}
	return append(l, lane{rest, &share{size: rest}})
}

// last is the part for what needs most.
func (l lanes) last() *share { return l[len(l)-1].share }

// Scan is that of engine.Budget.
func (m *memory) Scan(ctx context.Context, n int64) (engine.Holding, error) {
	return m.scans.take(ctx, n, "the file")
}

// Frame is that of engine.Budget.
func (m *memory) Frame(ctx context.Context, n int64) (engine.Holding, error) {
	return m.frames.take(ctx, n, "a frame")
}

// take waits for n bytes. More than there ever are is a segd.ErrTooLarge that says
// how much is needed and for what; the end of ctx is its error.
func (l lanes) take(ctx context.Context, n int64, what string) (*holding, error) {
	i := slices.IndexFunc(l, func(part lane) bool { return n <= part.most })
	if i < 0 {
		return nil, fmt.Errorf("handlers: %w: %s takes about %s of memory, the server has %s for it; send less at once, or give the server more (--max-memory)",
			segd.ErrTooLarge, what, inMiB(n), inMiB(l.last().size))
	}
	if err := l[i].take(ctx, n); err != nil {
		return nil, fmt.Errorf("handlers: waiting for %s of memory: %w", inMiB(n), err)
	}
	return &holding{from: l[i].share, n: n}, nil
}

func inMiB(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }

// holding is memory that a request has taken, an engine.Holding. It belongs to one
// goroutine; nil holds nothing.
type holding struct {
	from *share
	n    int64
}

// Shrink gives back all but n bytes.
func (h *holding) Shrink(n int64) {
	if h != nil && n < h.n {
		h.from.give(h.n - n)
		h.n = n
	}
}

// Release gives back everything.
func (h *holding) Release() { h.Shrink(0) }

// share is an amount of memory, given out in the order in which it is asked for.
type share struct {
	size int64

	mu      sync.Mutex
	used    int64
	waiting []waiter
}

type waiter struct {
	n     int64
	ready chan struct{}
}

// try takes n bytes if they are there: who holds some does not wait for more.
func (s *share) try(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 || s.used+n > s.size {
		return false
	}
	s.used += n
	return true
}

func (s *share) take(ctx context.Context, n int64) error {
	if err := ctx.Err(); err != nil || n <= 0 {
		return err
	}
	s.mu.Lock()
	if len(s.waiting) == 0 && s.used+n <= s.size {
		s.used += n
		s.mu.Unlock()
		return nil
	}
	w := waiter{n, make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for i := range s.waiting {
		if s.waiting[i].ready == w.ready {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			s.serve()
			s.mu.Unlock()
			return ctx.Err()
		}
	}
	s.mu.Unlock()
	s.give(n) // it came at the same moment
	return ctx.Err()
}

func (s *share) give(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	s.serve()
}

// serve lets those go on that wait and whose turn it is. s.mu is held.
func (s *share) serve() {
	for len(s.waiting) > 0 && s.used+s.waiting[0].n <= s.size {
		s.used += s.waiting[0].n
		close(s.waiting[0].ready)
		s.waiting = s.waiting[1:]
	}
}

// full reports whether less than n bytes are free.
func (s *share) full(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used+n > s.size
}

// quiet calls free when nothing has been going on for some time after something
// was.
type quiet struct {
	after time.Duration
	free  func()

	mu    sync.Mutex
	busy  int
	timer *time.Timer
}

func (q *quiet) enter() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy++
	if q.timer != nil {
		q.timer.Stop()
	}
}

func (q *quiet) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy--; q.busy == 0 {
		q.timer = time.AfterFunc(q.after, q.free)
	}
}

// quietTime is how long nothing must have been computed before memory goes back
// to the system: a request that follows at once finds it still there.
const quietTime = 5 * time.Second

// freeMemory gives back to the system what the last requests have left.
func (s *Server) freeMemory() {
	s.Models.Trim(0)
	runtime.GC() // what a sync.Pool holds goes at the second
	debug.FreeOSMemory()
}
