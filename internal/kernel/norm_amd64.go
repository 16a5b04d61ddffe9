//go:build amd64 && !purego

package kernel

// The rows below are never empty except Moments over a region without
// columns; the assembly does at least one pixel.

func momentsAVX2(sum, sumsq *[Lanes]float64, x []float32) {
	if len(x) >= Lanes {
		momentsRow(&sum[0], &sumsq[0], &x[0], len(x)/Lanes)
	}
}

func scaleShiftAVX2(y, x []float32, scale, shift *[Lanes]float32, relu bool) {
	if relu {
		scaleShiftRowReLU(&y[0], &x[0], &scale[0], &shift[0], len(x)/Lanes)
	} else {
		scaleShiftRow(&y[0], &x[0], &scale[0], &shift[0], len(x)/Lanes)
	}
}

func normGradSumsAVX2(sum, sumx *[Lanes]float64, x, dy []float32, scale, shift *[Lanes]float32, relu bool) {
	if relu {
		normGradSumsRowReLU(&sum[0], &sumx[0], &x[0], &dy[0], &scale[0], &shift[0], len(x)/Lanes)
	} else {
		normGradSumsRow(&sum[0], &sumx[0], &x[0], &dy[0], nil, nil, len(x)/Lanes)
	}
}

func normGradAVX2(dx, x, dy []float32, a, b, c, scale, shift *[Lanes]float32, relu bool) {
	if relu {
		normGradRowReLU(&dx[0], &x[0], &dy[0], &a[0], &b[0], &c[0], &scale[0], &shift[0], len(x)/Lanes)
	} else {
		normGradRow(&dx[0], &x[0], &dy[0], &a[0], &b[0], &c[0], nil, nil, len(x)/Lanes)
	}
}

func reluGradAVX2(sum *[Lanes]float64, dx, y, dy []float32) {
	reluGradRow(&sum[0], &dx[0], &y[0], &dy[0], len(y)/Lanes)
}

func maxPoolAVX2(out, in0, in1 []float32) { maxPoolRow(&out[0], &in0[0], &in1[0], len(out)/Lanes) }

func maxPoolGradAVX2(dx0, dx1, x0, x1, y, dy, add0, add1 []float32) {
	if add0 != nil {
		maxPoolGradAddRow(&dx0[0], &dx1[0], &x0[0], &x1[0], &y[0], &dy[0], &add0[0], &add1[0], len(y)/Lanes)
	} else {
		maxPoolGradRow(&dx0[0], &dx1[0], &x0[0], &x1[0], &y[0], &dy[0], len(y)/Lanes)
	}
}
