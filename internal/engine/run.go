package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"segd"
	"segd/internal/export"
	"segd/internal/segment"
	"segd/models"
)

// Run makes the outputs of an input and gives them to the sink. Its error is that of
// the sources that failed, on one line; each hears of its own by Sink.Close, and those
// that did not fail are done all the same. The end of ctx, and the error of Sink.Open,
// end the run.
func (j *Job) Run(ctx context.Context, in *Input, sink Sink) error {
	u := &unit{Job: j, in: in, sink: sink, parts: map[int]*task{}}
	defer u.release()
	if err := u.turn(ctx); err != nil {
		return err
	}
	workers := 1
	if u.turned == nil {
		workers = max(1, min(j.Parallel, len(in.Sources)))
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

	turned *segment.Scan // of a volume that is turned across its planes; else nil
	model  *models.Model // of turned

	mu     sync.Mutex
	failed []error // why sources failed
	held   []Holding
	parts  map[int]*task // by place; nil: the source failed
	next   int           // place whose part is to be joined
	whole  *export.DICOM
	volume *export.Volumes
	of     string                          // model and version of the volume
	errs   struct{ objects, volume error } // of joining
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
	t := &task{unit: u, source: s, place: slices.Index(u.in.stacked, s)}
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

// turn settles whether the sources are a volume that is turned across its planes. The
// error is ctx's; a volume that cannot be turned is segmented as stored.
func (u *unit) turn(ctx context.Context) error {
	stack := u.in.stack
	if stack == nil {
		return nil
	}
	frame := func(k int) (*segd.Scan, *segd.Image, error) {
		files, err := u.in.stacked[k].load()
		if err != nil {
			return nil, nil, err
		}
		scan, err := u.in.stacked[k].scan(files)
		if err != nil {
			return nil, nil, err
		}
		img, err := scan.Frame(0)
		return scan, img, err
	}
	first, _, err := frame(0)
	if err != nil {
		return ctx.Err()
	}
	m, _, err := Choose(u.Models, u.Model, first)
	if err != nil {
		return ctx.Err()
	}
	volume := *first
	volume.Frames, volume.Affine, volume.Depth, volume.Times = len(u.in.stacked), &stack.Affine, stack.Depth, stack.Times
	volume.Frame = func(k int) (*segd.Image, error) {
		_, img, err := frame(k)
		return img, err
	}
	pass, err := segment.NewScan(m, u.Pool, &volume, u.Options)
	if err != nil || !pass.Across() {
		return ctx.Err()
	}
	for k := range volume.Frames { // a slice that fails is the only one to fail
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := volume.Frame(k); err != nil {
			return nil
		}
	}
	u.turned, u.model = pass, m
	return nil
}

// add joins what was found in source k with what was found in those before; none: it
// failed. With the last source the objects of those that did not fail are written, and
// the volume if none did.
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
		u.join(t)
	}
	failed := []error{u.errs.objects, u.errs.volume}
	if u.errs.objects == nil && u.whole != nil {
		failed = append(failed, u.writeObjects())
	}
	if u.errs.volume == nil && u.volume != nil {
		k, _ := export.KindOf(export.NIfTI)
		failed = append(failed, u.sink.Write(u.output(k), func(w io.Writer) error { return u.volume.Write(w, 0) }))
	}
	u.whole, u.volume = nil, nil
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

// join adds the next part to the objects and the volume; nil: it failed.
func (u *unit) join(t *task) {
	switch {
	case t == nil || t.objects == nil || u.errs.objects != nil:
	case u.whole == nil:
		u.whole = t.objects
	default:
		u.errs.objects = u.whole.Merge(t.objects)
	}
	if u.in.stack == nil || !u.wants(export.NIfTI) || u.errs.volume != nil {
		return
	}
	var err error
	switch {
	case t == nil:
		err = errors.New("a slice is missing")
	case t.modelText() != u.of:
		err = errors.New("its slices were segmented by different models; choose one with -m")
	default:
		err = u.volume.Add(t.place, t.last)
	}
	if err != nil {
		u.errs.volume = fmt.Errorf("no %s: %w", export.NIfTI, err)
	}
}

// openVolume makes the volume of the sources, for the first of them that is read, and
// tells each of them what is done to it.
func (u *unit) openVolume(t *task) (steps, warnings []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.volume == nil && u.errs.volume == nil {
		v, err := export.NewStackNIfTI(u.in.stack, t.scan.Width, t.scan.Height, t.model.Network.Head)
		if err != nil {
			u.errs.volume = fmt.Errorf("no %s: %w", export.NIfTI, err)
			return nil, nil
		}
		u.volume, u.of = v, t.modelText()
	}
	if u.volume == nil {
		return nil, nil
	}
	return slices.Clone(u.volume.Steps), slices.Clone(u.volume.Warnings)
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
