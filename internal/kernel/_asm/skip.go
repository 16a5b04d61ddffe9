package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// skips generates the row loops that add and resize activations.
func skips() {
	for _, relu := range []bool{false, true} {
		add(relu)
	}
	bilinear()
	bilinearGrad()
}

func add(relu bool) {
	r := begin("addRow"+suffix(relu), "func(y, a, b *float32, n int)",
		"	y[p][l] = a[p][l] + b[p][l]", "and, in addRowReLU, the maximum of that and zero; NaN stays NaN.")
	y, a, b, null := ptr("y"), ptr("a"), ptr("b"), zero()
	r.each(func() {
		v := load(r.at(a, 0))
		VADDPS(r.at(b, 0), v, v)
		if relu {
			VMAXPS(v, null, v)
		}
		VMOVUPS(v, r.at(y, 0))
	})
	end()
}

// quarters holds the two weights of a bilinear row.
type quarters struct{ near, far reg.VecVirtual }

// newQuarters loads them. avo requires unique names for the constants of each kernel.
func newQuarters(kernel string) quarters {
	q := quarters{YMM(), YMM()}
	VBROADCASTSS(ConstData(kernel+"Near", F32(0.75)), q.near)
	VBROADCASTSS(ConstData(kernel+"Far", F32(0.25)), q.far)
	return q
}

// blend turns far into 3/4 near + 1/4 far.
func (q quarters) blend(near Op, far reg.VecVirtual) reg.VecVirtual {
	VMULPS(far, q.far, far)
	VFMADD231PS(near, q.near, far)
	return far
}

func bilinear() {
	r := begin("bilinearRow", "func(y, near, far *float32, n int)",
		"	v[p] = 3/4 near[p] + 1/4 far[p]",
		"	y[2*p][l] = 3/4 v[p][l] + 1/4 v[p-1][l]",
		"	y[2*p+1][l] = 3/4 v[p][l] + 1/4 v[p+1][l]",
		"where v is extended beyond its ends.")
	y, nearRow, farRow := ptr("y"), ptr("near"), ptr("far")
	q := newQuarters("bilinear")
	at := func(i int) reg.VecVirtual { return q.blend(r.at(nearRow, i), load(r.at(farRow, i))) }
	here, before := at(0), YMM()
	VMOVUPS(here, before)
	store := func(after reg.VecVirtual) {
		for i, side := range []reg.VecVirtual{before, after} {
			v := YMM()
			VMOVUPS(side, v)
			VMOVUPS(q.blend(here, v), r.at2(y, i))
		}
	}
	SUBQ(U8(pixel), r.end)
	JZ(LabelRef("last"))
	r.each(func() {
		after := at(1)
		store(after)
		VMOVUPS(here, before)
		VMOVUPS(after, here)
	})
	Label("last")
	store(here)
	end()
}

func bilinearGrad() {
	r := begin("bilinearGradRow", "func(dx, far0, near0, near1, far1 *float32, n int)",
		"	v[q] = 3/4 (near0[q] + near1[q]) + 1/4 (far0[q] + far1[q])",
		"	dx[p][l] = 3/4 (v[2*p][l] + v[2*p+1][l]) + 1/4 (v[2*p-1][l] + v[2*p+2][l])",
		"where v is extended beyond its ends.")
	dx, far0, near0, near1, far1 := ptr("dx"), ptr("far0"), ptr("near0"), ptr("near1"), ptr("far1")
	q := newQuarters("bilinearGrad")
	at := func(i int) reg.VecVirtual {
		n, f := load(r.at2(near0, i)), load(r.at2(far0, i))
		VADDPS(r.at2(near1, i), n, n)
		VADDPS(r.at2(far1, i), f, f)
		return q.blend(n, f)
	}
	first, before := at(0), YMM()
	VMOVUPS(first, before)
	store := func(second, after reg.VecVirtual) {
		n, f := YMM(), YMM()
		VADDPS(second, first, n)
		VADDPS(after, before, f)
		VMOVUPS(q.blend(n, f), r.at(dx, 0))
	}
	SUBQ(U8(pixel), r.end)
	JZ(LabelRef("last"))
	r.each(func() {
		second, after := at(1), at(2)
		store(second, after)
		VMOVUPS(second, before)
		VMOVUPS(after, first)
	})
	Label("last")
	second := at(1)
	store(second, second)
	end()
}
