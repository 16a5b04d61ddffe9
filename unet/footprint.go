package unet

// Memory returns the most bytes that a call of Predict holds for one image of
// height×width, in addition to the image: the working memory of the network,
// which is kept for later calls (Trim), and the result. Errors are those of
// Logits.
func (q *Predictor) Memory(height, width int) (arena, result int64, err error) {
	_, size, err := q.layout(height, width)
	if err != nil {
		return 0, 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	p, err := q.planOf(size)
	if err != nil {
		return 0, 0, err
	}
	floats := p.floats
	if size.H != height || size.W != width { // the tile's own image and logits
		floats += size.H * size.W * (q.config.Channels + q.config.Classes)
	}
	return 4 * int64(floats), 4 * int64(q.config.Classes) * int64(height) * int64(width), nil
}

// Idle returns the number of bytes kept for later calls.
func (q *Predictor) Idle() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	var n int64
	for _, a := range q.idle {
		n += int64(a.bytes())
	}
	return n
}

// Trim releases the memory kept for later calls, which then allocate again.
func (q *Predictor) Trim() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.idle = nil
}
