package kernel

// Tail describes what a convolution does, in this order, with its output while it is
// in the cache. The zero Tail does nothing.
type Tail[T Float] struct {
	Add  Act[T] // of the output's shape, added to it; the zero Act: nothing
	ReLU bool   // max(0, ·); NaN stays NaN
	Pool Act[T] // receives the MaxPool2x2 of the output; the zero Act: nothing
}

// RunTail is Run with a tail, whose activations must not overlap the output.
// The result equals that of Run, Add and MaxPool2x2 in sequence, to the bit.
func (f *Filter[T]) RunTail(p *Pool, out Act[T], in []Act[T], bias []T, tail Tail[T]) {
	f.check(out, in, bias)
	if tail.Add.Data != nil {
		tail.Add.check("convolution: summand", out.Shape)
	}
	if tail.Pool.Data != nil {
		checkPool(tail.Pool, out)
	}
	f.run(opsOf[T](p), p, out, in, bias, tail)
}

// finish applies the part of the tail that the inner loop does not, to rows [y, y+h)
// and pixels [x, x+w) of output block b of image n. For pooling, all four are even.
func (r *convRun[T]) finish(n, b, y, x, h, w int) {
	t := &r.tail
	nb := n*r.out.Blocks() + b
	part := func(a Act[T], y, x, w int) []T { return a.row(nb, y)[x*Lanes:][:w*Lanes] }
	if t.Add.Data != nil {
		for i := y; i < y+h; i++ {
			row := part(r.out, i, x, w)
			r.ops.add(row, row, part(t.Add, i, x, w), t.ReLU)
		}
	}
	if t.Pool.Data != nil {
		for i := y; i < y+h; i += 2 {
			r.ops.maxPool(part(t.Pool, i/2, x/2, w/2), part(r.out, i, x, w), part(r.out, i+1, x, w))
		}
	}
}

// relu reports whether the inner loop applies ReLU. It does not if a sum comes
// first.
func (r *convRun[T]) relu() bool { return r.tail.ReLU && r.tail.Add.Data == nil }
