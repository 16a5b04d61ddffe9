package unet

import (
	"log/slog"

	"segd/internal/kernel"
)

// Pool is a set of threads, with their kernels, on which networks compute.
// Predictors, trainers and requests may share one. It is safe for concurrent
// use. The nil Pool computes in the calling goroutine with the fastest kernels.
type Pool struct{ p *kernel.Pool }

// NewPool starts a pool with this number of threads and the fastest kernels of
// the machine; threads < 1 means GOMAXPROCS. Results are identical to the bit
// for any number of threads. The caller closes the pool.
func NewPool(threads int) *Pool { return Kernels{}.NewPool(threads) }

// Threads returns the number of threads that share a computation, 1 for the nil
// Pool.
func (p *Pool) Threads() int { return p.inner().Threads() }

// Kernels returns the kernels of the pool.
func (p *Pool) Kernels() Kernels { return Kernels{p.inner().Set()} }

// Close ends the threads. Computations that are in progress, or start later,
// complete in their caller. Further calls do nothing.
func (p *Pool) Close() { p.inner().Close() }

func (p *Pool) inner() *kernel.Pool {
	if p == nil {
		return nil
	}
	return p.p
}

// Kernels is a set of inner loops for one family of processors. The zero value
// is the fastest set of this machine. Results differ between sets by rounding.
type Kernels struct{ set kernel.Set }

// FastestKernels is the name of the machine's fastest set for ChooseKernels.
const FastestKernels = kernel.Auto

// ChooseKernels returns the kernels with that name, or the fastest of this
// machine for FastestKernels. Each set except plain Go has a self-check. If it
// fails, ChooseKernels logs that to log, unless it is nil, and uses the next
// slower set. A set that this machine cannot run is an error that names the
// possible ones.
func ChooseKernels(name string, log *slog.Logger) (Kernels, error) {
	set, err := kernel.Choose(name, log)
	return Kernels{set}, err
}

// KernelNames returns all names that ChooseKernels accepts, on any machine.
func KernelNames() []string { return kernel.SetNames() }

// NewPool is like the function NewPool, with these kernels.
func (k Kernels) NewPool(threads int) *Pool { return &Pool{kernel.NewPool(threads, k.set)} }

// Name returns "avx512", "avx2" or, for plain Go, "generic".
func (k Kernels) Name() string { return k.set.Name() }

// Winograd returns the name of the instruction set for Winograd's algorithm in
// 3×3 convolutions where it pays, or "" if all are computed directly.
func (k Kernels) Winograd() string { return k.set.Winograd() }

// BFloat16 returns the name of the instruction set that multiplies for
// PredictorOptions.BFloat16. Any other than "avx512bf16" is slower than
// float32.
func (k Kernels) BFloat16() string { return k.set.BFloat16() }
