package kernel

import "fmt"

// MaxPool2x2 computes the maximum of every 2×2 pixels; a NaN among them makes
// the result NaN. H and W of in are even and twice those of out.
func MaxPool2x2[T Float](p *Pool, out, in Act[T]) {
	checkPool(out, in)
	o := opsOf[T](p)
	forRows(p, out.Shape, func(nb, y int) {
		o.maxPool(out.row(nb, y), in.row(nb, 2*y), in.row(nb, 2*y+1))
	})
}

// MaxPool2x2Grad computes dx, the gradient of MaxPool2x2, from its input x, its
// output y and the output's gradient dy. In every 2×2 pixels, the first in
// row-major order that is not less than the output receives the gradient: the
// first maximum or, if the output is NaN, the first pixel. The others are set
// to zero. add, of x's shape, is the gradient of x from elsewhere and is added
// to dx. The zero Act means none.
func MaxPool2x2Grad[T Float](p *Pool, dx, x, y, dy, add Act[T]) {
	checkPool(y, x)
	dx.check("pooling: input gradient", x.Shape)
	dy.check("pooling: output gradient", y.Shape)
	if add.Data != nil {
		add.check("pooling: gradient to add", x.Shape)
	}
	o := opsOf[T](p)
	forRows(p, y.Shape, func(nb, r int) {
		var add0, add1 []T
		if add.Data != nil {
			add0, add1 = add.row(nb, 2*r), add.row(nb, 2*r+1)
		}
		o.maxPoolGrad(dx.row(nb, 2*r), dx.row(nb, 2*r+1), x.row(nb, 2*r), x.row(nb, 2*r+1), y.row(nb, r), dy.row(nb, r), add0, add1)
	})
}

func checkPool[T Float](out, in Act[T]) {
	in.check("pooling: input", in.Shape)
	if in.H%2 != 0 || in.W%2 != 0 {
		panic(fmt.Sprintf("kernel: pooling of %d×%d pixels, want even sides", in.H, in.W))
	}
	out.check("pooling: output", Down2x2.output(in.Shape, in.C))
}

func maxPoolGeneric[T Float](out, in0, in1 []T) {
	for i := 0; i+Lanes <= len(out); i += Lanes {
		o := (*[Lanes]T)(out[i:])
		r0, r1 := (*[2 * Lanes]T)(in0[2*i:]), (*[2 * Lanes]T)(in1[2*i:])
		for l := range Lanes {
			o[l] = max(r0[l], r0[l+Lanes], r1[l], r1[l+Lanes])
		}
	}
}

func maxPoolGradGeneric[T Float](dx0, dx1, x0, x1, y, dy, add0, add1 []T) {
	for i := 0; i+Lanes <= len(y); i += Lanes {
		yv, dv := (*[Lanes]T)(y[i:]), (*[Lanes]T)(dy[i:])
		r0, r1 := (*[2 * Lanes]T)(x0[2*i:]), (*[2 * Lanes]T)(x1[2*i:])
		d0, d1 := (*[2 * Lanes]T)(dx0[2*i:]), (*[2 * Lanes]T)(dx1[2*i:])
		*d0, *d1 = [2 * Lanes]T{}, [2 * Lanes]T{}
		if add0 != nil {
			*d0, *d1 = [2 * Lanes]T(add0[2*i:]), [2 * Lanes]T(add1[2*i:])
		}
		for l, m := range yv {
			window := [4]T{r0[l], r0[l+Lanes], r1[l], r1[l+Lanes]}
			k := 0
			for k < 4 && window[k] < m {
				k++
			}
			switch k {
			case 0:
				d0[l] += dv[l]
			case 1:
				d0[l+Lanes] += dv[l]
			case 2:
				d1[l] += dv[l]
			case 3:
				d1[l+Lanes] += dv[l]
			}
		}
	}
}
