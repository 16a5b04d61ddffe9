package kernel

// Upsampling by two with bilinear weights. Pixel centres are at half-integers, as in
// PyTorch's Upsample(scale_factor=2, mode="bilinear") without align_corners, so the
// weights are 3/4 for the near and 1/4 for the far pixel everywhere, for any image
// size. Beyond the border the edge pixel is repeated.
const (
	near = 0.75
	far  = 0.25
)

// Bilinear2x computes y, the upsampled x. H and W of y are twice those of x.
func Bilinear2x[T Float](p *Pool, y, x Act[T]) {
	checkBilinear(y, x)
	o := opsOf[T](p)
	forRows(p, y.Shape, func(nb, r int) {
		i := r / 2
		j := min(i+1, x.H-1)
		if r%2 == 0 {
			j = max(i-1, 0)
		}
		o.bilinear(y.row(nb, r), x.row(nb, i), x.row(nb, j))
	})
}

// Bilinear2xGrad computes the gradient dx of Bilinear2x from dy: the adjoint map, in
// which each pixel gathers 4×4 fine pixels.
func Bilinear2xGrad[T Float](p *Pool, dx, dy Act[T]) {
	checkBilinear(dy, dx)
	o := opsOf[T](p)
	forRows(p, dx.Shape, func(nb, r int) {
		o.bilinearGrad(dx.row(nb, r), dy.row(nb, max(2*r-1, 0)), dy.row(nb, 2*r),
			dy.row(nb, 2*r+1), dy.row(nb, min(2*r+2, dy.H-1)))
	})
}

func checkBilinear[T Float](fine, coarse Act[T]) {
	coarse.check("bilinear: coarse side", coarse.Shape)
	fine.check("bilinear: fine side", Up2x2.output(coarse.Shape, coarse.C))
}

// bilinearGeneric computes a fine row y from the two nearest coarse rows.
func bilinearGeneric[T Float](y, nearRow, farRow []T) {
	n := len(nearRow)
	for l := range Lanes {
		at := func(i int) T { return near*nearRow[i] + far*farRow[i] }
		before, here := at(l), at(l)
		for i := l; i < n; i += Lanes {
			after := here
			if i+Lanes < n {
				after = at(i + Lanes)
			}
			y[2*i-l] = near*here + far*before
			y[2*i-l+Lanes] = near*here + far*after
			before, here = here, after
		}
	}
}

// bilinearGradGeneric gathers a coarse row dx from four fine rows; the outer
// two are the far ones.
func bilinearGradGeneric[T Float](dx, far0, near0, near1, far1 []T) {
	n := len(near0)
	for l := range Lanes {
		at := func(i int) T { return near*(near0[i]+near1[i]) + far*(far0[i]+far1[i]) }
		before, first := at(l), at(l)
		for i := l; i < len(dx); i += Lanes {
			second := at(2*i - l + Lanes)
			after := second
			if 2*i-l+2*Lanes < n {
				after = at(2*i - l + 2*Lanes)
			}
			dx[i] = near*(first+second) + far*(before+after)
			before, first = second, after
		}
	}
}
