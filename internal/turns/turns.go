// Package turns shares the cores among requests of very different length, so
// that short ones don't wait until long ones end.
//
//	ctx = queue.Arrive(ctx)                    // once for each request
//	turns.Expect(ctx, time.Second)              // as soon as its length is known
//	err := turns.Take(ctx, func() error {       // waits for a place
//		for _, unit := range units {
//			if err := turns.Next(ctx); err != nil { // lets shorter ones pass
//				return err
//			}
//			unit()
//		}
//		return nil
//	})
//
// A computation is cut into units, such as one layer of a network on one tile
// of an image, and calls Next between two of them. A queue has a fixed number
// of places. These rules decide who computes:
//
//   - Order: a free place goes to the request of the lowest rank. The rank is
//     the time of arrival plus the time that the request is expected to take,
//     divided by patience. So short requests go first, requests of equal length
//     go in order of arrival, and a long request lets only those pass that
//     arrive within a bounded time.
//   - Overtaking: a request of less than half the length of a running one need
//     not wait for a place. It begins at once, while at most twice as many
//     requests run as there are places. So it doesn't wait even for a unit that
//     cannot be cut, such as the decoding of a large file.
//   - Pausing: while more requests run than there are places, the running
//     request of the highest rank pauses at its next unit, if one of less than
//     half its length runs beside it.
//   - Requests that have begun hold memory. One that has not begun passes a
//     paused one only where it has less than half its length. So the number of
//     begun requests grows with the logarithm of the range of lengths, not with
//     the number of requests.
//
// The length is the one of the whole request and not of what is left: a rank
// changes only when more becomes known about the request. A long request that
// is nearly done may pause once more, for requests that are short beside it.
//
// A long request cannot starve: when its rank is the lowest, nothing pauses it
// any more, and shorter requests can only overtake, in as many extra places. A
// short request cannot starve either, for the extra places are closed to long
// ones.
package turns

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how many times longer than it lets others pass a request takes:
// one of 40 seconds goes before those of a few milliseconds that arrive more
// than 10 seconds after it.
const patience = 4

// Queue is the places to compute and the requests that want one. It is safe
// for concurrent use.
type Queue struct {
	places  int
	crowded atomic.Bool // more run than there are places

	mu      sync.Mutex
	running []*request
	waiting []*request
}

// request is one from its arrival to its end. The queue's lock guards its fields.
type request struct {
	queue   *Queue
	arrived time.Time
	length  time.Duration
	begun   bool          // has had a turn
	ready   chan struct{} // closed when its turn comes; of the wait in progress
}

type key struct{}

// New returns a queue of so many places. Fewer than one is one.
func New(places int) *Queue { return &Queue{places: max(1, places)} }

// Places is the number of places.
func (q *Queue) Places() int { return q.places }

// Running is the number of requests that have a turn.
func (q *Queue) Running() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.running)
}

// Arrive returns a context that stands for a new request in the functions of
// this package. It waits for nothing. One goroutine at a time may use it.
func (q *Queue) Arrive(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, &request{queue: q, arrived: time.Now()})
}

func from(ctx context.Context) *request {
	r, _ := ctx.Value(key{}).(*request)
	return r
}

// Expect says how long the request of ctx takes in all on one core of a usual
// machine; until then it is taken to be of no length. Only ratios of two and
// more matter. Without a request in ctx it does nothing.
func Expect(ctx context.Context, length time.Duration) {
	if r := from(ctx); r != nil {
		r.expect(func(time.Duration) time.Duration { return length })
	}
}

// AtLeast is Expect for a part of the request: it leaves a greater length as
// it is.
func AtLeast(ctx context.Context, length time.Duration) {
	if r := from(ctx); r != nil {
		r.expect(func(known time.Duration) time.Duration { return max(known, length) })
	}
}

func (r *request) expect(length func(known time.Duration) time.Duration) {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	r.length = length(r.length)
	r.queue.grant() // others may be short beside it now
}

// Take waits for a turn, calls f and ends the turn. Its error is that of f, or
// ctx's where that ends first. Without a request in ctx it only calls f.
func Take(ctx context.Context, f func() error) error {
	r := from(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	if r == nil {
		return f()
	}
	if err := r.wait(ctx); err != nil {
		return err
	}
	defer r.end()
	return f()
}

// Next stands between two units of work. It returns ctx's error once that has
// ended. Where shorter requests go first, it waits until they are done. Without
// a request in ctx, or outside Take, it only looks at ctx.
func Next(ctx context.Context) error {
	if r := from(ctx); r != nil && r.queue.crowded.Load() && r.pauses() {
		return r.wait(ctx)
	}
	return ctx.Err()
}

// Free reports whether Next would not wait now.
func Free(ctx context.Context) bool {
	r := from(ctx)
	return r == nil || !r.queue.crowded.Load() || !r.pauses()
}

// pauses reports whether r must give its turn to a shorter request.
func (r *request) pauses() bool {
	q := r.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pauses(r)
}

func (q *Queue) pauses(r *request) bool {
	return len(q.running) > q.places && r == last(q.running) &&
		slices.ContainsFunc(q.running, func(s *request) bool { return s.short(r) })
}

// wait ends r's turn, if it has one, and returns when the next comes, or with
// ctx.
func (r *request) wait(ctx context.Context) error {
	q := r.queue
	q.mu.Lock()
	r.leave()
	r.ready = make(chan struct{})
	q.waiting = append(q.waiting, r)
	q.grant()
	q.mu.Unlock()
	select {
	case <-r.ready:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	r.leave() // it may have been given a turn meanwhile
	q.waiting = without(q.waiting, r)
	q.grant()
	return ctx.Err()
}

// end gives back the turn of r, if it has one.
func (r *request) end() {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	r.leave()
	r.queue.grant()
}

func (r *request) leave() { r.queue.running = without(r.queue.running, r) }

// grant gives turns to those who may have one.
func (q *Queue) grant() {
	for r := q.chosen(); r != nil; r = q.chosen() {
		q.waiting = without(q.waiting, r)
		q.running = append(q.running, r)
		r.begun = true
		close(r.ready)
	}
	q.crowded.Store(len(q.running) > q.places)
}

// chosen is the waiting request that gets the next turn; nil: none does now.
func (q *Queue) chosen() *request {
	if len(q.running) < q.places {
		return first(q.waiting)
	}
	if len(q.running) >= 2*q.places {
		return nil
	}
	longest := slices.MaxFunc(q.running, func(a, b *request) int { return cmp.Compare(a.length, b.length) })
	var short []*request
	for _, r := range q.waiting {
		if r.short(longest) {
			short = append(short, r)
		}
	}
	return first(short)
}

// first is the request of list that goes first: of those that have begun and
// those that have not, the ones of the lowest rank are compared.
func first(list []*request) *request {
	var begun, fresh *request
	for _, r := range list {
		best := &fresh
		if r.begun {
			best = &begun
		}
		if *best == nil || r.rank().Before((*best).rank()) {
			*best = r
		}
	}
	if begun == nil || fresh != nil && fresh.short(begun) && fresh.rank().Before(begun.rank()) {
		return fresh
	}
	return begun
}

// last is the request of the highest rank.
func last(list []*request) *request {
	return slices.MaxFunc(list, func(a, b *request) int { return a.rank().Compare(b.rank()) })
}

func (r *request) rank() time.Time { return r.arrived.Add(r.length / patience) }

// short reports whether r is of less than half the length of s.
func (r *request) short(s *request) bool { return r.length < s.length/2 }

func without(list []*request, r *request) []*request {
	return slices.DeleteFunc(list, func(s *request) bool { return s == r })
}
