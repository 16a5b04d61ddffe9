package kernel

import (
	"fmt"
	"testing"
)

// tailLayers lists layers whose outputs have even sides.
func tailLayers() []layer {
	return []layer{
		{Conv3x3, 1, 2, 2, 8, []int{1}}, {Conv3x3, 2, 10, 14, 24, []int{16, 3}},
		{Conv3x3, 1, 66, 70, 40, []int{24}}, {Conv3x3, 1, 16, 16, 72, []int{136}},
		{Conv1x1, 2, 34, 6, 19, []int{40}}, {Up2x2, 2, 5, 7, 24, []int{16}}, {Down2x2, 1, 12, 20, 9, []int{16}},
	}
}

func testTail[T Float](t *testing.T, set Set, l layer, a algorithm, relu bool) {
	t.Helper()
	r := newRand(11)
	caller := inCaller(set)
	f := NewFilter[T](l.g, l.out, l.sources...)
	f.algorithm = a
	f.Pack(randSlice[T](r, l.weights()))
	bias := randSlice[T](r, l.out)
	in := acts(split(l, randSlice[T](r, l.n*l.in()*l.h*l.w)))
	s := l.outShape()
	half := s
	half.H, half.W = s.H/2, s.W/2
	add := randGuarded[T](r, s)
	plain, sum, pooled := NewAct[T](s), NewAct[T](s), NewAct[T](half)
	f.Run(caller, plain, in, bias, false)
	Add(caller, sum, []Act[T]{plain, add.Act}, relu)
	MaxPool2x2(caller, pooled, sum)
	for _, threads := range []int{1, 3} {
		pool := NewPool(threads, set)
		got, small := newGuarded[T](s, 5), newGuarded[T](half, 3)
		f.RunTail(pool, got.Act, in, bias, Tail[T]{Add: add.Act, ReLU: relu, Pool: small.Act})
		pool.Close()
		got.verify(t)
		small.verify(t)
		sameBits(t, fmt.Sprintf("%v, %d threads: sum", l, threads), sum.Data, got.Data)
		sameBits(t, fmt.Sprintf("%v, %d threads: maxima", l, threads), pooled.Data, small.Data)
	}
	activated := newGuarded[T](s, 1)
	small := newGuarded[T](half, 0)
	f.RunTail(caller, activated.Act, in, bias, Tail[T]{ReLU: relu, Pool: small.Act})
	f.Run(caller, plain, in, bias, relu)
	MaxPool2x2(caller, pooled, plain)
	sameBits(t, fmt.Sprintf("%v: output", l), plain.Data, activated.Data)
	sameBits(t, fmt.Sprintf("%v: maxima without a sum", l), pooled.Data, small.Data)
	add.verify(t)
}

// TestTail: a tail is bit-identical to its parts in sequence.
func TestTail(t *testing.T) {
	eachSet(t, func(t *testing.T, set Set) {
		for i, l := range tailLayers() {
			testTail[float32](t, set, l, direct, i%2 == 0)
			if l.g == Conv3x3 && set.ops.winograd != nil {
				testTail[float32](t, set, l, winograd, i%2 == 1)
			}
		}
	})
	t.Run("float64", func(t *testing.T) { testTail[float64](t, Set{}, tailLayers()[1], byShape, true) })
}

func TestTailRefuses(t *testing.T) {
	act := func(h, w int) Act[float32] { return NewAct[float32](Shape{1, 8, h, w}) }
	f := NewFilter[float32](Conv3x3, 8, 8)
	head := NewFilter[float32](Conv1x1, 2, 8)
	run := func(side int, tail Tail[float32]) {
		f.RunTail(nil, act(side, side), []Act[float32]{act(side, side)}, nil, tail)
	}
	for name, call := range map[string]func(){
		"summand":           func() { run(4, Tail[float32]{Add: act(4, 6)}) },
		"maxima":            func() { run(4, Tail[float32]{Pool: act(2, 3)}) },
		"odd sides":         func() { run(5, Tail[float32]{Pool: act(2, 2)}) },
		"plain 3×3":         func() { f.RunPlain(nil, make([]float32, 128), act(4, 4), make([]float32, 8)) },
		"plain destination": func() { head.RunPlain(nil, make([]float32, 31), act(4, 4), make([]float32, 2)) },
		"plain bias":        func() { head.RunPlain(nil, make([]float32, 32), act(4, 4), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

// TestRunPlain: RunPlain equals Run followed by Unpack.
func TestRunPlain(t *testing.T) {
	eachSet(t, func(t *testing.T, set Set) {
		for _, l := range []layer{
			{Conv1x1, 1, 1, 1, 1, []int{1}}, {Conv1x1, 2, 7, 13, 2, []int{16}},
			{Conv1x1, 1, 40, 300, 3, []int{64}}, {Conv1x1, 2, 5, 9, 35, []int{300}},
		} {
			r := newRand(12)
			f := NewFilter[float32](l.g, l.out, l.sources...)
			f.Pack(randSlice[float32](r, l.weights()))
			bias := randSlice[float32](r, l.out)
			in := acts(split(l, randSlice[float32](r, l.n*l.in()*l.h*l.w)))
			out := NewAct[float32](l.outShape())
			f.Run(inCaller(set), out, in, bias, false)
			for threads := 1; threads <= 3; threads++ {
				pool := NewPool(threads, set)
				got := make([]float32, l.n*l.out*l.h*l.w)
				f.RunPlain(pool, got, in[0], bias)
				pool.Close()
				sameBits(t, l.String(), unpack(out), got)
			}
		}
	})
}
