//go:build amd64 && !purego

package kernel

func addAVX2(y, a, b []float32, relu bool) {
	if relu {
		addRowReLU(&y[0], &a[0], &b[0], len(y)/Lanes)
	} else {
		addRow(&y[0], &a[0], &b[0], len(y)/Lanes)
	}
}

func bilinearAVX2(y, near, far []float32) { bilinearRow(&y[0], &near[0], &far[0], len(near)/Lanes) }

func bilinearGradAVX2(dx, far0, near0, near1, far1 []float32) {
	bilinearGradRow(&dx[0], &far0[0], &near0[0], &near1[0], &far1[0], len(dx)/Lanes)
}
