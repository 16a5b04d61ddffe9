package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Loops over the n > 0 pixels of a row, a vector of 8 lanes each. Beyond the L1 cache
// they are limited by memory, so only the reductions are unrolled: four pixels per
// iteration hide the latency of additions.

// VCMPPS predicates: all quiet, with their result if a value is NaN.
const (
	unordered   = 0x03 // UNORD_Q, true
	notLessThan = 0x15 // NLT_UQ, true
	greaterThan = 0x1e // GT_OQ, false
)

func elementwise() {
	moments()
	for _, relu := range []bool{false, true} {
		scaleShift(relu)
		normGradSums(relu)
		normGrad(relu)
	}
	reluGrad()
	maxPool()
	maxPoolGrad(false)
	maxPoolGrad(true)
}

func suffix(relu bool) string {
	if relu {
		return "ReLU"
	}
	return ""
}

// row is a kernel under construction. offset counts the bytes processed, up to end.
type row struct{ offset, end reg.GPVirtual }

// begin starts a kernel whose last argument is the number of pixels n.
func begin(name, signature string, doc ...string) row {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(append([]string{name + " computes, for the n > 0 pixels p of a row and lanes l,"}, doc...)...)
	r := row{GP64(), GP64()}
	Load(Param("n"), r.end)
	SHLQ(U8(5), r.end) // pixels of 32 bytes
	XORQ(r.offset, r.offset)
	return r
}

// each runs body for every pixel.
func (r row) each(body func()) {
	Label("pixel")
	body()
	ADDQ(U8(pixel), r.offset)
	CMPQ(r.offset, r.end)
	JLT(LabelRef("pixel"))
}

// each4 runs body(0…3) for four pixels per iteration and body(0) for the rest.
func (r row) each4(body func(i int)) {
	four := GP64()
	MOVQ(r.end, four)
	ANDQ(I8(-4*pixel), four)
	JZ(LabelRef("single"))
	Label("four")
	for i := range 4 {
		body(i)
	}
	ADDQ(U32(4*pixel), r.offset)
	CMPQ(r.offset, four)
	JLT(LabelRef("four"))
	Label("single")
	CMPQ(r.offset, r.end)
	JGE(LabelRef("done"))
	body(0)
	ADDQ(U8(pixel), r.offset)
	JMP(LabelRef("single"))
	Label("done")
}

// ptr loads a pointer argument.
func ptr(name string) reg.Register { return Load(Param(name), GP64()) }

// lanesArg loads the vector that a pointer argument points to.
func lanesArg(name string) reg.VecVirtual { return load(Mem{Base: ptr(name)}) }

// at returns the address of pixel i after the current one.
func (r row) at(base reg.Register, i int) Mem {
	return Mem{Base: base, Index: r.offset, Scale: 1, Disp: i * pixel}
}

// at2 returns the address of pixel i of the two above the current one.
func (r row) at2(base reg.Register, i int) Mem {
	return Mem{Base: base, Index: r.offset, Scale: 2, Disp: i * pixel}
}

func load(m Mem) reg.VecVirtual {
	v := YMM()
	VMOVUPS(m, v)
	return v
}

func zero() reg.VecVirtual {
	v := YMM()
	VXORPS(v, v, v)
	return v
}

func zeros(n int) (v []reg.VecVirtual) {
	for range n {
		v = append(v, zero())
	}
	return v
}

func end() {
	VZEROUPPER()
	RET()
}

// affine holds a scale and a shift per lane, and zero.
type affine struct{ scale, shift, null reg.VecVirtual }

// affineArgs loads the arguments scale and shift if relu is set.
func affineArgs(relu bool) (a affine) {
	if relu {
		a = affine{lanesArg("scale"), lanesArg("shift"), zero()}
	}
	return a
}

// masked loads dy. With relu, it is zero where scale*x+shift is not positive.
func (r row) masked(dy reg.Register, x reg.VecVirtual, a affine, i int, relu bool) reg.VecVirtual {
	if !relu {
		return load(r.at(dy, i))
	}
	d := YMM()
	VMOVAPS(x, d)
	VFMADD213PS(a.shift, a.scale, d)
	// y > 0 is 0 < y: the first source is the second-to-last operand.
	VCMPPS(U8(greaterThan), a.null, d, d)
	VANDPS(r.at(dy, i), d, d)
	return d
}

// addTo adds the four partial sums to the 8 float64 that a pointer argument
// points to.
func addTo(name string, part []reg.VecVirtual) {
	VADDPS(part[1], part[0], part[0])
	VADDPS(part[3], part[2], part[2])
	VADDPS(part[2], part[0], part[0])
	p, low, high, x := ptr(name), YMM(), YMM(), XMM()
	VCVTPS2PD(part[0].AsX(), low)
	VEXTRACTF128(U8(1), part[0], x)
	VCVTPS2PD(x, high)
	VADDPD(Mem{Base: p}, low, low)
	VADDPD(Mem{Base: p, Disp: 32}, high, high)
	VMOVUPD(low, Mem{Base: p})
	VMOVUPD(high, Mem{Base: p, Disp: 32})
}

func moments() {
	r := begin("momentsRow", "func(sum, sumsq *float64, x *float32, n int)",
		"	sum[l] += Σ x[p][l]; sumsq[l] += Σ x[p][l] * x[p][l]", "with the sums Σ in float32.")
	x := ptr("x")
	s, q := zeros(4), zeros(4)
	r.each4(func(i int) {
		v := load(r.at(x, i))
		VADDPS(v, s[i], s[i])
		VFMADD231PS(v, v, q[i])
	})
	addTo("sum", s)
	addTo("sumsq", q)
	end()
}

