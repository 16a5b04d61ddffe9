package turns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// log is what happened, in order. The tests run in bubbles of synctest, whose
// clock moves only when every goroutine waits: a unit of work is a sleep, and
// the order of events is always the same.
type log struct {
	mu     sync.Mutex
	events []string
}

func (l *log) add(format string, a ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, fmt.Sprintf(format, a...))
}

// take returns the events so far and forgets them.
func (l *log) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	return events
}

// count is how many events are called so.
func (l *log) count(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.events {
		if e == name {
			n++
		}
	}
	return n
}

// begin has a request arrive that works for units of a length each.
func (l *log) begin(q *Queue, name string, units int, unit time.Duration) {
	ctx := q.Arrive(context.Background())
	Expect(ctx, time.Duration(units)*unit)
	go func() {
		_ = Take(ctx, func() error { // a background context does not end
			for range units {
				_ = Next(ctx)
				time.Sleep(unit)
				l.add("%s works", name)
			}
			return nil
		})
		l.add("%s ends", name)
	}()
}

// A short request that arrives while long ones hold all places is done before
// each of them has ended two more units.
func TestShortPassesLong(t *testing.T) {
	for _, places := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			q, l := New(places), &log{}
			for range 3 {
				l.begin(q, "long", 100, time.Second)
			}
			time.Sleep(10500 * time.Millisecond)
			before := l.count("long works")
			l.begin(q, "short", 2, 300*time.Millisecond)
			time.Sleep(700 * time.Millisecond)
			if l.count("short ends") != 1 {
				t.Errorf("%d places: the short request has not ended", places)
			}
			if n := l.count("long works") - before; n > places {
				t.Errorf("%d places: %d units of the long ones went before the short one", places, n)
			}
			time.Sleep(400 * time.Second)
			if n := l.count("long ends"); n != 3 {
				t.Errorf("%d places: %d of 3 long requests ended", places, n)
			}
		})
	}
}

// A long request pauses at its next unit while a short one runs, and goes on
// when that is done.
func TestLongPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, l := New(1), &log{}
		l.begin(q, "long", 100, time.Second)
		time.Sleep(500 * time.Millisecond)
		l.begin(q, "short", 20, time.Second)
		time.Sleep(200 * time.Second)
		want := slices.Concat([]string{"long works"}, slices.Repeat([]string{"short works"}, 20),
			[]string{"short ends"}, slices.Repeat([]string{"long works"}, 99), []string{"long ends"})
		if diff := cmp.Diff(want, l.take()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Requests of one length go in the order of their arrival, each to its end.
func TestEqualsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, l := New(1), &log{}
		var want []string
		for i := range 5 {
			name := fmt.Sprint(i)
			l.begin(q, name, 3, time.Second)
			time.Sleep(time.Millisecond)
			want = append(want, name+" works", name+" works", name+" works", name+" ends")
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff(want, l.take()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// However many short requests come, a long one ends: they pass it only for a
// share of its own length, and after that run beside it.
func TestLongEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, l := New(1), &log{}
		const length = 100
		l.begin(q, "long", length, time.Second)
		for i := 0; l.count("long ends") == 0; i++ {
			if i > (length+length/patience)*11/10 {
				t.Fatalf("after %d seconds the long request has ended %d units of %d", i, l.count("long works"), length)
			}
			l.begin(q, "short", 10, 100*time.Millisecond)
			time.Sleep(time.Second)
		}
		if n := l.count("short ends"); n < length {
			t.Errorf("%d short requests ended meanwhile, want %d", n, length)
		}
		time.Sleep(time.Minute)
	})
}

// At most twice as many requests run as there are places, and all of many end.
func TestRunningAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places, requests = 2, 300
		q, l := New(places), &log{}
		for i := range requests {
			l.begin(q, "one", 1+i*i*7919%100, time.Second)
			time.Sleep(time.Second)
			if n := q.Running(); n > 2*places {
				t.Errorf("%d requests run", n)
			}
		}
		time.Sleep(10 * time.Hour)
		if n := l.count("one ends"); n != requests {
			t.Errorf("%d of %d requests ended", n, requests)
		}
	})
}

