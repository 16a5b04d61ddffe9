package unet

import (
	"log/slog"

	"segd/internal/kernel"
)

// Pool is the threads that networks compute on, with the kernels that they take.
// Predictors, trainers and requests may share one; it is safe for concurrent use.
// The nil Pool computes in the calling goroutine, by the fastest kernels.
type Pool struct{ p *kernel.Pool }

// NewPool starts a pool of that many threads, with the fastest kernels of the
// machine; threads < 1 means GOMAXPROCS. Results are the same bits for any number
// of threads. The caller closes the pool.
func NewPool(threads int) *Pool { return Kernels{}.NewPool(threads) }

// Threads is the number of threads that share a computation, 1 for the nil Pool.
func (p *Pool) Threads() int { return p.inner().Threads() }

// Kernels are the kernels of what runs on the pool.
func (p *Pool) Kernels() Kernels { return Kernels{p.inner().Set()} }

// Close ends the threads. A computation in progress or begun later completes in
// its caller. Further calls do nothing.
func (p *Pool) Close() { p.inner().Close() }

func (p *Pool) inner() *kernel.Pool {
	if p == nil {
		return nil
	}
	return p.p
}

// Kernels are a set of inner loops for one family of processors. The zero value is
// the fastest set that this machine runs. Results differ between sets by rounding.
type Kernels struct{ set kernel.Set }

// FastestKernels names, for ChooseKernels, the fastest set of the machine.
const FastestKernels = kernel.Auto

// ChooseKernels returns the kernels of that name, for FastestKernels the fastest
// that this machine runs. Each set but plain Go has a self-check; one that fails it
// is refused with a line in log, if that is not nil, and the next slower one taken.
// A set that this machine cannot run is an error that names those it can.
func ChooseKernels(name string, log *slog.Logger) (Kernels, error) {
	set, err := kernel.Choose(name, log)
	return Kernels{set}, err
}

// KernelNames are the names that ChooseKernels takes on one machine or another.
func KernelNames() []string { return kernel.SetNames() }

// NewPool is the function NewPool for these kernels.
func (k Kernels) NewPool(threads int) *Pool { return &Pool{kernel.NewPool(threads, k.set)} }

// Name returns "avx512", "avx2" or, for plain Go, "generic".
func (k Kernels) Name() string { return k.set.Name() }

// Winograd names the instruction set in which 3×3 convolutions take Winograd's
// algorithm where it pays; empty, all of them are computed directly.
func (k Kernels) Winograd() string { return k.set.Winograd() }

// BFloat16 names the instruction set that multiplies for PredictorOptions.BFloat16.
// One other than "avx512bf16" is slower than float32.
func (k Kernels) BFloat16() string { return k.set.BFloat16() }