func scaleShift(relu bool) {
	r := begin("scaleShiftRow"+suffix(relu), "func(y, x, scale, shift *float32, n int)",
		"	y[p][l] = scale[l] * x[p][l] + shift[l]", "and, in scaleShiftRowReLU, the maximum of that and zero; NaN stays NaN.")
	y, x, scale, shift, null := ptr("y"), ptr("x"), lanesArg("scale"), lanesArg("shift"), zero()
	r.each(func() {
		v := load(r.at(x, 0))
		VFMADD213PS(shift, scale, v)
		if relu {
			VMAXPS(v, null, v)
		}
		VMOVUPS(v, r.at(y, 0))
	})
	end()
}

func normGradSums(relu bool) {
	r := begin("normGradSumsRow"+suffix(relu), "func(sum, sumx *float64, x, dy, scale, shift *float32, n int)",
		"	sum[l] += Σ dy[p][l]; sumx[l] += Σ dy[p][l] * x[p][l]", "with the sums Σ in float32; in normGradSumsRowReLU over the pixels with scale[l]*x[p][l]+shift[l] > 0.")
	x, dy, a := ptr("x"), ptr("dy"), affineArgs(relu)
	s, q := zeros(4), zeros(4)
	r.each4(func(i int) {
		v := load(r.at(x, i))
		d := r.masked(dy, v, a, i, relu)
		VADDPS(d, s[i], s[i])
		VFMADD231PS(v, d, q[i])
	})
	addTo("sum", s)
	addTo("sumx", q)
	end()
}

func normGrad(relu bool) {
	r := begin("normGradRow"+suffix(relu), "func(dx, x, dy, a, b, c, scale, shift *float32, n int)",
		"	dx[p][l] = a[l] * dy[p][l] + b[l] * x[p][l] + c[l]", "where normGradRowReLU takes zero for dy[p][l] unless scale[l]*x[p][l]+shift[l] > 0.")
	dx, x, dy := ptr("dx"), ptr("x"), ptr("dy")
	a, b, c := lanesArg("a"), lanesArg("b"), lanesArg("c")
	f := affineArgs(relu)
	r.each(func() {
		v := load(r.at(x, 0))
		d := r.masked(dy, v, f, 0, relu)
		VFMADD213PS(c, a, d)
		VFMADD231PS(v, b, d)
		VMOVUPS(d, r.at(dx, 0))
	})
	end()
}

func reluGrad() {
	r := begin("reluGradRow", "func(sum *float64, dx, y, dy *float32, n int)",
		"	dx[p][l] = dy[p][l] if y[p][l] > 0 and else 0; sum[l] += Σ dx[p][l]", "with the sum Σ in float32.")
	dx, y, dy, null := ptr("dx"), ptr("y"), ptr("dy"), zero()
	s := zeros(4)
	r.each4(func(i int) {
		d := load(r.at(y, i))
		VCMPPS(U8(greaterThan), null, d, d)
		VANDPS(r.at(dy, i), d, d)
		VMOVUPS(d, r.at(dx, i))
		VADDPS(d, s[i], s[i])
	})
	addTo("sum", s)
	end()
}

func maxPool() {
	r := begin("maxPoolRow", "func(out, in0, in1 *float32, n int)",
		"	out[p][l] = max(in0[2*p][l], in0[2*p+1][l], in1[2*p][l], in1[2*p+1][l])", "which is NaN if one of them is.")
	out, in0, in1 := ptr("out"), ptr("in0"), ptr("in1")
	r.each(func() {
		m, nan := load(r.at2(in0, 0)), YMM()
		for _, mem := range []Mem{r.at2(in0, 1), r.at2(in1, 0), r.at2(in1, 1)} {
			v := load(mem)
			// VMAXPS returns its second source, here v, if either is NaN.
			VCMPPS(U8(unordered), m, m, nan)
			VMAXPS(v, m, v)
			VBLENDVPS(nan, m, v, m)
		}
		VMOVUPS(m, r.at(out, 0))
	})
	end()
}

func maxPoolGrad(add bool) {
	name, args := "maxPoolGradRow", "func(dx0, dx1, x0, x1, y, dy *float32, n int)"
	doc := "whose x[l] is not less than y[p][l], and 0 for the others."
	if add {
		name, args = "maxPoolGradAddRow", "func(dx0, dx1, x0, x1, y, dy, add0, add1 *float32, n int)"
		doc = "whose x[l] is not less than y[p][l], and 0 for the others, plus add0 and add1."
	}
	r := begin(name, args, "	dx[l] = dy[p][l] for the first of dx0[2*p], dx0[2*p+1], dx1[2*p], dx1[2*p+1]", doc)
	dx0, dx1, x0, x1, y, dy := ptr("dx0"), ptr("dx1"), ptr("x0"), ptr("x1"), ptr("y"), ptr("dy")
	adds := [2]reg.Register{}
	if add {
		adds = [2]reg.Register{ptr("add0"), ptr("add1")}
	}
	r.each(func() {
		m, d := load(r.at(y, 0)), load(r.at(dy, 0)) // d: the part not yet assigned
		for _, k := range []struct {
			x, dx, add reg.Register
			i          int
		}{{x0, dx0, adds[0], 0}, {x0, dx0, adds[0], 1}, {x1, dx1, adds[1], 0}, {x1, dx1, adds[1], 1}} {
			take, give := load(r.at2(k.x, k.i)), YMM()
			VCMPPS(U8(notLessThan), m, take, take)
			VANDPS(d, take, give)
			VANDNPS(d, take, d)
			if add {
				VADDPS(r.at2(k.add, k.i), give, give)
			}
			VMOVUPS(give, r.at2(k.dx, k.i))
		}
	})
	end()
}