// A paused request goes on before one begins that is not much shorter, for each
// that has begun holds memory.
func TestPausedGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, l := New(1), &log{}
		for i := range 20 { // each of a lower rank than the one before
			l.begin(q, fmt.Sprint(i), 1000-20*i, 100*time.Millisecond)
			time.Sleep(50 * time.Millisecond)
			l.begin(q, "short", 1, 100*time.Millisecond)
			time.Sleep(150 * time.Millisecond)
		}
		for _, e := range l.take() {
			if e != "0 works" && e != "short works" && e != "short ends" {
				t.Errorf("%s, want the first", e)
			}
		}
		time.Sleep(time.Hour)
	})
}

// A request whose context ends leaves at once where it waits and at its next
// unit where it runs, and the others go on.
func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, l := New(1), &log{}
		gone := func(name string, length, after time.Duration) {
			ctx, cancel := context.WithCancel(context.Background())
			ctx = q.Arrive(ctx)
			Expect(ctx, length)
			go func() {
				err := Take(ctx, func() error {
					for {
						if err := Next(ctx); err != nil {
							return err
						}
						time.Sleep(time.Second)
						l.add("%s works", name)
					}
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: error %v", name, err)
				}
				l.add("%s gone", name)
			}()
			time.AfterFunc(after, cancel)
		}
		gone("runs", 100*time.Second, 1500*time.Millisecond)
		time.Sleep(time.Millisecond)
		gone("waits", 100*time.Second, 200*time.Millisecond)
		time.Sleep(3 * time.Second)
		l.begin(q, "long", 100, time.Second)
		time.Sleep(500 * time.Millisecond)
		l.begin(q, "short", 2, time.Second)
		time.Sleep(time.Hour)
		if l.count("short ends") != 1 || l.count("long ends") != 1 || q.Running() != 0 {
			t.Errorf("%d run, or a request has not ended", q.Running())
		}
		if diff := cmp.Diff([]string{"waits gone", "runs works", "runs works", "runs gone", "long works"}, l.take()[:5]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}

		// One that is paused leaves, too.
		gone("paused", 100*time.Second, 2*time.Second)
		time.Sleep(500 * time.Millisecond)
		l.begin(q, "short", 3, time.Second)
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"paused works", "short works", "paused gone", "short works", "short works", "short ends"}, l.take()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A request that turns out to be long lets those pass that wait for it.
func TestExpectLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, l := New(1), &log{}
		ctx := q.Arrive(context.Background())
		go func() {
			_ = Take(ctx, func() error {
				time.Sleep(time.Second)
				Expect(ctx, time.Minute)
				AtLeast(ctx, time.Second) // which it is already
				_ = Next(ctx)
				l.add("long goes on")
				return nil
			})
		}()
		time.Sleep(500 * time.Millisecond)
		l.begin(q, "short", 1, time.Second)
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"short works", "short ends", "long goes on"}, l.take()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Without a queue nothing waits; a context that has ended still counts.
func TestNoQueue(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	Expect(ctx, time.Hour)
	AtLeast(ctx, time.Hour)
	called := false
	if err := Take(ctx, func() error { called = true; return nil }); err != nil || !called || !Free(ctx) || Next(ctx) != nil {
		t.Errorf("error %v, called %v", err, called)
	}
	cancel()
	for _, ctx := range []context.Context{ctx, New(1).Arrive(ctx)} {
		if err := Take(ctx, func() error { return nil }); !errors.Is(err, context.Canceled) || !errors.Is(Next(ctx), context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
}

// A panic gives the turn back.
func TestPanic(t *testing.T) {
	t.Parallel()
	q := New(1)
	func() {
		defer func() { _ = recover() }()
		_ = Take(q.Arrive(t.Context()), func() error { panic("a fault") })
	}()
	if n := q.Running(); n != 0 {
		t.Errorf("%d run", n)
	}
}
