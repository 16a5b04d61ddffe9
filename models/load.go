package models

import (
	"context"
	"errors"
	"fmt"

	"segd/unet"
)

// loading is one pass of reading and packing a model's weights. Its results may be
// used once done is closed.
type loading struct {
	pool *unet.Pool
	done chan struct{}
	list []*unet.Predictor
	err  error
}

// Load makes the model ready to run on pool, with the Options with which it was
// opened. The first call reads and packs the weights. Concurrent calls wait for it
// until ctx is done, and later calls with the same pool reuse its result. The errors
// are those of Params. They are not cached: a later call tries again.
func (m *Model) Load(ctx context.Context, pool *unet.Pool) error {
	_, err := m.networks(ctx, pool)
	return err
}

// networks returns the networks of the model, ready to run on pool. It does not hold
// the lock while reading weights, and a call that has started to read them finishes.
func (m *Model) networks(ctx context.Context, pool *unet.Pool) ([]*unet.Predictor, error) {
	m.mu.Lock()
	l := m.loaded
	if l != nil && l.pool == pool {
		m.mu.Unlock()
		select {
		case <-l.done:
			return l.list, l.err
		case <-ctx.Done():
			return nil, fmt.Errorf("models: %w", ctx.Err())
		}
	}
	l = &loading{pool: pool, done: make(chan struct{}), err: errors.New("models: loading did not finish")}
	m.loaded = l
	m.mu.Unlock()
	defer func() {
		if l.err != nil {
			m.forget(l)
		}
		close(l.done)
	}()
	l.list, l.err = m.pack(pool)
	return l.list, l.err
}

// ready returns the loaded networks, without waiting for any.
func (m *Model) ready() []*unet.Predictor {
	m.mu.Lock()
	l := m.loaded
	m.mu.Unlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.done:
		return l.list
	default:
		return nil
	}
}

// forget makes the next call load again.
func (m *Model) forget(l *loading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loaded == l {
		m.loaded = nil
	}
}

// pack reads the weights of all networks and makes them ready to run on pool.
func (m *Model) pack(pool *unet.Pool) ([]*unet.Predictor, error) {
	all, err := m.AllParams()
	if err != nil {
		return nil, err
	}
	var list []*unet.Predictor
	for _, p := range all {
		q, err := unet.NewPredictor(m.Network, p, unet.PredictorOptions{Pool: pool, Exact: m.options.Exact, BFloat16: m.options.BFloat16})
		if err != nil {
			return nil, fmt.Errorf("models: model %s: %w", m.Name, err)
		}
		list = append(list, q)
	}
	return list, nil
}

// Predictor returns the network of a model that is not an ensemble, ready to run on
// pool. It is shared with Predict. The errors are those of Params.
func (m *Model) Predictor(pool *unet.Pool) (*unet.Predictor, error) {
	if len(m.Members) > 0 {
		_, err := m.Params()
		return nil, err
	}
	list, err := m.networks(context.Background(), pool)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}
