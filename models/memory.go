package models

import (
	"context"

	"segd/unet"
)

// Memory returns the most bytes that Predict holds for one image of
// height×width pixels, including the image. Errors are those of Predict.
func (m *Model) Memory(pool *unet.Pool, height, width int, mirror bool) (int64, error) {
	list, err := m.networks(context.Background(), pool)
	if err != nil {
		return 0, err
	}
	image := 4 * int64(m.Network.Channels) * int64(height) * int64(width)
	n, out := image, int64(0)
	for _, q := range list {
		arena, result, err := q.Memory(height, width)
		if err != nil {
			return 0, err
		}
		n += arena // each network keeps its own
		out = result
	}
	n += out
	if mirror || len(list) > 1 {
		n += out // the sum
	}
	if mirror {
		n += max(image, out) // what is mirrored
	}
	return n, nil
}

// Trim releases the memory that networks keep for their next runs if it exceeds
// keep bytes in total.
func (c *Catalogue) Trim(keep int64) {
	var list []*Model
	c.mu.Lock()
	for _, m := range c.models {
		list = append(list, m)
	}
	c.mu.Unlock()
	var n int64
	for _, m := range list {
		n += m.idle()
	}
	if n <= keep {
		return
	}
	for _, m := range list {
		m.trim()
	}
}

func (m *Model) idle() (n int64) {
	for _, q := range m.ready() {
		n += q.Idle()
	}
	return n
}

func (m *Model) trim() {
	for _, q := range m.ready() {
		q.Trim()
	}
}
