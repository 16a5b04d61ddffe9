package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"segd/internal/export"
)

// Run makes the outputs of an input and gives them to the sink. Its error is that of
// the sources that failed, on one line; each hears of its own by Sink.Close, and those
// that did not fail are done all the same. The end of ctx, and the error of Sink.Open,
// end the run.
func (j *Job) Run(ctx context.Context, in *Input, sink Sink) error {
	u := &unit{Job: j, in: in, sink: sink, parts: map[int]*task{}}
	defer u.release()
	workers := max(1, min(j.Parallel, len(in.Sources)))
	for _, p := range in.piles {
		v := &series{pile: p}
		if err := u.turn(ctx, v); err != nil {
			return err
		}
		if v.turned != nil {
			workers = 1
		}
		u.series = append(u.series, v)
	}
	next := make(chan int)
	stopped := make(chan struct{})
	var once sync.Once
	var end error
	work := func(k int) bool {
		err := u.one(ctx, k)
		if err != nil {
			once.Do(func() { end = err; close(stopped) })
		}
		return err == nil
	}
	if workers == 1 { // on the caller's goroutine, whose turn it is
		for k := range in.Sources {
			if !work(k) {
				return end
			}
		}
		return joined(u.failed)
	}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for k := range next {
				work(k)
			}
		})
	}
feed:
	for k := range in.Sources {
		select {
		case next <- k:
		case <-stopped:
			break feed
		}
	}
	close(next)
	group.Wait()
	if end != nil {
		return end
	}
	return joined(u.failed)
}

// unit is an input on its way. What is made of all its sources is joined in their
// order, as soon as those before are there, so that no more is held than the objects
// themselves and the sources that are computed at once.
type unit struct {
	*Job
	in   *Input
	sink Sink

	series []*series // volumes

	mu     sync.Mutex
	failed []error // why sources failed
	held   []Holding
	parts  map[int]*task // by place; nil: the source failed
	next   int           // place whose part is to be joined
	whole  *export.DICOM
	err    error // of joining objects
}

func (u *unit) release() {
	for _, h := range u.held {
		h.Release()
	}
}

// one does source k. An error ends the run.
func (u *unit) one(ctx context.Context, k int) error {
	s := u.in.Sources[k]
	if err := u.sink.Open(s); err != nil {
		return err
	}
	t := &task{unit: u, source: s}
	t.series, t.place = u.seriesOf(s)
	if u.slots != nil {
		select {
		case u.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := t.run(ctx)
	if u.slots != nil {
		<-u.slots
	}
	if err != nil && errors.Is(err, ctx.Err()) {
		return err // the interrupt is the reason, and what is joined is not written
	}
	r := t.result
	if err != nil || t.nothing {
		r = nil
	}
	err = joined([]error{err, t.objects.Refused(), t.refused, u.add(k, t, r == nil)})
	u.mu.Lock()
	if err != nil {
		u.failed = append(u.failed, err)
	}
	u.mu.Unlock()
	u.sink.Close(s, r, err)
	return nil
}

// joined is errs on one line; nil where all of them are.
func joined(errs []error) (err error) {
	for _, e := range errs {
		switch {
		case e == nil:
		case err == nil:
			err = e
		default:
			err = fmt.Errorf("%w; %w", err, e)
		}
	}
	return err
}

// seriesOf is the volume that a source is part of, and its place there; nil: none.
func (u *unit) seriesOf(s *Source) (*series, int) {
	at, ok := u.in.at[s]
	i := slices.IndexFunc(u.series, func(v *series) bool { return v.pile == at.pile })
	if !ok || i < 0 {
		return nil, 0
	}
	return u.series[i], at.place
}

// add joins what was found in source k with what was found in those before; none: it
// failed. With the last source the objects of those that did not fail are written, and
// each volume if none of its sources did.
func (u *unit) add(k int, t *task, none bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.parts[k] = t; none {
		u.parts[k] = nil
	}
	for ; u.next < len(u.in.Sources); u.next++ {
		t, ok := u.parts[u.next]
		if !ok {
			return nil // the source before is not done
		}
		delete(u.parts, u.next)
		u.join(u.in.Sources[u.next], t)
	}
	failed := []error{u.err}
	if u.err == nil && u.whole != nil {
		failed = append(failed, u.writeObjects())
	}
	u.whole = nil
	for _, v := range u.series {
		failed = append(failed, u.finish(v))
	}
	err := joined(failed)
	if err != nil && len(u.in.Sources) > 1 {
		err = fmt.Errorf("outputs of the series of %d files: %w", len(u.in.Sources), err)
	}
	return err
}

// output is a file of all sources.
func (u *unit) output(k export.Kind) Output {
	return Output{Kind: k, Sources: u.in.Sources, stem: u.in.stem}
}

// join adds the part of the next source to the objects and its volume; nil: it failed.
func (u *unit) join(s *Source, t *task) {
	switch {
	case t == nil || t.objects == nil || u.err != nil:
	case u.whole == nil:
		u.whole = t.objects
	default:
		u.err = u.whole.Merge(t.objects)
	}
	if v, _ := u.seriesOf(s); v != nil {
		v.join(s, t)
	}
}

// writeObjects writes the objects; what one of them lacks does not keep the others
// back.
func (u *unit) writeObjects() error {
	var failed []error
	for _, name := range u.whole.Kinds() {
		k, _ := export.KindOf(name)
		if !k.Object() {
			continue // written frame by frame
		}
		if err := u.sink.Write(u.output(k), func(w io.Writer) error { return u.whole.Write(w, name) }); err != nil {
			failed = append(failed, fmt.Errorf("no %s: %w", name, err))
		}
	}
	return joined(failed)
}
