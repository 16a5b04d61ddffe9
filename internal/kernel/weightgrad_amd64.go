//go:build amd64 && !purego

package kernel

// gradKernel works on group lanes of b at a time.
type gradKernel struct {
	group int
	f     func(dw, v, b *float32, vBlk, vSkip, bSkip, bRow, rows, pixels, groups, vNext, bNext int)
}

// gradKernels holds the kernels by k-1 and by nv-1.
var gradKernels = [3][2]gradKernel{
	{{8, grad1x1B1}, {4, grad1x1B2}},
	{{8, grad2x2B1}, {8, grad2x2B2}},
	{{4, grad3x3B1}, {2, grad3x3B2}},
}

func weightGradAVX2(r *gradRun[float32]) {
	k := gradKernels[r.k-1][r.nv-1]
	if r.lanes == 1 && r.k == 3 && r.nv == 2 {
		k.f = grad3x3Grey
	}
	k.call(r)
}

func (k gradKernel) call(r *gradRun[float32]) {
	k.f(&r.dw[0], &r.v[0], &r.b[0], r.vBlk*4, (r.vRow-r.pixels*Lanes)*4, (r.bRow-r.pixels*Lanes)*r.step*4, r.bRow*4,
		r.rows, r.pixels, (r.lanes+k.group-1)/k.group, r.vNext*4, r.bNext*4)
}

// weightGradAVX512 leaves to AVX2 single blocks of v, which fill half a vector,
// and all but 3×3 taps: see _asm/weightgrad512.go.
func weightGradAVX512(r *gradRun[float32]) {
	switch {
	case r.nv == 1 || r.k != 3:
		weightGradAVX2(r)
	case r.lanes == 1:
		gradKernel{1, grad3x3Z1}.call(r)
	case r.lanes <= 4:
		gradKernel{4, grad3x3Z4}.call(r)
	default:
		gradKernel{8, grad3x3Z8}.call(r)
	}
}
